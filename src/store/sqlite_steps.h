/* SPDX-License-Identifier: MIT */
/*
 * The rows of steps: what enqueueing wrote, what changes about them, their attempts, results and
 * keys. All inside a transaction; the functions are those of sb_store_type.
 *
 * A step's id is one more than the greatest there is, so the row with the greatest is never taken
 * away: removing it leaves a grave (a row with a handler_id of 0 and nothing else), which nobody
 * finds.
 */
#ifndef SB_STORE_SQLITE_STEPS_H
#define SB_STORE_SQLITE_STEPS_H

#include "store/sqlite_statement.h"

stepbus_status sb_sqlite_steps_insert(sb_store *store, sb_step_row *row,
				      const sb_step_status *first, stepbus_error *err);
stepbus_status sb_sqlite_steps_row_read(sb_store *store, int64_t id, sb_step_row *out,
					stepbus_error *err);
stepbus_status sb_sqlite_steps_status_read(sb_store *store, int64_t id, sb_step_status *out,
					   stepbus_error *err);
stepbus_status sb_sqlite_steps_move(sb_store *store, sb_step_move *moves, size_t count,
				    stepbus_error *err);
stepbus_status sb_sqlite_steps_delete(sb_store *store, const int64_t *ids, size_t count,
				      stepbus_error *err);
stepbus_status sb_sqlite_steps_attempt_put(sb_store *store, const sb_attempt_row *row,
					   stepbus_error *err);
stepbus_status sb_sqlite_steps_result_put(sb_store *store, const sb_result_row *row,
					  stepbus_error *err);
stepbus_status sb_sqlite_steps_unique_find(sb_store *store, sb_slice key, int64_t *step_id,
					   stepbus_error *err);
stepbus_status sb_sqlite_steps_unique_put(sb_store *store, sb_slice key, int64_t step_id,
					  stepbus_error *err);

/* Reads the columns of a step, a status or an attempt, from the given one on. */
void sb_sqlite_steps_row_get(const sb_query *query, int column, sb_step_row *out);
void sb_sqlite_steps_status_get(const sb_query *query, int column, sb_step_status *out);
void sb_sqlite_steps_attempt_get(const sb_query *query, int column, sb_attempt_row *out);

#endif
