/* SPDX-License-Identifier: MIT */
/* Queued subscriptions: bounds, overflow, counters, flush, and what callbacks on the loop may do. */
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"
#include "support/thread.h"

/* A listener that waits in its callback until it is let go. */
typedef struct valve {
	sem_t entered; /* posted when a callback has begun */
	sem_t opened;  /* each callback takes one */
} valve;

static void act_wait(test_listener *listener, uint32_t event_id)
{
	valve *v = listener->object;

	(void)event_id;
	sem_post(&v->entered);
	test_semaphore_wait(&v->opened);
}

static void valve_init(valve *v)
{
	sem_init(&v->entered, 0, 0);
	sem_init(&v->opened, 0, 0);
}

static void valve_open(valve *v, int count)
{
	for (int i = 0; i < count; i++)
		sem_post(&v->opened);
}

static void listen_queued(test_bridge *b, test_listener *l, int32_t overflow, uint32_t count_max)
{
	stepbus_subscription spec = test_listener_spec(l);

	spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
	spec.overflow = overflow;
	spec.queue_count_max = count_max;
	assert_int_equal(test_listen_as(b, l, "order.made", &spec), STEPBUS_OK);
}

static void assert_counts(test_bridge *b, int64_t delivered, int64_t dropped, int64_t waiting)
{
	assert_int_equal(test_stat(b, "queued.offered"), delivered + dropped + waiting);
	assert_int_equal(test_stat(b, "queued.delivered"), delivered);
	assert_int_equal(test_stat(b, "queued.dropped"), dropped);
	assert_int_equal(test_stat(b, "queued.waiting"), waiting);
}

static stepbus_status publish(test_bridge *b, uint32_t event)
{
	return stepbus_bridge_publish(b->bridge, event, NULL, 0, &b->err);
}

typedef struct copy {
	sem_t done;
	pthread_t thread;
	char bytes[8];
	size_t len;
} copy;

static int32_t take_copy(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	copy *c = user_data;

	(void)event_id;
	c->thread = pthread_self();
	c->len = len;
	memcpy(c->bytes, payload, len < sizeof c->bytes ? len : sizeof c->bytes);
	sem_post(&c->done);
	return STEPBUS_OK;
}

static void queued_events_arrive_on_another_thread_as_they_were(void **state)
{
	test_bridge *b = *state;
	copy c = { .len = 0 };
	const stepbus_subscription spec = { .size = sizeof spec,
					    .flags = STEPBUS_SUBSCRIPTION_QUEUED,
					    .deliver = take_copy,
					    .user_data = &c };
	uint32_t event = test_declare(b, "order.made");
	char payload[] = "seven\0!";

	sem_init(&c.done, 0, 0);
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, "*", 1, &spec, NULL, &b->err),
			 STEPBUS_OK);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, payload, 7, &b->err), STEPBUS_OK);
	memset(payload, 'x', sizeof payload);
	test_semaphore_wait(&c.done);
	assert_int_equal(c.len, 7);
	assert_memory_equal(c.bytes, "seven\0!", 7);
	assert_false(pthread_equal(c.thread, pthread_self()));
	test_bridge_free(b);
}

static void a_full_queue_refuses_by_default(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_wait, .object = &v };
	uint32_t event = test_declare(b, "order.made");

	valve_init(&v);
	listen_queued(b, &l, STEPBUS_OVERFLOW_ERROR, 2);
	assert_counts(b, 0, 0, 0);
	test_publish(b, event);
	test_semaphore_wait(&v.entered);
	/* One is being delivered, two wait: that it runs does not make it over. */
	test_publish(b, event);
	test_publish(b, event);
	assert_counts(b, 0, 0, 3);
	assert_int_equal(publish(b, event), STEPBUS_EFULL);
	assert_int_equal(b->err.code, STEPBUS_EFULL);
	assert_non_null(strstr(b->err.message, "queue_count_max"));
	assert_counts(b, 0, 1, 3);
	valve_open(&v, 3);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_counts(b, 3, 1, 0);
	test_unlisten(&l);
	assert_counts(b, 3, 1, 0);
}

