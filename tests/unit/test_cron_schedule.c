/* SPDX-License-Identifier: MIT */
#include "handlers/cron_schedule.h"

#include <stdio.h>

#include "handlers/civil.h"
#include "support/cmocka.h"
#include "support/host.h"
#include "support/moment.h"
#include "support/tzif.h"

enum { FIRING_COUNT_MAX = 5 };

#define S INT64_C(1000000)

typedef struct next_row {
	const char *expression;
	const char *zone;
	const char *after;
	const char *firings[FIRING_COUNT_MAX]; /* in UTC; "never" ends them */
} next_row;

static void check(test_host *t, const next_row *row)
{
	sb_cron_expression expression = test_cron(row->expression);
	sb_zone *zone = test_zone_new(&t->host, row->zone);
	int64_t at_us = test_moment(row->after);

	for (size_t i = 0; i < FIRING_COUNT_MAX && row->firings[i] != NULL; i++) {
		char text[SB_CLOCK_TEXT_LEN] = "never";

		if (sb_cron_next(&expression, zone, at_us, &at_us))
			test_moment_write(at_us, text);
		if (strcmp(text, row->firings[i]) != 0)
			fail_msg("'%s' in %s after %s: firing %zu is at %s, not %s",
				 row->expression, row->zone, row->after, i, text, row->firings[i]);
	}
	sb_zone_free(&t->host, zone);
}

static void check_all(const next_row *rows, size_t count)
{
	test_host t;

	test_host_init(&t);
	for (size_t i = 0; i < count; i++)
		check(&t, &rows[i]);
	test_host_end(&t);
}

