/* SPDX-License-Identifier: MIT */
#include "registry/definition.h"

#include <stdio.h>

#include "support/cmocka.h"
#include "support/spec.h"

enum { LONG_LEN = 2 * 1024 * 1024 };

/* 'a' LONG_LEN times: texts of any length are cut from it. */
static char long_text[LONG_LEN];
/* 65 words of one letter, joined by commas. */
static char many_words[130];
/* A JSON object of LONG_LEN bytes, most of them spaces. */
static char long_object[LONG_LEN];

static int fill_texts(void **state)
{
	(void)state;
	memset(long_text, 'a', sizeof long_text);
	for (size_t i = 0; i < sizeof many_words; i++)
		many_words[i] = i % 2 == 0 ? 'w' : ',';
	memset(long_object, ' ', sizeof long_object);
	long_object[0] = '{';
	long_object[1] = '}';
	return 0;
}

/* Where a text stands in the struct, and the word by which a message names it. */
typedef struct field {
	size_t pointer_offset;
	size_t len_offset;
	const char *word;
} field;

#define FIELD(name, word)                                                                         \
	{                                                                                         \
		offsetof(stepbus_handler_spec, name), offsetof(stepbus_handler_spec, name##_len), \
			word                                                                      \
	}

static const field name_field = FIELD(name, "name");
static const field namespace_field = FIELD(handler_namespace, "namespace");
static const field version_field = FIELD(version, "version");
static const field domain_field = FIELD(domain, "domain");
static const field description_field = FIELD(description, "description");
static const field capabilities_field = FIELD(capabilities, "capabilities");
static const field schema_field = FIELD(config_schema, "config_schema");
static const field queues_field = FIELD(permitted_queues, "permitted_queues");
static const field callers_field = FIELD(permitted_callers, "permitted_callers");

typedef struct text_row {
	const field *field;
	const char *text;
	size_t len;
	bool is_allowed;
} text_row;

#define TEXT(field, literal, is_allowed)                        \
	{                                                       \
		field, literal, sizeof(literal) - 1, is_allowed \
	}
#define CUT(field, text, len, is_allowed)    \
	{                                    \
		field, text, len, is_allowed \
	}

static void expect(const stepbus_handler_spec *spec, bool is_allowed, const char *word,
		   const char *what)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status = sb_definition_check(spec, &err);

	if (is_allowed && status != STEPBUS_OK)
		fail_msg("%s should be allowed: %s", what, err.message);
	if (!is_allowed && status != STEPBUS_EINVAL)
		fail_msg("%s should be refused", what);
	if (!is_allowed && strstr(err.message, word) == NULL)
		fail_msg("%s: the message should name '%s': %s", what, word, err.message);
}

static void check_texts(const text_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const field *f = rows[i].field;
		stepbus_handler_spec spec = test_spec("mail", NULL);
		char what[128];

		memcpy((char *)&spec + f->pointer_offset, &rows[i].text, sizeof rows[i].text);
		memcpy((char *)&spec + f->len_offset, &rows[i].len, sizeof rows[i].len);
		snprintf(what, sizeof what, "%s '%.*s' of %zu bytes", f->word,
			 rows[i].text != NULL && rows[i].len < 40 ? (int)rows[i].len : 0,
			 rows[i].text != NULL ? rows[i].text : "", rows[i].len);
		expect(&spec, rows[i].is_allowed, f->word, what);
	}
}

#define CHECK_TEXTS(rows) check_texts(rows, sizeof(rows) / sizeof *(rows))

static void a_name_is_checked(void **state)
{
	static const text_row rows[] = {
		TEXT(&name_field, "a", true),
		TEXT(&name_field, "AZaz09_.:/-", true),
		TEXT(&name_field, "..", true),
		CUT(&name_field, long_text, 128, true),
		CUT(&name_field, long_text, 129, false),
		CUT(&name_field, long_text, LONG_LEN, false),
		CUT(&name_field, NULL, 0, false),
		CUT(&name_field, NULL, 4, false),
		TEXT(&name_field, "", false),
		TEXT(&name_field, "a b", false),
		TEXT(&name_field, "a,b", false),
		TEXT(&name_field, "a\0b", false),
		TEXT(&name_field, "\0", false),
		TEXT(&name_field, "a\n", false),
		TEXT(&name_field, "a\xff", false),
		TEXT(&name_field, "\xc3\xa4", false),
	};

	(void)state;
	CHECK_TEXTS(rows);
}

