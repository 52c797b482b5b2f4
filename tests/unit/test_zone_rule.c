/* SPDX-License-Identifier: MIT */
#include "handlers/zone_rule.h"

#include "handlers/civil.h"
#include "support/cmocka.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define DUBLIN "IST-1GMT0,M10.5.0,M3.5.0/1"
#define GODTHAB "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"
#define JERUSALEM "IST-2IDT,M3.4.4/26,M10.5.0"
#define ALWAYS "XXX3EDT4,0/0,J365/23"
#define LATE "CET1EST,365/120,J365/127"

static int64_t at(int64_t year, int month, int day, int hour, int minute)
{
	return sb_civil_days(year, month, day) * SB_DAY_S + hour * SB_HOUR_S + minute * SB_MINUTE_S;
}

typedef struct offset_row {
	const char *rule;
	int64_t year;
	int month, day, hour, minute; /* UTC */
	int32_t offset_minutes;
} offset_row;

static void offsets_are_as_the_table_says(void **state)
{
	static const offset_row rows[] = {
		{ "UTC0", 2026, 7, 1, 0, 0, 0 },
		{ "<+0545>-5:45", 2026, 7, 1, 0, 0, 345 },
		{ "<-03>3", 2026, 1, 1, 0, 0, -180 },
		{ BERLIN, 2026, 3, 29, 0, 59, 60 },
		{ BERLIN, 2026, 3, 29, 1, 0, 120 },
		{ BERLIN, 2026, 10, 25, 0, 59, 120 },
		{ BERLIN, 2026, 10, 25, 1, 0, 60 },
		{ BERLIN, 9999, 7, 1, 0, 0, 120 },
		{ NEW_YORK, 2026, 3, 8, 6, 59, -300 },
		{ NEW_YORK, 2026, 3, 8, 7, 0, -240 },
		{ NEW_YORK, 2026, 11, 1, 5, 59, -240 },
		{ NEW_YORK, 2026, 11, 1, 6, 0, -300 },
		{ LORD_HOWE, 2026, 4, 4, 14, 59, 660 },
		{ LORD_HOWE, 2026, 4, 4, 15, 0, 630 },
		{ LORD_HOWE, 2026, 10, 3, 15, 29, 630 },
		{ LORD_HOWE, 2026, 10, 3, 15, 30, 660 },
		{ LORD_HOWE, 2027, 1, 1, 0, 0, 660 },
		{ DUBLIN, 2026, 1, 1, 0, 0, 0 },
		{ DUBLIN, 2026, 3, 29, 0, 59, 0 },
		{ DUBLIN, 2026, 3, 29, 1, 0, 60 },
		{ DUBLIN, 2026, 10, 25, 0, 59, 60 },
		{ DUBLIN, 2026, 10, 25, 1, 0, 0 },
		{ GODTHAB, 2026, 3, 29, 0, 59, -120 },
		{ GODTHAB, 2026, 3, 29, 1, 0, -60 },
		{ JERUSALEM, 2026, 3, 26, 23, 59, 120 },
		{ JERUSALEM, 2026, 3, 27, 0, 0, 180 },
		{ ALWAYS, 2026, 1, 1, 2, 59, -240 },
		{ ALWAYS, 2026, 1, 1, 3, 0, -240 },
		{ ALWAYS, 2026, 7, 1, 0, 0, -240 },
		/* Daylight saving time that lasts no time at all. */
		{ "AAA0BBB,J5/0,J5/1", 2026, 1, 5, 0, 0, 0 },
		/* From the sixth of a January to the fifth of the next one; of leap years, a few hours. */
		{ LATE, 2025, 1, 5, 1, 0, 0 },
		{ LATE, 2025, 1, 5, 7, 0, -60 },
		{ LATE, 2026, 1, 6, 0, 59, -60 },
		{ LATE, 2026, 1, 6, 1, 0, 0 },
		{ LATE, 2027, 1, 3, 0, 0, 0 },
		{ LATE, 2027, 1, 5, 7, 0, -60 },
		/* J60 is 1 March in every year, 59 is not. */
		{ "AAA0BBB,J60/0,J300/0", 2028, 2, 29, 23, 59, 0 },
		{ "AAA0BBB,J60/0,J300/0", 2028, 3, 1, 0, 0, 60 },
		{ "AAA0BBB,59/0,J300/0", 2028, 2, 29, 0, 0, 60 },
		{ "AAA0BBB,59/0,J300/0", 2027, 2, 28, 23, 59, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const offset_row *row = &rows[i];
		sb_zone_rule rule;
		int32_t offset_s;

		assert_true(sb_zone_rule_parse(sb_slice_z(row->rule), &rule));
		offset_s = sb_zone_rule_offset_s(
			&rule, at(row->year, row->month, row->day, row->hour, row->minute));
		if (offset_s != row->offset_minutes * 60)
			fail_msg("row %zu: '%s' is at %d s", i, row->rule, offset_s);
	}
}

typedef struct next_row {
	const char *rule;
	int64_t from_s;
	int64_t next_s; /* 0: none */
} next_row;

static void changes_follow_as_the_table_says(void **state)
{
	const next_row rows[] = {
		{ "UTC0", 0, 0 },
		{ ALWAYS, at(2026, 1, 1, 0, 0), 0 },
		{ "AAA0BBB,J5/0,J5/1", at(2026, 1, 1, 0, 0), 0 },
		{ "AAA0BBB0,J5/0,J9/1", at(2026, 1, 1, 0, 0), 0 },
		{ BERLIN, at(2026, 1, 1, 0, 0), at(2026, 3, 29, 1, 0) },
		{ BERLIN, at(2026, 3, 29, 1, 0), at(2026, 10, 25, 1, 0) },
		{ BERLIN, at(2026, 12, 31, 23, 59), at(2027, 3, 28, 1, 0) },
		{ LORD_HOWE, at(2026, 12, 31, 23, 59), at(2027, 4, 3, 15, 0) },
		{ DUBLIN, at(2026, 1, 1, 0, 0), at(2026, 3, 29, 1, 0) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_zone_rule rule;
		int64_t next_s;

		assert_true(sb_zone_rule_parse(sb_slice_z(rows[i].rule), &rule));
		if (sb_zone_rule_next(&rule, rows[i].from_s, &next_s) != (rows[i].next_s != 0) ||
		    (rows[i].next_s != 0 && next_s != rows[i].next_s))
			fail_msg("row %zu: '%s' changes at %lld", i, rows[i].rule,
				 (long long)next_s);
	}
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const rules[] = {
		"",
		"CET",
		"CE-1",
		"CET-",
		"CET-25",
		"CET-1:60",
		"CET-1:00:60",
		"CET-1x",
		"<CET-1",
		"<C?T>-1",
		"CET-1CEST",
		"CET-1CEST,",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M3.5.0,",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M0.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.0.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,M3.5,M10.5.0",
		"CET-1CEST,J0,J365",
		"CET-1CEST,J1,J366",
		"CET-1CEST,0,366",
		"CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0/-168,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/",
		"CET-1CEST,M3.5.0,M10.5.0/3 ",
		"CET-1CEST,M3.5.0,M10.5.0/3,",
		"CET-1CEST,M3.5.0,M10.5.0/9999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		sb_zone_rule rule;

		if (sb_zone_rule_parse(sb_slice_z(rules[i]), &rule))
			fail_msg("'%s' was read", rules[i]);
	}
}

static void bytes_behind_a_rule_are_not_read(void **state)
{
	sb_zone_rule rule;

	(void)state;
	for (size_t len = 0; len < strlen(BERLIN); len++)
		(void)sb_zone_rule_parse(sb_slice_of(BERLIN, len), &rule);
	assert_false(sb_zone_rule_parse(sb_slice_of(NULL, 0), &rule));
	assert_true(sb_zone_rule_parse(sb_slice_of("CET-1CEST", 5), &rule));
	assert_int_equal(rule.standard_s, 3600);
}

static void changes_and_offsets_agree(void **state)
{
	static const char *const rules[] = {
		BERLIN, NEW_YORK, LORD_HOWE, DUBLIN, GODTHAB, JERUSALEM
	};

	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		sb_zone_rule rule;
		int64_t at_s = at(2020, 1, 1, 0, 0), next_s;

		assert_true(sb_zone_rule_parse(sb_slice_z(rules[i]), &rule));
		for (int j = 0; j < 100; j++, at_s = next_s) {
			assert_true(sb_zone_rule_next(&rule, at_s, &next_s));
			assert_true(next_s > at_s && next_s < at_s + 366 * SB_DAY_S);
			assert_int_equal(sb_zone_rule_offset_s(&rule, at_s),
					 sb_zone_rule_offset_s(&rule, next_s - 1));
			assert_int_not_equal(sb_zone_rule_offset_s(&rule, at_s),
					     sb_zone_rule_offset_s(&rule, next_s));
		}
		assert_int_equal(sb_civil_day_of(at_s / SB_DAY_S).year, 2069);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_as_the_table_says),
		cmocka_unit_test(changes_follow_as_the_table_says),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(bytes_behind_a_rule_are_not_read),
		cmocka_unit_test(changes_and_offsets_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
