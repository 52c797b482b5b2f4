/* SPDX-License-Identifier: MIT */
/* Polling: what a host is handed, how much, when, and what it is refused. */
#include <stdio.h>
#include <string.h>

#include "support/puller.h"
#include "support/thread.h"

enum { SECOND = 1000000 };

static stepbus_status poll_now(test_box *box, stepbus_worker *worker)
{
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 7;
	stepbus_status status = stepbus_poll(worker, &event, 1, 0, &count, &box->err);

	assert_int_equal(count, status == STEPBUS_OK ? 1 : 0);
	return status;
}

static void a_polled_step_is_all_that_was_enqueued(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_spec spec = test_box_spec("work", "the input");
	stepbus_step_event event;
	uint8_t id[16];

	spec.step_name = "first";
	spec.step_name_len = 5;
	spec.correlation_id = "c-1";
	spec.correlation_id_len = 3;
	test_box_put(box, engine, &spec, id);
	event = test_pull_one(box, worker);
	assert_int_equal(event.size, sizeof event);
	assert_int_equal(event.flags, STEPBUS_STEP_PULLED);
	assert_memory_equal(event.step_id, id, sizeof id);
	assert_memory_equal(event.input, "the input", 9);
	assert_memory_equal(event.step_name, "first", 5);
	assert_memory_equal(event.correlation_id, "c-1", 3);
	assert_memory_equal(event.handler_name, "work", 4);
	assert_int_equal(event.retry_count, 0);
	assert_int_equal(test_pull_succeed(box, engine, &event, "done"), STEPBUS_OK);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_COMPLETED);
	assert_string_equal(test_box_look(box, engine, id).result, "done");
}

static void the_event_names_the_version_that_is_to_run(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec old = { .size = sizeof old, .version = "1.0", .version_len = 3 };
	stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_worker *worker;
	stepbus_step_event event;
	uint8_t id[16];

	test_pull_handle(box, engine, "work", &old);
	worker = test_pull_work(box, engine, NULL);
	spec.handler_version = "2.0";
	spec.handler_version_len = 3;
	test_box_put(box, engine, &spec, id);
	event = test_pull_one(box, worker);
	assert_int_equal(event.handler_version_len, 3);
	assert_memory_equal(event.handler_version, "1.0", 3);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_OK);
}

static void the_event_tells_how_often_its_handler_may_try(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec patient = { .size = sizeof patient, .attempt_count_max = 7 };
	stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_worker *worker;
	uint8_t id[16];

	test_pull_handle(box, engine, "work", &patient);
	worker = test_pull_work(box, engine, NULL);
	test_box_put(box, engine, &spec, id);
	assert_int_equal(test_pull_one(box, worker).max_retries, 6);
	spec.attempt_count_max = 2;
	test_box_put(box, engine, &spec, id);
	assert_int_equal(test_pull_one(box, worker).max_retries, 1);
}

static void steps_come_in_batches_in_their_order(void **state)
{
	enum { COUNT = 300 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event events[COUNT];
	stepbus_completion answers[COUNT];
	char input[32];
	size_t seen = 0;

	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(input, sizeof input, "%03d", i);
		test_box_add(box, engine, "work", input);
	}
	while (seen < COUNT) {
		size_t count = test_pull_many(box, worker, events, COUNT);

		for (size_t i = 0; i < count; i++) {
			(void)snprintf(input, sizeof input, "%03zu", seen + i);
			assert_memory_equal(events[i].input, input, 3);
			answers[i] = test_pull_success(&events[i], input);
		}
		box_ok(box, stepbus_complete(engine, answers, count, NULL, &box->err));
		seen += count;
	}
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT);
	assert_int_equal(poll_now(box, worker), STEPBUS_ETIMEDOUT);
}

static void a_poll_without_steps_ends_in_time(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 1;

	assert_int_equal(poll_now(box, worker), STEPBUS_ETIMEDOUT);
	assert_int_equal(stepbus_poll(worker, &event, 1, 20, &count, &box->err), STEPBUS_ETIMEDOUT);
	assert_int_equal(count, 0);
}

