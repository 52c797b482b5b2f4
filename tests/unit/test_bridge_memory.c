/* SPDX-License-Identifier: MIT */
/* Memory that runs out: whichever allocation fails, the answer says so and nothing is lost. */
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"

/* One run of a scenario: a bridge on a failing host, and listeners that outlive it. */
static stepbus_status open_bridge(test_host *t, stepbus_bridge **out, stepbus_error *err)
{
	const stepbus_bridge_options options = { .size = sizeof options, .host = &t->host };
	stepbus_status status = stepbus_bridge_new(&options, out, err);

	return status == STEPBUS_OK ? stepbus_bridge_start(*out, err) : status;
}

/* Opens with the failures held back, so that a scenario is about what comes after. */
static stepbus_bridge *open_safely(test_host *t)
{
	size_t fail_at = t->fail_at;
	stepbus_bridge *bridge = NULL;

	t->fail_at = 0;
	if (open_bridge(t, &bridge, NULL) != STEPBUS_OK)
		return NULL;
	t->allocation_count = 0;
	t->fail_at = fail_at;
	return bridge;
}

static stepbus_status make(test_host *t, stepbus_error *err)
{
	stepbus_bridge *bridge = NULL;
	stepbus_status status = open_bridge(t, &bridge, err);

	stepbus_bridge_free(bridge);
	return status;
}

/* Runs in which something besides the status was wrong. */
static int broken_count;

static stepbus_status subscribe_with(test_host *t, const char *pattern, uint32_t flags,
				     stepbus_error *err)
{
	stepbus_bridge *bridge = open_safely(t);
	test_listener l = { .bridge = bridge };
	stepbus_subscription spec = test_listener_spec(&l);
	stepbus_status status;
	uint64_t id = 0;

	spec.flags = flags;
	status = stepbus_bridge_subscribe(bridge, pattern, strlen(pattern), &spec, &id, err);
	if (status == STEPBUS_OK)
		status = stepbus_bridge_publish_name(
			bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR), NULL, 0, err);
	/* Unlike the rest, an event that cannot be queued is no failure of the bridge. */
	if (status == STEPBUS_EDELIVERY)
		status = STEPBUS_ENOMEM;
	t->fail_at = 0;
	stepbus_bridge_free(bridge);
	broken_count += l.destroyed_count != 1 || l.delivered_count != l.returned_count;
	return status;
}

static stepbus_status subscribe_exactly(test_host *t, stepbus_error *err)
{
	return subscribe_with(t, STEPBUS_EVENT_HANDLER_ERROR, 0, err);
}

static stepbus_status subscribe_by_pattern(test_host *t, stepbus_error *err)
{
	return subscribe_with(t, "*", 0, err);
}

static stepbus_status subscribe_once(test_host *t, stepbus_error *err)
{
	return subscribe_with(t, "handler.*", STEPBUS_SUBSCRIPTION_ONCE, err);
}

static stepbus_status subscribe_queued(test_host *t, stepbus_error *err)
{
	return subscribe_with(t, "handler.*", STEPBUS_SUBSCRIPTION_QUEUED, err);
}

static stepbus_status declare(test_host *t, stepbus_error *err)
{
	stepbus_bridge *bridge = open_safely(t);
	test_listener l = { .bridge = bridge };
	stepbus_subscription spec = test_listener_spec(&l);
	stepbus_event_info info = { .size = sizeof info, .name = "order.made", .name_len = 10 };
	size_t fail_at = t->fail_at;
	stepbus_status status;
	uint32_t event = UINT32_MAX;

	t->fail_at = 0;
	stepbus_bridge_subscribe(bridge, "*", 1, &spec, NULL, NULL);
	t->allocation_count = 0;
	t->fail_at = fail_at;
	status = stepbus_bridge_declare(bridge, &info, &event, err);
	t->fail_at = 0;
	/* All of it or nothing. */
	if (stepbus_bridge_publish_name(bridge, STEPBUS_TEXT("order.made"), NULL, 0, NULL) !=
	    (status == STEPBUS_OK ? STEPBUS_OK : STEPBUS_ENOTFOUND))
		broken_count++;
	broken_count += l.delivered_count != (status == STEPBUS_OK);
	if (status != STEPBUS_OK &&
	    (stepbus_bridge_declare(bridge, &info, &event, NULL) != STEPBUS_OK ||
	     stepbus_bridge_publish(bridge, event, NULL, 0, NULL) != STEPBUS_OK))
		broken_count++;
	stepbus_bridge_free(bridge);
	return status;
}

