/* SPDX-License-Identifier: MIT */
#include "handlers/submit.h"

#include <stddef.h>

#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "base/words.h"
#include "handlers/clockwork.h"
#include "handlers/news.h"
#include "handlers/policy.h"
#include "handlers/worker.h"

enum { AGAIN_MIN_NS = 5000000 };

static sb_settlement *settlement_of(sb_operation *operation)
{
	return (sb_settlement *)(void *)((char *)operation - offsetof(sb_settlement, operation));
}

static sb_claimed *find_claimed(stepbus *engine, const stepbus_step_event *step)
{
	const sb_claimed_key key = { sb_id_to_row(step->step_id, engine->store->tag),
				     (int64_t)step->token };
	sb_claimed_table *table = &engine->claimed;
	sb_claimed *found;

	pthread_mutex_lock(&table->lock);
	found = (sb_claimed *)(void *)sb_map_find(&table->by_key, &key, sizeof key);
	/* The event of a host's own making may name the same step: it is not this attempt. */
	if (found != NULL && &found->event != step)
		found = NULL;
	pthread_mutex_unlock(&table->lock);
	return found;
}

bool sb_submit_win(sb_claimed *claimed, sb_claimed_phase phase)
{
	uint32_t running = SB_CLAIMED_RUNNING;

	return atomic_compare_exchange_strong(&claimed->phase, &running, (uint32_t)phase);
}

void sb_submit_count(const sb_settlement *s)
{
	stepbus_worker *worker = s->claimed->worker;

	if (s->completion.outcome == STEPBUS_OUTCOME_SUCCESS)
		atomic_fetch_add_explicit(&worker->completed_count, 1, memory_order_relaxed);
	else if (s->completion.outcome == STEPBUS_OUTCOME_FAILURE)
		atomic_fetch_add_explicit(&worker->failed_count, 1, memory_order_relaxed);
}

static void dispose(sb_notice *notice)
{
	sb_settlement *s =
		(sb_settlement *)(void *)((char *)notice - offsetof(sb_settlement, notice));

	sb_claimed_unref(&s->engine->host, s->claimed);
}

static void tell_refusal(sb_notice *notice, stepbus_bridge *bridge)
{
	const sb_settlement *s =
		(const sb_settlement *)(const void *)((const char *)notice -
						      offsetof(sb_settlement, notice));
	stepbus_error text = STEPBUS_ERROR_INIT;
	char id[SB_ID_TEXT_LEN + 1];

	(void)bridge;
	sb_fail(&text, s->operation.status, "%s: %s", sb_status_name(s->operation.status),
		s->operation.err.message);
	sb_id_format(s->claimed->event.step_id, id);
	sb_log(&s->engine->host, &(sb_log_record){ .level = STEPBUS_LOG_WARN,
						   .component = "engine",
						   .message = text.message,
						   .event_type = "completion_refused",
						   .entity_type = "step",
						   .entity_id = sb_slice_z(id) });
}

/*
 * Whatever keeps the result out of the store may pass, and while nobody else can have the step, to
 * let go of the result would leave the step claimed and forgotten. A worker that is being stopped
 * waits for it only as long as it holds the lease, and no longer than one lease takes: a store that
 * takes heartbeats, but not this result, would keep it from ending for good. A dead store takes nothing
 * any more: others have the step when the lease is over, and it need not be waited for.
 */
static bool is_worth_waiting(sb_settlement *s)
{
	const stepbus_worker *worker = s->claimed->worker;
	const stepbus *engine = s->engine;
	int64_t now_ns, since_ns;

	if (sb_writer_is_refusal(s->operation.status) ||
	    engine->store->type->is_dead(engine->store))
		return false;
	now_ns = sb_clock_elapsed_ns(&engine->host);
	if (s->failing_since_ns == 0)
		s->failing_since_ns = now_ns;
	if (atomic_load(&worker->is_claiming) != 0)
		return true;
	since_ns = atomic_load(&worker->stopping_since_ns);
	if (since_ns < s->failing_since_ns)
		since_ns = s->failing_since_ns;
	return now_ns < atomic_load(&worker->lease_until_ns) &&
	       now_ns - since_ns < engine->options.lease_ms * 1000000;
}

/*
 * Soon at first, since most of what fails passes at once; then more and more rarely, by how long it
 * has been failing itself: that others are kept meanwhile says nothing about it.
 */
static void put_off(stepbus *engine, sb_settlement *s)
{
	int64_t now_ns = sb_clock_elapsed_ns(&engine->host);
	int64_t wait_max_ns = engine->options.poll_ms * 1000000;
	int64_t wait_ns = now_ns - s->failing_since_ns;

	if (wait_ns < AGAIN_MIN_NS)
		wait_ns = AGAIN_MIN_NS;
	if (wait_ns > wait_max_ns)
		wait_ns = wait_max_ns;
	s->operation.next = engine->again;
	engine->again = &s->operation;
	/* All that wait then are tried again together. */
	sb_clockwork_try_again(engine->clockwork, now_ns + wait_ns);
}

