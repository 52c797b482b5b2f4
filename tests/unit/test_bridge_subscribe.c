/* SPDX-License-Identifier: MIT */
/* Subscribing and unsubscribing on one thread: what is reached, refused, and given back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"

static void a_once_subscription_gets_one_event_and_is_gone(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b' }, { .mark = 'c' } };
	uint32_t event = test_declare(b, "order.made"), count = 9;

	test_listen(b, &l[0], "order.made", 0, 0);
	test_listen(b, &l[1], "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_listen(b, &l[2], "order.made", 0, 0);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "abcB");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "ac");
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, l[1].id, NULL), STEPBUS_ENOTFOUND);
	stepbus_bridge_listener_count(b->bridge, STEPBUS_TEXT("order.made"), &count, NULL);
	assert_int_equal(count, 2);
	test_bridge_free(b);
}

static void a_lone_once_subscription_gets_one_event(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	for (int i = 0; i < 3; i++)
		test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "aA");
}

static void a_once_subscription_by_pattern_gets_one_event_of_many(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	uint32_t made = test_declare(b, "order.made"), paid = test_declare(b, "order.paid");

	test_listen(b, &l, "order.*", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_publish(b, paid);
	test_publish(b, made);
	test_publish(b, paid);
	assert_string_equal(test_trace_take(&b->trace), "aA");
	assert_int_equal(test_stat(b, "subscriptions"), 0);
}

static void a_once_subscription_that_refuses_is_gone_too(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .answer = 7 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, NULL),
			 STEPBUS_EDELIVERY);
	test_publish(b, event);
	assert_int_equal(l.delivered_count, 1);
	assert_int_equal(l.destroyed_count, 1);
}

static void a_once_subscription_that_got_nothing_is_destroyed_once(void **state)
{
	test_bridge *b = *state;
	test_listener unsubscribed = { .mark = 0 }, stopped = { .mark = 0 };

	test_declare(b, "order.made");
	test_listen(b, &unsubscribed, "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_listen(b, &stopped, "order.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_unlisten(&unsubscribed);
	stepbus_bridge_stop(b->bridge, NULL);
	assert_int_equal(unsubscribed.destroyed_count, 1);
	assert_int_equal(stopped.destroyed_count, 1);
	assert_int_equal(unsubscribed.delivered_count + stopped.delivered_count, 0);
}

static void a_pattern_reaches_events_that_are_declared_later(void **state)
{
	test_bridge *b = *state;
	test_listener l[] = { { .mark = 'a' }, { .mark = 'b' }, { .mark = 'c' }, { .mark = 'd' } };
	uint32_t event, other;

	test_listen(b, &l[0], "order.*", 0, 0);
	test_listen(b, &l[1], "*", 0, 1);
	test_listen(b, &l[2], "*.made", STEPBUS_SUBSCRIPTION_ONCE, 0);
	test_listen(b, &l[3], "order.paid.*", 0, 0);
	event = test_declare(b, "order.made");
	other = test_declare(b, "orders.made.late");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "bacC");
	test_publish(b, other);
	assert_string_equal(test_trace_take(&b->trace), "b");
	test_unlisten(&l[0]);
	assert_string_equal(test_trace_take(&b->trace), "A");
	test_publish(b, test_declare(b, "order.paid"));
	assert_string_equal(test_trace_take(&b->trace), "b");
	test_bridge_free(b);
}

static void a_listener_may_subscribe_twice(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	uint32_t event = test_declare(b, "order.made");
	uint64_t first;

	test_listen(b, &l, "order.made", 0, 0);
	first = l.id;
	test_listen(b, &l, "order.made", 0, 0);
	assert_true(first != l.id);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "aa");
	test_unlisten(&l);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "Aa");
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, first, NULL), STEPBUS_OK);
	assert_int_equal(l.destroyed_count, 2);
}

static void ids_are_never_used_again(void **state)
{
	test_bridge *b = *state;
	uint64_t last = 0;

	test_declare(b, "order.made");
	for (int i = 0; i < 100; i++) {
		test_listener l = { .mark = 0 };

		test_listen(b, &l, "order.made", 0, 0);
		assert_true(l.id > last);
		last = l.id;
		if (i == 50)
			stepbus_bridge_stop(b->bridge, NULL);
		else
			test_unlisten(&l);
	}
}

static void the_id_need_not_be_asked_for(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .b = b };
	stepbus_subscription spec = test_listener_spec(&l);

	test_declare(b, "order.made");
	assert_int_equal(
		stepbus_bridge_subscribe(b->bridge, STEPBUS_TEXT("order.made"), &spec, NULL, NULL),
		STEPBUS_OK);
	test_bridge_free(b);
	assert_int_equal(l.destroyed_count, 1);
}

static void unsubscribing_ends_it_and_the_second_time_finds_nothing(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", 0, 0);
	test_unlisten(&l);
	assert_string_equal(test_trace_take(&b->trace), "A");
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "");
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, l.id, &b->err), STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, 0, &b->err), STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, UINT64_MAX, NULL),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_bridge_unsubscribe(NULL, l.id, NULL), STEPBUS_EINVAL);
	assert_int_equal(l.destroyed_count, 1);
}

static void destroy_may_be_left_out(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	stepbus_subscription spec = test_listener_spec(&l);

	test_declare(b, "order.made");
	spec.destroy = NULL;
	assert_int_equal(test_listen_as(b, &l, "order.made", &spec), STEPBUS_OK);
	test_unlisten(&l);
	assert_int_equal(test_listen_as(b, &l, "order.mode", &spec), STEPBUS_ENOTFOUND);
	assert_int_equal(l.destroyed_count, 0);
}

static void an_exact_name_that_nobody_declared_is_refused_with_the_nearest(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	stepbus_subscription spec = test_listener_spec(&l);

	test_declare(b, "order.made");
	assert_int_equal(test_listen_as(b, &l, "order.mode", &spec), STEPBUS_ENOTFOUND);
	assert_non_null(strstr(b->err.message, "did you mean 'order.made'?"));
	assert_non_null(strstr(b->err.message, "order.mode"));
	assert_int_equal(l.destroyed_count, 1);
}

/* A subscription that is refused: what is wrong with it, and what is answered. */
typedef struct refusal {
	const char *pattern;
	size_t pattern_len;
	uint32_t flags;
	int32_t overflow;
	uint32_t queue_count_max;
	uint32_t reserved;
	bool has_no_deliver;
	stepbus_status status;
} refusal;

