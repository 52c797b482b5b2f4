/* SPDX-License-Identifier: MIT */
/* Publishing: who is called, in which order, with what, and what the publisher hears of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"

static void a_higher_priority_runs_earlier_and_equal_ones_in_order(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b' }, { .mark = 'c' },
			      { .mark = 'd' }, { .mark = 'e' }, { .mark = 'f' } };
	static const int32_t priorities[] = { 0, 5, -3, 5, 0, INT32_MAX };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 6; i++)
		test_listen(b, &l[i], "order.made", 0, priorities[i]);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "fbdaec");
	test_bridge_free(b);
}

static void patterns_and_exact_names_share_one_order(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b' }, { .mark = 'c' },
			      { .mark = 'd' }, { .mark = 'e' }, { .mark = 'f' } };
	static const char *const patterns[] = { "*",          "order.made", "order.*",
						"order.made", "*.made",     "*.*" };
	static const int32_t priorities[] = { 0, 0, 1, 1, 0, -1 };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 6; i++)
		test_listen(b, &l[i], patterns[i], 0, priorities[i]);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "cdabef");
	test_bridge_free(b);
}

static void the_order_stays_when_some_have_left(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b' }, { .mark = 'c' }, { .mark = 'd' } };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 4; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	test_unlisten(&l[1]);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "Bacd");
	test_listen(b, &l[1], "order.*", 0, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "acdb");
	test_bridge_free(b);
}

typedef struct name_row {
	const char *pattern;
	const char *reached; /* the marks of the events that reach it, of names[] below */
} name_row;

static const char *const names[] = { "order.made", "order.mad", "order.made.late",
				     "Order.made", "order",     "reorder.made" };

static const name_row name_rows[] = {
	{ "order.made", "0" }, { "order.mad", "1" },    { "Order.made", "3" }, { "order", "4" },
	{ "*", "012345" },     { "order.*", "012" },    { "*.made", "035" },   { "*.made.*", "2" },
	{ "*.*", "01235" },    { "order.made.*", "2" },
};

static void a_name_reaches_neither_prefixes_nor_other_cases(void **state)
{
	test_bridge *b = *state;
	uint32_t events[6];

	for (size_t i = 0; i < 6; i++)
		events[i] = test_declare(b, names[i]);
	for (size_t i = 0; i < sizeof name_rows / sizeof *name_rows; i++) {
		test_listener l = { .mark = 0 };
		char reached[8] = "";
		size_t count = 0;

		test_listen(b, &l, name_rows[i].pattern, 0, 0);
		for (size_t j = 0; j < 6; j++) {
			uint32_t before = l.delivered_count;

			test_publish(b, events[j]);
			if (l.delivered_count > before)
				reached[count++] = (char)('0' + j);
		}
		test_unlisten(&l);
		assert_string_equal(reached, name_rows[i].reached);
	}
}

static void publishing_by_name_is_publishing_by_id(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };

	test_declare(b, "order.made");
	test_listen(b, &l, "order.made", 0, 0);
	assert_int_equal(stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.made"), NULL, 0,
						     &b->err),
			 STEPBUS_OK);
	assert_int_equal(l.delivered_count, 1);
	/* A length is all that ends a name. */
	assert_int_equal(
		stepbus_bridge_publish_name(b->bridge, "order.madexxx", 10, NULL, 0, &b->err),
		STEPBUS_OK);
	assert_int_equal(l.delivered_count, 2);
	test_unlisten(&l);
}

/* What a subscriber was given. */
typedef struct given {
	uint32_t event_id;
	const void *payload;
	size_t len;
	pthread_t thread;
} given;

static int32_t note_given(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	*(given *)user_data = (given){ event_id, payload, len, pthread_self() };
	return STEPBUS_OK;
}

static void a_subscriber_gets_the_publishers_own_bytes_on_its_thread(void **state)
{
	test_bridge *b = *state;
	given g = { 0 };
	const stepbus_subscription spec = { .size = sizeof spec,
					    .deliver = note_given,
					    .user_data = &g };
	uint32_t event = test_declare(b, "order.made");
	const char payload[] = "\0any\xff";

	assert_int_equal(stepbus_bridge_subscribe(b->bridge, "*", 1, &spec, NULL, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, payload, sizeof payload, &b->err),
			 STEPBUS_OK);
	assert_int_equal(g.event_id, event);
	assert_ptr_equal(g.payload, payload);
	assert_int_equal(g.len, sizeof payload);
	assert_true(pthread_equal(g.thread, pthread_self()));
	test_bridge_free(b);
}

