/* SPDX-License-Identifier: MIT */
#include "bridge/topic.h"

#include "support/cmocka.h"

typedef struct match_row {
	const char *pattern;
	const char *name;
	bool is_match;
} match_row;

static void a_pattern_matches_as_the_table_says(void **state)
{
	static const match_row rows[] = {
		{ "step.completed", "step.completed", true },
		{ "step.completed", "step.complete", false },
		{ "step.completed", "step.completed.late", false },
		{ "step.completed", "Step.completed", false },
		{ "step", "step.completed", false },
		{ "*", "step", true },
		{ "*", "step.execution.received", true },
		{ "step.*", "step", false },
		{ "step.*", "step.completed", true },
		{ "step.*", "step.execution.received", true },
		{ "step.*", "steps.completed", false },
		{ "*.error", "handler.error", true },
		{ "*.error", "handler.sub.error", false },
		{ "step.*.received", "step.execution.received", true },
		{ "step.*.received", "step.received", false },
		{ "step.*.*", "step.a", false },
		{ "step.*.*", "step.a.b.c", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (sb_topic_is_match(sb_slice_z(rows[i].pattern), sb_slice_z(rows[i].name)) !=
		    rows[i].is_match)
			fail_msg("'%s' against '%s' should be %d", rows[i].pattern, rows[i].name,
				 rows[i].is_match);
}

static void names_that_are_not_allowed_are_refused(void **state)
{
	static const char *const names[] = { "",   ".", "a.",  ".a",   "a..b",     "a b",
					     "a*", "*", "a.*", "\xff", "a\xc3\xa4" };
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(sb_topic_check_name(sb_slice_z(names[i]), &err), STEPBUS_EINVAL);
	assert_int_equal(sb_topic_check_name(sb_slice_of("a\0b", 3), &err), STEPBUS_EINVAL);
	assert_int_equal(sb_topic_check_name(sb_slice_of(NULL, 0), &err), STEPBUS_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_matches_as_the_table_says),
		cmocka_unit_test(names_that_are_not_allowed_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
