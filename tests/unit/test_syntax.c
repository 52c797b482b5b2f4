/* SPDX-License-Identifier: MIT */
#include "base/syntax.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

typedef struct row {
	const char *text;
	size_t len;
	bool is_json;
} row;

#define YES(text)                              \
	{                                      \
		(text), sizeof(text) - 1, true \
	}
#define NO(text)                                \
	{                                       \
		(text), sizeof(text) - 1, false \
	}

static const row documents[] = {
	YES("{}"),
	YES("[]"),
	YES("null"),
	YES("true"),
	YES("false"),
	YES("\"\""),
	YES("0"),
	YES(" {} "),
	YES("\t\r\n [ ] \t\r\n"),
	YES("{\"a\":1}"),
	YES("{ \"a\" : 1 , \"b\" : 2 }"),
	YES("[1,2,3]"),
	YES("[[],{},[{}]]"),
	YES("{\"a\":{\"b\":[1,{\"c\":null}]}}"),
	YES("{\"a\":1,\"a\":2}"),
	YES("{\"\":0}"),
	YES("[\"a\",\"b\"]"),
	NO(""),
	NO(" "),
	NO("{"),
	NO("}"),
	NO("["),
	NO("]"),
	NO("[}"),
	NO("{]"),
	NO("[1}"),
	NO("{\"a\":1]"),
	NO("{} {}"),
	NO("{}x"),
	NO("1 2"),
	NO("null,"),
	NO("nul"),
	NO("nulll"),
	NO("True"),
	NO("NaN"),
	NO("Infinity"),
	NO("undefined"),
	NO("[1,]"),
	NO("[,1]"),
	NO("[1 2]"),
	NO("[,]"),
	NO("{,}"),
	NO("{\"a\"}"),
	NO("{\"a\":}"),
	NO("{\"a\":1,}"),
	NO("{\"a\" 1}"),
	NO("{a:1}"),
	NO("{'a':1}"),
	NO("{1:1}"),
	NO("{\"a\":1 \"b\":2}"),
	NO("[1]// comment"),
	NO("/**/[1]"),
	NO("[\"a\":1]"),
	NO("\f{}"),
	NO("\v{}"),
	NO("\xc2\xa0{}"),
	NO("\xef\xbb\xbf{}"),
	NO("{}\0"),
	NO("\0{}"),
	NO("{\0}"),
	NO("[1\0]"),
};

static const row numbers[] = {
	YES("-0"),
	YES("10"),
	YES("-10"),
	YES("1.5"),
	YES("-1.05"),
	YES("0.0"),
	YES("1e5"),
	YES("1E5"),
	YES("1e+5"),
	YES("1E-05"),
	YES("0e0"),
	YES("0.1e1"),
	YES("1e999"),
	YES("123456789012345678901234567890123456789012345678901234567890123456789012345678901"),
	YES("0.000000000000000000000000000000000000000000000000000000000000000000000000000000001"),
	NO("-"),
	NO("+1"),
	NO("01"),
	NO("-01"),
	NO("00"),
	NO("1."),
	NO(".5"),
	NO("-.5"),
	NO("1.e5"),
	NO("1e"),
	NO("1e+"),
	NO("1e-"),
	NO("e5"),
	NO("1e5.5"),
	NO("0x10"),
	NO("1_000"),
	NO("1,5"),
	NO("--1"),
	NO("- 1"),
	NO("1 .5"),
	NO("1f"),
	NO("[1.]"),
	NO("[-]"),
};

static const row strings[] = {
	YES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	YES("\"\\u0041\""),
	YES("\"\\u00e4\\uFFFF\""),
	YES("\"\\ud83d\\ude00\""),
	YES("\"\\uD83D\\uDE00x\""),
	YES("\"\\udbff\\udfff\""),
	YES("\"\xc3\xa4\xf0\x9f\x98\x80\""),
	YES("\"\x7f\""),
	YES("\"/\""),
	YES("\"'\""),
	YES("{\"\\u0061\":1}"),
	YES("\"\\u0001\""),
	NO("\""),
	NO("\"a"),
	NO("a\""),
	NO("'a'"),
	NO("\"a\"b\""),
	NO("\"\\\""),
	NO("\"\\"),
	NO("\"\\x41\""),
	NO("\"\\a\""),
	NO("\"\\0\""),
	NO("\"\\'\""),
	NO("\"\\U0041\""),
	NO("\"\\u\""),
	NO("\"\\u00\""),
	NO("\"\\u004\""),
	NO("\"\\u004g\""),
	NO("\"\\u 041\""),
	NO("\"\\u-041\""),
	NO("\"\\u0000\""),
	NO("{\"\\u0000\":1}"),
	NO("\"\n\""),
	NO("\"\t\""),
	NO("\"\x1f\""),
	NO("\"\x01\""),
	NO("\"a\0b\""),
	/* Surrogates that are not a pair. */
	NO("\"\\ud800\""),
	NO("\"\\udbff\""),
	NO("\"\\udc00\""),
	NO("\"\\udfff\""),
	NO("\"\\ud800x\""),
	NO("\"\\ud800\\n\""),
	NO("\"\\ud800\\u0041\""),
	NO("\"\\ud800\\ud800\""),
	NO("\"\\ude00\\ud83d\""),
	NO("\"\\ud83d\\u\""),
	NO("\"\\ud83d\\\""),
	NO("\"\\ud83d"),
	NO("\"\\ud83d\\ude0\""),
	/* Bytes that are not UTF-8. */
	NO("\"\xff\""),
	NO("\"\x80\""),
	NO("\"\xc3\""),
	NO("\"\xed\xa0\x80\""),
	NO("\"\xc0\x80\""),
	NO("\"\xf4\x90\x80\x80\""),
	NO("{\"\xff\":1}"),
};

