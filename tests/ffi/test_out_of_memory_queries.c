/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out in the functions that look, and in those of cron entries. The engine's threads
 * allocate too: a failure that hits them is theirs to survive, and the call may then succeed.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/tempdir.h"

#define ENTRY                                                                      \
	"{\"name\":\"a\",\"expression\":\"0 9 * * *\",\"zone\":\"Europe/Berlin\"," \
	"\"step\":{\"handler\":\"h\",\"tags\":[\"red\",\"blue\"],\"input\":{\"n\":[1,2]}}}"

typedef struct world {
	test_host t; /* the first: it is the host's user_data */
	_Atomic(int64_t) now_us;
	stepbus *engine;
	uint8_t step_id[16];
} world;

typedef stepbus_status (*call_fn)(world *w, stepbus_text **out, stepbus_error *err);

static stepbus_status info(world *w, stepbus_text **out, stepbus_error *err)
{
	return stepbus_step_info(w->engine, w->step_id, out, err);
}

static stepbus_status attempts(world *w, stepbus_text **out, stepbus_error *err)
{
	return stepbus_step_attempts(w->engine, w->step_id, out, err);
}

static stepbus_status list(world *w, stepbus_text **out, stepbus_error *err)
{
	static const char filter[] = "{\"handler\":\"h\",\"queue\":\"default\",\"limit\":1}";

	return stepbus_step_list(w->engine, filter, strlen(filter), out, err);
}

static stepbus_status count(world *w, stepbus_text **out, stepbus_error *err)
{
	static const char filter[] = "{\"handler\":\"h\",\"tag\":\"red\"}";
	uint64_t found = 0;

	(void)out;
	return stepbus_step_count(w->engine, filter, strlen(filter), &found, err);
}

static stepbus_status queues(world *w, stepbus_text **out, stepbus_error *err)
{
	return stepbus_queue_list(w->engine, out, err);
}

static stepbus_status workers(world *w, stepbus_text **out, stepbus_error *err)
{
	return stepbus_worker_list(w->engine, out, err);
}

static stepbus_status stats(world *w, stepbus_text **out, stepbus_error *err)
{
	return stepbus_engine_stats(w->engine, out, err);
}

static stepbus_status cron_list(world *w, stepbus_text **out, stepbus_error *err)
{
	return stepbus_cron_list(w->engine, out, err);
}

static stepbus_status cron_set(world *w, stepbus_text **out, stepbus_error *err)
{
	(void)out;
	return stepbus_cron_set(w->engine, ENTRY, strlen(ENTRY), err);
}

static int64_t now_us(void *user_data)
{
	return atomic_load(&((world *)user_data)->now_us);
}

