/* SPDX-License-Identifier: MIT */
/* Which firings of a schedule are enqueued now: the second half of handlers/cron_schedule.h. */
#include "handlers/cron_schedule.h"

#include "support/cmocka.h"
#include "support/moment.h"

enum { FIRING_COUNT_MAX = 5 };

#define S INT64_C(1000000)
#define NONE SB_CRON_CATCH_UP_NONE
#define ONE SB_CRON_CATCH_UP_ONE
#define ALL SB_CRON_CATCH_UP_ALL

typedef struct due_row {
	const char *expression;
	sb_cron_catch_up catch_up;
	int64_t grace_s;
	const char *next_at;
	const char *now;
	size_t max;
	const char *times[FIRING_COUNT_MAX + 1]; /* expected */
	const char *then;                        /* expected; NULL: never again */
} due_row;

static const due_row due_rows[] = {
	/* Not yet. */
	{ "0 9 * * *",
	  ALL,
	  60,
	  "2026-11-22 09:00:00",
	  "2026-11-22 08:59:59",
	  5,
	  { NULL },
	  "2026-11-22 09:00:00" },
	/* On time, or nearly. */
	{ "0 9 * * *",
	  NONE,
	  60,
	  "2026-11-22 09:00:00",
	  "2026-11-22 09:00:00",
	  5,
	  { "2026-11-22 09:00:00" },
	  "2026-11-23 09:00:00" },
	{ "0 9 * * *",
	  NONE,
	  60,
	  "2026-11-22 09:00:00",
	  "2026-11-22 09:01:00",
	  5,
	  { "2026-11-22 09:00:00" },
	  "2026-11-23 09:00:00" },
	/* Missed. */
	{ "0 9 * * *",
	  NONE,
	  60,
	  "2026-11-22 09:00:00",
	  "2026-11-22 09:01:01",
	  5,
	  { NULL },
	  "2026-11-23 09:00:00" },
	{ "0 9 * * *",
	  ONE,
	  60,
	  "2026-11-22 09:00:00",
	  "2026-11-22 09:01:01",
	  5,
	  { "2026-11-22 09:00:00" },
	  "2026-11-23 09:00:00" },
	/* Missed for days: none of them but the one that is now, the latest, all. */
	{ "0 9 * * *",
	  NONE,
	  60,
	  "2026-11-18 09:00:00",
	  "2026-11-21 09:00:30",
	  5,
	  { "2026-11-21 09:00:00" },
	  "2026-11-22 09:00:00" },
	{ "0 9 * * *",
	  ONE,
	  60,
	  "2026-11-18 09:00:00",
	  "2026-11-21 08:59:59",
	  5,
	  { "2026-11-20 09:00:00" },
	  "2026-11-21 09:00:00" },
	{ "0 9 * * *",
	  ALL,
	  60,
	  "2026-11-18 09:00:00",
	  "2026-11-21 08:59:59",
	  5,
	  { "2026-11-18 09:00:00", "2026-11-19 09:00:00", "2026-11-20 09:00:00" },
	  "2026-11-21 09:00:00" },
	/* No more than there is room for; the rest is asked for next. */
	{ "0 9 * * *",
	  ALL,
	  60,
	  "2026-11-18 09:00:00",
	  "2026-11-21 08:59:59",
	  2,
	  { "2026-11-18 09:00:00", "2026-11-19 09:00:00" },
	  "2026-11-20 09:00:00" },
	{ "0 9 * * *",
	  ALL,
	  60,
	  "2026-11-18 09:00:00",
	  "2026-11-21 08:59:59",
	  0,
	  { NULL },
	  "2026-11-18 09:00:00" },
	/* Years of seconds. */
	{ "* * * * * *",
	  ONE,
	  60,
	  "1990-01-01 00:00:00",
	  "2026-11-21 08:59:59",
	  5,
	  { "2026-11-21 08:59:59" },
	  "2026-11-21 09:00:00" },
	{ "* * 9 1 1 *",
	  ONE,
	  60,
	  "1990-01-01 09:00:00",
	  "2026-11-21 08:59:59",
	  5,
	  { "2026-01-01 09:59:59" },
	  "2027-01-01 09:00:00" },
	/* What was kept is none of its times any more. */
	{ "0 9 * * *",
	  ALL,
	  60,
	  "2026-11-20 08:00:00",
	  "2026-11-21 10:00:00",
	  5,
	  { "2026-11-20 09:00:00", "2026-11-21 09:00:00" },
	  "2026-11-22 09:00:00" },
	{ "0 9 * * *",
	  ONE,
	  60,
	  "2026-11-20 08:00:00",
	  "2026-11-20 08:30:00",
	  5,
	  { NULL },
	  "2026-11-20 09:00:00" },
	{ "0 0 30 2 *", ONE, 60, "2026-11-20 08:00:00", "2026-11-20 08:30:00", 5, { NULL }, NULL },
};

