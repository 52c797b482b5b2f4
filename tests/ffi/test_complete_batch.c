/* SPDX-License-Identifier: MIT */
/* Answers of hosts: each its own status, whatever the others of the same call get. */
#include <string.h>

#include "support/puller.h"
#include "support/thread.h"

enum { SECOND = 1000000 };

static void add_steps(test_box *box, stepbus *engine, size_t count)
{
	for (size_t i = 0; i < count; i++)
		test_box_add(box, engine, "work", "x");
}

static sb_step_state state_of(test_box *box, stepbus *engine, const stepbus_step_event *event)
{
	return test_box_look(box, engine, event->step_id).status.state;
}

/* Polls until there are so many. */
static void poll_exactly(test_box *box, stepbus_worker *worker, stepbus_step_event *events,
			 size_t count)
{
	for (size_t got = 0; got < count;)
		got += test_pull_many(box, worker, events + got, count - got);
}

static void each_answer_has_its_own_status(void **state)
{
	enum { COUNT = 7 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event events[5];
	stepbus_completion answers[COUNT];
	stepbus_status each[COUNT];

	add_steps(box, engine, 5);
	poll_exactly(box, worker, events, 5);
	box_ok(box, stepbus_step_cancel(engine, events[1].step_id, &box->err));
	answers[0] = test_pull_success(&events[0], "a");
	answers[1] = test_pull_success(&events[1], "b");
	answers[2] = test_pull_success(&events[2], "c");
	answers[2].outcome = 99;
	answers[3] = answers[0];
	answers[4] = test_pull_success(&events[0], "another");
	answers[5] = test_pull_success(&events[3], "d");
	memset(answers[5].step_id, 7, sizeof answers[5].step_id);
	answers[6] = test_pull_failure(&events[4], "broken", 0);
	box_refused(box, STEPBUS_ECANCELLED,
		    "completion 1: ", stepbus_complete(engine, answers, COUNT, each, &box->err));
	assert_int_equal(each[0], STEPBUS_OK);
	assert_int_equal(each[1], STEPBUS_ECANCELLED);
	assert_int_equal(each[2], STEPBUS_EINVAL);
	assert_int_equal(each[3], STEPBUS_OK);
	assert_int_equal(each[4], STEPBUS_EALREADY);
	assert_int_equal(each[5], STEPBUS_ENOTFOUND);
	assert_int_equal(each[6], STEPBUS_OK);
	assert_int_equal(state_of(box, engine, &events[0]), SB_STEP_COMPLETED);
	assert_string_equal(test_box_look(box, engine, events[0].step_id).result, "a");
	assert_int_equal(state_of(box, engine, &events[4]), SB_STEP_FAILED);
	/* What was refused as it stood is still the host's. */
	assert_int_equal(state_of(box, engine, &events[2]), SB_STEP_RUNNING);
	assert_int_equal(test_pull_succeed(box, engine, &events[2], "c"), STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &events[3], "d"), STEPBUS_OK);
}

static void the_first_message_is_told(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event events[2];
	stepbus_completion answers[2];

	add_steps(box, engine, 2);
	poll_exactly(box, worker, events, 2);
	answers[0] = test_pull_success(&events[0], "a");
	answers[1] = test_pull_success(&events[1], "b");
	answers[1].retry_after_ms = -2;
	box_refused(box, STEPBUS_EINVAL, "completion 1: retry_after_ms",
		    stepbus_complete(engine, answers, 2, NULL, &box->err));
	assert_int_equal(test_pull_succeed(box, engine, &events[1], "b"), STEPBUS_OK);
}

static void the_same_answer_again_is_fine_and_another_is_not(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event event;

	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	for (int i = 0; i < 2; i++)
		assert_int_equal(test_pull_succeed(box, engine, &event, "x"), STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &event, "y"), STEPBUS_EALREADY);
	assert_int_equal(test_pull_complete(box, engine, test_pull_failure(&event, "no", 1)),
			 STEPBUS_EALREADY);
	assert_int_equal(stepbus_release(engine, event.step_id, event.token, &box->err),
			 STEPBUS_EALREADY);
}

