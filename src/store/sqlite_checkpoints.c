/* SPDX-License-Identifier: MIT */
#include "store/sqlite_checkpoints.h"

static sb_connection *writer_of(sb_store *store)
{
	return &sb_sqlite_store_of(store)->writer;
}

void sb_sqlite_checkpoints_get(const sb_query *query, int column, sb_checkpoint_row *out)
{
	out->step_id = sb_query_int(query, column);
	out->token = sb_query_int(query, column + 1);
	out->at_us = sb_query_int(query, column + 2);
	out->items_processed = sb_query_int(query, column + 3);
	out->cursor = sb_query_slice(query, column + 4);
	out->partial_result = sb_query_slice(query, column + 5);
}

stepbus_status sb_sqlite_checkpoints_put(sb_store *store, const sb_checkpoint_row *row,
					 stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_CHECKPOINT_PUT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, row->step_id);
	sb_query_bind(&query, 2, row->token);
	sb_query_bind(&query, 3, row->at_us);
	sb_query_bind_optional(&query, 4, row->items_processed);
	sb_query_bind_bytes(&query, 5, row->cursor);
	sb_query_bind_bytes(&query, 6, row->partial_result);
	return sb_query_run(&query, err);
}

stepbus_status sb_sqlite_checkpoints_read(sb_store *store, int64_t step_id, sb_checkpoint_row *out,
					  stepbus_error *err)
{
	sb_query query;
	stepbus_status status =
		sb_query_open(writer_of(store), SB_SQL_CHECKPOINT_READ, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, step_id);
	status = sb_query_find(&query, "checkpoint of step", step_id, err);
	if (status != STEPBUS_OK)
		return status;
	sb_sqlite_checkpoints_get(&query, 0, out);
	return sb_query_keep(&query, err);
}

stepbus_status sb_sqlite_checkpoints_delete(sb_store *store, int64_t step_id, stepbus_error *err)
{
	return sb_query_run_id(writer_of(store), SB_SQL_CHECKPOINT_DELETE, step_id, err);
}
