/* SPDX-License-Identifier: MIT */
/* Every function of the store once, on a file; what each must do is in conformance.c. */
#include <string.h>

#include "support/cmocka.h"
#include "support/sqlite_world.h"

static bool count_view(void *context, const sb_step_view *view)
{
	(void)view;
	++*(int *)context;
	return true;
}

static bool keep_view(void *context, const sb_step_view *view)
{
	sb_step_view *kept = context;

	*kept = *view;
	assert_string_equal(view->queue.data, "default");
	assert_true(sb_slice_is_equal(view->handler.name, sb_slice_z("work")));
	return true;
}

static bool count_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	(void)worker;
	assert_true(row->token > 0);
	++*(int *)context;
	return true;
}

static bool count_queue(void *context, const sb_queue_row *row)
{
	assert_true(row->id > 0);
	++*(int *)context;
	return true;
}

static bool count_worker(void *context, const sb_worker_row *row)
{
	assert_true(sb_slice_is_equal(row->name, sb_slice_z("w1")));
	++*(int *)context;
	return true;
}

static bool count_served(void *context, const sb_served_row *row)
{
	assert_true(sb_slice_is_equal(row->name, sb_slice_z("work")));
	++*(int *)context;
	return true;
}

static bool count_cron(void *context, const sb_cron_row *row)
{
	assert_true(sb_slice_is_equal(row->name, sb_slice_z("nightly")));
	++*(int *)context;
	return true;
}

static bool count_tally(void *context, sb_slice queue, sb_step_state state, int64_t count)
{
	(void)queue;
	(void)state;
	*(int *)context += (int)count;
	return true;
}

static sb_step_move move_of(const sb_step_status *status, sb_step_event event, sb_step_state to)
{
	sb_step_move move = {
		.event = event, .from = status->state, .from_token = status->token, .to = *status
	};

	move.to.state = to;
	return move;
}

static void a_step_lives_from_enqueue_to_completion(void **state)
{
	test_world *w = *state;
	const sb_store_type *type;
	sb_step_status status = { 0 };
	sb_scan scan = { .kind = SB_SCAN_READY, .queue_id = 1, .priority = 100 };
	sb_result_row result = { .bytes = sb_slice_z("done") };
	sb_step_view view;
	sb_step_move move;
	size_t count;
	int64_t id;
	int attempt_count = 0;

	test_world_open(w);
	type = w->store->type;
	id = test_world_fill(w, 1);
	test_world_begin(w);
	test_ok(w, type->step_scan(w->store, &scan, &status, 1, &count, &w->err));
	assert_int_equal(count, 1);
	assert_int_equal(status.id, id);
	move = move_of(&status, SB_STEP_CLAIM, SB_STEP_RUNNING);
	move.to.token = 7;
	move.to.worker_id = 3;
	move.to.attempt_count = 1;
	test_ok(w, type->step_move(w->store, &move, 1, &w->err));
	assert_true(move.is_done);
	test_ok(w, type->step_move(w->store, &move, 1, &w->err));
	assert_false(move.is_done);
	test_world_commit(w);
	test_world_begin(w);
	test_ok(w, type->step_status_read(w->store, id, &status, &w->err));
	assert_int_equal(status.token, 7);
	move = move_of(&status, SB_STEP_SUCCEED, SB_STEP_COMPLETED);
	test_ok(w, type->step_move(w->store, &move, 1, &w->err));
	assert_true(move.is_done);
	result.step_id = id;
	test_ok(w, type->result_put(w->store, &result, &w->err));
	test_world_commit(w);
	test_ok(w, type->step_view(w->store, id, keep_view, &view, &w->err));
	assert_int_equal(view.status.state, SB_STEP_COMPLETED);
	assert_true(view.has_result);
	assert_false(view.has_error);
	test_ok(w, type->attempt_list(w->store, id, count_attempt, &attempt_count, &w->err));
	assert_int_equal(attempt_count, 1);
}

static void lists_and_counts_agree(void **state)
{
	test_world *w = *state;
	sb_step_filter filter = { .states = 1U << SB_STEP_READY, .count_max = 1000 };
	const sb_store_type *type;
	int64_t count;
	int seen = 0, tallied = 0;

	test_world_open(w);
	type = w->store->type;
	test_world_fill(w, 450);
	test_ok(w, type->step_list(w->store, &filter, count_view, &seen, &w->err));
	test_ok(w, type->step_count(w->store, &filter, &count, &w->err));
	test_ok(w, type->tally(w->store, count_tally, &tallied, &w->err));
	assert_int_equal(seen, 450);
	assert_int_equal(count, 450);
	assert_int_equal(tallied, 450);
	filter.count_max = 7;
	seen = 0;
	filter.is_ascending = true;
	test_ok(w, type->step_list(w->store, &filter, count_view, &seen, &w->err));
	assert_int_equal(seen, 7);
}

