/* SPDX-License-Identifier: MIT */
/*
 * Engines that nobody listens to, where steps go from the writer to the workers without a detour.
 * Only the handlers say what happens; what is durable is looked at when the engine has stopped.
 */
#include <string.h>

#include "support/engine_box.h"

enum { SECOND = 1000000 };

static stepbus *open_deaf(test_box *box, const char *keys)
{
	box->is_deaf = true;
	return test_box_open(box, keys);
}

static void stop(test_box *box, stepbus *engine)
{
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
}

static void blocks_keep_the_order_of_priorities(void **state)
{
	enum { COUNT = 200 };
	test_box *box = *state;
	stepbus *engine = open_deaf(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < COUNT; i++) {
		char input[] = { (char)('a' + i * 7 % 20), '\0' };
		stepbus_step_spec spec = test_box_spec("work", input);

		spec.priority = 1 + i * 7 % 20;
		box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	}
	(void)test_box_work(box, engine, "\"pool_size\":1,\"age_share_percent\":0");
	test_box_await_runs(box, COUNT);
	for (int i = 1; i < COUNT; i++)
		assert_true(test_box_journal(box)[i - 1] <= test_box_journal(box)[i]);
}

static void all_is_completed_once(void **state)
{
	enum { COUNT = 2000, BATCH = 20 };
	test_box *box = *state;
	stepbus *engine = open_deaf(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_step_spec specs[BATCH];

	for (int i = 0; i < BATCH; i++)
		specs[i] = spec;
	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, "\"pool_size\":3");
	(void)test_box_work(box, engine, "\"pool_size\":1,\"block_size\":1");
	for (int i = 0; i < COUNT / BATCH; i++)
		box_ok(box, stepbus_step_enqueue(engine, specs, BATCH, NULL, &box->err));
	test_box_await_runs(box, COUNT);
	stop(box, engine);
	assert_int_equal(test_box_run_count(box), COUNT);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT);
}

static void two_engines_complete_all_once(void **state)
{
	enum { COUNT = 400 };
	test_box *box = *state;
	stepbus *here = open_deaf(box, NULL), *there = open_deaf(box, NULL);

	(void)test_box_handle(box, here, "work", test_act_echo, NULL);
	(void)test_box_handle(box, there, "work", test_act_echo, NULL);
	(void)test_box_work(box, here, "\"block_size\":8");
	(void)test_box_work(box, there, "\"block_size\":8");
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, i % 3 == 0 ? here : there, "work", "x");
	test_box_await_runs(box, COUNT);
	stop(box, here);
	stop(box, there);
	assert_int_equal(test_box_run_count(box), COUNT);
	assert_int_equal(test_box_count_state(box, here, SB_STEP_COMPLETED), COUNT);
}

static void a_stop_gives_back_also_what_threads_have_taken(void **state)
{
	enum { COUNT = 200 };
	test_box *box = *state;
	stepbus *engine = open_deaf(box, NULL);
	stepbus_worker *worker;
	size_t done;

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	worker = test_box_work(box, engine, "\"pool_size\":2");
	test_box_await_waiting(box, 2);
	box_refused(box, STEPBUS_ETIMEDOUT, "handlers still run",
		    stepbus_worker_stop(worker, 0, NULL, &box->err));
	test_box_stir(box);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	done = test_box_run_count(box);
	assert_int_equal(done, 2);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), done);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), COUNT - done);
	test_box_open_gate(box);
	(void)test_box_work(box, engine, NULL);
	test_box_await_runs(box, COUNT);
	stop(box, engine);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(box->runs[i].retry_count, 0);
}

static void retries_come_all_the_same(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_deaf(box, "\"retry\":{\"kind\":\"fixed\",\"base_ms\":1000,"
					 "\"jitter_percent\":0,\"attempt_count_max\":3}");

	(void)test_box_handle(box, engine, "work", test_act_fail, NULL);
	(void)test_box_work(box, engine, "\"pool_size\":1");
	test_box_add(box, engine, "work", "x");
	for (size_t i = 1; i <= 3; i++) {
		test_box_await_runs(box, i);
		/* Until the failure is written, its retry is due a second later than now. */
		test_box_pass(box, engine, SECOND);
		test_box_pass(box, engine, SECOND);
	}
	test_box_pass(box, engine, 10 * SECOND);
	stop(box, engine);
	assert_int_equal(test_box_run_count(box), 3);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_FAILED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(blocks_keep_the_order_of_priorities),
		BOX_TEST(all_is_completed_once),
		BOX_TEST_ON_DISK(two_engines_complete_all_once),
		BOX_TEST(a_stop_gives_back_also_what_threads_have_taken),
		BOX_TEST(retries_come_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