static void a_failure_is_tried_again_with_a_new_token(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"retry\":{\"kind\":\"fixed\",\"base_ms\":1000,"
					     "\"jitter_percent\":0}");
	stepbus_worker *worker;
	stepbus_step_event first, second;

	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, NULL);
	add_steps(box, engine, 1);
	first = test_pull_one(box, worker);
	assert_int_equal(test_pull_complete(box, engine, test_pull_failure(&first, "not yet", 1)),
			 STEPBUS_OK);
	test_box_await_notes(box, "step.retry_requested", 1);
	test_box_advance(box, 2 * SECOND);
	second = test_pull_one(box, worker);
	assert_memory_equal(second.step_id, first.step_id, 16);
	assert_true(second.token > first.token);
	assert_int_equal(second.retry_count, 1);
	assert_int_equal(test_pull_succeed(box, engine, &first, "late"), STEPBUS_ESTALE);
	assert_int_equal(stepbus_heartbeat(engine, first.step_id, first.token, &box->err),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(test_pull_succeed(box, engine, &second, "done"), STEPBUS_OK);
}

static void the_policy_of_the_handler_counts(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec once = { .size = sizeof once, .retry_kind = STEPBUS_RETRY_NONE };
	stepbus_worker *worker;
	stepbus_step_event event;

	test_pull_handle(box, engine, "work", &once);
	worker = test_pull_work(box, engine, NULL);
	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	assert_int_equal(test_pull_complete(box, engine, test_pull_failure(&event, "no", 1)),
			 STEPBUS_OK);
	assert_int_equal(state_of(box, engine, &event), SB_STEP_FAILED);
}

static void a_snooze_comes_back_uncharged(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_completion snooze;
	stepbus_step_event event;

	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	snooze = test_pull_success(&event, "");
	snooze.outcome = STEPBUS_OUTCOME_SNOOZE;
	snooze.retry_after_ms = 1000;
	assert_int_equal(test_pull_complete(box, engine, snooze), STEPBUS_OK);
	test_box_advance(box, 2 * SECOND);
	event = test_pull_one(box, worker);
	assert_int_equal(event.retry_count, 0);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
}

static void a_released_step_is_as_if_it_had_not_been_handed_out(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event first, second;

	add_steps(box, engine, 1);
	first = test_pull_one(box, worker);
	box_ok(box, stepbus_release(engine, first.step_id, first.token, &box->err));
	second = test_pull_one(box, worker);
	assert_memory_equal(second.step_id, first.step_id, 16);
	assert_true(second.token > first.token);
	assert_int_equal(second.retry_count, 0);
	assert_int_equal(test_box_look(box, engine, first.step_id).attempt_count, 0);
	assert_int_equal(stepbus_release(engine, first.step_id, first.token, &box->err),
			 STEPBUS_ESTALE);
	assert_int_equal(test_pull_succeed(box, engine, &second, ""), STEPBUS_OK);
	assert_int_equal(test_box_count_notes(box, "step.failed"), 0);
}

static void a_release_twice_is_one(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event event;

	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	/* So that nobody claims it again. */
	box_ok(box, stepbus_queue_pause(engine, STEPBUS_TEXT("default"), &box->err));
	for (int i = 0; i < 2; i++)
		box_ok(box, stepbus_release(engine, event.step_id, event.token, &box->err));
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ESTALE);
}

static void an_attempt_that_took_too_long_is_timed_out(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec quick = { .size = sizeof quick, .attempt_timeout_ms = 1000 };
	stepbus_worker *worker;
	stepbus_step_event event;

	test_pull_handle(box, engine, "work", &quick);
	worker = test_pull_work(box, engine, NULL);
	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_OK);
	assert_int_equal(stepbus_step_is_cancelled(engine, event.step_id, event.token), 0);
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "step.retry_requested", 1);
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_ETIMEDOUT);
	assert_int_equal(stepbus_step_is_cancelled(engine, event.step_id, event.token), 1);
	/* Its memory is the host's until it has answered. */
	assert_memory_equal(event.handler_name, "work", 4);
	assert_int_equal(test_pull_succeed(box, engine, &event, "late"), STEPBUS_ETIMEDOUT);
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(test_pull_succeed(box, engine, &event, "late"), STEPBUS_ETIMEDOUT);
}

