/* SPDX-License-Identifier: MIT */
/* Pull workers that stop and go, with hosts that answer in time, late, or never. */
#include <string.h>

#include "support/child.h"
#include "support/puller.h"
#include "support/thread.h"

enum { SECOND = 1000000 };

static void a_stop_gives_back_what_was_not_polled(void **state)
{
	enum { COUNT = 10 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event event;
	stepbus_text *unfinished = NULL;

	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	/* All are in the line: what still is on its way there goes back a moment later. */
	sb_notices_flush(&engine->notices);
	box_refused(box, STEPBUS_ETIMEDOUT, "still run",
		    stepbus_worker_stop(worker, 0, &unfinished, &box->err));
	assert_non_null(strstr(stepbus_text_data(unfinished), "\"handler\":\"work\""));
	stepbus_text_free(unfinished);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), COUNT - 1);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_RUNNING), 1);
	/* There is time to answer. */
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_ESHUTDOWN);
	assert_int_equal(stepbus_step_is_cancelled(engine, event.step_id, event.token), 0);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 1);
}

typedef struct stopper {
	test_box *box;
	stepbus_worker *worker;
	stepbus_status status;
} stopper;

static void stop(void *context)
{
	stopper *s = context;

	s->status = stepbus_worker_stop(s->worker, -1, NULL, NULL);
}

static void a_stop_waits_for_the_answers(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stopper s = { .box = box, .worker = test_pull_begin(box, &engine, NULL) };
	stepbus_step_event events[2];
	test_thread thread;

	for (int i = 0; i < 2; i++) {
		test_box_add(box, engine, "work", "x");
		events[i] = test_pull_one(box, s.worker);
	}
	test_thread_start(&thread, stop, &s);
	test_thread_await_sleep(&thread);
	assert_int_equal(test_pull_succeed(box, engine, &events[0], ""), STEPBUS_OK);
	test_thread_await_sleep(&thread);
	assert_false(atomic_load(&thread.has_ended));
	box_ok(box, stepbus_release(engine, events[1].step_id, events[1].token, &box->err));
	test_thread_join(&thread);
	assert_int_equal(s.status, STEPBUS_OK);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 1);
}

static void an_engine_that_stops_still_takes_answers(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event event;

	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	assert_int_equal(stepbus_stop(engine, 0, NULL, &box->err), STEPBUS_ETIMEDOUT);
	assert_int_equal(test_pull_succeed(box, engine, &event, "done"), STEPBUS_OK);
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, "done"), STEPBUS_ESHUTDOWN);
}

static void a_worker_that_is_freed_waits_for_no_host(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"retry\":{\"kind\":\"fixed\",\"base_ms\":1000,"
					     "\"jitter_percent\":0}");
	stepbus_worker *worker;
	stepbus_step_event event;
	test_look look;

	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	stepbus_worker_free(worker);
	look = test_box_look(box, engine, event.step_id);
	assert_int_equal(look.status.state, SB_STEP_SCHEDULED);
	assert_string_equal(look.error_type, "abandoned");
	assert_int_equal(look.status.attempt_count, 1);
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ESTALE);
	worker = test_pull_work(box, engine, NULL);
	test_box_advance(box, 2 * SECOND);
	event = test_pull_one(box, worker);
	assert_int_equal(event.retry_count, 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
}

static void an_engine_that_is_closed_waits_for_no_host(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);

	for (int i = 0; i < 100; i++)
		test_box_add(box, engine, "work", "x");
	for (int i = 0; i < 90; i++)
		(void)test_pull_one(box, worker);
	test_box_close(box, engine);
	if (!box->is_on_disk)
		return;
	engine = test_box_open(box, NULL);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_SCHEDULED) +
				 test_box_count_state(box, engine, SB_STEP_READY),
			 100);
}