/* By the leader, behind the transaction. */
static void settled(sb_operation *operation)
{
	sb_settlement *s = settlement_of(operation);
	stepbus *engine = s->engine;
	bool is_kept = operation->status == STEPBUS_OK;

	if (!is_kept && is_worth_waiting(s)) {
		put_off(engine, s);
		return;
	}
	if (is_kept)
		sb_submit_count(s);
	/* What was noted of its start stays: whoever takes the step over must not think it never ran. */
	if (!is_kept && !sb_writer_is_refusal(operation->status))
		s->claimed->start_slot = UINT32_MAX;
	sb_worker_release(s->claimed->worker, s->claimed);
	s->notice.dispose = dispose;
	s->notice.tell = is_kept ? sb_news_tell_settled : tell_refusal;
	if (!is_kept || sb_news_is_settlement_heard(s))
		sb_engine_add_notice(engine, &s->notice);
	else
		dispose(&s->notice);
}

void sb_submit_again(stepbus *engine)
{
	sb_operation *first;

	sb_writer_lead(&engine->writer);
	first = engine->again;
	engine->again = NULL;
	sb_writer_yield(&engine->writer);
	for (sb_operation *next; first != NULL; first = next) {
		next = first->next;
		sb_writer_submit(&engine->writer, first);
	}
}

/*
 * While other steps wait for a thread, the writer's own thread writes; the last one in a row writes
 * itself, which saves it two changes of thread.
 */
static void send(sb_claimed *claimed)
{
	stepbus_worker *worker = claimed->worker;
	sb_writer *writer = &worker->engine->writer;

	claimed->settlement.operation.done = settled;
	if (atomic_load_explicit(&worker->queued_count, memory_order_relaxed) == 0 &&
	    atomic_load_explicit(&worker->running_count, memory_order_relaxed) <= 1)
		sb_writer_offer(writer, &claimed->settlement.operation);
	else
		sb_writer_submit(writer, &claimed->settlement.operation);
}

void sb_submit_prepare(sb_claimed *claimed)
{
	sb_settlement *s = &claimed->settlement;

	s->engine = claimed->worker->engine;
	s->claimed = claimed;
	s->id = claimed->status.id;
	s->failing_since_ns = 0;
}

static void fill_plainly(sb_claimed *claimed, const sb_submit_failure *failure)
{
	int64_t now_ns = sb_clock_elapsed_ns(&claimed->worker->engine->host);
	int64_t started_ns = atomic_load(&claimed->started_ns);
	const stepbus_completion completion = {
		.size = sizeof completion,
		.outcome = STEPBUS_OUTCOME_FAILURE,
		.token = claimed->event.token,
		.retry_after_ms = -1,
		.is_retryable = failure->is_retryable,
		.execution_time_us = started_ns == 0 ? 0 : (now_ns - started_ns) / 1000,
	};
	sb_settlement *s = &claimed->settlement;

	/* Nothing is copied but what has no length, so this cannot fail. */
	sb_settlement_fill(s, &claimed->worker->engine->host, &completion, NULL);
	memcpy(s->completion.step_id, claimed->event.step_id, sizeof s->completion.step_id);
	s->completion.error_type = failure->error_type;
	s->completion.error_type_len = strlen(failure->error_type);
	s->completion.error_message = failure->message;
	s->completion.error_message_len = strlen(failure->message);
	s->completion.worker_id = claimed->worker->options.name.data;
	s->completion.worker_id_len = claimed->worker->options.name.len;
	s->attempt_outcome = failure->attempt_outcome;
}

static void submit(sb_claimed *claimed)
{
	claimed->settlement.operation.done = settled;
	sb_writer_submit(&claimed->worker->engine->writer, &claimed->settlement.operation);
}

bool sb_submit_failure_of(sb_claimed *claimed, const sb_submit_failure *failure)
{
	bool is_news = false;

	if (!sb_submit_win(claimed, failure->interruption == STEPBUS_ETIMEDOUT ?
					    SB_CLAIMED_OVERDUE :
					    SB_CLAIMED_SETTLING))
		return false;
	/* Behind that: who has heard that the result will be refused must not see it accepted. */
	if (failure->interruption != STEPBUS_OK)
		is_news = sb_claimed_interrupt(claimed, failure->interruption);
	sb_submit_prepare(claimed);
	fill_plainly(claimed, failure);
	if (is_news && atomic_load(&claimed->is_polled) != 0)
		sb_wake_alert(&claimed->worker->wake);
	submit(claimed);
	return true;
}

static const sb_submit_failure no_memory = {
	.error_type = "out_of_memory",
	.message = "memory ran out while the result of the step was taken in",
	.is_retryable = true,
	.attempt_outcome = SB_ATTEMPT_FAILURE,
};

