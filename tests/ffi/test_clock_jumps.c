/* SPDX-License-Identifier: MIT */
/*
 * The wall clock of a host jumps while steps are scheduled and leased. What is scheduled goes by that
 * clock, and by no more than that; leases and waits go by elapsed time, and notice nothing.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "include/stepbus.h"
#include "support/cmocka.h"
#include "support/peers.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
#define YEAR_US (365 * DAY_US)

/* What takes longer than PATIENCE_MS may have been found by polling, which proves nothing. */
enum { POLL_MS = 60000, PATIENCE_MS = 30000, WAKE_MS = 2000, DELAY_MS = 600 };

static struct {
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	_Atomic(int64_t) shift_us; /* of the wall clock */
	stepbus *engine;
	_Atomic(uint32_t) run_count;
	_Atomic(int64_t) last_run_us; /* elapsed */
	_Atomic(int64_t) last_run_wall_us;
	_Atomic(uint32_t) is_held;
	_Atomic(uint32_t) accepted_count;
	_Atomic(uint32_t) stale_count, lost_count;
	stepbus_error err;
} world;

static int64_t wall_us(void *user_data)
{
	struct timespec now;

	(void)user_data;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000 + atomic_load(&world.shift_us);
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	atomic_store(&world.last_run_us, test_elapsed_us());
	atomic_store(&world.last_run_wall_us, wall_us(NULL));
	atomic_fetch_add(&world.run_count, 1);
	while (atomic_load(&world.is_held) != 0 && stepbus_context_check(context) == STEPBUS_OK)
		test_nap();
	if (stepbus_context_check(context) != STEPBUS_OK)
		atomic_fetch_add(&world.stale_count, 1);
	return stepbus_result_success(result, NULL, 0, NULL) != STEPBUS_OK;
}

static int32_t count_event(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add((_Atomic(uint32_t) *)user_data, 1);
	return 0;
}

static int listen_to(const char *name, void *counter)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = count_event,
						    .user_data = counter };

	return stepbus_bridge_subscribe(stepbus_engine_bridge(world.engine), name, strlen(name),
					&subscription, NULL, NULL);
}

static int open_engine(void)
{
	const stepbus_host host = { .size = sizeof host, .now_us = wall_us };
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = serve
	};
	stepbus_worker *worker = NULL;
	char config[512];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"lease_ms\":1000,\"heartbeat_ms\":250,"
			   "\"poll_ms\":%d}",
			   world.path, POLL_MS);
	const stepbus_options options = {
		.size = sizeof options, .config = config, .config_len = (size_t)len, .host = &host
	};

	return stepbus_open(&options, &world.engine, &world.err) != STEPBUS_OK ||
	       listen_to(STEPBUS_EVENT_STEP_COMPLETION_SENT, &world.accepted_count) != 0 ||
	       listen_to("worker.lost", &world.lost_count) != 0 ||
	       stepbus_registry_register(stepbus_engine_registry(world.engine), &spec, NULL) !=
		       STEPBUS_OK ||
	       stepbus_worker_start(world.engine, NULL, 0, &worker, NULL) != STEPBUS_OK;
}

static int set_up(void **state)
{
	(void)state;
	test_tempdir_make_fast(&world.dir);
	test_tempdir_path(&world.dir, "jobs.db", world.path);
	atomic_store(&world.shift_us, 0);
	atomic_store(&world.run_count, 0);
	atomic_store(&world.is_held, 0);
	atomic_store(&world.accepted_count, 0);
	atomic_store(&world.stale_count, 0);
	atomic_store(&world.lost_count, 0);
	world.err = (stepbus_error)STEPBUS_ERROR_INIT;
	return open_engine();
}

static int tear_down(void **state)
{
	(void)state;
	atomic_store(&world.is_held, 0);
	stepbus_close(world.engine);
	test_tempdir_remove(&world.dir);
	return 0;
}

static void enqueue(int64_t delay_ms)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "work",
					 .handler_name_len = 4,
					 .delay_ms = delay_ms };

	if (stepbus_step_enqueue(world.engine, &spec, 1, NULL, &world.err) != STEPBUS_OK)
		fail_msg("%s", world.err.message);
}

static void await(const _Atomic(uint32_t) *counter, uint32_t count, int64_t time_ms)
{
	int64_t until_us = test_elapsed_us() + time_ms * 1000;

	while (atomic_load(counter) < count) {
		if (test_elapsed_us() > until_us)
			fail_msg("only %u of %u after %d ms", atomic_load(counter), count,
				 (int)time_ms);
		test_nap();
	}
}

