/* SPDX-License-Identifier: MIT */
#include "torture/famine/world.h"

#include <poll.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/slowness.h"
#include "torture/famine/allocator.h"
#include "torture/famine/handlers.h"
#include "torture/famine/template.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

enum { SETTLE_MS = 1000, SETTLE_WAIT_MS = 2, SETTLE_MAX_S = 5, STOP_MS = 5000 };
/* What waits for a lease to end without memory need not wait for long: 5 s pass in 25 ms. */
enum { RUSH = 200 };
/* What an act sets off has so many milliseconds, and is over when it asks for nothing in so many. */
enum { WORK_MAX = 20, WORK_STILL = 3 };

static const int64_t noon_us = INT64_C(1795257045123456);

static int64_t real_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static time_t seconds(void)
{
	return (time_t)(real_us() / 1000000);
}

static int64_t passed_us(const famine_world *w)
{
	int64_t since_us = atomic_load(&w->rushing_us);

	return atomic_load(&w->passed_us) + (since_us == 0 ? 0 : (real_us() - since_us) * RUSH);
}

static int64_t now_us(void *world)
{
	return noon_us + passed_us(world);
}

static int64_t elapsed_ns(void *world)
{
	return (noon_us + passed_us(world)) * 1000;
}

static void keep_log(void *world, int32_t level, const char *record, size_t len)
{
	(void)level;
	if (len < 2 || record[0] != '{' || record[len - 1] != '}')
		famine_breach(world, "a log record is none: %.100s", record);
}

stepbus_status famine_pass(famine_world *w, int64_t ms)
{
	atomic_fetch_add(&w->passed_us, ms * 1000);
	return stepbus_engine_wake(w->engine, &w->err);
}

void famine_breach(famine_world *w, const char *format, ...)
{
	va_list arguments;

	if (w->breach[0] != '\0')
		return;
	va_start(arguments, format);
	(void)vsnprintf(w->breach, sizeof w->breach, format, arguments);
	va_end(arguments);
}

void famine_acknowledge(famine_world *w, const uint8_t step_id[16])
{
	size_t at = atomic_fetch_add(&w->step_count, 1);

	if (at < FAMINE_STEP_MAX)
		memcpy(w->steps[at], step_id, 16);
	memcpy(w->step_id, step_id, 16);
}

stepbus_step_spec famine_spec(const char *handler, const char *input)
{
	return (stepbus_step_spec){ .size = sizeof(stepbus_step_spec),
				    .handler_name = handler,
				    .handler_name_len = strlen(handler),
				    .input = input,
				    .input_len = strlen(input),
				    .attempt_count_max = 20 };
}

stepbus_status famine_put(famine_world *w, const stepbus_step_spec *spec)
{
	stepbus_enqueued out = { .size = sizeof out };

	FAMINE_TRY(stepbus_step_enqueue(w->engine, spec, 1, &out, &w->err));
	if (!out.is_existing)
		famine_acknowledge(w, out.step_id);
	return STEPBUS_OK;
}

stepbus_status famine_poll(famine_world *w, int64_t timeout_ms)
{
	const size_t room = sizeof w->events / sizeof *w->events - w->event_count;
	stepbus_step_event *events = w->events + w->event_count;
	size_t count = 0;
	stepbus_status status;

	events[0].size = sizeof *events;
	status = stepbus_poll(w->worker, events, room, timeout_ms, &count, &w->err);
	w->event_count += count;
	return status;
}

stepbus_completion famine_answer(const stepbus_step_event *event, int32_t outcome)
{
	stepbus_completion c = { .size = sizeof c,
				 .outcome = outcome,
				 .token = event->token,
				 .retry_after_ms = -1,
				 .is_retryable = 1,
				 .result = "done",
				 .result_len = 4 };

	memcpy(c.step_id, event->step_id, sizeof c.step_id);
	return c;
}

stepbus_status famine_text(famine_world *w, stepbus_status status, stepbus_text *text)
{
	if ((text != NULL) != (status == STEPBUS_OK))
		famine_breach(w, "status %d, and %s text", status, text != NULL ? "a" : "no");
	if (text != NULL && stepbus_text_data(text)[stepbus_text_len(text)] != '\0')
		famine_breach(w, "a text without its end");
	stepbus_text_free(text);
	return status;
}

