/* SPDX-License-Identifier: MIT */
#include "torture/crowd/steps.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/stepbus.h"
#include "torture/history/observer.h"

enum { BATCH = 8, WAITING = 48, TEXT_LEN = 64, LOW_EVERY = 100 };

static atomic_long started_count;

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	int64_t id = observer_id_of_bytes(step->step_id);
	char text[TEXT_LEN] = "";
	int64_t nonce;
	int len;

	(void)instance;
	memcpy(text, step->input, step->input_len < sizeof text ? step->input_len : 0);
	nonce = strtoll(text + 1, NULL, 10);
	observer_note(LOG_STARTED, id, (int64_t)step->token, nonce,
		      observer_digest(step->input, step->input_len));
	atomic_fetch_add(&started_count, 1);
	len = snprintf(text, sizeof text, "n%ld t%lu", nonce, (unsigned long)step->token);
	(void)stepbus_result_success(result, text, (size_t)len, NULL);
	observer_note(LOG_ENDED, id, (int64_t)step->token, STEPBUS_OUTCOME_SUCCESS, 0);
	return 0;
}

static stepbus *open_engine(const crowd_steps *s)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = NULL;
	char config[512];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"durability\":\"process\"}", s->path);
	const stepbus_options open = { .size = sizeof open,
				       .config = config,
				       .config_len = (size_t)len };
	stepbus_status status = stepbus_open(&open, &engine, &err);

	if (status != STEPBUS_OK)
		observer_fail("open", status, err.message);
	return engine;
}

static bool begin_serving(stepbus *engine, const crowd_steps *s)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = serve
	};
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_worker *worker = NULL;
	char config[128];
	int len = snprintf(config, sizeof config,
			   "{\"id\":\"worker\",\"block_size\":4,\"pool_size\":2,"
			   "\"strategy\":\"priority\",\"age_share_percent\":%d}",
			   s->is_unfair ? 0 : 10);
	stepbus_status status =
		stepbus_registry_register(stepbus_engine_registry(engine), &spec, &err);

	if (status == STEPBUS_OK)
		status = stepbus_worker_start(engine, config, (size_t)len, &worker, &err);
	if (status != STEPBUS_OK)
		observer_fail("start a worker", status, err.message);
	return status == STEPBUS_OK;
}

/* One of many is of the last class; of the others half are of the first. */
static int32_t priority_of(long nonce)
{
	return nonce % LOW_EVERY == 0 ? 9 : 1 + (int32_t)(nonce % 2);
}

static bool enqueue(stepbus *engine, long first, size_t count)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_step_spec specs[BATCH];
	stepbus_enqueued out[BATCH] = { { .size = sizeof out[0] } };
	char inputs[BATCH][TEXT_LEN];
	stepbus_status status;

	for (size_t i = 0; i < count; i++) {
		int len = snprintf(inputs[i], TEXT_LEN, "n%ld", first + (long)i);

		specs[i] = (stepbus_step_spec){ .size = sizeof specs[i],
						.handler_name = "work",
						.handler_name_len = 4,
						.input = inputs[i],
						.input_len = (size_t)len,
						.attempt_count_max = 1,
						.priority = priority_of(first + (long)i) };
		observer_note(LOG_GIVEN, first + (long)i, observer_digest(inputs[i], (size_t)len),
			      0, 0);
		observer_note(LOG_INVOKED, first + (long)i, -1, 0, 1);
	}
	status = stepbus_step_enqueue(engine, specs, count, out, &err);
	if (status != STEPBUS_OK)
		observer_fail("enqueue", status, err.message);
	for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
		observer_note(LOG_ENQUEUED, first + (long)i, -1,
			      observer_id_of_bytes(out[i].step_id), 0);
	return status == STEPBUS_OK;
}

static void pause_us(long time_us)
{
	const struct timespec time = { 0, time_us * 1000 };

	(void)ppoll(NULL, 0, &time, NULL);
}

/* Until so many have begun: a minute at most. */
static bool wait_for(long count)
{
	int64_t until_us = observer_now_us() + 60000000;

	while (atomic_load(&started_count) < count && observer_now_us() < until_us)
		pause_us(100);
	return atomic_load(&started_count) >= count;
}

static void note_count(stepbus *engine, const char *filter, char state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	uint64_t count = 0;
	stepbus_status status = stepbus_step_count(engine, filter, strlen(filter), &count, &err);

	if (status != STEPBUS_OK)
		observer_fail("count the steps", status, err.message);
	else
		observer_note(LOG_COUNTED, state, (int64_t)count, 0, 0);
}

static void stop(stepbus *engine)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;

	note_count(engine, "{\"state\":\"completed\"}", STATE_COMPLETED);
	note_count(engine, "{\"state\":\"ready\"}", STATE_READY);
	note_count(engine, "{\"state\":\"failed\"}", STATE_FAILED);
	status = stepbus_stop(engine, -1, NULL, &err);
	if (status != STEPBUS_OK)
		observer_fail("stop", status, err.message);
	stepbus_close(engine);
}

/* All that were enqueued are completed; not only begun. */
static bool wait_for_all(stepbus *engine, long count)
{
	static const char filter[] = "{\"state\":\"completed\"}";
	int64_t until_us = observer_now_us() + 60000000;
	uint64_t completed = 0;

	while (completed < (uint64_t)count && observer_now_us() < until_us) {
		pause_us(1000);
		if (stepbus_step_count(engine, filter, sizeof filter - 1, &completed, NULL) !=
		    STEPBUS_OK)
			return false;
	}
	return completed == (uint64_t)count;
}

bool crowd_run_steps(const crowd_steps *s)
{
	stepbus *engine = open_engine(s);
	long next = 1;
	bool is_fine = engine != NULL;

	for (; is_fine && next <= WAITING; next += BATCH)
		is_fine = enqueue(engine, next, BATCH);
	is_fine = is_fine && begin_serving(engine, s);
	for (; is_fine && next <= s->count; next += BATCH)
		is_fine = wait_for(next - WAITING) && enqueue(engine, next, BATCH);
	is_fine = is_fine && wait_for_all(engine, next - 1);
	if (engine != NULL)
		stop(engine);
	return is_fine;
}
