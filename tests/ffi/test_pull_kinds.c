/* SPDX-License-Identifier: MIT */
/* Workers with a pool and workers that are pulled, side by side: each gets what is its own. */
#include <sched.h>
#include <string.h>

#include "handlers/worker.h"
#include "support/puller.h"

enum { SECOND = 1000000 };

static bool is_quiet(stepbus *engine)
{
	bool is_quiet = true;

	sb_writer_lead(&engine->writer);
	for (const stepbus_worker *w = engine->workers; w != NULL; w = w->next)
		is_quiet = is_quiet && (sb_worker_is_drained(w) || sb_worker_wanted(w) == 0);
	/* Lets the writer look, where there is anything to look at. */
	sb_writer_yield(&engine->writer);
	return is_quiet;
}

/* Nobody tells of it: whoever wants to know has to ask. */
static void await_quiet(stepbus *engine)
{
	enum { LOOKS_MAX = 10000000 };
	int looks = 0;

	while (!is_quiet(engine)) {
		if (++looks == LOOKS_MAX)
			fail_msg("the workers do not come to rest");
		(void)sched_yield();
	}
}

static void a_pulled_step_waits_for_a_worker_of_its_kind(void **state)
{
	enum { COUNT = 5 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;
	stepbus_step_event event;

	(void)test_box_handle(box, engine, "called", test_act_echo, NULL);
	test_pull_handle(box, engine, "pulled", NULL);
	(void)test_box_work(box, engine, NULL);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "pulled", "x");
	test_box_add(box, engine, "called", "x");
	/* What stands behind them is not held up. */
	test_box_await_notes(box, "step.completed", 1);
	await_quiet(engine);
	worker = test_pull_work(box, engine, NULL);
	for (int i = 0; i < COUNT; i++) {
		event = test_pull_one(box, worker);
		assert_memory_equal(event.handler_name, "pulled", 6);
		assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	}
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT + 1);
}

static void a_called_step_waits_for_a_worker_of_its_kind(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;
	stepbus_step_event event;

	(void)test_box_handle(box, engine, "called", test_act_echo, NULL);
	test_pull_handle(box, engine, "pulled", NULL);
	worker = test_pull_work(box, engine, NULL);
	test_box_add(box, engine, "called", "x");
	test_box_add(box, engine, "pulled", "x");
	event = test_pull_one(box, worker);
	assert_memory_equal(event.handler_name, "pulled", 6);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	await_quiet(engine);
	assert_int_equal(test_box_run_count(box), 0);
	(void)test_box_work(box, engine, NULL);
	test_box_await_notes(box, "step.completed", 2);
	assert_int_equal(test_box_run_count(box), 1);
}

/* Whoever meets a step that is the other's passes it on, and then there is nothing to do. */
static void workers_of_both_kinds_come_to_rest(void **state)
{
	enum { COUNT = 40 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;
	stepbus_step_event event;

	(void)test_box_handle(box, engine, "called", test_act_echo, NULL);
	test_pull_handle(box, engine, "pulled", NULL);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, i % 2 == 0 ? "called" : "pulled", "x");
	(void)test_box_work(box, engine, "\"block_size\":2");
	worker = test_pull_work(box, engine, "\"block_size\":200");
	test_box_await_notes(box, "step.completed", COUNT / 2);
	await_quiet(engine);
	for (int i = 0; i < COUNT / 2; i++) {
		event = test_pull_one(box, worker);
		assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	}
	await_quiet(engine);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT);
}

static void a_parked_step_whose_key_is_full_waits_for_the_key(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("pulled", "x");
	stepbus_step_event events[2];
	stepbus_worker *worker;
	uint8_t id[16];

	(void)test_box_handle(box, engine, "called", test_act_echo, NULL);
	test_pull_handle(box, engine, "pulled", NULL);
	box_ok(box, stepbus_queue_set(engine, STEPBUS_TEXT("default"),
				      STEPBUS_TEXT("{\"key_concurrency_max\":1}"), &box->err));
	(void)test_box_work(box, engine, NULL);
	spec.concurrency_key = "k";
	spec.concurrency_key_len = 1;
	for (int i = 0; i < 2; i++)
		test_box_put(box, engine, &spec, id);
	await_quiet(engine);
	worker = test_pull_work(box, engine, NULL);
	for (int i = 0; i < 2; i++) {
		events[i] = test_pull_one(box, worker);
		await_quiet(engine);
		assert_int_equal(test_box_count_state(box, engine, SB_STEP_RUNNING), 1);
		assert_int_equal(test_pull_succeed(box, engine, &events[i], ""), STEPBUS_OK);
	}
}