stepbus_status famine_text_of(famine_world *w, stepbus_status status, stepbus_text **text)
{
	stepbus_text *made = *text;

	*text = NULL;
	return famine_text(w, status, made);
}

void famine_destroy(void *world)
{
	atomic_fetch_add(&((famine_world *)world)->destroyed, 1);
}

int32_t famine_deliver(void *world, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add(&((famine_world *)world)->delivered, 1);
	return STEPBUS_OK;
}

static stepbus_status open_with(famine_world *w, const stepbus_host *host, const char *keys,
				stepbus **out)
{
	/* A worker that cannot give back its steps waits for its lease to end. */
	static const char common[] = "\"lease_ms\":5000,\"poll_ms\":10";
	char config[2 * FAMINE_TEXT_LEN];
	stepbus_options options = { .size = sizeof options, .config = config, .host = host };

	if (w->is_on_disk)
		(void)snprintf(config, sizeof config,
			       "{\"store\":\"sqlite:%s\",\"durability\":\"process\",%s%s%s}",
			       w->database, common, keys != NULL ? "," : "",
			       keys != NULL ? keys : "");
	else
		(void)snprintf(config, sizeof config, "{\"store\":\"memory:\",%s%s%s}", common,
			       keys != NULL ? "," : "", keys != NULL ? keys : "");
	options.config_len = strlen(config);
	return stepbus_open(&options, out, &w->err);
}

stepbus_status famine_open(famine_world *w, const char *keys, stepbus **out)
{
	return open_with(w, &w->host, keys, out);
}

/* Its end goes by a clock that runs, or it would never be over. */
static int64_t other_now_us(void *world)
{
	famine_world *w = world;

	return atomic_load(&w->rushing_us) != 0 ? now_us(w) : noon_us;
}

static int64_t other_elapsed_ns(void *world)
{
	return other_now_us(world) * 1000;
}

stepbus_status famine_open_other(famine_world *w)
{
	static const char config[] =
		"{\"id\":\"other\",\"pull\":true,\"queues\":[\"left\"],\"block_size\":1}";

	w->other_host = w->host;
	w->other_host.now_us = other_now_us;
	w->other_host.elapsed_ns = other_elapsed_ns;
	FAMINE_TRY(open_with(w, &w->other_host, NULL, &w->other));
	FAMINE_TRY(famine_register(w, stepbus_engine_registry(w->other), "pulled",
				   STEPBUS_HANDLER_PULLED));
	return stepbus_worker_start(w->other, config, sizeof config - 1, &w->other_worker, &w->err);
}

void famine_let_work(void)
{
	uint64_t asked = famine_asked_count();

	for (int round = 0, still = 0; round < WORK_MAX && still < WORK_STILL; round++) {
		(void)poll(NULL, 0, 1);
		still = famine_asked_count() == asked ? still + 1 : 0;
		asked = famine_asked_count();
	}
}

stepbus_status famine_start_worker(famine_world *w, const char *config, stepbus_worker **out)
{
	return stepbus_worker_start(w->engine, config, strlen(config), out, &w->err);
}

static stepbus_status begin_engine(famine_world *w)
{
	static const char *const names[] = { "echo", "fail", "snooze", "checkpoint" };

	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = famine_deliver,
						    .user_data = w };

	FAMINE_TRY(famine_open(w, NULL, &w->engine));
	/* What nobody hears is not even made. */
	if (w->scenario->needs & (FAMINE_WORKER | FAMINE_PULLER))
		FAMINE_TRY(stepbus_bridge_subscribe(stepbus_engine_bridge(w->engine), "*", 1,
						    &subscription, NULL, &w->err));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		FAMINE_TRY(famine_register(w, stepbus_engine_registry(w->engine), names[i], 0));
	FAMINE_TRY(famine_register(w, stepbus_engine_registry(w->engine), "pulled",
				   STEPBUS_HANDLER_PULLED));
	if (w->scenario->needs & FAMINE_WORKER)
		FAMINE_TRY(famine_start_worker(w, "{\"pool_size\":2}", &w->worker));
	if (w->scenario->needs & FAMINE_PULLER)
		FAMINE_TRY(famine_start_worker(w, "{\"pull\":true}", &w->worker));
	return STEPBUS_OK;
}

