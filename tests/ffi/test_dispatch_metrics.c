/* SPDX-License-Identifier: MIT */
/* How well a host keeps up: what is measured, and what is told of it. */
#include <string.h>

#include "support/puller.h"

enum { SECOND = 1000000 };

static stepbus_dispatch_metrics measure(test_box *box, stepbus_worker *worker)
{
	stepbus_dispatch_metrics m = { .size = sizeof m };

	box_ok(box, stepbus_worker_metrics(worker, &m, &box->err));
	assert_int_equal(m.size, sizeof m);
	assert_int_equal(m.pending_count, m.waiting_count + m.polled_count);
	return m;
}

/* Steps that have come into the line. */
static void add_waiting(test_box *box, stepbus *engine, stepbus_worker *worker, size_t count)
{
	uint64_t before = measure(box, worker).waiting_count;

	for (size_t i = 0; i < count; i++)
		test_box_add(box, engine, "work", "x");
	assert_int_equal(measure(box, worker).waiting_count, before + count);
}

static void ages_count_from_what_the_host_noticed_last(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, "\"starvation_ms\":5000");
	stepbus_dispatch_metrics m = measure(box, worker);
	stepbus_step_event event;

	assert_int_equal(m.pending_count, 0);
	add_waiting(box, engine, worker, 2);
	test_box_advance(box, 2 * SECOND);
	event = test_pull_one(box, worker);
	test_box_advance(box, 1 * SECOND);
	m = measure(box, worker);
	assert_int_equal(m.waiting_count, 1);
	assert_int_equal(m.polled_count, 1);
	assert_int_equal(m.oldest_age_ms, 3000);
	assert_int_equal(m.newest_age_ms, 1000);
	assert_memory_not_equal(m.oldest_step_id, event.step_id, 16);
	assert_int_equal(m.is_starving, 0);
	test_box_advance(box, 3 * SECOND);
	box_ok(box, stepbus_heartbeat(engine, event.step_id, event.token, &box->err));
	m = measure(box, worker);
	assert_int_equal(m.newest_age_ms, 0);
	assert_int_equal(m.oldest_age_ms, 6000);
	assert_int_equal(m.starving_count, 1);
	assert_int_equal(m.is_starving, 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	event = test_pull_one(box, worker);
	m = measure(box, worker);
	assert_int_equal(m.is_starving, 0);
	assert_int_equal(m.polled_count, 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	assert_int_equal(measure(box, worker).pending_count, 0);
}

static void what_is_timed_out_and_not_answered_is_the_hosts_yet(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, "\"silence_timeout_ms\":1000");
	stepbus_step_event event;

	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	box_ok(box, stepbus_queue_pause(engine, STEPBUS_TEXT("default"), &box->err));
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "step.retry_requested", 1);
	assert_int_equal(measure(box, worker).polled_count, 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ETIMEDOUT);
	assert_int_equal(measure(box, worker).pending_count, 0);
}

static void workers_are_measured_each_for_itself(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *first = test_pull_begin(box, &engine, NULL), *second;

	add_waiting(box, engine, first, 3);
	second = test_pull_work(box, engine, NULL);
	assert_int_equal(measure(box, second).pending_count, 0);
	assert_int_equal(measure(box, first).waiting_count, 3);
}

static void a_newer_host_gets_zeros_behind_what_is_known(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	struct {
		stepbus_dispatch_metrics m;
		uint64_t unknown;
	} newer = { .m = { .size = sizeof newer }, .unknown = 7 };

	box_ok(box, stepbus_worker_metrics(worker, &newer.m, &box->err));
	assert_int_equal(newer.m.size, sizeof newer);
	assert_int_equal(newer.unknown, 0);
}

static bool says(const test_note *note, const char *word)
{
	return strstr(note->text, word) != NULL;
}

static void metrics_are_told_in_their_period(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(
		box, &engine, "\"id\":\"m\",\"metrics_period_ms\":2000,\"starvation_ms\":3000");
	const test_note *note;

	add_waiting(box, engine, worker, 2);
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "poller.metrics", 1);
	note = test_box_note(box, "poller.metrics", 0);
	assert_true(says(note, "\"worker_id\":\"m\""));
	assert_true(says(note, "\"pending_count\":2"));
	assert_true(says(note, "\"oldest_age_ms\":2000"));
	assert_true(says(note, "\"is_starving\":false"));
	assert_true(says(note, "\"oldest_step_id\":\""));
	assert_int_equal(test_box_count_notes(box, "poller.error"), 0);
}

static void starvation_is_told_when_it_begins(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker =
		test_pull_begin(box, &engine, "\"metrics_period_ms\":1000,\"starvation_ms\":1500");
	stepbus_step_event event;

	add_waiting(box, engine, worker, 1);
	for (size_t i = 1; i <= 4; i++) {
		test_box_advance(box, SECOND);
		test_box_await_notes(box, "poller.metrics", i);
	}
	test_box_await_notes(box, "poller.error", 1);
	assert_int_equal(test_box_count_notes(box, "poller.error"), 1);
	assert_int_equal(test_box_count_notes(box, "poller.starvation.detected"), 1);
	assert_true(says(test_box_note(box, "poller.error", 0), "\"error_type\":\"starvation\""));
	assert_true(
		says(test_box_note(box, "poller.starvation.detected", 0), "\"starving_count\":1"));
	event = test_pull_one(box, worker);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "poller.metrics", 5);
	add_waiting(box, engine, worker, 1);
	for (size_t i = 6; i <= 8; i++) {
		test_box_advance(box, SECOND);
		test_box_await_notes(box, "poller.metrics", i);
	}
	test_box_await_notes(box, "poller.error", 2);
	assert_int_equal(test_box_count_notes(box, "poller.error"), 2);
}

static void who_wants_no_metrics_gets_none(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, "\"metrics_period_ms\":0");

	add_waiting(box, engine, worker, 1);
	for (int i = 0; i < 3; i++)
		test_box_advance(box, 60 * SECOND);
	(void)test_pull_work(box, engine, "\"id\":\"other\",\"metrics_period_ms\":1000");
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "poller.metrics", 1);
	assert_true(says(test_box_note(box, "poller.metrics", 0), "\"worker_id\":\"other\""));
	assert_int_equal(test_box_count_notes(box, "poller.metrics"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(ages_count_from_what_the_host_noticed_last),
		BOX_TEST(what_is_timed_out_and_not_answered_is_the_hosts_yet),
		BOX_TEST(workers_are_measured_each_for_itself),
		BOX_TEST(a_newer_host_gets_zeros_behind_what_is_known),
		BOX_TEST(metrics_are_told_in_their_period),
		BOX_TEST(starvation_is_told_when_it_begins),
		BOX_TEST(who_wants_no_metrics_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
