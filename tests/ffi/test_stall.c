/* SPDX-License-Identifier: MIT */
/*
 * Workers that stand still for longer than their lease, as under SIGSTOP, a debugger or a laptop's
 * lid: others go on with their steps, what they bring too late is refused, and they go on anew.
 */
#include <signal.h>

#include "support/cmocka.h"
#include "support/peers.h"

enum { PATIENCE_MS = 60000, STEPS = 8 };

static const test_peer_options worker = {
	.engine = ",\"lease_ms\":1000,\"heartbeat_ms\":200,\"poll_ms\":50,"
		  "\"retry\":{\"base_ms\":10,\"cap_ms\":10}",
	.worker = "{\"pool_size\":1,\"block_size\":16}",
};

/* Keeps what it took over, however busy the machine is. */
static const test_peer_options heir = {
	.engine = ",\"lease_ms\":60000,\"heartbeat_ms\":200,\"poll_ms\":50,"
		  "\"retry\":{\"base_ms\":10,\"cap_ms\":10}",
	.worker = "{\"pool_size\":1,\"block_size\":16}",
};

/* Sees to the leases of others, and runs nothing. */
static const test_peer_options watcher = {
	.engine = ",\"lease_ms\":1000,\"heartbeat_ms\":200,\"poll_ms\":50,"
		  "\"retry\":{\"base_ms\":10,\"cap_ms\":10}",
};

enum { A, B };

static int64_t open_count(const test_peers *p)
{
	return test_peers_ask(p, "SELECT count(*) FROM state WHERE state <> 6");
}

/* What is accepted is told a moment after it is in the database. */
static void await_each_accepted_once(const test_peers *p)
{
	test_await(p, open_count(p) == 0, PATIENCE_MS);
	test_await(p, test_peers_accepted(p, 0, STEPS) >= STEPS, PATIENCE_MS);
	assert_int_equal(test_peers_accepted(p, 0, STEPS), STEPS);
}

/* A has begun the first of the steps, and the rest waits in its line. */
static void stall_a(test_peers *p)
{
	test_peer_start(p, A, &worker);
	test_peer_order(p, A, TEST_ORDER_WAITERS, 0, STEPS);
	test_await(p, test_peers_started(p, 0, STEPS) == 1, PATIENCE_MS);
	test_await(p, test_peers_ask(p, "SELECT count(*) FROM state WHERE state = 5") == STEPS,
		   PATIENCE_MS);
	test_peer_stop(p, A);
}

static void another_takes_over_what_a_stalled_worker_holds(void **state)
{
	test_peers *p = *state;
	const struct test_peer_board *a = &p->board->peers[A];

	stall_a(p);
	atomic_store(&p->board->is_released, 1);
	test_peer_start(p, B, &heir);
	test_await(p, test_peers_accepted(p, 0, STEPS) == STEPS, PATIENCE_MS);
	test_peer_signal(p, A, SIGCONT);
	test_await(p, atomic_load(&a->lost_count) == 1, PATIENCE_MS);
	test_await(p, atomic_load(&a->refused_count) == 1, PATIENCE_MS);
	/* Only what it had begun, and nothing more of what it held. */
	assert_int_equal(atomic_load(&a->started[0]), 1);
	assert_int_equal(test_peers_started(p, 1, STEPS - 1), STEPS - 1);
	assert_int_equal(test_peers_accepted(p, 0, STEPS), STEPS);
	assert_int_equal(test_peers_ask(p, "SELECT count(*) FROM v_attempts WHERE outcome = "
					   "'lost'"),
			 1);
}

static void a_stalled_handler_hears_that_its_lease_is_lost(void **state)
{
	test_peers *p = *state;
	const struct test_peer_board *a = &p->board->peers[A];

	stall_a(p);
	test_peer_start(p, B, &watcher);
	test_await(p, test_peers_ask(p, "SELECT count(*) FROM state WHERE state = 5") == 0,
		   PATIENCE_MS);
	test_peer_signal(p, A, SIGCONT);
	test_await(p, atomic_load(&a->stale_count) >= 1, PATIENCE_MS);
	test_await(p, atomic_load(&a->refused_count) == 1, PATIENCE_MS);
	atomic_store(&p->board->is_released, 1);
	await_each_accepted_once(p);
}

