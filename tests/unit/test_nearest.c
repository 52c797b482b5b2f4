/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include "support/cmocka.h"

static sb_slice nearest_of(sb_slice wanted, const char *const *names)
{
	sb_nearest nearest = sb_nearest_to(wanted);

	for (; *names != NULL; names++)
		sb_nearest_offer(&nearest, sb_slice_z(*names));
	return nearest.best;
}

typedef struct row {
	const char *wanted;
	const char *names[4];
	const char *best; /* NULL: none is near enough */
} row;

static const row rows[] = {
	{ "step.done", { "step.done" }, "step.done" },
	{ "step.dne", { "step.done" }, "step.done" },
	{ "step.donee", { "step.done" }, "step.done" },
	{ "step.bone", { "step.done" }, "step.done" },
	{ "setp.done", { "step.done" }, "step.done" },
	{ "STEP.DONE", { "step.done" }, "step.done" },
	{ "step.done", { "STEP.DONE" }, "STEP.DONE" },
	{ "step.completed", { "step.complete", "task.completed" }, "step.complete" },
	{ "step.completed", { "task.completed", "step.complete" }, "step.complete" },
	{ "handler.eror", { "handler.error", "poller.error" }, "handler.error" },
	/* Of equally near ones the first. */
	{ "cat", { "bat", "hat" }, "bat" },
	{ "cat", { "hat", "bat" }, "hat" },
	/* A third of the letters and one more may be wrong. */
	{ "abcdef", { "abcxyz" }, "abcxyz" },
	{ "abcdef", { "abwxyz" }, NULL },
	{ "abc", { "axy" }, "axy" },
	{ "abc", { "xyz" }, NULL },
	{ "a", { "b" }, "b" },
	{ "a", { "ab" }, "ab" },
	{ "a", { "bc" }, NULL },
	{ "", { "a" }, "a" },
	{ "", { "ab" }, NULL },
	{ "step.done", { "workflow.completed", "poller.metrics" }, NULL },
	{ "step.done", { NULL }, NULL },
};

static void the_nearest_name_is_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_slice best = nearest_of(sb_slice_z(rows[i].wanted), rows[i].names);

		if (rows[i].best == NULL && best.len > 0)
			fail_msg("'%s': nothing should be near enough, not '%s'", rows[i].wanted,
				 best.data);
		if (rows[i].best != NULL && !sb_slice_is_equal(best, sb_slice_z(rows[i].best)))
			fail_msg("'%s': '%s' should be the nearest", rows[i].wanted, rows[i].best);
	}
}

static void names_of_128_bytes_are_compared_and_longer_ones_are_not(void **state)
{
	char wanted[130], name[130];
	sb_nearest nearest;

	(void)state;
	memset(wanted, 'a', sizeof wanted);
	memset(name, 'a', sizeof name);
	name[0] = 'b';
	nearest = sb_nearest_to(sb_slice_of(wanted, 128));
	sb_nearest_offer(&nearest, sb_slice_of(name, 129));
	assert_null(nearest.best.data);
	sb_nearest_offer(&nearest, sb_slice_of(name, 128));
	assert_ptr_equal(nearest.best.data, name);
	assert_int_equal(nearest.distance, 1);
	nearest = sb_nearest_to(sb_slice_of(wanted, 129));
	sb_nearest_offer(&nearest, sb_slice_of(name, 128));
	assert_null(nearest.best.data);
}

/* Names are slices: what lies behind them is not read. */
static void bytes_behind_a_name_do_not_count(void **state)
{
	sb_nearest nearest = sb_nearest_to(sb_slice_of("donexxxxxxxx", 4));

	(void)state;
	sb_nearest_offer(&nearest, sb_slice_of("dongyyyyyyyy", 4));
	assert_int_equal(nearest.best.len, 4);
	assert_int_equal(nearest.distance, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_name_is_as_the_table_says),
		cmocka_unit_test(names_of_128_bytes_are_compared_and_longer_ones_are_not),
		cmocka_unit_test(bytes_behind_a_name_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
