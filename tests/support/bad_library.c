/* SPDX-License-Identifier: MIT */
/* Bad input for the functions about the library itself. */
#include <string.h>

#include "support/bad_input.h"

static void status_name(test_bad *b)
{
	static const int32_t unknown[] = { -1, INT32_MIN, INT32_MAX, STEPBUS_ECANCELLED + 1, 1000 };

	(void)b;
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		assert_string_equal(stepbus_status_name(unknown[i]), "STEPBUS_EUNKNOWN");
	for (int32_t code = 0; code <= STEPBUS_ECANCELLED; code++) {
		assert_string_not_equal(stepbus_status_name(code), "STEPBUS_EUNKNOWN");
		assert_memory_equal(stepbus_status_name(code), "STEPBUS_", 8);
	}
}

/* These two take nothing that could be bad. */
static void version(test_bad *b)
{
	(void)b;
	assert_string_equal(stepbus_version(), STEPBUS_VERSION);
}

static void abi_version(test_bad *b)
{
	(void)b;
	assert_int_equal(stepbus_abi_version(), STEPBUS_ABI_VERSION);
}

static void text_data(test_bad *b)
{
	(void)b;
	assert_string_equal(stepbus_text_data(NULL), "");
}

static void text_len(test_bad *b)
{
	(void)b;
	assert_int_equal(stepbus_text_len(NULL), 0);
}

static void text_free(test_bad *b)
{
	(void)b;
	stepbus_text_free(NULL);
}

static void build_info(test_bad *b)
{
	stepbus_text *text = NULL;

	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_build_info(NULL, err));
	assert_int_equal(stepbus_build_info(&text, NULL), STEPBUS_OK);
	stepbus_text_free(text);
}

static void id_new(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_id_new(NULL, err));
}

static void id_format(test_bad *b)
{
	const uint8_t id[16] = { 0 };
	char text[37];

	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_id_format(NULL, text, err));
	BAD(STEPBUS_EINVAL, stepbus_id_format(id, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_id_format(NULL, NULL, err));
}

static void id_parse(test_bad *b)
{
	static const char *const texts[] = {
		"01234567-89ab-cdef-0123-456789abcde",   "01234567-89ab-cdef-0123-456789abcdef0",
		"01234567-89ab-cdef-0123-456789abcdeg",  "0123456789ab-cdef-0123-456789abcdef--",
		"01234567_89ab_cdef_0123_456789abcdef",  "{1234567-89ab-cdef-0123-456789abcde}",
		"01234567-89ab-cdef-0123-456789abcde\n", " 1234567-89ab-cdef-0123-456789abcdef",
	};
	const test_bad_text *names = test_bad_names();
	uint8_t id[16];

	(void)b;
	memset(id, 0xEE, sizeof id);
	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL, stepbus_id_parse(names[i].data, names[i].len, id, err));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		BAD(STEPBUS_EINVAL, stepbus_id_parse(texts[i], strlen(texts[i]), id, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_id_parse("01234567-89ab-cdef-0123-4567\0009abcdef", 36, id, err));
	BAD(STEPBUS_EINVAL, stepbus_id_parse(NULL, 36, id, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_id_parse("01234567-89ab-cdef-0123-456789abcdef", 36, NULL, err));
	for (size_t i = 0; i < sizeof id; i++)
		assert_int_equal(id[i], 0xEE);
}

static const int64_t begun_us = 1795257000000000;

static void clock_new(test_bad *b)
{
	static const int64_t wrong[] = { INT64_MIN, -1, 0, 221845392000000000, INT64_MAX };
	stepbus_clock *clock = NULL;

	(void)b;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		BAD(STEPBUS_EINVAL, stepbus_clock_new(wrong[i], &clock, err));
	BAD(STEPBUS_EINVAL, stepbus_clock_new(begun_us, NULL, err));
	assert_null(clock);
	assert_int_equal(stepbus_clock_new(1, &clock, NULL), STEPBUS_OK);
	stepbus_clock_free(clock);
}

static void clock_free(test_bad *b)
{
	(void)b;
	stepbus_clock_free(NULL);
}

static void clock_lend(test_bad *b)
{
	static const uint32_t wrong[] = { 0, 8, 47 };
	stepbus_clock *clock = NULL;
	stepbus_host host = { .size = sizeof host, .log_level = STEPBUS_LOG_WARN };

	(void)b;
	assert_int_equal(stepbus_clock_new(begun_us, &clock, NULL), STEPBUS_OK);
	BAD(STEPBUS_EINVAL, stepbus_clock_lend(NULL, &host, err));
	BAD(STEPBUS_EINVAL, stepbus_clock_lend(clock, NULL, err));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		host.size = wrong[i];
		BAD(STEPBUS_EINVAL, stepbus_clock_lend(clock, &host, err));
	}
	assert_null(host.user_data);
	assert_null(host.now_us);
	host.size = sizeof host;
	BAD(STEPBUS_OK, stepbus_clock_lend(clock, &host, err));
	assert_int_equal(host.log_level, STEPBUS_LOG_WARN);
	stepbus_clock_free(clock);
}

static void clock_advance(test_bad *b)
{
	static const int64_t wrong[] = { INT64_MIN, -1, 0, 3155760000001, INT64_MAX };
	stepbus_host host = { .size = sizeof host };
	stepbus_clock *clock = NULL;

	(void)b;
	assert_int_equal(stepbus_clock_new(begun_us, &clock, NULL), STEPBUS_OK);
	BAD(STEPBUS_EINVAL, stepbus_clock_advance(NULL, 1, err));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		BAD(STEPBUS_EINVAL, stepbus_clock_advance(clock, wrong[i], err));
	assert_int_equal(stepbus_clock_lend(clock, &host, NULL), STEPBUS_OK);
	assert_int_equal(host.now_us(host.user_data), begun_us);
	stepbus_clock_free(clock);
}

static const test_bad_row rows[] = {
	{ "stepbus_status_name", status_name }, { "stepbus_version", version },
	{ "stepbus_abi_version", abi_version }, { "stepbus_text_data", text_data },
	{ "stepbus_text_len", text_len },       { "stepbus_text_free", text_free },
	{ "stepbus_build_info", build_info },   { "stepbus_id_new", id_new },
	{ "stepbus_id_format", id_format },     { "stepbus_id_parse", id_parse },
	{ "stepbus_clock_new", clock_new },     { "stepbus_clock_free", clock_free },
	{ "stepbus_clock_lend", clock_lend },   { "stepbus_clock_advance", clock_advance },
};

const test_bad_rows test_bad_library = { rows, sizeof rows / sizeof *rows };
