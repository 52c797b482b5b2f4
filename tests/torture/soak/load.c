/* SPDX-License-Identifier: MIT */
#include "torture/soak/load.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/stepbus.h"
#include "torture/soak/churn.h"
#include "torture/soak/counted.h"

enum { BATCH = 100, WAITING_MAX = 5000, POLL_MAX = 64, PATH_LEN = 256, REST_TRIES = 300 };

struct load {
	char directory[PATH_LEN];
	char database[PATH_LEN + 16];
	stepbus *engine;
	stepbus_worker *puller;
	pthread_t enqueuing, polling, churning;
	bool is_leaking;
	uint32_t random;
	_Atomic(bool) is_ending;
	_Atomic(bool) is_resting; /* nothing new begins */
	_Atomic(uint64_t) enqueued_count;
	_Atomic(uint64_t) final_count;
	_Atomic(uint64_t) run_count;
	_Atomic(uint64_t) failure_count;
	churn churn;
};

static void note(load *l, const char *what, stepbus_status status, const stepbus_error *err)
{
	if (status == STEPBUS_OK || atomic_fetch_add(&l->failure_count, 1) > 10)
		return;
	(void)fprintf(stderr, "%s: %s: %s\n", what, stepbus_status_name(status), err->message);
}

static uint32_t draw(uint32_t *random, uint32_t count)
{
	*random ^= *random << 13;
	*random ^= *random >> 17;
	*random ^= *random << 5;
	return *random % count;
}

static void nap(long time_us)
{
	const struct timespec time = { time_us / 1000000, time_us % 1000000 * 1000 };

	(void)ppoll(NULL, 0, &time, NULL);
}

/* The first letter of a step's input says what becomes of it. */
static const char behaviours[] = "ssssssssssssssssfgzcr";

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	load *l = instance;
	const char *input = step->input;
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = input[0] == 'f',
					  .retry_after_ms = 1,
					  .message = "as it was told to",
					  .message_len = 17 };

	/* Behind the library's back, so that only what counts bytes can see it. */
	if (atomic_fetch_add(&l->run_count, 1) % LOAD_LEAK_EACH == 0 && l->is_leaking &&
	    malloc(LOAD_LEAK_LEN) == NULL)
		return 0;
	if ((input[0] == 'f' && step->retry_count < 1) || input[0] == 'g')
		(void)stepbus_result_failure(result, &failure, NULL);
	else if (input[0] == 'z' && step->token % 2 == 0)
		(void)stepbus_result_snooze(result, 1, NULL);
	else
		(void)stepbus_result_success(result, step->input, step->input_len, NULL);
	return 0;
}

static void fill(stepbus_step_spec *spec, char input[16], uint32_t *random)
{
	bool is_polled = draw(random, 2) == 0;

	(void)snprintf(input, 16, "%c%u", behaviours[draw(random, sizeof behaviours - 1)],
		       *random % 100000);
	*spec = (stepbus_step_spec){ .size = sizeof *spec,
				     .handler_name = is_polled ? "polled" : "called",
				     .handler_name_len = 6,
				     .queue = is_polled ? "polled" : "called",
				     .queue_len = 6,
				     .input = input,
				     .input_len = strlen(input),
				     .priority = (int32_t)draw(random, 3),
				     .delay_ms = draw(random, 20) == 0 ? 5 : 0 };
	if (draw(random, 10) == 0) {
		spec->idempotency_key = input;
		spec->idempotency_key_len = strlen(input);
	}
}

static void *enqueue(void *context)
{
	load *l = context;
	stepbus_error err = STEPBUS_ERROR_INIT;
	static stepbus_step_spec specs[BATCH];
	static stepbus_enqueued results[BATCH];
	static char inputs[BATCH][16];
	uint32_t random = l->random;

	while (!atomic_load(&l->is_ending)) {
		stepbus_status status;
		uint64_t made = 0;

		if (atomic_load(&l->is_resting) ||
		    atomic_load(&l->enqueued_count) > atomic_load(&l->final_count) + WAITING_MAX) {
			nap(1000);
			continue;
		}
		for (size_t i = 0; i < BATCH; i++)
			fill(&specs[i], inputs[i], &random);
		results[0].size = sizeof results[0];
		status = stepbus_step_enqueue(l->engine, specs, BATCH, results, &err);
		note(l, "enqueue", status, &err);
		for (size_t i = 0; i < BATCH && status == STEPBUS_OK; i++)
			made += results[i].is_existing == 0;
		atomic_fetch_add(&l->enqueued_count, made);
		churn_offer(&l->churn, results[0].step_id);
	}
	return NULL;
}

