/* SPDX-License-Identifier: MIT */
/*
 * What takes minutes and years, tested by a host through the public interface alone: a clock that is
 * lent, moved, and an engine that is woken.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "include/stepbus.h"
#include "support/cmocka.h"
#include "support/tempdir.h"

#define BEGUN_US INT64_C(1795257000000000) /* 2026-11-21 10:30:00 */
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

enum { LIMIT_S = 60, RUN_MAX = 64 };

/* What is counted. */
typedef enum happening {
	RUN,
	COMPLETED,
	FAILED,
	RETRIED,
	SNOOZED,
	LOST,
	HAPPENING_COUNT
} happening;

static const char *const event_names[HAPPENING_COUNT] = {
	[COMPLETED] = "step.completed",
	[FAILED] = "step.failed",
	[RETRIED] = "step.retry_requested",
	[SNOOZED] = "step.snoozed",
	[LOST] = "worker.lost",
};

typedef struct counter {
	struct scene *scene;
	happening what;
} counter;

typedef struct scene {
	bool is_on_disk;
	test_tempdir dir;
	stepbus_clock *clock;
	stepbus_host host;
	stepbus *engine;
	stepbus_error err;
	_Atomic(bool) is_held;
	_Atomic(int32_t) told; /* what the last handler that held was told */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	int counts[HAPPENING_COUNT];
	int64_t run_at_us[RUN_MAX];
	counter counters[HAPPENING_COUNT];
} scene;

#define scene_ok(s, call)                                                           \
	do {                                                                        \
		stepbus_status status_ = (call);                                    \
		if (status_ != STEPBUS_OK)                                          \
			fail_msg("%s: %s: %s", #call, stepbus_status_name(status_), \
				 (s)->err.message);                                 \
	} while (0)

static void count_one(scene *s, happening what)
{
	pthread_mutex_lock(&s->lock);
	if (what == RUN && s->counts[RUN] < RUN_MAX)
		s->run_at_us[s->counts[RUN]] = s->host.now_us(s->host.user_data);
	s->counts[what]++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static int count_of(scene *s, happening what)
{
	int count;

	pthread_mutex_lock(&s->lock);
	count = s->counts[what];
	pthread_mutex_unlock(&s->lock);
	return count;
}

static void await(scene *s, happening what, int count)
{
	struct timespec until;
	int failure = 0, found;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LIMIT_S;
	pthread_mutex_lock(&s->lock);
	while (s->counts[what] < count && failure == 0)
		failure = pthread_cond_timedwait(&s->changed, &s->lock, &until);
	found = s->counts[what];
	pthread_mutex_unlock(&s->lock);
	if (found < count)
		fail_msg("%d of %d of happening %d", found, count, (int)what);
}

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const counter *c = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	count_one(c->scene, c->what);
	return STEPBUS_OK;
}

static bool is_input(const stepbus_step_event *step, const char *text)
{
	return step->input_len == strlen(text) && memcmp(step->input, text, step->input_len) == 0;
}

/* "hold" runs until it is let go of or told to stop; "retry" and "snooze" do so once. */
static int32_t work(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	static const stepbus_failure failure = { .size = sizeof failure,
						 .is_retryable = 1,
						 .retry_after_ms = -1,
						 .message = "not yet",
						 .message_len = 7 };
	scene *s = instance;
	int before = count_of(s, RUN);

	count_one(s, RUN);
	if (is_input(step, "retry") && step->retry_count == 0)
		return stepbus_result_failure(result, &failure, NULL);
	if (is_input(step, "snooze") && before == 0)
		return stepbus_result_snooze(result, 5 * MINUTE_MS, NULL);
	while (is_input(step, "hold") && atomic_load(&s->is_held) &&
	       stepbus_context_check(context) == STEPBUS_OK)
		sched_yield();
	atomic_store(&s->told, stepbus_context_check(context));
	return stepbus_result_success(result, NULL, 0, NULL);
}

static void listen(scene *s)
{
	for (int i = 0; i < HAPPENING_COUNT; i++) {
		const stepbus_subscription subscription = { .size = sizeof subscription,
							    .deliver = hear,
							    .user_data = &s->counters[i] };

		s->counters[i] = (counter){ s, (happening)i };
		if (event_names[i] != NULL)
			scene_ok(s, stepbus_bridge_subscribe(stepbus_engine_bridge(s->engine),
							     event_names[i], strlen(event_names[i]),
							     &subscription, NULL, &s->err));
	}
}