typedef struct poller {
	test_box *box;
	stepbus *engine;
	stepbus_worker *worker;
	_Atomic(size_t) count;
	stepbus_status status;
} poller;

static void poll_and_complete_all(void *user_data)
{
	enum { BATCH = 16 };
	poller *p = user_data;
	stepbus_step_event events[BATCH] = { { .size = sizeof events[0] } };
	stepbus_completion answers[BATCH];
	stepbus_error err = STEPBUS_ERROR_INIT;
	size_t count = 0;

	for (;;) {
		p->status = stepbus_poll(p->worker, events, BATCH, -1, &count, &err);
		if (p->status != STEPBUS_OK)
			return;
		for (size_t i = 0; i < count; i++)
			answers[i] = test_pull_success(&events[i], "");
		p->status = stepbus_complete(p->engine, answers, count, NULL, &err);
		if (p->status != STEPBUS_OK)
			return;
		atomic_fetch_add(&p->count, count);
	}
}

static void many_may_poll_at_once(void **state)
{
	enum { COUNT = 2000, THREADS = 4 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	poller pollers[THREADS];
	test_thread threads[THREADS];
	size_t total = 0;

	for (int i = 0; i < THREADS; i++) {
		pollers[i] = (poller){ .box = box, .engine = engine, .worker = worker };
		test_thread_start(&threads[i], poll_and_complete_all, &pollers[i]);
	}
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	test_box_await_notes(box, "step.completed", COUNT);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	for (int i = 0; i < THREADS; i++) {
		test_thread_join(&threads[i]);
		assert_int_equal(pollers[i].status, STEPBUS_ESHUTDOWN);
		total += atomic_load(&pollers[i].count);
	}
	assert_int_equal(total, COUNT);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT);
}

static void a_stop_ends_a_poll_that_waits(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	poller p = { .box = box, .worker = test_pull_begin(box, &engine, NULL) };
	test_thread thread;

	p.engine = engine;
	test_thread_start(&thread, poll_and_complete_all, &p);
	box_ok(box, stepbus_worker_stop(p.worker, -1, NULL, &box->err));
	test_thread_join(&thread);
	assert_int_equal(p.status, STEPBUS_ESHUTDOWN);
	assert_int_equal(poll_now(box, p.worker), STEPBUS_ESHUTDOWN);
}

static void what_is_never_answered_ends_the_handing_out(void **state)
{
	enum { ROOM = 4 * 1 + 64 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, "\"block_size\":1");
	stepbus_step_event events[ROOM];

	for (int i = 0; i < ROOM + 1; i++)
		test_box_add(box, engine, "work", "x");
	for (int i = 0; i < ROOM; i++)
		events[i] = test_pull_one(box, worker);
	assert_int_equal(poll_now(box, worker), STEPBUS_EBUSY);
	assert_int_equal(test_pull_succeed(box, engine, &events[0], ""), STEPBUS_OK);
	events[0] = test_pull_one(box, worker);
	assert_int_equal(poll_now(box, worker), STEPBUS_EBUSY);
	for (int i = 0; i < ROOM; i++)
		assert_int_equal(test_pull_succeed(box, engine, &events[i], ""), STEPBUS_OK);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), ROOM + 1);
}

static void a_step_of_no_handler_fails_at_once(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	const stepbus_step_spec spec = test_box_spec("nobody", "x");
	test_look look;
	uint8_t id[16];

	test_box_put(box, engine, &spec, id);
	test_box_add(box, engine, "work", "x");
	/* It stands first, and is passed over. */
	assert_memory_equal(test_pull_one(box, worker).handler_name, "work", 4);
	test_box_await_notes(box, "step.failed", 1);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_FAILED);
	assert_string_equal(look.error_type, "handler_not_found");
}

static void a_queue_that_is_not_permitted_fails_the_step(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec picky = { .size = sizeof picky,
					     .permitted_queues = "other",
					     .permitted_queues_len = 5 };
	const stepbus_step_spec spec = test_box_spec("picky", "x");
	stepbus_worker *worker;
	uint8_t id[16];

	/* Before anybody knows of the handler: then the enqueue would be refused. */
	test_box_put(box, engine, &spec, id);
	test_box_add(box, engine, "work", "x");
	test_pull_handle(box, engine, "picky", &picky);
	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, NULL);
	assert_memory_equal(test_pull_one(box, worker).handler_name, "work", 4);
	test_box_await_notes(box, "step.failed", 1);
	assert_string_equal(test_box_look(box, engine, id).error_type, "not_permitted");
}

