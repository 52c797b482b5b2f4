/* SPDX-License-Identifier: MIT */
#include "handlers/civil.h"

#include "support/cmocka.h"

typedef struct day_row {
	int64_t days;
	int64_t year;
	int month;
	int day;
	int weekday;
} day_row;

static void days_are_dates_as_the_table_says(void **state)
{
	static const day_row rows[] = {
		{ 0, 1970, 1, 1, 4 },
		{ -1, 1969, 12, 31, 3 },
		{ 59, 1970, 3, 1, 0 },
		{ 11016, 2000, 2, 29, 2 },
		{ 11017, 2000, 3, 1, 3 },
		{ 20778, 2026, 11, 21, 6 },
		{ 47540, 2100, 2, 28, 0 },
		{ 47541, 2100, 3, 1, 1 },
		{ -719468, 0, 3, 1, 3 },
		{ -719529, -1, 12, 31, 5 },
		{ -135081, 1600, 2, 29, 2 },
		{ 2932896, 9999, 12, 31, 5 },
		{ 106751991, 294247, 1, 10, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_civil_day day = sb_civil_day_of(rows[i].days);

		if (day.year != rows[i].year || day.month != rows[i].month ||
		    day.day != rows[i].day)
			fail_msg("row %zu is %lld-%d-%d", i, (long long)day.year, day.month,
				 day.day);
		if (sb_civil_weekday(rows[i].days) != rows[i].weekday)
			fail_msg("row %zu is weekday %d", i, sb_civil_weekday(rows[i].days));
		assert_int_equal(sb_civil_days(rows[i].year, rows[i].month, rows[i].day),
				 rows[i].days);
	}
}

static void each_day_follows_the_one_before(void **state)
{
	sb_civil_day before = sb_civil_day_of(-200000);

	(void)state;
	for (int64_t days = -199999; days < 200000; days++) {
		sb_civil_day day = sb_civil_day_of(days);

		if (day.day != before.day + 1) {
			assert_int_equal(before.day, sb_civil_month_len(before.year, before.month));
			assert_int_equal(day.day, 1);
			assert_int_equal(day.month, before.month % 12 + 1);
			assert_int_equal(day.year, before.year + (day.month == 1));
		}
		assert_int_equal(sb_civil_days(day.year, day.month, day.day), days);
		before = day;
	}
}

static void divisions_round_towards_the_past(void **state)
{
	(void)state;
	assert_int_equal(sb_civil_divide(7, 3), 2);
	assert_int_equal(sb_civil_divide(-7, 3), -3);
	assert_int_equal(sb_civil_divide(-6, 3), -2);
	assert_int_equal(sb_civil_divide(INT64_MIN, 1), INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_dates_as_the_table_says),
		cmocka_unit_test(each_day_follows_the_one_before),
		cmocka_unit_test(divisions_round_towards_the_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
