/* SPDX-License-Identifier: MIT */
#include "torture/kill/roles.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/stepbus.h"
#include "torture/history/observer.h"

enum {
	BATCH_MAX = 8,
	KEY_COUNT = 5000,
	TEXT_LEN = 64,
};

static void pause_us(long time_us)
{
	const struct timespec time = { 0, time_us * 1000 };

	(void)ppoll(NULL, 0, &time, NULL);
}

static void log_record(void *user_data, int32_t level, const char *record, size_t len)
{
	(void)user_data;
	if (level >= STEPBUS_LOG_ERROR)
		(void)fprintf(stderr, "%.*s\n", (int)len, record);
}

static stepbus *open_engine(const role_options *options)
{
	const stepbus_host host = { .size = sizeof host, .log = log_record };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = NULL;
	char config[1024];
	int len =
		snprintf(config, sizeof config,
			 "{\"store\":\"sqlite:%s\",\"lease_ms\":1000,\"heartbeat_ms\":250,"
			 "\"poll_ms\":50,\"durability\":\"process\",\"crash_count_max\":%d,"
			 "\"retry\":{\"kind\":\"fixed\",\"base_ms\":20,\"attempt_count_max\":%d}}",
			 options->database_path, CRASH_COUNT_MAX, ATTEMPT_COUNT_MAX);
	const stepbus_options open = {
		.size = sizeof open, .config = config, .config_len = (size_t)len, .host = &host
	};
	stepbus_status status = stepbus_open(&open, &engine, &err);

	if (status == STEPBUS_OK)
		return engine;
	observer_fail("open", status, err.message);
	return NULL;
}

static void end_with_failure(stepbus_result *result, uint32_t is_retryable)
{
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = is_retryable,
					  .retry_after_ms = -1,
					  .message = "as it was told to",
					  .message_len = 17 };

	(void)stepbus_result_failure(result, &failure, NULL);
}

/* Gives the outcome that it wrote. */
static int behave(const stepbus_step_event *step, int64_t nonce, stepbus_result *result)
{
	char text[TEXT_LEN];
	int len = snprintf(text, sizeof text, "n%ld t%lu", nonce, (unsigned long)step->token);
	int64_t behaviour = nonce % 10;

	if (behaviour == BEHAVIOUR_CRASH && nonce / 10 % 10 == 0)
		(void)kill(getpid(), SIGKILL);
	if (behaviour == BEHAVIOUR_SLOW)
		pause_us(5000 + (long)(nonce / 10 % 10) * 3000);
	if (behaviour == BEHAVIOUR_SNOOZE && step->token % 2 == 0) {
		(void)stepbus_result_snooze(result, 10, NULL);
		return STEPBUS_OUTCOME_SNOOZE;
	}
	if (behaviour == BEHAVIOUR_FAIL_FOR_GOOD ||
	    (behaviour == BEHAVIOUR_FAIL_TWICE && step->retry_count < 2)) {
		end_with_failure(result, behaviour == BEHAVIOUR_FAIL_TWICE);
		return STEPBUS_OUTCOME_FAILURE;
	}
	(void)stepbus_result_success(result, text, (size_t)len, NULL);
	return STEPBUS_OUTCOME_SUCCESS;
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	int64_t id = observer_id_of_bytes(step->step_id);
	char input[TEXT_LEN] = "";
	int64_t nonce;
	int outcome;

	(void)instance;
	if (step->input_len < sizeof input)
		memcpy(input, step->input, step->input_len);
	nonce = strtoll(input + 1, NULL, 10);
	observer_note(LOG_STARTED, id, (int64_t)step->token, nonce, 0);
	outcome = behave(step, nonce, result);
	observer_note(LOG_ENDED, id, (int64_t)step->token, outcome, 0);
	return 0;
}

static int32_t note_completion(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_completion *completion = NULL;

	(void)user_data;
	(void)event_id;
	if (stepbus_payload_completion(payload, len, &completion, NULL) == STEPBUS_OK)
		observer_note(LOG_COMPLETED, observer_id_of_bytes(completion->step_id),
			      (int64_t)completion->token, completion->outcome, 0);
	return 0;
}

static int32_t note_loss(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	observer_note(LOG_LOST, 0, 0, 0, 0);
	return 0;
}

static stepbus_status subscribe(stepbus *engine, const char *name, stepbus_event_fn deliver,
				stepbus_error *err)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = deliver };

	return stepbus_bridge_subscribe(stepbus_engine_bridge(engine), name, strlen(name),
					&subscription, NULL, err);
}

