/* SPDX-License-Identifier: MIT */
#include "handlers/settle.h"

#include <stddef.h>

#include "base/utf8.h"
#include "handlers/engine.h"
#include "handlers/policy.h"
#include "handlers/result.h"

enum { EVIDENCE_LEN_MAX = 8192 };

static const char content_type_default[] = "application/json";

/* The parts of a completion that must outlive the call, in the order they are copied. */
static size_t copied_len(const stepbus_completion *c)
{
	return c->result_len + c->content_type_len + c->error_type_len + c->error_message_len +
	       c->error_code_len + c->metadata_len + c->backtrace_len + c->correlation_id_len +
	       c->handler_name_len + c->worker_id_len + c->cursor_len;
}

static const void *copy_part(char **at, const void *data, size_t len)
{
	char *copy = *at;

	if (len == 0)
		return NULL;
	memcpy(copy, data, len);
	*at += len;
	return copy;
}

static bool is_default_content_type(const stepbus_completion *c)
{
	return sb_slice_is_equal(
		sb_slice_of(c->content_type, c->content_type_len),
		sb_slice_of(content_type_default, sizeof content_type_default - 1));
}

/* What lives as long as the claimed step, or for ever, need not be copied. */
static void borrow_what_lives(sb_settlement *s, stepbus_completion *c)
{
	const stepbus_step_event *event = &s->claimed->event;

	c->correlation_id_len = 0;
	c->handler_name_len = 0;
	c->worker_id_len = 0;
	if (is_default_content_type(c))
		c->content_type_len = 0;
	s->completion.correlation_id = event->correlation_id;
	s->completion.correlation_id_len = event->correlation_id_len;
	s->completion.handler_name = event->handler_name;
	s->completion.handler_name_len = event->handler_name_len;
}

static void shorten(const char *text, size_t *len, size_t len_max)
{
	if (*len > len_max)
		*len = sb_utf8_cut(text, len_max);
}

/* A copy from here on: what belongs to no character is mended in it. */
static const char *copy_text(char **at, const char *text, size_t len)
{
	char *copy = *at;

	if (copy_part(at, text, len) == NULL)
		return NULL;
	sb_utf8_repair(copy, len);
	return copy;
}

static void copy_texts(sb_settlement *s, const stepbus_completion *c)
{
	stepbus_completion *to = &s->completion;
	char *at = s->texts;

	to->result = copy_part(&at, c->result, c->result_len);
	to->content_type = copy_part(&at, c->content_type, c->content_type_len);
	to->error_type = copy_text(&at, c->error_type, c->error_type_len);
	to->error_message = copy_text(&at, c->error_message, c->error_message_len);
	to->error_code = copy_text(&at, c->error_code, c->error_code_len);
	to->error_type_len = c->error_type_len;
	to->error_message_len = c->error_message_len;
	to->error_code_len = c->error_code_len;
	to->backtrace = copy_text(&at, c->backtrace, c->backtrace_len);
	to->backtrace_len = c->backtrace_len;
	to->metadata = copy_part(&at, c->metadata, c->metadata_len);
	to->cursor = copy_part(&at, c->cursor, c->cursor_len);
	if (to->content_type == NULL) {
		to->content_type = content_type_default;
		to->content_type_len = sizeof content_type_default - 1;
	}
	if (s->claimed != NULL)
		return;
	to->correlation_id = copy_part(&at, c->correlation_id, c->correlation_id_len);
	to->handler_name = copy_part(&at, c->handler_name, c->handler_name_len);
	to->worker_id = copy_part(&at, c->worker_id, c->worker_id_len);
}

static void copy_version(sb_settlement *s, const stepbus_completion *c)
{
	size_t len = c->handler_version_len;

	if (len > SB_SETTLE_VERSION_LEN)
		len = SB_SETTLE_VERSION_LEN;
	if (len > 0)
		memcpy(s->handler_version, c->handler_version, len);
	s->completion.handler_version = s->handler_version;
	s->completion.handler_version_len = len;
}

