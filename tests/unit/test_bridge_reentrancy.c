/* SPDX-License-Identifier: MIT */
/* What callbacks may do to their own bridge, on the publisher's thread. */
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "support/listener.h"
#include "support/thread.h"

static void act_unsubscribe(test_listener *listener, uint32_t event_id)
{
	const test_listener *target = listener->object;

	(void)event_id;
	listener->status = stepbus_bridge_unsubscribe(listener->bridge, target->id, NULL);
}

static void a_callback_may_end_itself_and_is_destroyed_when_it_returns(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' },
			      { .mark = 'b', .act = act_unsubscribe },
			      { .mark = 'c' } };
	uint32_t event = test_declare(b, "order.made");

	l[1].object = &l[1];
	for (size_t i = 0; i < 3; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "abcB");
	assert_int_equal(l[1].status, STEPBUS_OK);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "ac");
	test_bridge_free(b);
}

static void a_lone_callback_may_end_itself(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a', .act = act_unsubscribe, .object = &l };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", 0, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "aA");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "");
}

static void a_callback_may_end_one_that_comes_later(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a', .act = act_unsubscribe },
			      { .mark = 'b' },
			      { .mark = 'c' } };
	uint32_t event = test_declare(b, "order.made");

	l[0].object = &l[1];
	for (size_t i = 0; i < 3; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "aBc");
	assert_int_equal(l[1].delivered_count, 0);
	test_bridge_free(b);
}

static void a_callback_may_end_one_that_came_earlier(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' },
			      { .mark = 'b' },
			      { .mark = 'c', .act = act_unsubscribe } };
	uint32_t event = test_declare(b, "order.made");

	l[2].object = &l[0];
	for (size_t i = 0; i < 3; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "abcA");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "bc");
	assert_int_equal(l[2].status, STEPBUS_ENOTFOUND);
	test_bridge_free(b);
}

static void act_subscribe(test_listener *listener, uint32_t event_id)
{
	test_listener *added = listener->object;
	stepbus_subscription spec = test_listener_spec(added);

	(void)event_id;
	listener->act = NULL;
	spec.priority = -1;
	listener->status = test_listen_as(listener->b, added, "order.made", &spec);
}

static void who_subscribes_during_a_publish_gets_the_next_one(void **state)
{
	test_bridge *b = *state;
	test_listener added = { .mark = 'z' };
	test_listener l[] = { { .mark = 'a', .act = act_subscribe, .object = &added },
			      { .mark = 'b' } };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l[0], "order.made", 0, 0);
	test_listen(b, &l[1], "order.made", 0, 0);
	test_publish(b, event);
	assert_int_equal(l[0].status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "ab");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "abz");
	test_bridge_free(b);
}

static void act_declare(test_listener *listener, uint32_t event_id)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "order.paid",
					  .name_len = 10 };
	uint32_t declared_id;

	(void)event_id;
	listener->act = NULL;
	listener->status = stepbus_bridge_declare(listener->bridge, &info, &declared_id, NULL);
	if (listener->status == STEPBUS_OK)
		listener->status =
			stepbus_bridge_publish(listener->bridge, declared_id, NULL, 0, NULL);
}

static void a_callback_may_declare_and_publish_what_it_declared(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a', .act = act_declare }, { .mark = 'b' } };

	test_listen(b, &l[0], "order.*", 0, 0);
	test_listen(b, &l[1], "*", 0, 0);
	test_publish(b, test_declare(b, "order.made"));
	assert_int_equal(l[0].status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "aabb");
	test_bridge_free(b);
}

/* Publishes the same event again until something stops it. */
static void act_publish(test_listener *listener, uint32_t event_id)
{
	stepbus_status status =
		stepbus_bridge_publish(listener->bridge, event_id, NULL, 0, &listener->b->err);

	if (status != STEPBUS_OK)
		listener->status = status;
}

