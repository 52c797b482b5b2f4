/* SPDX-License-Identifier: MIT */
#include "handlers/step_document.h"

#include "base/ids.h"
#include "handlers/unique.h"

static const char *const outcome_names[] = {
	[SB_ATTEMPT_SUCCESS] = "success",       [SB_ATTEMPT_FAILURE] = "failure",
	[SB_ATTEMPT_SNOOZED] = "snoozed",       [SB_ATTEMPT_LOST] = "lost",
	[SB_ATTEMPT_TIMED_OUT] = "timed_out",   [SB_ATTEMPT_CANCELLED] = "cancelled",
	[SB_ATTEMPT_GIVEN_BACK] = "given_back",
};

static const char *const retry_names[] = {
	[STEPBUS_RETRY_NONE] = "none",           [STEPBUS_RETRY_FIXED] = "fixed",
	[STEPBUS_RETRY_LINEAR] = "linear",       [STEPBUS_RETRY_EXPONENTIAL] = "exponential",
	[STEPBUS_RETRY_FIBONACCI] = "fibonacci",
};

/* What stands in a database may be anything; a number that says nothing becomes null. */
static bool add_choice(sb_json *json, const char *name, const char *const *names, size_t count,
		       int64_t number)
{
	bool is_known = number >= 0 && (uint64_t)number < count && names[number] != NULL;

	return is_known ? sb_json_add_text(json, name, sb_slice_z(names[number])) :
			  sb_json_add_null(json, name);
}

static bool add_state(sb_json *json, sb_step_state state)
{
	const char *name = sb_step_state_name((int)state);

	return name != NULL ? sb_json_add_text(json, "state", sb_slice_z(name)) :
			      sb_json_add_null(json, "state");
}

static bool add_id(sb_json *json, const char *name, const sb_store *store, int64_t row_id)
{
	uint8_t id[SB_ID_LEN];
	char text[SB_ID_TEXT_LEN + 1];

	sb_id_of_row(row_id, store->tag, id);
	sb_id_format(id, text);
	return sb_json_add_text(json, name, sb_slice_z(text));
}

static bool add_token(sb_json *json, int64_t token)
{
	return token != 0 ? sb_json_add_decimal(json, "token", token) :
			    sb_json_add_null(json, "token");
}

/* null: it was not said. */
static bool add_ms(sb_json *json, const char *name, int64_t time_us)
{
	return time_us != 0 ? sb_json_add_int(json, name, time_us / 1000) :
			      sb_json_add_null(json, name);
}

static bool add_count(sb_json *json, const char *name, uint32_t count)
{
	return count != 0 ? sb_json_add_int(json, name, count) : sb_json_add_null(json, name);
}

static bool add_key(sb_json *json, const char *name, const char *base64_name, sb_slice key,
		    const stepbus_host *host)
{
	return key.len > 0 ? sb_json_add_bytes(json, name, base64_name, key, host) :
			     sb_json_add_null(json, name);
}

/* What a parked step waits for. */
static bool add_place(sb_json *json, const sb_step_status *status)
{
	if (status->state != SB_STEP_PARKED)
		return true;
	return sb_json_add_text(json, "parked_for",
				sb_slice_z(status->park_key > 0 ? "handler" : "concurrency"));
}

static bool add_error(sb_json *json, const sb_attempt_row *row, const stepbus_host *host)
{
	return sb_json_add_foreign(json, "error_type", row->error_type) &&
	       sb_json_add_whole(json, "message", row->message, host) &&
	       sb_json_add_foreign(json, "error_code", row->error_code);
}

static bool is_failure(const sb_attempt_row *row)
{
	return row->outcome == SB_ATTEMPT_FAILURE || row->outcome == SB_ATTEMPT_LOST ||
	       row->outcome == SB_ATTEMPT_TIMED_OUT || row->outcome == SB_ATTEMPT_CANCELLED;
}

static bool add_last_error(sb_json *json, const sb_step_view *view, const stepbus_host *host)
{
	sb_json *error;
	bool is_complete;

	if (!view->has_error || !is_failure(&view->error))
		return sb_json_add_null(json, "last_error");
	error = sb_json_object_new();
	is_complete = add_error(error, &view->error, host);
	return sb_json_add_part_take(json, "last_error", error) && is_complete;
}

static bool add_names(sb_json *json, const sb_step_view *view)
{
	return sb_json_add_foreign(json, "handler", view->handler.name) &&
	       sb_json_add_foreign(json, "handler_namespace", view->handler.handler_namespace) &&
	       sb_json_add_foreign(json, "handler_version", view->handler.version) &&
	       sb_json_add_foreign(json, "queue", view->queue) &&
	       sb_json_add_int(json, "priority", view->status.priority) &&
	       sb_json_add_foreign(json, "step_name", view->row.step_name) &&
	       sb_json_add_foreign(json, "correlation_id", view->row.correlation_id) &&
	       sb_json_add_words(json, "tags", view->row.tags);
}

static bool add_progress(sb_json *json, const sb_step_view *view)
{
	const sb_step_status *status = &view->status;

	return sb_json_add_time(json, "created_at", view->row.created_at_us) &&
	       sb_json_add_moment(json, "run_at", view->row.run_at_us) &&
	       sb_json_add_moment(json, "due_at", status->due_at_us) &&
	       sb_json_add_moment(json, "deadline_at", status->deadline_at_us) &&
	       sb_json_add_time(json, "changed_at", status->changed_at_us) &&
	       sb_json_add_int(json, "attempt_count", status->attempt_count) &&
	       sb_json_add_int(json, "crash_count", status->crash_count) &&
	       sb_json_add_int(json, "checkpoint_count", status->checkpoint_count) &&
	       add_token(json, status->token) && sb_json_add_foreign(json, "worker", view->worker);
}

