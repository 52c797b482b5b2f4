/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
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
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *text = NULL;

	if (sb_json_print_take(json, is_complete, &t.host, &text, &err) != STEPBUS_OK)
		fail_msg("not printed: %s", err.message);
	assert_string_equal(sb_text_data(text), expected);
	assert_int_equal(sb_text_len(text), strlen(expected));
	sb_text_free(text);
}

static void values_are_written_as_they_are(void **state)
{
	sb_json *json = sb_json_object_new();
	sb_json *list = sb_json_array_new();
	bool is_complete =
		sb_json_add_text(json, "text", sb_slice_z("a \"quoted\" \\ \n \xc3\xa4")) &&
		sb_json_add_text(json, "empty", sb_slice_z("")) &&
		sb_json_add_text(json, "none", sb_slice_of(NULL, 0)) &&
		sb_json_add_bool(json, "yes", true) && sb_json_add_bool(json, "no", false) &&
		sb_json_add_time(json, "at", INT64_C(1795257045123456)) &&
		sb_json_add_int(list, NULL, 1) && sb_json_add_text(list, NULL, sb_slice_z("two")) &&
		sb_json_add_part_take(json, "list", list);

	(void)state;
	assert_printed(
		json, is_complete,
		"{\"text\":\"a \\\"quoted\\\" \\\\ \\n \xc3\xa4\",\"empty\":\"\",\"none\":null,"
		"\"yes\":true,\"no\":false,\"at\":\"2026-11-21T10:30:45.123456Z\","
		"\"list\":[1,\"two\"]}");
}

static void empty_documents_are_written(void **state)
{
	(void)state;
	assert_printed(sb_json_object_new(), true, "{}");
	assert_printed(sb_json_array_new(), true, "[]");
}

static void integers_keep_every_digit(void **state)
{
	sb_json *json = sb_json_array_new();

	(void)state;
	sb_json_add_int(json, NULL, 0);
	sb_json_add_int(json, NULL, -1);
	sb_json_add_int(json, NULL, INT64_MAX);
	sb_json_add_int(json, NULL, INT64_MIN);
	sb_json_add_int(json, NULL, (INT64_C(1) << 53) + 1);
	assert_printed(json, true,
		       "[0,-1,9223372036854775807,-9223372036854775808,9007199254740993]");
}

static void raw_json_is_written_as_it_stands(void **state)
{
	sb_json *json = sb_json_object_new();

	(void)state;
	sb_json_add_raw(json, "a", sb_slice_z("{ \"big\" : 12345678901234567890 }"));
	sb_json_add_raw(json, "b", sb_slice_of("", 0));
	sb_json_add_raw(json, "c", sb_slice_of(NULL, 0));
	assert_printed(json, true,
		       "{\"a\":{ \"big\" : 12345678901234567890 },\"b\":null,\"c\":null}");
}

static void words_are_written_as_a_list(void **state)
{
	sb_json *json = sb_json_object_new();
	bool is_complete = sb_json_add_words(json, "a", sb_slice_z("worker, host")) &&
			   sb_json_add_words(json, "b", sb_slice_z("worker")) &&
			   sb_json_add_words(json, "c", sb_slice_z("")) &&
			   sb_json_add_words(json, "d", sb_slice_of(NULL, 0));

	(void)state;
	assert_printed(json, is_complete,
		       "{\"a\":[\"worker\",\"host\"],\"b\":[\"worker\"],\"c\":[],\"d\":[]}");
}

static void words_of_any_length_are_written(void **state)
{
	char words[700], expected[720];
	sb_json *json = sb_json_object_new();
	bool is_complete;

	(void)state;
	memset(words, 'x', 600);
	memcpy(words + 600, ",y", 3);
	(void)snprintf(expected, sizeof expected, "{\"a\":[\"%.600s\",\"y\"]}", words);
	is_complete = sb_json_add_words(json, "a", sb_slice_z(words));
	assert_printed(json, is_complete, expected);
}

