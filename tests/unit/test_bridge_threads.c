/* SPDX-License-Identifier: MIT */
/* What one thread may count on while others publish, subscribe, unsubscribe and stop. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"
#include "support/thread.h"

/* Somebody who does one thing on a thread of its own. */
typedef struct actor {
	test_bridge *b;
	uint32_t event;
	uint64_t id;
	stepbus_subscriber *subscriber;
	const test_listener *watched;
	uint32_t returned_count; /* of what it watches, when it was done */
	uint32_t destroyed_count;
	stepbus_status status;
	test_thread thread;
} actor;

static void look(actor *a)
{
	if (a->watched == NULL)
		return;
	a->returned_count = atomic_load(&a->watched->returned_count);
	a->destroyed_count = atomic_load(&a->watched->destroyed_count);
}

static void publish(void *context)
{
	actor *a = context;

	a->status = stepbus_bridge_publish(a->b->bridge, a->event, NULL, 0, NULL);
	look(a);
}

static void unsubscribe(void *context)
{
	actor *a = context;

	a->status = stepbus_bridge_unsubscribe(a->b->bridge, a->id, NULL);
	look(a);
}

static void stop(void *context)
{
	actor *a = context;

	a->status = stepbus_bridge_stop(a->b->bridge, NULL);
	look(a);
}

static void stop_subscriber(void *context)
{
	actor *a = context;

	a->status = stepbus_subscriber_stop(a->subscriber, NULL);
	look(a);
}

/* A callback that says that it runs, and waits to be let go. */
typedef struct hold {
	sem_t entered;
	sem_t released;
} hold;

static void hold_init(hold *h)
{
	sem_init(&h->entered, 0, 0);
	sem_init(&h->released, 0, 0);
}

static void act_hold(test_listener *listener, uint32_t event_id)
{
	hold *h = listener->object;

	(void)event_id;
	sem_post(&h->entered);
	test_semaphore_wait(&h->released);
}

/* A publisher thread that is inside the callback of l. */
static void enter(test_bridge *b, test_listener *l, actor *publisher, uint32_t event)
{
	*publisher = (actor){ .b = b, .event = event };
	test_thread_start(&publisher->thread, publish, publisher);
	test_semaphore_wait(&((hold *)l->object)->entered);
}

static void leave(test_listener *l, actor *publisher)
{
	sem_post(&((hold *)l->object)->released);
	test_thread_join(&publisher->thread);
}

static void wait_for_callback(test_bridge *b, uint32_t flags, size_t other_count)
{
	hold h;
	test_listener l = { .act = act_hold, .object = &h }, other = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");
	actor publisher, ending = { .b = b, .watched = &l };

	hold_init(&h);
	test_listen(b, &l, "order.made", flags, 1);
	if (other_count > 0)
		test_listen(b, &other, "order.made", 0, 0);
	enter(b, &l, &publisher, event);
	ending.id = l.id;
	test_thread_start(&ending.thread, unsubscribe, &ending);
	test_thread_await_sleep(&ending.thread);
	assert_int_equal(l.destroyed_count, 0);
	leave(&l, &publisher);
	test_thread_join(&ending.thread);
	assert_int_equal(ending.status, STEPBUS_OK);
	assert_int_equal(ending.returned_count, 1);
	assert_int_equal(ending.destroyed_count, 1);
	test_publish(b, event);
	assert_int_equal(l.delivered_count, 1);
	test_bridge_free(b);
	assert_int_equal(l.destroyed_count, 1);
}

static void unsubscribing_waits_for_a_lone_callback(void **state)
{
	wait_for_callback(*state, 0, 0);
}

static void unsubscribing_waits_for_a_callback_among_others(void **state)
{
	wait_for_callback(*state, 0, 1);
}

static void unsubscribing_waits_for_a_queued_callback(void **state)
{
	wait_for_callback(*state, STEPBUS_SUBSCRIPTION_QUEUED, 0);
}

static void unsubscribing_waits_for_a_once_callback(void **state)
{
	wait_for_callback(*state, STEPBUS_SUBSCRIPTION_ONCE, 1);
}

/* Written by a callback without any order of its own. */
static int32_t write_plainly(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	uint64_t *numbers = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	for (int i = 0; i < 64; i++)
		numbers[i]++;
	return STEPBUS_OK;
}

static void publish_often(void *context)
{
	actor *a = context;

	while (atomic_load(&a->watched->delivered_count) == 0)
		stepbus_bridge_publish(a->b->bridge, a->event, NULL, 0, NULL);
}