static const refusal refusals[] = {
	{ "", 0, .status = STEPBUS_EINVAL },
	{ NULL, 0, .status = STEPBUS_EINVAL },
	{ NULL, 5, .status = STEPBUS_EINVAL },
	{ "order.", 6, .status = STEPBUS_EINVAL },
	{ ".order", 6, .status = STEPBUS_EINVAL },
	{ "order..made", 11, .status = STEPBUS_EINVAL },
	{ "order.ma*", 9, .status = STEPBUS_EINVAL },
	{ "**", 2, .status = STEPBUS_EINVAL },
	{ "order made", 10, .status = STEPBUS_EINVAL },
	{ "order\0made", 10, .status = STEPBUS_EINVAL },
	{ "\xc3\xa4", 2, .status = STEPBUS_EINVAL },
	{ "order.made", 10, .flags = 4, .status = STEPBUS_EINVAL },
	{ "order.made", 10, .flags = UINT32_MAX, .status = STEPBUS_EINVAL },
	{ "order.made", 10, .overflow = -1, .status = STEPBUS_EINVAL },
	{ "order.made", 10, .overflow = 3, .status = STEPBUS_EINVAL },
	{ "order.made", 10, .queue_count_max = 1048577, .status = STEPBUS_EINVAL },
	{ "order.made", 10, .reserved = 1, .status = STEPBUS_EINVAL },
	{ "order.made", 10, .has_no_deliver = true, .status = STEPBUS_EINVAL },
	{ "order.paid", 10, .status = STEPBUS_ENOTFOUND },
};

static void what_is_refused_is_destroyed_once_and_leaves_nothing(void **state)
{
	test_bridge *b = *state;

	test_declare(b, "order.made");
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		const refusal *r = &refusals[i];
		test_listener l = { .b = b };
		stepbus_subscription spec = test_listener_spec(&l);
		uint64_t id = 77;

		spec.flags = r->flags;
		spec.overflow = r->overflow;
		spec.queue_count_max = r->queue_count_max;
		spec.reserved = r->reserved;
		if (r->has_no_deliver)
			spec.deliver = NULL;
		b->err = (stepbus_error)STEPBUS_ERROR_INIT;
		if (stepbus_bridge_subscribe(b->bridge, r->pattern, r->pattern_len, &spec, &id,
					     &b->err) != r->status)
			fail_msg("row %zu should give %d", i, r->status);
		if (l.destroyed_count != 1)
			fail_msg("row %zu: destroyed %u times", i, l.destroyed_count);
		assert_int_equal(id, 77);
		assert_int_equal(b->err.code, r->status);
		assert_true(b->err.message[0] != '\0');
	}
	assert_int_equal(test_stat(b, "subscriptions"), 0);
}

