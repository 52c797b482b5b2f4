/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out: at every allocation of a call in turn, and at many at once while an engine
 * is busy. Nothing crashes or leaks, who asked is told, and with memory all goes on.
 */
#include <stdio.h>
#include <string.h>

#include "support/engine_box.h"

enum { SECOND = 1000000, ALLOCATION_MAX = 5000 };

/* From now on the nth allocation fails, and where is_sticky all behind it; 0: none. */
static void starve(test_box *box, size_t n, bool is_sticky)
{
	pthread_mutex_lock(&box->memory.lock);
	box->memory.fail_at = n > 0 ? box->memory.allocation_count + n : 0;
	box->memory.is_sticky = is_sticky;
	box->memory.failed_count = 0;
	pthread_mutex_unlock(&box->memory.lock);
}

static bool was_starved(test_box *box)
{
	bool was;

	pthread_mutex_lock(&box->memory.lock);
	was = box->memory.failed_count > 0;
	pthread_mutex_unlock(&box->memory.lock);
	return was;
}

/* A thread of the engine may have met it instead: then the call succeeds. */
static void check_told(test_box *box, stepbus_status status)
{
	if (status == STEPBUS_OK)
		return;
	assert_int_equal(status, STEPBUS_ENOMEM);
	assert_true(box->err.message[0] != '\0');
	box->err.message[0] = '\0';
}

static void opening_tells_of_it(void **state)
{
	test_box *box = *state;

	for (int is_sticky = 0; is_sticky <= 1; is_sticky++) {
		bool was = true;

		for (size_t n = 1; was && n < ALLOCATION_MAX; n++) {
			stepbus *engine = NULL;
			stepbus_status status;

			starve(box, n, is_sticky != 0);
			status = test_box_try_open(box, "\"queues\":{\"mail\":{\"paused\":true}}",
						   &engine);
			was = was_starved(box);
			starve(box, 0, false);
			check_told(box, status);
			assert_true((engine != NULL) == (status == STEPBUS_OK));
			stepbus_close(engine);
		}
		assert_false(was);
	}
}

/* A batch whose every name and key is new to the engine. */
static stepbus_status enqueue_new(test_box *box, stepbus *engine, size_t n, bool is_async)
{
	char texts[3][16];
	stepbus_step_spec specs[3];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(texts[i], sizeof texts[i], "n%zu.%zu", n, i);
		specs[i] = test_box_spec(texts[i], "input");
		specs[i].queue = texts[i];
		specs[i].queue_len = strlen(texts[i]);
		specs[i].idempotency_key = texts[i];
		specs[i].idempotency_key_len = strlen(texts[i]);
		specs[i].unique_key = texts[i];
		specs[i].unique_key_len = strlen(texts[i]);
		specs[i].tags = "red,green";
		specs[i].tags_len = 9;
	}
	if (is_async)
		return stepbus_step_enqueue_async(engine, specs, 3, test_box_enqueued, box,
						  &box->err);
	return stepbus_step_enqueue(engine, specs, 3, NULL, &box->err);
}

static void enqueueing_is_all_or_nothing(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	size_t count = 0, n = 0;
	bool was = true;

	for (; was && n < ALLOCATION_MAX; n++) {
		stepbus_status status;

		starve(box, n + 1, false);
		status = enqueue_new(box, engine, n, false);
		was = was_starved(box);
		starve(box, 0, false);
		check_told(box, status);
		count += status == STEPBUS_OK ? 3 : 0;
		assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), count);
		/* What was undone can be done again. */
		box_ok(box, enqueue_new(box, engine, n, false));
		count += status == STEPBUS_OK ? 0 : 3;
		assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), count);
	}
	assert_false(was);
}

