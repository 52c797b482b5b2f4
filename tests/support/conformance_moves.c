/* SPDX-License-Identifier: MIT */
/* Changes of state: what they write, and what keeps them from it. */
#include <string.h>

#include "support/conformance.h"

/* A status as it may be in a state, each number unlike all others. */
static sb_step_status status_in(const test_store *w, sb_step_state state)
{
	sb_step_status status = { .deadline_at_us = 90000,
				  .token = 71,
				  .worker_id = w->worker_id,
				  .changed_at_us = 4321,
				  .attempt_count = 4,
				  .crash_count = 2,
				  .checkpoint_count = 7,
				  .state = state };

	if (state == SB_STEP_SCHEDULED)
		status.due_at_us = 6000;
	if (state == SB_STEP_PARKED)
		status.park_key = -17;
	if (sb_step_state_is_final(state))
		status.execution_us = 55;
	return status;
}

static void move_and_check(test_store *w, sb_step_event event, sb_step_state from, sb_step_state to)
{
	int64_t id = test_step_in(w, from);
	sb_step_status before = test_status_of(w, id);
	sb_step_move move = {
		.event = event, .from = from, .from_token = before.token, .to = status_in(w, to)
	};
	sb_step_status wanted = move.to, got;

	move.to.id = wanted.id = id;
	wanted.queue_id = before.queue_id;
	wanted.handler_id = before.handler_id;
	wanted.priority = before.priority;
	wanted.concurrency_key = before.concurrency_key;
	if (sb_step_state_is_final(to))
		wanted.deadline_at_us = 0;
	STORE_OK(w, step_move, &move, 1);
	assert_true(move.is_done);
	got = test_status_of(w, id);
	test_assert_same_status(&got, &wanted);
}

/* Calls act for every move of the table but the first one of a step. */
static void for_each_move(test_store *w, void (*act)(test_store *w, sb_step_event event,
						     sb_step_state from, sb_step_state to))
{
	for (int event = SB_STEP_ENQUEUE + 1; event < SB_STEP_EVENT_COUNT; event++)
		for (int from = SB_STEP_STATE_MIN; from <= SB_STEP_STATE_MAX; from++)
			for (int to = SB_STEP_STATE_MIN; to <= SB_STEP_STATE_MAX; to++)
				if (sb_step_can_move((sb_step_event)event, (sb_step_state)from,
						     (sb_step_state)to))
					act(w, (sb_step_event)event, (sb_step_state)from,
					    (sb_step_state)to);
}

static void every_move_of_the_table_writes_its_status(void **state)
{
	test_store *w = *state;

	test_begin(w);
	for_each_move(w, move_and_check);
	test_commit(w);
}

static void refuse(test_store *w, sb_step_move move, const sb_step_status *before)
{
	sb_step_status got;

	move.is_done = true;
	STORE_OK(w, step_move, &move, 1);
	assert_false(move.is_done);
	got = test_status_of(w, before->id);
	test_assert_same_status(&got, before);
}

static void try_wrong_guards(test_store *w, sb_step_event event, sb_step_state from,
			     sb_step_state to)
{
	int64_t id = test_step_in(w, from);
	const sb_step_status before = test_status_of(w, id);
	sb_step_move move = {
		.event = event, .from = from, .from_token = before.token + 1, .to = status_in(w, to)
	};

	move.to.id = id;
	refuse(w, move, &before);
	move.from_token = before.token;
	for (int other = SB_STEP_STATE_MIN; other <= SB_STEP_STATE_MAX; other++) {
		move.from = (sb_step_state)other;
		if (move.from != from)
			refuse(w, move, &before);
	}
}

static void a_move_with_a_wrong_guard_changes_nothing(void **state)
{
	test_store *w = *state;

	test_begin(w);
	for_each_move(w, try_wrong_guards);
	test_commit(w);
}

