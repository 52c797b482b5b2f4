/* SPDX-License-Identifier: MIT */
/* What a bridge tells of its subscriptions and its counters. */
#include <stdlib.h>
#include <string.h>

#include "bridge/catalog_standard.h"
#include "support/answer.h"
#include "support/listener.h"

static cJSON *listeners(test_bridge *b, const char *name)
{
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_bridge_listeners(b->bridge, name, name != NULL ? strlen(name) : 0,
						  &text, &b->err),
			 STEPBUS_OK);
	return test_answer_take(text);
}

/* The ids of a listing, as marks of the listeners that have them. */
static void assert_listed(test_bridge *b, const char *name, const test_listener *l, size_t count,
			  const char *expected)
{
	cJSON *entries = listeners(b, name);
	char marks[32] = "";
	const cJSON *entry;
	size_t len = 0;

	cJSON_ArrayForEach(entry, entries)
	{
		for (size_t i = 0; i < count; i++)
			if ((int64_t)l[i].id == test_answer_int(entry, "id"))
				marks[len++] = l[i].mark;
	}
	assert_int_equal(cJSON_GetArraySize(entries), strlen(expected));
	assert_string_equal(marks, expected);
	cJSON_Delete(entries);
}

static void all_listeners_are_listed_in_order_of_delivery(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b' }, { .mark = 'c' }, { .mark = 'd' } };
	static const int32_t priorities[] = { 0, 5, -1, 5 };

	assert_listed(b, NULL, l, 0, "");
	test_declare(b, "order.made");
	test_declare(b, "order.paid");
	for (size_t i = 0; i < 4; i++)
		test_listen(b, &l[i], i < 2 ? "order.made" : "order.*", 0, priorities[i]);
	assert_listed(b, NULL, l, 4, "bdac");
	assert_listed(b, "order.made", l, 4, "bdac");
	assert_listed(b, "order.paid", l, 4, "dc");
	test_unlisten(&l[3]);
	assert_listed(b, NULL, l, 4, "bac");
	assert_listed(b, "order.paid", l, 4, "c");
	test_bridge_free(b);
}

static void a_plain_listener_is_described(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	cJSON *entries;
	const cJSON *entry;

	test_listen(b, &l, "order.*", STEPBUS_SUBSCRIPTION_ONCE, -7);
	entries = listeners(b, NULL);
	entry = cJSON_GetArrayItem(entries, 0);
	assert_int_equal(test_answer_int(entry, "id"), l.id);
	assert_string_equal(test_answer_text(entry, "pattern"), "order.*");
	assert_int_equal(test_answer_int(entry, "priority"), -7);
	assert_true(test_answer_bool(entry, "once"));
	assert_false(test_answer_bool(entry, "queued"));
	assert_false(test_answer_has(entry, "overflow"));
	assert_false(test_answer_has(entry, "offered"));
	cJSON_Delete(entries);
	test_unlisten(&l);
}

static void a_queued_listener_is_described_with_its_counters(void **state)
{
	static const char *const names[] = { "error", "block", "drop_oldest" };
	test_bridge *b = *state;
	test_listener l[3] = { { .mark = 0 } };
	uint32_t event = test_declare(b, "order.made");
	cJSON *entries;

	for (int32_t i = 0; i < 3; i++) {
		stepbus_subscription spec = test_listener_spec(&l[i]);

		spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
		spec.overflow = i;
		assert_int_equal(test_listen_as(b, &l[i], "order.made", &spec), STEPBUS_OK);
	}
	test_publish(b, event);
	test_publish(b, event);
	stepbus_bridge_flush(b->bridge, -1, NULL);
	entries = listeners(b, "order.made");
	for (int i = 0; i < 3; i++) {
		const cJSON *entry = cJSON_GetArrayItem(entries, i);

		assert_true(test_answer_bool(entry, "queued"));
		assert_string_equal(test_answer_text(entry, "overflow"), names[i]);
		assert_int_equal(test_answer_int(entry, "offered"), 2);
		assert_int_equal(test_answer_int(entry, "delivered"), 2);
		assert_int_equal(test_answer_int(entry, "dropped"), 0);
		assert_int_equal(test_answer_int(entry, "waiting"), 0);
	}
	cJSON_Delete(entries);
	test_bridge_free(b);
}