static void a_worker_that_lost_its_lease_goes_on_as_another_row(void **state)
{
	test_peers *p = *state;

	stall_a(p);
	test_peer_start(p, B, &watcher);
	test_await(p, test_peers_ask(p, "SELECT count(*) FROM worker WHERE stopped_at > 0") == 1,
		   PATIENCE_MS);
	test_peer_signal(p, A, SIGCONT);
	atomic_store(&p->board->is_released, 1);
	test_await(p, open_count(p) == 0, PATIENCE_MS);
	test_peer_order(p, B, TEST_ORDER_ENQUEUE, STEPS, STEPS);
	test_await(p, test_peers_accepted(p, STEPS, STEPS) == STEPS, PATIENCE_MS);
	assert_int_equal(test_peers_ask(p, "SELECT count(*) FROM worker"), 2);
	assert_int_equal(test_peers_ask(p, "SELECT count(DISTINCT name) FROM worker"), 1);
}

static void a_stall_that_nobody_used_loses_nothing(void **state)
{
	test_peers *p = *state;
	int64_t lease_end_ns;

	stall_a(p);
	lease_end_ns = test_peers_ask(p, "SELECT lease_until_ns FROM worker");
	test_await(p, test_elapsed_us() > lease_end_ns / 1000, PATIENCE_MS);
	atomic_store(&p->board->is_released, 1);
	test_peer_signal(p, A, SIGCONT);
	await_each_accepted_once(p);
	assert_int_equal(test_peers_started(p, 0, STEPS), STEPS);
}

static void a_worker_that_goes_on_still_notes_what_it_begins(void **state)
{
	test_peers *p = *state;

	stall_a(p);
	atomic_store(&p->board->is_released, 1);
	test_peer_start(p, B, &heir);
	test_await(p, test_peers_accepted(p, 0, STEPS) == STEPS, PATIENCE_MS);
	test_peer_kill(p, B);
	atomic_store(&p->board->is_released, 0);
	test_peer_signal(p, A, SIGCONT);
	test_await(p, atomic_load(&p->board->peers[A].lost_count) == 1, PATIENCE_MS);
	test_peer_order(p, A, TEST_ORDER_WAITERS, 0, STEPS);
	test_await(p, test_peers_ask(p, "SELECT count(*) FROM state WHERE state = 5") == STEPS,
		   PATIENCE_MS);
	test_await(p, test_peers_started(p, 0, STEPS) == STEPS + 2, PATIENCE_MS);
	test_peer_kill(p, A);
	atomic_store(&p->board->is_released, 1);
	test_peer_start(p, B, &heir);
	test_await(p, open_count(p) == 0, PATIENCE_MS);
	/* Only the one that ran when its process ended was charged for that. */
	assert_int_equal(test_peers_ask(p, "SELECT count(*) FROM v_attempts WHERE outcome = "
					   "'lost'"),
			 2);
	assert_int_equal(test_peers_ask(p, "SELECT sum(crash_count) FROM v_steps"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_takes_over_what_a_stalled_worker_holds,
						test_peers_begin, test_peers_end),
		cmocka_unit_test_setup_teardown(a_stalled_handler_hears_that_its_lease_is_lost,
						test_peers_begin, test_peers_end),
		cmocka_unit_test_setup_teardown(a_worker_that_lost_its_lease_goes_on_as_another_row,
						test_peers_begin, test_peers_end),
		cmocka_unit_test_setup_teardown(a_stall_that_nobody_used_loses_nothing,
						test_peers_begin, test_peers_end),
		cmocka_unit_test_setup_teardown(a_worker_that_goes_on_still_notes_what_it_begins,
						test_peers_begin, test_peers_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
