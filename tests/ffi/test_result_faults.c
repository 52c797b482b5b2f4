/* SPDX-License-Identifier: MIT */
/*
 * Results of handlers that the store cannot take: when they are tried again, and how long a worker
 * that is being stopped waits for them.
 */
#include <string.h>

#include "support/engine_box.h"
#include "support/peers.h"

#define HALF_A_POLL_NS INT64_C(30000000000)

/* A store that takes no results while it is told so; all else it takes. */
static struct {
	sb_store_type type;
	const sb_store_type *sound;
	_Atomic(stepbus_status) answer;
	_Atomic(int) left_count; /* so many more fail; -1: all */
	_Atomic(int) asked_count;
	_Atomic(int) beat_count;  /* heartbeats that were kept */
	_Atomic(int64_t) only_id; /* the only step whose results fail; 0: all do */
} faulty;

static stepbus_status put_result(sb_store *store, const sb_result_row *row, stepbus_error *err)
{
	int left = atomic_load(&faulty.left_count);
	int64_t only_id = atomic_load(&faulty.only_id);

	if (only_id != 0 && row->step_id != only_id)
		return faulty.sound->result_put(store, row, err);
	atomic_fetch_add(&faulty.asked_count, 1);
	if (left == 0)
		return faulty.sound->result_put(store, row, err);
	if (left > 0)
		atomic_fetch_sub(&faulty.left_count, 1);
	return sb_fail(err, atomic_load(&faulty.answer), "the test lets it fail");
}

static stepbus_status update_worker(sb_store *store, const sb_worker_row *row, stepbus_error *err)
{
	stepbus_status status = faulty.sound->worker_update(store, row, err);

	if (status == STEPBUS_OK)
		atomic_fetch_add(&faulty.beat_count, 1);
	return status;
}

static stepbus *begin(test_box *box, const char *keys, stepbus_status answer, int count)
{
	stepbus *engine = test_box_open(box, keys);

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	sb_writer_lead(&engine->writer);
	faulty.sound = engine->store->type;
	faulty.type = *faulty.sound;
	faulty.type.result_put = put_result;
	faulty.type.worker_update = update_worker;
	atomic_store(&faulty.answer, answer);
	atomic_store(&faulty.left_count, count);
	atomic_store(&faulty.asked_count, 0);
	atomic_store(&faulty.only_id, 0);
	engine->store->type = &faulty.type;
	sb_writer_yield(&engine->writer);
	return engine;
}

/* Nothing is told of either, so nothing wakes who waits for one. */
static void await_next(_Atomic(int) *count, int seen_count)
{
	int64_t until_us = test_elapsed_us() + INT64_C(30000000);

	while (atomic_load(count) == seen_count && test_elapsed_us() < until_us)
		test_nap();
}

static void await_failure(void)
{
	await_next(&faulty.asked_count, 0);
}

static bool is_sent(test_box *box, void *context)
{
	(void)context;
	/* Nobody wakes the engine. */
	atomic_fetch_add(&box->elapsed_ns, INT64_C(5000000));
	return test_box_count_notes(box, STEPBUS_EVENT_STEP_COMPLETION_SENT) > 0;
}

/* The next poll is a minute away, and the box's clock stands still but for what is moved here. */
static void a_result_is_tried_again_long_before_the_next_poll(void **state)
{
	test_box *box = *state;
	stepbus *engine = begin(box, "\"poll_ms\":60000", STEPBUS_EBUSY, 3);
	int64_t begun_ns = atomic_load(&box->elapsed_ns);

	test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	while (!is_sent(box, NULL) && atomic_load(&box->elapsed_ns) < begun_ns + HALF_A_POLL_NS)
		test_nap();
	assert_int_equal(test_box_count_notes(box, STEPBUS_EVENT_STEP_COMPLETION_SENT), 1);
	assert_int_equal(atomic_load(&faulty.asked_count), 4);
}

/*
 * Heartbeats get through, so the lease never ends: to wait for as long as it holds would be for ever.
 * The clock waits for each of them, or a machine that is slow would let the lease end.
 */
static void a_result_that_is_never_taken_keeps_no_worker_from_ending(void **state)
{
	enum { BEAT_US = 100000, LEASE_US = 1000000 };
	test_box *box = *state;
	stepbus *engine = begin(box, "\"lease_ms\":1000,\"heartbeat_ms\":100,\"poll_ms\":10",
				STEPBUS_ECORRUPT, -1);
	stepbus_worker *worker = test_box_work(box, engine, NULL);
	int64_t until_us = test_elapsed_us() + INT64_C(30000000);
	stepbus_status status = STEPBUS_ETIMEDOUT;

	test_box_add(box, engine, "work", "x");
	await_failure();
	while (status == STEPBUS_ETIMEDOUT && test_elapsed_us() < until_us) {
		int beat_count = atomic_load(&faulty.beat_count);

		status = stepbus_worker_stop(worker, 5, NULL, &box->err);
		if (status != STEPBUS_ETIMEDOUT)
			break;
		test_box_advance(box, BEAT_US);
		await_next(&faulty.beat_count, beat_count);
	}
	box_ok(box, status);
	assert_int_equal(test_box_count_notes(box, STEPBUS_EVENT_STEP_COMPLETION_SENT), 0);
	/* Nor is the step forgotten. */
	test_box_advance(box, LEASE_US);
	test_box_await_notes(box, "step.retry_requested", 1);
}

/* Others' results are kept all the while, each between two tries of the one that is not. */
static void what_fails_by_itself_is_tried_more_and_more_rarely(void **state)
{
	/* Ten tries double the time from 5 ms to more than a second; each may fail in a group first. */
	enum { TURN_COUNT = 200, TURN_US = 5000, TRY_MAX = 2 * 10 };
	test_box *box = *state;
	stepbus *engine = begin(box, "\"poll_ms\":60000", STEPBUS_ECORRUPT, -1);

	atomic_store(&faulty.only_id, 1);
	test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	await_failure();
	for (size_t i = 1; i <= TURN_COUNT; i++) {
		test_box_add(box, engine, "work", "y");
		test_box_await_notes(box, STEPBUS_EVENT_STEP_COMPLETION_SENT, i);
		/* Nobody wakes the engine. */
		atomic_fetch_add(&box->elapsed_ns, (int64_t)TURN_US * 1000);
		test_nap();
	}
	/* The engine's end waits for it. */
	atomic_store(&faulty.left_count, 0);
	assert_in_range(atomic_load(&faulty.asked_count), 2, TRY_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_IN_MEMORY(a_result_is_tried_again_long_before_the_next_poll),
		BOX_TEST_IN_MEMORY(what_fails_by_itself_is_tried_more_and_more_rarely),
		BOX_TEST_IN_MEMORY(a_result_that_is_never_taken_keeps_no_worker_from_ending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