static void what_timed_out_and_was_never_answered_holds_nobody_up(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec quick = { .size = sizeof quick, .attempt_timeout_ms = 1000 };
	stepbus_worker *worker;
	stepbus_step_event event;

	test_pull_handle(box, engine, "work", &quick);
	worker = test_pull_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "step.retry_requested", 1);
	assert_int_equal(stepbus_worker_stop(worker, 0, NULL, &box->err), STEPBUS_ETIMEDOUT);
	stepbus_worker_free(worker);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ETIMEDOUT);
}

static void count_destroy(void *user_data)
{
	atomic_fetch_add((_Atomic(int) *)user_data, 1);
}

static void a_handler_lives_until_its_steps_are_answered(void **state)
{
	static _Atomic(int) destroyed;
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec spec = { .size = sizeof spec,
					    .user_data = &destroyed,
					    .destroy = count_destroy };
	const stepbus_handler_key key = { .size = sizeof key, .name = "work", .name_len = 4 };
	stepbus_worker *worker;
	stepbus_step_event event;

	destroyed = 0;
	test_pull_handle(box, engine, "work", &spec);
	worker = test_pull_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	box_ok(box, stepbus_registry_unregister(stepbus_engine_registry(engine), &key, &box->err));
	assert_int_equal(destroyed, 0);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	/* A heartbeat may list what is registered just now. */
	sb_notices_flush(&engine->notices);
	assert_int_equal(destroyed, 1);
}

typedef struct host {
	stepbus *engine;
	stepbus_worker *worker;
	test_meeting *meeting;
	uint32_t round;
	uint32_t delay;
	stepbus_step_event event;
	stepbus_status status;
} host;

static void answer_late(void *context)
{
	host *h = context;
	const stepbus_completion answer = test_pull_success(&h->event, "x");

	test_meet(h->meeting, h->round);
	test_dawdle(h->delay);
	h->status = stepbus_complete(h->engine, &answer, 1, NULL, NULL);
}

static void an_answer_and_the_end_may_meet(void **state)
{
	enum { ROUNDS = 60 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"retry\":{\"kind\":\"none\"}");
	test_meeting meeting = { 0 };

	test_pull_handle(box, engine, "work", NULL);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		host h = { .engine = engine, .meeting = &meeting, .round = round };
		test_thread thread;
		sb_step_state end;

		h.delay = round * 200;
		h.worker = test_pull_work(box, engine, NULL);
		test_box_add(box, engine, "work", "x");
		h.event = test_pull_one(box, h.worker);
		test_thread_start(&thread, answer_late, &h);
		test_meet(&meeting, round);
		stepbus_worker_free(h.worker);
		test_thread_join(&thread);
		end = test_box_look(box, engine, h.event.step_id).status.state;
		assert_int_equal(end, h.status == STEPBUS_OK ? SB_STEP_COMPLETED : SB_STEP_FAILED);
		assert_true(h.status == STEPBUS_OK || h.status == STEPBUS_ESTALE);
	}
}

static void poll_until_the_end(void *context)
{
	enum { BATCH = 4 };
	host *h = context;
	stepbus_step_event events[BATCH] = { { .size = sizeof *events } };
	stepbus_completion answers[BATCH];
	size_t count = 0;

	test_meet(h->meeting, h->round);
	while (stepbus_poll(h->worker, events, BATCH, -1, &count, NULL) == STEPBUS_OK) {
		for (size_t i = 0; i < count; i++)
			answers[i] = test_pull_success(&events[i], "x");
		h->status = stepbus_complete(h->engine, answers, count, NULL, NULL);
		if (h->status != STEPBUS_OK)
			return;
	}
}

