/* SPDX-License-Identifier: MIT */
/* Subscriber objects: routes that are taken up and given back together. */
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"
#include "support/thread.h"

/* One object with three callbacks. */
typedef struct object {
	test_bridge *b;
	stepbus_subscriber *subscriber;
	stepbus_status status;
	_Atomic(uint32_t) destroyed_count;
	sem_t entered;
	sem_t released;
} object;

static int32_t on_made(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	object *o = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	test_trace_mark(&o->b->trace, 'm');
	return STEPBUS_OK;
}

static int32_t on_paid(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	object *o = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	test_trace_mark(&o->b->trace, 'p');
	return 7;
}

static int32_t on_any(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	object *o = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	test_trace_mark(&o->b->trace, '*');
	return STEPBUS_OK;
}

static void destroy_object(void *user_data)
{
	object *o = user_data;

	test_trace_mark(&o->b->trace, 'D');
	atomic_fetch_add(&o->destroyed_count, 1);
}

#define ROUTE(text, level, function)                                                   \
	{                                                                              \
		.size = sizeof(stepbus_route), .priority = (level), .pattern = (text), \
		.pattern_len = sizeof(text) - 1, .deliver = (function)                 \
	}

static const stepbus_route routes[] = {
	ROUTE("order.made", 0, on_made),
	ROUTE("order.paid", 0, on_paid),
	ROUTE("*", 1, on_any),
};

static stepbus_status make(test_bridge *b, object *o, const stepbus_route *list, uint32_t count)
{
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = count,
						     .routes = list,
						     .user_data = o,
						     .destroy = destroy_object };

	o->b = b;
	b->err = (stepbus_error)STEPBUS_ERROR_INIT;
	return stepbus_subscriber_new(b->bridge, &options, &o->subscriber, &b->err);
}

static void open_object(test_bridge *b, object *o)
{
	test_declare(b, "order.made");
	test_declare(b, "order.paid");
	assert_int_equal(make(b, o, routes, 3), STEPBUS_OK);
}

static void a_new_subscriber_gets_nothing(void **state)
{
	test_bridge *b = *state;
	object o = { .status = 0 };

	open_object(b, &o);
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "");
	stepbus_subscriber_free(o.subscriber);
	assert_string_equal(test_trace_take(&b->trace), "D");
}

static void a_started_subscriber_gets_each_event_where_its_route_says(void **state)
{
	test_bridge *b = *state;
	object o = { .status = 0 };

	open_object(b, &o);
	assert_int_equal(stepbus_subscriber_start(o.subscriber, &b->err), STEPBUS_OK);
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "*m");
	assert_int_equal(
		stepbus_bridge_publish(b->bridge, test_event(b, "order.paid"), NULL, 0, NULL),
		STEPBUS_EDELIVERY);
	assert_string_equal(test_trace_take(&b->trace), "*p");
	test_publish(b, test_declare(b, "order.sent"));
	assert_string_equal(test_trace_take(&b->trace), "*");
	stepbus_subscriber_free(o.subscriber);
	assert_string_equal(test_trace_take(&b->trace), "D");
}

static void starting_and_stopping_twice_does_nothing(void **state)
{
	test_bridge *b = *state;
	object o = { .status = 0 };
	uint32_t event;

	open_object(b, &o);
	event = test_event(b, "order.made");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stepbus_subscriber_start(o.subscriber, NULL), STEPBUS_OK);
		assert_int_equal(stepbus_subscriber_start(o.subscriber, NULL), STEPBUS_OK);
		assert_int_equal(test_stat(b, "subscriptions"), 3);
		test_publish(b, event);
		assert_int_equal(stepbus_subscriber_stop(o.subscriber, NULL), STEPBUS_OK);
		assert_int_equal(stepbus_subscriber_stop(o.subscriber, NULL), STEPBUS_OK);
		assert_int_equal(test_stat(b, "subscriptions"), 0);
		test_publish(b, event);
	}
	assert_string_equal(test_trace_take(&b->trace), "*m*m*m");
	stepbus_subscriber_free(o.subscriber);
	assert_int_equal(o.destroyed_count, 1);
}

