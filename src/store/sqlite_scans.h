/* SPDX-License-Identifier: MIT */
/*
 * Finding steps by their state, each way by an index of its own: none of these reads more rows than
 * it gives, but for the count of a queue's running steps, which looks at all that are running. All
 * inside a transaction; the functions are those of sb_store_type.
 */
#ifndef SB_STORE_SQLITE_SCANS_H
#define SB_STORE_SQLITE_SCANS_H

#include "store/sqlite_store.h"

stepbus_status sb_sqlite_scans_step_scan(sb_store *store, const sb_scan *scan, sb_step_status *out,
					 size_t max, size_t *count, stepbus_error *err);
stepbus_status sb_sqlite_scans_lane_next(sb_store *store, bool is_descending, sb_lane *lane,
					 bool *found, stepbus_error *err);
stepbus_status sb_sqlite_scans_park_next(sb_store *store, int64_t *park_key, bool *found,
					 stepbus_error *err);
stepbus_status sb_sqlite_scans_due_next(sb_store *store, int64_t *due_at_us, stepbus_error *err);
stepbus_status sb_sqlite_scans_running_count(sb_store *store, int64_t queue_id,
					     int64_t concurrency_key, int64_t max, int64_t *count,
					     stepbus_error *err);

#endif