static void a_namespace_and_a_domain_are_names_that_may_be_left_out(void **state)
{
	static const field *const fields[] = { &namespace_field, &domain_field };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const text_row rows[] = {
			CUT(fields[i], NULL, 0, true),         TEXT(fields[i], "", true),
			TEXT(fields[i], "billing", true),      CUT(fields[i], long_text, 128, true),
			CUT(fields[i], long_text, 129, false), CUT(fields[i], NULL, 7, false),
			TEXT(fields[i], "a b", false),         TEXT(fields[i], "a\0b", false),
			TEXT(fields[i], "\xff", false),
		};

		CHECK_TEXTS(rows);
	}
}

static void a_version_is_checked(void **state)
{
	static const text_row rows[] = {
		CUT(&version_field, NULL, 0, true),
		TEXT(&version_field, "", true),
		TEXT(&version_field, "1.0.0", true),
		TEXT(&version_field, "v2", true),
		TEXT(&version_field, "2.1.0-rc.1+build_5", true),
		CUT(&version_field, long_text, 64, true),
		CUT(&version_field, long_text, 65, false),
		CUT(&version_field, NULL, 5, false),
		TEXT(&version_field, "1/2", false),
		TEXT(&version_field, "1:2", false),
		TEXT(&version_field, "1 2", false),
		TEXT(&version_field, "1\0", false),
		TEXT(&version_field, "\xff", false),
	};

	(void)state;
	CHECK_TEXTS(rows);
}

static void a_description_is_utf8_of_up_to_4096_bytes(void **state)
{
	static const text_row rows[] = {
		CUT(&description_field, NULL, 0, true),
		TEXT(&description_field, "sends \xc3\xa4 mail,\nand more", true),
		CUT(&description_field, long_text, 4096, true),
		CUT(&description_field, long_text, 4097, false),
		CUT(&description_field, NULL, 1, false),
		TEXT(&description_field, "a\0b", false),
		TEXT(&description_field, "a\xff", false),
		TEXT(&description_field, "\xed\xa0\x80", false),
	};

	(void)state;
	CHECK_TEXTS(rows);
}

static void lists_of_words_are_checked(void **state)
{
	static const field *const fields[] = { &capabilities_field, &queues_field, &callers_field };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const text_row rows[] = {
			CUT(fields[i], NULL, 0, true),
			TEXT(fields[i], "", true),
			TEXT(fields[i], "process", true),
			TEXT(fields[i], "process, http ,  api", true),
			CUT(fields[i], long_text, 128, true),
			CUT(fields[i], many_words, 127, true),
			CUT(fields[i], many_words, 129, false),
			CUT(fields[i], many_words, 128, false),
			CUT(fields[i], long_text, 129, false),
			CUT(fields[i], long_text, 8193, false),
			CUT(fields[i], NULL, 3, false),
			TEXT(fields[i], ",", false),
			TEXT(fields[i], " ", false),
			TEXT(fields[i], ",a", false),
			TEXT(fields[i], "a,", false),
			TEXT(fields[i], "a, ", false),
			TEXT(fields[i], "a,,b", false),
			TEXT(fields[i], "a b", false),
			TEXT(fields[i], "a\0b", false),
			TEXT(fields[i], "a,\xff", false),
		};

		CHECK_TEXTS(rows);
	}
}

static void a_config_schema_is_a_json_object_of_up_to_a_mebibyte(void **state)
{
	static const text_row rows[] = {
		CUT(&schema_field, NULL, 0, true),
		TEXT(&schema_field, "", true),
		TEXT(&schema_field, "{}", true),
		TEXT(&schema_field, " {\"type\":\"object\"}\n", true),
		CUT(&schema_field, long_object, 1024 * 1024, true),
		CUT(&schema_field, long_object, 1024 * 1024 + 1, false),
		CUT(&schema_field, NULL, 2, false),
		TEXT(&schema_field, "[]", false),
		TEXT(&schema_field, "true", false),
		TEXT(&schema_field, "{", false),
		TEXT(&schema_field, "{} {}", false),
		TEXT(&schema_field, "{\"a\":\"\xff\"}", false),
		TEXT(&schema_field, "{}\0", false),
		TEXT(&schema_field, " ", false),
	};

	(void)state;
	CHECK_TEXTS(rows);
}

