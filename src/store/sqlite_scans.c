/* SPDX-License-Identifier: MIT */
#include "store/sqlite_scans.h"

#include "store/sqlite_statement.h"
#include "store/sqlite_steps.h"

static sb_connection *writer_of(sb_store *store)
{
	return &sb_sqlite_store_of(store)->writer;
}

static sb_sql statement_of(const sb_scan *scan)
{
	switch (scan->kind) {
	case SB_SCAN_READY:
		return scan->is_descending ? SB_SQL_SCAN_READY_LAST : SB_SQL_SCAN_READY;
	case SB_SCAN_PARKED:
		return SB_SQL_SCAN_PARKED;
	case SB_SCAN_DUE:
		return SB_SQL_SCAN_DUE;
	case SB_SCAN_OVERDUE:
		return SB_SQL_SCAN_OVERDUE;
	case SB_SCAN_RUNNING:
		return SB_SQL_SCAN_RUNNING;
	case SB_SCAN_ALL:
		break;
	}
	return SB_SQL_SCAN_ALL;
}

static void bind_ready(sb_query *query, const sb_scan *scan)
{
	bool is_from_end = scan->is_descending && scan->after_id == 0;

	sb_query_bind(query, 1, scan->queue_id);
	sb_query_bind(query, 2, scan->priority);
	sb_query_bind(query, 3, is_from_end ? INT64_MAX : scan->after_id);
}

/* Returns the place of the greatest number of rows, which comes last. */
static int bind_scan(sb_query *query, const sb_scan *scan)
{
	switch (scan->kind) {
	case SB_SCAN_READY:
		bind_ready(query, scan);
		return 4;
	case SB_SCAN_PARKED:
		sb_query_bind(query, 1, scan->park_key);
		sb_query_bind(query, 2, scan->after_id);
		return 3;
	case SB_SCAN_RUNNING:
		sb_query_bind(query, 1, scan->worker_id);
		sb_query_bind(query, 2, scan->after_id);
		return 3;
	case SB_SCAN_DUE:
	case SB_SCAN_OVERDUE:
		sb_query_bind(query, 1, scan->at_us);
		return 2;
	case SB_SCAN_ALL:
		break;
	}
	sb_query_bind(query, 1, scan->after_id);
	return 2;
}

stepbus_status sb_sqlite_scans_step_scan(sb_store *store, const sb_scan *scan, sb_step_status *out,
					 size_t max, size_t *count, stepbus_error *err)
{
	sb_query query;
	bool has_row = true;
	stepbus_status status = sb_query_open(writer_of(store), statement_of(scan), &query, err);

	*count = 0;
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, bind_scan(&query, scan), (int64_t)max);
	while (*count < max) {
		status = sb_query_step(&query, &has_row, err);
		if (status != STEPBUS_OK || !has_row)
			return status;
		sb_sqlite_steps_status_get(&query, 0, &out[(*count)++]);
	}
	sb_query_close(&query);
	return STEPBUS_OK;
}

/* The first number of the first row, if there is one; the query is closed. */
static stepbus_status read_one(sb_query *query, int64_t *out, bool *found, stepbus_error *err)
{
	stepbus_status status = sb_query_step(query, found, err);

	if (status != STEPBUS_OK || !*found)
		return status;
	*out = sb_query_int(query, 0);
	sb_query_close(query);
	return STEPBUS_OK;
}

static stepbus_status find_last(sb_connection *writer, sb_lane *lane, stepbus_error *err)
{
	sb_query query;
	bool found;
	stepbus_status status = sb_query_open(writer, SB_SQL_LANE_LAST, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, lane->queue_id);
	sb_query_bind(&query, 2, lane->priority);
	return read_one(&query, &lane->head_id, &found, err);
}

stepbus_status sb_sqlite_scans_lane_next(sb_store *store, bool is_descending, sb_lane *lane,
					 bool *found, stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_LANE_NEXT, &query, err);

	*found = false;
	if (status != STEPBUS_OK)
		return status;
	/* Behind place 0, where nothing stands, are the queues. */
	sb_query_bind(&query, 1, lane->queue_id > 0 ? lane->queue_id : 0);
	sb_query_bind(&query, 2, lane->queue_id > 0 ? lane->priority + INT64_C(1) : 0);
	status = sb_query_step(&query, found, err);
	if (status != STEPBUS_OK || !*found)
		return status;
	lane->queue_id = sb_query_int(&query, 0);
	lane->priority = sb_query_int32(&query, 1);
	lane->head_id = sb_query_int(&query, 2);
	sb_query_close(&query);
	return is_descending ? find_last(writer, lane, err) : STEPBUS_OK;
}

stepbus_status sb_sqlite_scans_park_next(sb_store *store, int64_t *park_key, bool *found,
					 stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_PARK_NEXT, &query, err);

	*found = false;
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, *park_key);
	return read_one(&query, park_key, found, err);
}

stepbus_status sb_sqlite_scans_due_next(sb_store *store, int64_t *due_at_us, stepbus_error *err)
{
	return sb_query_number(writer_of(store), SB_SQL_DUE_NEXT, due_at_us, err);
}

stepbus_status sb_sqlite_scans_running_count(sb_store *store, int64_t queue_id,
					     int64_t concurrency_key, int64_t max, int64_t *count,
					     stepbus_error *err)
{
	sb_query query;
	bool found;
	sb_sql sql = concurrency_key != 0 ? SB_SQL_RUNNING_OF_KEY : SB_SQL_RUNNING_OF_QUEUE;
	stepbus_status status = sb_query_open(writer_of(store), sql, &query, err);

	*count = 0;
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, concurrency_key != 0 ? concurrency_key : queue_id);
	sb_query_bind(&query, 2, max > 0 ? max : 0);
	return read_one(&query, count, &found, err);
}