static void firings_are_made_up_for_as_the_table_says(void **state)
{

	(void)state;
	for (size_t i = 0; i < sizeof due_rows / sizeof *due_rows; i++) {
		const due_row *row = &due_rows[i];
		sb_cron_expression expression = test_cron(row->expression);
		sb_cron_schedule schedule = { &expression, NULL, row->catch_up, row->grace_s * S,
					      test_moment(row->next_at) };
		int64_t times_us[FIRING_COUNT_MAX];
		size_t count = sb_cron_due(&schedule, test_moment(row->now), times_us, row->max);

		for (size_t j = 0; j < count; j++)
			if (row->times[j] == NULL || times_us[j] != test_moment(row->times[j]))
				fail_msg("row %zu: firing %zu is at %lld", i, j,
					 (long long)(times_us[j] / S));
		if (row->times[count] != NULL)
			fail_msg("row %zu: %zu firings are not all", i, count);
		if (schedule.next_at_us != (row->then != NULL ? test_moment(row->then) : 0))
			fail_msg("row %zu: then at %lld", i, (long long)(schedule.next_at_us / S));
	}
}

static void no_more_than_a_thousand_are_due_at_once(void **state)
{
	sb_cron_expression expression = test_cron("* * * * *");
	sb_cron_schedule schedule = { &expression, NULL, SB_CRON_CATCH_UP_ALL, 0,
				      test_moment("2026-11-21 00:00:00") };
	int64_t *times_us = test_calloc(2000, sizeof *times_us);

	(void)state;
	assert_int_equal(sb_cron_due(&schedule, test_moment("2026-12-21 00:00:00"), times_us, 2000),
			 SB_CRON_DUE_COUNT_MAX);
	assert_int_equal(schedule.next_at_us, test_moment("2026-11-21 00:00:00") + 60000 * S);
	test_free(times_us);
}

static void a_schedule_that_never_fires_is_left_alone(void **state)
{
	static const int64_t times[] = { 0, -1, INT64_MIN };
	sb_cron_expression expression = test_cron("* * * * *");

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		sb_cron_schedule schedule = { &expression, NULL, SB_CRON_CATCH_UP_ONE, 0,
					      times[i] };
		int64_t time_us;

		assert_int_equal(sb_cron_due(&schedule, INT64_MAX, &time_us, 1), 0);
		assert_int_equal(schedule.next_at_us, times[i]);
	}
}

static void catch_up_policies_have_names(void **state)
{
	static const char *const names[] = { "none", "one", "all" };
	sb_cron_catch_up catch_up;

	(void)state;
	for (int i = 0; i < SB_CRON_CATCH_UP_COUNT; i++) {
		assert_string_equal(sb_cron_catch_up_name(i), names[i]);
		assert_true(sb_cron_catch_up_of(sb_slice_z(names[i]), &catch_up));
		assert_int_equal(catch_up, i);
	}
	assert_null(sb_cron_catch_up_name(-1));
	assert_null(sb_cron_catch_up_name(SB_CRON_CATCH_UP_COUNT));
	assert_false(sb_cron_catch_up_of(sb_slice_z("some"), &catch_up));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(firings_are_made_up_for_as_the_table_says),
		cmocka_unit_test(no_more_than_a_thousand_are_due_at_once),
		cmocka_unit_test(a_schedule_that_never_fires_is_left_alone),
		cmocka_unit_test(catch_up_policies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