static void a_cancelled_step_says_so_everywhere(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event event;

	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	box_ok(box, stepbus_step_cancel(engine, event.step_id, &box->err));
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_ECANCELLED);
	assert_int_equal(stepbus_step_is_cancelled(engine, event.step_id, event.token), 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ECANCELLED);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ECANCELLED);
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_ENOTFOUND);
}

static void a_host_that_is_silent_loses_the_step(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, "\"silence_timeout_ms\":5000");
	stepbus_step_event events[2];

	add_steps(box, engine, 2);
	poll_exactly(box, worker, events, 2);
	/* No further: the step would be handed out again, and the answer be told so. */
	for (int i = 0; i < 2; i++) {
		test_box_advance(box, 3 * SECOND);
		box_ok(box,
		       stepbus_heartbeat(engine, events[1].step_id, events[1].token, &box->err));
	}
	test_box_await_notes(box, "step.retry_requested", 1);
	assert_string_equal(test_box_look(box, engine, events[0].step_id).error_type,
			    "host_silent");
	assert_int_equal(test_pull_succeed(box, engine, &events[0], ""), STEPBUS_ETIMEDOUT);
	assert_int_equal(test_pull_succeed(box, engine, &events[1], ""), STEPBUS_OK);
}

static void what_is_too_large_stays_the_hosts(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"payload_len_max\":8");
	stepbus_worker *worker;
	stepbus_step_event event;

	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, NULL);
	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	box_refused(box, STEPBUS_EINVAL, "result has 9 bytes",
		    test_pull_succeed(box, engine, &event, "123456789"));
	assert_int_equal(test_pull_succeed(box, engine, &event, "12345678"), STEPBUS_OK);
}

/* What a host has whose header is older, or newer, than the library. */
typedef struct other_host {
	uint32_t event_size;
	uint32_t completion_size;
} other_host;

enum { STRANGE_MAX = 1024 };

static stepbus_step_event poll_as(test_box *box, stepbus_worker *worker, const other_host *other)
{
	_Alignas(8) char room[STRANGE_MAX];
	stepbus_step_event event = { .size = other->event_size };
	size_t count = 0;

	memset(room, 0xff, sizeof room);
	memcpy(room, &event.size, sizeof event.size);
	box_ok(box, stepbus_poll(worker, (stepbus_step_event *)(void *)room, 1, TEST_PULL_WAIT_MS,
				 &count, &box->err));
	memcpy(&event, room, other->event_size < sizeof event ? other->event_size : sizeof event);
	assert_int_equal(event.size, other->event_size);
	for (size_t i = other->event_size; i < sizeof room; i++)
		assert_int_equal((uint8_t)room[i], 0xff);
	for (size_t i = sizeof event; i < other->event_size; i++)
		assert_int_equal(room[i], 0);
	return event;
}

static void hosts_of_other_headers_are_understood(void **state)
{
	enum { COUNT = 3 };
	static const other_host others[] = {
		{ offsetof(stepbus_step_event, queue), offsetof(stepbus_completion, backtrace) },
		{ sizeof(stepbus_step_event) + 16, sizeof(stepbus_completion) + 16 },
	};
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);

	for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
		const size_t size = others[k].completion_size;
		_Alignas(8) char answers[COUNT * STRANGE_MAX] = { 0 };

		add_steps(box, engine, COUNT);
		for (size_t i = 0; i < COUNT; i++) {
			const stepbus_step_event event = poll_as(box, worker, &others[k]);
			stepbus_completion c = test_pull_success(&event, "x");

			c.size = (uint32_t)size;
			memcpy(answers + i * size, &c, size < sizeof c ? size : sizeof c);
		}
		box_ok(box, stepbus_complete(engine, (const stepbus_completion *)(void *)answers,
					     COUNT, NULL, &box->err));
		/* A wish that this library does not know is not ignored. */
		if (size > sizeof(stepbus_completion)) {
			answers[size - 1] = 1;
			box_refused(box, STEPBUS_EINVAL, "does not know",
				    stepbus_complete(engine,
						     (const stepbus_completion *)(void *)answers,
						     COUNT, NULL, &box->err));
		}
	}
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 2 * COUNT);
}