static stepbus_status list_catalog(test_host *t, stepbus_error *err)
{
	stepbus_bridge *bridge = open_safely(t);
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_catalog_list(bridge, STEPBUS_TEXT("handler"), &text, err);

	t->fail_at = 0;
	stepbus_text_free(text);
	stepbus_bridge_free(bridge);
	return status;
}

static stepbus_status describe(test_host *t, stepbus_error *err)
{
	stepbus_bridge *bridge = open_safely(t);
	test_listener l = { .bridge = bridge };
	stepbus_subscription spec = test_listener_spec(&l);
	size_t fail_at = t->fail_at;
	stepbus_text *texts[3] = { NULL };
	stepbus_status status;

	t->fail_at = 0;
	spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
	stepbus_bridge_subscribe(bridge, "*", 1, &spec, NULL, NULL);
	t->allocation_count = 0;
	t->fail_at = fail_at;
	status = stepbus_bridge_listeners(bridge, NULL, 0, &texts[0], err);
	if (status == STEPBUS_OK)
		status = stepbus_bridge_stats(bridge, &texts[1], err);
	if (status == STEPBUS_OK)
		status = stepbus_catalog_explain(bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR),
						 &texts[2], err);
	t->fail_at = 0;
	for (size_t i = 0; i < 3; i++)
		stepbus_text_free(texts[i]);
	stepbus_bridge_free(bridge);
	return status;
}

static stepbus_status flush(test_host *t, stepbus_error *err)
{
	stepbus_bridge *bridge = open_safely(t);
	stepbus_status status = stepbus_bridge_flush(bridge, -1, err);

	t->fail_at = 0;
	stepbus_bridge_free(bridge);
	return status;
}

static stepbus_status use_subscriber(test_host *t, stepbus_error *err)
{
	const stepbus_route routes[] = { { .size = sizeof routes[0],
					   .pattern = STEPBUS_EVENT_HANDLER_ERROR,
					   .pattern_len = 13,
					   .deliver = test_listener_deliver },
					 { .size = sizeof routes[0],
					   .pattern = "*",
					   .pattern_len = 1,
					   .deliver = test_listener_deliver } };
	stepbus_bridge *bridge = open_safely(t);
	test_listener l = { .bridge = bridge };
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 2,
						     .routes = routes,
						     .user_data = &l,
						     .destroy = test_listener_destroy };
	stepbus_subscriber *subscriber = NULL;
	stepbus_status status = stepbus_subscriber_new(bridge, &options, &subscriber, err);
	uint32_t count = 77;

	if (status == STEPBUS_OK)
		status = stepbus_subscriber_start(subscriber, err);
	t->fail_at = 0;
	/* All routes or none. */
	stepbus_bridge_listener_count(bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR), &count,
				      NULL);
	broken_count += count != (status == STEPBUS_OK ? 2 : 0);
	stepbus_subscriber_free(subscriber);
	broken_count += l.destroyed_count != 1;
	stepbus_bridge_free(bridge);
	return status;
}

static const test_scenario scenarios[] = {
	{ .name = "make a bridge", .run = make },
	{ .name = "subscribe exactly", .run = subscribe_exactly },
	{ .name = "subscribe by pattern", .run = subscribe_by_pattern },
	{ .name = "subscribe once", .run = subscribe_once, .is_any_status = true },
	{ .name = "subscribe queued", .run = subscribe_queued, .is_any_status = true },
	{ .name = "declare", .run = declare },
	{ .name = "list the catalog", .run = list_catalog },
	{ .name = "describe", .run = describe },
	{ .name = "flush", .run = flush },
	{ .name = "use a subscriber", .run = use_subscriber },
};

