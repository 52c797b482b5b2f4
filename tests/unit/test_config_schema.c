/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/tree.h"

typedef struct inner {
	int64_t base_ms;
	int32_t kind;
} inner;

typedef struct outer {
	bool is_on;
	int8_t tiny;
	uint16_t small;
	uint32_t number;
	int64_t large;
	sb_slice name;
	sb_slice word;
	int64_t at_us;
	uint8_t choice;
	uint32_t states;
	sb_slice raw;
	int64_t keep_ms;
	inner inside;
	sb_config_list names;
	sb_config_list parts;
	sb_config_list map;
} outer;

static const sb_config_choice kinds[] = { { "none", 1 }, { "fixed", 2 }, { "linear", 3 }, { 0 } };

static const sb_config_field inner_fields[] = {
	{ .name = "base_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 1000,
	  .initial = 50,
	  SB_CONFIG_MEMBER(inner, base_ms) },
	{ .name = "kind",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = kinds,
	  .initial = 3,
	  .flags = SB_CONFIG_REQUIRED,
	  SB_CONFIG_MEMBER(inner, kind) },
};
static const sb_config_table inner_table = { inner_fields, 2 };
static const sb_config_field name_element = {
	.kind = SB_CONFIG_TEXT, .min = 1, .max = 4, .width = sizeof(sb_slice)
};
static const sb_config_field part_element = { .kind = SB_CONFIG_OBJECT, .table = &inner_table };

static const sb_config_field fields[] = {
	{ .name = "on", .kind = SB_CONFIG_BOOLEAN, .initial = 1, SB_CONFIG_MEMBER(outer, is_on) },
	{ .name = "tiny",
	  .kind = SB_CONFIG_INTEGER,
	  .min = -100,
	  .max = 100,
	  .initial = -7,
	  SB_CONFIG_MEMBER(outer, tiny) },
	{ .name = "small",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 65535,
	  .initial = 8,
	  SB_CONFIG_MEMBER(outer, small) },
	{ .name = "number",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 10,
	  .max = UINT32_MAX,
	  .initial = 9,
	  .flags = SB_CONFIG_REQUIRED,
	  SB_CONFIG_MEMBER(outer, number) },
	{ .name = "large",
	  .kind = SB_CONFIG_INTEGER,
	  .min = INT64_MIN,
	  .max = INT64_MAX,
	  SB_CONFIG_MEMBER(outer, large) },
	{ .name = "name",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = 8,
	  .initial_text = "default",
	  SB_CONFIG_MEMBER(outer, name) },
	{ .name = "word",
	  .kind = SB_CONFIG_TEXT,
	  .max = 8,
	  .signs = "_.-",
	  SB_CONFIG_MEMBER(outer, word) },
	{ .name = "at",
	  .kind = SB_CONFIG_TIME,
	  .max = INT64_C(253402300799999999),
	  .initial = 5,
	  SB_CONFIG_MEMBER(outer, at_us) },
	{ .name = "choice",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = kinds,
	  .initial = 2,
	  SB_CONFIG_MEMBER(outer, choice) },
	{ .name = "states",
	  .kind = SB_CONFIG_CHOICES,
	  .choices = kinds,
	  SB_CONFIG_MEMBER(outer, states) },
	{ .name = "raw",
	  .kind = SB_CONFIG_RAW,
	  .max = 20,
	  .initial_text = "{}",
	  SB_CONFIG_MEMBER(outer, raw) },
	{ .name = "keep_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = -1,
	  .max = 100,
	  .initial = 3,
	  .null = -1,
	  .flags = SB_CONFIG_NULLABLE,
	  SB_CONFIG_MEMBER(outer, keep_ms) },
	{ .name = "inside",
	  .kind = SB_CONFIG_OBJECT,
	  .table = &inner_table,
	  SB_CONFIG_MEMBER(outer, inside) },
	{ .name = "names",
	  .kind = SB_CONFIG_LIST,
	  .max = 3,
	  .element = &name_element,
	  SB_CONFIG_MEMBER(outer, names) },
	{ .name = "parts",
	  .kind = SB_CONFIG_LIST,
	  .max = 3,
	  .element = &part_element,
	  SB_CONFIG_MEMBER(outer, parts) },
	{ .name = "map",
	  .kind = SB_CONFIG_MAP,
	  .max = 2,
	  .element = &part_element,
	  SB_CONFIG_MEMBER(outer, map) },
};
static const sb_config_table table = { fields, sizeof fields / sizeof *fields };