typedef struct racer {
	stepbus *engine;
	stepbus_completion answer;
	stepbus_status status;
	test_meeting *meeting;
	uint32_t round;
} racer;

static void answer_at_once(void *context)
{
	racer *r = context;

	test_meet(r->meeting, r->round);
	r->status = stepbus_complete(r->engine, &r->answer, 1, NULL, NULL);
}

static void of_two_answers_at_once_one_counts(void **state)
{
	enum { ROUNDS = 50 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	test_meeting meeting = { 0 };

	for (uint32_t round = 0; round < ROUNDS; round++) {
		racer racers[2];
		test_thread threads[2];
		stepbus_step_event event;

		add_steps(box, engine, 1);
		event = test_pull_one(box, worker);
		for (int i = 0; i < 2; i++) {
			racers[i] = (racer){ .engine = engine, .meeting = &meeting };
			racers[i].round = round;
			racers[i].answer = test_pull_success(&event, i == 0 ? "a" : "b");
			test_thread_start(&threads[i], answer_at_once, &racers[i]);
		}
		for (int i = 0; i < 2; i++)
			test_thread_join(&threads[i]);
		assert_int_equal(racers[0].status + racers[1].status, STEPBUS_EALREADY);
		assert_true(racers[0].status == STEPBUS_OK || racers[1].status == STEPBUS_OK);
	}
}

static int32_t answer_here(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_step_event *event = NULL;

	(void)event_id;
	if (stepbus_payload_step_event(payload, len, &event, NULL) != STEPBUS_OK)
		return 0;
	return test_pull_succeed(user_data, ((test_box *)user_data)->engine, event, "early");
}

static void a_subscriber_may_answer_before_the_poll_returns(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	const stepbus_subscription spec = { .size = sizeof spec,
					    .deliver = answer_here,
					    .user_data = box };
	stepbus_step_event event;

	box_ok(box, stepbus_bridge_subscribe(stepbus_engine_bridge(engine),
					     STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					     &spec, NULL, &box->err));
	add_steps(box, engine, 1);
	event = test_pull_one(box, worker);
	assert_int_equal(state_of(box, engine, &event), SB_STEP_COMPLETED);
	assert_int_equal(stepbus_heartbeat(engine, event.step_id, event.token, &box->err),
			 STEPBUS_ENOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(each_answer_has_its_own_status),
		BOX_TEST(the_first_message_is_told),
		BOX_TEST(the_same_answer_again_is_fine_and_another_is_not),
		BOX_TEST(a_failure_is_tried_again_with_a_new_token),
		BOX_TEST(the_policy_of_the_handler_counts),
		BOX_TEST(a_snooze_comes_back_uncharged),
		BOX_TEST(a_released_step_is_as_if_it_had_not_been_handed_out),
		BOX_TEST(a_release_twice_is_one),
		BOX_TEST(an_attempt_that_took_too_long_is_timed_out),
		BOX_TEST(a_cancelled_step_says_so_everywhere),
		BOX_TEST(a_host_that_is_silent_loses_the_step),
		BOX_TEST(what_is_too_large_stays_the_hosts),
		BOX_TEST(hosts_of_other_headers_are_understood),
		BOX_TEST(of_two_answers_at_once_one_counts),
		BOX_TEST(a_subscriber_may_answer_before_the_poll_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