static void engines_of_both_kinds_share_a_store(void **state)
{
	enum { COUNT = 20 };
	test_box *box = *state;
	stepbus *called = test_box_open(box, "\"poll_ms\":10");
	stepbus *pulled = test_box_open(box, "\"poll_ms\":10");
	stepbus_worker *worker;
	stepbus_step_event event;

	(void)test_box_handle(box, called, "called", test_act_echo, NULL);
	test_pull_handle(box, pulled, "pulled", NULL);
	(void)test_box_work(box, called, NULL);
	worker = test_pull_work(box, pulled, NULL);
	for (int i = 0; i < COUNT; i++) {
		test_box_add(box, called, "pulled", "x");
		test_box_add(box, pulled, "called", "x");
	}
	for (int i = 0; i < COUNT; i++) {
		event = test_pull_one(box, worker);
		assert_int_equal(test_pull_succeed(box, pulled, &event, ""), STEPBUS_OK);
	}
	test_box_await_runs(box, COUNT);
}

static void one_handler_may_be_pulled_here_and_called_there(void **state)
{
	test_box *box = *state;
	stepbus *called = test_box_open(box, "\"poll_ms\":10");
	stepbus *pulled = test_box_open(box, "\"poll_ms\":10");
	stepbus_worker *worker, *other;
	stepbus_step_event event;

	(void)test_box_handle(box, called, "work", test_act_echo, NULL);
	test_pull_handle(box, pulled, "work", NULL);
	worker = test_pull_work(box, pulled, NULL);
	test_box_add(box, called, "work", "x");
	event = test_pull_one(box, worker);
	assert_int_equal(test_pull_succeed(box, pulled, &event, ""), STEPBUS_OK);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	other = test_box_work(box, called, NULL);
	test_box_add(box, pulled, "work", "x");
	test_box_await_runs(box, 1);
	box_ok(box, stepbus_worker_stop(other, -1, NULL, &box->err));
}

static void a_handler_that_got_a_call_meanwhile_is_not_handed_out(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"retry\":{\"kind\":\"fixed\",\"base_ms\":1000,"
					     "\"jitter_percent\":0}");
	const stepbus_handler_spec anew = { .size = sizeof anew,
					    .flags = STEPBUS_HANDLER_OVERRIDE };
	const stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_worker *worker;
	stepbus_step_event event;
	uint8_t id[16];

	test_pull_handle(box, engine, "work", NULL);
	test_pull_handle(box, engine, "other", NULL);
	worker = test_pull_work(box, engine, NULL);
	test_box_put(box, engine, &spec, id);
	test_box_add(box, engine, "other", "x");
	(void)test_box_handle(box, engine, "work", test_act_echo, &anew);
	event = test_pull_one(box, worker);
	assert_memory_equal(event.handler_name, "other", 5);
	test_box_await_notes(box, "step.retry_requested", 1);
	assert_string_equal(test_box_look(box, engine, id).error_type, "handler_error");
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
}

static void who_announces_a_pulled_handlers_step_is_told(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_event event = { .size = sizeof event,
					   .handler_name = "pulled",
					   .handler_name_len = 6 };

	test_pull_handle(box, engine, "pulled", NULL);
	/* No step of the engine, and no crash. */
	box_refused(box, STEPBUS_EDELIVERY, "",
		    stepbus_bridge_publish_name(stepbus_engine_bridge(engine),
						STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
						&event, sizeof event, &box->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_pulled_step_waits_for_a_worker_of_its_kind),
		BOX_TEST(a_called_step_waits_for_a_worker_of_its_kind),
		BOX_TEST(workers_of_both_kinds_come_to_rest),
		BOX_TEST(a_parked_step_whose_key_is_full_waits_for_the_key),
		BOX_TEST_ON_DISK(engines_of_both_kinds_share_a_store),
		BOX_TEST_ON_DISK(one_handler_may_be_pulled_here_and_called_there),
		BOX_TEST(a_handler_that_got_a_call_meanwhile_is_not_handed_out),
		BOX_TEST(who_announces_a_pulled_handlers_step_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