static void starting_after_the_bridge_was_stopped_subscribes_anew(void **state)
{
	test_bridge *b = *state;
	object o = { .status = 0 };

	open_object(b, &o);
	stepbus_subscriber_start(o.subscriber, NULL);
	stepbus_bridge_stop(b->bridge, NULL);
	assert_int_equal(o.destroyed_count, 0);
	stepbus_bridge_start(b->bridge, NULL);
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "");
	assert_int_equal(stepbus_subscriber_start(o.subscriber, NULL), STEPBUS_OK);
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "*m");
	stepbus_bridge_stop(b->bridge, NULL);
	assert_int_equal(stepbus_subscriber_stop(o.subscriber, NULL), STEPBUS_OK);
	stepbus_subscriber_free(o.subscriber);
	assert_int_equal(o.destroyed_count, 1);
}

static void all_routes_are_taken_up_or_none(void **state)
{
	test_bridge *b = *state;
	const stepbus_bridge_options options = { .size = sizeof options,
						 .host = &b->t.host,
						 .subscription_count_max = 2 };
	object o = { .status = 0 };

	assert_int_equal(stepbus_bridge_new(&options, &b->bridge, NULL), STEPBUS_OK);
	stepbus_bridge_start(b->bridge, NULL);
	open_object(b, &o);
	assert_int_equal(stepbus_subscriber_start(o.subscriber, &b->err), STEPBUS_ELIMIT);
	assert_int_equal(test_stat(b, "subscriptions"), 0);
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "");
	stepbus_subscriber_free(o.subscriber);
	assert_int_equal(o.destroyed_count, 1);
}

static void what_is_given_may_be_changed_after_the_call(void **state)
{
	test_bridge *b = *state;
	char pattern[] = "order.made";
	stepbus_route route = ROUTE("order.made", 0, on_made);
	object o = { .status = 0 };

	test_declare(b, "order.made");
	route.pattern = pattern;
	assert_int_equal(make(b, &o, &route, 1), STEPBUS_OK);
	memset(pattern, 'x', sizeof pattern);
	memset(&route, 0xFF, sizeof route);
	assert_int_equal(stepbus_subscriber_start(o.subscriber, NULL), STEPBUS_OK);
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "m");
	stepbus_subscriber_free(o.subscriber);
}

static void a_subscriber_has_up_to_1024_routes(void **state)
{
	enum { COUNT = 1024 };
	test_bridge *b = *state;
	stepbus_route *many = calloc(COUNT + 1, sizeof *many);
	object o = { .status = 0 };
	uint32_t count = 0;

	for (size_t i = 0; i <= COUNT; i++)
		many[i] = routes[2];
	assert_int_equal(make(b, &o, many, COUNT + 1), STEPBUS_EINVAL);
	assert_int_equal(make(b, &o, many, 0), STEPBUS_EINVAL);
	assert_int_equal(o.destroyed_count, 2);
	assert_int_equal(make(b, &o, many, COUNT), STEPBUS_OK);
	assert_int_equal(stepbus_subscriber_start(o.subscriber, NULL), STEPBUS_OK);
	stepbus_bridge_listener_count(b->bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR), &count,
				      NULL);
	assert_int_equal(count, COUNT);
	stepbus_subscriber_free(o.subscriber);
	assert_int_equal(o.destroyed_count, 3);
	free(many);
}

