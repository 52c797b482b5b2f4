/* SPDX-License-Identifier: MIT */
/* Payloads that are bytes: of any size, and JSON that a subscriber looks into. */
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"
#include "support/thread.h"

enum { MEBIBYTE = 1024 * 1024 };

/* Sums up what came. */
typedef struct weigher {
	_Atomic(uint32_t) count;
	size_t len;
	uint64_t sum;
	bool has_address;
} weigher;

static int32_t weigh(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const unsigned char *bytes = payload;
	weigher *w = user_data;

	(void)event_id;
	w->len = len;
	w->has_address = payload != NULL;
	for (size_t i = 0; i < len; i += 4093)
		w->sum += bytes[i];
	w->sum += len > 0 ? bytes[len - 1] : 0u;
	atomic_fetch_add(&w->count, 1);
	return STEPBUS_OK;
}

static void weigh_queued(test_bridge *b, weigher *w)
{
	const stepbus_subscription spec = { .size = sizeof spec,
					    .flags = STEPBUS_SUBSCRIPTION_QUEUED,
					    .deliver = weigh,
					    .user_data = w };

	assert_int_equal(stepbus_bridge_subscribe(b->bridge, "*", 1, &spec, NULL, &b->err),
			 STEPBUS_OK);
}

static void a_queued_payload_may_be_empty(void **state)
{
	test_bridge *b = *state;
	uint32_t event = test_declare(b, "order.made");
	weigher w = { .len = 99 };

	weigh_queued(b, &w);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, &b->err), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, "", 0, &b->err), STEPBUS_OK);
	test_bridge_free(b);
	assert_int_equal(w.count, 2);
	assert_int_equal(w.len, 0);
}

static void a_queued_payload_may_have_64_mebibytes(void **state)
{
	test_bridge *b = *state;
	uint32_t event = test_declare(b, "order.made");
	const size_t len = (size_t)64 * MEBIBYTE;
	char *payload = malloc(len);
	weigher here = { .len = 0 }, there = { .len = 0 };

	assert_non_null(payload);
	for (size_t i = 0; i < len; i += 4093)
		payload[i] = (char)(i / 4093);
	payload[len - 1] = 77;
	weigh(&here, event, payload, len);
	weigh_queued(b, &there);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, payload, len, &b->err),
			 STEPBUS_OK);
	memset(payload, 0xEE, len);
	free(payload);
	test_bridge_free(b);
	assert_int_equal(there.count, 1);
	assert_int_equal(there.len, len);
	assert_true(there.sum == here.sum);
}

typedef struct text_row {
	const char *json;
	const char *field;
	stepbus_status status;
	const char *text;
} text_row;

