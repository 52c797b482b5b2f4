/* SPDX-License-Identifier: MIT */
#include "handlers/late.h"

/* A look at what is kept of the attempt that a completion names. */
typedef struct look {
	const sb_settlement *settlement;
	bool is_found;
	bool is_same;
	int32_t outcome; /* an SB_ATTEMPT_… */
} look;

static bool is_same_text(sb_slice kept, const void *data, size_t len)
{
	return sb_slice_is_equal(kept, sb_slice_of(data, len));
}

/* A result that says nothing has no row. */
static bool is_same_success(const stepbus_completion *c, const sb_step_view *view)
{
	static const sb_slice content_type_default = { "application/json", 16 };
	const sb_slice nothing = { NULL, 0 };
	bool has_result = view->has_result;
	sb_slice type = has_result ? view->result.content_type : nothing;

	return c->outcome == STEPBUS_OUTCOME_SUCCESS &&
	       is_same_text(has_result ? view->result.bytes : nothing, c->result, c->result_len) &&
	       is_same_text(type.len > 0 ? type : content_type_default, c->content_type,
			    c->content_type_len) &&
	       is_same_text(has_result ? view->result.metadata : nothing, c->metadata,
			    c->metadata_len);
}

static bool is_same_failure(const stepbus_completion *c, const sb_attempt_row *row)
{
	return c->outcome == STEPBUS_OUTCOME_FAILURE &&
	       row->is_retryable == (c->is_retryable != 0) &&
	       is_same_text(row->error_type, c->error_type, c->error_type_len) &&
	       is_same_text(row->message, c->error_message, c->error_message_len) &&
	       is_same_text(row->error_code, c->error_code, c->error_code_len) &&
	       is_same_text(row->backtrace, c->backtrace, c->backtrace_len) &&
	       is_same_text(row->metadata, c->metadata, c->metadata_len);
}

/* The delay of a snooze is kept as the time at which it ends. */
static bool is_same_snooze(const stepbus_completion *c, const sb_attempt_row *row)
{
	int64_t delay_us = c->retry_after_ms > 0 ? c->retry_after_ms * 1000 : 0;

	return c->outcome == STEPBUS_OUTCOME_SNOOZE &&
	       (uint64_t)row->retry_at_us - (uint64_t)row->finished_at_us == (uint64_t)delay_us;
}

static bool is_same_checkpoint(const stepbus_completion *c, const sb_checkpoint_row *row)
{
	return c->outcome == STEPBUS_OUTCOME_CHECKPOINT &&
	       (uint64_t)row->items_processed == c->items_processed &&
	       is_same_text(row->cursor, c->cursor, c->cursor_len) &&
	       is_same_text(row->partial_result, c->result, c->result_len);
}

static bool visit_step(void *context, const sb_step_view *view)
{
	look *l = context;
	const stepbus_completion *c = &l->settlement->completion;

	if (view->has_checkpoint && (uint64_t)view->checkpoint.token == c->token) {
		l->is_found = true;
		l->is_same = is_same_checkpoint(c, &view->checkpoint);
		return false;
	}
	if (view->status.state != SB_STEP_COMPLETED || (uint64_t)view->status.token != c->token)
		return false;
	l->is_found = true;
	l->outcome = SB_ATTEMPT_SUCCESS;
	l->is_same = is_same_success(c, view);
	return false;
}

static bool visit_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	look *l = context;
	const stepbus_completion *c = &l->settlement->completion;

	(void)worker;
	if ((uint64_t)row->token != c->token)
		return true;
	l->is_found = true;
	l->outcome = row->outcome;
	l->is_same = row->outcome == SB_ATTEMPT_FAILURE ?
			     is_same_failure(c, row) :
			     row->outcome == SB_ATTEMPT_SNOOZED && is_same_snooze(c, row);
	return false;
}

static stepbus_status tell(const look *l, stepbus_error *err)
{
	/* What was given back leaves no row: the attempt is over, and no other end of it is known. */
	if (l->is_same ||
	    (!l->is_found && l->settlement->completion.outcome == STEPBUS_OUTCOME_RELEASE))
		return STEPBUS_OK;
	if (l->is_found && l->outcome == SB_ATTEMPT_TIMED_OUT)
		return sb_fail(err, STEPBUS_ETIMEDOUT,
			       "the time of the attempt was over before it was completed");
	if (l->is_found && l->outcome == SB_ATTEMPT_CANCELLED)
		return sb_fail(err, STEPBUS_ECANCELLED, "the attempt was cancelled");
	/* What was given back before it started leaves no row. */
	if (!l->is_found || l->outcome == SB_ATTEMPT_LOST || l->outcome == SB_ATTEMPT_GIVEN_BACK)
		return sb_fail(err, STEPBUS_ESTALE, "the lease of the attempt was lost");
	return STEPBUS_EALREADY;
}

stepbus_status sb_late_judge(stepbus *engine, const sb_settlement *settlement,
			     stepbus_status refusal, stepbus_error *err)
{
	sb_store *store = engine->store;
	look l = { .settlement = settlement };
	bool is_checkpoint = settlement->completion.outcome == STEPBUS_OUTCOME_CHECKPOINT;
	stepbus_status status;

	if (refusal != STEPBUS_EALREADY && (refusal != STEPBUS_ESTALE || !is_checkpoint))
		return refusal;
	status = store->type->step_view(store, settlement->id, visit_step, &l, err);
	if (status == STEPBUS_OK && refusal == STEPBUS_ESTALE)
		return l.is_same ? STEPBUS_OK : STEPBUS_ESTALE;
	if (status == STEPBUS_OK && !l.is_found)
		status = store->type->attempt_list(store, settlement->id, visit_attempt, &l, err);
	return status == STEPBUS_OK ? tell(&l, err) : status;
}
