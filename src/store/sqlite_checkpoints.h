/* SPDX-License-Identifier: MIT */
/*
 * How far steps have come: one row for each that has made a checkpoint. All inside a transaction; the
 * functions are those of sb_store_type.
 */
#ifndef SB_STORE_SQLITE_CHECKPOINTS_H
#define SB_STORE_SQLITE_CHECKPOINTS_H

#include "store/sqlite_statement.h"

stepbus_status sb_sqlite_checkpoints_put(sb_store *store, const sb_checkpoint_row *row,
					 stepbus_error *err);
stepbus_status sb_sqlite_checkpoints_read(sb_store *store, int64_t step_id, sb_checkpoint_row *out,
					  stepbus_error *err);
stepbus_status sb_sqlite_checkpoints_delete(sb_store *store, int64_t step_id, stepbus_error *err);

/* Reads its columns, from the given one on. */
void sb_sqlite_checkpoints_get(const sb_query *query, int column, sb_checkpoint_row *out);

#endif