/* Checkpoints and releases are calls of their own; what else is said goes back in one. */
static bool is_answered_apart(load *l, const stepbus_step_event *step)
{
	const char *input = step->input;
	stepbus_checkpoint_spec at = { .size = sizeof at,
				       .token = step->token,
				       .cursor = "half",
				       .cursor_len = 4,
				       .items_processed = 1 };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status = STEPBUS_OK;

	memcpy(at.step_id, step->step_id, sizeof at.step_id);
	if (input[0] == 'c' && step->cursor_len == 0)
		status = stepbus_checkpoint(l->engine, &at, &err);
	else if (input[0] == 'r' && step->token % 2 == 0)
		status = stepbus_release(l->engine, step->step_id, step->token, &err);
	else
		return false;
	if (status != STEPBUS_ECANCELLED)
		note(l, "checkpoint or release", status, &err);
	return true;
}

static stepbus_completion answer(const stepbus_step_event *step)
{
	const char *input = step->input;
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .token = step->token,
				 .retry_after_ms = 1,
				 .result = step->input,
				 .result_len = step->input_len };

	memcpy(c.step_id, step->step_id, sizeof c.step_id);
	if ((input[0] == 'f' && step->retry_count < 1) || input[0] == 'g') {
		c.outcome = STEPBUS_OUTCOME_FAILURE;
		c.is_retryable = input[0] == 'f';
		c.error_type = "soak";
		c.error_type_len = 4;
		c.error_message = "as it was told to";
		c.error_message_len = 17;
	}
	if (input[0] == 'z' && step->token % 2 == 0)
		c.outcome = STEPBUS_OUTCOME_SNOOZE;
	return c;
}

static void answer_all(load *l, const stepbus_step_event *steps, size_t count)
{
	stepbus_completion completions[POLL_MAX];
	stepbus_status each[POLL_MAX];
	stepbus_error err = STEPBUS_ERROR_INIT;
	size_t left = 0;

	for (size_t i = 0; i < count; i++)
		if (!is_answered_apart(l, &steps[i]))
			completions[left++] = answer(&steps[i]);
	if (left == 0)
		return;
	(void)stepbus_complete(l->engine, completions, left, each, &err);
	for (size_t i = 0; i < left; i++)
		if (each[i] != STEPBUS_ECANCELLED)
			note(l, "complete", each[i], &err);
}

static void *run_host(void *context)
{
	load *l = context;
	stepbus_step_event steps[POLL_MAX] = { { .size = sizeof *steps } };
	stepbus_error err = STEPBUS_ERROR_INIT;
	size_t count = 0;

	while (!atomic_load(&l->is_ending)) {
		stepbus_status status = stepbus_poll(l->puller, steps, POLL_MAX, 100, &count, &err);

		if (status != STEPBUS_ETIMEDOUT)
			note(l, "poll", status, &err);
		if (status == STEPBUS_OK)
			answer_all(l, steps, count);
	}
	return NULL;
}

static void *run_churn(void *context)
{
	load *l = context;

	while (!atomic_load(&l->is_ending)) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		const char *what = NULL;

		if (!atomic_load(&l->is_resting))
			note(l, what, churn_turn(&l->churn, &what, &err), &err);
		nap(20000);
	}
	return NULL;
}

static int32_t count_final(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	load *l = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add(&l->final_count, 1);
	return 0;
}

static stepbus_status open_engine(load *l, stepbus_error *err)
{
	char config[1024];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"durability\":\"process\","
			   "\"retention\":{\"completed_ms\":500,\"failed_ms\":500,"
			   "\"cancelled_ms\":500,\"sweep_count_max\":10000}}",
			   l->database);
	const stepbus_host host = counted_host();
	const stepbus_options options = {
		.size = sizeof options, .config = config, .config_len = (size_t)len, .host = &host
	};
	const stepbus_handler_spec called = { .size = sizeof called,
					      .name = "called",
					      .name_len = 6,
					      .call = serve,
					      .user_data = l };
	const stepbus_handler_spec polled = { .size = sizeof polled,
					      .flags = STEPBUS_HANDLER_PULLED,
					      .name = "polled",
					      .name_len = 6 };
	stepbus_status status = stepbus_open(&options, &l->engine, err);
	stepbus_registry *registry;

	if (status != STEPBUS_OK)
		return status;
	registry = stepbus_engine_registry(l->engine);
	status = stepbus_registry_register(registry, &called, err);
	return status == STEPBUS_OK ? stepbus_registry_register(registry, &polled, err) : status;
}

