/* SPDX-License-Identifier: MIT */
/* Workers of both kinds: those with a pool, and those that a host polls. */
#include <poll.h>
#include <string.h>

#include "torture/famine/world.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

enum { FEW = 3, AWAIT_MS = 10, POLL_MS = 2, ROUND_MAX = 2000, DAY_MS = 86400000, LEASE_MS = 5000 };

static stepbus_status start_worker(famine_world *w, const char *config)
{
	stepbus_worker *worker = NULL;
	stepbus_status status = famine_start_worker(w, config, &worker);

	if (status == STEPBUS_OK)
		status = stepbus_worker_stop(worker, 5000, NULL, &w->err);
	stepbus_worker_free(worker);
	return status;
}

static stepbus_status start_pool(famine_world *w)
{
	return start_worker(w, "{\"id\":\"w-1\",\"queues\":[\"default\",\"mail\"],"
			       "\"capabilities\":[\"gpu\"],\"pool_size\":3}");
}

static stepbus_status start_puller(famine_world *w)
{
	return start_worker(w, "{\"pull\":true,\"strategy\":\"fifo\"}");
}

/* The step may still be under way when the wait is over, above all without memory. */
static stepbus_status run(famine_world *w, const char *handler)
{
	const stepbus_step_spec spec = famine_spec(handler, "input");
	stepbus_outcome *outcome = NULL;
	stepbus_status status;

	FAMINE_TRY(famine_put(w, &spec));
	status = stepbus_step_await(w->engine, w->step_id, AWAIT_MS, &outcome, &w->err);
	stepbus_outcome_free(outcome);
	return status == STEPBUS_ETIMEDOUT ? STEPBUS_OK : status;
}

static stepbus_status run_echo(famine_world *w)
{
	return run(w, "echo");
}

static stepbus_status run_to_failure(famine_world *w)
{
	return run(w, "fail");
}

static stepbus_status run_to_snooze(famine_world *w)
{
	return run(w, "snooze");
}

static stepbus_status run_to_checkpoint(famine_world *w)
{
	return run(w, "checkpoint");
}

/* What time does to steps: one that is due later becomes due without memory. */
static stepbus_status let_time_pass(famine_world *w)
{
	stepbus_outcome *outcome = NULL;
	stepbus_status status;

	FAMINE_TRY(famine_pass(w, 5000));
	status = stepbus_step_await(w->engine, w->step_id, AWAIT_MS, &outcome, &w->err);
	stepbus_outcome_free(outcome);
	return status == STEPBUS_ETIMEDOUT ? STEPBUS_OK : status;
}

static void have_scheduled(famine_world *w)
{
	stepbus_step_spec spec = famine_spec("echo", "input");

	spec.delay_ms = 1000;
	if (famine_put(w, &spec) != STEPBUS_OK)
		famine_breach(w, "no step: %s", w->err.message);
}

static void have_cron(famine_world *w)
{
	w->extra_max = 1;
	if (stepbus_cron_set(
		    w->engine,
		    STEPBUS_TEXT("{\"name\":\"daily\",\"expression\":\"@daily\",\"step\":{"
				 "\"handler\":\"echo\",\"tags\":[\"t\"],\"input\":{\"a\":1}}}"),
		    &w->err) != STEPBUS_OK)
		famine_breach(w, "no cron entry: %s", w->err.message);
}

static stepbus_status let_cron_fire(famine_world *w)
{
	return w->turn == 1 ? famine_pass(w, DAY_MS) : stepbus_engine_wake(w->engine, &w->err);
}

/* The next look at the clock makes up for the one without memory. */
static void cron_has_fired(famine_world *w)
{
	uint64_t count = 0;

	for (int round = 0; round < ROUND_MAX && count == 0; round++) {
		(void)famine_pass(w, 100);
		(void)poll(NULL, 0, POLL_MS);
		if (stepbus_step_count(w->engine, STEPBUS_TEXT("{\"state\":\"completed\"}"), &count,
				       &w->err) != STEPBUS_OK)
			famine_breach(w, "steps cannot be counted: %s", w->err.message);
	}
	if (count != 1)
		famine_breach(w, "a cron entry fired %llu times", (unsigned long long)count);
}

