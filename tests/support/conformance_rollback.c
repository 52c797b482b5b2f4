/* SPDX-License-Identifier: MIT */
/* Transactions: what is done inside one and taken back, or kept, for every call that writes. */
#include <stdlib.h>
#include <string.h>

#include "support/conformance.h"

#define CALL(w, call, ...) ((w)->type->call((w)->store, __VA_ARGS__, &(w)->err))

static void fill_steps(test_store *w)
{
	w->keys[0] = sb_slice_z("k1");
	for (int i = SB_STEP_STATE_MIN; i <= SB_STEP_STATE_MAX; i++) {
		w->keys[1] = sb_slice_z(i == SB_STEP_COMPLETED ? "k2" : "k3");
		w->steps[i] = test_step_in(w, (sb_step_state)i);
	}
	w->keys[0] = w->keys[1] = sb_slice_of(NULL, 0);
	w->checkpointed_id = test_step_add(w, test_step_row(w),
					   (sb_step_status){ .state = SB_STEP_READY,
							     .concurrency_key = -77,
							     .checkpoint_count = 1,
							     .deadline_at_us = 1234 });
}

void test_store_fill(test_store *w)
{
	const sb_served_row served = { 0, sb_slice_z("shop"), sb_slice_z("send"), sb_slice_z("") };
	sb_worker_row other = { .name = sb_slice_z("other"), .strategy = sb_slice_z("lifo") };
	sb_cron_row cron = { .name = sb_slice_z("nightly"), .next_at_us = 5 };
	sb_attempt_row attempt = { .token = 1, .outcome = SB_ATTEMPT_FAILURE };
	sb_result_row result = { .bytes = sb_slice_z("result") };
	sb_checkpoint_row checkpoint = { .token = 1, .at_us = 1, .cursor = sb_slice_z("here") };

	test_begin(w);
	fill_steps(w);
	STORE_OK(w, worker_insert, &other);
	w->other_worker_id = other.id;
	STORE_OK(w, served_put, other.id, &served, 1);
	STORE_OK(w, cron_put, &cron);
	attempt.step_id = w->steps[SB_STEP_FAILED];
	attempt.message = sb_slice_z("message");
	STORE_OK(w, attempt_put, &attempt);
	result.step_id = w->steps[SB_STEP_COMPLETED];
	STORE_OK(w, result_put, &result);
	checkpoint.step_id = w->checkpointed_id;
	STORE_OK(w, checkpoint_put, &checkpoint);
	STORE_OK(w, unique_put, sb_slice_z("k1"), w->steps[SB_STEP_READY]);
	STORE_OK(w, unique_put, sb_slice_z("k2"), w->steps[SB_STEP_COMPLETED]);
	test_commit(w);
}

static stepbus_status add_queue(test_store *w)
{
	int64_t id;

	return CALL(w, queue_intern, sb_slice_z("new"), &id);
}

static stepbus_status write_queue(test_store *w)
{
	const sb_queue_row row = { .id = w->queue_ids[0], .paused_at_us = 9, .rate_at_us = 8 };

	return CALL(w, queue_write, &row);
}

static stepbus_status add_handler(test_store *w)
{
	const sb_handler_row row = { .handler_namespace = sb_slice_z("a"),
				     .name = sb_slice_z("b") };
	int64_t id;

	return CALL(w, handler_intern, &row, &id);
}

static stepbus_status add_version(test_store *w)
{
	const sb_handler_row row = { .handler_namespace = sb_slice_z("shop"),
				     .name = sb_slice_z("send"),
				     .version = sb_slice_z("9") };
	int64_t id;

	return CALL(w, handler_intern, &row, &id);
}

static stepbus_status record_handler(test_store *w)
{
	const sb_handler_row row = { .handler_namespace = sb_slice_z("shop"),
				     .name = sb_slice_z("send"),
				     .version = sb_slice_z("1"),
				     .recorded_at_us = 77 };

	return CALL(w, handler_record, &row);
}

