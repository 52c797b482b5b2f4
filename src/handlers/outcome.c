/* SPDX-License-Identifier: MIT */
#include "handlers/outcome.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char content_type_default[] = "application/json";

static const int64_t look_every_ns = 100000000;

/* One wait for one step. */
typedef struct wait {
	stepbus *engine;
	int64_t id;
	int64_t started_ns;
	int64_t timeout_ms;
	sb_step_state state; /* as it was seen last */
	stepbus_outcome *outcome;
	bool is_out_of_memory;
} wait;

/* A text of the view on its way into the block; the first pass only counts. */
typedef struct packing {
	char *at;
	size_t len;
} packing;

static const char *pack(packing *p, sb_slice text, size_t *len)
{
	char *copy = p->at;

	p->len += text.len;
	*len = text.len;
	if (copy == NULL || text.len == 0)
		return NULL;
	memcpy(copy, text.data, text.len);
	p->at += text.len;
	return copy;
}

static void pack_result(packing *p, const sb_step_view *view, stepbus_completion *c)
{
	const sb_result_row *result = &view->result;
	bool has_type = view->has_result && result->content_type.len > 0;

	c->content_type = content_type_default;
	c->content_type_len = sizeof content_type_default - 1;
	if (!view->has_result)
		return;
	c->result = pack(p, result->bytes, &c->result_len);
	c->metadata = pack(p, result->metadata, &c->metadata_len);
	if (has_type)
		c->content_type = pack(p, result->content_type, &c->content_type_len);
}

static void pack_error(packing *p, const sb_attempt_row *error, stepbus_completion *c)
{
	c->is_retryable = error->is_retryable;
	c->error_type = pack(p, error->error_type, &c->error_type_len);
	c->error_message = pack(p, error->message, &c->error_message_len);
	c->error_code = pack(p, error->error_code, &c->error_code_len);
	c->backtrace = pack(p, error->backtrace, &c->backtrace_len);
	c->metadata = pack(p, error->metadata, &c->metadata_len);
}

static void pack_names(packing *p, const sb_step_view *view, stepbus_completion *c)
{
	c->correlation_id = pack(p, view->row.correlation_id, &c->correlation_id_len);
	c->handler_name = pack(p, view->handler.name, &c->handler_name_len);
	c->handler_version = pack(p, view->handler.version, &c->handler_version_len);
	c->worker_id = pack(p, view->worker, &c->worker_id_len);
}

static int32_t outcome_of(sb_step_state state)
{
	if (state == SB_STEP_COMPLETED)
		return STEPBUS_OUTCOME_SUCCESS;
	if (state == SB_STEP_CANCELLED)
		return STEPBUS_OUTCOME_CANCELLED;
	return state == SB_STEP_QUARANTINED ? STEPBUS_OUTCOME_QUARANTINED : STEPBUS_OUTCOME_FAILURE;
}

/* Of a cancelled step, errors of attempts that were made before say nothing about its end. */
static bool is_error_its_end(const sb_step_view *view)
{
	return view->has_error && view->status.state != SB_STEP_COMPLETED &&
	       (view->status.state != SB_STEP_CANCELLED ||
		view->error.outcome == SB_ATTEMPT_CANCELLED);
}

static void fill(packing *p, const sb_step_view *view, stepbus_completion *c)
{
	*c = (stepbus_completion){ .size = sizeof *c,
				   .outcome = outcome_of(view->status.state),
				   .token = (uint64_t)view->status.token,
				   .execution_time_us = view->status.execution_us,
				   .retry_after_ms = -1 };
	pack_names(p, view, c);
	if (view->status.state == SB_STEP_COMPLETED)
		pack_result(p, view, c);
	else if (is_error_its_end(view))
		pack_error(p, &view->error, c);
}

static bool visit(void *context, const sb_step_view *view)
{
	wait *w = context;
	const stepbus_host *host = &w->engine->host;
	stepbus_completion measured;
	packing p = { 0 };

	w->state = view->status.state;
	if (!sb_step_state_is_final(view->status.state))
		return false;
	fill(&p, view, &measured);
	w->outcome = sb_alloc(host, sizeof *w->outcome + p.len);
	w->is_out_of_memory = w->outcome == NULL;
	if (w->outcome == NULL)
		return false;
	w->outcome->host = *host;
	p.at = w->outcome->texts;
	fill(&p, view, &w->outcome->completion);
	sb_id_of_row(w->id, w->engine->store->tag, w->outcome->completion.step_id);
	return false;
}

static stepbus_status look(wait *w, stepbus_error *err)
{
	sb_store *store = w->engine->store;
	stepbus_status status = store->type->step_view(store, w->id, visit, w, err);

	if (status == STEPBUS_ENOTFOUND)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "there is no such step: it may have been removed by retention");
	if (status == STEPBUS_OK && w->is_out_of_memory)
		return sb_fail_memory(err, "tell what a step ended with");
	return status;
}

/*
 * How long to sleep until the next look; 0: the time is over. By real time, as all waits of a host: a clock
 * that was lent may stand still.
 */
static int64_t rest_ns(const wait *w)
{
	int64_t gone_ns = sb_clock_system_elapsed_ns(NULL) - w->started_ns;
	int64_t left_ns;

	if (w->timeout_ms < 0 || w->timeout_ms > INT64_MAX / 1000000)
		return look_every_ns;
	left_ns = w->timeout_ms * 1000000 - gone_ns;
	if (left_ns <= 0)
		return 0;
	return left_ns < look_every_ns ? left_ns : look_every_ns;
}

/* Until more steps are final than there were, or for a while. */
static void sleep_on(stepbus *engine, uint32_t seen, int64_t time_ns)
{
	const struct timespec time = { .tv_nsec = (long)time_ns };

	(void)syscall(SYS_futex, &engine->final_count, FUTEX_WAIT_PRIVATE, seen, &time, NULL, 0);
}

static stepbus_status wait_for(wait *w, stepbus_error *err)
{
	for (;;) {
		/* Read before the look: what becomes final behind it raises the count. */
		uint32_t seen = atomic_load(&w->engine->final_count);
		stepbus_status status = look(w, err);
		int64_t time_ns;

		if (status != STEPBUS_OK || w->outcome != NULL)
			return status;
		time_ns = rest_ns(w);
		if (time_ns == 0)
			return sb_fail(err, STEPBUS_ETIMEDOUT, "the step is still %s",
				       sb_step_state_name((int)w->state));
		sleep_on(w->engine, seen, time_ns);
		status = sb_engine_check(w->engine, true, err);
		if (status != STEPBUS_OK)
			return status;
	}
}

stepbus_status sb_outcome_await(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				int64_t timeout_ms, stepbus_outcome **out, stepbus_error *err)
{
	wait w = { .engine = engine,
		   .id = sb_id_to_row(step_id, engine->store->tag),
		   .started_ns = sb_clock_system_elapsed_ns(NULL),
		   .timeout_ms = timeout_ms };
	stepbus_status status;

	if (w.id == 0)
		return sb_fail(err, STEPBUS_ENOTFOUND, "the step id is none of this store");
	atomic_fetch_add(&engine->awaiting_count, 1);
	status = wait_for(&w, err);
	atomic_fetch_sub(&engine->awaiting_count, 1);
	if (status == STEPBUS_OK)
		*out = w.outcome;
	return status;
}

void sb_outcome_free(stepbus_outcome *outcome)
{
	stepbus_host host;

	if (outcome == NULL)
		return;
	host = outcome->host;
	sb_release(&host, outcome);
}