static void open_engine(scene *s)
{
	char path[TEST_PATH_LEN], config[2 * TEST_PATH_LEN];
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = work, .user_data = s
	};
	stepbus_options options = { .size = sizeof options, .config = config, .host = &s->host };
	stepbus_worker *worker = NULL;

	test_tempdir_path(&s->dir, "steps.db", path);
	(void)snprintf(config, sizeof config, "{\"store\":\"%s%s\"}",
		       s->is_on_disk ? "sqlite:" : "memory:", s->is_on_disk ? path : "");
	options.config_len = strlen(config);
	scene_ok(s, stepbus_open(&options, &s->engine, &s->err));
	scene_ok(s, stepbus_registry_register(stepbus_engine_registry(s->engine), &spec, &s->err));
	listen(s);
	scene_ok(s, stepbus_worker_start(s->engine, NULL, 0, &worker, &s->err));
}

static void begin(void **state, bool is_on_disk)
{
	static scene s;

	s = (scene){ .is_on_disk = is_on_disk,
		     .err = STEPBUS_ERROR_INIT,
		     .host = { .size = sizeof s.host } };
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.changed, NULL);
	test_tempdir_make_fast(&s.dir);
	scene_ok(&s, stepbus_clock_new(BEGUN_US, &s.clock, &s.err));
	scene_ok(&s, stepbus_clock_lend(s.clock, &s.host, &s.err));
	atomic_store(&s.is_held, true);
	open_engine(&s);
	*state = &s;
}

static int begin_in_memory(void **state)
{
	begin(state, false);
	return 0;
}

static int begin_on_disk(void **state)
{
	begin(state, true);
	return 0;
}

static int end(void **state)
{
	scene *s = *state;

	atomic_store(&s->is_held, false);
	stepbus_close(s->engine);
	stepbus_clock_free(s->clock);
	test_tempdir_remove(&s->dir);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	return 0;
}

static stepbus_step_spec spec_of(const char *input)
{
	return (stepbus_step_spec){ .size = sizeof(stepbus_step_spec),
				    .handler_name = "work",
				    .handler_name_len = 4,
				    .input = input,
				    .input_len = strlen(input) };
}

static void enqueue(scene *s, const stepbus_step_spec *spec)
{
	scene_ok(s, stepbus_step_enqueue(s->engine, spec, 1, NULL, &s->err));
}

static void pass(scene *s, int64_t ms)
{
	scene_ok(s, stepbus_clock_advance(s->clock, ms, &s->err));
	scene_ok(s, stepbus_engine_wake(s->engine, &s->err));
}

/* A step without a time of its own goes through the engine: what was due before it is released. */
static void let_one_through(scene *s)
{
	const stepbus_step_spec spec = spec_of("ok");
	int count = count_of(s, COMPLETED);

	enqueue(s, &spec);
	await(s, COMPLETED, count + 1);
}

static void assert_run_at(scene *s, int n, int64_t ms)
{
	assert_int_equal(s->run_at_us[n], BEGUN_US + ms * 1000);
}

static void the_clock_stands_still_until_it_is_told(void **state)
{
	scene *s = *state;
	int64_t elapsed_ns = s->host.elapsed_ns(s->host.user_data);

	assert_int_equal(s->host.now_us(s->host.user_data), BEGUN_US);
	scene_ok(s, stepbus_clock_advance(s->clock, 1, &s->err));
	assert_int_equal(s->host.now_us(s->host.user_data), BEGUN_US + 1000);
	assert_int_equal(s->host.elapsed_ns(s->host.user_data), elapsed_ns + 1000000);
	assert_int_equal(s->host.elapsed_ns(s->host.user_data), elapsed_ns + 1000000);
}

static void a_delayed_step_runs_when_its_time_has_come(void **state)
{
	scene *s = *state;
	stepbus_step_spec spec = spec_of("ok");

	spec.delay_ms = 2 * HOUR_MS;
	enqueue(s, &spec);
	pass(s, 2 * HOUR_MS - 1);
	let_one_through(s);
	pass(s, 1);
	await(s, COMPLETED, 2);
	assert_run_at(s, 0, 2 * HOUR_MS - 1);
	assert_run_at(s, 1, 2 * HOUR_MS);
}

