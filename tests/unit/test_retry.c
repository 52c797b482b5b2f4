/* SPDX-License-Identifier: MIT */
#include "handlers/retry.h"

#include "include/stepbus.h"
#include "support/cmocka.h"

enum { NONE = 1, FIXED, LINEAR, EXPONENTIAL, FIBONACCI };

#define S INT64_C(1000000)
#define MOST INT64_MAX
#define ALL_ONES UINT64_MAX

typedef struct decision_row {
	sb_retry_policy policy;   /* kind, attempts, base, cap, jitter */
	sb_retry_failure failure; /* random, retry-after, attempt, retryable */
	bool is_retried;
	int64_t delay_us;
	const char *reason;
} decision_row;

static void check(const decision_row *row, size_t i)
{
	sb_retry_decision decision;

	sb_retry_decide(&row->policy, &row->failure, &decision);
	if (decision.is_retried != row->is_retried || decision.delay_us != row->delay_us)
		fail_msg("row %zu: %d after %lld, not %d after %lld", i, decision.is_retried,
			 (long long)decision.delay_us, row->is_retried, (long long)row->delay_us);
	assert_string_equal(decision.reason, row->reason);
}

static void check_all(const decision_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&rows[i], i);
}

static void a_failure_is_final_as_the_table_says(void **state)
{
	static const decision_row rows[] = {
		{ { FIXED, 5, S, S, 0 }, { 0, -1, 1, false }, false, 0, "not_retryable" },
		{ { FIXED, 5, S, S, 0 }, { 0, S, 1, false }, false, 0, "not_retryable" },
		{ { FIXED, 5, S, S, 0 }, { 0, -1, 4, true }, true, S, "backoff" },
		{ { FIXED, 5, S, S, 0 }, { 0, -1, 5, true }, false, 0, "attempts_used_up" },
		{ { FIXED, 5, S, S, 0 }, { 0, -1, 6, true }, false, 0, "attempts_used_up" },
		{ { FIXED, 5, S, S, 0 }, { 0, S, 5, true }, false, 0, "attempts_used_up" },
		{ { FIXED, 1, S, S, 0 }, { 0, -1, 1, true }, false, 0, "attempts_used_up" },
		{ { NONE, 5, S, S, 0 }, { 0, -1, 1, true }, false, 0, "no_retries" },
		{ { NONE, 5, S, S, 0 }, { 0, S, 1, true }, false, 0, "no_retries" },
		{ { 0, 5, S, S, 0 }, { 0, -1, 1, true }, false, 0, "no_retries" },
		{ { 6, 5, S, S, 0 }, { 0, -1, 1, true }, false, 0, "no_retries" },
		{ { FIXED, 0, S, S, 0 }, { 0, -1, 1, true }, false, 0, "attempts_used_up" },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void the_handler_says_when_up_to_the_cap(void **state)
{
	static const decision_row rows[] = {
		{ { FIXED, 5, S, 9 * S, 0 }, { 0, 3 * S, 1, true }, true, 3 * S, "retry_after" },
		{ { FIXED, 5, S, 9 * S, 0 }, { 0, 0, 1, true }, true, 0, "retry_after" },
		{ { FIXED, 5, S, 9 * S, 0 }, { 0, 10 * S, 1, true }, true, 9 * S, "retry_after" },
		{ { FIXED, 5, S, 9 * S, 0 }, { 0, MOST, 1, true }, true, 9 * S, "retry_after" },
		{ { FIXED, 5, S, 9 * S, 100 }, { 7, 3 * S, 1, true }, true, 3 * S, "retry_after" },
		{ { FIXED, 5, S, 9 * S, 0 }, { 0, INT64_MIN, 1, true }, true, S, "backoff" },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

typedef struct backoff_row {
	uint32_t kind;
	int64_t delays_s[6]; /* after the first failure, the second, ... */
} backoff_row;

static void delays_grow_as_the_table_says(void **state)
{
	static const backoff_row rows[] = {
		{ FIXED, { 2, 2, 2, 2, 2, 2 } },
		{ LINEAR, { 2, 4, 6, 8, 10, 12 } },
		{ EXPONENTIAL, { 2, 4, 8, 16, 32, 50 } },
		{ FIBONACCI, { 2, 2, 4, 6, 10, 16 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (uint32_t n = 1; n <= 6; n++)
			check(&(decision_row){ { rows[i].kind, 7, 2 * S, 50 * S, 0 },
					       { 0, -1, n, true },
					       true,
					       rows[i].delays_s[n - 1] * S,
					       "backoff" },
			      i);
}

static void nothing_overflows(void **state)
{
	static const uint32_t attempts[] = { 3, 62, 63, 64, 65, 91, 92, 93, 94, UINT32_MAX - 1 };

	(void)state;
	for (uint32_t kind = FIXED; kind <= FIBONACCI; kind++)
		for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
			const sb_retry_failure failure = { ALL_ONES, -1, attempts[i], true };
			decision_row row = { { kind, UINT32_MAX, MOST - 1, MOST, 0 },
					     failure,
					     true,
					     kind == FIXED ? MOST - 1 : MOST,
					     "backoff" };

			check(&row, i);
			row.policy = (sb_retry_policy){ kind, UINT32_MAX, MOST, 1, UINT32_MAX };
			row.delay_us = 1;
			check(&row, i);
		}
}

static void a_delay_is_never_negative(void **state)
{
	static const decision_row rows[] = {
		{ { FIXED, 5, INT64_MIN, S, 100 }, { ALL_ONES, -1, 1, true }, true, 0, "backoff" },
		{ { FIXED, 5, S, INT64_MIN, 100 }, { ALL_ONES, -1, 1, true }, true, 0, "backoff" },
		{ { FIXED, 5, S, -1, 100 }, { 0, S, 1, true }, true, 0, "retry_after" },
		{ { EXPONENTIAL, 5, S, S, 0 }, { 0, -1, 0, true }, true, S, "backoff" },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void jitter_spreads_as_the_table_says(void **state)
{
	static const decision_row rows[] = {
		{ { FIXED, 5, S, 9 * S, 10 }, { 0, -1, 1, true }, true, 900000, "backoff" },
		{ { FIXED, 5, S, 9 * S, 10 }, { ALL_ONES, -1, 1, true }, true, 1100000, "backoff" },
		{ { FIXED, 5, S, 9 * S, 10 },
		  { UINT64_C(1) << 63, -1, 1, true },
		  true,
		  1000000,
		  "backoff" },
		{ { FIXED, 5, S, 9 * S, 100 }, { 0, -1, 1, true }, true, 0, "backoff" },
		{ { FIXED, 5, S, 9 * S, 100 }, { ALL_ONES, -1, 1, true }, true, 2 * S, "backoff" },
		/* The cap holds after the jitter, and what it leaves is spread evenly. */
		{ { FIXED, 5, S, S, 10 }, { 0, -1, 1, true }, true, 900000, "backoff" },
		{ { FIXED, 5, S, S, 10 }, { ALL_ONES, -1, 1, true }, true, S, "backoff" },
		{ { FIXED, 5, S, S, 10 },
		  { UINT64_C(1) << 63, -1, 1, true },
		  true,
		  950000,
		  "backoff" },
		/* Less than a part of a percent is no jitter. */
		{ { FIXED, 5, 9, S, 10 }, { ALL_ONES, -1, 1, true }, true, 9, "backoff" },
		{ { FIXED, 5, 0, S, 100 }, { ALL_ONES, -1, 1, true }, true, 0, "backoff" },
		{ { FIXED, 5, MOST, MOST, 100 }, { 0, -1, 1, true }, true, 0, "backoff" },
		{ { FIXED, 5, MOST, MOST, 100 }, { ALL_ONES, -1, 1, true }, true, MOST, "backoff" },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void a_policy_is_resolved_field_by_field(void **state)
{
	const sb_retry_policy nothing = { 0 };
	const sb_retry_policy step = { FIXED, 0, 0, 7 * S, 0 };
	const sb_retry_policy handler = { LINEAR, 3, 2 * S, 8 * S, 0 };
	sb_retry_policy policy = sb_retry_policy_resolve(&step, &handler, &sb_retry_policy_default);

	(void)state;
	assert_int_equal(policy.kind, FIXED);
	assert_int_equal(policy.attempt_count_max, 3);
	assert_int_equal(policy.base_us, 2 * S);
	assert_int_equal(policy.cap_us, 7 * S);
	assert_int_equal(policy.jitter_percent, 10);
	policy = sb_retry_policy_resolve(&nothing, &nothing, &sb_retry_policy_default);
	assert_int_equal(policy.kind, STEPBUS_RETRY_EXPONENTIAL);
	assert_int_equal(policy.attempt_count_max, 5);
	assert_int_equal(policy.base_us, S);
	assert_int_equal(policy.cap_us, 300 * S);
	assert_int_equal(policy.jitter_percent, 10);
}

static void what_no_policy_may_hold_is_not_said(void **state)
{
	const sb_retry_policy hostile = { 6, 0, -1, INT64_MIN, 101 };
	sb_retry_policy policy =
		sb_retry_policy_resolve(&hostile, &hostile, &sb_retry_policy_default);

	(void)state;
	assert_int_equal(policy.kind, STEPBUS_RETRY_EXPONENTIAL);
	assert_int_equal(policy.base_us, S);
	assert_int_equal(policy.cap_us, 300 * S);
	assert_int_equal(policy.jitter_percent, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_final_as_the_table_says),
		cmocka_unit_test(the_handler_says_when_up_to_the_cap),
		cmocka_unit_test(delays_grow_as_the_table_says),
		cmocka_unit_test(nothing_overflows),
		cmocka_unit_test(a_delay_is_never_negative),
		cmocka_unit_test(jitter_spreads_as_the_table_says),
		cmocka_unit_test(a_policy_is_resolved_field_by_field),
		cmocka_unit_test(what_no_policy_may_hold_is_not_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