static void foreign_text_is_mended_and_cut(void **state)
{
	char text[2000];
	sb_json *json = sb_json_array_new();
	stepbus_text *printed = NULL;

	(void)state;
	sb_json_add_foreign(json, NULL, sb_slice_of("a\0b\xff", 4));
	sb_json_add_foreign(json, NULL, sb_slice_of("", 0));
	sb_json_add_foreign(json, NULL, sb_slice_of(NULL, 0));
	assert_printed(json, true, "[\"a?b?\",null,null]");
	for (size_t i = 0; i + 1 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	for (size_t shift = 0; shift < 2; shift++) {
		text[0] = 'x';
		json = sb_json_array_new();
		sb_json_add_foreign(json, NULL, sb_slice_of(text + 1 - shift, sizeof text - 1));
		assert_int_equal(sb_json_print_take(json, true, &t.host, &printed, NULL),
				 STEPBUS_OK);
		assert_true(sb_utf8_is_valid(sb_text_data(printed), sb_text_len(printed)));
		assert_in_range(sb_text_len(printed), 1024, 1030);
		sb_text_free(printed);
	}
}

static void what_is_not_complete_is_not_printed(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *text = NULL;

	(void)state;
	assert_int_equal(sb_json_print_take(sb_json_object_new(), false, &t.host, &text, &err),
			 STEPBUS_ENOMEM);
	assert_int_equal(sb_json_print_take(NULL, true, &t.host, &text, &err), STEPBUS_ENOMEM);
	assert_null(text);
	assert_true(err.message[0] != '\0');
}

static void nothing_can_be_added_to_no_document(void **state)
{
	(void)state;
	assert_false(sb_json_add_text(NULL, "a", sb_slice_z("b")));
	assert_false(sb_json_add_foreign(NULL, "a", sb_slice_z("b")));
	assert_false(sb_json_add_int(NULL, "a", 1));
	assert_false(sb_json_add_bool(NULL, "a", true));
	assert_false(sb_json_add_raw(NULL, "a", sb_slice_z("1")));
	assert_false(sb_json_add_words(NULL, "a", sb_slice_z("b,c")));
	assert_false(sb_json_add_part_take(NULL, "a", sb_json_object_new()));
	assert_false(sb_json_add_part_take(NULL, "a", NULL));
}

static stepbus_status write_everything(test_host *host, stepbus_error *err)
{
	sb_json *json = sb_json_object_new();
	sb_json *part = sb_json_array_new();
	stepbus_text *text = NULL;
	bool is_complete = sb_json_add_text(json, "a", sb_slice_z("text"));
	stepbus_status status;

	is_complete = sb_json_add_foreign(part, NULL, sb_slice_z("foreign")) && is_complete;
	is_complete = sb_json_add_int(part, NULL, 1) && is_complete;
	is_complete = sb_json_add_part_take(json, "b", part) && is_complete;
	is_complete = sb_json_add_raw(json, "c", sb_slice_z("[1]")) && is_complete;
	is_complete = sb_json_add_words(json, "d", sb_slice_z("e,f")) && is_complete;
	status = sb_json_print_take(json, is_complete, &host->host, &text, err);
	sb_text_free(text);
	return status;
}

static void a_writer_says_that_memory_ran_out_wherever_it_did(void **state)
{
	const test_scenario scenario = { .name = "write JSON", .run = write_everything };

	(void)state;
	assert_true(test_fail_each_allocation(&scenario) > 10);
}

typedef struct check_row {
	const char *text;
	bool is_object;
	stepbus_status status;
} check_row;

static void documents_are_checked(void **state)
{
	static const check_row rows[] = {
		{ "{}", true, STEPBUS_OK },        { "{}", false, STEPBUS_OK },
		{ " \t\r\n{}", true, STEPBUS_OK }, { "[]", true, STEPBUS_EINVAL },
		{ "[]", false, STEPBUS_OK },       { "1", false, STEPBUS_OK },
		{ "\"{\"", true, STEPBUS_EINVAL }, { "", false, STEPBUS_EINVAL },
		{ " ", true, STEPBUS_EINVAL },     { "{", true, STEPBUS_EINVAL },
		{ "{}x", false, STEPBUS_EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;

		if (sb_json_check(sb_slice_z(rows[i].text), rows[i].is_object, "the row", &err) !=
		    rows[i].status)
			fail_msg("'%s' should give %d", rows[i].text, rows[i].status);
		assert_true((rows[i].status == STEPBUS_OK) ==
			    (strstr(err.message, "the row") == NULL));
	}
}

static void a_document_of_one_mebibyte_is_allowed_and_a_longer_one_is_not(void **state)
{
	char *text = malloc(SB_JSON_LEN_MAX + 1);

	(void)state;
	memset(text, ' ', SB_JSON_LEN_MAX + 1);
	memcpy(text, "{}", 2);
	assert_int_equal(sb_json_check(sb_slice_of(text, SB_JSON_LEN_MAX), true, "it", NULL),
			 STEPBUS_OK);
	assert_int_equal(sb_json_check(sb_slice_of(text, SB_JSON_LEN_MAX + 1), true, "it", NULL),
			 STEPBUS_EINVAL);
	free(text);
}

/* What was read of a field, kept beyond the callback. */
typedef struct seen {
	int kind;
	char text[64];
	int64_t number;
	int call_count;
} seen;

static stepbus_status keep(void *context, const sb_json_field *field, stepbus_error *err)
{
	seen *s = context;

	(void)err;
	s->kind = field->kind;
	s->number = field->number;
	s->call_count++;
	if (field->kind == SB_JSON_TEXT)
		(void)snprintf(s->text, sizeof s->text, "%.*s", (int)field->text.len,
			       field->text.data);
	return 77;
}

static seen read_field(const char *json, const char *name)
{
	seen s = { .number = 0 };

	/* What the callback returns is what reading returns. */
	assert_int_equal(sb_json_field_read(sb_slice_z(json), sb_slice_z(name), keep, &s, NULL),
			 77);
	assert_int_equal(s.call_count, 1);
	return s;
}

typedef struct field_row {
	const char *json;
	int kind;
	const char *text;
	int64_t number;
} field_row;

static const field_row field_rows[] = {
	{ "{\"a\":\"b\"}", SB_JSON_TEXT, "b", 0 },
	{ "{\"a\":\"\"}", SB_JSON_TEXT, "", 0 },
	{ "{\"a\":\"\\u00e4\\n\\ud83d\\ude00\"}", SB_JSON_TEXT, "\xc3\xa4\n\xf0\x9f\x98\x80", 0 },
	{ "{\"\\u0061\":\"b\"}", SB_JSON_TEXT, "b", 0 },
	{ "{\"a\":null}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":true}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":[\"b\"]}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":{\"a\":\"b\"}}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":7}", SB_JSON_INT, NULL, 7 },
	{ "{\"a\":-7}", SB_JSON_INT, NULL, -7 },
	{ "{\"a\":0}", SB_JSON_INT, NULL, 0 },
	{ "{\"a\":-0}", SB_JSON_INT, NULL, 0 },
	{ "{\"a\":7.0}", SB_JSON_INT, NULL, 7 },
	{ "{\"a\":7e2}", SB_JSON_INT, NULL, 700 },
	{ "{\"a\":7.5}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":1e-3}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":1e999}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":9007199254740991}", SB_JSON_INT, NULL, INT64_C(9007199254740991) },
	{ "{\"a\":-9007199254740991}", SB_JSON_INT, NULL, -INT64_C(9007199254740991) },
	{ "{\"a\":9007199254740992}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":-9007199254740992}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":9007199254740993}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":-9007199254740993}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":9223372036854775807}", SB_JSON_OTHER, NULL, 0 },
	{ "{\"a\":18446744073709551616}", SB_JSON_OTHER, NULL, 0 },
	/* The first of two counts; case does, and depth. */
	{ "{\"a\":1,\"a\":2}", SB_JSON_INT, NULL, 1 },
	{ "{\"a\":\"x\",\"a\":2}", SB_JSON_TEXT, "x", 0 },
	{ "{\"A\":1,\"a\":2}", SB_JSON_INT, NULL, 2 },
	{ "{\"A\":1}", SB_JSON_MISSING, NULL, 0 },
	{ "{\"b\":{\"a\":1}}", SB_JSON_MISSING, NULL, 0 },
	{ "{\"aa\":1}", SB_JSON_MISSING, NULL, 0 },
	{ "{}", SB_JSON_MISSING, NULL, 0 },
	{ "[{\"a\":1}]", SB_JSON_MISSING, NULL, 0 },
	{ "\"a\"", SB_JSON_MISSING, NULL, 0 },
	{ "{\"a\":1", SB_JSON_MISSING, NULL, 0 },
	{ "{\"a\":1}}", SB_JSON_MISSING, NULL, 0 },
	{ "\xef\xbb\xbf{\"a\":1}", SB_JSON_MISSING, NULL, 0 },
	{ "", SB_JSON_MISSING, NULL, 0 },
	{ "opaque bytes", SB_JSON_MISSING, NULL, 0 },
};