/* A number, and the greatest that is allowed. */
typedef struct number_row {
	size_t offset;
	size_t width;
	int64_t value_max;
	const char *word;
} number_row;

#define NUMBER(name, value_max)                                                                  \
	{                                                                                        \
		offsetof(stepbus_handler_spec, name), sizeof(((stepbus_handler_spec *)0)->name), \
			value_max, #name                                                         \
	}

enum { DAY_MS = 24 * 3600 * 1000 };

static const number_row numbers[] = {
	NUMBER(wait_timeout_ms, INT64_C(3660) * DAY_MS),
	NUMBER(attempt_timeout_ms, INT64_C(3660) * DAY_MS),
	NUMBER(total_timeout_ms, INT64_C(3660) * DAY_MS),
	NUMBER(retry_base_ms, INT64_C(3660) * DAY_MS),
	NUMBER(retry_cap_ms, INT64_C(3660) * DAY_MS),
	NUMBER(retry_kind, STEPBUS_RETRY_FIBONACCI),
	NUMBER(attempt_count_max, 1000000),
	NUMBER(jitter_percent, 100),
	NUMBER(concurrency_max, 1000000),
	NUMBER(rate_per_minute, UINT32_MAX),
};

static void try_number(const number_row *row, int64_t value, bool is_allowed)
{
	stepbus_handler_spec spec = test_spec("mail", NULL);
	uint32_t narrow = (uint32_t)value;
	char what[96];

	if (row->width == sizeof narrow)
		memcpy((char *)&spec + row->offset, &narrow, sizeof narrow);
	else
		memcpy((char *)&spec + row->offset, &value, sizeof value);
	snprintf(what, sizeof what, "%s %lld", row->word, (long long)value);
	expect(&spec, is_allowed, row->word, what);
}

static void numbers_are_checked_at_their_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		const number_row *row = &numbers[i];

		try_number(row, 0, true);
		try_number(row, 1, true);
		try_number(row, row->value_max, true);
		if (row->value_max < UINT32_MAX || row->width > sizeof(uint32_t))
			try_number(row, row->value_max + 1, false);
		if (row->width > sizeof(uint32_t)) {
			try_number(row, -1, false);
			try_number(row, INT64_MIN, false);
			try_number(row, INT64_MAX, false);
		}
	}
}

static int32_t create(void *user_data, void **instance, stepbus_error *err)
{
	(void)err;
	*instance = user_data;
	return 0;
}

static void discard(void *user_data, void *instance)
{
	(void)user_data;
	(void)instance;
}

static void functions_must_fit_each_other(void **state)
{
	stepbus_handler_spec none = test_spec("mail", NULL);
	stepbus_handler_spec discarding = test_spec("mail", NULL);
	stepbus_handler_spec creating = test_spec("mail", NULL);
	stepbus_handler_spec scoped = test_spec("mail", NULL);

	(void)state;
	none.call = NULL;
	discarding.discard = discard;
	creating.create = create;
	scoped.instance_scope = STEPBUS_SCOPE_WORKER;
	expect(&none, false, "call", "a handler without call");
	expect(&discarding, false, "create", "a discard without a create");
	expect(&creating, true, "", "a create without a discard");
	expect(&scoped, false, "instance_scope", "a scope without a create");
	creating.discard = discard;
	creating.instance_scope = STEPBUS_SCOPE_WORKER;
	expect(&creating, true, "", "a whole factory");
	creating.instance_scope = STEPBUS_SCOPE_WORKER + 1;
	expect(&creating, false, "instance_scope", "a scope that nobody knows");
}

static void flags_that_nobody_knows_are_refused(void **state)
{
	const uint32_t known = STEPBUS_HANDLER_OVERRIDE | STEPBUS_HANDLER_DEFAULT |
			       STEPBUS_HANDLER_VERSION_FROM_INPUT | STEPBUS_HANDLER_PULLED;

	(void)state;
	for (uint32_t bit = 0; bit < 32; bit++) {
		stepbus_handler_spec spec = test_spec("mail", NULL);

		spec.flags = UINT32_C(1) << bit;
		if (spec.flags == STEPBUS_HANDLER_PULLED)
			spec.call = NULL;
		expect(&spec, (spec.flags & known) != 0, "flags", "a flag");
	}
}

static int32_t make_nothing(void *user_data, void **instance, stepbus_error *err)
{
	(void)user_data;
	(void)err;
	*instance = NULL;
	return 0;
}