static void assert_listener_count(test_bridge *b, const char *name, uint32_t expected)
{
	uint32_t count = 77;

	assert_int_equal(
		stepbus_bridge_listener_count(b->bridge, name, strlen(name), &count, &b->err),
		STEPBUS_OK);
	assert_int_equal(count, expected);
}

static void listeners_are_counted_with_those_by_pattern(void **state)
{
	test_bridge *b = *state;
	test_listener l[3] = { { .mark = 0 } };
	uint32_t event = test_declare(b, "order.made");

	test_declare(b, "order.paid");
	assert_listener_count(b, "order.made", 0);
	test_listen(b, &l[0], "order.made", 0, 0);
	test_listen(b, &l[1], "*", 0, 0);
	test_listen(b, &l[2], "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	assert_listener_count(b, "order.made", 3);
	assert_listener_count(b, "order.paid", 1);
	test_publish(b, event);
	assert_listener_count(b, "order.made", 2);
	test_unlisten(&l[1]);
	assert_listener_count(b, "order.made", 1);
	assert_listener_count(b, "order.paid", 0);
	test_bridge_free(b);
}

static void act_count(test_listener *listener, uint32_t event_id)
{
	uint32_t count = 77;

	(void)event_id;
	stepbus_bridge_unsubscribe(listener->bridge, listener->id, NULL);
	stepbus_bridge_listener_count(listener->bridge, STEPBUS_TEXT("order.made"), &count, NULL);
	listener->status = (stepbus_status)count;
}

static void who_has_ended_itself_is_not_counted_any_more(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .act = act_count }, other = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", 0, 0);
	test_listen(b, &other, "order.made", 0, 0);
	test_publish(b, event);
	assert_int_equal(l.status, 1);
	test_unlisten(&other);
}

static void the_state_is_told(void **state)
{
	test_bridge *b = *state;
	test_listener l[2] = { { .mark = 0 } };
	uint32_t event = test_declare(b, "order.made");
	stepbus_text *text = NULL;

	test_listen(b, &l[0], "order.made", 0, 0);
	test_listen(b, &l[1], "*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	assert_int_equal(test_stat(b, "active"), 1);
	assert_int_equal(test_stat(b, "events"), sb_catalog_standard_count + 1);
	assert_int_equal(test_stat(b, "subscriptions"), 2);
	assert_int_equal(test_stat(b, "refused"), 0);
	stepbus_bridge_stop(b->bridge, NULL);
	stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL);
	assert_int_equal(stepbus_bridge_stats(b->bridge, &text, NULL), STEPBUS_OK);
	assert_non_null(strstr(stepbus_text_data(text),
			       "\"subscriptions\":0,\"refused\":1,\"queued\":{\"offered\":0,"
			       "\"delivered\":0,\"dropped\":0,\"waiting\":0}}"));
	stepbus_text_free(text);
	assert_int_equal(test_stat(b, "active"), 0);
}

static void the_counters_of_queues_that_are_gone_stay_in_the_sum(void **state)
{
	test_bridge *b = *state;
	test_listener l[2] = { { .mark = 0 } };
	uint32_t event = test_declare(b, "order.made");

	for (uint32_t i = 0; i < 2; i++) {
		test_listen(b, &l[i], "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
		test_publish(b, event);
		stepbus_bridge_flush(b->bridge, -1, NULL);
	}
	assert_int_equal(test_stat(b, "queued.offered"), 3);
	test_unlisten(&l[0]);
	assert_int_equal(test_stat(b, "queued.offered"), 3);
	assert_int_equal(test_stat(b, "queued.delivered"), 3);
	stepbus_bridge_stop(b->bridge, NULL);
	assert_int_equal(test_stat(b, "queued.offered"), 3);
	assert_int_equal(test_stat(b, "queued.delivered"), 3);
	assert_int_equal(test_stat(b, "queued.dropped"), 0);
	assert_int_equal(test_stat(b, "queued.waiting"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(all_listeners_are_listed_in_order_of_delivery),
		BRIDGE_TEST(a_plain_listener_is_described),
		BRIDGE_TEST(a_queued_listener_is_described_with_its_counters),
		BRIDGE_TEST(listeners_are_counted_with_those_by_pattern),
		BRIDGE_TEST(who_has_ended_itself_is_not_counted_any_more),
		BRIDGE_TEST(the_state_is_told),
		BRIDGE_TEST(the_counters_of_queues_that_are_gone_stay_in_the_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