static void routes_that_are_not_allowed_are_refused_and_destroyed_once(void **state)
{
	stepbus_route bad[] = {
		ROUTE("order.", 0, on_any),     ROUTE("", 0, on_any),
		ROUTE("a b", 0, on_any),        ROUTE("order.lost", 0, on_any),
		ROUTE("order.made", 0, NULL),   ROUTE("order.made", 0, on_any),
		ROUTE("order.made", 0, on_any),
	};
	static const stepbus_status expected[] = { STEPBUS_EINVAL, STEPBUS_EINVAL,
						   STEPBUS_EINVAL, STEPBUS_ENOTFOUND,
						   STEPBUS_EINVAL, STEPBUS_EINVAL,
						   STEPBUS_EINVAL };
	test_bridge *b = *state;

	test_declare(b, "order.made");
	bad[5].size = sizeof bad[5] - 1;
	bad[6].pattern = NULL;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		stepbus_route both[2] = { routes[0], bad[i] };
		object o = { .status = 0 };

		if (make(b, &o, both, 2) != expected[i])
			fail_msg("row %zu should give %d", i, expected[i]);
		assert_null(o.subscriber);
		assert_int_equal(o.destroyed_count, 1);
		assert_int_equal(b->err.code, expected[i]);
	}
}

static void an_undeclared_event_is_told_with_the_nearest_name(void **state)
{
	test_bridge *b = *state;
	const stepbus_route route = ROUTE("order.mode", 0, on_any);
	object o = { .status = 0 };

	test_declare(b, "order.made");
	assert_int_equal(make(b, &o, &route, 1), STEPBUS_ENOTFOUND);
	assert_non_null(strstr(b->err.message, "did you mean 'order.made'?"));
}

static void arguments_that_are_missing_are_refused(void **state)
{
	test_bridge *b = *state;
	stepbus_subscriber_options options = { .size = sizeof options,
					       .route_count = 1,
					       .routes = &routes[2],
					       .destroy = destroy_object };
	object o = { .b = b };

	options.user_data = &o;
	assert_int_equal(stepbus_subscriber_new(NULL, &options, &o.subscriber, NULL),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_subscriber_new(b->bridge, &options, NULL, NULL), STEPBUS_EINVAL);
	options.routes = NULL;
	assert_int_equal(stepbus_subscriber_new(b->bridge, &options, &o.subscriber, NULL),
			 STEPBUS_EINVAL);
	assert_int_equal(o.destroyed_count, 3);
	/* Of a struct that cannot be read nothing is known, not even its destroy. */
	assert_int_equal(stepbus_subscriber_new(b->bridge, NULL, &o.subscriber, NULL),
			 STEPBUS_EINVAL);
	options.size = 0;
	assert_int_equal(stepbus_subscriber_new(b->bridge, &options, &o.subscriber, NULL),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_subscriber_start(NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_subscriber_stop(NULL, NULL), STEPBUS_EINVAL);
	stepbus_subscriber_free(NULL);
	assert_null(o.subscriber);
}

static int32_t on_made_stop(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	object *o = user_data;

	o->status = stepbus_subscriber_stop(o->subscriber, NULL);
	return on_made(user_data, event_id, payload, len);
}

static void a_callback_may_stop_its_subscriber(void **state)
{
	test_bridge *b = *state;
	const stepbus_route own[] = { ROUTE("order.made", 1, on_made_stop),
				      ROUTE("order.*", 0, on_any) };
	object o = { .status = -1 };
	uint32_t event = test_declare(b, "order.made");

	assert_int_equal(make(b, &o, own, 2), STEPBUS_OK);
	stepbus_subscriber_start(o.subscriber, NULL);
	test_publish(b, event);
	assert_int_equal(o.status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "m");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "");
	stepbus_subscriber_free(o.subscriber);
	assert_string_equal(test_trace_take(&b->trace), "D");
}

static int32_t on_made_free(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	object *o = user_data;

	stepbus_subscriber_free(o->subscriber);
	/* Its user_data is still there: this callback runs. */
	o->status = (stepbus_status)o->destroyed_count;
	return on_made(user_data, event_id, payload, len);
}