static stepbus_status add_step(test_store *w)
{
	const sb_step_status status = { .state = SB_STEP_READY,
					.deadline_at_us = 9999,
					.concurrency_key = -78 };
	sb_step_row row = test_step_row(w);

	row.input = sb_slice_z("of a new step");
	return CALL(w, step_insert, &row, &status);
}

/* From ready through all that can come: parked, released, claimed, retried, claimed, completed. */
static stepbus_status move_step(test_store *w)
{
	const int64_t id = w->steps[SB_STEP_READY];
	sb_step_move moves[] = {
		{ .event = SB_STEP_PARK,
		  .from = SB_STEP_READY,
		  .to = { .id = id, .state = SB_STEP_PARKED, .park_key = -3 } },
		{ .event = SB_STEP_RELEASE,
		  .from = SB_STEP_PARKED,
		  .to = { .id = id, .state = SB_STEP_READY, .deadline_at_us = 8 } },
		{ .event = SB_STEP_CLAIM,
		  .from = SB_STEP_READY,
		  .to = { .id = id, .state = SB_STEP_RUNNING, .token = 50, .worker_id = 1 } },
		{ .event = SB_STEP_RETRY,
		  .from = SB_STEP_RUNNING,
		  .from_token = 50,
		  .to = { .id = id, .state = SB_STEP_SCHEDULED, .token = 50, .due_at_us = 7 } },
		{ .event = SB_STEP_FAIL,
		  .from = SB_STEP_SCHEDULED,
		  .from_token = 50,
		  .to = { .id = id, .state = SB_STEP_FAILED, .token = 50, .deadline_at_us = 3 } },
	};

	return CALL(w, step_move, moves, sizeof moves / sizeof *moves);
}

static stepbus_status claim_step(test_store *w)
{
	sb_step_move move = { .event = SB_STEP_CLAIM,
			      .from = SB_STEP_READY,
			      .to = { .id = w->steps[SB_STEP_READY],
				      .state = SB_STEP_RUNNING,
				      .deadline_at_us = 800,
				      .token = 51,
				      .worker_id = w->worker_id } };

	return CALL(w, step_move, &move, 1);
}

static stepbus_status put_attempt(test_store *w)
{
	const sb_attempt_row row = { .step_id = w->steps[SB_STEP_FAILED],
				     .token = 2,
				     .message = sb_slice_z("new") };

	return CALL(w, attempt_put, &row);
}

static stepbus_status replace_attempt(test_store *w)
{
	const sb_attempt_row row = { .step_id = w->steps[SB_STEP_FAILED],
				     .token = 1,
				     .message = sb_slice_z("another") };

	return CALL(w, attempt_put, &row);
}

static stepbus_status put_result(test_store *w)
{
	const sb_result_row row = { .step_id = w->steps[SB_STEP_CANCELLED],
				    .bytes = sb_slice_z("new") };

	return CALL(w, result_put, &row);
}

static stepbus_status replace_result(test_store *w)
{
	const sb_result_row row = { .step_id = w->steps[SB_STEP_COMPLETED],
				    .bytes = sb_slice_z("another") };

	return CALL(w, result_put, &row);
}

static stepbus_status replace_checkpoint(test_store *w)
{
	const sb_checkpoint_row row = { .step_id = w->checkpointed_id,
					.token = 2,
					.at_us = 2,
					.cursor = sb_slice_z("farther") };

	return CALL(w, checkpoint_put, &row);
}

static stepbus_status remove_checkpoint(test_store *w)
{
	return CALL(w, checkpoint_delete, w->checkpointed_id);
}

static stepbus_status put_key(test_store *w)
{
	return CALL(w, unique_put, sb_slice_z("k3"), w->steps[SB_STEP_READY]);
}

static stepbus_status replace_key(test_store *w)
{
	return CALL(w, unique_put, sb_slice_z("k1"), w->steps[SB_STEP_PARKED]);
}

