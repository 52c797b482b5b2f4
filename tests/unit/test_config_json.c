/* SPDX-License-Identifier: MIT */
#include "config/read_json.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/tree.h"

typedef struct good_row {
	const char *json;
	const char *tree; /* as test_tree_write has it */
} good_row;

static const good_row good[] = {
	{ "{}", "{}" },
	{ "[]", "[]" },
	{ "null", "~" },
	{ "true", "t" },
	{ "false", "f" },
	{ "0", "0" },
	{ "\"\"", "''" },
	{ "\"a\"", "'a'" },
	{ " \t\r\n{ } \t\r\n", "{}" },
	{ "[[]]", "[[]]" },
	{ "[{}]", "[{}]" },
	{ "[[],[],{}]", "[[],[],{}]" },
	{ "{\"a\":1}", "{a:1}" },
	{ "{ \"a\" : 1 , \"b\" : [ true , false , null ] }", "{a:1,b:[t,f,~]}" },
	{ "{\"\":0}", "{:0}" },
	{ "{\"a\":{\"b\":{\"c\":[]}}}", "{a:{b:{c:[]}}}" },
	{ "{\"b\":1,\"a\":2,\"c\":3}", "{b:1,a:2,c:3}" },
	{ "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "{a:{a:1},b:{a:1}}" },
	{ "[1,[2,[3]],4]", "[1,[2,[3]],4]" },
	{ "[true,false]", "[t,f]" },
	{ "{\"a b\":1}", "{a b:1}" },
	{ "{\"a\\u0062\":1}", "{ab:1}" },
	/* Whole numbers, exactly. */
	{ "-0", "0" },
	{ "1", "1" },
	{ "-1", "-1" },
	{ "10", "10" },
	{ "1000000", "1000000" },
	{ "9007199254740993", "9007199254740993" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "-9223372036854775808", "-9223372036854775808" },
	{ "1e3", "1000" },
	{ "1E3", "1000" },
	{ "1e+3", "1000" },
	{ "1.5e1", "15" },
	{ "-1.5e1", "-15" },
	{ "5.0", "5" },
	{ "5.000", "5" },
	{ "1000e-3", "1" },
	{ "0.0", "0" },
	{ "0e0", "0" },
	{ "0.000e99999999999999999999", "0" },
	{ "0e-99999999999999999999", "0" },
	{ "100.00e-2", "1" },
	{ "0.001e3", "1" },
	{ "1e18", "1000000000000000000" },
	{ "9.223372036854775807e18", "9223372036854775807" },
	{ "922337203685477580700e-2", "9223372036854775807" },
	{ "101", "101" },
	{ "1001000", "1001000" },
	{ "0.10e2", "10" },
	/* Other numbers. */
	{ "0.5", "0.5" },
	{ "-0.5", "-0.5" },
	{ "1e-1", "0.10000000000000001" },
	{ "2.5", "2.5" },
	{ "1.00000000000000000001", "1" }, /* a double, since it is no whole number */
	{ "9223372036854775808", "9.2233720368547758e+18" },
	{ "-9223372036854775809", "-9.2233720368547758e+18" },
	{ "18446744073709551616", "1.8446744073709552e+19" },
	{ "1e19", "1e+19" },
	{ "1e20", "1e+20" },
	{ "1e308", "1e+308" },
	{ "1e309", "inf" },
	{ "-1e309", "-inf" },
	{ "1e99999999999999999999", "inf" },
	{ "1e-99999999999999999999", "0" },
	{ "5e-324", "4.9406564584124654e-324" },
	{ "2.2250738585072014e-308", "2.2250738585072014e-308" },
	{ "0.1e1000", "inf" },
	/* Texts. */
	{ "\"\\\"\\\\\\/\"", "'\"\\/'" },
	{ "\"\\b\\f\\n\\r\\t\"", "'\b\f\n\r\t'" },
	{ "\"a\\nb\"", "'a\nb'" },
	{ "\"\\u0041\"", "'A'" },
	{ "\"\\u00e4\"", "'\xc3\xa4'" },
	{ "\"\\u00E4\"", "'\xc3\xa4'" },
	{ "\"\\u07ff\\u0800\"", "'\xdf\xbf\xe0\xa0\x80'" },
	{ "\"\\u0080\\u007f\"", "'\xc2\x80\x7f'" },
	{ "\"\\ud7ff\\ue000\"", "'\xed\x9f\xbf\xee\x80\x80'" },
	{ "\"\\uffff\"", "'\xef\xbf\xbf'" },
	{ "\"\\ud83d\\ude00\"", "'\xf0\x9f\x98\x80'" },
	{ "\"\\uD800\\uDC00\"", "'\xf0\x90\x80\x80'" },
	{ "\"\\uDBFF\\uDFFF!\"", "'\xf4\x8f\xbf\xbf!'" },
	{ "\"x\\ud83d\\ude00y\\ud83d\\ude00\"", "'x\xf0\x9f\x98\x80y\xf0\x9f\x98\x80'" },
	{ "\"\xc3\xa4\"", "'\xc3\xa4'" },
	{ "\"\xf0\x9f\x98\x80\"", "'\xf0\x9f\x98\x80'" },
	{ "\"\\u0001\\u001f\"", "'\x01\x1f'" },
	{ "\"\x7f\"", "'\x7f'" },
	{ "\"'{}[],:\"", "''{}[],:'" },
	{ "\"\\\\u0041\"", "'\\u0041'" },
	{ "\"\\\\\"", "'\\'" },
	{ "{\"\\ud83d\\ude00\":[\"\\n\"]}", "{\xf0\x9f\x98\x80:['\n']}" },
};

static void documents_are_read_as_the_table_says(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char text[256] = "";
		sb_config_tree *tree = test_tree(&t, good[i].json);

		test_tree_write(tree, text, sizeof text);
		assert_string_equal(text, good[i].tree);
		sb_config_tree_free(tree);
	}
	test_host_end(&t);
}