static void open_world(world *w, const char *store)
{
	const stepbus_options options = { .size = sizeof options,
					  .config = store,
					  .config_len = strlen(store),
					  .host = &w->t.host };
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "h",
					 .handler_name_len = 1,
					 .input = "\xff\xfe",
					 .input_len = 2,
					 .tags = "red",
					 .tags_len = 3 };
	const stepbus_step_spec specs[] = { spec, spec };
	stepbus_enqueued out[2] = { { .size = sizeof *out } };

	memset(w, 0, sizeof *w);
	test_host_init(&w->t);
	w->now_us = w->t.now_us;
	w->t.host.now_us = now_us;
	assert_int_equal(stepbus_open(&options, &w->engine, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_step_enqueue(w->engine, specs, 2, out, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_cron_set(w->engine, ENTRY, strlen(ENTRY), NULL), STEPBUS_OK);
	memcpy(w->step_id, out[0].step_id, 16);
}

/* Fails the nth allocation from now on; 0: none. Tells how many have failed since the last time. */
static size_t set_failure(world *w, size_t n)
{
	size_t failed_count;

	pthread_mutex_lock(&w->t.lock);
	failed_count = w->t.failed_count;
	w->t.fail_at = n > 0 ? w->t.allocation_count + n : 0;
	w->t.failed_count = 0;
	pthread_mutex_unlock(&w->t.lock);
	return failed_count;
}

static size_t read_failures(world *w)
{
	size_t failed_count;

	pthread_mutex_lock(&w->t.lock);
	failed_count = w->t.failed_count;
	pthread_mutex_unlock(&w->t.lock);
	return failed_count;
}

/* Once for each allocation of a call, until it makes no more. */
static void fail_each(world *w, const char *name, call_fn call)
{
	size_t failed_count;
	size_t n = 0;

	do {
		stepbus_error err = STEPBUS_ERROR_INIT;
		stepbus_text *out = NULL;
		stepbus_status status;

		set_failure(w, ++n);
		status = call(w, &out, &err);
		failed_count = set_failure(w, 0);
		if (status != STEPBUS_OK && (status != STEPBUS_ENOMEM || failed_count == 0))
			fail_msg("%s, allocation %zu: %d, %s", name, n, status, err.message);
		if (status != STEPBUS_OK)
			assert_null(out);
		stepbus_text_free(out);
	} while (failed_count > 0);
	assert_true(n > 1);
}

static void check_all(const char *store)
{
	static const struct {
		const char *name;
		call_fn call;
	} calls[] = {
		{ "info", info },   { "attempts", attempts },   { "list", list },
		{ "count", count }, { "queues", queues },       { "workers", workers },
		{ "stats", stats }, { "cron_list", cron_list }, { "cron_set", cron_set },
	};
	world w;

	open_world(&w, store);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		fail_each(&w, calls[i].name, calls[i].call);
	stepbus_close(w.engine);
	test_host_end(&w.t);
}

static void memory_that_runs_out_while_looking_is_said(void **state)
{
	(void)state;
	check_all("{\"store\":\"memory:\"}");
}

static void memory_that_runs_out_while_looking_into_a_file_is_said(void **state)
{
	char path[TEST_PATH_LEN], config[TEST_PATH_LEN + 32];
	test_tempdir dir;

	(void)state;
	test_tempdir_make(&dir);
	test_tempdir_path(&dir, "jobs.db", path);
	(void)snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"}", path);
	check_all(config);
	test_tempdir_remove(&dir);
}

/* Whatever fails while an entry fires, it fires in the end, and once. */
static void an_entry_fires_once_though_memory_runs_out(void **state)
{
	enum { DAY_COUNT = 40 };
	world w;

	(void)state;
	open_world(&w, "{\"store\":\"memory:\"}");
	for (size_t day = 1; day <= DAY_COUNT; day++) {
		uint64_t found = 0;

		set_failure(&w, day);
		atomic_fetch_add(&w.now_us, INT64_C(86400) * 1000000);
		while (found < day + 2) {
			assert_int_equal(stepbus_engine_wake(w.engine, NULL), STEPBUS_OK);
			if (stepbus_step_count(w.engine, "{}", 2, &found, NULL) != STEPBUS_OK)
				set_failure(&w, 0);
		}
		set_failure(&w, 0);
		assert_int_equal(found, day + 2);
	}
	stepbus_close(w.engine);
	test_host_end(&w.t);
}

/* The elapsed time stands still here: so there is no poll that would try again. */
static void what_fails_though_it_is_due_is_not_tried_again_at_once(void **state)
{
	uint64_t found = 0;
	size_t failed_count;
	world w;

	(void)state;
	open_world(&w, "{\"store\":\"memory:\"}");
	w.t.is_sticky = true;
	set_failure(&w, 1);
	atomic_fetch_add(&w.now_us, INT64_C(86400) * 1000000);
	assert_int_equal(stepbus_engine_wake(w.engine, NULL), STEPBUS_OK);
	while ((failed_count = read_failures(&w)) == 0)
		sched_yield();
	/* Every chance to run again. */
	for (int i = 0; i < 100000; i++)
		sched_yield();
	assert_in_range(read_failures(&w), failed_count, failed_count + 3);
	set_failure(&w, 0);
	assert_int_equal(stepbus_engine_wake(w.engine, NULL), STEPBUS_OK);
	while (found < 3)
		assert_int_equal(stepbus_step_count(w.engine, "{}", 2, &found, NULL), STEPBUS_OK);
	stepbus_close(w.engine);
	test_host_end(&w.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_runs_out_while_looking_is_said),
		cmocka_unit_test(memory_that_runs_out_while_looking_into_a_file_is_said),
		cmocka_unit_test(an_entry_fires_once_though_memory_runs_out),
		cmocka_unit_test(what_fails_though_it_is_due_is_not_tried_again_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