static void a_retry_comes_due(void **state)
{
	scene *s = *state;
	stepbus_step_spec spec = spec_of("retry");

	spec.retry_kind = STEPBUS_RETRY_FIXED;
	spec.retry_base_ms = 10 * MINUTE_MS;
	enqueue(s, &spec);
	await(s, RETRIED, 1);
	pass(s, 20 * MINUTE_MS);
	await(s, COMPLETED, 1);
	assert_run_at(s, 1, 20 * MINUTE_MS);
}

static void a_snooze_ends(void **state)
{
	scene *s = *state;
	stepbus_step_spec spec = spec_of("snooze");

	enqueue(s, &spec);
	await(s, SNOOZED, 1);
	pass(s, 5 * MINUTE_MS - 1);
	let_one_through(s);
	pass(s, 1);
	await(s, COMPLETED, 2);
	assert_run_at(s, 2, 5 * MINUTE_MS);
}

static void the_time_of_an_attempt_is_over(void **state)
{
	scene *s = *state;
	stepbus_step_spec spec = spec_of("hold");

	spec.attempt_timeout_ms = MINUTE_MS;
	spec.attempt_count_max = 1;
	enqueue(s, &spec);
	await(s, RUN, 1);
	pass(s, MINUTE_MS);
	await(s, FAILED, 1);
	let_one_through(s);
	assert_int_equal(count_of(s, RUN), 2);
}

static void a_cron_entry_fires(void **state)
{
	static const char entry[] = "{\"name\":\"nightly\",\"expression\":\"0 3 * * *\","
				    "\"step\":{\"handler\":\"work\"}}";
	scene *s = *state;

	scene_ok(s, stepbus_cron_set(s->engine, entry, sizeof entry - 1, &s->err));
	pass(s, 16 * HOUR_MS + 30 * MINUTE_MS - 1);
	let_one_through(s);
	pass(s, 1);
	await(s, COMPLETED, 2);
	for (int day = 1; day <= 3; day++) {
		pass(s, DAY_MS);
		await(s, COMPLETED, 2 + day);
	}
	assert_run_at(s, 1, 16 * HOUR_MS + 30 * MINUTE_MS);
	assert_run_at(s, 4, 16 * HOUR_MS + 30 * MINUTE_MS + 3 * DAY_MS);
}

/* Leases go by the same clock: a jump far over one ends none of the engine's own. */
static void steps_that_run_while_years_pass_are_not_lost(void **state)
{
	scene *s = *state;
	const stepbus_step_spec spec = spec_of("hold");
	static const int64_t jumps_ms[] = { MINUTE_MS, HOUR_MS, DAY_MS, 50 * 365 * DAY_MS };

	enqueue(s, &spec);
	await(s, RUN, 1);
	for (size_t i = 0; i < sizeof jumps_ms / sizeof *jumps_ms; i++) {
		pass(s, jumps_ms[i]);
		let_one_through(s);
	}
	atomic_store(&s->is_held, false);
	await(s, COMPLETED, 5);
	assert_int_equal(atomic_load(&s->told), STEPBUS_OK);
	assert_int_equal(count_of(s, LOST), 0);
	assert_int_equal(count_of(s, FAILED), 0);
	assert_int_equal(count_of(s, RUN), 5);
}

static void many_short_steps_of_the_clock_lose_nothing(void **state)
{
	scene *s = *state;
	stepbus_step_spec spec = spec_of("ok");

	for (int i = 1; i <= 50; i++) {
		spec.delay_ms = i * MINUTE_MS;
		enqueue(s, &spec);
	}
	for (int i = 1; i <= 50; i++)
		pass(s, MINUTE_MS);
	await(s, COMPLETED, 50);
	assert_int_equal(count_of(s, LOST), 0);
}

/* A step of the host's own threads, polled. */
static stepbus_step_event poll_one(scene *s, const char *worker_config, int64_t attempt_timeout_ms)
{
	const stepbus_handler_spec spec = { .size = sizeof spec,
					    .flags = STEPBUS_HANDLER_PULLED,
					    .name = "pulled",
					    .name_len = 6 };
	const stepbus_step_spec step = { .size = sizeof step,
					 .handler_name = "pulled",
					 .handler_name_len = 6,
					 .attempt_count_max = 1,
					 .attempt_timeout_ms = attempt_timeout_ms };
	stepbus_step_event event = { .size = sizeof event };
	stepbus_worker *worker = NULL;
	size_t count = 0;

	scene_ok(s, stepbus_registry_register(stepbus_engine_registry(s->engine), &spec, &s->err));
	scene_ok(s, stepbus_worker_start(s->engine, worker_config, strlen(worker_config), &worker,
					 &s->err));
	enqueue(s, &step);
	scene_ok(s, stepbus_poll(worker, &event, 1, -1, &count, &s->err));
	return event;
}