static void a_poll_and_a_stop_may_meet(void **state)
{
	enum { ROUNDS = 40, STEPS = 6 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	test_meeting meeting = { 0 };

	test_pull_handle(box, engine, "work", NULL);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		host h = { .engine = engine, .meeting = &meeting, .round = round };
		test_thread thread;
		size_t done;

		h.worker = test_pull_work(box, engine, NULL);
		for (int i = 0; i < STEPS; i++)
			test_box_add(box, engine, "work", "x");
		test_thread_start(&thread, poll_until_the_end, &h);
		test_meet(&meeting, round);
		test_dawdle(round * 500);
		box_ok(box, stepbus_worker_stop(h.worker, -1, NULL, &box->err));
		test_thread_join(&thread);
		assert_int_equal(h.status, STEPBUS_OK);
		stepbus_worker_free(h.worker);
		/* Nothing is lost, and nothing is left over. */
		done = test_box_count_state(box, engine, SB_STEP_COMPLETED);
		assert_int_equal(done + test_box_count_state(box, engine, SB_STEP_READY),
				 (round + 1) * STEPS);
	}
}

static int refuses_all(void *context)
{
	host *h = context;
	stepbus_step_event event = { .size = sizeof event };
	stepbus_dispatch_metrics metrics = { .size = sizeof metrics };
	const stepbus_completion answer = test_pull_success(&h->event, "x");
	const uint8_t *id = h->event.step_id;
	int32_t fd = -1;
	size_t count = 0;
	int refused = 0;

	refused += stepbus_poll(h->worker, &event, 1, -1, &count, NULL) == STEPBUS_EFORKED;
	refused += stepbus_complete(h->engine, &answer, 1, NULL, NULL) == STEPBUS_EFORKED;
	refused += stepbus_release(h->engine, id, h->event.token, NULL) == STEPBUS_EFORKED;
	refused += stepbus_heartbeat(h->engine, id, h->event.token, NULL) == STEPBUS_EFORKED;
	refused += stepbus_wake_fd(h->worker, STEPBUS_WAKE_EVENTFD, &fd, NULL) == STEPBUS_EFORKED;
	refused += stepbus_worker_metrics(h->worker, &metrics, NULL) == STEPBUS_EFORKED;
	stepbus_worker_free(h->worker);
	return refused;
}

static void a_forked_child_has_no_part_in_it(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	host h = { .worker = test_pull_begin(box, &engine, NULL) };

	h.engine = engine;
	test_box_add(box, engine, "work", "x");
	h.event = test_pull_one(box, h.worker);
	assert_int_equal(test_in_child(refuses_all, &h), 6);
	assert_int_equal(test_pull_succeed(box, engine, &h.event, ""), STEPBUS_OK);
}

static void an_answer_without_memory_can_be_given_again(void **state)
{
	enum { COUNT = 80 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_completion answers[COUNT];
	stepbus_step_event events[COUNT];
	stepbus_status each[COUNT];

	for (int i = 0; i < COUNT; i++) {
		test_box_add(box, engine, "work", "x");
		events[i] = test_pull_one(box, worker);
		answers[i] = test_pull_success(&events[i], "a result of its own");
	}
	for (uint32_t percent = 10; percent <= 100; percent += 30) {
		atomic_store(&box->famine_percent, percent);
		(void)stepbus_complete(engine, answers, COUNT, each, &box->err);
		atomic_store(&box->famine_percent, 0);
	}
	box_ok(box, stepbus_complete(engine, answers, COUNT, each, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_stop_gives_back_what_was_not_polled),
		BOX_TEST(a_stop_waits_for_the_answers),
		BOX_TEST(an_engine_that_stops_still_takes_answers),
		BOX_TEST(a_worker_that_is_freed_waits_for_no_host),
		BOX_TEST(an_engine_that_is_closed_waits_for_no_host),
		BOX_TEST(what_timed_out_and_was_never_answered_holds_nobody_up),
		BOX_TEST(a_handler_lives_until_its_steps_are_answered),
		BOX_TEST(an_answer_and_the_end_may_meet),
		BOX_TEST(a_poll_and_a_stop_may_meet),
		BOX_TEST(a_forked_child_has_no_part_in_it),
		BOX_TEST(an_answer_without_memory_can_be_given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