static void no_bridge_destroys_once(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .b = b };
	stepbus_subscription spec = test_listener_spec(&l);

	assert_int_equal(stepbus_bridge_subscribe(NULL, "*", 1, &spec, NULL, &b->err),
			 STEPBUS_EINVAL);
	assert_int_equal(l.destroyed_count, 1);
	/* What no struct says cannot be called. */
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, "*", 1, NULL, NULL, &b->err),
			 STEPBUS_EINVAL);
	spec.size = 4;
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, "*", 1, &spec, NULL, &b->err),
			 STEPBUS_EINVAL);
}

static void a_pattern_of_128_bytes_is_allowed_and_a_longer_one_is_not(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .b = b, .bridge = b->bridge };
	stepbus_subscription spec = test_listener_spec(&l);
	char pattern[130];

	memset(pattern, 'a', sizeof pattern);
	memcpy(pattern, "*.", 2);
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, pattern, 128, &spec, &l.id, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, pattern, 129, &spec, NULL, NULL),
			 STEPBUS_EINVAL);
	assert_int_equal(l.destroyed_count, 1);
	test_unlisten(&l);
}

static void the_limit_of_subscriptions_is_kept(void **state)
{
	test_bridge *b = *state;
	stepbus_bridge_options options = { .size = sizeof options,
					   .host = &b->t.host,
					   .subscription_count_max = 3 };
	test_listener l[4] = { { .mark = 0 } };
	stepbus_subscription spec = test_listener_spec(&l[3]);

	assert_int_equal(stepbus_bridge_new(&options, &b->bridge, &b->err), STEPBUS_OK);
	for (size_t i = 0; i < 3; i++)
		test_listen(b, &l[i], "*", 0, 0);
	assert_int_equal(test_listen_as(b, &l[3], "*", &spec), STEPBUS_ELIMIT);
	assert_non_null(strstr(b->err.message, "subscription_count_max"));
	assert_int_equal(l[3].destroyed_count, 1);
	test_unlisten(&l[1]);
	assert_int_equal(test_listen_as(b, &l[3], "*", &spec), STEPBUS_OK);
	test_bridge_free(b);
	assert_int_equal(l[3].destroyed_count, 2);
}

static void what_is_given_may_be_changed_after_the_call(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .b = b, .bridge = b->bridge, .mark = 'a' };
	stepbus_subscription spec = test_listener_spec(&l);
	uint32_t event = test_declare(b, "order.made");
	char pattern[] = "order.*";

	assert_int_equal(stepbus_bridge_subscribe(b->bridge, pattern, 7, &spec, &l.id, NULL),
			 STEPBUS_OK);
	memset(pattern, 'x', sizeof pattern);
	memset(&spec, 0xFF, sizeof spec);
	test_publish(b, event);
	test_publish(b, test_declare(b, "order.paid"));
	assert_string_equal(test_trace_take(&b->trace), "aa");
	test_unlisten(&l);
}

static void a_stopped_bridge_takes_subscriptions(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	uint32_t event = test_declare(b, "order.made");

	stepbus_bridge_stop(b->bridge, NULL);
	test_listen(b, &l, "order.made", 0, 0);
	stepbus_bridge_start(b->bridge, NULL);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "a");
	test_unlisten(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(a_once_subscription_gets_one_event_and_is_gone),
		BRIDGE_TEST(a_lone_once_subscription_gets_one_event),
		BRIDGE_TEST(a_once_subscription_by_pattern_gets_one_event_of_many),
		BRIDGE_TEST(a_once_subscription_that_refuses_is_gone_too),
		BRIDGE_TEST(a_once_subscription_that_got_nothing_is_destroyed_once),
		BRIDGE_TEST(a_pattern_reaches_events_that_are_declared_later),
		BRIDGE_TEST(a_listener_may_subscribe_twice),
		BRIDGE_TEST(ids_are_never_used_again),
		BRIDGE_TEST(the_id_need_not_be_asked_for),
		BRIDGE_TEST(unsubscribing_ends_it_and_the_second_time_finds_nothing),
		BRIDGE_TEST(destroy_may_be_left_out),
		BRIDGE_TEST(an_exact_name_that_nobody_declared_is_refused_with_the_nearest),
		BRIDGE_TEST(what_is_refused_is_destroyed_once_and_leaves_nothing),
		BRIDGE_TEST(no_bridge_destroys_once),
		BRIDGE_TEST(a_pattern_of_128_bytes_is_allowed_and_a_longer_one_is_not),
		cmocka_unit_test_setup_teardown(the_limit_of_subscriptions_is_kept,
						test_bridge_open_none, test_bridge_close),
		BRIDGE_TEST(what_is_given_may_be_changed_after_the_call),
		BRIDGE_TEST(a_stopped_bridge_takes_subscriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
