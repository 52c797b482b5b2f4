/* SPDX-License-Identifier: MIT */
/* Loans: references that cost nothing until their object is called in. */
#include <string.h>

#include "base/guard.h"
#include "support/cmocka.h"
#include "support/thread.h"

/* Something to borrow. */
typedef struct thing {
	_Alignas(8) _Atomic(uint32_t) state;
	_Atomic(uint64_t) ref_count;
} thing;

static void a_loan_that_is_given_back_leaves_nothing(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	thing one = { .state = SB_GUARD_LENDING };

	(void)state;
	assert_true(sb_guard_borrow(thread, &one, &one.state));
	assert_true(sb_guard_give_back(&one, &one.state));
	sb_guard_call_in(&one, &one.state, &one.ref_count);
	assert_int_equal(one.ref_count, 0);
	assert_int_equal(one.state, SB_GUARD_CALLED_IN);
	/* And from then on it is not lent any more. */
	assert_false(sb_guard_borrow(thread, &one, &one.state));
}

static void loans_that_are_called_in_become_references(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	thing one = { .ref_count = 5 }, other = { .ref_count = 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(sb_guard_borrow(thread, &one, &one.state));
	assert_true(sb_guard_borrow(thread, &other, &other.state));
	sb_guard_call_in(&one, &one.state, &one.ref_count);
	assert_int_equal(one.ref_count, 8);
	/* The borrower learns that it owes a reference, each time. */
	for (int i = 0; i < 3; i++)
		assert_false(sb_guard_give_back(&one, &one.state));
	assert_true(sb_guard_give_back(&other, &other.state));
	/* One that was never borrowed is a reference too. */
	assert_false(sb_guard_give_back(&one, &one.state));
}

static void loans_may_be_given_back_in_any_order(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	thing things[5] = { { .ref_count = 0 } };
	static const size_t order[] = { 1, 4, 0, 2, 3 };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_true(sb_guard_borrow(thread, &things[i], &things[i].state));
	for (size_t i = 0; i < 5; i++)
		assert_true(sb_guard_give_back(&things[order[i]], &things[order[i]].state));
	for (size_t i = 0; i < 5; i++) {
		sb_guard_call_in(&things[i], &things[i].state, &things[i].ref_count);
		assert_int_equal(things[i].ref_count, 0);
	}
}

static void a_thread_has_room_for_so_many_loans(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	thing one = { .ref_count = 0 };

	(void)state;
	for (size_t i = 0; i < SB_GUARD_LOAN_COUNT; i++)
		assert_true(sb_guard_borrow(thread, &one, &one.state));
	assert_false(sb_guard_borrow(thread, &one, &one.state));
	for (size_t i = 0; i < SB_GUARD_LOAN_COUNT; i++)
		assert_true(sb_guard_give_back(&one, &one.state));
	assert_false(sb_guard_give_back(&one, &one.state));
}

/* A loan is given back while its object is called in: it is counted, or it is gone. */
typedef struct race {
	test_meeting meeting;
	thing *things;
	bool *was_loan;
	uint32_t round_count;
	size_t loans_below; /* how many other loans the thread has */
	test_thread thread;
} race;

static void borrow_and_give_back(void *context)
{
	race *r = context;
	sb_guard_thread *thread = sb_guard_thread_get();
	static thing others[4];

	for (size_t i = 0; i < r->loans_below; i++)
		sb_guard_borrow(thread, &others[i], &others[i].state);
	for (uint32_t i = 0; i < r->round_count; i++) {
		sb_guard_borrow(thread, &r->things[i], &r->things[i].state);
		test_meet(&r->meeting, i);
		test_dawdle(i / 64 % 64);
		r->was_loan[i] = sb_guard_give_back(&r->things[i], &r->things[i].state);
	}
	for (size_t i = 0; i < r->loans_below; i++)
		sb_guard_give_back(&others[i], &others[i].state);
}

static void race_to_the_bank(bool is_fenced, size_t loans_below)
{
	enum { ROUND_COUNT = 20000 };
	static thing things[ROUND_COUNT];
	static bool was_loan[ROUND_COUNT];
	race r = { .things = things,
		   .was_loan = was_loan,
		   .round_count = ROUND_COUNT,
		   .loans_below = loans_below };
	int bad_count = 0;

	memset(things, 0, sizeof things);
	sb_guard_force_fences(is_fenced);
	test_thread_start(&r.thread, borrow_and_give_back, &r);
	for (uint32_t i = 0; i < ROUND_COUNT; i++) {
		test_meet(&r.meeting, i);
		test_dawdle(i % 64);
		sb_guard_call_in(&things[i], &things[i].state, &things[i].ref_count);
	}
	test_thread_join(&r.thread);
	sb_guard_force_fences(false);
	for (int i = 0; i < ROUND_COUNT; i++)
		bad_count += things[i].ref_count != (was_loan[i] ? 0 : 1);
	assert_int_equal(bad_count, 0);
}

static void a_loan_is_either_counted_or_given_back(void **state)
{
	(void)state;
	race_to_the_bank(false, 0);
	race_to_the_bank(false, 4);
}

static void a_loan_is_either_counted_or_given_back_with_fences(void **state)
{
	(void)state;
	race_to_the_bank(true, 0);
	race_to_the_bank(true, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_has_room_for_so_many_loans),
		cmocka_unit_test(a_loan_that_is_given_back_leaves_nothing),
		cmocka_unit_test(loans_that_are_called_in_become_references),
		cmocka_unit_test(loans_may_be_given_back_in_any_order),
		cmocka_unit_test(a_loan_is_either_counted_or_given_back),
		cmocka_unit_test(a_loan_is_either_counted_or_given_back_with_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
