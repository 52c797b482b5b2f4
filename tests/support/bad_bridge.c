/* SPDX-License-Identifier: MIT */
/* Bad input for the functions of the bridge. */
#include <string.h>

#include "support/bad_input.h"

static int32_t deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_OK;
}

static stepbus_status new_bridge(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_bridge *bridge = NULL;
	stepbus_status status = stepbus_bridge_new(given, &bridge, err);

	(void)b;
	assert_int_equal(bridge != NULL, status == STEPBUS_OK);
	stepbus_bridge_free(bridge);
	return status;
}

static stepbus_status new_bridge_with_host(test_bad *b, const void *given, stepbus_error *err)
{
	const stepbus_bridge_options options = { .size = sizeof options, .host = given };

	return new_bridge(b, &options, err);
}

static void bridge_new(test_bad *b)
{
	const stepbus_bridge_options options = { .size = sizeof options };
	const stepbus_host host = { .size = sizeof host };
	stepbus_bridge_options few = options, many = options, crowded = options;

	few.event_count_max = 1;
	many.event_count_max = UINT32_MAX;
	crowded.subscription_count_max = UINT32_MAX;
	BAD(STEPBUS_EINVAL, stepbus_bridge_new(NULL, NULL, err));
	BAD(STEPBUS_OK, new_bridge(b, NULL, err));
	BAD(STEPBUS_EINVAL, new_bridge(b, &few, err));
	BAD(STEPBUS_EINVAL, new_bridge(b, &many, err));
	BAD(STEPBUS_EINVAL, new_bridge(b, &crowded, err));
	test_bad_sizes(b, BAD_STRUCT(options, new_bridge));
	test_bad_sizes(b, BAD_STRUCT(host, new_bridge_with_host));
	test_bad_flags(b, BAD_STRUCT(options, new_bridge), offsetof(stepbus_bridge_options, flags),
		       STEPBUS_BRIDGE_ALLOW_UNDECLARED);
}

static void bridge_free(test_bad *b)
{
	(void)b;
	stepbus_bridge_free(NULL);
}

static void bridge_default(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_bridge_default(NULL, err));
}

static void bridge_default_reset(test_bad *b)
{
	stepbus_bridge *bridge = NULL;

	(void)b;
	stepbus_bridge_default_reset();
	assert_int_equal(stepbus_bridge_default(&bridge, NULL), STEPBUS_OK);
	stepbus_bridge_default_reset();
	stepbus_bridge_default_reset();
}

static void bridge_start(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_bridge_start(NULL, err));
}

static void bridge_stop(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_bridge_stop(NULL, err));
}

static void bridge_is_active(test_bad *b)
{
	(void)b;
	assert_int_equal(stepbus_bridge_is_active(NULL), 0);
}