static void a_full_queue_is_told_after_everybody_was_called(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener full = { .act = act_wait, .object = &v };
	test_listener other = { .mark = 'a' };
	uint32_t event = test_declare(b, "order.made");

	valve_init(&v);
	listen_queued(b, &full, STEPBUS_OVERFLOW_ERROR, 1);
	test_publish(b, event);
	test_semaphore_wait(&v.entered);
	test_publish(b, event);
	test_listen(b, &other, "order.made", 0, -1);
	assert_int_equal(publish(b, event), STEPBUS_EFULL);
	assert_string_equal(test_trace_take(&b->trace), "a");
	valve_open(&v, 2);
	test_bridge_free(b);
}

static void the_oldest_makes_room_where_that_is_asked_for(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_wait, .object = &v };
	uint32_t event = test_declare(b, "order.made");

	valve_init(&v);
	listen_queued(b, &l, STEPBUS_OVERFLOW_DROP_OLDEST, 2);
	test_publish(b, event);
	test_semaphore_wait(&v.entered);
	for (int i = 0; i < 10; i++) {
		test_publish(b, event);
		assert_counts(b, 0, i < 2 ? 0 : i - 1, i < 2 ? i + 2 : 3);
	}
	valve_open(&v, 3);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_counts(b, 3, 8, 0);
	assert_int_equal(l.delivered_count, 3);
	test_bridge_free(b);
}

/* Collects the first byte of each payload. */
static int32_t collect(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	test_listener *l = user_data;

	(void)len;
	test_trace_mark(&l->b->trace, *(const char *)payload);
	if (l->act != NULL)
		l->act(l, event_id);
	return STEPBUS_OK;
}

static void a_queue_keeps_the_order(void **state)
{
	static const char *const names[] = { "order.made", "order.paid", "order.sent" };
	static const char marks[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	stepbus_subscription spec = test_listener_spec(&l);
	uint32_t events[3];

	for (size_t i = 0; i < 3; i++)
		events[i] = test_declare(b, names[i]);
	spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
	spec.deliver = collect;
	assert_int_equal(test_listen_as(b, &l, "order.*", &spec), STEPBUS_OK);
	for (size_t i = 0; marks[i] != '\0'; i++)
		assert_int_equal(
			stepbus_bridge_publish(b->bridge, events[i % 3], &marks[i], 1, NULL),
			STEPBUS_OK);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, &b->err), STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), marks);
	test_bridge_free(b);
}

static void what_is_dropped_is_the_oldest_that_waits(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_wait, .object = &v };
	stepbus_subscription spec = test_listener_spec(&l);
	uint32_t event = test_declare(b, "order.made");

	valve_init(&v);
	spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
	spec.overflow = STEPBUS_OVERFLOW_DROP_OLDEST;
	spec.queue_count_max = 3;
	spec.deliver = collect;
	assert_int_equal(test_listen_as(b, &l, "order.made", &spec), STEPBUS_OK);
	for (const char *mark = "abcdefgh"; *mark != '\0'; mark++) {
		assert_int_equal(stepbus_bridge_publish(b->bridge, event, mark, 1, NULL),
				 STEPBUS_OK);
		if (*mark == 'a')
			test_semaphore_wait(&v.entered);
	}
	valve_open(&v, 4);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "afgh");
	test_bridge_free(b);
}

typedef struct publisher {
	test_bridge *b;
	uint32_t event;
	stepbus_status status;
	test_thread thread;
} publisher;

static void publish_once(void *context)
{
	publisher *p = context;

	p->status = stepbus_bridge_publish(p->b->bridge, p->event, NULL, 0, NULL);
}

/* A queue of one that is full, and a publisher that waits for room in it. */
static void fill_and_block(test_bridge *b, test_listener *l, publisher *p)
{
	valve *v = l->object;

	valve_init(v);
	p->b = b;
	p->event = test_declare(b, "order.made");
	p->status = -1;
	listen_queued(b, l, STEPBUS_OVERFLOW_BLOCK, 1);
	test_publish(b, p->event);
	test_semaphore_wait(&v->entered);
	test_publish(b, p->event);
	test_thread_start(&p->thread, publish_once, p);
	test_thread_await_sleep(&p->thread);
	assert_int_equal(p->status, -1);
	assert_counts(b, 0, 0, 3);
}

static void who_waits_for_room_goes_on_when_there_is_some(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_wait, .object = &v };
	publisher p;

	fill_and_block(b, &l, &p);
	valve_open(&v, 1);
	test_thread_join(&p.thread);
	assert_int_equal(p.status, STEPBUS_OK);
	valve_open(&v, 2);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_counts(b, 3, 0, 0);
	test_bridge_free(b);
}