static void workers_schedules_and_keys_are_kept(void **state)
{
	test_world *w = *state;
	const sb_store_type *type;
	sb_worker_row worker = { .name = sb_slice_z("w1"), .heartbeat_at_us = 5 };
	sb_served_row served = { .handler_namespace = sb_slice_z("default"),
				 .name = sb_slice_z("work") };
	sb_cron_row cron = { .name = sb_slice_z("nightly"), .next_at_us = 9 };
	sb_handler_row handler = { .handler_namespace = sb_slice_z("default"),
				   .name = sb_slice_z("work"),
				   .recorded_at_us = 1 };
	sb_queue_row queue;
	bool is_recorded;
	int64_t id;
	int workers = 0, serves = 0, crons = 0, queues = 0;

	test_world_open(w);
	type = w->store->type;
	test_world_fill(w, 1);
	test_world_begin(w);
	test_ok(w, type->worker_insert(w->store, &worker, &w->err));
	test_ok(w, type->worker_update(w->store, &worker, &w->err));
	test_ok(w, type->served_put(w->store, worker.id, &served, 1, &w->err));
	test_ok(w, type->cron_put(w->store, &cron, &w->err));
	test_ok(w, type->unique_put(w->store, sb_slice_z("ikey"), 4, &w->err));
	test_ok(w, type->unique_find(w->store, sb_slice_z("ikey"), &id, &w->err));
	assert_int_equal(id, 4);
	test_ok(w, type->handler_is_recorded(w->store, &handler, &is_recorded, &w->err));
	assert_false(is_recorded);
	test_ok(w, type->handler_record(w->store, &handler, &w->err));
	test_ok(w, type->handler_is_recorded(w->store, &handler, &is_recorded, &w->err));
	assert_true(is_recorded);
	test_ok(w, type->queue_read(w->store, 1, &queue, &w->err));
	queue.paused_at_us = 8;
	test_ok(w, type->queue_write(w->store, &queue, &w->err));
	test_ok(w, type->worker_list(w->store, count_worker, &workers, &w->err));
	assert_int_equal(workers, 1);
	test_world_commit(w);
	test_ok(w, type->queue_list(w->store, count_queue, &queues, &w->err));
	test_ok(w, type->served_list(w->store, count_served, &serves, &w->err));
	test_ok(w, type->cron_list(w->store, count_cron, &crons, &w->err));
	assert_int_equal(queues, 1);
	assert_int_equal(serves, 1);
	assert_int_equal(crons, 1);
	test_ok(w, type->queue_find(w->store, sb_slice_z("default"), &id, &w->err));
	test_world_begin(w);
	test_ok(w, type->cron_delete(w->store, sb_slice_z("nightly"), &w->err));
	assert_int_equal(type->cron_delete(w->store, sb_slice_z("nightly"), &w->err),
			 STEPBUS_ENOTFOUND);
	test_ok(w, type->worker_delete(w->store, worker.id, &w->err));
	assert_int_equal(type->worker_update(w->store, &worker, &w->err), STEPBUS_ENOTFOUND);
	test_world_commit(w);
}

static void what_is_written_is_there_after_opening_anew(void **state)
{
	test_world *w = *state;
	uint8_t tag[SB_STORE_TAG_LEN];
	int64_t count;
	sb_step_filter filter = { 0 };

	test_world_open(w);
	memcpy(tag, w->store->tag, sizeof tag);
	test_world_fill(w, 10);
	test_world_close(w);
	test_world_open(w);
	assert_memory_equal(tag, w->store->tag, sizeof tag);
	test_ok(w, w->store->type->step_count(w->store, &filter, &count, &w->err));
	assert_int_equal(count, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_step_lives_from_enqueue_to_completion,
						test_world_setup, test_world_teardown),
		cmocka_unit_test_setup_teardown(lists_and_counts_agree, test_world_setup,
						test_world_teardown),
		cmocka_unit_test_setup_teardown(workers_schedules_and_keys_are_kept,
						test_world_setup, test_world_teardown),
		cmocka_unit_test_setup_teardown(what_is_written_is_there_after_opening_anew,
						test_world_setup, test_world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