static stepbus_status begin(famine_world *w)
{
	const uint32_t needs = w->scenario->needs;
	const stepbus_bridge_options bridge = { .size = sizeof bridge,
						.flags = STEPBUS_BRIDGE_ALLOW_UNDECLARED,
						.host = &w->host };
	const stepbus_registry_options registry = { .size = sizeof registry, .host = &w->host };

	if (needs & FAMINE_BRIDGE) {
		FAMINE_TRY(stepbus_bridge_new(&bridge, &w->bridge, &w->err));
		FAMINE_TRY(stepbus_bridge_start(w->bridge, &w->err));
	}
	if (needs & FAMINE_REGISTRY) {
		FAMINE_TRY(stepbus_registry_new(&registry, &w->registry, &w->err));
		FAMINE_TRY(famine_register(w, w->registry, "echo", 0));
		FAMINE_TRY(famine_register(w, w->registry, "shy", 0));
	}
	if (needs & (FAMINE_ENGINE | FAMINE_IN_MEMORY | FAMINE_ON_DISK) && !(needs & FAMINE_COLD)) {
		w->host.now_us = now_us;
		w->host.elapsed_ns = elapsed_ns;
		FAMINE_TRY(begin_engine(w));
	}
	return STEPBUS_OK;
}

bool famine_world_begin(famine_world *w, const famine_scenario *scenario, bool is_on_disk,
			const char *directory)
{
	memset(w, 0, sizeof *w);
	w->scenario = scenario;
	w->is_on_disk = is_on_disk;
	w->err = (stepbus_error)STEPBUS_ERROR_INIT;
	w->host = (stepbus_host){ .size = sizeof w->host,
				  .log_level = STEPBUS_LOG_DEBUG,
				  .user_data = w,
				  .log = keep_log };
	(void)snprintf(w->database, sizeof w->database, "%s/%d.db", directory, (int)getpid());
	if (is_on_disk && !famine_template_copy(w->database))
		famine_breach(w, "the ready-made database cannot be copied");
	else if (begin(w) != STEPBUS_OK)
		famine_breach(w, "no world: %s", w->err.message);
	if (w->breach[0] == '\0' && scenario->prepare != NULL)
		scenario->prepare(w);
	return w->breach[0] == '\0';
}

static void end_other(famine_world *w)
{
	if (w->other_worker != NULL) {
		/* What was polled is never answered. */
		(void)stepbus_worker_stop(w->other_worker, 0, NULL, &w->err);
		stepbus_worker_free(w->other_worker);
	}
	stepbus_close(w->other);
}

static void end_engine(famine_world *w)
{
	const bool is_puller = (w->scenario->needs & FAMINE_PULLER) != 0;
	stepbus_text *unfinished = NULL;
	stepbus_status status;

	if (w->worker != NULL) {
		status = stepbus_worker_stop(w->worker, is_puller ? 0 : STOP_MS, NULL, &w->err);
		/* A host that polled and never answered is still at it. */
		if (status != STEPBUS_OK && (!is_puller || status != STEPBUS_ETIMEDOUT))
			famine_breach(w, "stopping the worker answers %d: %s", status,
				      w->err.message);
		stepbus_worker_free(w->worker);
	}
	if (w->engine == NULL)
		return;
	status = stepbus_stop(w->engine, STOP_MS, &unfinished, &w->err);
	if (status != STEPBUS_OK && status != STEPBUS_ENOMEM)
		famine_breach(w, "stopping the engine answers %d: %s", status, w->err.message);
	stepbus_text_free(unfinished);
	stepbus_close(w->engine);
}

void famine_world_end(famine_world *w)
{
	atomic_store(&w->rushing_us, real_us());
	if (w->connection != NULL && sqlite3_close(w->connection) != SQLITE_OK)
		famine_breach(w, "the host's connection cannot be closed");
	stepbus_execution_subscriber_free(w->executor);
	stepbus_subscriber_free(w->subscriber);
	end_other(w);
	end_engine(w);
	stepbus_registry_free(w->registry);
	stepbus_bridge_free(w->bridge);
}

void famine_await_answers(famine_world *w)
{
	const time_t until = seconds() + (time_t)SETTLE_MAX_S * test_slowness();

	while (atomic_load(&w->answered) < atomic_load(&w->accepted) && seconds() < until)
		(void)sched_yield();
}