typedef struct ending {
	test_bridge *b;
	uint64_t id;
	stepbus_status status;
	test_thread thread;
} ending;

static void unsubscribe(void *context)
{
	ending *e = context;

	e->status = stepbus_bridge_unsubscribe(e->b->bridge, e->id, NULL);
}

static void who_waits_for_room_is_let_go_by_unsubscribing(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_wait, .object = &v };
	ending e = { .b = b };
	publisher p;

	fill_and_block(b, &l, &p);
	e.id = l.id;
	/* It waits for the callback, but the publisher must not wait for that. */
	test_thread_start(&e.thread, unsubscribe, &e);
	test_thread_join(&p.thread);
	/* That somebody ended it is no concern of the publisher's; the counters tell. */
	assert_int_equal(p.status, STEPBUS_OK);
	assert_int_equal(l.destroyed_count, 0);
	valve_open(&v, 1);
	test_thread_join(&e.thread);
	assert_int_equal(e.status, STEPBUS_OK);
	assert_int_equal(l.delivered_count, 1);
	assert_int_equal(l.destroyed_count, 1);
	assert_counts(b, 1, 2, 0);
}

static void stop(void *context)
{
	ending *e = context;

	e->status = stepbus_bridge_stop(e->b->bridge, NULL);
}

static void stopping_lets_who_waits_for_room_in_and_delivers_it(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_wait, .object = &v };
	ending e = { .b = b };
	publisher p;

	fill_and_block(b, &l, &p);
	test_thread_start(&e.thread, stop, &e);
	test_thread_await_sleep(&e.thread);
	valve_open(&v, 3);
	test_thread_join(&e.thread);
	test_thread_join(&p.thread);
	assert_int_equal(e.status, STEPBUS_OK);
	assert_int_equal(p.status, STEPBUS_OK);
	assert_int_equal(l.delivered_count, 3);
	assert_counts(b, 3, 0, 0);
}

static void act_stop_the_bridge(test_listener *listener, uint32_t event_id)
{
	act_wait(listener, event_id);
	listener->status = stepbus_bridge_stop(listener->bridge, NULL);
}

static void stopping_on_the_loop_drops_what_waits_and_lets_publishers_go(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_stop_the_bridge, .object = &v };
	publisher p;

	fill_and_block(b, &l, &p);
	valve_open(&v, 1);
	test_thread_join(&p.thread);
	/* That somebody ended it is no concern of the publisher's; the counters tell. */
	assert_int_equal(p.status, STEPBUS_OK);
	/* Waits for the callback too. */
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	test_bridge_free(b);
	assert_int_equal(l.status, STEPBUS_OK);
	assert_int_equal(l.delivered_count, 1);
	assert_int_equal(l.destroyed_count, 1);
}

/* Publishes into its own full queue. */
static void act_publish_to_itself(test_listener *listener, uint32_t event_id)
{
	stepbus_bridge *bridge = listener->bridge;

	if (listener->delivered_count > 1)
		return;
	listener->status = stepbus_bridge_publish(bridge, event_id, NULL, 0, NULL);
	if (listener->status == STEPBUS_OK)
		listener->status = stepbus_bridge_publish(bridge, event_id, NULL, 0, NULL);
}

static void the_loop_does_not_wait_for_itself(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .act = act_publish_to_itself };
	uint32_t event = test_declare(b, "order.made");

	listen_queued(b, &l, STEPBUS_OVERFLOW_BLOCK, 1);
	test_publish(b, event);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_int_equal(l.status, STEPBUS_EFULL);
	test_bridge_free(b);
	assert_int_equal(l.delivered_count, 2);
}

static void flushing_times_out_while_a_callback_runs(void **state)
{
	test_bridge *b = *state;
	valve v;
	test_listener l = { .act = act_wait, .object = &v };
	uint32_t event = test_declare(b, "order.made");

	valve_init(&v);
	listen_queued(b, &l, STEPBUS_OVERFLOW_ERROR, 8);
	test_publish(b, event);
	test_semaphore_wait(&v.entered);
	assert_int_equal(stepbus_bridge_flush(b->bridge, 0, &b->err), STEPBUS_ETIMEDOUT);
	assert_int_equal(b->err.code, STEPBUS_ETIMEDOUT);
	assert_int_equal(stepbus_bridge_flush(b->bridge, 1, &b->err), STEPBUS_ETIMEDOUT);
	valve_open(&v, 1);
	assert_int_equal(stepbus_bridge_flush(b->bridge, INT64_MAX, &b->err), STEPBUS_OK);
	assert_int_equal(l.returned_count, 1);
	assert_int_equal(stepbus_bridge_flush(b->bridge, 0, &b->err), STEPBUS_OK);
	test_bridge_free(b);
}