static void nest(test_bridge *b, uint32_t listener_count)
{
	test_listener l[] = { { .act = act_publish }, { .mark = 0 } };
	uint32_t event = test_declare(b, "order.made");

	for (uint32_t i = 0; i < listener_count; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	test_publish(b, event);
	assert_int_equal(l[0].delivered_count, 32);
	assert_int_equal(l[0].status, STEPBUS_EREENTRANT);
	assert_int_equal(b->err.code, STEPBUS_EREENTRANT);
	/* And it works again. */
	test_publish(b, event);
	assert_int_equal(l[0].delivered_count, 64);
	assert_int_equal(l[1].delivered_count, listener_count > 1 ? 64 : 0);
	test_bridge_free(b);
}

static void publishes_nest_32_deep(void **state)
{
	nest(*state, 1);
}

static void publishes_to_several_subscribers_nest_32_deep(void **state)
{
	nest(*state, 2);
}

static void publishes_nest_32_deep_with_fences(void **state)
{
	test_bridge *b = *state;

	sb_guard_force_fences(true);
	/* Starting again is what makes a bridge ask for fences. */
	stepbus_bridge_stop(b->bridge, NULL);
	stepbus_bridge_start(b->bridge, NULL);
	nest(b, 1);
}

static void nest_on_new_thread(void *context)
{
	test_listener *l = context;

	l->status = STEPBUS_OK;
	stepbus_bridge_publish(l->bridge, *(uint32_t *)l->object, NULL, 0, NULL);
}

static void publishes_nest_32_deep_on_a_thread_that_never_published(void **state)
{
	test_bridge *b = *state;
	uint32_t event = test_declare(b, "order.made");
	test_listener l = { .act = act_publish, .object = &event };
	test_thread thread;

	test_listen(b, &l, "order.made", 0, 0);
	test_thread_start(&thread, nest_on_new_thread, &l);
	test_thread_join(&thread);
	assert_int_equal(l.delivered_count, 32);
	assert_int_equal(l.status, STEPBUS_EREENTRANT);
	test_unlisten(&l);
}

/* At the deepest point, does everything but publish. */
static void act_at_the_bottom(test_listener *listener, uint32_t event_id)
{
	stepbus_bridge *bridge = listener->bridge;
	test_listener *added = listener->object;
	stepbus_subscription spec = test_listener_spec(added);
	stepbus_text *text = NULL;
	uint32_t id;

	if (listener->delivered_count < 32) {
		stepbus_bridge_publish(bridge, event_id, NULL, 0, NULL);
		return;
	}
	listener->status = stepbus_bridge_event(bridge, STEPBUS_TEXT("order.made"), &id, NULL);
	listener->status |= test_listen_as(listener->b, added, "*", &spec);
	listener->status |= stepbus_bridge_unsubscribe(bridge, added->id, NULL);
	listener->status |= stepbus_bridge_stats(bridge, &text, NULL);
	stepbus_text_free(text);
}

static void everything_but_publishing_works_32_deep(void **state)
{
	test_bridge *b = *state;
	test_listener added = { .mark = 0 };
	test_listener l = { .act = act_at_the_bottom, .object = &added };

	test_listen(b, &l, "order.*", 0, 0);
	test_publish(b, test_declare(b, "order.made"));
	assert_int_equal(l.delivered_count, 32);
	assert_int_equal(l.status, STEPBUS_OK);
	assert_int_equal(added.destroyed_count, 1);
	test_unlisten(&l);
}

static void act_unsubscribe_and_publish(test_listener *listener, uint32_t event_id)
{
	act_unsubscribe(listener, event_id);
	listener->act = NULL;
	stepbus_bridge_publish(listener->bridge, event_id, NULL, 0, NULL);
}

static void who_ended_itself_does_not_get_what_it_publishes_then(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a', .act = act_unsubscribe_and_publish },
			      { .mark = 'b' } };
	uint32_t event = test_declare(b, "order.made");

	l[0].object = &l[0];
	test_listen(b, &l[0], "order.made", 0, 0);
	test_listen(b, &l[1], "order.made", 0, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "abbA");
	test_bridge_free(b);
}

static void a_once_callback_does_not_get_what_it_publishes(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a', .act = act_publish };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "aA");
}

static void a_once_callback_may_end_itself(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a', .act = act_unsubscribe, .object = &l };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_publish(b, event);
	assert_int_equal(l.status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "aA");
}

static void act_stop(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	listener->status = stepbus_bridge_stop(listener->bridge, NULL);
}

static void a_callback_may_stop_the_bridge(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b', .act = act_stop }, { .mark = 'c' } };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 3; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	test_publish(b, event);
	assert_int_equal(l[1].status, STEPBUS_OK);
	/* No new call begins; those who do not run are destroyed in no stated order. */
	assert_int_equal(l[2].delivered_count, 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(l[i].destroyed_count, 1);
	assert_int_equal(stepbus_bridge_is_active(b->bridge), 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL),
			 STEPBUS_EINACTIVE);
}

static void act_stop_and_start(test_listener *listener, uint32_t event_id)
{
	act_stop(listener, event_id);
	listener->status |= stepbus_bridge_start(listener->bridge, NULL);
	listener->status |= stepbus_bridge_publish(listener->bridge, event_id, NULL, 0, NULL);
}

static void a_callback_may_stop_and_start_the_bridge(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a', .act = act_stop_and_start }, { .mark = 'b' } };

	test_listen(b, &l[0], "*", 0, 0);
	test_listen(b, &l[1], "*", 0, 0);
	test_publish(b, test_declare(b, "order.made"));
	assert_int_equal(l[0].status, STEPBUS_OK);
	assert_int_equal(l[0].delivered_count, 1);
	assert_int_equal(l[1].delivered_count, 0);
	assert_int_equal(l[0].destroyed_count + l[1].destroyed_count, 2);
	assert_int_equal(stepbus_bridge_is_active(b->bridge), 1);
}