/* From a block of exactly its length, so that AddressSanitizer sees a read behind it. */
static bool is_json(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	bool is_one;

	assert_non_null(copy);
	memcpy(copy, text, len);
	is_one = sb_syntax_is_json(copy, len, NULL);
	free(copy);
	return is_one;
}

static void check_rows(const row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_json(rows[i].text, rows[i].len) != rows[i].is_json)
			fail_msg("row %zu: '%s' should be %d", i, rows[i].text, rows[i].is_json);
}

static void documents_are_judged_as_the_table_says(void **state)
{
	(void)state;
	check_rows(documents, sizeof documents / sizeof *documents);
}

static void numbers_are_judged_as_the_table_says(void **state)
{
	(void)state;
	check_rows(numbers, sizeof numbers / sizeof *numbers);
}

static void strings_are_judged_as_the_table_says(void **state)
{
	(void)state;
	check_rows(strings, sizeof strings / sizeof *strings);
}

/* depth containers, open and closed again, around a 1 or, where is_bare, around nothing. */
static bool is_nested_json(size_t depth, bool is_object, bool is_bare)
{
	char text[1024];
	size_t len = 0;

	for (size_t i = 0; i < depth; i++) {
		const char *opening = "[";

		if (is_object)
			opening = is_bare && i + 1 == depth ? "{" : "{\"a\":";
		memcpy(text + len, opening, strlen(opening));
		len += strlen(opening);
	}
	if (!is_bare)
		text[len++] = '1';
	memset(text + len, is_object ? '}' : ']', depth);
	return is_json(text, len + depth);
}

static void nesting_ends_at_64(void **state)
{
	(void)state;
	for (int is_object = 0; is_object <= 1; is_object++)
		for (int is_bare = 0; is_bare <= 1; is_bare++) {
			assert_true(is_nested_json(1, is_object, is_bare));
			assert_true(is_nested_json(63, is_object, is_bare));
			assert_true(is_nested_json(64, is_object, is_bare));
			assert_false(is_nested_json(65, is_object, is_bare));
			assert_false(is_nested_json(150, is_object, is_bare));
		}
}

static void a_kind_of_container_is_remembered_at_every_depth(void **state)
{
	char text[512];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 32; i++) {
		memcpy(text + len, "[{\"a\":", 6);
		len += 6;
	}
	text[len++] = '1';
	for (int i = 0; i < 32; i++) {
		memcpy(text + len, "}]", 2);
		len += 2;
	}
	assert_true(is_json(text, len));
	text[len - 33] = text[len - 33] == '}' ? ']' : '}';
	assert_false(is_json(text, len));
}

static void siblings_do_not_count_as_depth(void **state)
{
	char text[512] = "[";
	size_t len = 1;

	(void)state;
	for (int i = 0; i < 100; i++) {
		memcpy(text + len, "[],", 3);
		len += 3;
	}
	memcpy(text + len, "{}]", 3);
	assert_true(is_json(text, len + 3));
}

static void every_beginning_of_a_document_is_none(void **state)
{
	static const char text[] = "{\"k\":[1.5e+3,\"\\ud83d\\ude00\xc3\xa4\",true,false,null,{}]}";

	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++)
		assert_false(is_json(text, len));
	assert_true(is_json(text, sizeof text - 1));
}

static void no_text_at_all_is_not_json(void **state)
{
	size_t offset = 7;

	(void)state;
	assert_false(sb_syntax_is_json(NULL, 0, &offset));
	assert_int_equal(offset, 0);
}

typedef struct fault_row {
	const char *text;
	size_t offset;
} fault_row;

static void the_fault_offset_is_where_it_stops_being_json(void **state)
{
	static const fault_row rows[] = {
		{ "", 0 },         { "x", 0 },          { "[1,x]", 3 }, { "{\"a\":x}", 5 },
		{ "{} x", 3 },     { "[1", 2 },         { "[1]]", 3 },  { "{\"a\" 1}", 5 },
		{ "\"a\nb\"", 2 }, { "{\"a\":1,}", 7 }, { "[1 2]", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t offset = 99;

		assert_false(sb_syntax_is_json(rows[i].text, strlen(rows[i].text), &offset));
		if (offset != rows[i].offset)
			fail_msg("'%s' goes wrong at %zu, not at %zu", rows[i].text, rows[i].offset,
				 offset);
	}
}

static void the_fault_offset_of_invalid_utf8_is_its_byte(void **state)
{
	static const char text[] = "{\"a\":\"\xff\"}";
	size_t offset = 99;

	(void)state;
	assert_false(sb_syntax_is_json(text, sizeof text - 1, &offset));
	assert_int_equal(offset, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_judged_as_the_table_says),
		cmocka_unit_test(numbers_are_judged_as_the_table_says),
		cmocka_unit_test(strings_are_judged_as_the_table_says),
		cmocka_unit_test(nesting_ends_at_64),
		cmocka_unit_test(a_kind_of_container_is_remembered_at_every_depth),
		cmocka_unit_test(siblings_do_not_count_as_depth),
		cmocka_unit_test(every_beginning_of_a_document_is_none),
		cmocka_unit_test(no_text_at_all_is_not_json),
		cmocka_unit_test(the_fault_offset_is_where_it_stops_being_json),
		cmocka_unit_test(the_fault_offset_of_invalid_utf8_is_its_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
