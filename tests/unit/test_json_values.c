/* SPDX-License-Identifier: MIT */
/* Values of others in our documents: bytes, long texts, JSON, and what there is none of. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "support/cmocka.h"
#include "support/host.h"

static test_host t;

static int begin(void **state)
{
	(void)state;
	test_host_init(&t);
	return 0;
}

static int end(void **state)
{
	(void)state;
	test_host_end(&t);
	return 0;
}

static void assert_printed(sb_json *json, bool is_complete, const char *expected)
{
	stepbus_text *text = NULL;

	assert_int_equal(sb_json_print_take(json, is_complete, &t.host, &text, NULL), STEPBUS_OK);
	assert_string_equal(sb_text_data(text), expected);
	sb_text_free(text);
}

static void bytes_are_text_where_they_are_utf8_and_base64_elsewhere(void **state)
{
	sb_json *json = sb_json_object_new();
	bool is_complete =
		sb_json_add_bytes(json, "a", "a64", sb_slice_z("x\n\xc3\xa4"), &t.host) &&
		sb_json_add_bytes(json, "b", "b64", sb_slice_of(NULL, 0), &t.host) &&
		sb_json_add_bytes(json, "c", "c64", sb_slice_of("\0", 1), &t.host) &&
		sb_json_add_bytes(json, "d", "d64", sb_slice_z("\xc3"), &t.host);

	(void)state;
	assert_printed(json, is_complete,
		       "{\"a\":\"x\\n\xc3\xa4\",\"b\":\"\",\"c64\":\"AA==\",\"d64\":\"ww==\"}");
}

static void long_text_is_mended_but_not_cut(void **state)
{
	enum { LEN = 5000 };
	char *text = malloc(LEN), *expected = malloc(LEN + 8);
	sb_json *json = sb_json_array_new();
	bool is_complete;

	(void)state;
	assert_non_null(text);
	assert_non_null(expected);
	memset(text, 'x', LEN);
	text[LEN - 2] = '\xff';
	text[4] = '\0';
	is_complete = sb_json_add_whole(json, NULL, sb_slice_of(text, LEN), &t.host);
	memcpy(expected, "[\"", 2);
	memset(expected + 2, 'x', LEN);
	expected[2 + LEN - 2] = '?';
	expected[2 + 4] = '?';
	memcpy(expected + 2 + LEN, "\"]", 3);
	assert_printed(json, is_complete, expected);
	free(text);
	free(expected);
}

static void json_of_others_goes_in_as_it_is_or_not_at_all(void **state)
{
	static const char bytes[] = "{\"a\": 1e3, \"b\":[9007199254740993]} tail";
	sb_json *json = sb_json_object_new();
	bool is_complete =
		sb_json_add_checked(json, "good", sb_slice_of(bytes, sizeof bytes - 6), &t.host) &&
		sb_json_add_checked(json, "bad", sb_slice_z(bytes), &t.host) &&
		sb_json_add_checked(json, "none", sb_slice_of(NULL, 0), &t.host);

	(void)state;
	assert_printed(
		json, is_complete,
		"{\"good\":{\"a\": 1e3, \"b\":[9007199254740993]},\"bad\":null,\"none\":null}");
}

static void numbers_keep_all_their_digits(void **state)
{
	sb_json *json = sb_json_object_new();
	bool is_complete = sb_json_add_decimal(json, "token", INT64_MAX) &&
			   sb_json_add_fraction(json, "none", 0, 7) &&
			   sb_json_add_fraction(json, "most", 9999999, 10000000) &&
			   sb_json_add_fraction(json, "all", 7, 7) &&
			   sb_json_add_moment(json, "never", 0) &&
			   sb_json_add_moment(json, "once", 1) && sb_json_add_null(json, "no");

	(void)state;
	assert_printed(json, is_complete,
		       "{\"token\":\"9223372036854775807\",\"none\":0.0000,\"most\":0.9999,"
		       "\"all\":1.0000,\"never\":null,\"once\":\"1970-01-01T00:00:00.000001Z\","
		       "\"no\":null}");
}

static stepbus_status write_all(test_host *host, stepbus_error *err)
{
	sb_json *json = sb_json_object_new();
	char *text = calloc(1, 3000);
	stepbus_text *out = NULL;
	stepbus_status status;
	bool is_complete;

	assert_non_null(text);
	memset(text, 'x', 2999);
	is_complete = sb_json_add_whole(json, "a", sb_slice_z(text), &host->host) &&
		      sb_json_add_bytes(json, "b", "b64", sb_slice_z("\xff"), &host->host) &&
		      sb_json_add_checked(json, "c", sb_slice_z("[1]"), &host->host) &&
		      sb_json_add_decimal(json, "d", 1) && sb_json_add_fraction(json, "e", 1, 2) &&
		      sb_json_add_moment(json, "f", 0);
	status = sb_json_print_take(json, is_complete, &host->host, &out, err);
	sb_text_free(out);
	free(text);
	return status;
}

static void running_out_of_memory_is_said(void **state)
{
	const test_scenario scenario = { .name = "values", .run = write_all };

	(void)state;
	test_fail_each_allocation(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			bytes_are_text_where_they_are_utf8_and_base64_elsewhere, begin, end),
		cmocka_unit_test_setup_teardown(long_text_is_mended_but_not_cut, begin, end),
		cmocka_unit_test_setup_teardown(json_of_others_goes_in_as_it_is_or_not_at_all,
						begin, end),
		cmocka_unit_test_setup_teardown(numbers_keep_all_their_digits, begin, end),
		cmocka_unit_test(running_out_of_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
