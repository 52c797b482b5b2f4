/* SPDX-License-Identifier: MIT */
/* How things end that hold each other, or that two threads end and begin at once. */
#include <stdatomic.h>
#include <string.h>

#include "include/stepbus.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/thread.h"

enum { ROUTE_COUNT = 16, ROUND_COUNT = 1000 };

typedef struct world {
	stepbus_bridge *bridge;
	stepbus_registry *registry;
	stepbus_execution_subscriber *worker;
	stepbus_subscriber *subscriber;
	stepbus_handler *handler;
	test_meeting meeting;
	_Atomic(int) delivered_count;
	_Atomic(int) destroyed_count;
} world;

static int32_t count_delivery(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	world *w = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add(&w->delivered_count, 1);
	return STEPBUS_OK;
}

static int32_t keep(void *user_data, const stepbus_completion *completion, stepbus_error *err)
{
	(void)user_data;
	(void)completion;
	(void)err;
	return STEPBUS_OK;
}

static int32_t succeed(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	return stepbus_result_success(result, NULL, 0, NULL);
}

static void count_destroy(void *user_data)
{
	world *w = user_data;

	atomic_fetch_add(&w->destroyed_count, 1);
}

static int set_up(void **state)
{
	static world w;
	const stepbus_execution_options options = {
		.size = sizeof options, .worker_id = "w", .worker_id_len = 1, .complete = keep
	};
	stepbus_route routes[ROUTE_COUNT];
	const stepbus_subscriber_options table = {
		.size = sizeof table, .route_count = ROUTE_COUNT, .routes = routes, .user_data = &w
	};

	memset(&w, 0, sizeof w);
	for (int i = 0; i < ROUTE_COUNT; i++)
		routes[i] = (stepbus_route){ .size = sizeof *routes,
					     .pattern = STEPBUS_EVENT_HANDLER_ERROR,
					     .pattern_len = strlen(STEPBUS_EVENT_HANDLER_ERROR),
					     .deliver = count_delivery };
	*state = &w;
	return stepbus_bridge_new(NULL, &w.bridge, NULL) || stepbus_bridge_start(w.bridge, NULL) ||
	       stepbus_registry_new(NULL, &w.registry, NULL) ||
	       stepbus_execution_subscriber_new(w.bridge, w.registry, &options, &w.worker, NULL) ||
	       stepbus_subscriber_new(w.bridge, &table, &w.subscriber, NULL);
}

static int tear_down(void **state)
{
	world *w = *state;

	stepbus_subscriber_free(w->subscriber);
	stepbus_execution_subscriber_free(w->worker);
	stepbus_registry_free(w->registry);
	stepbus_bridge_free(w->bridge);
	return 0;
}

static void free_both(void *user_data)
{
	world *w = user_data;

	stepbus_execution_subscriber_free(w->worker);
	stepbus_subscriber_free(w->subscriber);
	w->worker = NULL;
	w->subscriber = NULL;
	count_destroy(w);
}

static void a_destroy_may_free_what_the_same_stop_ends(void **state)
{
	world *w = *state;
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = count_delivery,
						    .user_data = w,
						    .destroy = free_both };

	assert_int_equal(stepbus_execution_subscriber_start(w->worker, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_subscriber_start(w->subscriber, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_subscribe(w->bridge, "*", 1, &subscription, NULL, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_bridge_stop(w->bridge, NULL), STEPBUS_OK);
	assert_int_equal(w->destroyed_count, 1);
}

static void stop_again_and_again(void *context)
{
	world *w = context;

	for (uint32_t i = 0; i < ROUND_COUNT; i++) {
		test_meet(&w->meeting, 2 * i);
		stepbus_subscriber_stop(w->subscriber, NULL);
		test_meet(&w->meeting, 2 * i + 1);
	}
}

static void starting_and_stopping_at_once_subscribes_all_or_none(void **state)
{
	world *w = *state;
	test_thread thread;
	int partial_count = 0;

	test_thread_start(&thread, stop_again_and_again, w);
	for (uint32_t i = 0; i < ROUND_COUNT; i++) {
		uint32_t count = 0;

		test_meet(&w->meeting, 2 * i);
		stepbus_subscriber_start(w->subscriber, NULL);
		test_meet(&w->meeting, 2 * i + 1);
		stepbus_bridge_listener_count(w->bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR),
					      &count, NULL);
		partial_count += count != 0 && count != ROUTE_COUNT;
		stepbus_subscriber_stop(w->subscriber, NULL);
	}
	test_thread_join(&thread);
	assert_int_equal(partial_count, 0);
}

static void stop_and_start_the_bridge(void *context)
{
	world *w = context;

	for (uint32_t i = 0; i < ROUND_COUNT; i++) {
		test_meet(&w->meeting, 2 * i);
		stepbus_bridge_stop(w->bridge, NULL);
		test_meet(&w->meeting, 2 * i + 1);
	}
}

/* What publishing said of the events of one round, while the bridge stops. */
static int publish_until_refused(world *w, uint32_t event)
{
	int accepted_count = 0;

	while (stepbus_bridge_publish(w->bridge, event, NULL, 0, NULL) == STEPBUS_OK)
		accepted_count++;
	return accepted_count;
}

static void what_publishing_accepts_while_the_bridge_stops_is_delivered(void **state)
{
	world *w = *state;
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = count_delivery,
						    .user_data = w };
	test_thread thread;
	uint32_t event = 0;
	int accepted_count = 0;

	assert_int_equal(
		stepbus_bridge_event(w->bridge, STEPBUS_TEXT("worker.ready"), &event, NULL),
		STEPBUS_OK);
	test_thread_start(&thread, stop_and_start_the_bridge, w);
	for (uint32_t i = 0; i < ROUND_COUNT; i++) {
		stepbus_bridge_start(w->bridge, NULL);
		stepbus_bridge_subscribe(w->bridge, STEPBUS_TEXT("worker.ready"), &subscription,
					 NULL, NULL);
		test_meet(&w->meeting, 2 * i);
		accepted_count += publish_until_refused(w, event);
		test_meet(&w->meeting, 2 * i + 1);
	}
	test_thread_join(&thread);
	assert_int_equal(w->delivered_count, accepted_count);
}

static int give_back_in_child(void *context)
{
	world *w = context;

	stepbus_handler_unref(w->handler);
	stepbus_handler_unref(w->handler);
	return w->destroyed_count;
}

static void a_child_gives_nothing_back(void **state)
{
	world *w = *state;
	const stepbus_handler_spec spec = { .size = sizeof spec,
					    .name = "mail",
					    .name_len = 4,
					    .call = succeed,
					    .user_data = w,
					    .destroy = count_destroy };
	const stepbus_handler_key key = { .size = sizeof key, .name = "mail", .name_len = 4 };

	assert_int_equal(stepbus_registry_register(w->registry, &spec, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_resolve(w->registry, &key, &w->handler, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_registry_unregister(w->registry, &key, NULL), STEPBUS_OK);
	assert_int_equal(test_in_child(give_back_in_child, w), 0);
	assert_int_equal(w->destroyed_count, 0);
	stepbus_handler_unref(w->handler);
	assert_int_equal(w->destroyed_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_destroy_may_free_what_the_same_stop_ends),
		TEST(starting_and_stopping_at_once_subscribes_all_or_none),
		TEST(what_publishing_accepts_while_the_bridge_stops_is_delivered),
		TEST(a_child_gives_nothing_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
