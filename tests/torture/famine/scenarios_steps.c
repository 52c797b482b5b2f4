/* SPDX-License-Identifier: MIT */
/* Enqueueing steps in all ways, and what is done to steps and asked of them. */
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "torture/famine/world.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

enum { BATCH = 50, FEW = 6, HOUR_MS = 3600000, RETENTION_MS = 8 * 24 * HOUR_MS, ROUND_MAX = 2000 };

static stepbus_status enqueue_one(famine_world *w)
{
	const stepbus_step_spec spec = famine_spec("echo", "input");

	return famine_put(w, &spec);
}

/* A spec that says everything, for a queue, a handler and tags that the store has never heard of. */
static stepbus_step_spec full_spec(void)
{
	stepbus_step_spec spec = famine_spec("unheard", "{\"input\":1}");

	spec.queue = "new-queue";
	spec.queue_len = 9;
	spec.handler_version = "2.0";
	spec.handler_version_len = 3;
	spec.step_name = "a step";
	spec.step_name_len = 6;
	spec.step_config = "{\"a\":[1,{\"b\":2}]}";
	spec.step_config_len = 17;
	spec.correlation_id = "c-1";
	spec.correlation_id_len = 3;
	spec.tags = "red,green,blue";
	spec.tags_len = 14;
	spec.concurrency_key = "k";
	spec.concurrency_key_len = 1;
	spec.idempotency_key = "i-1";
	spec.idempotency_key_len = 3;
	spec.unique_key = "u-1";
	spec.unique_key_len = 3;
	spec.delay_ms = 5;
	spec.wait_timeout_ms = 100000;
	return spec;
}

static stepbus_status enqueue_full(famine_world *w)
{
	const stepbus_step_spec spec = full_spec();

	return famine_put(w, &spec);
}

static void have_full(famine_world *w)
{
	if (enqueue_full(w) != STEPBUS_OK)
		famine_breach(w, "no step: %s", w->err.message);
}

static stepbus_status enqueue_batch(famine_world *w)
{
	stepbus_step_spec specs[BATCH];
	stepbus_enqueued out[BATCH] = { { .size = sizeof *out } };
	char keys[BATCH][8];

	for (size_t i = 0; i < BATCH; i++) {
		specs[i] = famine_spec("echo", "input");
		specs[i].idempotency_key = keys[i];
		specs[i].idempotency_key_len = (size_t)snprintf(keys[i], sizeof keys[i], "k%zu", i);
	}
	FAMINE_TRY(stepbus_step_enqueue(w->engine, specs, BATCH, out, &w->err));
	for (size_t i = 0; i < BATCH; i++)
		if (!out[i].is_existing)
			famine_acknowledge(w, out[i].step_id);
	return STEPBUS_OK;
}

static void hear_answer(void *user_data, stepbus_status status, const stepbus_enqueued *results,
			size_t count, const stepbus_error *err)
{
	famine_world *w = user_data;

	(void)err;
	for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
		famine_acknowledge(w, results[i].step_id);
	atomic_fetch_add(&w->answered, 1);
}

static stepbus_status enqueue_async(famine_world *w)
{
	const stepbus_step_spec specs[2] = { famine_spec("echo", "a"), famine_spec("echo", "b") };

	FAMINE_TRY(stepbus_step_enqueue_async(w->engine, specs, 2, hear_answer, w, &w->err));
	atomic_fetch_add(&w->accepted, 1);
	return STEPBUS_OK;
}