stepbus_status sb_settlement_fill(sb_settlement *s, const stepbus_host *host,
				  const stepbus_completion *completion, stepbus_error *err)
{
	stepbus_completion c = *completion;
	size_t len;

	s->completion = c;
	if (s->claimed != NULL)
		borrow_what_lives(s, &c);
	/* That a failure is recorded must not depend on what it says. */
	shorten(c.error_type, &c.error_type_len, SB_ERROR_TYPE_LEN_MAX);
	shorten(c.error_message, &c.error_message_len, SB_ERROR_MESSAGE_LEN_MAX);
	shorten(c.error_code, &c.error_code_len, SB_ERROR_TYPE_LEN_MAX);
	shorten(c.backtrace, &c.backtrace_len, SB_BACKTRACE_LEN_MAX);
	len = copied_len(&c);
	if (len > 0) {
		s->texts = sb_alloc(host, len);
		if (s->texts == NULL)
			return sb_fail_memory(err, "take a completion in");
	}
	copy_texts(s, &c);
	copy_version(s, &c);
	s->attempt_outcome = SB_ATTEMPT_FAILURE;
	if (c.outcome == STEPBUS_OUTCOME_SUCCESS)
		s->attempt_outcome = SB_ATTEMPT_SUCCESS;
	else if (c.outcome == STEPBUS_OUTCOME_SNOOZE)
		s->attempt_outcome = SB_ATTEMPT_SNOOZED;
	else if (c.outcome == STEPBUS_OUTCOME_RELEASE)
		s->attempt_outcome = SB_ATTEMPT_GIVEN_BACK;
	s->operation.run = sb_settle_run;
	s->operation.weight = 1;
	return STEPBUS_OK;
}

void sb_settlement_clear(sb_settlement *s, const stepbus_host *host)
{
	sb_release(host, s->texts);
	s->texts = NULL;
}

int64_t sb_settle_next_token(int64_t token, int64_t now_us)
{
	/* Grows even where a backup was restored, since time went on. */
	if (token < now_us)
		return now_us;
	return token < INT64_MAX ? token + 1 : token;
}

stepbus_status sb_settle_move(sb_store *store, sb_step_event event, const sb_step_status *from,
			      const sb_step_status *to, bool *is_done, stepbus_error *err)
{
	sb_step_move move = {
		.event = event, .from = from->state, .from_token = from->token, .to = *to
	};
	stepbus_status status;

	*is_done = false;
	/* The row may have been written by anybody; what we ask for ourselves is always in the table. */
	if (!sb_step_can_move(event, from->state, to->state))
		return sb_fail(err, STEPBUS_ECORRUPT,
			       "step %lld is in state %d, which it cannot leave like that: its row "
			       "was changed by another program; restore it",
			       (long long)from->id, (int)from->state);
	status = store->type->step_move(store, &move, 1, err);
	*is_done = move.is_done;
	return status;
}

stepbus_status sb_settle_explain(sb_store *store, int64_t id, int64_t token, stepbus_error *err)
{
	sb_step_status now;
	stepbus_status status = store->type->step_status_read(store, id, &now, err);

	if (status == STEPBUS_ENOTFOUND)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "there is no such step: it may have been removed by retention");
	if (status != STEPBUS_OK)
		return status;
	if (now.state == SB_STEP_CANCELLED)
		return sb_fail(err, STEPBUS_ECANCELLED, "the step was cancelled");
	/* What is kept may turn out to be the same (late.h), and then be answered as a success. */
	status = store->type->confirm(store, err);
	if (status != STEPBUS_OK)
		return status;
	if (now.token != token)
		return sb_fail(
			err, STEPBUS_ESTALE,
			"token %lld is not the newest of the step (%lld): its lease was lost",
			(long long)token, (long long)now.token);
	return sb_fail(err, STEPBUS_EALREADY, "this attempt has ended: the step is %s now",
		       sb_step_state_name((int)now.state));
}

stepbus_status sb_settle_unpark(stepbus *engine, sb_store *store, int64_t concurrency_key,
				stepbus_error *err)
{
	const sb_scan scan = { .kind = SB_SCAN_PARKED, .park_key = concurrency_key };
	sb_step_status parked, ready;
	bool is_done;
	size_t count = 0;
	stepbus_status status;

	if (concurrency_key == 0)
		return STEPBUS_OK;
	status = store->type->step_scan(store, &scan, &parked, 1, &count, err);
	if (status != STEPBUS_OK || count == 0)
		return status;
	ready = parked;
	ready.state = SB_STEP_READY;
	ready.park_key = 0;
	ready.changed_at_us = sb_engine_now_us(engine);
	sb_engine_note_state(engine, &ready);
	return sb_settle_move(store, SB_STEP_RELEASE, &parked, &ready, &is_done, err);
}