static void let_pass(int64_t time_ms)
{
	int64_t until_us = test_elapsed_us() + time_ms * 1000;

	while (test_elapsed_us() < until_us)
		test_nap();
}

static const int64_t jumps_us[] = { SECOND_US, 60 * SECOND_US, DAY_US, 10 * YEAR_US };

enum { JUMP_COUNT = sizeof jumps_us / sizeof *jumps_us };

static void a_jump_ahead_makes_due_what_the_clock_says_is_due(void **state)
{
	uint32_t punctual_count = 0;

	(void)state;
	for (uint32_t i = 0; i < JUMP_COUNT; i++) {
		int64_t begun_us;

		enqueue(jumps_us[i] / 1000 - 100);
		begun_us = test_elapsed_us();
		atomic_fetch_add(&world.shift_us, jumps_us[i]);
		/* Nobody tells the engine: it looks at the clock once a second at the least. */
		await(&world.run_count, i + 1, PATIENCE_MS);
		punctual_count += atomic_load(&world.last_run_us) - begun_us <= WAKE_MS * 1000;
	}
	/* A busy machine holds up one or the other. */
	assert_in_range(punctual_count, JUMP_COUNT / 2, JUMP_COUNT);
	await(&world.accepted_count, JUMP_COUNT, PATIENCE_MS);
}

static void a_jump_ahead_makes_nothing_due_that_is_not(void **state)
{
	int64_t due_us;

	(void)state;
	due_us = wall_us(NULL) + 3 * SECOND_US;
	enqueue(3000);
	atomic_fetch_add(&world.shift_us, 2 * SECOND_US);
	await(&world.run_count, 1, PATIENCE_MS);
	assert_true(atomic_load(&world.last_run_wall_us) >= due_us - 1000);
}

static void a_jump_back_holds_up_only_what_is_scheduled(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < JUMP_COUNT; i++) {
		uint32_t before = atomic_load(&world.run_count);

		atomic_fetch_sub(&world.shift_us, jumps_us[i]);
		enqueue(0);
		await(&world.run_count, before + 1, PATIENCE_MS);
		/* What is enqueued behind the jump goes by the new time. */
		enqueue(DELAY_MS);
		await(&world.run_count, before + 2, PATIENCE_MS);
	}
	await(&world.accepted_count, 2 * JUMP_COUNT, PATIENCE_MS);
}

static void a_jump_back_and_forth_loses_no_wake_up(void **state)
{
	int64_t begun_us;
	bool was_due;

	(void)state;
	begun_us = test_elapsed_us();
	enqueue(DELAY_MS);
	atomic_fetch_sub(&world.shift_us, YEAR_US);
	was_due = test_elapsed_us() - begun_us >= DELAY_MS * 1000;
	let_pass(DELAY_MS / 2);
	assert_true(was_due || atomic_load(&world.run_count) == 0);
	atomic_fetch_add(&world.shift_us, YEAR_US);
	await(&world.run_count, 1, PATIENCE_MS);
	assert_true(atomic_load(&world.last_run_us) - begun_us >= (DELAY_MS - 1) * 1000);
}

static void leases_notice_no_jump(void **state)
{
	static const int64_t shifts_us[] = { 10 * YEAR_US, -20 * YEAR_US, 10 * YEAR_US + DAY_US,
					     -SECOND_US };

	(void)state;
	atomic_store(&world.is_held, 1);
	enqueue(0);
	await(&world.run_count, 1, PATIENCE_MS);
	for (size_t i = 0; i < sizeof shifts_us / sizeof *shifts_us; i++) {
		atomic_fetch_add(&world.shift_us, shifts_us[i]);
		let_pass(DELAY_MS);
	}
	atomic_store(&world.is_held, 0);
	await(&world.accepted_count, 1, PATIENCE_MS);
	assert_int_equal(atomic_load(&world.stale_count), 0);
	assert_int_equal(atomic_load(&world.lost_count), 0);
	assert_int_equal(atomic_load(&world.run_count), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_jump_ahead_makes_due_what_the_clock_says_is_due,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_jump_ahead_makes_nothing_due_that_is_not, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_jump_back_holds_up_only_what_is_scheduled, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_jump_back_and_forth_loses_no_wake_up, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(leases_notice_no_jump, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
