/* SPDX-License-Identifier: MIT */
/* What callbacks on the loop thread may do to their own bridge, and what flush promises of it. */
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"
#include "support/thread.h"

static void act_unsubscribe(test_listener *listener, uint32_t event_id)
{
	const test_listener *target = listener->object;

	(void)event_id;
	listener->status = stepbus_bridge_unsubscribe(listener->bridge, target->id, NULL);
}

static void flush(test_bridge *b)
{
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, &b->err), STEPBUS_OK);
}

static void a_queued_callback_may_end_itself(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a', .act = act_unsubscribe, .object = &l };
	test_listener last = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_listen(b, &last, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, -1);
	test_publish(b, event);
	flush(b);
	test_publish(b, event);
	flush(b);
	assert_int_equal(last.delivered_count, 2);
	test_bridge_free(b);
	assert_int_equal(l.status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "aA");
}

typedef struct held_target {
	sem_t is_filled;
	test_listener listener;
} held_target;

static void act_wait_and_unsubscribe(test_listener *listener, uint32_t event_id)
{
	held_target *target = listener->object;

	(void)event_id;
	test_semaphore_wait(&target->is_filled);
	listener->status = stepbus_bridge_unsubscribe(listener->bridge, target->listener.id, NULL);
}

static void a_queued_callback_may_end_another_and_drops_its_events(void **state)
{
	test_bridge *b = *state;
	held_target target = { .listener = { .mark = 'b' } };
	test_listener l = { .mark = 'a', .act = act_wait_and_unsubscribe, .object = &target };
	uint32_t event = test_declare(b, "order.made");

	sem_init(&target.is_filled, 0, 0);
	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_listen(b, &target.listener, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, -1);
	test_publish(b, event);
	sem_post(&target.is_filled);
	flush(b);
	assert_int_equal(l.status, STEPBUS_OK);
	assert_int_equal(target.listener.destroyed_count, 1);
	assert_string_equal(test_trace_take(&b->trace), "aB");
	assert_int_equal(test_stat(b, "queued.offered"), 2);
	assert_int_equal(test_stat(b, "queued.delivered"), 1);
	assert_int_equal(test_stat(b, "queued.dropped"), 1);
	test_bridge_free(b);
}

static void act_subscribe(test_listener *listener, uint32_t event_id)
{
	test_listener *added = listener->object;
	stepbus_subscription spec = test_listener_spec(added);

	(void)event_id;
	listener->act = NULL;
	spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
	listener->status = test_listen_as(listener->b, added, "order.made", &spec);
}

static void a_queued_callback_may_subscribe(void **state)
{
	test_bridge *b = *state;
	test_listener added = { .mark = 'b' };
	test_listener l = { .mark = 'a', .act = act_subscribe, .object = &added };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_publish(b, event);
	flush(b);
	assert_int_equal(l.status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "a");
	test_publish(b, event);
	flush(b);
	assert_string_equal(test_trace_take(&b->trace), "ab");
	test_bridge_free(b);
}

static void act_publish(test_listener *listener, uint32_t event_id)
{
	stepbus_status status = stepbus_bridge_publish(listener->bridge, event_id, NULL, 0, NULL);

	if (status != STEPBUS_OK)
		listener->status = status;
}

static void act_publish_next(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	stepbus_bridge_publish(listener->bridge, *(uint32_t *)listener->object, NULL, 0, NULL);
	listener->status = stepbus_bridge_start(listener->bridge, NULL);
}