static void a_text_field_is_read_as_the_table_says(void **state)
{
	static const text_row rows[] = {
		{ "{\"a\":\"b\"}", "a", STEPBUS_OK, "b" },
		{ "{\"a\":\"\"}", "a", STEPBUS_OK, "" },
		{ "{\"a\":\"\\u00e4\\ud83d\\ude00\"}", "a", STEPBUS_OK,
		  "\xc3\xa4\xf0\x9f\x98\x80" },
		{ "{\"a\":\"first\",\"a\":\"second\"}", "a", STEPBUS_OK, "first" },
		{ "{\"A\":\"b\"}", "a", STEPBUS_ENOTFOUND, "" },
		{ "{\"a\":1}", "a", STEPBUS_ENOTFOUND, "" },
		{ "{\"a\":null}", "a", STEPBUS_ENOTFOUND, "" },
		{ "{\"b\":{\"a\":\"c\"}}", "a", STEPBUS_ENOTFOUND, "" },
		{ "[\"a\"]", "a", STEPBUS_ENOTFOUND, "" },
		{ "{\"a\":\"b\"", "a", STEPBUS_ENOTFOUND, "" },
		{ "no JSON", "a", STEPBUS_ENOTFOUND, "" },
		{ "", "a", STEPBUS_ENOTFOUND, "" },
		{ "{\"\":\"empty\"}", "", STEPBUS_OK, "empty" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const text_row *row = &rows[i];
		char place;
		stepbus_text *text = (stepbus_text *)(void *)&place;
		stepbus_status status = stepbus_payload_text(
			row->json, strlen(row->json), row->field, strlen(row->field), &text, NULL);

		if (status != row->status)
			fail_msg("%s: status %d, not %d", row->json, status, row->status);
		assert_int_equal(text != NULL, status == STEPBUS_OK);
		assert_string_equal(stepbus_text_data(text), row->text);
		assert_int_equal(stepbus_text_len(text), strlen(row->text));
		stepbus_text_free(text);
	}
}

typedef struct int_row {
	const char *json;
	stepbus_status status;
	int64_t value;
} int_row;

static void an_integer_field_is_read_as_the_table_says(void **state)
{
	static const int_row rows[] = {
		{ "{\"a\":7}", STEPBUS_OK, 7 },
		{ "{\"a\":-7}", STEPBUS_OK, -7 },
		{ "{\"a\":0}", STEPBUS_OK, 0 },
		{ "{\"a\":1e3}", STEPBUS_OK, 1000 },
		{ "{\"a\":9007199254740991}", STEPBUS_OK, INT64_C(9007199254740991) },
		{ "{\"a\":-9007199254740991}", STEPBUS_OK, -INT64_C(9007199254740991) },
		{ "{\"a\":9007199254740992}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"a\":9007199254740993}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"a\":-9007199254740992}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"a\":1e300}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"a\":1.5}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"a\":\"7\"}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"a\":true}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"b\":7}", STEPBUS_ENOTFOUND, 0 },
		{ "{\"a\":1,\"a\":2}", STEPBUS_OK, 1 },
		{ "7", STEPBUS_ENOTFOUND, 0 },
		{ "", STEPBUS_ENOTFOUND, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t value = 4711;
		stepbus_status status = stepbus_payload_int(rows[i].json, strlen(rows[i].json),
							    STEPBUS_TEXT("a"), &value, NULL);

		if (status != rows[i].status)
			fail_msg("%s: status %d, not %d", rows[i].json, status, rows[i].status);
		/* The fallback stays where there is no such integer. */
		assert_true(value == (status == STEPBUS_OK ? rows[i].value : 4711));
	}
}

static void json_of_one_mebibyte_is_looked_into_and_longer_json_is_not(void **state)
{
	char *json = malloc(MEBIBYTE + 1);
	int64_t value = 0;

	(void)state;
	memset(json, ' ', MEBIBYTE + 1);
	memcpy(json, "{\"a\":7}", 7);
	assert_int_equal(stepbus_payload_int(json, MEBIBYTE, "a", 1, &value, NULL), STEPBUS_OK);
	assert_int_equal(value, 7);
	assert_int_equal(stepbus_payload_int(json, MEBIBYTE + 1, "a", 1, &value, NULL),
			 STEPBUS_ENOTFOUND);
	free(json);
}

static void arguments_that_are_missing_are_refused(void **state)
{
	stepbus_text *text = NULL;
	int64_t value = 7;

	(void)state;
	assert_int_equal(stepbus_payload_text(NULL, 1, "a", 1, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_text("{}", 2, NULL, 1, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_text("{}", 2, "a", 1, NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_text(NULL, 0, "a", 1, &text, NULL), STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_payload_int(NULL, 1, "a", 1, &value, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_int("{}", 2, NULL, 1, &value, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_int("{}", 2, "a", 1, NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_int(NULL, 0, "a", 1, &value, NULL), STEPBUS_ENOTFOUND);
	assert_int_equal(value, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(a_queued_payload_may_be_empty),
		BRIDGE_TEST(a_queued_payload_may_have_64_mebibytes),
		cmocka_unit_test(a_text_field_is_read_as_the_table_says),
		cmocka_unit_test(an_integer_field_is_read_as_the_table_says),
		cmocka_unit_test(json_of_one_mebibyte_is_looked_into_and_longer_json_is_not),
		cmocka_unit_test(arguments_that_are_missing_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