static const famine_scenario worker[] = {
	{ "start and stop a worker", FAMINE_ENGINE, 0, start_pool, NULL, NULL },
	{ "start and stop a pull worker", FAMINE_ENGINE, 0, start_puller, NULL, NULL },
	{ "run a step", FAMINE_ENGINE | FAMINE_WORKER | FAMINE_SETTLES, 0, run_echo, NULL, NULL },
	{ "run a step that fails", FAMINE_ENGINE | FAMINE_WORKER | FAMINE_SETTLES, 0,
	  run_to_failure, NULL, NULL },
	{ "run a step that snoozes", FAMINE_ENGINE | FAMINE_WORKER | FAMINE_SETTLES, 0,
	  run_to_snooze, NULL, NULL },
	{ "run a step in parts", FAMINE_ENGINE | FAMINE_WORKER | FAMINE_SETTLES, 0,
	  run_to_checkpoint, NULL, NULL },
	{ "let time pass", FAMINE_ENGINE | FAMINE_WORKER | FAMINE_SETTLES, 0, let_time_pass,
	  have_scheduled, NULL },
	{ "let a cron entry fire", FAMINE_ENGINE | FAMINE_WORKER, 0, let_cron_fire, have_cron,
	  cron_has_fired },
};
FAMINE_SCENARIOS(famine_worker, worker);

static void have_pullable(famine_world *w)
{
	const stepbus_step_spec spec = famine_spec("pulled", "input");

	for (int i = 0; i < FEW && w->breach[0] == '\0'; i++)
		if (famine_put(w, &spec) != STEPBUS_OK)
			famine_breach(w, "no step: %s", w->err.message);
}

static void have_polled(famine_world *w)
{
	have_pullable(w);
	/* A worker may claim the first one before the last one is there. */
	while (w->event_count < FEW && w->breach[0] == '\0')
		if (famine_poll(w, 5000) != STEPBUS_OK)
			famine_breach(w, "%zu steps polled: %s", w->event_count, w->err.message);
}

static stepbus_status poll_steps(famine_world *w)
{
	stepbus_status status = famine_poll(w, 0);

	/* Nothing was claimed for want of memory; with memory there is something, see below. */
	return status == STEPBUS_ETIMEDOUT && w->turn == 1 ? STEPBUS_OK : status;
}

static bool is_all_done(famine_world *w)
{
	uint64_t count = 0;

	(void)stepbus_step_count(w->engine, STEPBUS_TEXT("{\"state\":\"completed\"}"), &count,
				 &w->err);
	return count >= atomic_load(&w->step_count);
}

/* Answers what was polled, and then what comes, until all is done. */
static void answer_all(famine_world *w)
{
	for (int round = 0; round < ROUND_MAX && w->breach[0] == '\0'; round++) {
		for (size_t i = 0; i < w->event_count; i++) {
			const stepbus_completion c =
				famine_answer(&w->events[i], STEPBUS_OUTCOME_SUCCESS);
			stepbus_status status = stepbus_complete(w->engine, &c, 1, NULL, &w->err);

			if (status != STEPBUS_OK)
				famine_breach(w, "an answer is refused with %d: %s", status,
					      w->err.message);
		}
		w->event_count = 0;
		if (is_all_done(w))
			return;
		if (famine_poll(w, POLL_MS) != STEPBUS_OK)
			(void)famine_pass(w, 1000);
	}
}

static void have_polled_shortly(famine_world *w)
{
	stepbus_step_spec spec = famine_spec("pulled", "input");

	spec.attempt_timeout_ms = 1000;
	if (famine_put(w, &spec) != STEPBUS_OK || famine_poll(w, 5000) != STEPBUS_OK)
		famine_breach(w, "no step is polled: %s", w->err.message);
}