static stepbus_status enqueue_in(famine_world *w)
{
	const stepbus_step_spec spec = famine_spec("echo", "inside");
	stepbus_enqueued out = { .size = sizeof out };

	if (sqlite3_get_autocommit(w->connection) != 0 &&
	    sqlite3_exec(w->connection, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
		(void)snprintf(w->err.message, sizeof w->err.message, "%s",
			       sqlite3_errmsg(w->connection));
		famine_call("stepbus_step_enqueue_in");
		return STEPBUS_ENOMEM;
	}
	FAMINE_TRY(stepbus_step_enqueue_in(w->engine, w->connection, STEPBUS_TEXT("main"), &spec, 1,
					   &out, &w->err));
	memcpy(w->step_id, out.step_id, sizeof w->step_id);
	return STEPBUS_OK;
}

static void connect_to_store(famine_world *w)
{
	if (sqlite3_open(w->database, &w->connection) != SQLITE_OK ||
	    sqlite3_busy_timeout(w->connection, 5000) != SQLITE_OK)
		famine_breach(w, "no connection of the host's own");
}

static void commit(famine_world *w)
{
	if (sqlite3_exec(w->connection, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		famine_breach(w, "the host's transaction cannot be committed: %s",
			      sqlite3_errmsg(w->connection));
	else
		famine_acknowledge(w, w->step_id);
}

static void have_steps(famine_world *w)
{
	for (int i = 0; i < FEW && w->breach[0] == '\0'; i++)
		if (enqueue_one(w) != STEPBUS_OK)
			famine_breach(w, "no steps: %s", w->err.message);
}

static stepbus_status cancel(famine_world *w)
{
	return stepbus_step_cancel(w->engine, w->step_id, &w->err);
}

static void have_cancelled(famine_world *w)
{
	have_steps(w);
	if (w->breach[0] == '\0' && cancel(w) != STEPBUS_OK)
		famine_breach(w, "nothing is cancelled: %s", w->err.message);
}

static stepbus_status redrive(famine_world *w)
{
	return stepbus_step_redrive(w->engine, w->step_id, &w->err);
}

static stepbus_status redrive_all(famine_world *w)
{
	uint64_t count = 0;
	stepbus_status status = stepbus_step_redrive_all(
		w->engine, STEPBUS_TEXT("{\"state\":\"cancelled\"}"), &count, &w->err);

	if (status == STEPBUS_OK && count != 1)
		famine_breach(w, "%llu steps were redriven", (unsigned long long)count);
	return status;
}

static void count_state(famine_world *w, const char *filter, uint64_t expected)
{
	uint64_t count = 0;

	if (stepbus_step_count(w->engine, filter, strlen(filter), &count, &w->err) != STEPBUS_OK)
		famine_breach(w, "nothing can be counted: %s", w->err.message);
	else if (count != expected)
		famine_breach(w, "%llu steps are %s", (unsigned long long)count, filter);
}

static void one_is_cancelled(famine_world *w)
{
	count_state(w, "{\"state\":\"cancelled\"}", 1);
}

static void none_is_cancelled(famine_world *w)
{
	count_state(w, "{\"state\":\"cancelled\"}", 0);
}

/* All but one of the steps are final; from here on they may be there or not. */
static void have_old(famine_world *w)
{
	have_steps(w);
	for (size_t i = 1; i < FEW && w->breach[0] == '\0'; i++)
		if (stepbus_step_cancel(w->engine, w->steps[i], &w->err) != STEPBUS_OK)
			famine_breach(w, "nothing is cancelled: %s", w->err.message);
	w->step_count = 1;
	w->extra_max = FEW - 1;
}

static stepbus_status let_retention_end(famine_world *w)
{
	if (w->turn > 1)
		return stepbus_engine_wake(w->engine, &w->err);
	FAMINE_TRY(famine_pass(w, RETENTION_MS));
	famine_let_work();
	return STEPBUS_OK;
}

/* The next sweep removes what the one without memory left, and nothing else. */
static void old_are_removed(famine_world *w)
{
	uint64_t count = FEW;

	for (int round = 0; round < ROUND_MAX && count > 1 && w->breach[0] == '\0'; round++) {
		(void)famine_pass(w, HOUR_MS);
		(void)poll(NULL, 0, 1);
		if (stepbus_step_count(w->engine, NULL, 0, &count, &w->err) != STEPBUS_OK)
			famine_breach(w, "steps cannot be counted: %s", w->err.message);
	}
	if (count != 1)
		famine_breach(w, "%llu steps are left of those that are over",
			      (unsigned long long)count - 1);
}

static stepbus_status await_final(famine_world *w)
{
	stepbus_outcome *outcome = NULL;
	stepbus_status status = stepbus_step_await(w->engine, w->step_id, 0, &outcome, &w->err);

	if (status == STEPBUS_OK &&
	    stepbus_outcome_completion(outcome)->outcome != STEPBUS_OUTCOME_CANCELLED)
		famine_breach(w, "an outcome is another");
	stepbus_outcome_free(outcome);
	return status;
}

static const famine_scenario steps[] = {
	{ "enqueue one", FAMINE_ENGINE | FAMINE_SETTLES | FAMINE_WORKER, 0, enqueue_one, NULL,
	  NULL },
	{ "enqueue without a worker", FAMINE_ENGINE, 0, enqueue_one, NULL, NULL },
	{ "enqueue all there is to say", FAMINE_ENGINE, 0, enqueue_full, NULL, NULL },
	{ "enqueue what is there", FAMINE_ENGINE, 0, enqueue_full, have_full, NULL },
	{ "enqueue a batch", FAMINE_ENGINE, 0, enqueue_batch, NULL, NULL },
	{ "enqueue and go on", FAMINE_ENGINE, 0, enqueue_async, NULL, famine_await_answers },
	{ "enqueue in a transaction", FAMINE_ENGINE | FAMINE_ON_DISK, 0, enqueue_in,
	  connect_to_store, commit },
	{ "cancel", FAMINE_ENGINE, 0, cancel, have_steps, one_is_cancelled },
	{ "redrive", FAMINE_ENGINE, 0, redrive, have_cancelled, none_is_cancelled },
	{ "redrive all", FAMINE_ENGINE, 0, redrive_all, have_cancelled, none_is_cancelled },
	{ "let retention end", FAMINE_ENGINE, 0, let_retention_end, have_old, old_are_removed },
	{ "await", FAMINE_ENGINE, 0, await_final, have_cancelled, NULL },
};
FAMINE_SCENARIOS(famine_steps, steps);

static stepbus_status describe_step(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_step_info(w->engine, w->step_id, &text, &w->err));
}

static stepbus_status list_attempts(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_step_attempts(w->engine, w->step_id, &text, &w->err));
}

static stepbus_status list_steps(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(
		w, text,
		stepbus_step_list(w->engine,
				  STEPBUS_TEXT("{\"state\":[\"ready\",\"cancelled\"],\"queue\":"
					       "\"default\",\"order\":\"oldest\"}"),
				  &text, &w->err));
}

/* Reads the cursor of the first page, and asks for the second. */
static stepbus_status list_pages(famine_world *w)
{
	stepbus_text *text = NULL;
	stepbus_text *cursor = NULL;
	char filter[256];
	stepbus_status status =
		stepbus_step_list(w->engine, STEPBUS_TEXT("{\"limit\":2}"), &text, &w->err);

	if (status != STEPBUS_OK)
		return famine_text(w, status, text);
	status = stepbus_payload_text(stepbus_text_data(text), stepbus_text_len(text),
				      STEPBUS_TEXT("cursor"), &cursor, &w->err);
	(void)snprintf(filter, sizeof filter, "{\"limit\":2,\"cursor\":\"%s\"}",
		       stepbus_text_data(cursor));
	stepbus_text_free(text);
	stepbus_text_free(cursor);
	text = NULL;
	if (status != STEPBUS_OK)
		return status;
	return FAMINE_TEXT(w, text,
			   stepbus_step_list(w->engine, filter, strlen(filter), &text, &w->err));
}

static stepbus_status count_steps(famine_world *w)
{
	uint64_t count = 0;
	stepbus_status status = stepbus_step_count(
		w->engine, STEPBUS_TEXT("{\"handler\":\"echo\",\"tag\":\"x\"}"), &count, &w->err);

	if (status == STEPBUS_OK && count != 0)
		famine_breach(w, "a tag that nobody gave is counted");
	return status;
}

static stepbus_status list_workers(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_worker_list(w->engine, &text, &w->err));
}

static const famine_scenario queries[] = {
	{ "describe a step", FAMINE_ENGINE, 0, describe_step, have_full, NULL },
	{ "list attempts", FAMINE_ENGINE, 0, list_attempts, have_cancelled, NULL },
	{ "list steps", FAMINE_ENGINE, 0, list_steps, have_cancelled, NULL },
	{ "list steps in pages", FAMINE_ENGINE, 0, list_pages, have_steps, NULL },
	{ "count steps", FAMINE_ENGINE, 0, count_steps, have_steps, NULL },
	{ "list workers", FAMINE_ENGINE | FAMINE_WORKER, 0, list_workers, NULL, NULL },
};
FAMINE_SCENARIOS(famine_queries, queries);
