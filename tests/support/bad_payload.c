/* SPDX-License-Identifier: MIT */
/* Bad input for the catalog, for subscriber objects, and for looking into payloads. */
#include <string.h>

#include "support/bad_input.h"
#include "support/spec.h"

static void catalog_list(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	stepbus_text *text = NULL;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		if (names[i].len > 0)
			BAD(STEPBUS_EINVAL, stepbus_catalog_list(b->bridge, names[i].data,
								 names[i].len, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_catalog_list(b->bridge, STEPBUS_TEXT("Step"), &text, err));
	BAD(STEPBUS_EINVAL, stepbus_catalog_list(NULL, NULL, 0, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_catalog_list(b->bridge, NULL, 0, NULL, err));
	assert_null(text);
}

/* A host's own words in the catalog must not break it, however long they are. */
static void list_long_words(test_bad *b)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "my.event",
					  .name_len = 8,
					  .fired_by = test_bad_long(),
					  .fired_by_len = 4000 };
	stepbus_event_info two = info;
	char words[600];
	stepbus_text *text = NULL;

	memset(words, 'w', sizeof words);
	words[500] = ',';
	two.name = "my.other";
	two.fired_by = words;
	two.fired_by_len = sizeof words;
	/* Refused or taken: what is taken can be listed. */
	stepbus_bridge_declare(b->bridge, &info, NULL, NULL);
	stepbus_bridge_declare(b->bridge, &two, NULL, NULL);
	assert_int_equal(stepbus_catalog_list(b->bridge, NULL, 0, &text, NULL), STEPBUS_OK);
	stepbus_text_free(text);
}

static void catalog_search(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	stepbus_text *text = NULL;

	list_long_words(b);
	/* Any text may be looked for, and is simply not found. */
	for (size_t i = 3; i < BAD_NAME_COUNT; i++) {
		if (names[i].len == 3 && memcmp(names[i].data, "a b", 3) == 0)
			continue;
		assert_int_equal(
			stepbus_catalog_search(b->bridge, names[i].data, names[i].len, &text, NULL),
			STEPBUS_OK);
		assert_string_equal(stepbus_text_data(text), "[]");
		stepbus_text_free(text);
		text = NULL;
	}
	BAD(STEPBUS_EINVAL, stepbus_catalog_search(b->bridge, NULL, 5, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_catalog_search(NULL, "a", 1, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_catalog_search(b->bridge, "a", 1, NULL, err));
	assert_null(text);
}

static void catalog_explain(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	stepbus_text *text = NULL;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_catalog_explain(b->bridge, names[i].data, names[i].len, &text, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_catalog_explain(NULL, STEPBUS_TEXT("handler.error"), &text, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_catalog_explain(b->bridge, STEPBUS_TEXT("handler.error"), NULL, err));
	BAD(STEPBUS_ENOTFOUND,
	    stepbus_catalog_explain(b->bridge, STEPBUS_TEXT("handler.eror"), &text, err));
	assert_null(text);
}

static int32_t deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_OK;
}

static stepbus_status new_subscriber(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_subscriber *subscriber = NULL;
	stepbus_status status = stepbus_subscriber_new(b->bridge, given, &subscriber, err);

	assert_int_equal(subscriber != NULL, status == STEPBUS_OK);
	stepbus_subscriber_free(subscriber);
	return status;
}

static stepbus_status new_with_route(test_bad *b, const void *given, stepbus_error *err)
{
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 1,
						     .routes = given,
						     .user_data = b,
						     .destroy = test_bad_destroy };

	return new_subscriber(b, &options, err);
}

static const stepbus_route good_route = {
	.size = sizeof good_route, .pattern = "*", .pattern_len = 1, .deliver = deliver
};

static void try_routes(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	stepbus_route route = good_route;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++) {
		route.pattern = names[i].data;
		route.pattern_len = names[i].len;
		BAD_DESTROYED(b, STEPBUS_EINVAL, new_with_route(b, &route, err));
	}
	route.pattern = "no.such";
	route.pattern_len = 7;
	BAD_DESTROYED(b, STEPBUS_ENOTFOUND, new_with_route(b, &route, err));
	route = good_route;
	route.deliver = NULL;
	BAD_DESTROYED(b, STEPBUS_EINVAL, new_with_route(b, &route, err));
	route = good_route;
	for (uint32_t size = 0; size < sizeof route; size += 4) {
		route.size = size;
		BAD_DESTROYED(b, STEPBUS_EINVAL, new_with_route(b, &route, err));
	}
	route.size = sizeof route + 8;
	BAD_DESTROYED(b, STEPBUS_EINVAL, new_with_route(b, &route, err));
}

