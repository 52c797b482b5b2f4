/* SPDX-License-Identifier: MIT */
#include "store/sqlite_steps.h"

#include "base/words.h"

static sb_connection *writer_of(sb_store *store)
{
	return &sb_sqlite_store_of(store)->writer;
}

void sb_sqlite_steps_row_get(const sb_query *query, int column, sb_step_row *out)
{
	out->id = sb_query_int(query, column);
	out->task_id = sb_query_int(query, column + 1);
	out->queue_id = sb_query_int(query, column + 2);
	out->handler_id = sb_query_int(query, column + 3);
	out->created_at_us = sb_query_int(query, column + 4);
	out->run_at_us = sb_query_int(query, column + 5);
	out->wait_timeout_us = sb_query_int(query, column + 6);
	out->attempt_timeout_us = sb_query_int(query, column + 7);
	out->total_timeout_us = sb_query_int(query, column + 8);
	out->retry_base_us = sb_query_int(query, column + 9);
	out->retry_cap_us = sb_query_int(query, column + 10);
	out->priority = sb_query_int32(query, column + 11);
	out->retry_kind = sb_query_uint32(query, column + 12);
	out->attempt_count_max = sb_query_uint32(query, column + 13);
	out->jitter_percent = sb_query_uint32(query, column + 14);
	out->input = sb_query_slice(query, column + 15);
	out->content_type = sb_query_slice(query, column + 16);
	out->step_name = sb_query_slice(query, column + 17);
	out->step_config = sb_query_slice(query, column + 18);
	out->correlation_id = sb_query_slice(query, column + 19);
	out->traceparent = sb_query_slice(query, column + 20);
	out->caller = sb_query_slice(query, column + 21);
	out->tags = sb_query_slice(query, column + 22);
	out->concurrency_key = sb_query_slice(query, column + 23);
	out->idempotency_key = sb_query_slice(query, column + 24);
	out->unique_key = sb_query_slice(query, column + 25);
}

void sb_sqlite_steps_status_get(const sb_query *query, int column, sb_step_status *out)
{
	out->id = sb_query_int(query, column);
	out->queue_id = sb_query_int(query, column + 1);
	out->handler_id = sb_query_int(query, column + 2);
	out->due_at_us = sb_query_int(query, column + 3);
	out->deadline_at_us = sb_query_int(query, column + 4);
	out->token = sb_query_int(query, column + 5);
	out->worker_id = sb_query_int(query, column + 6);
	out->park_key = sb_query_int(query, column + 7);
	out->concurrency_key = sb_query_int(query, column + 8);
	out->changed_at_us = sb_query_int(query, column + 9);
	out->execution_us = sb_query_int(query, column + 10);
	out->priority = sb_query_int32(query, column + 11);
	out->attempt_count = sb_query_uint32(query, column + 12);
	out->crash_count = sb_query_uint32(query, column + 13);
	out->state = (sb_step_state)sb_query_uint32(query, column + 14);
	out->checkpoint_count = sb_query_uint32(query, column + 15);
}

void sb_sqlite_steps_attempt_get(const sb_query *query, int column, sb_attempt_row *out)
{
	out->step_id = sb_query_int(query, column);
	out->token = sb_query_int(query, column + 1);
	out->worker_id = sb_query_int(query, column + 2);
	out->started_at_us = sb_query_int(query, column + 3);
	out->finished_at_us = sb_query_int(query, column + 4);
	out->execution_us = sb_query_int(query, column + 5);
	out->retry_at_us = sb_query_int(query, column + 6);
	out->number = sb_query_uint32(query, column + 7);
	out->outcome = sb_query_int32(query, column + 8);
	out->is_retryable = sb_query_int(query, column + 9) != 0;
	out->error_type = sb_query_slice(query, column + 10);
	out->message = sb_query_slice(query, column + 11);
	out->error_code = sb_query_slice(query, column + 12);
	out->backtrace = sb_query_slice(query, column + 13);
	out->metadata = sb_query_slice(query, column + 14);
}