static void what_a_callback_wrote_is_there_when_unsubscribing_returns(void **state)
{
	test_bridge *b = *state;
	uint32_t event = test_declare(b, "order.made"), last = test_declare(b, "order.last");
	test_listener end = { .mark = 0 }, other = { .mark = 0 };
	actor publisher = { .b = b, .event = event, .watched = &end };

	test_listen(b, &end, "order.last", 0, 0);
	test_listen(b, &other, "order.made", 0, -1);
	test_thread_start(&publisher.thread, publish_often, &publisher);
	for (int i = 0; i < 300; i++) {
		uint64_t numbers[64] = { 0 };
		const stepbus_subscription spec = { .size = sizeof spec,
						    .deliver = write_plainly,
						    .user_data = numbers };
		uint64_t id = 0;
		uint32_t before = other.delivered_count;

		stepbus_bridge_subscribe(b->bridge, STEPBUS_TEXT("order.made"), &spec, &id, NULL);
		while (other.delivered_count == before)
			sched_yield();
		stepbus_bridge_unsubscribe(b->bridge, id, NULL);
		/* Without a happens-before edge ThreadSanitizer tells; on some machines the numbers. */
		for (int j = 1; j < 64; j++)
			assert_int_equal(numbers[j], numbers[0]);
	}
	test_publish(b, last);
	test_thread_join(&publisher.thread);
	test_bridge_free(b);
}

/* Ends the other one, while that one ends this one. */
typedef struct duel {
	sem_t *mine;
	sem_t *theirs;
	test_listener *other;
} duel;

static void act_end_the_other(test_listener *listener, uint32_t event_id)
{
	duel *d = listener->object;

	(void)event_id;
	/* Neither goes on before both are inside. */
	sem_post(d->theirs);
	test_semaphore_wait(d->mine);
	listener->status = stepbus_bridge_unsubscribe(listener->bridge, d->other->id, NULL);
}

static void two_callbacks_may_end_each_other(void **state)
{
	test_bridge *b = *state;
	sem_t semaphores[2];
	test_listener l[2] = { { .act = act_end_the_other }, { .act = act_end_the_other } };
	duel duels[2];
	actor publishers[2];
	static const char *const names[] = { "order.made", "order.paid" };

	for (size_t i = 0; i < 2; i++) {
		sem_init(&semaphores[i], 0, 0);
		duels[i] = (duel){ &semaphores[i], &semaphores[1 - i], &l[1 - i] };
		l[i].object = &duels[i];
		publishers[i] = (actor){ .b = b, .event = test_declare(b, names[i]) };
		test_listen(b, &l[i], names[i], 0, 0);
	}
	for (size_t i = 0; i < 2; i++)
		test_thread_start(&publishers[i].thread, publish, &publishers[i]);
	for (size_t i = 0; i < 2; i++)
		test_thread_join(&publishers[i].thread);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(l[i].status, STEPBUS_OK);
		assert_int_equal(l[i].destroyed_count, 1);
		assert_int_equal(publishers[i].status, STEPBUS_OK);
	}
	assert_int_equal(test_stat(b, "subscriptions"), 0);
}

static void a_callback_on_the_loop_and_one_on_a_publisher_may_end_each_other(void **state)
{
	test_bridge *b = *state;
	sem_t semaphores[2];
	test_listener l[2] = { { .act = act_end_the_other }, { .act = act_end_the_other } };
	duel duels[2];
	uint32_t made = test_declare(b, "order.made"), paid = test_declare(b, "order.paid");

	for (size_t i = 0; i < 2; i++) {
		sem_init(&semaphores[i], 0, 0);
		duels[i] = (duel){ &semaphores[i], &semaphores[1 - i], &l[1 - i] };
		l[i].object = &duels[i];
	}
	test_listen(b, &l[0], "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_listen(b, &l[1], "order.paid", 0, 0);
	test_publish(b, made);
	test_publish(b, paid);
	while (l[0].returned_count == 0)
		sched_yield();
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(l[i].status, STEPBUS_OK);
		assert_int_equal(l[i].destroyed_count, 1);
	}
}