static void a_payload_may_be_empty_with_and_without_an_address(void **state)
{
	test_bridge *b = *state;
	given g = { .len = 7 };
	const stepbus_subscription spec = { .size = sizeof spec,
					    .deliver = note_given,
					    .user_data = &g };
	uint32_t event = test_declare(b, "order.made");

	stepbus_bridge_subscribe(b->bridge, "*", 1, &spec, NULL, NULL);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL), STEPBUS_OK);
	assert_int_equal(g.len, 0);
	assert_null(g.payload);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, "x", 0, NULL), STEPBUS_OK);
	assert_int_equal(g.len, 0);
	test_bridge_free(b);
}

static void nobody_to_reach_is_no_error(void **state)
{
	test_bridge *b = *state;

	test_publish(b, test_declare(b, "order.made"));
}

static void a_refusal_is_told_and_everybody_is_called_all_the_same(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' },
			      { .mark = 'b', .answer = 42 },
			      { .mark = 'c' },
			      { .mark = 'd', .answer = -1 } };
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < 4; i++)
		test_listen(b, &l[i], "order.made", 0, 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, &b->err),
			 STEPBUS_EDELIVERY);
	assert_string_equal(test_trace_take(&b->trace), "abcd");
	assert_int_equal(b->err.code, STEPBUS_EDELIVERY);
	assert_non_null(strstr(b->err.message, "order.made"));
	assert_non_null(strstr(b->err.message, "42"));
	test_bridge_free(b);
}

static void a_lone_subscriber_may_refuse_too(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .answer = INT32_MIN };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", 0, 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL),
			 STEPBUS_EDELIVERY);
	l.answer = STEPBUS_OK;
	test_publish(b, event);
	assert_int_equal(l.delivered_count, 2);
	test_unlisten(&l);
}

static void every_answer_but_zero_is_a_refusal(void **state)
{
	static const int32_t answers[] = { 1,       2,         42,        -1, 0x10000,      1 << 29,
					   1 << 30, INT32_MAX, INT32_MIN, -2, INT32_MIN + 1 };
	test_bridge *b = *state;
	test_listener l[] = { { .answer = 0 }, { .answer = 0 } };
	uint32_t made = test_declare(b, "order.made"), paid = test_declare(b, "order.paid");

	/* A lone subscriber is called in another way than one of several. */
	test_listen(b, &l[0], "order.*", 0, 0);
	test_listen(b, &l[1], "order.paid", 0, 0);
	for (size_t i = 0; i < 2 * (sizeof answers / sizeof *answers); i++) {
		int32_t answer = answers[i / 2];
		char shown[64];

		l[0].answer = answer;
		if (stepbus_bridge_publish(b->bridge, i % 2 == 0 ? made : paid, NULL, 0, &b->err) !=
		    STEPBUS_EDELIVERY)
			fail_msg("%d should be a refusal", answer);
		snprintf(shown, sizeof shown, "answered with %s (%d)", stepbus_status_name(answer),
			 answer);
		if (strstr(b->err.message, shown) == NULL)
			fail_msg("'%s' should tell %s", b->err.message, shown);
	}
	test_bridge_free(b);
}

static void ids_that_nobody_gave_out_are_refused(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	uint32_t last = test_declare(b, "order.made");
	const uint32_t ids[] = { last + 1, 127, 128, 1000, 16384, UINT32_MAX - 1, UINT32_MAX };

	test_listen(b, &l, "*", 0, 0);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		const char *name = NULL;
		size_t len = 0;

		assert_int_equal(stepbus_bridge_publish(b->bridge, ids[i], NULL, 0, &b->err),
				 STEPBUS_ENOTFOUND);
		assert_int_equal(stepbus_bridge_event_name(b->bridge, ids[i], &name, &len, &b->err),
				 STEPBUS_ENOTFOUND);
	}
	assert_int_equal(l.delivered_count, 0);
	test_unlisten(&l);
}