static void bind_row(sb_query *query, const sb_step_row *row)
{
	sb_query_bind_optional(query, 1, row->task_id);
	sb_query_bind(query, 2, row->queue_id);
	sb_query_bind(query, 3, row->handler_id);
	sb_query_bind(query, 4, row->created_at_us);
	sb_query_bind_optional(query, 5, row->run_at_us);
	sb_query_bind_optional(query, 6, row->wait_timeout_us);
	sb_query_bind_optional(query, 7, row->attempt_timeout_us);
	sb_query_bind_optional(query, 8, row->total_timeout_us);
	sb_query_bind_optional(query, 9, row->retry_base_us);
	sb_query_bind_optional(query, 10, row->retry_cap_us);
	sb_query_bind_optional(query, 11, row->priority);
	sb_query_bind_optional(query, 12, row->retry_kind);
	sb_query_bind_optional(query, 13, row->attempt_count_max);
	sb_query_bind_optional(query, 14, row->jitter_percent);
	sb_query_bind_bytes(query, 15, row->input);
	sb_query_bind_text(query, 16, row->content_type);
	sb_query_bind_text(query, 17, row->step_name);
	sb_query_bind_text(query, 18, row->step_config);
	sb_query_bind_text(query, 19, row->correlation_id);
	sb_query_bind_text(query, 20, row->traceparent);
	sb_query_bind_text(query, 21, row->caller);
	sb_query_bind_text(query, 22, row->tags);
	sb_query_bind_text(query, 23, row->concurrency_key);
	sb_query_bind_bytes(query, 24, row->idempotency_key);
	sb_query_bind_bytes(query, 25, row->unique_key);
}

static int64_t deadline_of(const sb_step_status *status)
{
	return sb_step_state_is_final(status->state) ? 0 : status->deadline_at_us;
}

/* Where a step in this state is found; a ready one: by its queue and priority, as row says. */
static void bind_place(sb_query *query, int place, const sb_step_status *status,
		       const sb_step_row *row)
{
	switch (status->state) {
	case SB_STEP_READY:
		if (row != NULL) {
			sb_query_bind(query, place, row->queue_id);
			sb_query_bind(query, place + 1, row->priority);
		}
		return;
	case SB_STEP_SCHEDULED:
		sb_query_bind(query, place, SB_SQL_PLACE_SCHEDULED);
		sb_query_bind(query, place + 1, status->due_at_us);
		return;
	case SB_STEP_PARKED:
		sb_query_bind(query, place, SB_SQL_PLACE_PARKED);
		sb_query_bind(query, place + 1, status->park_key);
		return;
	case SB_STEP_RUNNING:
		sb_query_bind(query, place, SB_SQL_PLACE_RUNNING);
		sb_query_bind(query, place + 1, status->worker_id);
		return;
	case SB_STEP_WAITING:
	case SB_STEP_COMPLETED:
	case SB_STEP_FAILED:
	case SB_STEP_CANCELLED:
	case SB_STEP_QUARANTINED:
		return;
	}
}

static stepbus_status insert_status(sb_connection *writer, const sb_step_row *row,
				    const sb_step_status *first, stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_STATE_INSERT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, row->id);
	sb_query_bind(&query, 2, row->queue_id);
	sb_query_bind(&query, 3, row->handler_id);
	sb_query_bind_optional(&query, 4, first->due_at_us);
	sb_query_bind_optional(&query, 5, deadline_of(first));
	sb_query_bind_optional(&query, 6, first->token);
	sb_query_bind_optional(&query, 7, first->worker_id);
	sb_query_bind_optional(&query, 8, first->park_key);
	sb_query_bind_optional(&query, 9, first->concurrency_key);
	sb_query_bind_optional(&query, 10, first->changed_at_us);
	sb_query_bind_optional(&query, 11, first->execution_us);
	sb_query_bind(&query, 12, row->priority);
	sb_query_bind_optional(&query, 13, first->attempt_count);
	sb_query_bind_optional(&query, 14, first->crash_count);
	sb_query_bind(&query, 15, (int64_t)first->state);
	sb_query_bind_optional(&query, 16, first->checkpoint_count);
	bind_place(&query, 17, first, row);
	if (first->state == SB_STEP_RUNNING)
		sb_query_bind_optional(&query, 19, first->concurrency_key);
	return sb_query_run(&query, err);
}