static void subscriber_new(test_bad *b)
{
	const stepbus_subscriber_options good = { .size = sizeof good,
						  .route_count = 1,
						  .routes = &good_route,
						  .user_data = b,
						  .destroy = test_bad_destroy };
	stepbus_subscriber_options none = good, many = good, missing = good;
	stepbus_subscriber *subscriber = NULL;

	none.route_count = 0;
	many.route_count = 1025;
	missing.routes = NULL;
	BAD_DESTROYED(b, STEPBUS_EINVAL, new_subscriber(b, &none, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL, new_subscriber(b, &many, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL, new_subscriber(b, &missing, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL, stepbus_subscriber_new(NULL, &good, &subscriber, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL, stepbus_subscriber_new(b->bridge, &good, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_subscriber_new(b->bridge, NULL, &subscriber, err));
	assert_null(subscriber);
	try_routes(b);
	test_bad_sizes(b, BAD_STRUCT(good, new_subscriber));
}

static void subscriber_start(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_subscriber_start(NULL, err));
}

static void subscriber_stop(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_subscriber_stop(NULL, err));
}

static void subscriber_free(test_bad *b)
{
	(void)b;
	stepbus_subscriber_free(NULL);
}

/* Payloads without a field "n" of the wanted kind. */
static const test_bad_text fieldless[] = {
	{ NULL, 0 },
	{ "", 0 },
	{ "{", 1 },
	{ "[]", 2 },
	{ "\"n\"", 3 },
	{ "{}", 2 },
	{ "{\"n\":null}", 10 },
	{ "{\"n\":[]}", 8 },
	{ "{\"n\":true}", 10 },
	{ "{\"N\":1}", 7 },
	{ "{\"n\":\"\xff\"}", 9 },
	{ "{\"n\":1.5}", 9 },
	{ "{\"a\":{\"n\":1}}", 13 },
	{ "{\"n\":1}x", 8 },
	{ "{\"n\\u0000\":1}", 13 },
};

static void payload_text(test_bad *b)
{
	stepbus_text *text = NULL;

	(void)b;
	for (size_t i = 0; i < sizeof fieldless / sizeof *fieldless; i++)
		BAD(STEPBUS_ENOTFOUND,
		    stepbus_payload_text(fieldless[i].data, fieldless[i].len, "n", 1, &text, err));
	BAD(STEPBUS_ENOTFOUND, stepbus_payload_text("{\"n\":1}", 7, "n", 1, &text, err));
	BAD(STEPBUS_ENOTFOUND,
	    stepbus_payload_text("{\"n\":\"a\"}", 9, test_bad_long(), BAD_LONG_LEN, &text, err));
	BAD(STEPBUS_ENOTFOUND,
	    stepbus_payload_text(test_bad_long(), BAD_LONG_LEN, "n", 1, &text, err));
	BAD(STEPBUS_ENOTFOUND, stepbus_payload_text("{\"n\":\"a\"}", 9, "n\0", 2, &text, err));
	BAD(STEPBUS_ENOTFOUND, stepbus_payload_text("{\"n\":\"a\"}", 9, "", 0, &text, err));
	assert_null(text);
	BAD(STEPBUS_EINVAL, stepbus_payload_text(NULL, 5, "n", 1, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_text("{}", 2, NULL, 0, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_text("{}", 2, NULL, 3, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_text("{}", 2, "n", 1, NULL, err));
}

static void payload_int(test_bad *b)
{
	static const char *const numbers[] = {
		"{\"n\":\"1\"}",
		"{\"n\":9007199254740993}",
		"{\"n\":-9007199254740993}",
		"{\"n\":9223372036854775807}",
		"{\"n\":18446744073709551616}",
		"{\"n\":1e308}",
		"{\"n\":1e999}",
		"{\"n\":-1e999}",
		"{\"n\":0.5}",
		"{\"n\":01}",
		"{\"n\":+1}",
		"{\"n\":0x1}",
		"{\"n\":NaN}",
	};
	int64_t value = 4711;

	(void)b;
	for (size_t i = 0; i < sizeof fieldless / sizeof *fieldless; i++)
		BAD(STEPBUS_ENOTFOUND,
		    stepbus_payload_int(fieldless[i].data, fieldless[i].len, "n", 1, &value, err));
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		BAD(STEPBUS_ENOTFOUND,
		    stepbus_payload_int(numbers[i], strlen(numbers[i]), "n", 1, &value, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_int(NULL, 5, "n", 1, &value, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_int("{}", 2, NULL, 0, &value, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_int("{}", 2, NULL, 3, &value, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_int("{}", 2, "n", 1, NULL, err));
	assert_int_equal(value, 4711);
}

static stepbus_status read_event(const void *payload, size_t len, stepbus_error *err)
{
	const stepbus_step_event *out = NULL;
	stepbus_status status = stepbus_payload_step_event(payload, len, &out, err);

	assert_ptr_equal(out, status == STEPBUS_OK ? payload : NULL);
	return status;
}

static void try_event(const stepbus_step_event *event, const char *what)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	if (read_event(event, sizeof *event, &err) != STEPBUS_EINVAL)
		fail_msg("a step event with %s should be refused", what);
	assert_string_not_equal(err.message, "");
	assert_int_equal(read_event(event, sizeof *event, NULL), STEPBUS_EINVAL);
}

/* Each of its texts in turn is NULL with a length. */
static void try_event_texts(void)
{
	static const size_t len_offsets[] = {
		offsetof(stepbus_step_event, correlation_id_len),
		offsetof(stepbus_step_event, step_name_len),
		offsetof(stepbus_step_event, handler_namespace_len),
		offsetof(stepbus_step_event, handler_version_len),
		offsetof(stepbus_step_event, content_type_len),
		offsetof(stepbus_step_event, step_config_len),
		offsetof(stepbus_step_event, queue_len),
		offsetof(stepbus_step_event, traceparent_len),
		offsetof(stepbus_step_event, cursor_len),
		offsetof(stepbus_step_event, partial_result_len),
		offsetof(stepbus_step_event, dependency_count),
	};
	const size_t one = 1;
	stepbus_step_event event;

	for (size_t i = 0; i < sizeof len_offsets / sizeof *len_offsets; i++) {
		event = test_step("mail");
		memcpy((char *)&event + len_offsets[i], &one, sizeof one);
		try_event(&event, "a text that is NULL");
	}
	event = test_step("mail");
	event.handler_name = NULL;
	try_event(&event, "a text that is NULL");
	event = test_step("mail");
	event.input = NULL;
	try_event(&event, "a text that is NULL");
}

static void try_event_dependencies(void)
{
	stepbus_dependency dependency = { .size = sizeof dependency };
	stepbus_step_event event = test_step("mail");

	event.dependencies = &dependency;
	event.dependency_count = 65537;
	try_event(&event, "65,537 dependencies");
	event.dependency_count = SIZE_MAX;
	try_event(&event, "endless dependencies");
	event.dependency_count = 1;
	for (uint32_t size = 0; size < 2 * sizeof dependency; size += 8) {
		dependency.size = size;
		if (size != sizeof dependency)
			try_event(&event, "a dependency of another size");
	}
	dependency = (stepbus_dependency){ .size = sizeof dependency, .step_name_len = 1 };
	try_event(&event, "a text of a dependency that is NULL");
	dependency = (stepbus_dependency){ .size = sizeof dependency, .result_len = 1 };
	try_event(&event, "a text of a dependency that is NULL");
	dependency = (stepbus_dependency){ .size = sizeof dependency, .content_type_len = 1 };
	try_event(&event, "a text of a dependency that is NULL");
	dependency = (stepbus_dependency){ .size = sizeof dependency, .reserved = 1 };
	try_event(&event, "a dependency that says what nobody knows");
}

/* Says that it is size bytes long, of which the last is mark. */
static void try_longer_event(size_t size, char mark, stepbus_status expected)
{
	uint64_t room[64] = { 0 };
	stepbus_step_event event = test_step("mail");

	event.size = (uint32_t)size;
	memcpy(room, &event, sizeof event);
	if (mark != 0)
		((char *)room)[size - 1] = mark;
	BAD(expected, read_event(room, size, err));
}

static void payload_step_event(test_bad *b)
{
	const stepbus_step_event good = test_step("mail");
	const stepbus_step_event *out = NULL;
	uint64_t askew[sizeof good / sizeof(uint64_t) + 1];
	stepbus_step_event event = good;

	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_payload_step_event(NULL, sizeof good, &out, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_step_event(NULL, 0, &out, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_step_event(&good, sizeof good, NULL, err));
	BAD(STEPBUS_EINVAL, read_event(&good, sizeof good - 1, err));
	BAD(STEPBUS_EINVAL, read_event("{}", 2, err));
	for (uint32_t size = 0; size < offsetof(stepbus_step_event, queue); size++) {
		event.size = size;
		try_event(&event, "a size that is too small");
	}
	event.size = sizeof good + 1;
	try_event(&event, "a size past its payload");
	event = good;
	event.flags = STEPBUS_STEP_PULLED;
	BAD(STEPBUS_OK, read_event(&event, sizeof event, err));
	event.flags = 2 | STEPBUS_STEP_PULLED;
	try_event(&event, "unknown flags");
	memcpy((char *)askew + 1, &good, sizeof good);
	BAD(STEPBUS_EINVAL, read_event((char *)askew + 1, sizeof good, err));
	try_longer_event(sizeof good + 16, 0, STEPBUS_OK);
	try_longer_event(sizeof good + 16, 1, STEPBUS_EINVAL);
	try_event_texts();
	try_event_dependencies();
}

static stepbus_status read_completion(const void *payload, size_t len, stepbus_error *err)
{
	const stepbus_completion *out = NULL;
	stepbus_status status = stepbus_payload_completion(payload, len, &out, err);

	assert_ptr_equal(out, status == STEPBUS_OK ? payload : NULL);
	return status;
}

static void payload_completion(test_bad *b)
{
	static const size_t len_offsets[] = {
		offsetof(stepbus_completion, correlation_id_len),
		offsetof(stepbus_completion, handler_name_len),
		offsetof(stepbus_completion, handler_version_len),
		offsetof(stepbus_completion, worker_id_len),
		offsetof(stepbus_completion, result_len),
		offsetof(stepbus_completion, content_type_len),
		offsetof(stepbus_completion, error_type_len),
		offsetof(stepbus_completion, error_message_len),
		offsetof(stepbus_completion, error_code_len),
		offsetof(stepbus_completion, metadata_len),
		offsetof(stepbus_completion, backtrace_len),
		offsetof(stepbus_completion, cursor_len),
	};
	const stepbus_completion good = { .size = sizeof good };
	const stepbus_completion *out = NULL;
	const size_t one = 1;
	uint64_t askew[sizeof good / sizeof(uint64_t) + 1];
	stepbus_completion done = good;

	(void)b;
	BAD(STEPBUS_OK, read_completion(&good, sizeof good, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_completion(NULL, sizeof good, &out, err));
	BAD(STEPBUS_EINVAL, stepbus_payload_completion(&good, sizeof good, NULL, err));
	BAD(STEPBUS_EINVAL, read_completion(&good, sizeof good - 1, err));
	BAD(STEPBUS_EINVAL, read_completion("", 0, err));
	memcpy((char *)askew + 1, &good, sizeof good);
	BAD(STEPBUS_EINVAL, read_completion((char *)askew + 1, sizeof good, err));
	for (uint32_t size = 0; size < offsetof(stepbus_completion, backtrace); size++) {
		done.size = size;
		BAD(STEPBUS_EINVAL, read_completion(&done, sizeof done, err));
	}
	done.size = sizeof good + 1;
	BAD(STEPBUS_EINVAL, read_completion(&done, sizeof done, err));
	for (size_t i = 0; i < sizeof len_offsets / sizeof *len_offsets; i++) {
		done = good;
		memcpy((char *)&done + len_offsets[i], &one, sizeof one);
		BAD(STEPBUS_EINVAL, read_completion(&done, sizeof done, err));
	}
}

static const test_bad_row rows[] = {
	{ "stepbus_catalog_list", catalog_list },
	{ "stepbus_catalog_search", catalog_search },
	{ "stepbus_catalog_explain", catalog_explain },
	{ "stepbus_subscriber_new", subscriber_new },
	{ "stepbus_subscriber_start", subscriber_start },
	{ "stepbus_subscriber_stop", subscriber_stop },
	{ "stepbus_subscriber_free", subscriber_free },
	{ "stepbus_payload_text", payload_text },
	{ "stepbus_payload_int", payload_int },
	{ "stepbus_payload_step_event", payload_step_event },
	{ "stepbus_payload_completion", payload_completion },
};

const test_bad_rows test_bad_payload = { rows, sizeof rows / sizeof *rows };
