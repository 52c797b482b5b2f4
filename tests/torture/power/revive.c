/* SPDX-License-Identifier: MIT */
#include "torture/power/revive.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers/engine.h"
#include "torture/power/host.h"

enum { ROUND_MAX = 400, ROUND_MS = 50, ADVANCE_MS = 40000 };

typedef struct revival {
	const facts *before;
	stepbus *engine;
	stepbus_clock *clock;
	stepbus_error err;
	_Atomic(bool) is_token_old;
} revival;

static int32_t run(void *instance, const stepbus_context *context, stepbus_result *result)
{
	revival *r = instance;
	const stepbus_step_event *step = stepbus_context_step(context);
	const step_fact *fact = facts_step(r->before, host_number(step->step_id));

	if (fact != NULL && (int64_t)step->token <= fact->token)
		r->is_token_old = true;
	return stepbus_result_success(result, step->input, step->input_len, NULL);
}

static stepbus_status begin(revival *r, bool is_same_boot)
{
	stepbus_registry *registry = stepbus_engine_registry(r->engine);
	stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "pool", .name_len = 4, .call = run, .user_data = r
	};
	stepbus_worker *worker = NULL;
	stepbus_status status = stepbus_registry_register(registry, &spec, &r->err);

	spec.name = "pull";
	if (status == STEPBUS_OK)
		status = stepbus_registry_register(registry, &spec, &r->err);
	if (!is_same_boot) {
		sb_writer_lead(&r->engine->writer);
		r->engine->boot_id[0] ^= 1;
		sb_writer_yield(&r->engine->writer);
	}
	if (status == STEPBUS_OK)
		status = stepbus_queue_resume(r->engine, STEPBUS_TEXT("slow"), &r->err);
	if (status == STEPBUS_OK)
		status = stepbus_cron_remove(r->engine, STEPBUS_TEXT("often"), &r->err);
	if (status == STEPBUS_ENOTFOUND)
		status = STEPBUS_OK;
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(r->engine, STEPBUS_TEXT("{}"), &worker, &r->err);
	return status;
}

/* Time goes by in leaps, so that what waits for a time or for a lease to end need not be waited for. */
static bool drain(revival *r)
{
	static const char filter[] =
		"{\"state\":[\"waiting\",\"scheduled\",\"ready\",\"parked\",\"running\"]}";
	const struct timespec pause = { 0, 1000000 };
	uint64_t count = 1;

	for (int i = 0; i < ROUND_MAX * ROUND_MS && count > 0; i++) {
		if (i % ROUND_MS == 0) {
			(void)stepbus_clock_advance(r->clock, ADVANCE_MS, NULL);
			(void)stepbus_engine_wake(r->engine, NULL);
		}
		if (stepbus_step_count(r->engine, STEPBUS_TEXT(filter), &count, &r->err) !=
		    STEPBUS_OK)
			return false;
		if (count > 0)
			(void)ppoll(NULL, 0, &pause, NULL);
	}
	(void)snprintf(r->err.message, sizeof r->err.message, "%d steps are still open",
		       (int)count);
	return count == 0;
}

static const char *compare(const revival *r, const facts *after)
{
	for (size_t i = 0; i < r->before->step_count; i++) {
		const step_fact *old = &r->before->steps[i];
		const step_fact *new = facts_step(after, old->id);

		if (new == NULL || new->input != old->input)
			return "a step is gone, or its input is another one";
		if (sb_step_state_is_final((sb_step_state)old->state) &&
		    memcmp(new, old, sizeof *new) != 0)
			return "what was final is another thing now";
	}
	return NULL;
}

static const char *look(revival *r, const char *path)
{
	const char *wrong = r->is_token_old ? "a token was given twice" : NULL;
	sqlite3 *db = NULL;
	facts after = { 0 };

	if (wrong == NULL && (sqlite3_open(path, &db) != SQLITE_OK || !facts_read(&after, db)))
		wrong = "it cannot be read";
	if (wrong == NULL)
		wrong = compare(r, &after);
	facts_free(&after);
	(void)sqlite3_close(db);
	return wrong;
}

bool revive(const char *path, const facts *before, bool is_same_boot, char *message, size_t room)
{
	revival r = { .before = before, .err = STEPBUS_ERROR_INIT };
	stepbus_host lent = { .size = sizeof lent };
	char config[640];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"durability\":\"process\",\"poll_ms\":10,"
			   "\"retention\":{\"completed_ms\":-1,\"failed_ms\":-1,"
			   "\"cancelled_ms\":-1}}",
			   path);
	const stepbus_options options = {
		.size = sizeof options, .config = config, .config_len = (size_t)len, .host = &lent
	};
	const char *wrong = NULL;

	if (stepbus_clock_new(INT64_C(1700100000) * 1000000, &r.clock, NULL) != STEPBUS_OK)
		return false;
	(void)stepbus_clock_lend(r.clock, &lent, NULL);
	if (stepbus_open(&options, &r.engine, &r.err) != STEPBUS_OK ||
	    begin(&r, is_same_boot) != STEPBUS_OK || !drain(&r))
		wrong = r.err.message;
	stepbus_close(r.engine);
	if (wrong == NULL)
		wrong = look(&r, path);
	stepbus_clock_free(r.clock);
	(void)snprintf(message, room, "%s", wrong != NULL ? wrong : "");
	return wrong == NULL;
}