static void ending_a_running_one_from_inside_a_callback_does_not_wait(void **state)
{
	test_bridge *b = *state;
	hold h;
	test_listener running = { .mark = 'r', .act = act_hold, .object = &h };
	sem_t open;
	duel d = { &open, &open, &running };
	test_listener ending = { .act = act_end_the_other, .object = &d };
	uint32_t made = test_declare(b, "order.made"), paid = test_declare(b, "order.paid");
	actor publisher;

	hold_init(&h);
	sem_init(&open, 0, 0);
	test_listen(b, &running, "order.made", 0, 0);
	test_listen(b, &ending, "order.paid", 0, 0);
	enter(b, &running, &publisher, made);
	test_publish(b, paid);
	assert_int_equal(ending.status, STEPBUS_OK);
	/* It has ended for everybody but the one who is inside, and so has not been destroyed. */
	assert_int_equal(running.destroyed_count, 0);
	test_publish(b, made);
	assert_string_equal(test_trace_take(&b->trace), "r");
	leave(&running, &publisher);
	assert_string_equal(test_trace_take(&b->trace), "R");
	test_bridge_free(b);
	assert_int_equal(running.destroyed_count, 1);
}

static void stopping_waits_for_a_running_callback(void **state)
{
	test_bridge *b = *state;
	hold h;
	test_listener l = { .act = act_hold, .object = &h };
	uint32_t event = test_declare(b, "order.made");
	actor publisher, ending = { .b = b, .watched = &l };

	hold_init(&h);
	test_listen(b, &l, "order.made", 0, 0);
	enter(b, &l, &publisher, event);
	test_thread_start(&ending.thread, stop, &ending);
	test_thread_await_sleep(&ending.thread);
	assert_int_equal(stepbus_bridge_is_active(b->bridge), 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL),
			 STEPBUS_EINACTIVE);
	leave(&l, &publisher);
	test_thread_join(&ending.thread);
	assert_int_equal(ending.status, STEPBUS_OK);
	assert_int_equal(ending.returned_count, 1);
	assert_int_equal(ending.destroyed_count, 1);
}

static void act_end_itself_and_hold(test_listener *listener, uint32_t event_id)
{
	listener->status = stepbus_bridge_unsubscribe(listener->bridge, listener->id, NULL);
	act_hold(listener, event_id);
}

static void stopping_waits_for_a_callback_that_unsubscribed_itself(void **state)
{
	test_bridge *b = *state;
	hold h;
	test_listener l = { .act = act_end_itself_and_hold, .object = &h };
	uint32_t event = test_declare(b, "order.made");
	actor publisher, ending = { .b = b, .watched = &l };

	hold_init(&h);
	test_listen(b, &l, "order.made", 0, 0);
	enter(b, &l, &publisher, event);
	test_thread_start(&ending.thread, stop, &ending);
	test_thread_await_sleep(&ending.thread);
	leave(&l, &publisher);
	test_thread_join(&ending.thread);
	assert_int_equal(ending.returned_count, 1);
	assert_int_equal(ending.destroyed_count, 1);
}

static void stopping_waits_for_a_callback_that_another_stop_waits_for(void **state)
{
	test_bridge *b = *state;
	hold h;
	test_listener l = { .act = act_hold, .object = &h };
	uint32_t event = test_declare(b, "order.made");
	actor publisher;
	actor endings[2] = { { .b = b, .watched = &l }, { .b = b, .watched = &l } };

	hold_init(&h);
	test_listen(b, &l, "order.made", 0, 0);
	enter(b, &l, &publisher, event);
	for (size_t i = 0; i < 2; i++) {
		test_thread_start(&endings[i].thread, stop, &endings[i]);
		test_thread_await_sleep(&endings[i].thread);
	}
	leave(&l, &publisher);
	for (size_t i = 0; i < 2; i++) {
		test_thread_join(&endings[i].thread);
		assert_int_equal(endings[i].returned_count, 1);
	}
}

static void act_stop_subscriber_and_hold(test_listener *listener, uint32_t event_id)
{
	hold *h = listener->object;
	actor *a = (actor *)(void *)((char *)h + sizeof *h);

	listener->status = stepbus_subscriber_stop(a->subscriber, NULL);
	act_hold(listener, event_id);
}

static void stopping_a_subscriber_waits_for_a_callback_that_stopped_it(void **state)
{
	test_bridge *b = *state;
	struct {
		hold h;
		actor ending;
	} shared = { .ending = { .b = b } };
	test_listener l = { .act = act_stop_subscriber_and_hold, .object = &shared.h, .b = b };
	const stepbus_route route = { .size = sizeof route,
				      .pattern = "order.made",
				      .pattern_len = 10,
				      .deliver = test_listener_deliver };
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 1,
						     .routes = &route,
						     .user_data = &l,
						     .destroy = test_listener_destroy };
	uint32_t event = test_declare(b, "order.made");
	actor publisher;

	hold_init(&shared.h);
	shared.ending.watched = &l;
	assert_int_equal(
		stepbus_subscriber_new(b->bridge, &options, &shared.ending.subscriber, &b->err),
		STEPBUS_OK);
	assert_int_equal(stepbus_subscriber_start(shared.ending.subscriber, NULL), STEPBUS_OK);
	enter(b, &l, &publisher, event);
	test_thread_start(&shared.ending.thread, stop_subscriber, &shared.ending);
	test_thread_await_sleep(&shared.ending.thread);
	leave(&l, &publisher);
	test_thread_join(&shared.ending.thread);
	assert_int_equal(shared.ending.returned_count, 1);
	assert_int_equal(shared.ending.destroyed_count, 0);
	stepbus_subscriber_free(shared.ending.subscriber);
	assert_int_equal(l.destroyed_count, 1);
}