static void arguments_that_are_not_allowed_are_refused(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "*", 0, 0);
	assert_int_equal(stepbus_bridge_publish(NULL, event, NULL, 0, &b->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 1, &b->err),
			 STEPBUS_EINVAL);
	assert_int_equal(
		stepbus_bridge_publish_name(NULL, STEPBUS_TEXT("order.made"), NULL, 0, &b->err),
		STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.made"), NULL, 1,
						     &b->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_publish_name(b->bridge, NULL, 0, NULL, 0, &b->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_publish_name(b->bridge, NULL, 10, NULL, 0, &b->err),
			 STEPBUS_EINVAL);
	assert_int_equal(
		stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.*"), NULL, 0, &b->err),
		STEPBUS_EINVAL);
	assert_int_equal(l.delivered_count, 0);
	test_unlisten(&l);
}

static void two_bridges_never_meet(void **state)
{
	test_bridge *b = *state;
	test_bridge other = { .err = STEPBUS_ERROR_INIT };
	test_listener here = { .mark = 0 }, there = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made"), other_event;

	assert_int_equal(stepbus_bridge_new(NULL, &other.bridge, NULL), STEPBUS_OK);
	stepbus_bridge_start(other.bridge, NULL);
	other_event = test_declare(&other, "order.made");
	test_listen(b, &here, "order.made", 0, 0);
	test_listen(&other, &there, "order.made", 0, 0);
	test_publish(b, event);
	assert_int_equal(here.delivered_count, 1);
	assert_int_equal(there.delivered_count, 0);
	test_publish(&other, other_event);
	assert_int_equal(here.delivered_count, 1);
	assert_int_equal(there.delivered_count, 1);
	/* Ids of subscriptions belong to one bridge too. */
	assert_int_equal(here.id, there.id);
	assert_int_equal(stepbus_bridge_unsubscribe(other.bridge, there.id, NULL), STEPBUS_OK);
	test_publish(b, event);
	assert_int_equal(here.delivered_count, 2);
	stepbus_bridge_free(other.bridge);
	test_publish(b, event);
	assert_int_equal(here.delivered_count, 3);
	test_unlisten(&here);
}

static void a_thousand_subscribers_are_all_called_in_order(void **state)
{
	enum { COUNT = 1000 };
	test_bridge *b = *state;
	test_listener *l = calloc(COUNT, sizeof *l);
	uint32_t event = test_declare(b, "order.made");

	for (size_t i = 0; i < COUNT; i++)
		test_listen(b, &l[i], i % 2 == 0 ? "order.made" : "*", 0, (int32_t)(i % 7));
	test_publish(b, event);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(l[i].delivered_count, 1);
	for (size_t i = 0; i < COUNT; i += 2)
		test_unlisten(&l[i]);
	test_publish(b, event);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(l[i].delivered_count, 1 + i % 2);
	test_bridge_free(b);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(l[i].destroyed_count, 1);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(a_higher_priority_runs_earlier_and_equal_ones_in_order),
		BRIDGE_TEST(patterns_and_exact_names_share_one_order),
		BRIDGE_TEST(the_order_stays_when_some_have_left),
		BRIDGE_TEST(a_name_reaches_neither_prefixes_nor_other_cases),
		BRIDGE_TEST(publishing_by_name_is_publishing_by_id),
		BRIDGE_TEST(a_subscriber_gets_the_publishers_own_bytes_on_its_thread),
		BRIDGE_TEST(a_payload_may_be_empty_with_and_without_an_address),
		BRIDGE_TEST(nobody_to_reach_is_no_error),
		BRIDGE_TEST(a_refusal_is_told_and_everybody_is_called_all_the_same),
		BRIDGE_TEST(a_lone_subscriber_may_refuse_too),
		BRIDGE_TEST(every_answer_but_zero_is_a_refusal),
		BRIDGE_TEST(ids_that_nobody_gave_out_are_refused),
		BRIDGE_TEST(arguments_that_are_not_allowed_are_refused),
		BRIDGE_TEST(two_bridges_never_meet),
		BRIDGE_TEST(a_thousand_subscribers_are_all_called_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
