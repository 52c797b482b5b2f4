/* SPDX-License-Identifier: MIT */
/*
 * What readers ask. A reader's transaction keeps the log from being reused, so each is short: it
 * looks at a limited range of ids and gives a limited number of rows, and the next one goes on
 * behind it. So a long list is of no single moment, but each step in it is. The functions are those
 * of sb_store_type.
 */
#ifndef SB_STORE_SQLITE_READER_H
#define SB_STORE_SQLITE_READER_H

#include "store/sqlite_store.h"

stepbus_status sb_sqlite_reader_step_view(sb_store *base, int64_t id, sb_step_visit visit,
					  void *context, stepbus_error *err);
stepbus_status sb_sqlite_reader_step_list(sb_store *base, const sb_step_filter *filter,
					  sb_step_visit visit, void *context, stepbus_error *err);
stepbus_status sb_sqlite_reader_step_count(sb_store *base, const sb_step_filter *filter,
					   int64_t *count, stepbus_error *err);
stepbus_status sb_sqlite_reader_attempt_list(sb_store *base, int64_t step_id,
					     sb_attempt_visit visit, void *context,
					     stepbus_error *err);

/*
 * From *id on, or down from it, the first id that a step has; 0 where there is none. Ids may lie far
 * apart, so walks go from one that is there to the next.
 */
stepbus_status sb_sqlite_reader_seek(sb_connection *connection, bool is_ascending, int64_t *id,
				     stepbus_error *err);

#endif