static void act_free(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	stepbus_bridge_free(listener->bridge);
	listener->status = stepbus_bridge_start(listener->bridge, NULL);
}

static void a_callback_may_free_the_bridge(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b', .act = act_free }, { .mark = 'c' } };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 3; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL);
	b->bridge = NULL;
	/* It went away with the outermost callback: until then it was there to refuse. */
	assert_int_equal(l[1].status, STEPBUS_ESHUTDOWN);
	assert_int_equal(l[2].delivered_count, 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(l[i].destroyed_count, 1);
	assert_int_equal(b->t.live_count, 0);
}

static void a_lone_callback_may_free_the_bridge_and_refuse(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .act = act_free, .answer = 5 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", 0, 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL),
			 STEPBUS_EDELIVERY);
	b->bridge = NULL;
	assert_int_equal(l.destroyed_count, 1);
	assert_int_equal(b->t.live_count, 0);
}

static void act_publish_next(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	stepbus_bridge_publish(listener->bridge, *(uint32_t *)listener->object, NULL, 0, NULL);
	/* Freed by then, and still there. */
	listener->status = stepbus_bridge_start(listener->bridge, NULL);
}

static void a_nested_callback_may_free_the_bridge(void **state)
{
	test_bridge *b = *state;
	uint32_t outer = test_declare(b, "order.made"), inner = test_declare(b, "order.paid");
	test_listener l[] = { { .act = act_publish_next, .object = &inner },
			      { .mark = 0 },
			      { .act = act_free },
			      { .mark = 0 } };

	test_listen(b, &l[0], "order.made", 0, 0);
	test_listen(b, &l[1], "order.made", 0, 0);
	test_listen(b, &l[2], "order.paid", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_listen(b, &l[3], "*", STEPBUS_SUBSCRIPTION_QUEUED, -1);
	stepbus_bridge_publish(b->bridge, outer, NULL, 0, NULL);
	b->bridge = NULL;
	assert_int_equal(l[0].status, STEPBUS_ESHUTDOWN);
	assert_int_equal(l[1].delivered_count, 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(l[i].destroyed_count, 1);
	assert_int_equal(b->t.live_count, 0);
}

static void act_subscribe_after_free(test_listener *listener, uint32_t event_id)
{
	act_free(listener, event_id);
	act_subscribe(listener, event_id);
}

static void a_bridge_that_is_being_freed_takes_no_subscription(void **state)
{
	test_bridge *b = *state;
	test_listener added = { .mark = 0 };
	test_listener l = { .act = act_subscribe_after_free, .object = &added };

	test_listen(b, &l, "order.*", 0, 0);
	stepbus_bridge_publish(b->bridge, test_declare(b, "order.made"), NULL, 0, NULL);
	b->bridge = NULL;
	assert_int_equal(l.status, STEPBUS_ESHUTDOWN);
	assert_int_equal(added.destroyed_count, 1);
	assert_int_equal(added.delivered_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(a_callback_may_end_itself_and_is_destroyed_when_it_returns),
		BRIDGE_TEST(a_lone_callback_may_end_itself),
		BRIDGE_TEST(a_callback_may_end_one_that_comes_later),
		BRIDGE_TEST(a_callback_may_end_one_that_came_earlier),
		BRIDGE_TEST(who_subscribes_during_a_publish_gets_the_next_one),
		BRIDGE_TEST(a_callback_may_declare_and_publish_what_it_declared),
		BRIDGE_TEST(publishes_nest_32_deep),
		BRIDGE_TEST(publishes_to_several_subscribers_nest_32_deep),
		BRIDGE_TEST(publishes_nest_32_deep_with_fences),
		BRIDGE_TEST(publishes_nest_32_deep_on_a_thread_that_never_published),
		BRIDGE_TEST(everything_but_publishing_works_32_deep),
		BRIDGE_TEST(who_ended_itself_does_not_get_what_it_publishes_then),
		BRIDGE_TEST(a_once_callback_does_not_get_what_it_publishes),
		BRIDGE_TEST(a_once_callback_may_end_itself),
		BRIDGE_TEST(a_callback_may_stop_the_bridge),
		BRIDGE_TEST(a_callback_may_stop_and_start_the_bridge),
		BRIDGE_TEST(a_callback_may_free_the_bridge),
		BRIDGE_TEST(a_lone_callback_may_free_the_bridge_and_refuse),
		BRIDGE_TEST(a_nested_callback_may_free_the_bridge),
		BRIDGE_TEST(a_bridge_that_is_being_freed_takes_no_subscription),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