static stepbus_status begin_serving(stepbus *engine, const role_options *options,
				    stepbus_error *err)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = serve
	};
	stepbus_worker *worker = NULL;
	char config[128];
	int len = snprintf(config, sizeof config,
			   "{\"id\":\"worker-%d\",\"block_size\":%d,\"pool_size\":2}",
			   options->process, options->process % 2 == 0 ? 4 : 64);
	stepbus_status status =
		stepbus_registry_register(stepbus_engine_registry(engine), &spec, err);

	if (status == STEPBUS_OK)
		status =
			subscribe(engine, STEPBUS_EVENT_STEP_COMPLETION_SENT, note_completion, err);
	if (status == STEPBUS_OK)
		status = subscribe(engine, "worker.lost", note_loss, err);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(engine, config, (size_t)len, &worker, err);
	return status;
}

/* Engines do not touch the caller's signals, so this thread may wait for one. */
static void wait_for_end(void)
{
	sigset_t end;
	int number;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	(void)sigwait(&end, &number);
}

static bool is_ended(void)
{
	static const struct timespec now = { 0, 0 };
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	return sigtimedwait(&end, NULL, &now) == SIGTERM;
}

int role_worker(const role_options *options)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = open_engine(options);
	stepbus_status status;

	if (engine == NULL)
		return 1;
	status = begin_serving(engine, options, &err);
	if (status != STEPBUS_OK) {
		observer_fail("start a worker", status, err.message);
		return 1;
	}
	observer_note(LOG_READY, 0, 0, 0, 0);
	wait_for_end();
	status = stepbus_stop(engine, -1, NULL, &err);
	if (status != STEPBUS_OK)
		observer_fail("stop", status, err.message);
	stepbus_close(engine);
	return 0;
}

/* A batch: what is enqueued in one call. */
typedef struct batch {
	size_t count;
	int64_t nonces[BATCH_MAX];
	int64_t keys[BATCH_MAX];
	char inputs[BATCH_MAX][TEXT_LEN];
	char key_texts[BATCH_MAX][TEXT_LEN];
	stepbus_step_spec specs[BATCH_MAX];
	stepbus_enqueued results[BATCH_MAX];
} batch;

static void fill(batch *b, int64_t *next_nonce, uint32_t *random)
{
	*b = (batch){ .count = 1 + *random % BATCH_MAX };
	for (size_t i = 0; i < b->count; i++) {
		stepbus_step_spec *spec = &b->specs[i];

		*random = *random * 1664525 + 1013904223;
		b->nonces[i] = (*next_nonce)++;
		b->keys[i] = *random >> 16 & 1 ? (int64_t)((*random >> 8) % KEY_COUNT) : -1;
		(void)snprintf(b->inputs[i], TEXT_LEN, "n%ld", b->nonces[i]);
		(void)snprintf(b->key_texts[i], TEXT_LEN, "k%ld", b->keys[i]);
		*spec = (stepbus_step_spec){ .size = sizeof *spec,
					     .handler_name = "work",
					     .handler_name_len = 4,
					     .input = b->inputs[i],
					     .input_len = strlen(b->inputs[i]),
					     .priority = 1 + (int32_t)(*random % 3) };
		if (b->keys[i] >= 0) {
			spec->idempotency_key = b->key_texts[i];
			spec->idempotency_key_len = strlen(b->key_texts[i]);
		}
	}
	b->results[0].size = sizeof b->results[0];
}

static void enqueue(stepbus *engine, batch *b)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;

	for (size_t i = 0; i < b->count; i++)
		observer_note(LOG_INVOKED, b->nonces[i], b->keys[i], 0, 0);
	status = stepbus_step_enqueue(engine, b->specs, b->count, b->results, &err);
	for (size_t i = 0; i < b->count; i++)
		if (status == STEPBUS_OK)
			observer_note(LOG_ENQUEUED, b->nonces[i], b->keys[i],
				      observer_id_of_bytes(b->results[i].step_id),
				      b->results[i].is_existing);
		else
			observer_note(LOG_UNSURE, b->nonces[i], status, 0, 0);
	if (status != STEPBUS_OK && status != STEPBUS_EBUSY)
		observer_fail("enqueue", status, err.message);
}

int role_enqueuer(const role_options *options)
{
	int64_t next_nonce = (int64_t)options->process * NONCES_PER_PROCESS;
	uint32_t random = (uint32_t)options->process * 2654435761U + 1;
	stepbus *engine = open_engine(options);
	batch b;

	if (engine == NULL)
		return 1;
	observer_note(LOG_READY, 0, 0, 0, 0);
	while (!is_ended()) {
		fill(&b, &next_nonce, &random);
		enqueue(engine, &b);
		pause_us(4000);
	}
	stepbus_close(engine);
	return 0;
}