static void fields_are_read_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof field_rows / sizeof *field_rows; i++) {
		const field_row *row = &field_rows[i];
		seen s = read_field(row->json, "a");

		if (s.kind != row->kind)
			fail_msg("%s: kind %d, not %d", row->json, row->kind, s.kind);
		if (row->kind == SB_JSON_TEXT)
			assert_string_equal(s.text, row->text);
		if (row->kind == SB_JSON_INT)
			assert_true(s.number == row->number);
	}
}

static void numbers_of_many_digits_do_not_hide_other_fields(void **state)
{
	char json[512];
	int zeros_len = 200;

	(void)state;
	(void)snprintf(json, sizeof json, "{\"n\":0.%0*d1,\"a\":5}", zeros_len, 0);
	assert_int_equal(read_field(json, "a").number, 5);
	(void)snprintf(json, sizeof json, "{\"n\":1%0*d,\"a\":5}", zeros_len, 0);
	assert_int_equal(read_field(json, "a").number, 5);
}

static void any_name_can_be_asked_for(void **state)
{
	(void)state;
	assert_int_equal(read_field("{\"\":1}", "").kind, SB_JSON_INT);
	assert_int_equal(read_field("{\"a.b\":1}", "a.b").kind, SB_JSON_INT);
	assert_int_equal(read_field("{\"\xc3\xa4\":1}", "\xc3\xa4").kind, SB_JSON_INT);
}