/* One of two publishers that start together, again and again, at a row of once subscriptions. */
typedef struct racer {
	test_bridge *b;
	uint32_t event;
	uint32_t round_count;
	test_meeting meeting;
	test_thread thread;
} racer;

enum { ROW_LEN = 16 };

static void publish_together(void *context)
{
	racer *r = context;

	for (uint32_t i = 0; i < r->round_count; i++) {
		test_meet(&r->meeting, 2 * i);
		stepbus_bridge_publish(r->b->bridge, r->event, NULL, 0, NULL);
		test_meet(&r->meeting, 2 * i + 1);
	}
}

static void race_for_one_delivery(test_bridge *b, uint32_t flags, uint32_t count)
{
	racer r = { .b = b, .event = test_declare(b, "order.made"), .round_count = 1500 };
	uint32_t bad_count = 0;

	test_thread_start(&r.thread, publish_together, &r);
	for (uint32_t i = 0; i < r.round_count; i++) {
		test_listener row[ROW_LEN] = { { .mark = 0 } };

		for (uint32_t j = 0; j < count; j++)
			test_listen(b, &row[j], j % 2 == 0 ? "order.made" : "order.*",
				    STEPBUS_SUBSCRIPTION_ONCE | flags, 0);
		test_meet(&r.meeting, 2 * i);
		test_dawdle(i % 64);
		stepbus_bridge_publish(b->bridge, r.event, NULL, 0, NULL);
		test_meet(&r.meeting, 2 * i + 1);
		stepbus_bridge_flush(b->bridge, -1, NULL);
		for (uint32_t j = 0; j < count; j++) {
			/* A queued one ends itself on the loop: wait for that, or do it here. */
			stepbus_bridge_unsubscribe(b->bridge, row[j].id, NULL);
			while (row[j].destroyed_count == 0)
				sched_yield();
			bad_count += row[j].delivered_count != 1 || row[j].destroyed_count != 1;
		}
	}
	test_thread_join(&r.thread);
	assert_int_equal(bad_count, 0);
}

static void two_publishers_at_once_deliver_a_once_subscription_once(void **state)
{
	race_for_one_delivery(*state, 0, 1);
}

static void two_publishers_at_once_deliver_each_of_a_row_once(void **state)
{
	race_for_one_delivery(*state, 0, ROW_LEN);
}

static void two_publishers_at_once_queue_a_once_subscription_once(void **state)
{
	race_for_one_delivery(*state, STEPBUS_SUBSCRIPTION_QUEUED, ROW_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(unsubscribing_waits_for_a_lone_callback),
		BRIDGE_TEST(unsubscribing_waits_for_a_callback_among_others),
		BRIDGE_TEST(unsubscribing_waits_for_a_queued_callback),
		BRIDGE_TEST(unsubscribing_waits_for_a_once_callback),
		BRIDGE_TEST(what_a_callback_wrote_is_there_when_unsubscribing_returns),
		BRIDGE_TEST(two_callbacks_may_end_each_other),
		BRIDGE_TEST(a_callback_on_the_loop_and_one_on_a_publisher_may_end_each_other),
		BRIDGE_TEST(ending_a_running_one_from_inside_a_callback_does_not_wait),
		BRIDGE_TEST(stopping_waits_for_a_running_callback),
		BRIDGE_TEST(stopping_waits_for_a_callback_that_unsubscribed_itself),
		BRIDGE_TEST(stopping_waits_for_a_callback_that_another_stop_waits_for),
		BRIDGE_TEST(stopping_a_subscriber_waits_for_a_callback_that_stopped_it),
		BRIDGE_TEST(two_publishers_at_once_deliver_a_once_subscription_once),
		BRIDGE_TEST(two_publishers_at_once_deliver_each_of_a_row_once),
		BRIDGE_TEST(two_publishers_at_once_queue_a_once_subscription_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
