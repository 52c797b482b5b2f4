/* SPDX-License-Identifier: MIT */
/* Answers that the store cannot take: what they leave behind, and when it is left alone. */
#include <string.h>

#include "support/peers.h"
#include "support/puller.h"
#include "support/thread.h"

enum { SECOND = 1000000, PATIENCE_MS = 30000 };

/* A store whose commits fail while it is told so. */
static struct {
	sb_store_type type;
	const sb_store_type *sound;
	_Atomic(stepbus_status) answer;
	_Atomic(int) asked_count; /* how often it failed */
} faulty;

static stepbus_status commit(sb_store *store, stepbus_error *err)
{
	stepbus_status answer = atomic_load(&faulty.answer);

	if (answer == STEPBUS_OK)
		return faulty.sound->commit(store, err);
	atomic_fetch_add(&faulty.asked_count, 1);
	faulty.sound->rollback(store);
	return sb_fail(err, answer, "the test lets it fail");
}

static void spoil(stepbus *engine)
{
	sb_writer_lead(&engine->writer);
	faulty.sound = engine->store->type;
	faulty.type = *faulty.sound;
	faulty.type.commit = commit;
	atomic_store(&faulty.answer, STEPBUS_OK);
	engine->store->type = &faulty.type;
	sb_writer_yield(&engine->writer);
}

static void fail_with(stepbus_status answer)
{
	atomic_store(&faulty.answer, answer);
	atomic_store(&faulty.asked_count, 0);
}

static stepbus_worker *begin(test_box *box, stepbus **engine, const char *keys,
			     const char *worker_keys)
{
	*engine = test_box_open(box, keys);
	test_pull_handle(box, *engine, "work", NULL);
	spoil(*engine);
	return test_pull_work(box, *engine, worker_keys);
}

static void a_failed_write_leaves_the_step_with_the_host(void **state)
{
	static const stepbus_status answers[] = { STEPBUS_ENOSPACE, STEPBUS_EBUSY, STEPBUS_ENOMEM,
						  STEPBUS_ECORRUPT };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = begin(box, &engine, "\"breaker\":{\"failure_count\":0}", NULL);
	stepbus_step_event events[2];
	stepbus_completion completions[2];
	stepbus_status each[2];

	for (int i = 0; i < 2; i++) {
		test_box_add(box, engine, "work", "x");
		events[i] = test_pull_one(box, worker);
		completions[i] = test_pull_success(&events[i], "done");
	}
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		fail_with(answers[i]);
		box_refused(box, answers[i], "lets it fail",
			    stepbus_complete(engine, completions, 2, each, &box->err));
		assert_int_equal(each[0], answers[i]);
		assert_int_equal(each[1], answers[i]);
		assert_int_equal(
			stepbus_heartbeat(engine, events[0].step_id, events[0].token, &box->err),
			STEPBUS_OK);
		assert_memory_equal(events[0].handler_name, "work", 4);
	}
	fail_with(STEPBUS_OK);
	box_ok(box, stepbus_complete(engine, completions, 2, each, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 2);
}

static void time_goes_on_for_what_the_store_did_not_take(void **state)
{
	test_box *box = *state;
	stepbus *engine = NULL;
	stepbus_worker *worker = begin(box, &engine, NULL, "\"silence_timeout_ms\":1000");
	stepbus_step_event event;

	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	fail_with(STEPBUS_ENOSPACE);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ENOSPACE);
	fail_with(STEPBUS_OK);
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "step.retry_requested", 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ETIMEDOUT);
}

/* Nothing is told of what is waited for like this, so nothing wakes who waits. */
static void await(bool (*is_met)(stepbus *engine, void *context), stepbus *engine, void *context)
{
	int64_t until_us = test_elapsed_us() + PATIENCE_MS * INT64_C(1000);

	while (!is_met(engine, context)) {
		assert_true(test_elapsed_us() < until_us);
		test_nap();
	}
}

static bool is_put_off(stepbus *engine, void *context)
{
	bool is_waiting;

	(void)context;
	sb_writer_lead(&engine->writer);
	is_waiting = engine->again != NULL;
	sb_writer_yield(&engine->writer);
	return is_waiting;
}