static void bytes_behind_the_json_are_not_read(void **state)
{
	seen s = { .number = 0 };
	char *exact = malloc(7);

	(void)state;
	memcpy(exact, "{\"a\":1}", 7);
	sb_json_field_read(sb_slice_of(exact, 7), sb_slice_of("abc", 1), keep, &s, NULL);
	assert_int_equal(s.number, 1);
	free(exact);
}

static stepbus_status accept(void *context, const sb_json_field *field, stepbus_error *err)
{
	(void)context;
	(void)err;
	return field->kind == SB_JSON_TEXT ? STEPBUS_OK : STEPBUS_ENOTFOUND;
}

static stepbus_status read_one(test_host *host, stepbus_error *err)
{
	(void)host;
	return sb_json_field_read(sb_slice_z("{\"b\":[1,{\"c\":2}],\"a\":\"text\"}"),
				  sb_slice_z("a"), accept, NULL, err);
}

static void reading_without_memory_says_so(void **state)
{
	const test_scenario scenario = { .name = "read JSON", .run = read_one };

	(void)state;
	test_fail_each_allocation(&scenario);
}

#define JSON_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JSON_TEST(values_are_written_as_they_are),
		JSON_TEST(empty_documents_are_written),
		JSON_TEST(integers_keep_every_digit),
		JSON_TEST(raw_json_is_written_as_it_stands),
		JSON_TEST(words_are_written_as_a_list),
		JSON_TEST(words_of_any_length_are_written),
		JSON_TEST(foreign_text_is_mended_and_cut),
		JSON_TEST(what_is_not_complete_is_not_printed),
		JSON_TEST(nothing_can_be_added_to_no_document),
		cmocka_unit_test(a_writer_says_that_memory_ran_out_wherever_it_did),
		JSON_TEST(documents_are_checked),
		JSON_TEST(a_document_of_one_mebibyte_is_allowed_and_a_longer_one_is_not),
		JSON_TEST(fields_are_read_as_the_table_says),
		JSON_TEST(numbers_of_many_digits_do_not_hide_other_fields),
		JSON_TEST(any_name_can_be_asked_for),
		JSON_TEST(bytes_behind_the_json_are_not_read),
		cmocka_unit_test(reading_without_memory_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
