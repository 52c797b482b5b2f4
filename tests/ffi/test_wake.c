/* SPDX-License-Identifier: MIT */
/*
 * What one process enqueues another begins at once, long before it polls; and where nobody wakes
 * it, polling finds it all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/peers.h"

/* What takes longer than PATIENCE_MS may have been found by polling, which proves nothing. */
enum { PATIENCE_MS = 30000, ROUNDS = 15, BOUND_MS = 200, LOOSE_BOUND_MS = 2000 };

enum { A, B };

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* From before the enqueue in A to the handler's call in B. */
static int64_t measure_us(test_peers *p, uint32_t round)
{
	const struct test_peer_board *b = &p->board->peers[B];

	test_peer_order(p, A, TEST_ORDER_ENQUEUE, round, 1);
	test_await(p, test_peers_accepted(p, round, 1) == 1, PATIENCE_MS);
	return atomic_load(&b->started_at_us) - atomic_load(&p->board->peers[A].enqueued_at_us);
}

/* Half of the times at the least, as a busy machine holds up one or the other. */
static void assert_swift(test_peers *p, uint32_t count, int bound_ms)
{
	int64_t times_us[ROUNDS];

	assert_in_range(count, 1, ROUNDS);
	for (uint32_t i = 0; i < count; i++)
		times_us[i] = measure_us(p, i);
	qsort(times_us, count, sizeof *times_us, compare);
	print_message("             median %d us, worst %d us\n", (int)times_us[count / 2],
		      (int)times_us[count - 1]);
	assert_in_range(times_us[count / 2], 1, (int64_t)bound_ms * 1000);
}

static void a_step_of_another_process_is_begun_without_polling(void **state)
{
	const test_peer_options idle = { .engine = ",\"poll_ms\":60000" };
	const test_peer_options worker = { .engine = ",\"poll_ms\":60000", .worker = "{}" };
	test_peers *p = *state;

	test_peer_start(p, A, &idle);
	test_peer_start(p, B, &worker);
	assert_swift(p, ROUNDS, BOUND_MS);
}

static void polling_finds_what_nobody_was_woken_for(void **state)
{
	const test_peer_options idle = { .engine = ",\"poll_ms\":60000" };
	const test_peer_options worker = { .engine = ",\"poll_ms\":300", .worker = "{}" };
	char wake_path[TEST_PATH_LEN];
	test_peers *p = *state;

	test_peer_start(p, A, &idle);
	/* B makes a file of its own, which A does not write to. */
	test_tempdir_path(&p->dir, "jobs.db-wake", wake_path);
	assert_int_equal(unlink(wake_path), 0);
	test_peer_start(p, B, &worker);
	assert_swift(p, 5, LOOSE_BOUND_MS);
}

static void a_process_without_the_handler_leaves_the_step_to_one_that_has_it(void **state)
{
	const test_peer_options other = { .engine = ",\"poll_ms\":60000",
					  .worker = "{}",
					  .handler = "other" };
	const test_peer_options worker = { .engine = ",\"poll_ms\":60000", .worker = "{}" };
	test_peers *p = *state;

	test_peer_start(p, B, &worker);
	test_peer_start(p, A, &other);
	assert_swift(p, 5, LOOSE_BOUND_MS);
	assert_int_equal(test_peers_ask(p, "SELECT count(*) FROM state WHERE state <> 6"), 0);
}

static void many_processes_may_open_a_new_store_at_once(void **state)
{
	static const test_peer_options worker = { .worker = "{}" };
	test_peers *p = *state;

	for (int i = 0; i < TEST_PEER_COUNT; i++)
		test_peer_launch(p, i, &worker);
	for (int i = 0; i < TEST_PEER_COUNT; i++)
		test_await(p, atomic_load(&p->board->peers[i].is_ready) != 0, PATIENCE_MS);
	for (int i = 0; i < TEST_PEER_COUNT; i++)
		test_peer_order(p, i, TEST_ORDER_ENQUEUE, 8 * (uint32_t)i, 8);
	test_await(p, test_peers_accepted(p, 0, 8 * TEST_PEER_COUNT) == 8 * TEST_PEER_COUNT,
		   PATIENCE_MS);
	for (int i = 0; i < TEST_PEER_COUNT; i++)
		test_peer_order(p, i, TEST_ORDER_END, 0, 0);
	assert_int_equal(test_peers_ask(p, "SELECT count(*) FROM step"), 8 * TEST_PEER_COUNT);
	assert_int_equal(test_peers_ask(p, "SELECT count(*) FROM queue"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_step_of_another_process_is_begun_without_polling,
						test_peers_begin, test_peers_end),
		cmocka_unit_test_setup_teardown(polling_finds_what_nobody_was_woken_for,
						test_peers_begin, test_peers_end),
		cmocka_unit_test_setup_teardown(
			a_process_without_the_handler_leaves_the_step_to_one_that_has_it,
			test_peers_begin, test_peers_end),
		cmocka_unit_test_setup_teardown(many_processes_may_open_a_new_store_at_once,
						test_peers_begin, test_peers_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
