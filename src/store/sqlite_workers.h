/* SPDX-License-Identifier: MIT */
/* Workers and what they serve. The functions are those of sb_store_type. */
#ifndef SB_STORE_SQLITE_WORKERS_H
#define SB_STORE_SQLITE_WORKERS_H

#include "store/sqlite_store.h"

stepbus_status sb_sqlite_workers_insert(sb_store *store, sb_worker_row *row, stepbus_error *err);
stepbus_status sb_sqlite_workers_update(sb_store *store, const sb_worker_row *row,
					stepbus_error *err);
stepbus_status sb_sqlite_workers_delete(sb_store *store, int64_t id, stepbus_error *err);
stepbus_status sb_sqlite_workers_list(sb_store *store, sb_worker_visit visit, void *context,
				      stepbus_error *err);
stepbus_status sb_sqlite_workers_served_put(sb_store *store, int64_t worker_id,
					    const sb_served_row *rows, size_t count,
					    stepbus_error *err);
stepbus_status sb_sqlite_workers_served_list(sb_store *store, sb_served_visit visit, void *context,
					     stepbus_error *err);

#endif