/* The store takes all again, but the end of the attempt waits for its next turn, or for news. */
static void what_is_told_to_be_refused_is_though_the_store_knows_of_no_end_yet(void **state)
{
	test_box *box = *state;
	stepbus *engine = NULL;
	stepbus_worker *worker = begin(box, &engine, NULL, "\"silence_timeout_ms\":1000");
	stepbus_step_event event;

	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	fail_with(STEPBUS_EBUSY);
	test_box_advance(box, 2 * SECOND);
	await(is_put_off, engine, NULL);
	assert_int_equal(stepbus_step_is_cancelled(engine, event.step_id, event.token), 1);
	fail_with(STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &event, "done"), STEPBUS_ETIMEDOUT);
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "step.retry_requested", 1);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 0);
	/* It is not the host's any more: nobody waits for it. */
	box_ok(box, stepbus_worker_stop(worker, PATIENCE_MS, NULL, &box->err));
}

static void a_store_that_fails_again_and_again_is_left_alone(void **state)
{
	enum { COUNT = 3 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker =
		begin(box, &engine, "\"breaker\":{\"failure_count\":3,\"open_ms\":1000}", NULL);
	stepbus_step_event event;

	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	fail_with(STEPBUS_ENOSPACE);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ENOSPACE);
	sb_writer_lead(&engine->writer);
	atomic_store(&faulty.asked_count, 0);
	for (int i = 0; i < COUNT; i++)
		box_refused(box, STEPBUS_EBUSY, "left alone",
			    test_pull_succeed(box, engine, &event, ""));
	assert_int_equal(stepbus_release(engine, event.step_id, event.token, &box->err),
			 STEPBUS_EBUSY);
	assert_int_equal(atomic_load(&faulty.asked_count), 0);
	atomic_fetch_add(&box->elapsed_ns, INT64_C(1000000000));
	sb_writer_yield(&engine->writer);
	/* One is let through, and fails: for the others nothing has changed. */
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ENOSPACE);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_EBUSY);
	fail_with(STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_EBUSY);
	atomic_fetch_add(&box->elapsed_ns, INT64_C(1000000000));
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
}

static void refusals_do_not_open_the_breaker(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker =
		begin(box, &engine, "\"breaker\":{\"failure_count\":2,\"open_ms\":60000}", NULL);
	stepbus_step_event event;

	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	fail_with(STEPBUS_ENOSPACE);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ENOSPACE);
	fail_with(STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(test_pull_succeed(box, engine, &event, "other"), STEPBUS_EALREADY);
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	fail_with(STEPBUS_ENOSPACE);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ENOSPACE);
	fail_with(STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
}

/* What the engine writes itself takes room now and then. True: the room is taken, and nobody leads but we. */
static bool is_filled(stepbus *engine, void *context)
{
	const stepbus_step_spec spec = test_box_spec("work", "x");

	sb_writer_lead(&engine->writer);
	if (stepbus_step_enqueue_async(engine, &spec, 1, test_box_enqueued, context, NULL) ==
	    STEPBUS_OK)
		return true;
	sb_writer_yield(&engine->writer);
	return false;
}

static bool is_let_in(stepbus *engine, void *context)
{
	const stepbus_completion again = test_pull_success(context, "");
	stepbus_status status = stepbus_complete(engine, &again, 1, NULL, NULL);

	assert_true(status == STEPBUS_OK || status == STEPBUS_EBUSY);
	return status == STEPBUS_OK;
}

static void a_full_writer_takes_no_foreign_answers(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"queue_count_max\":1");
	stepbus_worker *worker;
	stepbus_step_event event;
	stepbus_status status;

	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	await(is_filled, engine, box);
	status = test_pull_succeed(box, engine, &event, "");
	sb_writer_yield(&engine->writer);
	box_refused(box, STEPBUS_EBUSY, "waits to be written", status);
	test_box_await_answers(box, 1);
	await(is_let_in, engine, &event);
}

static void an_engine_whose_store_fails_can_be_closed(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = begin(box, &engine, "\"lease_ms\":30000", NULL);

	for (int i = 0; i < 3; i++) {
		test_box_add(box, engine, "work", "x");
		(void)test_pull_one(box, worker);
	}
	fail_with(STEPBUS_ENOSPACE);
	/* The lease is over: nobody waits for the writes of a worker that goes. */
	atomic_fetch_add(&box->elapsed_ns, INT64_C(60000000000));
	test_box_close(box, engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_failed_write_leaves_the_step_with_the_host),
		BOX_TEST(time_goes_on_for_what_the_store_did_not_take),
		BOX_TEST(what_is_told_to_be_refused_is_though_the_store_knows_of_no_end_yet),
		BOX_TEST(a_store_that_fails_again_and_again_is_left_alone),
		BOX_TEST(refusals_do_not_open_the_breaker),
		BOX_TEST(a_full_writer_takes_no_foreign_answers),
		BOX_TEST(an_engine_whose_store_fails_can_be_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
