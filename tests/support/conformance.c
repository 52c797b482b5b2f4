/* SPDX-License-Identifier: MIT */
#include "support/conformance.h"

#include <stdlib.h>
#include <string.h>

/* A setup is handed nothing else but what the last one left. */
static const test_store_kind *current_kind;

void test_store_answers(test_store *w, const char *call, stepbus_status status,
			stepbus_status wanted)
{
	if (status != wanted)
		fail_msg("%s answered %d, not %d: %s", call, status, wanted, w->err.message);
	if (status != STEPBUS_OK && w->err.message[0] == '\0')
		fail_msg("%s answered %d without a message", call, status);
	w->err.message[0] = '\0';
}

void test_begin(test_store *w)
{
	test_store_answers(w, "begin", w->type->begin(w->store, &w->err), STEPBUS_OK);
}

void test_commit(test_store *w)
{
	test_store_answers(w, "commit", w->type->commit(w->store, &w->err), STEPBUS_OK);
}

void test_rollback(test_store *w)
{
	w->type->rollback(w->store);
}

static void open_store(test_store *w)
{
	test_store_answers(w, "open", w->kind->open(&w->t.host, w->place, &w->store, &w->err),
			   STEPBUS_OK);
	w->type = w->store->type;
	assert_string_equal(w->type->name, w->kind->name);
}

void test_reopen(test_store *w)
{
	if (!w->kind->is_durable)
		return;
	w->type->close(w->store);
	open_store(w);
}

static void add_names(test_store *w)
{
	const sb_handler_row send = { .handler_namespace = sb_slice_z("shop"),
				      .name = sb_slice_z("send"),
				      .version = sb_slice_z("1") };
	const sb_handler_row bill = { .handler_namespace = sb_slice_z("shop"),
				      .name = sb_slice_z("bill") };
	sb_worker_row worker = { .name = sb_slice_z("first"),
				 .strategy = sb_slice_z("fifo"),
				 .started_at_us = 1000 };

	test_begin(w);
	STORE_OK(w, queue_intern, sb_slice_z("mail"), &w->queue_ids[0]);
	STORE_OK(w, queue_intern, sb_slice_z("print"), &w->queue_ids[1]);
	STORE_OK(w, handler_intern, &send, &w->handler_ids[0]);
	STORE_OK(w, handler_intern, &bill, &w->handler_ids[1]);
	STORE_OK(w, worker_insert, &worker);
	w->worker_id = worker.id;
	test_commit(w);
}

int test_store_setup(void **state)
{
	test_store *w = calloc(1, sizeof *w);

	assert_non_null(w);
	*state = w;
	w->kind = current_kind;
	w->err = (stepbus_error)STEPBUS_ERROR_INIT;
	test_host_init(&w->t);
	if (w->kind->make_place != NULL)
		w->kind->make_place(w->place);
	open_store(w);
	add_names(w);
	return 0;
}

int test_store_teardown(void **state)
{
	test_store *w = *state;

	w->type->close(w->store);
	if (w->kind->end_place != NULL)
		w->kind->end_place(w->place);
	test_host_end(&w->t);
	free(w);
	return 0;
}

sb_step_row test_step_row(const test_store *w)
{
	return (sb_step_row){ .queue_id = w->queue_ids[0],
			      .handler_id = w->handler_ids[0],
			      .created_at_us = 1000,
			      .attempt_count_max = 3,
			      .retry_kind = 1,
			      .idempotency_key = w->keys[0],
			      .unique_key = w->keys[1] };
}

int64_t test_step_add(test_store *w, sb_step_row row, sb_step_status status)
{
	STORE_OK(w, step_insert, &row, &status);
	assert_true(row.id > 0);
	return row.id;
}

sb_step_status test_status_of(test_store *w, int64_t id)
{
	sb_step_status status = { 0 };

	STORE_OK(w, step_status_read, id, &status);
	return status;
}

void test_step_to(test_store *w, int64_t id, sb_step_event event, sb_step_status to)
{
	sb_step_status from = test_status_of(w, id);
	sb_step_move move = {
		.event = event, .from = from.state, .from_token = from.token, .to = to
	};

	assert_true(sb_step_can_move(event, from.state, to.state));
	move.to.id = id;
	if (event == SB_STEP_CLAIM)
		move.to.token = ++w->last_token;
	else if (to.token == 0)
		move.to.token = from.token;
	STORE_OK(w, step_move, &move, 1);
	assert_true(move.is_done);
}

static void end_running(test_store *w, int64_t id, sb_step_state state)
{
	static const sb_step_event events[] = {
		[SB_STEP_COMPLETED] = SB_STEP_SUCCEED,
		[SB_STEP_FAILED] = SB_STEP_FAIL,
		[SB_STEP_CANCELLED] = SB_STEP_CANCEL,
		[SB_STEP_QUARANTINED] = SB_STEP_QUARANTINE,
	};

	test_step_to(w, id, SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING,
				       .worker_id = w->worker_id,
				       .attempt_count = 1,
				       .changed_at_us = 2000 });
	if (state != SB_STEP_RUNNING)
		test_step_to(w, id, events[state],
			     (sb_step_status){ .state = state,
					       .worker_id = w->worker_id,
					       .attempt_count = 1,
					       .changed_at_us = 3000,
					       .execution_us = 700 });
}