static void whichever_allocation_fails_the_answer_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		broken_count = 0;
		test_fail_each_allocation(&scenarios[i]);
		if (broken_count > 0)
			fail_msg("%s: %d runs did not add up", scenarios[i].name, broken_count);
	}
}

/* From here on: a bridge that works, and memory that is gone from one moment on. */
static void run_out(test_bridge *b)
{
	b->t.fail_at = b->t.allocation_count + 1;
	b->t.is_sticky = true;
}

static void act_run_out_and_unsubscribe(test_listener *listener, uint32_t event_id)
{
	(void)event_id;
	run_out(listener->b);
	listener->status = stepbus_bridge_unsubscribe(listener->bridge, listener->id, NULL);
}

static void who_ends_itself_without_memory_is_destroyed_when_it_returns(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' },
			      { .mark = 'b', .act = act_run_out_and_unsubscribe },
			      { .mark = 'c' } };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 3; i++)
		test_listen(b, &l[i], i == 0 ? "*" : "order.made", 0, 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL), STEPBUS_OK);
	assert_int_equal(l[1].status, STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "abcB");
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL), STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "ac");
	b->t.fail_at = 0;
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "ac");
	test_bridge_free(b);
}

static void unsubscribing_stopping_and_freeing_need_no_memory(void **state)
{
	test_bridge *b = *state;
	test_listener l[6] = { { .mark = 0 } };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 6; i++)
		test_listen(b, &l[i], i % 2 == 0 ? "*" : "order.made",
			    i >= 4 ? STEPBUS_SUBSCRIPTION_QUEUED : 0, 0);
	test_publish(b, event);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	run_out(b);
	for (size_t i = 0; i < 5; i += 2)
		assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, l[i].id, NULL), STEPBUS_OK);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(l[i].destroyed_count, i % 2 == 0);
	/* One that queues cannot copy: it is told, and who does not queue gets it all the same. */
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL),
			 STEPBUS_EDELIVERY);
	assert_int_equal(l[0].delivered_count, 1);
	assert_int_equal(l[1].delivered_count, 2);
	assert_int_equal(l[5].delivered_count, 1);
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(l[i].destroyed_count, 1);
	test_bridge_free(b);
}

static void what_cannot_be_copied_is_counted_as_dropped(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	run_out(b);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, "x", 1, &b->err),
			 STEPBUS_EDELIVERY);
	b->t.fail_at = 0;
	assert_int_equal(test_stat(b, "queued.offered"), 1);
	assert_int_equal(test_stat(b, "queued.dropped"), 1);
	assert_int_equal(test_stat(b, "queued.delivered"), 0);
	test_publish(b, event);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_int_equal(l.delivered_count, 1);
	test_bridge_free(b);
}

static void a_queued_once_subscription_survives_an_event_that_could_not_be_copied(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED | STEPBUS_SUBSCRIPTION_ONCE,
		    0);
	run_out(b);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, "x", 1, &b->err),
			 STEPBUS_EDELIVERY);
	b->t.fail_at = 0;
	test_publish(b, event);
	stepbus_bridge_stop(b->bridge, NULL);
	assert_int_equal(l.delivered_count, 1);
	assert_int_equal(l.destroyed_count, 1);
}

static void stopping_delivers_what_waits_without_memory(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	for (int i = 0; i < 100; i++)
		test_publish(b, event);
	run_out(b);
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	b->t.fail_at = 0;
	assert_int_equal(l.delivered_count, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whichever_allocation_fails_the_answer_says_so),
		BRIDGE_TEST(who_ends_itself_without_memory_is_destroyed_when_it_returns),
		BRIDGE_TEST(unsubscribing_stopping_and_freeing_need_no_memory),
		BRIDGE_TEST(what_cannot_be_copied_is_counted_as_dropped),
		BRIDGE_TEST(a_queued_once_subscription_survives_an_event_that_could_not_be_copied),
		BRIDGE_TEST(stopping_delivers_what_waits_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