static stepbus_status apply(test_host *t, const char *json, outer *out, sb_config_tree **tree,
			    stepbus_error *err)
{
	*tree = test_tree(t, json);
	return sb_config_apply(&table, sb_config_tree_root(*tree), out, err);
}

static bool is_text(sb_slice text, const char *wanted)
{
	return sb_slice_is_equal(text, sb_slice_z(wanted));
}

static void what_is_not_given_has_its_default(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree;
	outer out;
	test_host t;

	(void)state;
	memset(&out, 0xA5, sizeof out);
	test_host_init(&t);
	assert_int_equal(apply(&t, "{\"number\":10}", &out, &tree, &err), STEPBUS_OK);
	assert_true(out.is_on);
	assert_int_equal(out.tiny, -7);
	assert_int_equal(out.small, 8);
	assert_int_equal(out.number, 10);
	assert_int_equal(out.large, 0);
	assert_true(is_text(out.name, "default"));
	assert_int_equal(out.word.len, 0);
	assert_int_equal(out.at_us, 5);
	assert_int_equal(out.choice, 2);
	assert_int_equal(out.states, 0);
	assert_true(is_text(out.raw, "{}"));
	assert_int_equal(out.keep_ms, 3);
	assert_int_equal(out.inside.base_ms, 50);
	assert_int_equal(out.inside.kind, 3);
	assert_null(out.names.first);
	assert_int_equal(out.names.count, 0);
	assert_int_equal(out.parts.count, 0);
	assert_null(out.map.first);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void what_is_given_is_filled_in(void **state)
{
	static const char json[] =
		"{\"map\":{\"a b\":{\"kind\":\"fixed\"}},\"parts\":[{\"kind\":\"none\"},"
		"{\"base_ms\":7,\"kind\":\"linear\"}],\"names\":[\"a\",\"bcde\"],"
		"\"inside\":{\"kind\":\"none\",\"base_ms\":1},\"keep_ms\":null,"
		"\"raw\":{ \"x\":[1, 2]},\"states\":[\"none\",\"linear\",\"none\"],"
		"\"choice\":\"fixed\",\"at\":\"1970-01-01T00:00:01Z\",\"word\":\"a-Z.9_\","
		"\"name\":\"\xc3\xa4 b\",\"large\":-9223372036854775808,\"number\":4294967295,"
		"\"small\":65535,\"tiny\":-100,\"on\":false}";
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree;
	outer out;
	inner part;
	test_host t;

	(void)state;
	memset(&out, 0xA5, sizeof out);
	test_host_init(&t);
	if (apply(&t, json, &out, &tree, &err) != STEPBUS_OK)
		fail_msg("%s", err.message);
	assert_false(out.is_on);
	assert_int_equal(out.tiny, -100);
	assert_int_equal(out.small, 65535);
	assert_int_equal(out.number, UINT32_MAX);
	assert_true(out.large == INT64_MIN);
	assert_true(is_text(out.name, "\xc3\xa4 b"));
	assert_true(is_text(out.word, "a-Z.9_"));
	assert_int_equal(out.at_us, 1000000);
	assert_int_equal(out.choice, 2);
	assert_int_equal(out.states, 1 << 1 | 1 << 3);
	assert_true(is_text(out.raw, "{ \"x\":[1, 2]}"));
	assert_int_equal(out.keep_ms, -1);
	assert_int_equal(out.inside.base_ms, 1);
	assert_int_equal(out.inside.kind, 1);
	assert_int_equal(out.names.count, 2);
	assert_true(is_text(out.names.first->value.text, "a"));
	assert_true(is_text(out.names.first->next->value.text, "bcde"));
	assert_int_equal(out.parts.count, 2);
	assert_int_equal(sb_config_apply(&inner_table, out.parts.first->next, &part, &err), 0);
	assert_int_equal(part.base_ms, 7);
	assert_int_equal(part.kind, 3);
	assert_int_equal(out.map.count, 1);
	assert_true(is_text(out.map.first->key, "a b"));
	assert_int_equal(sb_config_apply(&inner_table, out.map.first, &part, &err), 0);
	assert_int_equal(part.base_ms, 50);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

typedef struct bad_row {
	const char *json;
	const char *message;
} bad_row;

static const bad_row bad[] = {
	{ "[]", "line 1, column 1: the configuration is an array: it must be an object" },
	{ " 5", "line 1, column 2: the configuration is 5: it must be an object" },
	{ "{}", "line 1, column 1: the key number is missing: it must be a whole number from 10 to "
		"4294967295" },
	{ "{\"number\":9}",
	  "line 1, column 11: number is 9: it must be a whole number from 10 to 4294967295" },
	{ "{\"number\":4294967296}", "line 1, column 11: number is 4294967296: it must be a whole "
				     "number from 10 to 4294967295" },
	{ "{\"number\":10.5}",
	  "line 1, column 11: number is 10.5: it must be a whole number from 10 to 4294967295" },
	{ "{\"number\":1e400}",
	  "line 1, column 11: number is 1e400: it must be a whole number from 10 to 4294967295" },
	{ "{\"number\":99999999999999999999999}",
	  "line 1, column 11: number is 99999999999999999999999: it must be a whole number from 10 "
	  "to "
	  "4294967295" },
	{ "{\"number\":\"30\"}",
	  "line 1, column 11: number is \"30\": it must be a whole number from 10 to 4294967295" },
	{ "{\"number\":null}",
	  "line 1, column 11: number is null: it must be a whole number from 10 to 4294967295" },
	{ "{\"number\":[10]}", "line 1, column 11: number is an array: it must be a whole number "
			       "from 10 to 4294967295" },
	{ "{\"number\":10,\n \"on\":1}", "line 2, column 7: on is 1: it must be true or false" },
	{ "{\"number\":10,\"on\":\"true\"}",
	  "line 1, column 19: on is \"true\": it must be true or false" },
	{ "{\"number\":10,\"tiny\":-101}",
	  "line 1, column 21: tiny is -101: it must be a whole number from -100 to 100" },
	{ "{\"number\":10,\"name\":\"\"}",
	  "line 1, column 21: name is \"\": it must be a text of 1 to 8 bytes" },
	{ "{\"number\":10,\"name\":\"123456789\"}",
	  "line 1, column 21: name is \"123456789\": it must be a text of 1 to 8 bytes" },
	{ "{\"number\":10,\"name\":true}",
	  "line 1, column 21: name is true: it must be a text of 1 to 8 bytes" },
	{ "{\"number\":10,\"word\":\"a b\"}",
	  "line 1, column 21: word is \"a b\": it must be a text of 0 to 8 of [A-Za-z0-9_.-]" },
	{ "{\"number\":10,\"word\":\"\xc3\xa4\"}",
	  "line 1, column 21: word is \"?\?\": it must be a text of 0 to 8 of [A-Za-z0-9_.-]" },
	{ "{\"number\":10,\"at\":-1}", "line 1, column 19: at is -1: it must be a time such as "
				       "2026-11-21T10:30:45Z, or from 0 to "
				       "253402300799999999 microseconds since 1970" },
	{ "{\"number\":10,\"at\":\"today\"}", "line 1, column 19: at is \"today\": it must be a "
					      "time such as 2026-11-21T10:30:45Z, or from "
					      "0 to 253402300799999999 microseconds since 1970" },
	{ "{\"number\":10,\"choice\":\"Fixed\"}",
	  "line 1, column 23: choice is \"Fixed\": it must be one of none, fixed, linear" },
	{ "{\"number\":10,\"choice\":2}",
	  "line 1, column 23: choice is 2: it must be one of none, fixed, linear" },
	{ "{\"number\":10,\"choice\":[\"none\"]}",
	  "line 1, column 23: choice is an array: it must be one of none, fixed, linear" },
	{ "{\"number\":10,\"states\":[]}", "line 1, column 23: states is an array: it must be one "
					   "or an array of none, fixed, linear" },
	{ "{\"number\":10,\"states\":[\"none\",\"some\"]}",
	  "line 1, column 23: states is an array: it must be one or an array of none, fixed, "
	  "linear" },
	{ "{\"number\":10,\"states\":\"some\"}", "line 1, column 23: states is \"some\": it must "
						 "be one or an array of none, fixed, linear" },
	{ "{\"number\":10,\"raw\":\"123456789012345678901\"}",
	  "line 1, column 20: raw is \"123456789012345678901\": it must be any value of 0 to 20 "
	  "bytes" },
	{ "{\"number\":10,\"keep_ms\":-2}",
	  "line 1, column 24: keep_ms is -2: it must be a whole number from -1 to 100, or null" },
	{ "{\"number\":10,\"inside\":[]}",
	  "line 1, column 23: inside is an array: it must be an object" },
	{ "{\"number\":10,\"inside\":null}",
	  "line 1, column 23: inside is null: it must be an object" },
	{ "{\"number\":10,\"inside\":{}}", "line 1, column 23: the key inside.kind is missing: it "
					   "must be one of none, fixed, linear" },
	{ "{\"number\":10,\"inside\":{\"kind\":\"none\",\"base_ms\":0}}",
	  "line 1, column 48: inside.base_ms is 0: it must be a whole number from 1 to 1000" },
	{ "{\"number\":10,\"names\":{}}",
	  "line 1, column 22: names is an object: it must be an array of 0 to 3 elements" },
	{ "{\"number\":10,\"names\":[\"a\",\"b\",\"c\",\"d\"]}",
	  "line 1, column 22: names is an array: it must be an array of 0 to 3 elements" },
	{ "{\"number\":10,\"names\":[\"a\",\"abcde\"]}",
	  "line 1, column 27: names[1] is \"abcde\": it must be a text of 1 to 4 bytes" },
	{ "{\"number\":10,\"parts\":[{\"kind\":\"none\"},5]}",
	  "line 1, column 39: parts[1] is 5: it must be an object" },
	{ "{\"number\":10,\"parts\":[{\"kind\":\"none\"},{}]}",
	  "line 1, column 39: the key parts[1].kind is missing: it must be one of none, fixed, "
	  "linear" },
	{ "{\"number\":10,\"map\":{\"x\":{\"kind\":\"none\"},\"y z\":{\"kind\":\"no\"}}}",
	  "line 1, column 55: map.y z.kind is \"no\": it must be one of none, fixed, linear" },
	{ "{\"number\":10,\"map\":{\"a\":1,\"b\":1,\"c\":1}}",
	  "line 1, column 20: map is an object: it must be an object of 0 to 2 members" },
};

static void faults_are_told_as_the_table_says(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		unsigned char before[sizeof(outer)];
		sb_config_tree *tree;
		outer out;

		memset(&out, 0xA5, sizeof out);
		memset(before, 0xA5, sizeof before);
		if (apply(&t, bad[i].json, &out, &tree, &err) != STEPBUS_EINVAL)
			fail_msg("%s should be refused", bad[i].json);
		assert_string_equal(err.message, bad[i].message);
		assert_memory_equal(&out, before, sizeof out);
		sb_config_tree_free(tree);
	}
	test_host_end(&t);
}

static void expect_unknown(const char *json, const char *start)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree;
	outer out;
	test_host t;

	test_host_init(&t);
	assert_int_equal(apply(&t, json, &out, &tree, &err), STEPBUS_EINVAL);
	if (strncmp(err.message, start, strlen(start)) != 0)
		fail_msg("%s", err.message);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void a_key_that_does_not_exist_is_told_with_those_that_do(void **state)
{
	(void)state;
	expect_unknown(
		"{\"number\":10,\n \"keepms\":1}",
		"line 2, column 2: there is no key keepms (did you mean keep_ms?); the keys "
		"here are on, tiny, small, number, large, name, word, at, choice, states, raw, "
		"keep_ms, inside, names, parts, map");
	expect_unknown(
		"{\"number\":10,\"completely_else\":1}",
		"line 1, column 14: there is no key completely_else; the keys here are on, ");
	expect_unknown(
		"{\"number\":10,\"parts\":[{\"kind\":\"none\",\"bsae_ms\":1}]}",
		"line 1, column 38: there is no key parts[0].bsae_ms (did you mean base_ms?); "
		"the keys here are base_ms, kind");
	expect_unknown("{\"number\":10,\"\":1}", "line 1, column 14: there is no key ");
	expect_unknown("{\"numb\\ner\":10}",
		       "line 1, column 2: there is no key numb?er (did you mean "
		       "number?); the keys here are on, ");
}

static void of_several_faults_the_first_is_told_and_the_others_counted(void **state)
{
	static const bad_row rows[] = {
		{ "{\"number\":1,\"on\":2}",
		  "line 1, column 11: number is 1: it must be a whole number from 10 to 4294967295 "
		  "(and 1 more)" },
		{ "{\"on\":2,\"number\":1,\"parts\":[1,2,{}]}",
		  "line 1, column 7: on is 2: it must be true or false (and 4 more)" },
		/* What is missing is found missing at the end. */
		{ "{\"on\":2}",
		  "line 1, column 7: on is 2: it must be true or false (and 1 more)" },
		{ "{\"inside\":{},\"on\":2}", "line 1, column 11: the key inside.kind is missing: "
					      "it must be one of none, fixed, "
					      "linear (and 2 more)" },
	};
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		sb_config_tree *tree;
		outer out;

		assert_int_equal(apply(&t, rows[i].json, &out, &tree, &err), STEPBUS_EINVAL);
		assert_string_equal(err.message, rows[i].message);
		assert_int_equal(sb_config_apply(&table, sb_config_tree_root(tree), &out, NULL),
				 STEPBUS_EINVAL);
		sb_config_tree_free(tree);
	}
	test_host_end(&t);
}

