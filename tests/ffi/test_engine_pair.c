/* SPDX-License-Identifier: MIT */
/* Two engines in one process: in memory they never meet; on one file they share the work. */
#include <string.h>

#include "support/engine_box.h"

enum { SECOND = 1000000 };

static bool are_all_completed_by(test_box *box, const stepbus *engine)
{
	bool is_so = true;

	pthread_mutex_lock(&box->lock);
	for (size_t i = 0; i < box->note_count; i++)
		is_so = is_so && (strcmp(box->notes[i].name, "step.completed") != 0 ||
				  box->notes[i].engine == engine);
	pthread_mutex_unlock(&box->lock);
	return is_so;
}

static void engines_in_memory_never_meet(void **state)
{
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "h");
	stepbus_completion done = { .size = sizeof done,
				    .outcome = STEPBUS_OUTCOME_SUCCESS,
				    .token = 1 };
	uint8_t id[16];

	(void)test_box_handle(box, here, "work", test_act_echo, NULL);
	(void)test_box_handle(box, there, "work", test_act_echo, NULL);
	test_box_put(box, here, &spec, id);
	(void)test_box_work(box, there, NULL);
	test_box_add(box, there, "work", "t");
	test_box_await_notes(box, "step.completed", 1);
	assert_string_equal(test_box_journal(box), "t");
	assert_int_equal(test_box_count_state(box, here, SB_STEP_READY), 1);
	assert_int_equal(test_box_count_state(box, there, SB_STEP_COMPLETED), 1);
	assert_true(are_all_completed_by(box, there));
	/* Nor is the id of the one any of the other's. */
	memcpy(done.step_id, id, 16);
	box_refused(box, STEPBUS_ENOTFOUND, "step id",
		    stepbus_complete(there, &done, 1, NULL, &box->err));
}

static void each_step_is_completed_once_by_one_of_two(void **state)
{
	enum { COUNT = 400 };
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	uint64_t tokens = 0;

	(void)test_box_handle(box, here, "work", test_act_echo, NULL);
	(void)test_box_handle(box, there, "work", test_act_echo, NULL);
	(void)test_box_work(box, here, "\"block_size\":4");
	(void)test_box_work(box, there, "\"block_size\":4");
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, i % 2 == 0 ? here : there, "work", "x");
	test_box_await_notes(box, "step.completed", COUNT);
	assert_int_equal(test_box_run_count(box), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = i + 1; k < COUNT; k++)
			tokens += memcmp(box->runs[i].step_id, box->runs[k].step_id, 16) == 0;
	assert_int_equal(tokens, 0);
	assert_int_equal(test_box_count_state(box, here, SB_STEP_COMPLETED), COUNT);
	assert_int_equal(test_box_count_state(box, there, SB_STEP_COMPLETED), COUNT);
}

static void what_one_enqueues_the_other_runs_without_a_poll(void **state)
{
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);

	/* The lent clock stands still, so that no poll ever comes. */
	(void)test_box_handle(box, there, "work", test_act_echo, NULL);
	(void)test_box_work(box, there, NULL);
	for (int i = 0; i < 20; i++) {
		test_box_add(box, here, "work", "x");
		test_box_await_notes(box, "step.completed", (size_t)i + 1);
	}
}

static void a_step_that_only_another_serves_is_left_to_it(void **state)
{
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	test_handler *other;
	const stepbus_step_spec spec = test_box_spec("theirs", "x");
	uint8_t id[16];

	(void)test_box_handle(box, here, "ours", test_act_echo, NULL);
	other = test_box_handle(box, there, "theirs", test_act_echo, NULL);
	/* Theirs is busy with other queues; ours must not fail what it serves. */
	(void)test_box_work(box, there, "\"queues\":[\"elsewhere\"]");
	(void)test_box_work(box, here, NULL);
	test_box_put(box, here, &spec, id);
	test_box_add(box, here, "ours", "o");
	test_box_await_notes(box, "step.completed", 1);
	test_box_pass(box, here, SECOND);
	assert_int_equal(test_box_look(box, here, id).status.state, SB_STEP_PARKED);
	(void)test_box_work(box, there, NULL);
	test_box_await_notes(box, "step.completed", 2);
	assert_int_equal(atomic_load(&other->run_count), 1);
	assert_int_equal(test_box_look(box, here, id).status.state, SB_STEP_COMPLETED);
}