static void settle(famine_world *w, const uint8_t step_id[16])
{
	const time_t until = seconds() + (time_t)SETTLE_MAX_S * test_slowness();
	stepbus_outcome *outcome = NULL;
	stepbus_status status;

	for (;;) {
		status = stepbus_step_await(w->engine, step_id, SETTLE_WAIT_MS, &outcome, &w->err);
		if (status != STEPBUS_ETIMEDOUT || seconds() > until)
			break;
		(void)famine_pass(w, SETTLE_MS);
	}
	if (status != STEPBUS_OK)
		famine_breach(w, "a step does not come to its end: %d, %s", status, w->err.message);
	else if (stepbus_outcome_completion(outcome)->outcome != STEPBUS_OUTCOME_SUCCESS)
		famine_breach(w, "a step ended with outcome %d: %.*s",
			      stepbus_outcome_completion(outcome)->outcome,
			      (int)stepbus_outcome_completion(outcome)->error_message_len,
			      stepbus_outcome_completion(outcome)->error_message);
	stepbus_outcome_free(outcome);
}

void famine_world_check(famine_world *w)
{
	size_t acknowledged;
	uint64_t count = 0;
	stepbus_text *text = NULL;

	if (w->scenario->check != NULL)
		w->scenario->check(w);
	if (w->engine == NULL)
		return;
	acknowledged = atomic_load(&w->step_count);
	if (stepbus_step_count(w->engine, NULL, 0, &count, &w->err) != STEPBUS_OK)
		famine_breach(w, "steps cannot be counted: %s", w->err.message);
	else if (count < acknowledged || count > acknowledged + w->extra_max)
		famine_breach(w, "%zu steps were acknowledged, %llu are there", acknowledged,
			      (unsigned long long)count);
	for (size_t i = 0; i < acknowledged && i < FAMINE_STEP_MAX; i++) {
		if (w->scenario->needs & FAMINE_SETTLES)
			settle(w, w->steps[i]);
		if (stepbus_step_info(w->engine, w->steps[i], &text, &w->err) != STEPBUS_OK)
			famine_breach(w, "an acknowledged step is lost: %s", w->err.message);
		stepbus_text_free(text);
		text = NULL;
	}
}

static void check_runs(famine_world *w)
{
	size_t count = atomic_load(&w->run_count);

	for (size_t i = 0; i < count && i < FAMINE_RUN_MAX; i++)
		for (size_t j = 0; j < i; j++)
			if (memcmp(&w->runs[i], &w->runs[j], sizeof w->runs[i]) == 0)
				famine_breach(w, "an attempt ran twice");
}

/* The first column of the only row of a query, as text; false where there is none. */
static bool ask(sqlite3 *db, const char *sql, char *text, size_t len)
{
	sqlite3_stmt *statement = NULL;
	bool has_row;

	(void)sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	has_row = statement != NULL && sqlite3_step(statement) == SQLITE_ROW;
	(void)snprintf(text, len, "%s",
		       has_row ? (const char *)sqlite3_column_text(statement, 0) :
				 sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	return has_row;
}

static void check_database(famine_world *w)
{
	char text[FAMINE_TEXT_LEN];
	unsigned long long acknowledged = atomic_load(&w->step_count), count;
	sqlite3 *db = NULL;

	if (sqlite3_open(w->database, &db) != SQLITE_OK)
		famine_breach(w, "the database cannot be opened");
	else if (!ask(db, "PRAGMA integrity_check", text, sizeof text) || strcmp(text, "ok") != 0)
		famine_breach(w, "the database is damaged: %s", text);
	if (ask(db, "SELECT count(*) FROM step", text, sizeof text)) {
		count = strtoull(text, NULL, 10);
		if (count < acknowledged || count > acknowledged + w->extra_max)
			famine_breach(w, "%llu steps were acknowledged, the database has %llu",
				      acknowledged, count);
	}
	sqlite3_close(db);
}

void famine_world_check_remains(famine_world *w)
{
	if (atomic_load(&w->given) != atomic_load(&w->destroyed))
		famine_breach(w, "%d destroys were given, %d ran", atomic_load(&w->given),
			      atomic_load(&w->destroyed));
	if (atomic_load(&w->accepted) != atomic_load(&w->answered))
		famine_breach(w, "%d calls were accepted, %d were answered",
			      atomic_load(&w->accepted), atomic_load(&w->answered));
	check_runs(w);
	if (!w->is_on_disk)
		return;
	check_database(w);
	famine_template_remove(w->database);
}