static void a_step_that_was_cancelled_in_line_is_not_handed_out(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "x");
	uint8_t id[16];

	test_box_put(box, engine, &spec, id);
	box_ok(box, stepbus_step_cancel(engine, id, &box->err));
	assert_int_equal(poll_now(box, worker), STEPBUS_ETIMEDOUT);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
}

static void no_step_is_handed_out_beyond_the_lease(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"lease_ms\":1000,\"poll_ms\":60000");
	stepbus_worker *worker;

	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	sb_writer_lead(&engine->writer);
	atomic_fetch_add(&box->elapsed_ns, INT64_C(3000000000));
	assert_int_equal(poll_now(box, worker), STEPBUS_ETIMEDOUT);
	sb_writer_yield(&engine->writer);
	box_ok(box, stepbus_engine_wake(engine, &box->err));
	assert_memory_equal(test_pull_one(box, worker).handler_name, "work", 4);
}

static int32_t on_received(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_step_event *event = NULL;

	(void)event_id;
	if (stepbus_payload_step_event(payload, len, &event, NULL) == STEPBUS_OK &&
	    (event->flags & STEPBUS_STEP_PULLED) != 0)
		++*(int *)user_data;
	return 0;
}

static void each_step_is_announced_as_pulled(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	int announced = 0;
	const stepbus_subscription spec = { .size = sizeof spec,
					    .deliver = on_received,
					    .user_data = &announced };
	stepbus_step_event event;
	uint64_t id;

	box_ok(box, stepbus_bridge_subscribe(stepbus_engine_bridge(engine),
					     STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					     &spec, &id, &box->err));
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	assert_int_equal(announced, 1);
	/* Nothing of the library's own has answered it. */
	assert_int_equal(test_pull_succeed(box, engine, &event, "mine"), STEPBUS_OK);
}

static void a_pool_and_a_host_share_an_engine(void **state)
{
	enum { COUNT = 200 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	poller p = { .box = box, .engine = engine };
	test_thread thread;

	(void)test_box_handle(box, engine, "called", test_act_echo, NULL);
	test_pull_handle(box, engine, "pulled", NULL);
	p.worker = test_pull_work(box, engine, "\"block_size\":8");
	(void)test_box_work(box, engine, "\"block_size\":8");
	test_thread_start(&thread, poll_and_complete_all, &p);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, i % 3 == 0 ? "called" : "pulled", "x");
	test_box_await_notes(box, "step.completed", COUNT);
	assert_int_equal(test_box_run_count(box), (COUNT + 2) / 3);
	box_ok(box, stepbus_worker_stop(p.worker, -1, NULL, &box->err));
	test_thread_join(&thread);
	assert_int_equal(atomic_load(&p.count), COUNT - (COUNT + 2) / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_polled_step_is_all_that_was_enqueued),
		BOX_TEST(the_event_names_the_version_that_is_to_run),
		BOX_TEST(the_event_tells_how_often_its_handler_may_try),
		BOX_TEST(steps_come_in_batches_in_their_order),
		BOX_TEST(a_poll_without_steps_ends_in_time),
		BOX_TEST(many_may_poll_at_once),
		BOX_TEST(a_stop_ends_a_poll_that_waits),
		BOX_TEST(what_is_never_answered_ends_the_handing_out),
		BOX_TEST(a_step_of_no_handler_fails_at_once),
		BOX_TEST(a_queue_that_is_not_permitted_fails_the_step),
		BOX_TEST(a_step_that_was_cancelled_in_line_is_not_handed_out),
		BOX_TEST(no_step_is_handed_out_beyond_the_lease),
		BOX_TEST(each_step_is_announced_as_pulled),
		BOX_TEST(a_pool_and_a_host_share_an_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
