/* SPDX-License-Identifier: MIT */
/* Schedules. The functions are those of sb_store_type. */
#ifndef SB_STORE_SQLITE_CRON_H
#define SB_STORE_SQLITE_CRON_H

#include "store/sqlite_store.h"

stepbus_status sb_sqlite_cron_put(sb_store *store, const sb_cron_row *row, stepbus_error *err);
stepbus_status sb_sqlite_cron_delete(sb_store *store, sb_slice name, stepbus_error *err);
stepbus_status sb_sqlite_cron_list(sb_store *store, sb_cron_visit visit, void *context,
				   stepbus_error *err);

#endif