typedef struct bad_row {
	const char *json;
	size_t len;
	const char *message;
} bad_row;

#define BAD(json, message)                      \
	{                                       \
		json, sizeof(json) - 1, message \
	}

static const bad_row bad[] = {
	BAD("", "line 1, column 1: expected a value, but the document ends"),
	BAD(" \n ", "line 2, column 2: expected a value, but the document ends"),
	BAD("{", "line 1, column 2: expected a key in double quotes or '}', but the document ends"),
	BAD("[", "line 1, column 2: expected a value, but the document ends"),
	BAD("}", "line 1, column 1: expected a value, but found '}'"),
	BAD("]", "line 1, column 1: expected a value, but found ']'"),
	BAD(",", "line 1, column 1: expected a value, but found ','"),
	BAD("[1", "line 1, column 3: expected ',' or ']', but the document ends"),
	BAD("[1}", "line 1, column 3: expected ',' or ']', but found '}'"),
	BAD("[1 2]", "line 1, column 4: expected ',' or ']', but found '2'"),
	BAD("[1,]", "line 1, column 4: expected a value, but found ']'"),
	BAD("[,1]", "line 1, column 2: expected a value, but found ','"),
	BAD("[1,,2]", "line 1, column 4: expected a value, but found ','"),
	BAD("[}", "line 1, column 2: expected a value, but found '}'"),
	BAD("[\"a\":1]", "line 1, column 5: expected ',' or ']', but found ':'"),
	BAD("{]", "line 1, column 2: expected a key in double quotes or '}', but found ']'"),
	BAD("{,}", "line 1, column 2: expected a key in double quotes or '}', but found ','"),
	BAD("{a:1}", "line 1, column 2: expected a key in double quotes or '}', but found 'a'"),
	BAD("{'a':1}", "line 1, column 2: expected a key in double quotes or '}', but found '''"),
	BAD("{1:1}", "line 1, column 2: expected a key in double quotes or '}', but found '1'"),
	BAD("{\"a\"}", "line 1, column 5: expected ':' after the key, but found '}'"),
	BAD("{\"a\" 1}", "line 1, column 6: expected ':' after the key, but found '1'"),
	BAD("{\"a\"", "line 1, column 5: expected ':' after the key, but the document ends"),
	BAD("{\"a\":", "line 1, column 6: expected a value, but the document ends"),
	BAD("{\"a\":}", "line 1, column 6: expected a value, but found '}'"),
	BAD("{\"a\":,}", "line 1, column 6: expected a value, but found ','"),
	BAD("{\"a\":1", "line 1, column 7: expected ',' or '}', but the document ends"),
	BAD("{\"a\":1]", "line 1, column 7: expected ',' or '}', but found ']'"),
	BAD("{\"a\":1 \"b\":2}", "line 1, column 8: expected ',' or '}', but found '\"'"),
	BAD("{\"a\":1,}",
	    "line 1, column 8: expected another key in double quotes behind ',', but found '}'"),
	BAD("{\"a\":1,,}",
	    "line 1, column 8: expected another key in double quotes behind ',', but found ','"),
	BAD("{\n\t\"a\": tru\n}", "line 2, column 7: expected a value, but found 'tru'"),
	BAD("{\"a\":\n\n  oops}", "line 3, column 3: expected a value, but found 'oops'"),
	BAD("{} {}", "line 1, column 4: expected the end of the document, but found '{'"),
	BAD("{}x", "line 1, column 3: expected the end of the document, but found 'x'"),
	BAD("1 2", "line 1, column 3: expected the end of the document, but found '2'"),
	BAD("null,", "line 1, column 5: expected the end of the document, but found ','"),
	BAD("[1]]", "line 1, column 4: expected the end of the document, but found ']'"),
	/* Words. */
	BAD("nul", "line 1, column 1: expected a value, but found 'nul'"),
	BAD("nulll", "line 1, column 1: expected a value, but found 'nulll'"),
	BAD("True", "line 1, column 1: expected a value, but found 'True'"),
	BAD("NaN", "line 1, column 1: expected a value, but found 'NaN'"),
	BAD("Infinity", "line 1, column 1: expected a value, but found 'Infinity'"),
	BAD("undefined", "line 1, column 1: expected a value, but found 'undefined'"),
	BAD("true1", "line 1, column 1: expected a value, but found 'true1'"),
	BAD("abcdefghijklmnopqrstuvwxyz",
	    "line 1, column 1: expected a value, but found 'abcdefghijklmnopqrst'"),
	/* Comments, and what other languages call space. */
	BAD("// no\n{}", "line 1, column 1: expected a value, but found '/'"),
	BAD("[1] // no", "line 1, column 5: expected the end of the document, but found '/'"),
	BAD("{} # no", "line 1, column 4: expected the end of the document, but found '#'"),
	BAD("\f{}", "line 1, column 1: expected a value, but found the byte 0x0c"),
	BAD("\v{}", "line 1, column 1: expected a value, but found the byte 0x0b"),
	BAD("\xc2\xa0{}", "line 1, column 1: expected a value, but found the byte 0xc2"),
	BAD("\x7f", "line 1, column 1: expected a value, but found the byte 0x7f"),
	BAD("\xef\xbb\xbf{}",
	    "line 1, column 1: found a byte order mark: write the document without one"),
	/* NUL, and what is not UTF-8. */
	BAD("\0",
	    "line 1, column 1: expected a value, but found a NUL or bytes that are not UTF-8"),
	BAD("{}\0",
	    "line 1, column 3: expected the end of the document, but found a NUL or bytes that are "
	    "not UTF-8"),
	BAD("\"a\0b\"", "line 1, column 3: found a NUL or bytes that are not UTF-8"),
	BAD("\"\xff\"", "line 1, column 2: found a NUL or bytes that are not UTF-8"),
	BAD("\"\xc3\"", "line 1, column 2: found a NUL or bytes that are not UTF-8"),
	BAD("\"\xc3\xa4\xc0\x80\"", "line 1, column 3: found a NUL or bytes that are not UTF-8"),
	BAD("\"\xed\xa0\x80\"", "line 1, column 2: found a NUL or bytes that are not UTF-8"),
	BAD("\"\xf4\x90\x80\x80\"", "line 1, column 2: found a NUL or bytes that are not UTF-8"),
	BAD("[1,\xff]",
	    "line 1, column 4: expected a value, but found a NUL or bytes that are not UTF-8"),
	BAD("[1,oops,\"\xff\"]", "line 1, column 4: expected a value, but found 'oops'"),
	BAD("{\"a\xff\":1}", "line 1, column 4: found a NUL or bytes that are not UTF-8"),
	/* Numbers. */
	BAD("-", "line 1, column 2: expected a digit, but the document ends"),
	BAD("-a", "line 1, column 2: expected a digit, but found 'a'"),
	BAD("--1", "line 1, column 2: expected a digit, but found '-'"),
	BAD("- 1", "line 1, column 2: expected a digit, but found the byte 0x20"),
	BAD("+1", "line 1, column 1: expected a value, but found '+'"),
	BAD("01", "line 1, column 1: a number cannot begin with 0"),
	BAD("[1,-01]", "line 1, column 5: a number cannot begin with 0"),
	BAD("00", "line 1, column 1: a number cannot begin with 0"),
	BAD("1.", "line 1, column 3: expected a digit behind the point, but the document ends"),
	BAD("[1.]", "line 1, column 4: expected a digit behind the point, but found ']'"),
	BAD("1.e5", "line 1, column 3: expected a digit behind the point, but found 'e5'"),
	BAD(".5", "line 1, column 1: expected a value, but found '.'"),
	BAD("1e", "line 1, column 3: expected a digit of the exponent, but the document ends"),
	BAD("1e+", "line 1, column 4: expected a digit of the exponent, but the document ends"),
	BAD("1e+-5", "line 1, column 4: expected a digit of the exponent, but found '-'"),
	BAD("1e5.5", "line 1, column 4: expected the end of the document, but found '.'"),
	BAD("0x10", "line 1, column 2: expected the end of the document, but found 'x10'"),
	BAD("1_000", "line 1, column 2: expected the end of the document, but found '_000'"),
	BAD("1,5", "line 1, column 2: expected the end of the document, but found ','"),
	BAD("1 .5", "line 1, column 3: expected the end of the document, but found '.'"),
	/* Texts. */
	BAD("\"", "line 1, column 1: the text that begins here has no closing quote"),
	BAD("\"a", "line 1, column 1: the text that begins here has no closing quote"),
	BAD("[\"a", "line 1, column 2: the text that begins here has no closing quote"),
	BAD("\"\\\"", "line 1, column 1: the text that begins here has no closing quote"),
	BAD("\"\\", "line 1, column 1: the text that begins here has no closing quote"),
	BAD("\"\\u", "line 1, column 2: expected four hexadecimal digits behind \\u"),
	BAD("\"\\u12\"", "line 1, column 2: expected four hexadecimal digits behind \\u"),
	BAD("\"\\u12x4\"", "line 1, column 2: expected four hexadecimal digits behind \\u"),
	BAD("\"\\u+123\"", "line 1, column 2: expected four hexadecimal digits behind \\u"),
	BAD("\"ab\\x41\"",
	    "line 1, column 4: no such escape: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX"),
	BAD("\"\\U0041\"",
	    "line 1, column 2: no such escape: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX"),
	BAD("\"\\'\"",
	    "line 1, column 2: no such escape: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX"),
	BAD("\"a\\u0000\"", "line 1, column 3: a text cannot hold \\u0000"),
	BAD("\"\\ud800\"", "line 1, column 2: half of a surrogate pair: a character beyond \\uFFFF "
			   "takes both halves"),
	BAD("\"\\udc00\"", "line 1, column 2: half of a surrogate pair: a character beyond \\uFFFF "
			   "takes both halves"),
	BAD("\"\\ud800x\"", "line 1, column 2: half of a surrogate pair: a character beyond "
			    "\\uFFFF takes both halves"),
	BAD("\"\\ud800\\u0041\"", "line 1, column 2: half of a surrogate pair: a character beyond "
				  "\\uFFFF takes both halves"),
	BAD("\"\\ud800\\ud800\"", "line 1, column 2: half of a surrogate pair: a character beyond "
				  "\\uFFFF takes both halves"),
	BAD("\"\\ud800\\\"", "line 1, column 2: half of a surrogate pair: a character beyond "
			     "\\uFFFF takes both halves"),
	BAD("\"a\nb\"", "line 1, column 3: a text cannot hold a control character: write it as an "
			"escape, a line "
			"break as \\n"),
	BAD("\"\t\"", "line 1, column 2: a text cannot hold a control character: write it as an "
		      "escape, a line "
		      "break as \\n"),
	BAD("'a'", "line 1, column 1: expected a value, but found '''"),
	BAD("a\"", "line 1, column 1: expected a value, but found 'a'"),
	BAD("\"a\"b\"", "line 1, column 4: expected the end of the document, but found 'b'"),
	/* Columns count characters. */
	BAD("[\"\xc3\xa4\xf0\x9f\x98\x80\" x]",
	    "line 1, column 7: expected ',' or ']', but found 'x'"),
	BAD("[1,\r\n 2,\r\n x]", "line 3, column 2: expected a value, but found 'x'"),
	/* Keys. */
	BAD("{\"a\":1,\"a\":2}",
	    "line 1, column 8: the key 'a' is given twice; first in line 1, column 2"),
	BAD("{\"a\":1,\n\"b\":2,\n\"\\u0061\":3}",
	    "line 3, column 1: the key 'a' is given twice; first in line 1, column 2"),
	BAD("{\"\":1,\"\":2}",
	    "line 1, column 7: the key '' is given twice; first in line 1, column 2"),
	BAD("[{\"z\":{\"b\":1,\"a\":1,\"b\":2,\"a\":2}}]",
	    "line 1, column 20: the key 'b' is given twice; first in line 1, column 8"),
	BAD("{\"a\":1,\"a\":2,\"a\":3}",
	    "line 1, column 8: the key 'a' is given twice; first in line 1, column 2"),
};

