/* SPDX-License-Identifier: MIT */
#include "support/workshop.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/ids.h"
#include "support/spec.h"

enum { UGLY_LEN = 1024 * 1024 };

static bool is_text(sb_slice text, const char *expected)
{
	return sb_slice_is_equal(text, sb_slice_z(expected));
}

static void fail_with(stepbus_result *result, sb_slice message, bool is_retryable)
{
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = is_retryable,
					  .retry_after_ms = -1,
					  .message = message.data,
					  .message_len = message.len,
					  .error_type = "broken",
					  .error_type_len = 6,
					  .error_code = "E1",
					  .error_code_len = 2 };

	(void)stepbus_result_failure(result, &failure, NULL);
}

static void fail_ugly(stepbus_result *result)
{
	char *text = malloc(UGLY_LEN);

	if (text == NULL)
		return;
	for (size_t i = 0; i < UGLY_LEN; i++)
		text[i] = (char)(i * 7);
	fail_with(result, sb_slice_of(text, UGLY_LEN), false);
	free(text);
}

static void succeed_large(stepbus_result *result, sb_slice count)
{
	size_t len = 0;
	char *bytes;

	for (size_t i = 0; i < count.len; i++)
		len = len * 10 + (size_t)(count.data[i] - '0');
	bytes = calloc(1, len);
	if (bytes == NULL)
		return;
	(void)stepbus_result_success(result, bytes, len, NULL);
	free(bytes);
}

static void hold(test_workshop *w)
{
	pthread_mutex_lock(&w->lock);
	w->held_count++;
	while (w->let_go_count == 0)
		pthread_cond_wait(&w->changed, &w->lock);
	w->let_go_count--;
	w->held_count--;
	pthread_mutex_unlock(&w->lock);
}

static test_run_note *note_start(test_workshop *w, const stepbus_step_event *step)
{
	test_run_note *note;

	pthread_mutex_lock(&w->lock);
	note = &w->runs[w->started_count % TEST_RUN_MAX];
	memcpy(note->step_id, step->step_id, sizeof note->step_id);
	note->token = step->token;
	note->retry_count = step->retry_count;
	w->started_count++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return note;
}

