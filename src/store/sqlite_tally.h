/* SPDX-License-Identifier: MIT */
/*
 * How many steps of each queue are in each state: a walk over the narrow table in ranges of ids, so
 * that no transaction of a reader is long. The function is that of sb_store_type.
 */
#ifndef SB_STORE_SQLITE_TALLY_H
#define SB_STORE_SQLITE_TALLY_H

#include "store/sqlite_store.h"

stepbus_status sb_sqlite_tally_read(sb_store *base, sb_tally_visit visit, void *context,
				    stepbus_error *err);

#endif