static void bridge_event(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	uint32_t id = 4711;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_bridge_event(b->bridge, names[i].data, names[i].len, &id, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_event(b->bridge, STEPBUS_TEXT("step.*"), &id, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_event(NULL, STEPBUS_TEXT("handler.error"), &id, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_bridge_event(b->bridge, STEPBUS_TEXT("handler.error"), NULL, err));
	BAD(STEPBUS_ENOTFOUND,
	    stepbus_bridge_event(b->bridge, STEPBUS_TEXT("handler.eror"), &id, err));
	assert_int_equal(id, 4711);
}

static void bridge_event_name(test_bad *b)
{
	static const uint32_t unknown[] = { UINT32_MAX, UINT32_MAX - 1, 16384, 1000 };
	const char *name = NULL;
	size_t len = 0;

	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		BAD(STEPBUS_ENOTFOUND,
		    stepbus_bridge_event_name(b->bridge, unknown[i], &name, &len, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_event_name(NULL, 0, &name, &len, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_event_name(b->bridge, 0, NULL, &len, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_event_name(b->bridge, 0, &name, NULL, err));
	assert_null(name);
}

/* What cannot be read as a struct gives nothing to destroy: the count is the caller's to check. */
static stepbus_status subscribe(test_bad *b, const void *given, stepbus_error *err)
{
	uint64_t id = 0;
	stepbus_status status =
		stepbus_bridge_subscribe(b->bridge, STEPBUS_TEXT("step.*"), given, &id, err);

	if (status == STEPBUS_OK)
		assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, id, NULL), STEPBUS_OK);
	return status;
}

static stepbus_subscription good_subscription(test_bad *b)
{
	return (stepbus_subscription){ .size = sizeof(stepbus_subscription),
				       .deliver = deliver,
				       .user_data = b,
				       .destroy = test_bad_destroy };
}

static void bridge_subscribe(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	const stepbus_subscription good = good_subscription(b);
	stepbus_subscription spoiled[5];

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD_DESTROYED(b, STEPBUS_EINVAL,
			      stepbus_bridge_subscribe(b->bridge, names[i].data, names[i].len,
						       &good, NULL, err));
	for (size_t i = 0; i < 5; i++)
		spoiled[i] = good;
	spoiled[0].deliver = NULL;
	spoiled[1].reserved = 1;
	spoiled[2].overflow = 3;
	spoiled[3].overflow = -1;
	spoiled[4].queue_count_max = 1048577;
	for (size_t i = 0; i < 5; i++)
		BAD_DESTROYED(b, STEPBUS_EINVAL, subscribe(b, &spoiled[i], err));
	BAD_DESTROYED(b, STEPBUS_EINVAL,
		      stepbus_bridge_subscribe(NULL, STEPBUS_TEXT("*"), &good, NULL, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL,
		      stepbus_bridge_subscribe(b->bridge, STEPBUS_TEXT("a.**"), &good, NULL, err));
	BAD_DESTROYED(
		b, STEPBUS_ENOTFOUND,
		stepbus_bridge_subscribe(b->bridge, STEPBUS_TEXT("no.such"), &good, NULL, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_bridge_subscribe(b->bridge, STEPBUS_TEXT("*"), NULL, NULL, err));
	test_bad_sizes(b, BAD_STRUCT(good, subscribe));
	test_bad_flags(b, BAD_STRUCT(good, subscribe), offsetof(stepbus_subscription, flags),
		       STEPBUS_SUBSCRIPTION_ONCE | STEPBUS_SUBSCRIPTION_QUEUED);
}

static void bridge_unsubscribe(test_bad *b)
{
	static const stepbus_route route = {
		.size = sizeof route, .pattern = "*", .pattern_len = 1, .deliver = deliver
	};
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 1,
						     .routes = &route };
	const stepbus_subscription good = good_subscription(b);
	stepbus_subscriber *subscriber = NULL;
	uint64_t id = 0;

	BAD(STEPBUS_EINVAL, stepbus_bridge_unsubscribe(NULL, 1, err));
	BAD(STEPBUS_ENOTFOUND, stepbus_bridge_unsubscribe(b->bridge, 0, err));
	BAD(STEPBUS_ENOTFOUND, stepbus_bridge_unsubscribe(b->bridge, UINT64_MAX, err));
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, STEPBUS_TEXT("*"), &good, &id, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, id, NULL), STEPBUS_OK);
	BAD(STEPBUS_ENOTFOUND, stepbus_bridge_unsubscribe(b->bridge, id, err));
	assert_int_equal(b->destroyed, 1);
	/* The id after that is the route's, and the route is gone with its subscriber. */
	assert_int_equal(stepbus_subscriber_new(b->bridge, &options, &subscriber, NULL), 0);
	assert_int_equal(stepbus_subscriber_start(subscriber, NULL), STEPBUS_OK);
	stepbus_subscriber_free(subscriber);
	BAD(STEPBUS_ENOTFOUND, stepbus_bridge_unsubscribe(b->bridge, id + 1, err));
}

static void bridge_publish(test_bad *b)
{
	static const uint32_t unknown[] = { UINT32_MAX, UINT32_MAX - 1, 16384, 1000 };

	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_bridge_publish(b->bridge, unknown[i], "", 0, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_publish(NULL, 0, "", 0, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_publish(b->bridge, 0, NULL, 1, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_publish(b->bridge, 0, NULL, SIZE_MAX, err));
	BAD(STEPBUS_OK, stepbus_bridge_publish(b->bridge, 0, NULL, 0, err));
	stepbus_bridge_stop(b->bridge, NULL);
	BAD(STEPBUS_EINACTIVE, stepbus_bridge_publish(b->bridge, 0, "", 0, err));
}

static void bridge_publish_name(test_bad *b)
{
	const test_bad_text *names = test_bad_names();

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL, stepbus_bridge_publish_name(b->bridge, names[i].data,
								names[i].len, "", 0, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_bridge_publish_name(NULL, STEPBUS_TEXT("handler.error"), "", 0, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("handler.error"), NULL, 1, err));
	BAD(STEPBUS_ENOTFOUND,
	    stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("no.such"), "", 0, err));
	stepbus_bridge_stop(b->bridge, NULL);
	BAD(STEPBUS_EINACTIVE,
	    stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("handler.error"), "", 0, err));
}

static void bridge_flush(test_bad *b)
{
	BAD(STEPBUS_EINVAL, stepbus_bridge_flush(NULL, 0, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_flush(b->bridge, -2, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_flush(b->bridge, INT64_MIN, err));
	/* Nothing waits, so no time is too long. */
	BAD(STEPBUS_OK, stepbus_bridge_flush(b->bridge, INT64_MAX, err));
	BAD(STEPBUS_OK, stepbus_bridge_flush(b->bridge, -1, err));
}

static void bridge_listener_count(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	uint32_t count = 4711;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL, stepbus_bridge_listener_count(b->bridge, names[i].data,
								  names[i].len, &count, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_bridge_listener_count(NULL, STEPBUS_TEXT("handler.error"), &count, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_bridge_listener_count(b->bridge, STEPBUS_TEXT("handler.error"), NULL, err));
	BAD(STEPBUS_ENOTFOUND,
	    stepbus_bridge_listener_count(b->bridge, STEPBUS_TEXT("no.such"), &count, err));
	assert_int_equal(count, 4711);
}

static void bridge_listeners(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	stepbus_text *text = NULL;

	/* The first one, (NULL, 0), means all. */
	for (size_t i = 1; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_bridge_listeners(b->bridge, names[i].data, names[i].len, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_listeners(NULL, NULL, 0, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_listeners(b->bridge, NULL, 0, NULL, err));
	BAD(STEPBUS_ENOTFOUND,
	    stepbus_bridge_listeners(b->bridge, STEPBUS_TEXT("no.such"), &text, err));
	assert_null(text);
}

static void bridge_stats(test_bad *b)
{
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_bridge_stats(NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_stats(b->bridge, NULL, err));
	assert_null(text);
}

static stepbus_status declare(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_bridge *bridge = NULL;
	stepbus_status status;

	(void)b;
	/* A name can be declared once: each try has a bridge of its own. */
	assert_int_equal(stepbus_bridge_new(NULL, &bridge, NULL), STEPBUS_OK);
	status = stepbus_bridge_declare(bridge, given, NULL, err);
	stepbus_bridge_free(bridge);
	return status;
}

static stepbus_event_info good_info(void)
{
	return (stepbus_event_info){ .size = sizeof(stepbus_event_info),
				     .name = "my.event",
				     .name_len = 8 };
}

static void declare_bad_texts(test_bad *b)
{
	static const test_bad_text json[] = {
		{ NULL, 4 },   { "{", 1 },    { "{} {}", 5 }, { "nul", 3 },
		{ "\xff", 1 }, { "{}\0", 3 }, { "[1,]", 4 },
	};
	static const test_bad_text texts[] = { { NULL, 4 }, { "\xff", 1 }, { "a\0b", 3 } };
	stepbus_event_info info;

	for (size_t i = 0; i < sizeof json / sizeof *json; i++) {
		info = good_info();
		info.schema = json[i].data;
		info.schema_len = json[i].len;
		BAD(STEPBUS_EINVAL, declare(b, &info, err));
		info = good_info();
		info.example = json[i].data;
		info.example_len = json[i].len;
		BAD(STEPBUS_EINVAL, declare(b, &info, err));
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		info = good_info();
		info.category = texts[i].data;
		info.category_len = texts[i].len;
		BAD(STEPBUS_EINVAL, declare(b, &info, err));
		info = good_info();
		info.description = texts[i].data;
		info.description_len = texts[i].len;
		BAD(STEPBUS_EINVAL, declare(b, &info, err));
		info = good_info();
		info.fired_by = texts[i].data;
		info.fired_by_len = texts[i].len;
		BAD(STEPBUS_EINVAL, declare(b, &info, err));
	}
}

static void declare_long_texts(test_bad *b)
{
	stepbus_event_info info = good_info();

	info.category = test_bad_long();
	info.category_len = BAD_LONG_LEN;
	BAD(STEPBUS_EINVAL, declare(b, &info, err));
	info = good_info();
	info.description = test_bad_long();
	info.description_len = BAD_LONG_LEN;
	BAD(STEPBUS_EINVAL, declare(b, &info, err));
	info = good_info();
	info.fired_by = test_bad_long();
	info.fired_by_len = BAD_LONG_LEN;
	BAD(STEPBUS_EINVAL, declare(b, &info, err));
	info = good_info();
	info.schema = test_bad_long();
	info.schema_len = BAD_LONG_LEN;
	BAD(STEPBUS_EINVAL, declare(b, &info, err));
}

static void bridge_declare(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	const stepbus_event_info good = good_info();
	stepbus_event_info info = good;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++) {
		info.name = names[i].data;
		info.name_len = names[i].len;
		BAD(STEPBUS_EINVAL, declare(b, &info, err));
	}
	declare_bad_texts(b);
	declare_long_texts(b);
	info = good;
	info.category = "steps";
	info.category_len = 5;
	BAD(STEPBUS_EINVAL, declare(b, &info, err));
	info = good;
	info.name = "handler.error";
	info.name_len = 13;
	BAD(STEPBUS_EEXISTS, declare(b, &info, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_declare(NULL, &good, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_bridge_declare(b->bridge, NULL, NULL, err));
	test_bad_sizes(b, BAD_STRUCT(good, declare));
	test_bad_flags(b, BAD_STRUCT(good, declare), offsetof(stepbus_event_info, flags), 0);
}

static const test_bad_row rows[] = {
	{ "stepbus_bridge_new", bridge_new },
	{ "stepbus_bridge_free", bridge_free },
	{ "stepbus_bridge_default", bridge_default },
	{ "stepbus_bridge_default_reset", bridge_default_reset },
	{ "stepbus_bridge_start", bridge_start },
	{ "stepbus_bridge_stop", bridge_stop },
	{ "stepbus_bridge_is_active", bridge_is_active },
	{ "stepbus_bridge_event", bridge_event },
	{ "stepbus_bridge_event_name", bridge_event_name },
	{ "stepbus_bridge_subscribe", bridge_subscribe },
	{ "stepbus_bridge_unsubscribe", bridge_unsubscribe },
	{ "stepbus_bridge_publish", bridge_publish },
	{ "stepbus_bridge_publish_name", bridge_publish_name },
	{ "stepbus_bridge_flush", bridge_flush },
	{ "stepbus_bridge_listener_count", bridge_listener_count },
	{ "stepbus_bridge_listeners", bridge_listeners },
	{ "stepbus_bridge_stats", bridge_stats },
	{ "stepbus_bridge_declare", bridge_declare },
};

const test_bad_rows test_bad_bridge = { rows, sizeof rows / sizeof *rows };