stepbus_status sb_settle_unpark_behind(stepbus *engine, sb_store *store,
				       const sb_step_status *before, stepbus_error *err)
{
	/* One that is parked for its key has no place to give. */
	if (before->state == SB_STEP_PARKED && before->park_key < 0)
		return STEPBUS_OK;
	return sb_settle_unpark(engine, store, before->concurrency_key, err);
}

/* Where the step stands, and what it says of retries. */
static stepbus_status find_before(sb_settlement *s, sb_store *store, sb_retry_policy *retry,
				  stepbus_error *err)
{
	sb_step_row row;
	stepbus_status status;

	if (s->claimed != NULL) {
		s->before = s->claimed->status;
		*retry = s->claimed->retry;
		return STEPBUS_OK;
	}
	status = store->type->step_status_read(store, s->id, &s->before, err);
	if (status == STEPBUS_OK && (s->before.state != SB_STEP_RUNNING ||
				     (uint64_t)s->before.token != s->completion.token))
		return sb_settle_explain(store, s->id, (int64_t)s->completion.token, err);
	if (status == STEPBUS_OK && s->refusal != STEPBUS_OK)
		return sb_fail(err, s->refusal, "the attempt was ended before it was completed");
	if (status == STEPBUS_OK)
		status = store->type->step_row_read(store, s->id, &row, err);
	if (status == STEPBUS_OK)
		*retry =
			(sb_retry_policy){ row.retry_kind, row.attempt_count_max, row.retry_base_us,
					   row.retry_cap_us, row.jitter_percent };
	if (status == STEPBUS_OK)
		status = sb_policy_of_handler(s->engine, store, s->before.handler_id,
					      &s->handler_retry, err);
	return status;
}

static int64_t later(int64_t time_us, int64_t delay_us)
{
	return delay_us > INT64_MAX - time_us ? INT64_MAX : time_us + delay_us;
}

static int64_t us_of_ms(int64_t time_ms)
{
	return time_ms > INT64_MAX / 1000 ? INT64_MAX : time_ms * 1000;
}

/* Makes a step wait, or ready where there is nothing to wait for. */
static void schedule(sb_step_status *after, int64_t now_us, int64_t delay_us)
{
	after->state = delay_us > 0 ? SB_STEP_SCHEDULED : SB_STEP_READY;
	after->due_at_us = delay_us > 0 ? later(now_us, delay_us) : 0;
}

static void end(sb_step_status *after, sb_step_state state)
{
	after->state = state;
	after->deadline_at_us = 0;
}

static sb_step_event decide_failure(sb_settlement *s, const sb_retry_policy *own, int64_t now_us)
{
	const stepbus_completion *c = &s->completion;
	const sb_retry_policy policy =
		sb_retry_policy_resolve(own, &s->handler_retry, &s->engine->options.retry);
	const sb_retry_failure failure = {
		.random = sb_engine_random(s->engine),
		.retry_after_us = c->retry_after_ms < 0 ? -1 : us_of_ms(c->retry_after_ms),
		.attempt_count = s->before.attempt_count,
		.is_retryable = c->is_retryable != 0,
	};

	s->attempt_count_max = policy.attempt_count_max;
	sb_retry_decide(&policy, &failure, &s->decision);
	if (!s->decision.is_retried) {
		end(&s->after, SB_STEP_FAILED);
		return SB_STEP_FAIL;
	}
	schedule(&s->after, now_us, s->decision.delay_us);
	return SB_STEP_RETRY;
}

/* What the outcome means for the step. */
static sb_step_event decide(sb_settlement *s, const sb_retry_policy *own, int64_t now_us)
{
	const stepbus_completion *c = &s->completion;
	int64_t delay_us = 0;

	s->after = s->before;
	s->after.changed_at_us = now_us;
	s->after.execution_us = c->execution_time_us;
	s->decision = (sb_retry_decision){ 0 };
	if (c->outcome == STEPBUS_OUTCOME_SUCCESS) {
		end(&s->after, SB_STEP_COMPLETED);
		/* What is done does not go on from anywhere. */
		s->after.checkpoint_count = 0;
		return SB_STEP_SUCCEED;
	}
	if (c->outcome == STEPBUS_OUTCOME_FAILURE)
		return decide_failure(s, own, now_us);
	/* What is put off is no attempt. */
	s->after.attempt_count -= s->after.attempt_count > 0;
	if (c->outcome == STEPBUS_OUTCOME_CHECKPOINT)
		s->after.checkpoint_count += s->after.checkpoint_count < UINT32_MAX;
	if (c->outcome == STEPBUS_OUTCOME_SNOOZE && c->retry_after_ms > 0)
		delay_us = us_of_ms(c->retry_after_ms);
	schedule(&s->after, now_us, delay_us);
	return SB_STEP_GIVE_BACK;
}