static void the_time_of_a_polled_step_is_over(void **state)
{
	scene *s = *state;
	const stepbus_step_event event = poll_one(s, "{\"pull\":true}", HOUR_MS);

	pass(s, HOUR_MS - 1);
	let_one_through(s);
	scene_ok(s, stepbus_heartbeat(s->engine, event.step_id, event.token, &s->err));
	pass(s, 1);
	await(s, FAILED, 1);
	assert_int_equal(stepbus_step_is_cancelled(s->engine, event.step_id, event.token), 1);
	assert_int_equal(stepbus_release(s->engine, event.step_id, event.token, &s->err),
			 STEPBUS_ETIMEDOUT);
}

static void a_host_that_is_silent_for_too_long_loses_its_step(void **state)
{
	scene *s = *state;
	const stepbus_step_event event =
		poll_one(s, "{\"pull\":true,\"silence_timeout_ms\":60000}", 0);

	for (int i = 0; i < 10; i++) {
		pass(s, MINUTE_MS - 1);
		/* The clock has left the lease behind: what is claimed is claimed with a renewed one. */
		let_one_through(s);
		scene_ok(s, stepbus_heartbeat(s->engine, event.step_id, event.token, &s->err));
	}
	pass(s, MINUTE_MS - 1);
	let_one_through(s);
	assert_int_equal(count_of(s, FAILED), 0);
	pass(s, 1);
	await(s, FAILED, 1);
	assert_int_equal(stepbus_step_is_cancelled(s->engine, event.step_id, event.token), 1);
}

static void a_call_that_waits_does_so_by_real_time(void **state)
{
	stepbus_step_spec spec = spec_of("ok");
	scene *s = *state;
	stepbus_enqueued kept = { .size = sizeof kept };
	stepbus_outcome *outcome = NULL;

	spec.delay_ms = 3600000;
	scene_ok(s, stepbus_step_enqueue(s->engine, &spec, 1, &kept, &s->err));
	assert_int_equal(stepbus_step_await(s->engine, kept.step_id, 5, &outcome, &s->err),
			 STEPBUS_ETIMEDOUT);
	assert_null(outcome);
}

static void a_clock_has_bounds(void **state)
{
	const int64_t century_ms = INT64_C(3155760000000);
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_clock *clock = NULL;
	stepbus_host host = { .size = sizeof host };

	(void)state;
	assert_int_equal(stepbus_clock_new(BEGUN_US, &clock, &err), STEPBUS_OK);
	assert_int_equal(stepbus_clock_advance(clock, century_ms, &err), STEPBUS_OK);
	assert_int_equal(stepbus_clock_advance(clock, century_ms, &err), STEPBUS_OK);
	assert_int_equal(stepbus_clock_advance(clock, 1, &err), STEPBUS_EINVAL);
	assert_non_null(strstr(err.message, "200 years"));
	assert_int_equal(stepbus_clock_lend(clock, &host, &err), STEPBUS_OK);
	assert_int_equal(host.now_us(host.user_data), BEGUN_US + 2000 * century_ms);
	assert_true(host.elapsed_ns(host.user_data) > 2 * century_ms * 1000000 - 1);
	stepbus_clock_free(clock);
	stepbus_clock_free(NULL);
}

#define CLOCK_TEST(test)                                          \
	{ #test " (memory)", test, begin_in_memory, end, NULL },  \
	{                                                         \
#test " (sqlite)", test, begin_on_disk, end, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLOCK_TEST(the_clock_stands_still_until_it_is_told),
		CLOCK_TEST(a_delayed_step_runs_when_its_time_has_come),
		CLOCK_TEST(a_retry_comes_due),
		CLOCK_TEST(a_snooze_ends),
		CLOCK_TEST(the_time_of_an_attempt_is_over),
		CLOCK_TEST(a_cron_entry_fires),
		CLOCK_TEST(steps_that_run_while_years_pass_are_not_lost),
		CLOCK_TEST(many_short_steps_of_the_clock_lose_nothing),
		CLOCK_TEST(the_time_of_a_polled_step_is_over),
		CLOCK_TEST(a_host_that_is_silent_for_too_long_loses_its_step),
		CLOCK_TEST(a_call_that_waits_does_so_by_real_time),
		cmocka_unit_test(a_clock_has_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