/* From a block of exactly its length, so that a sanitizer sees a byte too far. */
static stepbus_status read_exactly(test_host *t, const char *json, size_t len, sb_config_tree **out,
				   stepbus_error *err)
{
	char *copy = malloc(len > 0 ? len : 1);
	stepbus_status status;

	assert_non_null(copy);
	memcpy(copy, json, len);
	status = sb_json_read_tree(&t->host, sb_slice_of(copy, len), out, err);
	free(copy);
	return status;
}

static void faults_are_told_as_the_table_says(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		sb_config_tree *tree = NULL;

		if (read_exactly(&t, bad[i].json, bad[i].len, &tree, &err) != STEPBUS_EINVAL)
			fail_msg("'%s' should be refused", bad[i].json);
		assert_string_equal(err.message, bad[i].message);
		assert_int_equal(err.code, STEPBUS_EINVAL);
		assert_null(tree);
	}
	test_host_end(&t);
}

static void no_text_at_all_is_refused(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree = NULL;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(NULL, 0), &tree, &err),
			 STEPBUS_EINVAL);
	assert_string_equal(err.message,
			    "line 1, column 1: expected a value, but the document ends");
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(NULL, 1), &tree, &err),
			 STEPBUS_EINVAL);
	assert_string_equal(err.message, "the configuration is NULL but has a length of 1");
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(NULL, 1), &tree, NULL),
			 STEPBUS_EINVAL);
	test_host_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_read_as_the_table_says),
		cmocka_unit_test(faults_are_told_as_the_table_says),
		cmocka_unit_test(no_text_at_all_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
