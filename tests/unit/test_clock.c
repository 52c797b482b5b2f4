/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/cmocka.h"
#include "support/host.h"

static const int64_t first_us = INT64_C(-62135596800) * 1000000;
static const int64_t last_us = INT64_C(253402300799) * 1000000 + 999999;

typedef struct row {
	int64_t time_us;
	const char *text;
} row;

static void times_are_written_as_the_table_says(void **state)
{
	static const row rows[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 1, "1970-01-01T00:00:00.000001Z" },
		{ 999999, "1970-01-01T00:00:00.999999Z" },
		{ 1000000, "1970-01-01T00:00:01.000000Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ -1000000, "1969-12-31T23:59:59.000000Z" },
		{ -1000001, "1969-12-31T23:59:58.999999Z" },
		{ INT64_C(1795257045123456), "2026-11-21T10:30:45.123456Z" },
		/* Leap days: every fourth year, not every hundredth, but every 400th. */
		{ INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z" },
		{ INT64_C(951868799999999), "2000-02-29T23:59:59.999999Z" },
		{ INT64_C(951868800000000), "2000-03-01T00:00:00.000000Z" },
		{ INT64_C(1709164800000000), "2024-02-29T00:00:00.000000Z" },
		{ INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z" },
		{ INT64_C(4107456000000000), "2100-02-28T00:00:00.000000Z" },
		{ INT64_C(-2203891200000000), "1900-03-01T00:00:00.000000Z" },
		{ INT64_C(-2203977600000000), "1900-02-28T00:00:00.000000Z" },
		{ INT64_C(946684799999999), "1999-12-31T23:59:59.999999Z" },
		{ INT64_C(-62135596800000000), "0001-01-01T00:00:00.000000Z" },
		{ INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[SB_CLOCK_TEXT_LEN];

		sb_clock_format(rows[i].time_us, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void a_text_has_27_characters_and_a_nul(void **state)
{
	char text[SB_CLOCK_TEXT_LEN + 1];

	(void)state;
	memset(text, 'x', sizeof text);
	sb_clock_format(INT64_C(1795257045123456), text);
	assert_int_equal(strlen(text), SB_CLOCK_TEXT_LEN - 1);
	assert_int_equal(text[SB_CLOCK_TEXT_LEN], 'x');
}

static void times_outside_the_years_1_to_9999_are_clamped(void **state)
{
	static const row rows[] = {
		{ INT64_C(-62135596800000001), "0001-01-01T00:00:00.000000Z" },
		{ INT64_C(-62135596800999999), "0001-01-01T00:00:00.000000Z" },
		{ INT64_MIN, "0001-01-01T00:00:00.000000Z" },
		{ INT64_MIN + 1, "0001-01-01T00:00:00.000000Z" },
		{ INT64_C(253402300800000000), "9999-12-31T23:59:59.999999Z" },
		{ INT64_C(253402300800123456), "9999-12-31T23:59:59.999999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999999Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[SB_CLOCK_TEXT_LEN];

		sb_clock_format(rows[i].time_us, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void texts_are_read_as_the_table_says(void **state)
{
	static const row rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 0, "1970-01-01t00:00:00z" },
		{ 0, "1970-01-01 00:00:00Z" },
		{ 0, "1970-01-01T00:00:00+00:00" },
		{ 0, "1970-01-01T00:00:00-00:00" },
		{ 0, "1970-01-01T00:00:00.0Z" },
		{ 0, "1970-01-01T23:59:00+23:59" },
		{ 0, "1969-12-31T00:01:00-23:59" },
		{ 1, "1970-01-01T00:00:00.000001Z" },
		{ 500000, "1970-01-01T00:00:00.5Z" },
		{ 120000, "1970-01-01T00:00:00.12Z" },
		{ 123456, "1970-01-01T00:00:00.1234569Z" },
		{ 999999, "1970-01-01T00:00:00.99999999999999999999999999Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ INT64_C(1795257045123456), "2026-11-21T10:30:45.123456Z" },
		{ INT64_C(1795257045500000), "2026-11-21T11:30:45.5+01:00" },
		{ INT64_C(1795257045000000), "2026-11-21T05:00:45-05:30" },
		{ INT64_C(951782400000000), "2000-02-29T00:00:00Z" },
		{ INT64_C(1709164800000000), "2024-02-29T00:00:00Z" },
		{ INT64_C(-62135596800000000), "0001-01-01T00:00:00Z" },
		{ INT64_C(-62135596800000000), "0000-12-31T23:00:00-01:00" },
		{ INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z" },
		/* A leap second is the second after it. */
		{ INT64_C(1483228800000000), "2016-12-31T23:59:60Z" },
		{ INT64_C(1483228800000000), "2016-12-31T23:59:60.75Z" },
		{ INT64_C(1483228800000000), "2017-01-01T00:59:60+01:00" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t time_us = 4711;

		if (!sb_clock_parse(rows[i].text, strlen(rows[i].text), &time_us) ||
		    time_us != rows[i].time_us)
			fail_msg("%s is read as %lld", rows[i].text, (long long)time_us);
	}
}

static void texts_that_are_no_times_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"now",
		"1970",
		"1970-01-01",
		"1970-01-01T00:00:00",
		"1970-01-01T00:00Z",
		"1970-01-01T00:00:00 Z",
		"1970-01-01T00:00:00ZZ",
		" 1970-01-01T00:00:00Z",
		"1970-01-01T00:00:00Z ",
		"1970-01-01_00:00:00Z",
		"1970-1-01T00:00:00Z",
		"1970-01-1T00:00:00Z",
		"1970-01-01T0:00:00Z",
		"70-01-01T00:00:00Z",
		"19700101T000000Z",
		"+1970-01-01T00:00:00Z",
		"-1970-01-01T00:00:00Z",
		"197x-01-01T00:00:00Z",
		"1970/01/01T00:00:00Z",
		"1970-00-01T00:00:00Z",
		"1970-13-01T00:00:00Z",
		"1970-01-00T00:00:00Z",
		"1970-01-32T00:00:00Z",
		"1970-04-31T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2024-02-30T00:00:00Z",
		"1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z",
		"1970-01-01T00:00:61Z",
		"1970-01-01T00:00:60Z",
		"1970-01-01T23:59:60+01:00",
		"1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00,5Z",
		"1970-01-01T00:00:00.5",
		"1970-01-01T00:00:00.-5Z",
		"1970-01-01T00:00:00+0100",
		"1970-01-01T00:00:00+01",
		"1970-01-01T00:00:00+01:0",
		"1970-01-01T00:00:00+24:00",
		"1970-01-01T00:00:00+00:60",
		"1970-01-01T00:00:00*01:00",
		"1970-01-01T00:00:00+01:00Z",
		"0000-01-01T00:00:00Z",
		"0000-12-31T23:59:59Z",
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"9999-12-31T23:59:60Z",
		"10000-01-01T00:00:00Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int64_t time_us = 4711;

		if (sb_clock_parse(texts[i], strlen(texts[i]), &time_us))
			fail_msg("%s is read as %lld", texts[i], (long long)time_us);
		assert_int_equal(time_us, 4711);
	}
	assert_false(sb_clock_parse(NULL, 0, &(int64_t){ 0 }));
	assert_false(sb_clock_parse("1970-01-01\00000:00:00Z", 20, &(int64_t){ 0 }));
}

static void a_text_cut_anywhere_is_refused(void **state)
{
	static const char text[] = "2026-11-21T11:30:45.5+01:00";

	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++) {
		char *cut = malloc(len > 0 ? len : 1);
		int64_t time_us;

		assert_non_null(cut);
		memcpy(cut, text, len);
		assert_false(sb_clock_parse(cut, len, &time_us));
		free(cut);
	}
}

static void what_is_written_is_read_again(void **state)
{
	const uint64_t range_us = (uint64_t)(last_us - first_us) + 1;
	uint64_t random = 88172645463325252;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		char text[SB_CLOCK_TEXT_LEN];
		int64_t time_us, again_us = 0;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		time_us = first_us + (int64_t)(random % range_us);
		sb_clock_format(time_us, text);
		assert_true(sb_clock_parse(text, SB_CLOCK_TEXT_LEN - 1, &again_us));
		assert_int_equal(again_us, time_us);
	}
}

/* What the C library makes of it. */
static void write_expected(int64_t time_us, char text[SB_CLOCK_TEXT_LEN])
{
	int64_t micros = ((time_us % 1000000) + 1000000) % 1000000;
	time_t seconds = (time_t)((time_us - micros) / 1000000);
	char fraction[16];
	struct tm parts;

	assert_non_null(gmtime_r(&seconds, &parts));
	/* Not %Y: it does not pad the years before 1000. */
	snprintf(text, SB_CLOCK_TEXT_LEN, "%04u", (unsigned)(parts.tm_year + 1900) % 10000);
	assert_int_equal(strftime(text + 4, SB_CLOCK_TEXT_LEN - 4, "-%m-%dT%H:%M:%S", &parts), 15);
	snprintf(fraction, sizeof fraction, ".%06uZ", (unsigned)micros % 1000000);
	memcpy(text + 19, fraction, 9);
}

static void times_are_written_as_the_c_library_does(void **state)
{
	const uint64_t range_us = (uint64_t)(last_us - first_us) + 1;
	uint64_t random = 88172645463325252;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		char text[SB_CLOCK_TEXT_LEN], expected[SB_CLOCK_TEXT_LEN];
		int64_t time_us;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		time_us = first_us + (int64_t)(random % range_us);
		sb_clock_format(time_us, text);
		write_expected(time_us, expected);
		assert_string_equal(text, expected);
	}
}

static void every_day_of_800_years_is_right(void **state)
{
	const int64_t day_us = INT64_C(86400) * 1000000;

	(void)state;
	for (int64_t day = -400 * 366; day < 400 * 366; day++) {
		char text[SB_CLOCK_TEXT_LEN], expected[SB_CLOCK_TEXT_LEN];

		sb_clock_format(day * day_us, text);
		write_expected(day * day_us, expected);
		assert_string_equal(text, expected);
	}
}

static void clocks_are_those_of_the_host(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	t.now_us = 41;
	t.elapsed_ns = 43;
	assert_int_equal(sb_clock_now_us(&t.host), 41);
	assert_int_equal(sb_clock_elapsed_ns(&t.host), 43);
	test_host_end(&t);
}

static void a_clock_outside_1970_to_9999_is_taken_for_the_nearest_end(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	t.now_us = INT64_MAX;
	assert_true(sb_clock_now_us(&t.host) == SB_CLOCK_NOW_MAX_US);
	t.now_us = INT64_MIN;
	assert_true(sb_clock_now_us(&t.host) == SB_CLOCK_NOW_MIN_US);
	t.now_us = SB_CLOCK_NOW_MAX_US;
	assert_true(sb_clock_now_us(&t.host) == SB_CLOCK_NOW_MAX_US);
	test_host_end(&t);
}

static void the_clocks_of_the_system_move_on(void **state)
{
	int64_t before_us = (int64_t)time(NULL) * 1000000;
	int64_t before_ns = sb_clock_system_elapsed_ns(NULL);

	(void)state;
	/* time() may lag a tick behind. */
	assert_true(sb_clock_system_now_us(NULL) >= before_us - 1000000);
	assert_true(sb_clock_system_elapsed_ns(NULL) >= before_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_as_the_table_says),
		cmocka_unit_test(a_text_has_27_characters_and_a_nul),
		cmocka_unit_test(times_outside_the_years_1_to_9999_are_clamped),
		cmocka_unit_test(texts_are_read_as_the_table_says),
		cmocka_unit_test(texts_that_are_no_times_are_refused),
		cmocka_unit_test(a_text_cut_anywhere_is_refused),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(times_are_written_as_the_c_library_does),
		cmocka_unit_test(every_day_of_800_years_is_right),
		cmocka_unit_test(clocks_are_those_of_the_host),
		cmocka_unit_test(a_clock_outside_1970_to_9999_is_taken_for_the_nearest_end),
		cmocka_unit_test(the_clocks_of_the_system_move_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