static void a_step_that_nobody_serves_fails(void **state)
{
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("nobodys", "x");
	uint8_t id[16];

	(void)test_box_handle(box, here, "ours", test_act_echo, NULL);
	(void)test_box_handle(box, there, "theirs", test_act_echo, NULL);
	(void)test_box_work(box, here, NULL);
	(void)test_box_work(box, there, NULL);
	test_box_put(box, here, &spec, id);
	test_box_await_notes(box, "step.failed", 1);
	assert_string_equal(test_box_look(box, there, id).error_type, "handler_not_found");
}

static void a_step_of_a_worker_that_left_runs_or_fails(void **state)
{
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("theirs", "x");
	stepbus_worker *worker;
	uint8_t id[16];

	(void)test_box_handle(box, here, "ours", test_act_echo, NULL);
	(void)test_box_handle(box, there, "theirs", test_act_echo, NULL);
	worker = test_box_work(box, there, "\"queues\":[\"elsewhere\"]");
	(void)test_box_work(box, here, NULL);
	test_box_put(box, here, &spec, id);
	test_box_add(box, here, "ours", "o");
	test_box_await_notes(box, "step.completed", 1);
	test_box_pass(box, here, SECOND);
	assert_int_equal(test_box_look(box, here, id).status.state, SB_STEP_PARKED);
	/* With it goes the last one that serves it: nobody will ever. */
	stepbus_worker_free(worker);
	test_box_pass(box, here, INT64_C(1200) * SECOND);
	test_box_await_notes(box, "step.failed", 1);
	assert_string_equal(test_box_look(box, here, id).error_type, "handler_not_found");
}

static void a_limit_holds_for_both_together(void **state)
{
	enum { COUNT = 20 };
	test_box *box = *state;
	const char keys[] = "\"queues\":{\"default\":{\"concurrency_max\":2}}";
	stepbus *here = test_box_open(box, keys), *there = test_box_open(box, keys);

	(void)test_box_handle(box, here, "work", test_act_wait, NULL);
	(void)test_box_handle(box, there, "work", test_act_wait, NULL);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, here, "work", "x");
	(void)test_box_work(box, here, "\"pool_size\":4");
	(void)test_box_work(box, there, "\"pool_size\":4");
	test_box_await_waiting(box, 2);
	assert_int_equal(test_box_count_state(box, here, SB_STEP_RUNNING), 2);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", COUNT);
	assert_int_equal(test_box_run_count(box), COUNT);
}

static void a_delayed_step_of_one_is_released_by_the_other(void **state)
{
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "x");

	(void)test_box_handle(box, there, "work", test_act_echo, NULL);
	(void)test_box_work(box, there, NULL);
	spec.delay_ms = 1000;
	box_ok(box, stepbus_step_enqueue(here, &spec, 1, NULL, &box->err));
	test_box_close(box, here);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "step.completed", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_IN_MEMORY(engines_in_memory_never_meet),
		BOX_TEST_ON_DISK(each_step_is_completed_once_by_one_of_two),
		BOX_TEST_ON_DISK(what_one_enqueues_the_other_runs_without_a_poll),
		BOX_TEST_ON_DISK(a_step_that_only_another_serves_is_left_to_it),
		BOX_TEST_ON_DISK(a_step_that_nobody_serves_fails),
		BOX_TEST_ON_DISK(a_step_of_a_worker_that_left_runs_or_fails),
		BOX_TEST_ON_DISK(a_limit_holds_for_both_together),
		BOX_TEST_ON_DISK(a_delayed_step_of_one_is_released_by_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