static stepbus_status let_attempt_end(famine_world *w)
{
	stepbus_status status;

	if (w->turn == 1)
		FAMINE_TRY(famine_pass(w, 2000));
	status = stepbus_heartbeat(w->engine, w->events[0].step_id, w->events[0].token, &w->err);
	return status == STEPBUS_ETIMEDOUT ? STEPBUS_OK : status;
}

static stepbus_status complete_one(famine_world *w)
{
	stepbus_completion c = famine_answer(&w->events[0], STEPBUS_OUTCOME_SUCCESS);

	c.content_type = "text/plain";
	c.content_type_len = 10;
	c.metadata = "{\"a\":1}";
	c.metadata_len = 7;
	return stepbus_complete(w->engine, &c, 1, NULL, &w->err);
}

static stepbus_status complete_many(famine_world *w)
{
	stepbus_completion answers[FEW];
	stepbus_status each[FEW];

	for (size_t i = 0; i < FEW; i++)
		answers[i] = famine_answer(&w->events[i], STEPBUS_OUTCOME_SUCCESS);
	return stepbus_complete(w->engine, answers, FEW, each, &w->err);
}

static stepbus_status fail_one(famine_world *w)
{
	stepbus_completion c = famine_answer(&w->events[0], STEPBUS_OUTCOME_FAILURE);

	c.error_type = "luck";
	c.error_type_len = 4;
	c.error_message = "no such luck";
	c.error_message_len = 12;
	c.backtrace = "a\nb\nc";
	c.backtrace_len = 5;
	return stepbus_complete(w->engine, &c, 1, NULL, &w->err);
}

static stepbus_status checkpoint_one(famine_world *w)
{
	stepbus_checkpoint_spec spec = { .size = sizeof spec,
					 .token = w->events[0].token,
					 .items_processed = 5,
					 .cursor = "here",
					 .cursor_len = 4,
					 .partial_result = "half",
					 .partial_result_len = 4 };

	memcpy(spec.step_id, w->events[0].step_id, sizeof spec.step_id);
	return stepbus_checkpoint(w->engine, &spec, &w->err);
}

static stepbus_status release_one(famine_world *w)
{
	return stepbus_release(w->engine, w->events[0].step_id, w->events[0].token, &w->err);
}

/* The first event was answered; the others are still to be. */
static void answer_others(famine_world *w)
{
	memmove(w->events, w->events + 1, sizeof *w->events * (FEW - 1));
	w->event_count = FEW - 1;
	answer_all(w);
}

static void nothing_is_polled(famine_world *w)
{
	w->event_count = 0;
	answer_all(w);
}

static stepbus_status show_life(famine_world *w)
{
	FAMINE_TRY(stepbus_heartbeat(w->engine, w->events[0].step_id, w->events[0].token, &w->err));
	if (stepbus_step_is_cancelled(w->engine, w->events[0].step_id, w->events[0].token))
		famine_breach(w, "a polled step is cancelled");
	return STEPBUS_OK;
}

static stepbus_status measure(famine_world *w)
{
	stepbus_dispatch_metrics metrics = { .size = sizeof metrics };

	return stepbus_worker_metrics(w->worker, &metrics, &w->err);
}

static stepbus_status ask_for_descriptor(famine_world *w)
{
	int32_t fd = -1;

	return stepbus_wake_fd(w->worker,
			       w->is_on_disk ? STEPBUS_WAKE_SOCKET : STEPBUS_WAKE_EVENTFD, &fd,
			       &w->err);
}