/* Puts in or takes out what finds a step by its tags. */
static stepbus_status change_tags(sb_connection *writer, sb_sql sql, sb_slice tags, int64_t id,
				  stepbus_error *err)
{
	sb_slice tag;

	while (tags.len > 0 && sb_words_next(&tags, &tag)) {
		sb_query query;
		stepbus_status status;

		if (tag.len == 0)
			continue;
		status = sb_query_open(writer, sql, &query, err);
		if (status != STEPBUS_OK)
			return status;
		sb_query_bind_text(&query, 1, tag);
		sb_query_bind(&query, 2, id);
		status = sb_query_run(&query, err);
		if (status != STEPBUS_OK)
			return status;
	}
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_steps_insert(sb_store *store, sb_step_row *row,
				      const sb_step_status *first, stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_STEP_INSERT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	bind_row(&query, row);
	status = sb_query_run(&query, err);
	if (status != STEPBUS_OK)
		return status;
	row->id = sqlite3_last_insert_rowid(writer->db);
	status = insert_status(writer, row, first, err);
	if (status == STEPBUS_OK && row->tags.len > 0)
		status = change_tags(writer, SB_SQL_TAG_INSERT, row->tags, row->id, err);
	return status;
}

/* Opens a statement with one number and steps to its row. */
static stepbus_status find(sb_connection *writer, sb_sql sql, int64_t id, sb_query *query,
			   stepbus_error *err)
{
	stepbus_status status = sb_query_open(writer, sql, query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(query, 1, id);
	return sb_query_find(query, "step", id, err);
}

stepbus_status sb_sqlite_steps_row_read(sb_store *store, int64_t id, sb_step_row *out,
					stepbus_error *err)
{
	sb_query query;
	stepbus_status status = find(writer_of(store), SB_SQL_STEP_READ, id, &query, err);

	/* A state without a step is nothing that a caller could have asked for. */
	if (status == STEPBUS_ENOTFOUND)
		return sb_fail(err, STEPBUS_ECORRUPT,
			       "there is a state of step %lld in '%s', but not the step: another "
			       "program has removed its row; restore it",
			       (long long)id, query.connection->path);
	if (status != STEPBUS_OK)
		return status;
	sb_sqlite_steps_row_get(&query, 0, out);
	return sb_query_keep(&query, err);
}

stepbus_status sb_sqlite_steps_status_read(sb_store *store, int64_t id, sb_step_status *out,
					   stepbus_error *err)
{
	sb_query query;
	stepbus_status status = find(writer_of(store), SB_SQL_STATE_READ, id, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_sqlite_steps_status_get(&query, 0, out);
	sb_query_close(&query);
	return STEPBUS_OK;
}

static stepbus_status move_with(sb_connection *writer, sb_sql sql, sb_step_move *move,
				stepbus_error *err)
{
	const sb_step_status *to = &move->to;
	sb_query query;
	stepbus_status status = sb_query_open(writer, sql, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, (int64_t)to->state);
	sb_query_bind_optional(&query, 2, to->due_at_us);
	sb_query_bind_optional(&query, 3, to->token);
	sb_query_bind_optional(&query, 4, to->worker_id);
	sb_query_bind_optional(&query, 5, to->park_key);
	sb_query_bind_optional(&query, 6, to->changed_at_us);
	sb_query_bind_optional(&query, 7, to->execution_us);
	sb_query_bind_optional(&query, 8, to->attempt_count);
	sb_query_bind_optional(&query, 9, to->crash_count);
	sb_query_bind(&query, 10, to->id);
	sb_query_bind(&query, 11, (int64_t)move->from);
	sb_query_bind(&query, 12, move->from_token);
	sb_query_bind_optional(&query, 13, deadline_of(to));
	bind_place(&query, 14, to, NULL);
	sb_query_bind_optional(&query, 16, to->checkpoint_count);
	status = sb_query_run(&query, err);
	move->is_done = status == STEPBUS_OK && sqlite3_changes(writer->db) == 1;
	return status;
}

stepbus_status sb_sqlite_steps_move(sb_store *store, sb_step_move *moves, size_t count,
				    stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; i < count && status == STEPBUS_OK; i++) {
		status = move_with(writer, SB_SQL_STATE_MOVE, &moves[i], err);
		if (status == STEPBUS_OK && !moves[i].is_done)
			status = move_with(writer, SB_SQL_STATE_MOVE_ALL, &moves[i], err);
	}
	return status;
}

static stepbus_status remove_key(sb_connection *writer, sb_slice key, int64_t id,
				 stepbus_error *err)
{
	sb_query query;
	stepbus_status status;

	if (key.len == 0)
		return STEPBUS_OK;
	status = sb_query_open(writer, SB_SQL_UNIQUE_DELETE, &query, err);
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_bytes(&query, 1, key);
	sb_query_bind(&query, 2, id);
	return sb_query_run(&query, err);
}

/* Its tags and keys stand in its row, which stays open so long, unlike a kept one. */
static stepbus_status remove_entries(sb_connection *writer, int64_t id, stepbus_error *err)
{
	sb_step_row row;
	sb_query query;
	bool has_row = false;
	stepbus_status status = sb_query_open(writer, SB_SQL_STEP_READ, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, id);
	status = sb_query_step(&query, &has_row, err);
	if (status != STEPBUS_OK || !has_row)
		return status;
	sb_sqlite_steps_row_get(&query, 0, &row);
	status = change_tags(writer, SB_SQL_TAG_DELETE, row.tags, id, err);
	if (status == STEPBUS_OK)
		status = remove_key(writer, row.idempotency_key, id, err);
	if (status == STEPBUS_OK)
		status = remove_key(writer, row.unique_key, id, err);
	sb_query_close(&query);
	return status;
}

static stepbus_status remove_step(sb_connection *writer, int64_t id, bool is_last,
				  stepbus_error *err)
{
	static const sb_sql parts[] = { SB_SQL_STATE_DELETE, SB_SQL_ATTEMPTS_DELETE,
					SB_SQL_RESULT_DELETE, SB_SQL_CHECKPOINT_DELETE };
	stepbus_status status = remove_entries(writer, id, err);

	for (size_t i = 0; i < sizeof parts / sizeof *parts && status == STEPBUS_OK; i++)
		status = sb_query_run_id(writer, parts[i], id, err);
	if (status == STEPBUS_OK)
		status = sb_query_run_id(writer, is_last ? SB_SQL_STEP_BURY : SB_SQL_STEP_DELETE,
					 id, err);
	return status;
}

stepbus_status sb_sqlite_steps_delete(sb_store *store, const int64_t *ids, size_t count,
				      stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	int64_t last_id = 0;
	stepbus_status status = sb_query_number(writer, SB_SQL_STEP_LAST, &last_id, err);

	for (size_t i = 0; i < count && status == STEPBUS_OK; i++)
		status = remove_step(writer, ids[i], last_id > 0 && ids[i] == last_id, err);
	return status;
}

stepbus_status sb_sqlite_steps_attempt_put(sb_store *store, const sb_attempt_row *row,
					   stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_ATTEMPT_PUT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, row->step_id);
	sb_query_bind(&query, 2, row->token);
	sb_query_bind_optional(&query, 3, row->worker_id);
	sb_query_bind_optional(&query, 4, row->started_at_us);
	sb_query_bind_optional(&query, 5, row->finished_at_us);
	sb_query_bind_optional(&query, 6, row->execution_us);
	sb_query_bind_optional(&query, 7, row->retry_at_us);
	sb_query_bind_optional(&query, 8, row->number);
	sb_query_bind(&query, 9, row->outcome);
	sb_query_bind_optional(&query, 10, row->is_retryable);
	sb_query_bind_text(&query, 11, row->error_type);
	sb_query_bind_text(&query, 12, row->message);
	sb_query_bind_text(&query, 13, row->error_code);
	sb_query_bind_text(&query, 14, row->backtrace);
	sb_query_bind_text(&query, 15, row->metadata);
	return sb_query_run(&query, err);
}

stepbus_status sb_sqlite_steps_result_put(sb_store *store, const sb_result_row *row,
					  stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_RESULT_PUT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, row->step_id);
	sb_query_bind_bytes(&query, 2, row->bytes);
	sb_query_bind_text(&query, 3, row->content_type);
	sb_query_bind_text(&query, 4, row->metadata);
	return sb_query_run(&query, err);
}

stepbus_status sb_sqlite_steps_unique_find(sb_store *store, sb_slice key, int64_t *step_id,
					   stepbus_error *err)
{
	sb_query query;
	bool has_row = false;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_UNIQUE_FIND, &query, err);

	*step_id = 0;
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_bytes(&query, 1, key);
	status = sb_query_step(&query, &has_row, err);
	if (status != STEPBUS_OK || !has_row)
		return status;
	*step_id = sb_query_int(&query, 0);
	sb_query_close(&query);
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_steps_unique_put(sb_store *store, sb_slice key, int64_t step_id,
					  stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_UNIQUE_PUT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_bytes(&query, 1, key);
	sb_query_bind(&query, 2, step_id);
	return sb_query_run(&query, err);
}
