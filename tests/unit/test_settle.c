/* SPDX-License-Identifier: MIT */
/* What a new attempt is known by: its token, which no attempt of the step ever had, restores included. */
#include "handlers/settle.h"

#include "support/cmocka.h"

/* 2026-11-21T10:30:45Z */
static const int64_t now_us = INT64_C(1795257045000000);

static void a_token_is_the_time_of_day_where_that_is_newer(void **state)
{
	(void)state;
	assert_int_equal(sb_settle_next_token(0, now_us), now_us);
	assert_int_equal(sb_settle_next_token(now_us - 1, now_us), now_us);
	assert_int_equal(sb_settle_next_token(INT64_MIN, 0), 0);
}

/* The clock was put back, or two attempts began in the same microsecond. */
static void a_token_grows_though_time_does_not(void **state)
{
	(void)state;
	assert_int_equal(sb_settle_next_token(now_us, now_us), now_us + 1);
	assert_int_equal(sb_settle_next_token(now_us + 7, now_us), now_us + 8);
	assert_int_equal(sb_settle_next_token(now_us, 0), now_us + 1);
	assert_int_equal(sb_settle_next_token(now_us, INT64_MIN), now_us + 1);
}

static void a_token_of_a_damaged_store_does_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(sb_settle_next_token(INT64_MAX - 1, now_us), INT64_MAX);
	assert_int_equal(sb_settle_next_token(INT64_MAX, now_us), INT64_MAX);
	assert_int_equal(sb_settle_next_token(1, INT64_MAX), INT64_MAX);
}

/* The copy knows an older token than was given since; what it gives next is newer than both. */
static void tokens_of_after_a_restore_are_new(void **state)
{
	const int64_t second_us = 1000000;
	const int64_t in_copy = sb_settle_next_token(0, now_us);
	int64_t since = in_copy;

	(void)state;
	for (int64_t at = 1; at <= 100; at++)
		since = sb_settle_next_token(since, now_us + at * second_us);
	assert_true(sb_settle_next_token(in_copy, now_us + 101 * second_us) > since);
	/* But where the clock was put back as well. */
	assert_false(sb_settle_next_token(in_copy, now_us + second_us) > since);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_the_time_of_day_where_that_is_newer),
		cmocka_unit_test(a_token_grows_though_time_does_not),
		cmocka_unit_test(a_token_of_a_damaged_store_does_not_overflow),
		cmocka_unit_test(tokens_of_after_a_restore_are_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