static void discard_nothing(void *user_data, void *instance)
{
	(void)user_data;
	(void)instance;
}

static void a_pulled_handler_has_nothing_that_the_library_would_call(void **state)
{
	stepbus_handler_spec good = test_spec("mail", NULL), spec;

	(void)state;
	good.flags = STEPBUS_HANDLER_PULLED;
	expect(&good, false, "has call", "a call");
	good.call = NULL;
	expect(&good, true, "", "a pulled handler");
	spec = good;
	spec.create = make_nothing;
	expect(&spec, false, "create", "a factory");
	spec = good;
	spec.discard = discard_nothing;
	expect(&spec, false, "discard", "half a factory");
	spec = good;
	spec.instance_scope = STEPBUS_SCOPE_WORKER;
	expect(&spec, false, "instance_scope", "a scope");
	spec = good;
	spec.flags = 0;
	expect(&spec, false, "no call", "a handler that nobody runs");
}

static void what_was_not_said_is_filled_in(void **state)
{
	stepbus_handler_spec spec = test_spec("mail", NULL);

	(void)state;
	sb_definition_fill(&spec);
	assert_string_equal(spec.handler_namespace, "default");
	assert_int_equal(spec.handler_namespace_len, 7);
	assert_string_equal(spec.version, "0.1.0");
	assert_int_equal(spec.version_len, 5);
	assert_string_equal(spec.capabilities, "process");
	assert_int_equal(spec.capabilities_len, 7);
	assert_null(spec.domain);
	assert_int_equal(spec.domain_len, 0);
}

static void what_was_said_is_kept(void **state)
{
	stepbus_handler_spec spec = test_spec("mail", "v2");

	(void)state;
	spec.handler_namespace = "billing";
	spec.handler_namespace_len = 7;
	spec.capabilities = "http";
	spec.capabilities_len = 4;
	sb_definition_fill(&spec);
	assert_string_equal(spec.handler_namespace, "billing");
	assert_string_equal(spec.version, "v2");
	assert_string_equal(spec.capabilities, "http");
}

static void a_key_is_read_with_its_namespace_filled_in(void **state)
{
	const stepbus_handler_key key = test_key("mail", "v2");
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_handler_name name;

	(void)state;
	assert_int_equal(sb_definition_read_key(&key, &name, &err), STEPBUS_OK);
	assert_true(sb_slice_is_equal(name.name, sb_slice_z("mail")));
	assert_true(sb_slice_is_equal(name.handler_namespace, sb_slice_z("default")));
	assert_true(sb_slice_is_equal(name.version, sb_slice_z("v2")));
}

static void a_key_that_cannot_be_looked_up_is_refused(void **state)
{
	stepbus_handler_key keys[6];

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		keys[i] = test_key("mail", NULL);
	keys[0].name = NULL;
	keys[1].name_len = 0;
	keys[2].name = long_text;
	keys[2].name_len = LONG_LEN;
	keys[3].handler_namespace_len = 3;
	keys[4].version_len = 3;
	keys[5].version = long_text;
	keys[5].version_len = 65;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		sb_handler_name name;

		assert_int_equal(sb_definition_read_key(&keys[i], &name, &err), STEPBUS_EINVAL);
		assert_string_not_equal(err.message, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_checked),
		cmocka_unit_test(a_namespace_and_a_domain_are_names_that_may_be_left_out),
		cmocka_unit_test(a_version_is_checked),
		cmocka_unit_test(a_description_is_utf8_of_up_to_4096_bytes),
		cmocka_unit_test(lists_of_words_are_checked),
		cmocka_unit_test(a_config_schema_is_a_json_object_of_up_to_a_mebibyte),
		cmocka_unit_test(numbers_are_checked_at_their_limits),
		cmocka_unit_test(functions_must_fit_each_other),
		cmocka_unit_test(flags_that_nobody_knows_are_refused),
		cmocka_unit_test(a_pulled_handler_has_nothing_that_the_library_would_call),
		cmocka_unit_test(what_was_not_said_is_filled_in),
		cmocka_unit_test(what_was_said_is_kept),
		cmocka_unit_test(a_key_is_read_with_its_namespace_filled_in),
		cmocka_unit_test(a_key_that_cannot_be_looked_up_is_refused),
	};

	return cmocka_run_group_tests(tests, fill_texts, NULL);
}