static void firings_follow_as_the_table_says(void **state)
{
	static const next_row rows[] = {
		{ "* * * * *",
		  "UTC",
		  "2026-11-21 10:30:45",
		  { "2026-11-21 10:31:00", "2026-11-21 10:32:00" } },
		{ "* * * * * *",
		  "UTC",
		  "2026-12-31 23:59:58",
		  { "2026-12-31 23:59:59", "2027-01-01 00:00:00" } },
		{ "15,45 30 9 * * *",
		  "UTC",
		  "2026-11-21 09:30:15",
		  { "2026-11-21 09:30:45", "2026-11-22 09:30:15" } },
		{ "*/20 9-10 * * *",
		  "UTC",
		  "2026-11-21 09:39:59",
		  { "2026-11-21 09:40:00", "2026-11-21 10:00:00", "2026-11-21 10:20:00",
		    "2026-11-21 10:40:00", "2026-11-22 09:00:00" } },
		{ "0 9 * * *",
		  "UTC",
		  "2026-11-21 09:00:00",
		  { "2026-11-22 09:00:00", "2026-11-23 09:00:00" } },
		{ "0 0 31 * *",
		  "UTC",
		  "2026-01-31 00:00:00",
		  { "2026-03-31 00:00:00", "2026-05-31 00:00:00", "2026-07-31 00:00:00" } },
		{ "0 0 29 2 *",
		  "UTC",
		  "2096-03-01 00:00:00",
		  { "2104-02-29 00:00:00", "2108-02-29 00:00:00" } },
		/* Either day is enough where both are given... */
		{ "0 0 13 * fri",
		  "UTC",
		  "2026-11-06 00:00:00",
		  { "2026-11-13 00:00:00", "2026-11-20 00:00:00", "2026-11-27 00:00:00",
		    "2026-12-04 00:00:00", "2026-12-11 00:00:00" } },
		{ "0 0 1 1 0",
		  "UTC",
		  "2026-12-31 00:00:00",
		  { "2027-01-01 00:00:00", "2027-01-03 00:00:00" } },
		/* ...but not where one begins with a star. */
		{ "0 0 */2 * fri",
		  "UTC",
		  "2026-11-06 00:00:00",
		  { "2026-11-13 00:00:00", "2026-11-27 00:00:00" } },
		{ "0 0 29 2 */7",
		  "UTC",
		  "2026-01-01 00:00:00",
		  { "2032-02-29 00:00:00", "2060-02-29 00:00:00" } },
		{ "0 0 30 2 *", "UTC", "2026-01-01 00:00:00", { "never" } },
		{ "0 0 30 2 *", "Berlin", "2026-01-01 00:00:00", { "never" } },
		{ "* * 31 4,6,9,11 *", "Berlin", "2026-01-01 00:00:00", { "never" } },
		{ "0 0 * * *",
		  "UTC",
		  "1969-12-30 12:00:00",
		  { "1969-12-31 00:00:00", "1970-01-01 00:00:00" } },
		{ "0 9 * * *",
		  "Kathmandu",
		  "2026-11-21 00:00:00",
		  { "2026-11-21 03:15:00", "2026-11-22 03:15:00" } },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void a_time_that_is_skipped_fires_once_behind_the_gap(void **state)
{
	static const next_row rows[] = {
		{ "30 2 * * *",
		  "Berlin",
		  "2026-03-28 00:00:00",
		  { "2026-03-28 01:30:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00" } },
		{ "0,15,30 2 * * *",
		  "Berlin",
		  "2026-03-29 00:59:00",
		  { "2026-03-29 01:00:00", "2026-03-30 00:00:00" } },
		/* It falls on what comes anyway. */
		{ "0 2,3 * * *",
		  "Berlin",
		  "2026-03-29 00:00:00",
		  { "2026-03-29 01:00:00", "2026-03-30 00:00:00", "2026-03-30 01:00:00" } },
		{ "15 2 * * *",
		  "Lord_Howe",
		  "2026-10-03 00:00:00",
		  { "2026-10-03 15:30:00", "2026-10-04 15:15:00" } },
		{ "0 0 * * *",
		  "Sao_Paulo",
		  "2018-11-03 12:00:00",
		  { "2018-11-04 03:00:00", "2018-11-05 02:00:00" } },
		{ "30 2 * * *",
		  "Casablanca",
		  "2026-03-21 12:00:00",
		  { "2026-03-22 02:00:00", "2026-03-23 01:30:00" } },
		/* A whole day was left out. */
		{ "0 9 * * *",
		  "Apia",
		  "2011-12-29 00:00:00",
		  { "2011-12-29 19:00:00", "2011-12-30 10:00:00", "2011-12-30 19:00:00" } },
		{ "0 0 31 12 *",
		  "Apia",
		  "2011-12-29 00:00:00",
		  { "2011-12-30 10:00:00", "2012-12-30 10:00:00" } },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void a_time_that_comes_twice_fires_the_first_time(void **state)
{
	static const next_row rows[] = {
		{ "30 2 * * *",
		  "Berlin",
		  "2026-10-24 12:00:00",
		  { "2026-10-25 00:30:00", "2026-10-26 01:30:00" } },
		{ "30 2 * * *", "Berlin", "2026-10-25 01:10:00", { "2026-10-26 01:30:00" } },
		{ "0 2,3 * * *",
		  "Berlin",
		  "2026-10-25 00:00:00",
		  { "2026-10-25 02:00:00", "2026-10-26 01:00:00" } },
		{ "30 1 * * *",
		  "New_York",
		  "2026-11-01 00:00:00",
		  { "2026-11-01 05:30:00", "2026-11-02 06:30:00" } },
		{ "45 1 * * *",
		  "Lord_Howe",
		  "2026-04-04 00:00:00",
		  { "2026-04-04 14:45:00", "2026-04-05 15:15:00" } },
		{ "30 23 * * *",
		  "Sao_Paulo",
		  "2019-02-16 12:00:00",
		  { "2019-02-17 01:30:00", "2019-02-18 02:30:00" } },
		{ "30 2 * * *",
		  "Casablanca",
		  "2026-02-14 12:00:00",
		  { "2026-02-15 01:30:00", "2026-02-16 02:30:00" } },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void intervals_follow_elapsed_time(void **state)
{
	static const next_row rows[] = {
		{ "*/30 * * * *",
		  "Berlin",
		  "2026-03-29 00:00:00",
		  { "2026-03-29 00:30:00", "2026-03-29 01:00:00", "2026-03-29 01:30:00" } },
		{ "*/30 * * * *",
		  "Berlin",
		  "2026-10-24 23:59:00",
		  { "2026-10-25 00:00:00", "2026-10-25 00:30:00", "2026-10-25 01:00:00",
		    "2026-10-25 01:30:00", "2026-10-25 02:00:00" } },
		{ "15 * * * *",
		  "Berlin",
		  "2026-10-25 00:00:00",
		  { "2026-10-25 00:15:00", "2026-10-25 01:15:00", "2026-10-25 02:15:00" } },
		/* In both passes of the hour, and not at all where it is skipped. */
		{ "*/30 2 * * *",
		  "Berlin",
		  "2026-10-24 12:00:00",
		  { "2026-10-25 00:00:00", "2026-10-25 00:30:00", "2026-10-25 01:00:00",
		    "2026-10-25 01:30:00", "2026-10-26 01:00:00" } },
		{ "*/30 2 * * *",
		  "Berlin",
		  "2026-03-28 01:00:00",
		  { "2026-03-28 01:30:00", "2026-03-30 00:00:00" } },
		{ "*/15 * * * *",
		  "Lord_Howe",
		  "2026-04-04 14:31:00",
		  { "2026-04-04 14:45:00", "2026-04-04 15:00:00", "2026-04-04 15:15:00" } },
		{ "0 * * * *",
		  "Apia",
		  "2011-12-30 08:30:00",
		  { "2011-12-30 09:00:00", "2011-12-30 10:00:00", "2011-12-30 11:00:00" } },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

/* The rule once more, in other words: minute by minute, by looking at the clocks. */
static bool is_match(const sb_cron_expression *expression, int64_t local_s)
{
	int64_t days = sb_civil_divide(local_s, SB_DAY_S);
	sb_civil_day day = sb_civil_day_of(days);
	bool by_month = expression->days >> day.day & 1;
	bool by_week = expression->weekdays >> sb_civil_weekday(days) & 1;
	int second = (int)(local_s - days * SB_DAY_S);

	return (expression->hours >> second / 3600 & 1) &&
	       (expression->minutes >> second / 60 % 60 & 1) &&
	       (expression->months >> day.month & 1) &&
	       (expression->is_either_day ? by_month || by_week : by_month && by_week);
}

static bool fires(const sb_cron_expression *expression, const sb_zone *zone, int64_t at_s,
		  int64_t *shown_max)
{
	int64_t local_s = at_s + sb_zone_offset_s(zone, at_s), shown = *shown_max;

	if (expression->is_interval)
		return is_match(expression, local_s);
	/* All that the clocks show for the first time, or passed over. */
	if (local_s > shown)
		*shown_max = local_s;
	for (int64_t i = shown + 60; i <= local_s; i += 60)
		if (is_match(expression, i))
			return true;
	return false;
}

static void compare(const sb_cron_expression *expression, const sb_zone *zone, int64_t from_s,
		    int64_t end_s, const char *what)
{
	int64_t shown = from_s + sb_zone_offset_s(zone, from_s), next_us = from_s * S;

	for (int64_t at_s = from_s + 60; at_s < end_s; at_s += 60) {
		int64_t after_us = next_us;

		if (!fires(expression, zone, at_s, &shown))
			continue;
		if (!sb_cron_next(expression, zone, after_us, &next_us) || next_us != at_s * S)
			fail_msg("%s: after %lld comes %lld, not %lld", what,
				 (long long)(after_us / S), (long long)(next_us / S),
				 (long long)at_s);
	}
}

static void firings_are_those_of_a_plain_walk_over_all_minutes(void **state)
{
	static const char *const expressions[] = {
		"* * * * *",      "*/7 * * * *",       "0 */2 * * *",
		"30 1-3 * * *",   "0,59 0,2,23 * * *", "15 2 * * sun",
		"0 0 1,30 * fri", "5 0 * 10-12 *",     "1-59/29 1,2,3 28-31 * *",
		"0 0 * * *",      "59 23 * * *",       "*/15 2 * * *",
	};
	static const struct {
		const char *zone;
		const char *from;
	} spans[] = {
		{ "Berlin", "2026-03-20 00:00:00" },     { "Berlin", "2026-10-18 00:00:00" },
		{ "New_York", "2026-10-25 00:00:00" },   { "Lord_Howe", "2026-03-29 00:00:00" },
		{ "Lord_Howe", "2026-09-28 00:00:00" },  { "Sao_Paulo", "2018-10-28 00:00:00" },
		{ "Sao_Paulo", "2019-02-10 00:00:00" },  { "Casablanca", "2026-02-10 00:00:00" },
		{ "Casablanca", "2026-03-15 00:00:00" }, { "Apia", "2011-12-25 00:00:00" },
		{ "Kathmandu", "1985-12-26 00:00:00" },  { "Dublin", "2026-10-20 00:00:00" },
	};
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
		sb_zone *zone = test_zone_new(&t.host, spans[i].zone);
		int64_t from_s = test_moment(spans[i].from) / S;

		for (size_t j = 0; j < sizeof expressions / sizeof *expressions; j++) {
			sb_cron_expression expression = test_cron(expressions[j]);
			char what[64];

			(void)snprintf(what, sizeof what, "'%s' in %s", expressions[j],
				       spans[i].zone);
			compare(&expression, zone, from_s, from_s + 14 * SB_DAY_S, what);
		}
		sb_zone_free(&t.host, zone);
	}
	test_host_end(&t);
}

static void the_ends_of_time_are_answered(void **state)
{
	static const int64_t times[] = {
		INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX
	};
	sb_cron_expression always = test_cron("* * * * * *");
	sb_cron_expression never = test_cron("0 0 30 2 *");
	test_host t;
	sb_zone *zone;

	(void)state;
	test_host_init(&t);
	zone = test_zone_new(&t.host, "Berlin");
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		int64_t next_us;

		if (sb_cron_next(&always, zone, times[i], &next_us))
			assert_true(next_us > times[i]);
		else
			assert_true(times[i] > INT64_MAX - 2);
		assert_false(sb_cron_next(&never, zone, times[i], &next_us));
		assert_false(sb_cron_next(&never, NULL, times[i], &next_us));
	}
	sb_zone_free(&t.host, zone);
	test_host_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(firings_follow_as_the_table_says),
		cmocka_unit_test(a_time_that_is_skipped_fires_once_behind_the_gap),
		cmocka_unit_test(a_time_that_comes_twice_fires_the_first_time),
		cmocka_unit_test(intervals_follow_elapsed_time),
		cmocka_unit_test(firings_are_those_of_a_plain_walk_over_all_minutes),
		cmocka_unit_test(the_ends_of_time_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