static stepbus_status put_attempt(const sb_settlement *s, sb_store *store, int64_t now_us,
				  stepbus_error *err)
{
	const stepbus_completion *c = &s->completion;
	const sb_attempt_row row = {
		.step_id = s->id,
		.token = s->before.token,
		.worker_id = s->before.worker_id,
		.started_at_us = now_us - c->execution_time_us,
		.finished_at_us = now_us,
		.execution_us = c->execution_time_us,
		.retry_at_us = s->after.state == SB_STEP_SCHEDULED ? s->after.due_at_us :
			       s->after.state == SB_STEP_READY     ? now_us :
								     0,
		.number = s->before.attempt_count,
		.outcome = s->attempt_outcome,
		.is_retryable = c->is_retryable != 0,
		.error_type = sb_slice_of(c->error_type, c->error_type_len),
		.message = sb_slice_of(c->error_message, c->error_message_len),
		.error_code = sb_slice_of(c->error_code, c->error_code_len),
		.backtrace = sb_slice_of(c->backtrace, c->backtrace_len),
		.metadata = sb_slice_of(c->metadata, c->metadata_len),
	};

	return store->type->attempt_put(store, &row, err);
}

static stepbus_status put_result(const sb_settlement *s, sb_store *store, stepbus_error *err)
{
	const stepbus_completion *c = &s->completion;
	const sb_result_row row = {
		.step_id = s->id,
		.bytes = sb_slice_of(c->result, c->result_len),
		.content_type = sb_slice_of(c->content_type, c->content_type_len),
		.metadata = sb_slice_of(c->metadata, c->metadata_len),
	};

	if (row.bytes.len == 0 && row.metadata.len == 0 && is_default_content_type(c))
		return STEPBUS_OK;
	return store->type->result_put(store, &row, err);
}

/* The last one is enough: a step that makes one each second must not leave a row each second. */
static stepbus_status put_checkpoint(const sb_settlement *s, sb_store *store, int64_t now_us,
				     stepbus_error *err)
{
	const stepbus_completion *c = &s->completion;
	const sb_checkpoint_row row = {
		.step_id = s->id,
		.token = s->before.token,
		.at_us = now_us,
		.items_processed = (int64_t)c->items_processed,
		.cursor = sb_slice_of(c->cursor, c->cursor_len),
		.partial_result = sb_slice_of(c->result, c->result_len),
	};

	return store->type->checkpoint_put(store, &row, err);
}

/* What is kept of an attempt beside the step itself; of one that was not begun, nothing. */
static stepbus_status put_record(const sb_settlement *s, sb_store *store, stepbus_error *err)
{
	int64_t now_us = s->after.changed_at_us;
	stepbus_status status = STEPBUS_OK;

	switch (s->completion.outcome) {
	case STEPBUS_OUTCOME_SUCCESS:
		if (s->before.checkpoint_count > 0)
			status = store->type->checkpoint_delete(store, s->id, err);
		return status == STEPBUS_OK ? put_result(s, store, err) : status;
	case STEPBUS_OUTCOME_CHECKPOINT:
		return put_checkpoint(s, store, now_us, err);
	case STEPBUS_OUTCOME_RELEASE:
		return STEPBUS_OK;
	default:
		return put_attempt(s, store, now_us, err);
	}
}

stepbus_status sb_settle_run(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	sb_settlement *s =
		(sb_settlement *)(void *)((char *)operation - offsetof(sb_settlement, operation));
	int64_t now_us = sb_engine_now_us(s->engine);
	sb_retry_policy own = { 0 };
	bool is_done = false;
	sb_step_event event;
	stepbus_status status = find_before(s, store, &own, err);

	if (status != STEPBUS_OK)
		return status;
	event = decide(s, &own, now_us);
	status = sb_settle_move(store, event, &s->before, &s->after, &is_done, err);
	if (status == STEPBUS_OK && !is_done)
		return sb_settle_explain(store, s->id, (int64_t)s->completion.token, err);
	if (status == STEPBUS_OK)
		status = put_record(s, store, err);
	if (status == STEPBUS_OK)
		status = sb_settle_unpark(s->engine, store, s->before.concurrency_key, err);
	if (status == STEPBUS_OK)
		sb_engine_note_state(s->engine, &s->after);
	return status;
}