static void a_move_leaves_what_is_never_changed(void **state)
{
	test_store *w = *state;
	sb_step_row row = test_step_row(w);
	sb_step_status got;
	int64_t id;

	test_begin(w);
	row.priority = 5;
	id = test_step_add(w, row,
			   (sb_step_status){ .state = SB_STEP_READY, .concurrency_key = -9 });
	test_step_to(w, id, SB_STEP_CLAIM,
		     (sb_step_status){ .queue_id = 900,
				       .handler_id = 901,
				       .priority = 902,
				       .concurrency_key = -903,
				       .state = SB_STEP_RUNNING,
				       .worker_id = w->worker_id });
	got = test_status_of(w, id);
	assert_int_equal(got.queue_id, w->queue_ids[0]);
	assert_int_equal(got.handler_id, w->handler_ids[0]);
	assert_int_equal(got.priority, 5);
	assert_int_equal(got.concurrency_key, -9);
	test_commit(w);
}

static sb_step_move claim_of(const test_store *w, int64_t id, int64_t token)
{
	return (sb_step_move){ .event = SB_STEP_CLAIM,
			       .from = SB_STEP_READY,
			       .to = { .id = id,
				       .token = token,
				       .worker_id = w->worker_id,
				       .state = SB_STEP_RUNNING } };
}

static void each_move_of_a_call_is_held_against_its_own_guard(void **state)
{
	test_store *w = *state;
	int64_t first, second, running;
	sb_step_move moves[5];

	test_begin(w);
	first = test_step_in(w, SB_STEP_READY);
	running = test_step_in(w, SB_STEP_RUNNING);
	second = test_step_in(w, SB_STEP_READY);
	moves[0] = claim_of(w, first, 101);
	moves[1] = claim_of(w, running, 102);
	moves[2] = claim_of(w, 888888, 103);
	moves[3] = claim_of(w, second, 104);
	moves[4] = claim_of(w, first, 105); /* the first one was before it */
	STORE_OK(w, step_move, moves, 5);
	assert_true(moves[0].is_done);
	assert_false(moves[1].is_done);
	assert_false(moves[2].is_done);
	assert_true(moves[3].is_done);
	assert_false(moves[4].is_done);
	assert_int_equal(test_status_of(w, first).token, 101);
	assert_int_equal(test_status_of(w, second).token, 104);
	test_commit(w);
}

static void moves_of_no_steps_are_none(void **state)
{
	test_store *w = *state;
	sb_step_move move = claim_of(w, 1, 1);

	test_begin(w);
	STORE_OK(w, step_move, &move, 0);
	test_commit(w);
}

static void a_second_completion_finds_the_step_gone_on(void **state)
{
	test_store *w = *state;
	int64_t id;
	sb_step_move late;

	test_begin(w);
	id = test_step_in(w, SB_STEP_RUNNING);
	late = (sb_step_move){ .event = SB_STEP_SUCCEED,
			       .from = SB_STEP_RUNNING,
			       .from_token = test_status_of(w, id).token,
			       .to = { .id = id, .state = SB_STEP_COMPLETED } };
	test_step_to(w, id, SB_STEP_RETRY, (sb_step_status){ .state = SB_STEP_READY });
	STORE_OK(w, step_move, &late, 1);
	assert_false(late.is_done);
	test_step_to(w, id, SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING, .worker_id = w->worker_id });
	STORE_OK(w, step_move, &late, 1);
	assert_false(late.is_done);
	assert_int_equal(test_status_of(w, id).state, SB_STEP_RUNNING);
	test_commit(w);
}

static void what_was_moved_is_there_after_a_reopening(void **state)
{
	test_store *w = *state;
	sb_step_status before, after;
	int64_t id;

	test_begin(w);
	id = test_step_in(w, SB_STEP_QUARANTINED);
	before = test_status_of(w, id);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	after = test_status_of(w, id);
	test_assert_same_status(&after, &before);
	test_commit(w);
}

test_part test_conformance_moves(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(every_move_of_the_table_writes_its_status),
		STORE_TEST(a_move_with_a_wrong_guard_changes_nothing),
		STORE_TEST(a_move_leaves_what_is_never_changed),
		STORE_TEST(each_move_of_a_call_is_held_against_its_own_guard),
		STORE_TEST(moves_of_no_steps_are_none),
		STORE_TEST(a_second_completion_finds_the_step_gone_on),
		STORE_TEST(what_was_moved_is_there_after_a_reopening),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