static stepbus_status begin(load *l, stepbus_error *err)
{
	static const char *const ends[] = { "step.completed", "step.failed", "step.cancelled" };
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = count_final,
						    .user_data = l };
	stepbus_status status = open_engine(l, err);

	for (size_t i = 0; i < sizeof ends / sizeof *ends && status == STEPBUS_OK; i++)
		status = stepbus_bridge_subscribe(stepbus_engine_bridge(l->engine), ends[i],
						  strlen(ends[i]), &subscription, NULL, err);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(
			l->engine, STEPBUS_TEXT("{\"pull\":true,\"queues\":[\"polled\"]}"),
			&l->puller, err);
	if (status == STEPBUS_OK)
		status = churn_begin(&l->churn, l->engine, l->database, l->random, err);
	return status;
}

load *load_begin(uint32_t seed, bool is_leaking)
{
	const char *base = getenv("TMPDIR");
	load *l = calloc(1, sizeof *l);
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;

	if (l == NULL)
		return NULL;
	counted_begin();
	l->random = seed | 1;
	l->is_leaking = is_leaking;
	(void)snprintf(l->directory, sizeof l->directory, "%s/stepbus-soak-XXXXXX",
		       base != NULL ? base : "/tmp");
	if (mkdtemp(l->directory) == NULL)
		return NULL;
	(void)snprintf(l->database, sizeof l->database, "%s/jobs.db", l->directory);
	status = begin(l, &err);
	if (status != STEPBUS_OK || pthread_create(&l->enqueuing, NULL, enqueue, l) != 0 ||
	    pthread_create(&l->polling, NULL, run_host, l) != 0 ||
	    pthread_create(&l->churning, NULL, run_churn, l) != 0) {
		(void)fprintf(stderr, "cannot begin: %s\n", err.message);
		return NULL;
	}
	return l;
}

void load_run(load *l, double seconds)
{
	nap((long)(seconds * 1e6));
	(void)l;
}

bool load_rest(load *l)
{
	static const char open[] =
		"{\"state\":[\"waiting\",\"scheduled\",\"ready\",\"parked\",\"running\"]}";
	uint64_t count = 1;

	atomic_store(&l->is_resting, true);
	for (int i = 0; i < REST_TRIES && count > 0; i++) {
		nap(100000);
		if (stepbus_step_count(l->engine, open, sizeof open - 1, &count, NULL) !=
		    STEPBUS_OK)
			count = 1;
	}
	return count == 0;
}

void load_go_on(load *l)
{
	/* What was redriven became final more than once. */
	atomic_store(&l->enqueued_count, atomic_load(&l->final_count));
	atomic_store(&l->is_resting, false);
}

static void remove_files(const load *l)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-wake" };
	char path[PATH_LEN + 32];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(path, sizeof path, "%s%s", l->database, ends[i]);
		(void)unlink(path);
	}
	if (rmdir(l->directory) != 0)
		(void)fprintf(stderr, "left over: %s\n", l->directory);
}

uint64_t load_end(load *l)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	uint64_t failures;

	atomic_store(&l->is_ending, true);
	(void)pthread_join(l->enqueuing, NULL);
	(void)pthread_join(l->churning, NULL);
	(void)pthread_join(l->polling, NULL);
	churn_end(&l->churn);
	note(l, "stop", stepbus_stop(l->engine, 30000, NULL, &err), &err);
	stepbus_close(l->engine);
	remove_files(l);
	failures = atomic_load(&l->failure_count);
	free(l);
	return failures;
}

uint64_t load_step_count(const load *l)
{
	return atomic_load(&l->final_count);
}

const char *load_directory(const load *l)
{
	return l->directory;
}

const char *load_database(const load *l)
{
	return l->database;
}
