/* SPDX-License-Identifier: MIT */
/* A store whose disk failed once takes nothing any more: nobody waits for it, and all can be ended. */
#include <sqlite3.h>

#include "support/engine_box.h"
#include "support/faulty_vfs.h"

static int setup(void **state)
{
	test_faults_install();
	return test_box_setup_sqlite(state);
}

static int teardown(void **state)
{
	int failure;

	test_faults_clear();
	failure = test_box_teardown(state);
	test_faults_uninstall();
	return failure;
}

/* The clock of the box stands still: a wait for the end of a lease would be one for good. */
static void an_engine_whose_store_is_dead_ends_with_results_in_its_hands(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"durability\":\"disk\"");
	stepbus_worker *worker = test_box_work(box, engine, "");

	test_box_handle(box, engine, "slow", test_act_wait, NULL);
	test_box_add(box, engine, "slow", "x");
	test_box_await_waiting(box, 1);
	test_faults_plan(TEST_FAULT_SYNC, 1, SQLITE_IOERR_FSYNC, true);
	test_box_open_gate(box);
	assert_int_equal(stepbus_worker_stop(worker, -1, NULL, &box->err), STEPBUS_OK);
	assert_int_equal(stepbus_stop(engine, -1, NULL, &box->err), STEPBUS_OK);
	assert_true(test_faults_count() > 0);
	test_box_close(box, engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_engine_whose_store_is_dead_ends_with_results_in_its_hands, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