static void publishes_on_the_loop_nest_32_deep(void **state)
{
	test_bridge *b = *state;
	uint32_t made = test_declare(b, "order.made"), paid = test_declare(b, "order.paid");
	test_listener queued = { .act = act_publish_next, .object = &paid };
	test_listener nested = { .act = act_publish };

	test_listen(b, &queued, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_listen(b, &nested, "order.paid", 0, 0);
	for (uint32_t i = 1; i <= 2; i++) {
		test_publish(b, made);
		flush(b);
		/* The queued callback is the first of the 32. */
		assert_int_equal(nested.delivered_count, i * 31);
		assert_int_equal(nested.status, STEPBUS_EREENTRANT);
	}
	test_bridge_free(b);
}

static void act_stop(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	listener->status = stepbus_bridge_stop(listener->bridge, NULL);
}

static void a_queued_callback_may_stop_the_bridge(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a', .act = act_stop };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	for (int i = 0; i < 5; i++)
		stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL);
	stepbus_bridge_flush(b->bridge, -1, NULL);
	test_bridge_free(b);
	assert_int_equal(l.status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "aA");
}

static void act_free(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	stepbus_bridge_free(listener->bridge);
	/* It is there until the callback returns. */
	listener->status = stepbus_bridge_start(listener->bridge, NULL);
}

/* Lets the callback go when publish has returned: no other thread may use a bridge that is freed. */
static void free_on_loop(test_bridge *b, test_listener *l, uint32_t flags)
{
	sem_t *is_published = l->object;
	uint32_t event = test_declare(b, "order.made");

	sem_init(is_published, 0, 0);
	test_listen(b, l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED | flags, 0);
	test_publish(b, event);
	b->bridge = NULL;
	sem_post(is_published);
	test_await_release(&b->t);
	assert_int_equal(l->status, STEPBUS_ESHUTDOWN);
	assert_int_equal(l->delivered_count, 1);
	assert_int_equal(l->destroyed_count, 1);
}

static void act_wait_and_free(test_listener *listener, uint32_t event_id)
{
	sem_t *is_published = listener->object;

	test_semaphore_wait(is_published);
	act_free(listener, event_id);
}

static void a_queued_callback_may_free_the_bridge(void **state)
{
	sem_t is_published;
	test_listener l = { .act = act_wait_and_free, .object = &is_published };

	free_on_loop(*state, &l, 0);
}

static void a_queued_once_callback_may_free_the_bridge(void **state)
{
	sem_t is_published;
	test_listener l = { .act = act_wait_and_free, .object = &is_published };

	free_on_loop(*state, &l, STEPBUS_SUBSCRIPTION_ONCE);
}

/* A queued callback cannot know whether the call that published its event has returned. */
static void freeing_on_the_loop_while_the_publisher_returns(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		void *opened = NULL;
		test_bridge *b;
		test_listener l = { .act = act_free }, other = { .mark = 0 };
		uint32_t event;

		test_bridge_open(&opened);
		b = opened;
		event = test_declare(b, "order.made");
		test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, i % 2 == 0 ? 1 : -1);
		if (i % 4 < 2)
			test_listen(b, &other, "*", 0, 0);
		stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL);
		b->bridge = NULL;
		test_await_release(&b->t);
		assert_int_equal(l.destroyed_count, 1);
		test_bridge_close(&opened);
	}
}