int64_t test_step_in(test_store *w, sb_step_state state)
{
	bool is_first = state <= SB_STEP_READY;
	sb_step_status first = { .state = is_first ? state : SB_STEP_READY, .changed_at_us = 1000 };
	int64_t id;

	if (state == SB_STEP_SCHEDULED)
		first.due_at_us = 5000;
	id = test_step_add(w, test_step_row(w), first);
	if (state == SB_STEP_PARKED)
		test_step_to(w, id, SB_STEP_PARK,
			     (sb_step_status){ .state = SB_STEP_PARKED,
					       .park_key = w->handler_ids[0],
					       .changed_at_us = 2000 });
	else if (!is_first)
		end_running(w, id, state);
	return id;
}

void test_assert_same_status(const sb_step_status *a, const sb_step_status *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->queue_id, b->queue_id);
	assert_int_equal(a->handler_id, b->handler_id);
	assert_int_equal(a->due_at_us, b->due_at_us);
	assert_int_equal(a->deadline_at_us, b->deadline_at_us);
	assert_int_equal(a->token, b->token);
	assert_int_equal(a->worker_id, b->worker_id);
	assert_int_equal(a->park_key, b->park_key);
	assert_int_equal(a->concurrency_key, b->concurrency_key);
	assert_int_equal(a->changed_at_us, b->changed_at_us);
	assert_int_equal(a->execution_us, b->execution_us);
	assert_int_equal(a->priority, b->priority);
	assert_int_equal(a->attempt_count, b->attempt_count);
	assert_int_equal(a->crash_count, b->crash_count);
	assert_int_equal(a->checkpoint_count, b->checkpoint_count);
	assert_int_equal(a->state, b->state);
}

void test_assert_slice(sb_slice slice, const void *data, size_t len)
{
	assert_int_equal(slice.len, len);
	if (len > 0)
		assert_memory_equal(slice.data, data, len);
}

void test_assert_text(sb_slice slice, const char *text)
{
	test_assert_slice(slice, text, strlen(text));
}

static void assert_same_numbers(const sb_step_row *a, const sb_step_row *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->task_id, b->task_id);
	assert_int_equal(a->queue_id, b->queue_id);
	assert_int_equal(a->handler_id, b->handler_id);
	assert_int_equal(a->created_at_us, b->created_at_us);
	assert_int_equal(a->run_at_us, b->run_at_us);
	assert_int_equal(a->wait_timeout_us, b->wait_timeout_us);
	assert_int_equal(a->attempt_timeout_us, b->attempt_timeout_us);
	assert_int_equal(a->total_timeout_us, b->total_timeout_us);
	assert_int_equal(a->retry_base_us, b->retry_base_us);
	assert_int_equal(a->retry_cap_us, b->retry_cap_us);
	assert_int_equal(a->priority, b->priority);
	assert_int_equal(a->retry_kind, b->retry_kind);
	assert_int_equal(a->attempt_count_max, b->attempt_count_max);
	assert_int_equal(a->jitter_percent, b->jitter_percent);
}

void test_assert_same_row(const sb_step_row *a, const sb_step_row *b)
{
	assert_same_numbers(a, b);
	test_assert_slice(a->input, b->input.data, b->input.len);
	test_assert_slice(a->content_type, b->content_type.data, b->content_type.len);
	test_assert_slice(a->step_name, b->step_name.data, b->step_name.len);
	test_assert_slice(a->step_config, b->step_config.data, b->step_config.len);
	test_assert_slice(a->correlation_id, b->correlation_id.data, b->correlation_id.len);
	test_assert_slice(a->traceparent, b->traceparent.data, b->traceparent.len);
	test_assert_slice(a->caller, b->caller.data, b->caller.len);
	test_assert_slice(a->tags, b->tags.data, b->tags.len);
	test_assert_slice(a->concurrency_key, b->concurrency_key.data, b->concurrency_key.len);
	test_assert_slice(a->idempotency_key, b->idempotency_key.data, b->idempotency_key.len);
	test_assert_slice(a->unique_key, b->unique_key.data, b->unique_key.len);
}

int test_conformance_run(const test_store_kind *kind)
{
	const test_part parts[] = {
		test_conformance_steps(),       test_conformance_moves(),
		test_conformance_scans(),       test_conformance_names(),
		test_conformance_workers(),     test_conformance_rows(),
		test_conformance_rollback(),    test_conformance_reader(),
		test_conformance_filter(),      test_conformance_random(),
		test_conformance_checkpoints(),
	};
	struct CMUnitTest tests[256];
	size_t count = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		assert_true(count + parts[i].count <= sizeof tests / sizeof *tests);
		memcpy(tests + count, parts[i].tests, parts[i].count * sizeof *tests);
		count += parts[i].count;
	}
	current_kind = kind;
	return _cmocka_run_group_tests(kind->name, tests, count, NULL, NULL);
}