static void a_callback_may_free_its_subscriber(void **state)
{
	test_bridge *b = *state;
	const stepbus_route own[] = { ROUTE("order.*", 1, on_any),
				      ROUTE("order.made", 0, on_made_free),
				      ROUTE("*", -1, on_any) };
	object o = { .status = -1 };
	uint32_t event = test_declare(b, "order.made");

	assert_int_equal(make(b, &o, own, 3), STEPBUS_OK);
	stepbus_subscriber_start(o.subscriber, NULL);
	test_publish(b, event);
	assert_int_equal(o.status, 0);
	assert_string_equal(test_trace_take(&b->trace), "*mD");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "");
}

static int32_t on_made_wait(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	object *o = user_data;

	sem_post(&o->entered);
	test_semaphore_wait(&o->released);
	return on_made(user_data, event_id, payload, len);
}

typedef struct actor {
	object *o;
	uint32_t event;
	uint32_t destroyed_count;
	test_thread thread;
} actor;

static void publish(void *context)
{
	actor *a = context;

	stepbus_bridge_publish(a->o->b->bridge, a->event, NULL, 0, NULL);
}

static void free_and_look(void *context)
{
	actor *a = context;

	stepbus_subscriber_free(a->o->subscriber);
	a->destroyed_count = atomic_load(&a->o->destroyed_count);
}

static void freeing_waits_for_a_running_callback(void **state)
{
	test_bridge *b = *state;
	const stepbus_route route = ROUTE("order.made", 0, on_made_wait);
	object o = { .status = 0 };
	actor publisher = { .o = &o, .event = test_declare(b, "order.made") };
	actor freer = { .o = &o };

	sem_init(&o.entered, 0, 0);
	sem_init(&o.released, 0, 0);
	assert_int_equal(make(b, &o, &route, 1), STEPBUS_OK);
	stepbus_subscriber_start(o.subscriber, NULL);
	test_thread_start(&publisher.thread, publish, &publisher);
	test_semaphore_wait(&o.entered);
	test_thread_start(&freer.thread, free_and_look, &freer);
	test_thread_await_sleep(&freer.thread);
	assert_int_equal(o.destroyed_count, 0);
	sem_post(&o.released);
	test_thread_join(&freer.thread);
	test_thread_join(&publisher.thread);
	assert_int_equal(freer.destroyed_count, 1);
	assert_string_equal(test_trace_take(&b->trace), "mD");
}

static void two_subscribers_do_not_know_each_other(void **state)
{
	test_bridge *b = *state;
	object first = { .status = 0 }, second = { .status = 0 };

	open_object(b, &first);
	assert_int_equal(make(b, &second, routes, 2), STEPBUS_OK);
	stepbus_subscriber_start(first.subscriber, NULL);
	stepbus_subscriber_start(second.subscriber, NULL);
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "*mm");
	stepbus_subscriber_free(first.subscriber);
	assert_string_equal(test_trace_take(&b->trace), "D");
	test_publish(b, test_event(b, "order.made"));
	assert_string_equal(test_trace_take(&b->trace), "m");
	stepbus_subscriber_free(second.subscriber);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(a_new_subscriber_gets_nothing),
		BRIDGE_TEST(a_started_subscriber_gets_each_event_where_its_route_says),
		BRIDGE_TEST(starting_and_stopping_twice_does_nothing),
		BRIDGE_TEST(starting_after_the_bridge_was_stopped_subscribes_anew),
		cmocka_unit_test_setup_teardown(all_routes_are_taken_up_or_none,
						test_bridge_open_none, test_bridge_close),
		BRIDGE_TEST(what_is_given_may_be_changed_after_the_call),
		BRIDGE_TEST(a_subscriber_has_up_to_1024_routes),
		BRIDGE_TEST(routes_that_are_not_allowed_are_refused_and_destroyed_once),
		BRIDGE_TEST(an_undeclared_event_is_told_with_the_nearest_name),
		BRIDGE_TEST(arguments_that_are_missing_are_refused),
		BRIDGE_TEST(a_callback_may_stop_its_subscriber),
		BRIDGE_TEST(a_callback_may_free_its_subscriber),
		BRIDGE_TEST(freeing_waits_for_a_running_callback),
		BRIDGE_TEST(two_subscribers_do_not_know_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