static stepbus_status answer_late(const sb_claimed *claimed, stepbus_error *err)
{
	return sb_fail(err, sb_claimed_refusal(claimed),
		       "the attempt was ended before its handler returned");
}

static stepbus_status take(void *context, const stepbus_step_event *step,
			   const stepbus_completion *completion, stepbus_error *err)
{
	static const sb_submit_failure too_large = {
		.error_type = "result_too_large",
		.message = "the result, or the cursor, has more bytes than payload_len_max allows",
		.attempt_outcome = SB_ATTEMPT_FAILURE,
	};
	stepbus *engine = context;
	sb_claimed *claimed = find_claimed(engine, step);
	sb_settlement *s;

	if (claimed == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "no worker of this engine has claimed the step: it may be settled");
	claimed->is_settled = true;
	if (!sb_submit_win(claimed, SB_CLAIMED_SETTLING))
		return answer_late(claimed, err);
	sb_start_log_mark(claimed->worker->start_log, claimed->start_slot, SB_START_ENDED);
	sb_submit_prepare(claimed);
	s = &claimed->settlement;
	if (completion->result_len > engine->options.payload_len_max ||
	    completion->cursor_len > engine->options.payload_len_max)
		fill_plainly(claimed, &too_large);
	else if (sb_settlement_fill(s, &engine->host, completion, NULL) != STEPBUS_OK)
		fill_plainly(claimed, &no_memory);
	s->completion.worker_id = claimed->worker->options.name.data;
	s->completion.worker_id_len = claimed->worker->options.name.len;
	send(claimed);
	return STEPBUS_OK;
}

static bool is_queue_permitted(const stepbus_handler_spec *spec, sb_slice queue)
{
	return spec->permitted_queues_len == 0 ||
	       sb_words_has(sb_slice_of(spec->permitted_queues, spec->permitted_queues_len), queue);
}

void sb_submit_refuse(sb_claimed *claimed, const sb_submit_failure *failure)
{
	sb_settlement *s = &claimed->settlement;
	stepbus_completion completion;

	if (!sb_submit_win(claimed, SB_CLAIMED_SETTLING))
		return;
	sb_start_log_mark(claimed->worker->start_log, claimed->start_slot, SB_START_ENDED);
	sb_submit_prepare(claimed);
	fill_plainly(claimed, failure);
	completion = s->completion;
	if (sb_settlement_fill(s, &claimed->worker->engine->host, &completion, NULL) != STEPBUS_OK)
		fill_plainly(claimed, &no_memory);
	s->completion.worker_id = completion.worker_id;
	s->completion.worker_id_len = completion.worker_id_len;
	submit(claimed);
}

/* How often it may be tried was not known without the handler. */
static void tell_max_retries(sb_claimed *claimed)
{
	const sb_retry_policy policy =
		sb_retry_policy_resolve(&claimed->retry, &claimed->settlement.handler_retry,
					&claimed->worker->engine->options.retry);

	claimed->event.max_retries =
		policy.attempt_count_max > 0 ? policy.attempt_count_max - 1 : 0;
}

stepbus_status sb_submit_begin(sb_claimed *claimed, const stepbus_handler_spec *spec,
			       stepbus_error *err)
{
	sb_clockwork *clockwork = claimed->worker->engine->clockwork;
	int64_t timeout_us;

	if (!is_queue_permitted(spec, claimed->queue))
		return sb_fail(err, STEPBUS_EINVAL, "handler '%s' may not run steps of this queue",
			       spec->name);
	claimed->settlement.handler_retry = sb_policy_of_spec(spec);
	tell_max_retries(claimed);
	timeout_us = claimed->attempt_timeout_us > 0 ? claimed->attempt_timeout_us :
						       spec->attempt_timeout_ms * 1000;
	claimed->event.attempt_timeout_ms = timeout_us / 1000;
	if (timeout_us > 0 && timeout_us < INT64_MAX / 2000) {
		atomic_store(&claimed->deadline_ns,
			     atomic_load(&claimed->started_ns) + timeout_us * 1000);
		sb_clockwork_expect(clockwork, atomic_load(&claimed->deadline_ns));
	}
	return STEPBUS_OK;
}

/* The handler is found and about to be called: from now on its timeouts and policy are known. */
static stepbus_status begin(void *context, const stepbus_step_event *step,
			    const stepbus_handler_spec *spec, stepbus_context *handler_context,
			    stepbus_error *err)
{
	sb_claimed *claimed = find_claimed(context, step);

	if (claimed == NULL)
		return STEPBUS_OK;
	handler_context->interruption = &claimed->interruption;
	return sb_submit_begin(claimed, spec, err);
}

sb_completion_door sb_submit_door(stepbus *engine)
{
	return (sb_completion_door){
		.submit = take, .begin = begin, .context = engine, .publishes = true
	};
}