static void note_end(test_workshop *w, test_run_note *note, const stepbus_context *context)
{
	pthread_mutex_lock(&w->lock);
	note->checked = stepbus_context_check(context);
	w->ended_count++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static int32_t work(void *instance, const stepbus_context *context, stepbus_result *result)
{
	test_workshop *w = instance;
	const stepbus_step_event *step = stepbus_context_step(context);
	sb_slice input = sb_slice_of(step->input, step->input_len);
	test_run_note *note = note_start(w, step);

	if (is_text(input, "fail"))
		fail_with(result, sb_slice_z("it is broken"), false);
	else if (is_text(input, "retry"))
		fail_with(result, sb_slice_z("not yet"), true);
	else if (is_text(input, "ugly"))
		fail_ugly(result);
	else if (is_text(input, "snooze"))
		(void)stepbus_result_snooze(result, 0, NULL);
	else if (input.len > 6 && memcmp(input.data, "large:", 6) == 0)
		succeed_large(result, sb_slice_of(input.data + 6, input.len - 6));
	else if (input.len >= 5 && memcmp(input.data, "echo:", 5) == 0)
		(void)stepbus_result_success(result, input.data + 5, input.len - 5, NULL);
	else
		(void)stepbus_result_success(result, NULL, 0, NULL);
	if (is_text(input, "hold"))
		hold(w);
	while (is_text(input, "watch") && stepbus_context_check(context) == STEPBUS_OK)
		sched_yield();
	note_end(w, note, context);
	return 0;
}

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	test_workshop *w = user_data;

	pthread_mutex_lock(&w->lock);
	for (int i = 0; i < SB_EVENT_COUNT && w->engine != NULL; i++) {
		if (w->engine->event_ids[i] != event_id)
			continue;
		w->event_counts[i]++;
		if (i != SB_EVENT_COMPLETION && i != SB_EVENT_RECEIVED &&
		    len < sizeof w->last_event) {
			memcpy(w->last_event, payload, len);
			w->last_event[len] = '\0';
		}
	}
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static stepbus *open_engine(test_workshop *w, const char *more)
{
	char config[TEST_PATH_LEN + 512];
	stepbus_options options = { .size = sizeof options, .config = config };
	stepbus_handler_spec spec = test_spec("work", NULL);
	stepbus *engine = NULL;

	(void)snprintf(config, sizeof config, "{\"store\":\"%s%s\"%s}",
		       w->is_on_disk ? "sqlite:" : "memory:", w->path, more);
	options.config_len = strlen(config);
	if (stepbus_open(&options, &engine, &w->err) != STEPBUS_OK)
		fail_msg("%s", w->err.message);
	spec.call = work;
	spec.user_data = w;
	assert_int_equal(stepbus_registry_register(stepbus_engine_registry(engine), &spec, &w->err),
			 STEPBUS_OK);
	return engine;
}

static void set_up(test_workshop *w, const char *more)
{
	const stepbus_subscription everything = { .size = sizeof everything,
						  .deliver = hear,
						  .user_data = w };
	stepbus *engine = open_engine(w, more);

	pthread_mutex_lock(&w->lock);
	w->engine = engine;
	pthread_mutex_unlock(&w->lock);
	assert_int_equal(stepbus_bridge_subscribe(stepbus_engine_bridge(engine), "*", 1,
						  &everything, NULL, &w->err),
			 STEPBUS_OK);
}

static int open_workshop(void **state, bool is_on_disk)
{
	test_workshop *w = calloc(1, sizeof *w);
	pthread_condattr_t attributes;

	assert_non_null(w);
	w->is_on_disk = is_on_disk;
	w->err.size = sizeof w->err;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	test_tempdir_make(&w->dir);
	if (is_on_disk)
		test_tempdir_path(&w->dir, "steps.db", w->path);
	set_up(w, "");
	*state = w;
	return 0;
}

int test_workshop_open_memory(void **state)
{
	return open_workshop(state, false);
}

int test_workshop_open_disk(void **state)
{
	return open_workshop(state, true);
}

static void tear_down(test_workshop *w)
{
	stepbus *engine = w->engine;

	test_workshop_let_go(w, TEST_RUN_MAX);
	stepbus_close(engine);
	pthread_mutex_lock(&w->lock);
	w->engine = NULL;
	w->worker = NULL;
	w->let_go_count = 0;
	pthread_mutex_unlock(&w->lock);
}

int test_workshop_close(void **state)
{
	test_workshop *w = *state;

	tear_down(w);
	test_tempdir_remove(&w->dir);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

void test_workshop_reopen(test_workshop *w, const char *more)
{
	tear_down(w);
	set_up(w, more);
}

stepbus *test_workshop_open_other(test_workshop *w)
{
	return open_engine(w, "");
}

void test_workshop_work(test_workshop *w)
{
	static const char config[] = "{\"pool_size\":4}";

	if (stepbus_worker_start(w->engine, config, strlen(config), &w->worker, &w->err) !=
	    STEPBUS_OK)
		fail_msg("%s", w->err.message);
}

stepbus_step_spec test_workshop_spec(const char *input)
{
	return (stepbus_step_spec){ .size = sizeof(stepbus_step_spec),
				    .handler_name = "work",
				    .handler_name_len = 4,
				    .input = input,
				    .input_len = strlen(input),
				    .content_type = "text/plain",
				    .content_type_len = 10 };
}

void test_workshop_enqueue(test_workshop *w, const stepbus_step_spec *spec, uint8_t id[16])
{
	stepbus_enqueued out = { .size = sizeof out };

	if (stepbus_step_enqueue(w->engine, spec, 1, &out, &w->err) != STEPBUS_OK)
		fail_msg("%s", w->err.message);
	memcpy(id, out.step_id, sizeof out.step_id);
}

void test_workshop_add(test_workshop *w, const char *input, uint8_t id[16])
{
	const stepbus_step_spec spec = test_workshop_spec(input);

	test_workshop_enqueue(w, &spec, id);
}

/* Waits until a count is reached; false: it never was. */
static bool await(test_workshop *w, const uint32_t *count, uint32_t wanted)
{
	struct timespec end;
	int failure = 0;
	bool is_reached;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += TEST_WORKSHOP_LIMIT_S;
	pthread_mutex_lock(&w->lock);
	while (*count < wanted && failure != ETIMEDOUT)
		failure = pthread_cond_timedwait(&w->changed, &w->lock, &end);
	is_reached = *count >= wanted;
	pthread_mutex_unlock(&w->lock);
	return is_reached;
}

void test_workshop_await_started(test_workshop *w, uint32_t count)
{
	assert_true(await(w, &w->started_count, count));
}

void test_workshop_await_ended(test_workshop *w, uint32_t count)
{
	assert_true(await(w, &w->ended_count, count));
}

void test_workshop_await_event(test_workshop *w, sb_engine_event event, uint32_t count)
{
	assert_true(await(w, &w->event_counts[event], count));
}

void test_workshop_let_go(test_workshop *w, uint32_t count)
{
	pthread_mutex_lock(&w->lock);
	w->let_go_count += count;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

stepbus_outcome *test_workshop_await(test_workshop *w, const uint8_t id[16])
{
	stepbus_outcome *outcome = NULL;

	if (stepbus_step_await(w->engine, id, TEST_WORKSHOP_LIMIT_S * 1000, &outcome, &w->err) !=
	    STEPBUS_OK)
		fail_msg("%s", w->err.message);
	return outcome;
}

uint32_t test_workshop_started(test_workshop *w)
{
	uint32_t count;

	pthread_mutex_lock(&w->lock);
	count = w->started_count;
	pthread_mutex_unlock(&w->lock);
	return count;
}

uint32_t test_workshop_events(test_workshop *w, sb_engine_event event)
{
	uint32_t count;

	pthread_mutex_lock(&w->lock);
	count = w->event_counts[event];
	pthread_mutex_unlock(&w->lock);
	return count;
}

typedef struct look {
	sb_step_status status;
	sb_attempt_row attempt;
} look;

static bool note_view(void *context, const sb_step_view *view)
{
	look *l = context;

	l->status = view->status;
	if (view->has_error)
		l->attempt = view->error;
	return false;
}

static look look_at(test_workshop *w, const uint8_t id[16])
{
	sb_store *store = w->engine->store;
	look l = { 0 };

	(void)store->type->step_view(store, sb_id_to_row(id, store->tag), note_view, &l, NULL);
	return l;
}

sb_step_status test_workshop_status(test_workshop *w, const uint8_t id[16])
{
	return look_at(w, id).status;
}

int test_workshop_state(test_workshop *w, const uint8_t id[16])
{
	return (int)look_at(w, id).status.state;
}

sb_attempt_row test_workshop_attempt(test_workshop *w, const uint8_t id[16])
{
	return look_at(w, id).attempt;
}