static void flushing_without_queues_returns_at_once(void **state)
{
	test_bridge *b = *state;

	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, &b->err), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_flush(b->bridge, 0, &b->err), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -2, &b->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_flush(b->bridge, INT64_MIN, &b->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_flush(NULL, 0, &b->err), STEPBUS_EINVAL);
}

static void act_flush(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	listener->status = stepbus_bridge_flush(listener->bridge, -1, NULL);
}

static void the_loop_cannot_flush(void **state)
{
	test_bridge *b = *state;
	test_listener queued = { .act = act_flush }, plain = { .act = act_flush, .status = -1 };
	uint32_t event = test_declare(b, "order.made");

	listen_queued(b, &queued, STEPBUS_OVERFLOW_ERROR, 8);
	test_publish(b, event);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_int_equal(queued.status, STEPBUS_EREENTRANT);
	/* A callback on the publisher's own thread can. */
	test_listen(b, &plain, "order.made", 0, -1);
	test_publish(b, event);
	assert_int_equal(plain.status, STEPBUS_OK);
	assert_int_equal(queued.returned_count, 2);
	test_bridge_free(b);
}

/* Notes how much the busy queue has had by now. */
static void act_note_progress(test_listener *listener, uint32_t event_id)
{
	const test_listener *busy = listener->object;

	(void)event_id;
	listener->status = (stepbus_status)atomic_load(&busy->delivered_count);
}

static void a_long_queue_does_not_starve_a_short_one(void **state)
{
	enum { COUNT = 1000 };
	test_bridge *b = *state;
	valve v;
	test_listener gate = { .act = act_wait, .object = &v };
	test_listener busy = { .mark = 0 };
	test_listener other = { .act = act_note_progress, .object = &busy };
	uint32_t opened = test_declare(b, "gate.opened"), paid = test_declare(b, "order.paid");
	uint32_t made = test_declare(b, "order.made");

	/* Held up at the gate until both queues are filled. */
	valve_init(&v);
	test_listen(b, &gate, "gate.opened", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_publish(b, opened);
	test_semaphore_wait(&v.entered);
	listen_queued(b, &busy, STEPBUS_OVERFLOW_ERROR, COUNT);
	test_listen(b, &other, "order.paid", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	for (int i = 0; i < COUNT; i++)
		test_publish(b, made);
	test_publish(b, paid);
	valve_open(&v, 1);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_int_equal(busy.delivered_count, COUNT);
	assert_int_equal(other.delivered_count, 1);
	assert_in_range(other.status, 1, COUNT / 2);
	test_bridge_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(queued_events_arrive_on_another_thread_as_they_were),
		BRIDGE_TEST(a_queue_keeps_the_order),
		BRIDGE_TEST(a_full_queue_refuses_by_default),
		BRIDGE_TEST(a_full_queue_is_told_after_everybody_was_called),
		BRIDGE_TEST(the_oldest_makes_room_where_that_is_asked_for),
		BRIDGE_TEST(what_is_dropped_is_the_oldest_that_waits),
		BRIDGE_TEST(who_waits_for_room_goes_on_when_there_is_some),
		BRIDGE_TEST(who_waits_for_room_is_let_go_by_unsubscribing),
		BRIDGE_TEST(stopping_lets_who_waits_for_room_in_and_delivers_it),
		BRIDGE_TEST(stopping_on_the_loop_drops_what_waits_and_lets_publishers_go),
		BRIDGE_TEST(the_loop_does_not_wait_for_itself),
		BRIDGE_TEST(flushing_times_out_while_a_callback_runs),
		BRIDGE_TEST(flushing_without_queues_returns_at_once),
		BRIDGE_TEST(the_loop_cannot_flush),
		BRIDGE_TEST(a_long_queue_does_not_starve_a_short_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
