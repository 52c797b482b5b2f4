/* SPDX-License-Identifier: MIT */
#include "support/station.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "support/thread.h"

static int64_t now_us(void *user_data)
{
	return atomic_load(&((test_station *)user_data)->now_us);
}

static int64_t elapsed_ns(void *user_data)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec +
	       atomic_load(&((test_station *)user_data)->ahead_ns);
}

static int32_t echo(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	(void)instance;
	return stepbus_result_success(result, step->input, step->input_len, NULL);
}

static int32_t fail_for_good(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const stepbus_failure failure = { .size = sizeof failure,
					  .retry_after_ms = -1,
					  .message = step->input,
					  .message_len = step->input_len,
					  .error_code = "E7",
					  .error_code_len = 2 };

	(void)instance;
	return stepbus_result_failure(result, &failure, NULL);
}

static void register_handler(test_station *s, const char *name, stepbus_handler_fn call)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = name, .name_len = strlen(name), .call = call
	};

	station_ok(s,
		   stepbus_registry_register(stepbus_engine_registry(s->engine), &spec, &s->err));
}

static int32_t note_end(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	test_station *s = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	sem_post(&s->ended);
	return STEPBUS_OK;
}

static void listen(test_station *s, const char *event)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = note_end,
						    .user_data = s };

	station_ok(s, stepbus_bridge_subscribe(stepbus_engine_bridge(s->engine), event,
					       strlen(event), &subscription, NULL, &s->err));
}

stepbus *test_station_second(test_station *s)
{
	const stepbus_options options = { .size = sizeof options,
					  .config = s->config,
					  .config_len = strlen(s->config),
					  .host = &s->host };
	stepbus *engine = NULL;

	station_ok(s, stepbus_open(&options, &engine, &s->err));
	return engine;
}

void test_station_begin(test_station *s, bool is_in_memory, const char *keys)
{
	char path[TEST_PATH_LEN];

	memset(s, 0, sizeof *s);
	s->err = (stepbus_error)STEPBUS_ERROR_INIT;
	s->is_in_memory = is_in_memory;
	s->now_us = INT64_C(1795257045123456);
	s->host = (stepbus_host){
		.size = sizeof s->host, .user_data = s, .now_us = now_us, .elapsed_ns = elapsed_ns
	};
	assert_int_equal(sem_init(&s->ended, 0, 0), 0);
	test_tempdir_make(&s->dir);
	test_tempdir_path(&s->dir, "jobs.db", path);
	(void)snprintf(s->config, sizeof s->config, "{\"store\":\"%s%s\"%s%s}",
		       is_in_memory ? "memory:" : "sqlite:", is_in_memory ? "" : path,
		       keys != NULL ? "," : "", keys != NULL ? keys : "");
}

void test_station_start(test_station *s)
{
	s->engine = test_station_second(s);
	register_handler(s, "echo", echo);
	register_handler(s, "fail", fail_for_good);
	listen(s, "step.completed");
	listen(s, "step.failed");
}

void test_station_open(test_station *s, bool is_in_memory, const char *keys)
{
	test_station_begin(s, is_in_memory, keys);
	test_station_start(s);
}

void test_station_stop(test_station *s)
{
	stepbus_worker_free(s->worker);
	stepbus_close(s->engine);
	s->worker = NULL;
	s->engine = NULL;
}

void test_station_close(test_station *s)
{
	test_station_stop(s);
	test_tempdir_remove(&s->dir);
	sem_destroy(&s->ended);
}

void test_station_work(test_station *s)
{
	static const char config[] =
		"{\"id\":\"w\",\"pool_size\":2,\"capabilities\":[\"fast\",\"near\"]}";

	station_ok(s, stepbus_worker_start(s->engine, config, strlen(config), &s->worker, &s->err));
}

void test_station_await(test_station *s, int count)
{
	while (count-- > 0)
		test_semaphore_wait(&s->ended);
}

void test_station_advance(test_station *s, int64_t us)
{
	atomic_fetch_add(&s->now_us, us);
	station_ok(s, stepbus_engine_wake(s->engine, &s->err));
}

stepbus_step_spec test_station_spec(const char *handler, const char *input)
{
	return (stepbus_step_spec){ .size = sizeof(stepbus_step_spec),
				    .handler_name = handler,
				    .handler_name_len = strlen(handler),
				    .input = input,
				    .input_len = strlen(input) };
}

void test_station_enqueue(test_station *s, const stepbus_step_spec *spec, uint8_t step_id[16])
{
	stepbus_enqueued out = { .size = sizeof out };

	station_ok(s, stepbus_step_enqueue(s->engine, spec, 1, &out, &s->err));
	if (step_id != NULL)
		memcpy(step_id, out.step_id, 16);
}

cJSON *test_station_info(test_station *s, const uint8_t step_id[16])
{
	stepbus_text *text = NULL;

	station_ok(s, stepbus_step_info(s->engine, step_id, &text, &s->err));
	return test_answer_take(text);
}

cJSON *test_station_attempts(test_station *s, const uint8_t step_id[16])
{
	stepbus_text *text = NULL;

	station_ok(s, stepbus_step_attempts(s->engine, step_id, &text, &s->err));
	return test_answer_take(text);
}

cJSON *test_station_list(test_station *s, const char *filter)
{
	stepbus_text *text = NULL;

	station_ok(s, stepbus_step_list(s->engine, filter, strlen(filter), &text, &s->err));
	return test_answer_take(text);
}

uint64_t test_station_count(test_station *s, const char *filter)
{
	uint64_t count = 0;

	station_ok(s, stepbus_step_count(s->engine, filter, strlen(filter), &count, &s->err));
	return count;
}
