/* SPDX-License-Identifier: MIT */
/* The sums of dispatch metrics. */
#include "handlers/dispatch.h"

#include "support/cmocka.h"

#define MS INT64_C(1000000)

static const uint8_t ids[4][16] = { { 1 }, { 2 }, { 3 }, { 4 } };

static stepbus_dispatch_metrics sum_of(const sb_dispatch_step *steps, size_t count, int64_t now_ns,
				       int64_t starvation_ms)
{
	sb_dispatch_sum sum;

	sb_dispatch_begin(&sum, now_ns, starvation_ms);
	for (size_t i = 0; i < count; i++)
		sb_dispatch_add(&sum, &steps[i]);
	sb_dispatch_end(&sum);
	return sum.metrics;
}

static void nothing_is_pending_where_there_is_nothing(void **state)
{
	static const uint8_t none[16];
	stepbus_dispatch_metrics m = sum_of(NULL, 0, 100 * MS, 10);

	(void)state;
	assert_int_equal(m.size, sizeof m);
	assert_int_equal(m.pending_count, 0);
	assert_int_equal(m.is_starving, 0);
	assert_int_equal(m.oldest_age_ms, 0);
	assert_int_equal(m.newest_age_ms, 0);
	assert_memory_equal(m.oldest_step_id, none, sizeof none);
}

static void waiting_and_polled_steps_are_counted_apart(void **state)
{
	static const sb_dispatch_step steps[] = {
		{ ids[0], 70 * MS, false },
		{ ids[1], 20 * MS, true },
		{ ids[2], 95 * MS, false },
		{ ids[3], 30 * MS, false },
	};
	stepbus_dispatch_metrics m = sum_of(steps, 4, 100 * MS, 25);

	(void)state;
	assert_int_equal(m.pending_count, 4);
	assert_int_equal(m.waiting_count, 3);
	assert_int_equal(m.polled_count, 1);
	assert_int_equal(m.oldest_age_ms, 80);
	assert_int_equal(m.newest_age_ms, 5);
	assert_memory_equal(m.oldest_step_id, ids[1], 16);
	/* A polled step has somebody; only what waits starves. */
	assert_int_equal(m.starving_count, 2);
	assert_int_equal(m.is_starving, 1);
}

static void an_age_at_the_bound_is_no_starvation(void **state)
{
	static const sb_dispatch_step step = { ids[0], 75 * MS, false };

	(void)state;
	assert_int_equal(sum_of(&step, 1, 100 * MS, 25).is_starving, 0);
	assert_int_equal(sum_of(&step, 1, 100 * MS + 1, 25).is_starving, 1);
	assert_int_equal(sum_of(&step, 1, INT64_MAX, 0).is_starving, 0);
	assert_int_equal(sum_of(&step, 1, INT64_MAX, INT64_MAX).is_starving, 0);
}

static void what_was_noticed_meanwhile_is_new(void **state)
{
	static const sb_dispatch_step step = { ids[0], 101 * MS, true };
	stepbus_dispatch_metrics m = sum_of(&step, 1, 100 * MS, 25);

	(void)state;
	assert_int_equal(m.oldest_age_ms, 0);
	assert_int_equal(m.newest_age_ms, 0);
	assert_memory_equal(m.oldest_step_id, ids[0], 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_pending_where_there_is_nothing),
		cmocka_unit_test(waiting_and_polled_steps_are_counted_apart),
		cmocka_unit_test(an_age_at_the_bound_is_no_starvation),
		cmocka_unit_test(what_was_noticed_meanwhile_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