static void long_and_hostile_keys_fit_into_a_message(void **state)
{
	char json[3000] = "{\"number\":10,\"map\":{\"";
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree;
	outer out;
	test_host t;

	(void)state;
	memset(json + strlen(json), '%', 2000);
	strcat(json, "\":{\"");
	memset(json + strlen(json), 'x', 500);
	strcat(json, "\":1}}}");
	test_host_init(&t);
	assert_int_equal(apply(&t, json, &out, &tree, &err), STEPBUS_EINVAL);
	assert_non_null(strstr(err.message, "%%%..."));
	assert_non_null(strstr(err.message, "; the keys here are base_ms, kind (and 1 more)"));
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void every_choice_of_every_width_keeps_its_neighbours(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree;
	outer out = { 0 };
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(apply(&t, "{\"number\":10,\"tiny\":-1,\"small\":1,\"choice\":\"linear\"}",
			       &out, &tree, &err),
			 STEPBUS_OK);
	assert_int_equal(out.tiny, -1);
	assert_int_equal(out.small, 1);
	assert_int_equal(out.number, 10);
	assert_int_equal(out.choice, 3);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(what_is_given_is_filled_in),
		cmocka_unit_test(faults_are_told_as_the_table_says),
		cmocka_unit_test(a_key_that_does_not_exist_is_told_with_those_that_do),
		cmocka_unit_test(of_several_faults_the_first_is_told_and_the_others_counted),
		cmocka_unit_test(long_and_hostile_keys_fit_into_a_message),
		cmocka_unit_test(every_choice_of_every_width_keeps_its_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