/* An attempt that was lost: what follows. */
static sb_step_event decide_loss(stepbus *engine, const sb_retry_policy *policy,
				 const sb_loss *loss, sb_step_status *after, int64_t now_us)
{
	const sb_retry_failure failure = { .random = sb_engine_random(engine),
					   .retry_after_us = -1,
					   .attempt_count = after->attempt_count,
					   .is_retryable = true };
	sb_retry_decision decision;

	if (!loss->was_ended && ++after->crash_count >= engine->options.crash_count_max) {
		end(after, SB_STEP_QUARANTINED);
		return SB_STEP_QUARANTINE;
	}
	sb_retry_decide(policy, &failure, &decision);
	if (!decision.is_retried) {
		end(after, SB_STEP_FAILED);
		return SB_STEP_FAIL;
	}
	schedule(after, now_us, decision.delay_us);
	return SB_STEP_RETRY;
}

static stepbus_status put_loss(sb_store *store, const sb_step_status *status, const sb_loss *loss,
			       const sb_step_status *after, stepbus_error *err)
{
	size_t len = loss->evidence.len > EVIDENCE_LEN_MAX ? EVIDENCE_LEN_MAX : loss->evidence.len;
	const sb_attempt_row row = {
		.step_id = status->id,
		.token = status->token,
		.worker_id = status->worker_id,
		.started_at_us = status->changed_at_us,
		.finished_at_us = after->changed_at_us,
		.number = status->attempt_count,
		.outcome = SB_ATTEMPT_LOST,
		.is_retryable = true,
		.retry_at_us = after->state == SB_STEP_SCHEDULED ? after->due_at_us :
			       after->state == SB_STEP_READY     ? after->changed_at_us :
								   0,
		.error_type = sb_slice_z("worker_lost"),
		.message = sb_slice_of(loss->evidence.data, len),
	};

	return store->type->attempt_put(store, &row, err);
}

/* What the step says, its handler where it is known here, and the configuration. */
static stepbus_status find_policy(stepbus *engine, sb_store *store, const sb_step_status *status,
				  sb_retry_policy *out, stepbus_error *err)
{
	sb_retry_policy own, handler;
	sb_step_row row;
	stepbus_status answer = store->type->step_row_read(store, status->id, &row, err);

	if (answer != STEPBUS_OK)
		return answer;
	own = (sb_retry_policy){ row.retry_kind, row.attempt_count_max, row.retry_base_us,
				 row.retry_cap_us, row.jitter_percent };
	answer = sb_policy_of_handler(engine, store, status->handler_id, &handler, err);
	*out = sb_retry_policy_resolve(&own, &handler, &engine->options.retry);
	return answer;
}

stepbus_status sb_settle_loss(stepbus *engine, sb_store *store, const sb_step_status *status,
			      const sb_loss *loss, sb_step_status *after, stepbus_error *err)
{
	int64_t now_us = sb_engine_now_us(engine);
	sb_step_event event = SB_STEP_GIVE_BACK;
	bool is_done = false;
	sb_retry_policy policy;
	stepbus_status answer;

	*after = *status;
	after->changed_at_us = now_us;
	if (loss->was_started) {
		answer = find_policy(engine, store, status, &policy, err);
		if (answer != STEPBUS_OK)
			return answer;
		event = decide_loss(engine, &policy, loss, after, now_us);
	} else {
		/* Its handler never saw it: no attempt was made. */
		after->state = SB_STEP_READY;
		after->attempt_count -= after->attempt_count > 0;
	}
	answer = sb_settle_move(store, event, status, after, &is_done, err);
	if (answer != STEPBUS_OK || !is_done)
		return answer;
	sb_engine_note_state(engine, after);
	if (loss->was_started)
		answer = put_loss(store, status, loss, after, err);
	if (answer == STEPBUS_OK)
		answer = sb_settle_unpark(engine, store, status->concurrency_key, err);
	return answer;
}