static bool add_lengths(sb_json *json, const sb_step_view *view)
{
	return sb_json_add_int(json, "input_len", (int64_t)view->row.input.len) &&
	       (view->has_result ?
			sb_json_add_int(json, "result_len", (int64_t)view->result.bytes.len) :
			sb_json_add_null(json, "result_len"));
}

static bool add_retry(sb_json *json, const sb_step_row *row)
{
	sb_json *retry = sb_json_object_new();
	bool is_complete = add_choice(retry, "kind", retry_names,
				      sizeof retry_names / sizeof *retry_names, row->retry_kind) &&
			   add_count(retry, "attempt_count_max", row->attempt_count_max) &&
			   add_ms(retry, "base_ms", row->retry_base_us) &&
			   add_ms(retry, "cap_ms", row->retry_cap_us) &&
			   add_count(retry, "jitter_percent", row->jitter_percent);

	return sb_json_add_part_take(json, "retry", retry) && is_complete;
}

static bool add_wishes(sb_json *json, const sb_step_row *row, const stepbus_host *host)
{
	return sb_json_add_foreign(json, "caller", row->caller) &&
	       sb_json_add_whole(json, "step_config", row->step_config, host) &&
	       sb_json_add_foreign(json, "traceparent", row->traceparent) &&
	       add_key(json, "concurrency_key", "concurrency_key_base64", row->concurrency_key,
		       host) &&
	       add_key(json, "idempotency_key", "idempotency_key_base64",
		       sb_unique_key_of(row->idempotency_key), host) &&
	       add_key(json, "unique_key", "unique_key_base64", sb_unique_key_of(row->unique_key),
		       host) &&
	       add_ms(json, "wait_timeout_ms", row->wait_timeout_us) &&
	       add_ms(json, "attempt_timeout_ms", row->attempt_timeout_us) &&
	       add_ms(json, "total_timeout_ms", row->total_timeout_us) && add_retry(json, row);
}

/* null: there is none, or it went with the step's completion. */
static bool add_checkpoint(sb_json *json, const sb_step_view *view, const stepbus_host *host)
{
	const sb_checkpoint_row *row = &view->checkpoint;
	sb_json *checkpoint;
	bool is_complete;

	if (!view->has_checkpoint)
		return sb_json_add_null(json, "checkpoint");
	checkpoint = sb_json_object_new();
	is_complete = sb_json_add_time(checkpoint, "at", row->at_us) &&
		      add_token(checkpoint, row->token) &&
		      sb_json_add_int(checkpoint, "items_processed", row->items_processed) &&
		      sb_json_add_bytes(checkpoint, "cursor", "cursor_base64", row->cursor, host) &&
		      sb_json_add_bytes(checkpoint, "partial_result", "partial_result_base64",
					row->partial_result, host);
	return sb_json_add_part_take(json, "checkpoint", checkpoint) && is_complete;
}

static bool add_payloads(sb_json *json, const sb_step_view *view, const stepbus_host *host)
{
	if (!sb_json_add_foreign(json, "content_type", view->row.content_type) ||
	    !sb_json_add_bytes(json, "input", "input_base64", view->row.input, host))
		return false;
	if (!view->has_result)
		return sb_json_add_null(json, "result");
	return sb_json_add_bytes(json, "result", "result_base64", view->result.bytes, host) &&
	       sb_json_add_foreign(json, "result_content_type", view->result.content_type) &&
	       sb_json_add_whole(json, "result_metadata", view->result.metadata, host);
}

sb_json *sb_step_document(const sb_store *store, const sb_step_view *view, sb_step_depth depth,
			  bool *is_complete)
{
	const stepbus_host *host = store->host;
	sb_json *json = sb_json_object_new();

	*is_complete = add_id(json, "step_id", store, view->status.id) &&
		       add_state(json, view->status.state) && add_place(json, &view->status) &&
		       add_names(json, view) && add_progress(json, view) &&
		       add_lengths(json, view) && add_last_error(json, view, host);
	if (*is_complete && depth == SB_STEP_IN_FULL)
		*is_complete = (!sb_step_state_is_final(view->status.state) ||
				sb_json_add_int(json, "execution_us", view->status.execution_us)) &&
			       add_wishes(json, &view->row, host) &&
			       add_checkpoint(json, view, host) && add_payloads(json, view, host);
	return json;
}

sb_json *sb_attempt_document(const sb_store *store, const sb_attempt_row *row, sb_slice worker,
			     bool *is_complete)
{
	const stepbus_host *host = store->host;
	sb_json *json = sb_json_object_new();

	*is_complete = sb_json_add_int(json, "number", row->number) &&
		       add_token(json, row->token) && sb_json_add_foreign(json, "worker", worker) &&
		       sb_json_add_moment(json, "started_at", row->started_at_us) &&
		       sb_json_add_moment(json, "finished_at", row->finished_at_us) &&
		       sb_json_add_int(json, "execution_us", row->execution_us) &&
		       add_choice(json, "outcome", outcome_names,
				  sizeof outcome_names / sizeof *outcome_names, row->outcome) &&
		       add_error(json, row, host) &&
		       sb_json_add_whole(json, "backtrace", row->backtrace, host) &&
		       sb_json_add_whole(json, "metadata", row->metadata, host) &&
		       sb_json_add_bool(json, "is_retryable", row->is_retryable) &&
		       sb_json_add_bool(json, "is_retried", row->retry_at_us != 0) &&
		       sb_json_add_moment(json, "retry_at", row->retry_at_us);
	return json;
}