/* The other engine has polled a step, and then its clock stood still. */
static void have_taken(famine_world *w)
{
	stepbus_step_spec spec = famine_spec("pulled", "input");
	size_t count = 0;

	spec.queue = "left";
	spec.queue_len = 4;
	if (famine_open_other(w) != STEPBUS_OK || famine_put(w, &spec) != STEPBUS_OK) {
		famine_breach(w, "no other engine with a step: %s", w->err.message);
		return;
	}
	w->taken.size = sizeof w->taken;
	/* Its clock stands still, so a wait of its would not end. */
	for (int round = 0; round < ROUND_MAX && count == 0; round++) {
		(void)stepbus_engine_wake(w->other, &w->err);
		(void)stepbus_poll(w->other_worker, &w->taken, 1, 0, &count, &w->err);
		if (count == 0)
			(void)poll(NULL, 0, POLL_MS);
	}
	if (count == 0)
		famine_breach(w, "the other engine gets no step: %s", w->err.message);
	/* Not before, or it would have been faster. */
	else if (famine_start_worker(w, "{\"pull\":true,\"queues\":[\"left\"]}", &w->worker) !=
		 STEPBUS_OK)
		famine_breach(w, "no worker: %s", w->err.message);
}

static stepbus_status let_lease_end(famine_world *w)
{
	if (w->turn > 1)
		return stepbus_engine_wake(w->engine, &w->err);
	FAMINE_TRY(famine_pass(w, 2 * LEASE_MS));
	famine_let_work();
	return STEPBUS_OK;
}

/* This engine has it now, whatever failed; the answer of the other is too late. */
static void step_is_taken_over(famine_world *w)
{
	stepbus_completion late = famine_answer(&w->taken, STEPBUS_OUTCOME_SUCCESS);
	stepbus_status status;

	for (int round = 0; round < ROUND_MAX && w->event_count == 0; round++)
		if (famine_poll(w, POLL_MS) != STEPBUS_OK)
			(void)famine_pass(w, 100);
	if (w->event_count == 0)
		famine_breach(w, "a step is not taken over: %s", w->err.message);
	else if (w->events[0].token <= w->taken.token)
		famine_breach(w, "a step is taken over under an old token");
	status = stepbus_complete(w->other, &late, 1, NULL, &w->err);
	if (status != STEPBUS_ESTALE)
		famine_breach(w, "a late answer is not stale, but %d: %s", status, w->err.message);
	answer_all(w);
}

static stepbus_status stop_with_polled(famine_world *w)
{
	stepbus_text *unfinished = NULL;
	stepbus_status status = stepbus_worker_stop(w->worker, 0, &unfinished, &w->err);

	stepbus_text_free(unfinished);
	return status == STEPBUS_ETIMEDOUT ? STEPBUS_OK : status;
}

enum { PULLS = FAMINE_ENGINE | FAMINE_PULLER };

static const famine_scenario pull[] = {
	{ "poll", PULLS | FAMINE_SETTLES, 0, poll_steps, have_pullable, answer_all },
	{ "complete", PULLS | FAMINE_SETTLES, 0, complete_one, have_polled, answer_others },
	{ "complete many", PULLS | FAMINE_SETTLES, 0, complete_many, have_polled,
	  nothing_is_polled },
	{ "complete with a failure", PULLS | FAMINE_SETTLES, 0, fail_one, have_polled,
	  answer_others },
	{ "checkpoint", PULLS | FAMINE_SETTLES, 0, checkpoint_one, have_polled, answer_others },
	{ "release", PULLS | FAMINE_SETTLES, 0, release_one, have_polled, answer_others },
	{ "heartbeat", PULLS | FAMINE_SETTLES, 0, show_life, have_polled, answer_all },
	{ "measure a worker", PULLS | FAMINE_SETTLES, 0, measure, have_polled, answer_all },
	{ "ask for a descriptor", PULLS, 0, ask_for_descriptor, NULL, NULL },
	{ "let an attempt end", PULLS | FAMINE_SETTLES, 0, let_attempt_end, have_polled_shortly,
	  nothing_is_polled },
	{ "take over from another engine", FAMINE_ENGINE | FAMINE_ON_DISK | FAMINE_SETTLES, 0,
	  let_lease_end, have_taken, step_is_taken_over },
	{ "stop with polled steps", PULLS, 0, stop_with_polled, have_polled, answer_all },
};
FAMINE_SCENARIOS(famine_pull, pull);