static stepbus_status remove_steps(test_store *w)
{
	return CALL(w, step_delete, w->steps + SB_STEP_STATE_MIN, SB_STEP_STATE_MAX);
}

static stepbus_status remove_and_take_key(test_store *w)
{
	stepbus_status status = CALL(w, step_delete, &w->steps[SB_STEP_READY], 1);

	if (status == STEPBUS_OK)
		status = CALL(w, unique_put, sb_slice_z("k1"), w->steps[SB_STEP_PARKED]);
	if (status == STEPBUS_OK)
		status = CALL(w, step_delete, &w->steps[SB_STEP_PARKED], 1);
	return status;
}

static stepbus_status insert_worker(test_store *w)
{
	sb_worker_row row = { .name = sb_slice_z("third") };

	return CALL(w, worker_insert, &row);
}

static stepbus_status update_worker(test_store *w)
{
	const sb_worker_row row = { .id = w->other_worker_id, .heartbeat_at_us = 55 };

	return CALL(w, worker_update, &row);
}

static stepbus_status stop_worker(test_store *w)
{
	const sb_worker_row row = { .id = w->other_worker_id, .stopped_at_us = 56 };

	return CALL(w, worker_update, &row);
}

static stepbus_status remove_worker(test_store *w)
{
	return CALL(w, worker_delete, w->other_worker_id);
}

static stepbus_status put_served(test_store *w)
{
	const sb_served_row rows[] = {
		{ 0, sb_slice_z("a"), sb_slice_z("b"), sb_slice_z("c") },
		{ 0, sb_slice_z("a"), sb_slice_z("b"), sb_slice_z("d") },
	};

	return CALL(w, served_put, w->other_worker_id, rows, 2);
}

static stepbus_status put_cron(test_store *w)
{
	const sb_cron_row row = { .name = sb_slice_z("hourly"), .next_at_us = 6 };

	return CALL(w, cron_put, &row);
}

static stepbus_status replace_cron(test_store *w)
{
	const sb_cron_row row = { .name = sb_slice_z("nightly"), .next_at_us = 7 };

	return CALL(w, cron_put, &row);
}

static stepbus_status remove_cron(test_store *w)
{
	return CALL(w, cron_delete, sb_slice_z("nightly"));
}

static stepbus_status do_all(test_store *w);

static const test_store_act acts[] = {
	{ "add_queue", add_queue },
	{ "write_queue", write_queue },
	{ "add_handler", add_handler },
	{ "add_version", add_version },
	{ "record_handler", record_handler },
	{ "add_step", add_step },
	{ "move_step", move_step },
	{ "put_attempt", put_attempt },
	{ "replace_attempt", replace_attempt },
	{ "put_result", put_result },
	{ "replace_result", replace_result },
	{ "replace_checkpoint", replace_checkpoint },
	{ "remove_checkpoint", remove_checkpoint },
	{ "put_key", put_key },
	{ "replace_key", replace_key },
	{ "insert_worker", insert_worker },
	{ "update_worker", update_worker },
	{ "put_served", put_served },
	{ "stop_worker", stop_worker },
	{ "remove_worker", remove_worker },
	{ "put_cron", put_cron },
	{ "replace_cron", replace_cron },
	{ "remove_cron", remove_cron },
	{ "remove_steps", remove_steps },
	{ "remove_and_take_key", remove_and_take_key },
	{ "claim_step", claim_step },
	{ "do_all", do_all },
};

/* Up to the removals, which leave nothing for the others. */
static stepbus_status do_all(test_store *w)
{
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; status == STEPBUS_OK && acts[i].run != remove_and_take_key; i++)
		status = acts[i].run(w);
	return status;
}

const test_store_act *test_store_acts(size_t *count)
{
	*count = sizeof acts / sizeof *acts;
	return acts;
}

static void act(test_store *w, const test_store_act *what)
{
	test_store_answers(w, what->name, what->run(w), STEPBUS_OK);
}

