/* SPDX-License-Identifier: MIT */
#include "store/step_state.h"

#include <string.h>

#include "support/cmocka.h"

enum { STATE_COUNT = SB_STEP_STATE_MAX + 1 };

/*
 * Where each event may lead, for each state it may find: w(aiting), s(cheduled), r(eady), p(arked),
 * R(unning), C(ompleted), F(ailed), X (cancelled), Q(uarantined); "-" is no step yet. Written from
 * the design, not from the source.
 */
typedef struct legal {
	sb_step_event event;
	const char *from;
	const char *to;
} legal;

static const char letters[STATE_COUNT + 1] = "-wsrpRCFXQ";

static const legal legals[] = {
	{ SB_STEP_ENQUEUE, "-", "wsr" },  { SB_STEP_RELEASE, "w", "sr" },
	{ SB_STEP_RELEASE, "s", "r" },    { SB_STEP_RELEASE, "p", "r" },
	{ SB_STEP_PARK, "r", "p" },       { SB_STEP_CLAIM, "r", "R" },
	{ SB_STEP_CLAIM, "p", "R" },      { SB_STEP_GIVE_BACK, "R", "sr" },
	{ SB_STEP_SUCCEED, "R", "C" },    { SB_STEP_RETRY, "R", "sr" },
	{ SB_STEP_FAIL, "wsrpR", "F" },   { SB_STEP_CANCEL, "wsrpR", "X" },
	{ SB_STEP_QUARANTINE, "R", "Q" }, { SB_STEP_REDRIVE, "F", "sr" },
	{ SB_STEP_REDRIVE, "X", "sr" },   { SB_STEP_REDRIVE, "Q", "sr" },
};

static bool is_legal(int event, int from, int to)
{
	for (size_t i = 0; i < sizeof legals / sizeof *legals; i++)
		if ((int)legals[i].event == event &&
		    strchr(legals[i].from, letters[from]) != NULL &&
		    strchr(legals[i].to, letters[to]) != NULL)
			return true;
	return false;
}

static void moves_are_those_of_the_table_and_no_others(void **state)
{
	size_t legal_count = 0;

	(void)state;
	for (int event = 0; event < SB_STEP_EVENT_COUNT; event++)
		for (int from = 0; from < STATE_COUNT; from++)
			for (int to = 0; to < STATE_COUNT; to++) {
				bool can = sb_step_can_move((sb_step_event)event,
							    (sb_step_state)from, (sb_step_state)to);

				if (can != is_legal(event, from, to))
					fail_msg("%s: %c to %c should be %d",
						 sb_step_event_name((sb_step_event)event),
						 letters[from], letters[to], !can);
				legal_count += can;
			}
	assert_int_equal(legal_count, 32);
}

static void what_is_no_state_or_event_moves_nowhere(void **state)
{
	static const int strange[] = { -1, 10, 31, 32, 33, 64, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
		for (int other = 0; other < STATE_COUNT; other++) {
			for (int event = 0; event < SB_STEP_EVENT_COUNT; event++) {
				assert_false(sb_step_can_move((sb_step_event)event,
							      (sb_step_state)strange[i],
							      (sb_step_state)other));
				assert_false(sb_step_can_move((sb_step_event)event,
							      (sb_step_state)other,
							      (sb_step_state)strange[i]));
			}
			assert_false(sb_step_can_move((sb_step_event)(SB_STEP_EVENT_COUNT + i),
						      SB_STEP_READY, (sb_step_state)other));
		}
}

static void nothing_but_a_redrive_leaves_a_final_state(void **state)
{
	(void)state;
	for (int from = SB_STEP_STATE_MIN; from <= SB_STEP_STATE_MAX; from++) {
		assert_int_equal(sb_step_state_is_final((sb_step_state)from),
				 strchr("CFXQ", letters[from]) != NULL);
		if (!sb_step_state_is_final((sb_step_state)from))
			continue;
		for (int event = 0; event < SB_STEP_EVENT_COUNT; event++)
			for (int to = 0; to < STATE_COUNT && event != SB_STEP_REDRIVE; to++)
				assert_false(sb_step_can_move((sb_step_event)event,
							      (sb_step_state)from,
							      (sb_step_state)to));
	}
	assert_false(sb_step_state_is_final((sb_step_state)0));
	assert_false(sb_step_state_is_final((sb_step_state)10));
	assert_false(sb_step_state_is_final((sb_step_state)-1));
}

/* The numbers stand in databases. */
static void states_have_their_numbers_and_names(void **state)
{
	static const char *const names[] = { "waiting", "scheduled", "ready",
					     "parked",  "running",   "completed",
					     "failed",  "cancelled", "quarantined" };

	(void)state;
	for (int i = 1; i < STATE_COUNT; i++) {
		assert_string_equal(sb_step_state_name(i), names[i - 1]);
		assert_int_equal(sb_step_state_of(names[i - 1], strlen(names[i - 1])), i);
	}
	assert_int_equal(SB_STEP_QUARANTINED, 9);
	assert_null(sb_step_state_name(0));
	assert_null(sb_step_state_name(STATE_COUNT));
	assert_null(sb_step_state_name(-1));
}

static void what_is_no_name_is_no_state(void **state)
{
	(void)state;
	assert_int_equal(sb_step_state_of("", 0), 0);
	assert_int_equal(sb_step_state_of("read", 4), 0);
	assert_int_equal(sb_step_state_of("readyy", 6), 0);
	assert_int_equal(sb_step_state_of("Ready", 5), 0);
	assert_int_equal(sb_step_state_of("ready", 4), 0);
	assert_int_equal(sb_step_state_of("ready to go", 5), SB_STEP_READY);
}

static void events_have_names_of_their_own(void **state)
{
	(void)state;
	for (int i = 0; i < SB_STEP_EVENT_COUNT; i++) {
		assert_non_null(sb_step_event_name((sb_step_event)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(sb_step_event_name((sb_step_event)i),
						sb_step_event_name((sb_step_event)k));
	}
	assert_null(sb_step_event_name(SB_STEP_EVENT_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_are_those_of_the_table_and_no_others),
		cmocka_unit_test(what_is_no_state_or_event_moves_nowhere),
		cmocka_unit_test(nothing_but_a_redrive_leaves_a_final_state),
		cmocka_unit_test(states_have_their_numbers_and_names),
		cmocka_unit_test(what_is_no_name_is_no_state),
		cmocka_unit_test(events_have_names_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