static void freeing_on_the_loop_drops_what_waits(void **state)
{
	test_bridge *b = *state;
	sem_t ready;
	test_listener l[] = { { .act = act_wait_and_free, .object = &ready },
			      { .mark = 'b' },
			      { .mark = 'c' } };
	uint32_t event = test_declare(b, "order.made");

	sem_init(&ready, 0, 0);
	test_listen(b, &l[0], "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 2);
	test_listen(b, &l[1], "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 1);
	test_listen(b, &l[2], "order.made", 0, 0);
	for (int i = 0; i < 100; i++)
		test_publish(b, event);
	b->bridge = NULL;
	sem_post(&ready);
	test_await_release(&b->t);
	assert_int_equal(l[0].delivered_count, 1);
	assert_int_equal(l[1].delivered_count, 0);
	assert_int_equal(l[2].delivered_count, 100);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(l[i].destroyed_count, 1);
}

static void freeing_in_a_callback_while_the_loop_delivers(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		void *opened = NULL;
		test_bridge *b;
		test_listener freeing = { .act = act_free }, queued[2] = { { .mark = 0 } };
		uint32_t made, paid;

		test_bridge_open(&opened);
		b = opened;
		made = test_declare(b, "order.made");
		paid = test_declare(b, "order.paid");
		test_listen(b, &freeing, "order.paid", 0, 0);
		for (size_t j = 0; j < 2; j++)
			test_listen(b, &queued[j], "*", STEPBUS_SUBSCRIPTION_QUEUED, -1);
		for (int j = 0; j < i; j++)
			test_publish(b, made);
		stepbus_bridge_publish(b->bridge, paid, NULL, 0, NULL);
		b->bridge = NULL;
		/* Publish was the outermost call: with it all is gone. */
		assert_int_equal(b->t.live_count, 0);
		assert_int_equal(freeing.destroyed_count, 1);
		for (size_t j = 0; j < 2; j++) {
			assert_int_equal(queued[j].destroyed_count, 1);
			assert_int_equal(queued[j].delivered_count, queued[j].returned_count);
		}
		test_bridge_close(&opened);
	}
}

/* What the nested callback is for, and when it may go on. */
typedef struct nested_free {
	uint32_t event;
	sem_t is_published;
} nested_free;

static void act_wait_and_publish(test_listener *listener, uint32_t event_id)
{
	nested_free *n = listener->object;

	(void)event_id;
	test_semaphore_wait(&n->is_published);
	stepbus_bridge_publish(listener->bridge, n->event, NULL, 0, NULL);
	listener->status = stepbus_bridge_start(listener->bridge, NULL);
}

static void a_callback_nested_on_the_loop_may_free_the_bridge(void **state)
{
	test_bridge *b = *state;
	uint32_t made = test_declare(b, "order.made");
	nested_free n = { .event = test_declare(b, "order.paid") };
	test_listener outer = { .act = act_wait_and_publish, .object = &n };
	test_listener inner = { .act = act_free };

	sem_init(&n.is_published, 0, 0);
	test_listen(b, &outer, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_listen(b, &inner, "order.paid", 0, 0);
	test_publish(b, made);
	b->bridge = NULL;
	sem_post(&n.is_published);
	test_await_release(&b->t);
	assert_int_equal(outer.status, STEPBUS_ESHUTDOWN);
	assert_int_equal(outer.destroyed_count, 1);
	assert_int_equal(inner.destroyed_count, 1);
}

static void a_callback_that_refuses_counts_as_delivered(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .answer = 9 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_publish(b, event);
	flush(b);
	assert_int_equal(test_stat(b, "queued.delivered"), 1);
	assert_int_equal(test_stat(b, "queued.dropped"), 0);
	test_bridge_free(b);
}

static void a_queued_once_subscription_gets_the_first_event(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.*", STEPBUS_SUBSCRIPTION_QUEUED | STEPBUS_SUBSCRIPTION_ONCE, 0);
	for (int i = 0; i < 10; i++)
		test_publish(b, event);
	flush(b);
	/* Its end is announced before flush returns, or the bridge's end brings it. */
	test_bridge_free(b);
	assert_string_equal(test_trace_take(&b->trace), "aA");
	assert_int_equal(l.destroyed_count, 1);
}

/* Two callbacks on the loop, one after the other; each waits for its own semaphore. */
static void act_wait(test_listener *listener, uint32_t event_id)
{
	sem_t *semaphores = listener->object;

	(void)event_id;
	sem_post(&semaphores[0]);
	test_semaphore_wait(&semaphores[1]);
}

typedef struct flusher {
	test_bridge *b;
	const test_listener *target;
	stepbus_status status;
	uint32_t returned_count; /* of the target, when flush had returned */
	test_thread thread;
} flusher;

static void flush_and_look(void *context)
{
	flusher *f = context;

	/* Long enough for the test to do its part; it ends by time only where all is well. */
	f->status = stepbus_bridge_flush(f->b->bridge, 300, NULL);
	f->returned_count = atomic_load(&f->target->returned_count);
}

static void refused_events_do_not_count_as_flushed(void **state)
{
	test_bridge *b = *state;
	sem_t first_sems[2], second_sems[2];
	test_listener first = { .act = act_wait, .object = first_sems };
	test_listener second = { .act = act_wait, .object = second_sems };
	stepbus_subscription spec = test_listener_spec(&second);
	flusher f = { .b = b, .target = &second };
	uint32_t made = test_declare(b, "order.made"), paid = test_declare(b, "order.paid");

	for (int i = 0; i < 2; i++) {
		sem_init(&first_sems[i], 0, 0);
		sem_init(&second_sems[i], 0, 0);
	}
	spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
	spec.queue_count_max = 2;
	test_listen(b, &first, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	assert_int_equal(test_listen_as(b, &second, "order.paid", &spec), STEPBUS_OK);
	test_publish(b, made);
	test_semaphore_wait(&first_sems[0]);
	test_publish(b, paid);
	test_publish(b, paid);
	test_thread_start(&f.thread, flush_and_look, &f);
	test_thread_await_sleep(&f.thread);
	for (int i = 0; i < 2; i++)
		assert_int_equal(stepbus_bridge_publish(b->bridge, paid, NULL, 0, NULL),
				 STEPBUS_EFULL);
	/* The first turn ends, which makes flush look again; the second callback goes on waiting. */
	sem_post(&first_sems[1]);
	test_thread_join(&f.thread);
	sem_post(&second_sems[1]);
	sem_post(&second_sems[1]);
	test_bridge_free(b);
	assert_int_equal(f.returned_count, 0);
	assert_int_equal(f.status, STEPBUS_ETIMEDOUT);
}

static void act_unsubscribe_and_wait(test_listener *listener, uint32_t event_id)
{
	listener->status = stepbus_bridge_unsubscribe(listener->bridge, listener->id, NULL);
	act_wait(listener, event_id);
}

static void flushing_waits_for_a_callback_that_ended_itself(void **state)
{
	test_bridge *b = *state;
	sem_t semaphores[2];
	test_listener l = { .act = act_unsubscribe_and_wait, .object = semaphores };
	uint32_t event = test_declare(b, "order.made");
	stepbus_status status;

	sem_init(&semaphores[0], 0, 0);
	sem_init(&semaphores[1], 0, 0);
	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_publish(b, event);
	test_semaphore_wait(&semaphores[0]);
	status = stepbus_bridge_flush(b->bridge, 1, NULL);
	sem_post(&semaphores[1]);
	test_bridge_free(b);
	assert_int_equal(status, STEPBUS_ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(a_queued_callback_may_end_itself),
		BRIDGE_TEST(a_queued_callback_may_end_another_and_drops_its_events),
		BRIDGE_TEST(a_queued_callback_may_subscribe),
		BRIDGE_TEST(publishes_on_the_loop_nest_32_deep),
		BRIDGE_TEST(a_queued_callback_may_stop_the_bridge),
		BRIDGE_TEST(a_queued_callback_may_free_the_bridge),
		BRIDGE_TEST(a_queued_once_callback_may_free_the_bridge),
		BRIDGE_TEST(freeing_on_the_loop_drops_what_waits),
		cmocka_unit_test(freeing_on_the_loop_while_the_publisher_returns),
		cmocka_unit_test(freeing_in_a_callback_while_the_loop_delivers),
		BRIDGE_TEST(a_callback_nested_on_the_loop_may_free_the_bridge),
		BRIDGE_TEST(a_callback_that_refuses_counts_as_delivered),
		BRIDGE_TEST(a_queued_once_subscription_gets_the_first_event),
		BRIDGE_TEST(refused_events_do_not_count_as_flushed),
		BRIDGE_TEST(flushing_waits_for_a_callback_that_ended_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