static void a_rollback_takes_back_every_call(void **state)
{
	test_store *w = *state;
	char *before;

	test_store_fill(w);
	before = test_store_dump(w);
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		for (int round = 0; round < 2; round++) {
			char *after;

			test_begin(w);
			act(w, &acts[i]);
			test_rollback(w);
			after = test_store_dump(w);
			if (strcmp(before, after) != 0)
				fail_msg("%s was not taken back:\n%s\n%s", acts[i].name, before,
					 after);
			free(after);
		}
	free(before);
}

static void try_commit(void **state, const test_store_act *what)
{
	test_store *w;
	char *before, *after, *reopened;

	/* A store of its own for each act. */
	test_store_teardown(state);
	test_store_setup(state);
	w = *state;
	test_store_fill(w);
	before = test_store_dump(w);
	test_begin(w);
	act(w, what);
	test_commit(w);
	after = test_store_dump(w);
	if (strcmp(before, after) == 0)
		fail_msg("%s changed nothing", what->name);
	test_reopen(w);
	reopened = test_store_dump(w);
	assert_string_equal(after, reopened);
	free(before);
	free(after);
	free(reopened);
}

static void a_commit_keeps_every_call(void **state)
{
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		try_commit(state, &acts[i]);
}

static void a_rollback_takes_back_no_more_than_its_own(void **state)
{
	test_store *w = *state;
	int64_t kept, lost;
	sb_step_status status;

	test_begin(w);
	kept = test_step_in(w, SB_STEP_READY);
	test_commit(w);
	test_begin(w);
	lost = test_step_in(w, SB_STEP_RUNNING);
	test_rollback(w);
	test_begin(w);
	assert_int_equal(test_status_of(w, kept).state, SB_STEP_READY);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_status_read, lost, &status);
	assert_true(test_step_in(w, SB_STEP_READY) > kept);
	test_commit(w);
}

static void a_large_transaction_is_taken_back_whole(void **state)
{
	test_store *w = *state;
	char *before, *after;

	test_store_fill(w);
	before = test_store_dump(w);
	test_begin(w);
	for (int i = 0; i < 2000; i++) {
		int64_t id = test_step_in(w, (sb_step_state)(1 + i % SB_STEP_STATE_MAX));

		if (i % 3 == 0)
			STORE_OK(w, step_delete, &id, 1);
	}
	act(w, &(test_store_act){ "remove_steps", remove_steps });
	test_rollback(w);
	after = test_store_dump(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void an_empty_transaction_is_none(void **state)
{
	test_store *w = *state;

	for (int i = 0; i < 3; i++) {
		test_begin(w);
		test_commit(w);
		test_begin(w);
		test_rollback(w);
	}
}

static void a_store_that_was_just_made_is_looked_at_once(void **state)
{
	test_store *w = *state;

	/* A shared one says true at first; nobody else has written since then. */
	w->type->has_changed(w->store);
	assert_false(w->type->has_changed(w->store));
	test_begin(w);
	test_step_in(w, SB_STEP_READY);
	test_commit(w);
	assert_false(w->type->has_changed(w->store));
}

static void commits_are_counted(void **state)
{
	test_store *w = *state;
	sb_store_stats before, after;

	w->type->stats(w->store, &before);
	test_begin(w);
	test_step_in(w, SB_STEP_READY);
	test_commit(w);
	test_begin(w);
	test_step_in(w, SB_STEP_READY);
	test_rollback(w);
	w->type->stats(w->store, &after);
	assert_int_equal(after.commit_count, before.commit_count + 1);
}

test_part test_conformance_rollback(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(a_rollback_takes_back_every_call),
		STORE_TEST(a_commit_keeps_every_call),
		STORE_TEST(a_rollback_takes_back_no_more_than_its_own),
		STORE_TEST(a_large_transaction_is_taken_back_whole),
		STORE_TEST(an_empty_transaction_is_none),
		STORE_TEST(a_store_that_was_just_made_is_looked_at_once),
		STORE_TEST(commits_are_counted),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