static void async_answers_once_also_without_memory(void **state)
{
	enum { COUNT = 60 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	int accepted_count = 0;
	size_t kept_count = 0;

	for (size_t n = 1; n <= COUNT; n++) {
		stepbus_status status;

		starve(box, n, false);
		status = enqueue_new(box, engine, n, true);
		check_told(box, status);
		accepted_count += status == STEPBUS_OK;
		test_box_await_answers(box, accepted_count);
		starve(box, 0, false);
	}
	assert_int_equal(box->answered_count, accepted_count);
	for (int i = 0; i < accepted_count; i++) {
		assert_true(box->answers[i] == STEPBUS_OK || box->answers[i] == STEPBUS_ENOMEM);
		kept_count += box->answers[i] == STEPBUS_OK ? 3 : 0;
	}
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), kept_count);
}

static void starting_a_worker_tells_of_it(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	bool was = true;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (size_t n = 1; was && n < ALLOCATION_MAX; n++) {
		stepbus_worker *worker = NULL;
		stepbus_status status;

		starve(box, n, false);
		status = stepbus_worker_start(engine, STEPBUS_TEXT("{\"queues\":[\"a\",\"b\"]}"),
					      &worker, &box->err);
		was = was_starved(box);
		starve(box, 0, false);
		check_told(box, status);
		assert_true((worker != NULL) == (status == STEPBUS_OK));
		stepbus_worker_free(worker);
	}
	assert_false(was);
	(void)test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	test_box_await_notes(box, "step.completed", 1);
}

static void await_all_completed(test_box *box, stepbus *engine, size_t count)
{
	enum { PASS_MAX = 500 };

	for (int i = 0; i < PASS_MAX; i++) {
		test_box_pass(box, engine, SECOND);
		/* Each pass adds the step of its probe. */
		if (test_box_count_state(box, engine, SB_STEP_COMPLETED) >=
		    count + box->probe_count)
			return;
	}
	fail_msg("%zu of %zu steps are completed", test_box_count_state(box, engine, 6), count);
}

static void run_through_famine(test_box *box, uint32_t percent, const char *worker_keys)
{
	enum { COUNT = 150 };
	stepbus *engine = test_box_open(
		box, "\"retry\":{\"kind\":\"fixed\",\"base_ms\":1,\"attempt_count_max\":1000}");
	const stepbus_step_spec spec = test_box_spec("work", "the same again");

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, worker_keys);
	atomic_store(&box->famine_percent, percent);
	for (int i = 0; i < COUNT; i++) {
		stepbus_status status = STEPBUS_ENOMEM;

		while (status == STEPBUS_ENOMEM) {
			status = stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err);
			check_told(box, status);
		}
		if (i % 10 == 0)
			test_box_advance(box, SECOND);
	}
	atomic_store(&box->famine_percent, 0);
	assert_true(atomic_load(&box->starved_count) > 0);
	await_all_completed(box, engine, COUNT);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED),
			 COUNT + box->probe_count);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_FAILED), 0);
}

static void a_busy_engine_survives_some(void **state)
{
	run_through_famine(*state, 5, "\"pool_size\":2,\"block_size\":8");
}

static void a_busy_engine_survives_much(void **state)
{
	run_through_famine(*state, 25, "\"pool_size\":2,\"block_size\":8");
}

static void a_stop_without_memory_loses_nothing(void **state)
{
	enum { COUNT = 30 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	worker = test_box_work(box, engine, "\"pool_size\":1");
	test_box_await_waiting(box, 1);
	starve(box, 1, true);
	(void)stepbus_worker_stop(worker, 0, NULL, NULL);
	starve(box, 0, false);
	test_box_open_gate(box);
	/* What could not be written is tried again by the stop, though no time passes here. */
	stepbus_worker_free(worker);
	(void)test_box_work(box, engine, NULL);
	/* Beyond the lease, in case that the row of the first one could not be written. */
	test_box_pass(box, engine, INT64_C(3700) * SECOND);
	await_all_completed(box, engine, COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(opening_tells_of_it),
		BOX_TEST(enqueueing_is_all_or_nothing),
		BOX_TEST(async_answers_once_also_without_memory),
		BOX_TEST(starting_a_worker_tells_of_it),
		BOX_TEST(a_busy_engine_survives_some),
		BOX_TEST(a_busy_engine_survives_much),
		BOX_TEST(a_stop_without_memory_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
