/* SPDX-License-Identifier: MIT */
/* Thousands of drawn operations, on the store and on an array: both must tell the same. */
#include <stdlib.h>
#include <string.h>

#include "support/conformance.h"

enum { STEP_MAX = 3000, TRANSACTION_COUNT = 400, OUT_MAX = 64, KEY_COUNT = 5 };

/* The simplest store there is. */
typedef struct model {
	size_t count;
	sb_step_status steps[STEP_MAX]; /* by id; state 0: removed */
	uint8_t key_of[STEP_MAX];       /* the key that its row has */
	int64_t keys[KEY_COUNT];        /* whose they are; 0: nobody's */
} model;

typedef struct duel {
	test_store *w;
	model now;
	model before; /* at the last commit */
	uint32_t random;
} duel;

static uint32_t draw(duel *d, uint32_t below)
{
	d->random = d->random * 1664525u + 1013904223u;
	return (d->random >> 8) % below;
}

static sb_slice key_at(size_t i)
{
	return sb_slice_of("abcde" + i, 1);
}

static sb_step_status draw_status(duel *d, sb_step_state state)
{
	sb_step_status status = { .state = state, .changed_at_us = draw(d, 1000) };

	if (state == SB_STEP_SCHEDULED)
		status.due_at_us = 1 + draw(d, 50);
	if (state == SB_STEP_PARKED)
		status.park_key =
			draw(d, 2) == 0 ? 1 + (int64_t)draw(d, 3) : -1 - (int64_t)draw(d, 3);
	if (state == SB_STEP_RUNNING || sb_step_state_is_final(state))
		status.worker_id = 1 + draw(d, 3);
	if (draw(d, 3) == 0)
		status.deadline_at_us = 1 + draw(d, 50);
	return status;
}

static void insert(duel *d)
{
	sb_step_row row = test_step_row(d->w);
	sb_step_status status = draw_status(d, (sb_step_state)(1 + draw(d, SB_STEP_READY)));

	if (d->now.count == STEP_MAX)
		return;
	status.queue_id = row.queue_id = d->w->queue_ids[draw(d, 2)];
	status.handler_id = row.handler_id = d->w->handler_ids[draw(d, 2)];
	status.priority = row.priority = (int32_t)draw(d, 3) * 5;
	status.concurrency_key = draw(d, 2) == 0 ? 0 : -1 - (int64_t)draw(d, 3);
	d->now.key_of[d->now.count] = (uint8_t)draw(d, KEY_COUNT);
	row.unique_key = key_at(d->now.key_of[d->now.count]);
	STORE_OK(d->w, step_insert, &row, &status);
	status.id = row.id;
	if (d->now.count > 0)
		assert_true(row.id > d->now.steps[d->now.count - 1].id);
	d->now.steps[d->now.count++] = status;
}

static sb_step_status *draw_step(duel *d)
{
	/* Mostly among the newest: the oldest are left behind, as they are in life. */
	size_t span = d->now.count < 300 ? d->now.count : draw(d, 4) == 0 ? d->now.count : 300;

	return &d->now.steps[d->now.count - 1 - draw(d, (uint32_t)span)];
}

/* A move that the table allows; event SB_STEP_EVENT_COUNT where none was drawn. */
static sb_step_move draw_move(duel *d, const sb_step_status *step)
{
	sb_step_event event = (sb_step_event)(1 + draw(d, SB_STEP_EVENT_COUNT - 1));
	sb_step_state to = (sb_step_state)(1 + draw(d, SB_STEP_STATE_MAX));
	sb_step_move move = { .event = SB_STEP_EVENT_COUNT, .from = step->state };

	if (!sb_step_can_move(event, step->state, to))
		return move;
	move.event = event;
	move.from_token = step->token;
	move.to = draw_status(d, to);
	move.to.id = step->id;
	move.to.token = event == SB_STEP_CLAIM ? ++d->w->last_token : step->token;
	return move;
}

static void apply(sb_step_status *step, const sb_step_move *move)
{
	sb_step_status after = move->to;

	after.queue_id = step->queue_id;
	after.handler_id = step->handler_id;
	after.priority = step->priority;
	after.concurrency_key = step->concurrency_key;
	if (sb_step_state_is_final(after.state))
		after.deadline_at_us = 0;
	*step = after;
}

static void move(duel *d)
{
	sb_step_status *step = draw_step(d);
	sb_step_move m = { .event = SB_STEP_EVENT_COUNT };
	bool is_wrong = draw(d, 10) == 0;

	for (int i = 0; i < 100 && m.event == SB_STEP_EVENT_COUNT; i++)
		m = draw_move(d, step);
	if (m.event == SB_STEP_EVENT_COUNT)
		return;
	if (is_wrong)
		m.from_token++;
	STORE_OK(d->w, step_move, &m, 1);
	assert_int_equal(m.is_done, !is_wrong && step->state != 0);
	if (m.is_done)
		apply(step, &m);
}

static void remove_step(duel *d)
{
	sb_step_status *step = draw_step(d);

	STORE_OK(d->w, step_delete, &step->id, 1);
	step->state = (sb_step_state)0;
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (d->now.keys[i] == step->id)
			d->now.keys[i] = 0;
}

static void put_key(duel *d)
{
	const sb_step_status *step = draw_step(d);
	size_t i = d->now.key_of[step - d->now.steps];

	if (step->state == 0)
		return;
	STORE_OK(d->w, unique_put, key_at(i), step->id);
	d->now.keys[i] = step->id;
}

static void check_statuses(duel *d)
{
	for (size_t i = 0; i < d->now.count; i++) {
		const sb_step_status *step = &d->now.steps[i];
		sb_step_status got;

		if (step->state == 0) {
			STORE_ANSWERS(d->w, STEPBUS_ENOTFOUND, step_status_read, step->id, &got);
			continue;
		}
		got = test_status_of(d->w, step->id);
		test_assert_same_status(&got, step);
	}
	for (size_t i = 0; i < KEY_COUNT; i++) {
		int64_t id = -1;

		STORE_OK(d->w, unique_find, key_at(i), &id);
		assert_int_equal(id, d->now.keys[i]);
	}
}

static bool is_wanted(const sb_scan *scan, const sb_step_status *step)
{
	bool is_after = scan->is_descending ? scan->after_id == 0 || step->id < scan->after_id :
					      step->id > scan->after_id;

	switch (scan->kind) {
	case SB_SCAN_READY:
		return step->state == SB_STEP_READY && step->queue_id == scan->queue_id &&
		       step->priority == scan->priority && is_after;
	case SB_SCAN_PARKED:
		return step->state == SB_STEP_PARKED && step->park_key == scan->park_key &&
		       is_after;
	case SB_SCAN_DUE:
		return step->state == SB_STEP_SCHEDULED && step->due_at_us <= scan->at_us;
	case SB_SCAN_OVERDUE:
		return step->state != 0 && !sb_step_state_is_final(step->state) &&
		       step->deadline_at_us > 0 && step->deadline_at_us <= scan->at_us;
	case SB_SCAN_RUNNING:
		return step->state == SB_STEP_RUNNING && step->worker_id == scan->worker_id &&
		       is_after;
	case SB_SCAN_ALL:
		return step->state != 0 && is_after;
	}
	return false;
}

/* What a scan is ordered by, before the id. */
static int64_t order_of(const sb_scan *scan, const sb_step_status *step)
{
	if (scan->kind == SB_SCAN_DUE)
		return step->due_at_us;
	if (scan->kind == SB_SCAN_OVERDUE)
		return step->deadline_at_us;
	return scan->is_descending ? -step->id : step->id;
}

/* Steps that are due at the same time may come in any order: so only the times are compared. */
static void check_scan(duel *d, const sb_scan *scan)
{
	sb_step_status out[OUT_MAX];
	int64_t last = INT64_MIN;
	size_t count = 0, wanted = 0, before_last = 0;

	STORE_OK(d->w, step_scan, scan, out, OUT_MAX, &count);
	for (size_t i = 0; i < count; i++) {
		assert_true(is_wanted(scan, &out[i]));
		assert_true(order_of(scan, &out[i]) >= last);
		last = order_of(scan, &out[i]);
	}
	for (size_t i = 0; i < d->now.count; i++)
		if (is_wanted(scan, &d->now.steps[i])) {
			wanted++;
			before_last += order_of(scan, &d->now.steps[i]) < last;
		}
	assert_int_equal(count, wanted < OUT_MAX ? wanted : OUT_MAX);
	assert_true(before_last <= count);
}

static void check_scans(duel *d)
{
	for (int kind = SB_SCAN_READY; kind <= SB_SCAN_ALL; kind++)
		for (int i = 0; i < 6; i++) {
			sb_scan scan = { .kind = (sb_scan_kind)kind,
					 .is_descending = kind == SB_SCAN_READY && i % 2 == 0,
					 .priority = (int32_t)draw(d, 3) * 5,
					 .queue_id = d->w->queue_ids[draw(d, 2)],
					 .park_key = (int64_t)draw(d, 7) - 3,
					 .worker_id = 1 + draw(d, 3),
					 .at_us = draw(d, 60) };

			if (draw(d, 2) == 0)
				scan.after_id = draw_step(d)->id;
			check_scan(d, &scan);
		}
}

static void check_lanes(duel *d, bool is_descending)
{
	sb_lane lane = { 0 };
	bool is_found = true;
	int64_t ready_count = 0;

	for (;;) {
		int64_t head = 0;

		STORE_OK(d->w, lane_next, is_descending, &lane, &is_found);
		if (!is_found)
			break;
		for (size_t i = 0; i < d->now.count; i++) {
			const sb_step_status *step = &d->now.steps[i];

			if (step->state != SB_STEP_READY || step->queue_id != lane.queue_id ||
			    step->priority != lane.priority)
				continue;
			ready_count++;
			if (head == 0 || is_descending)
				head = step->id;
		}
		assert_int_equal(lane.head_id, head);
	}
	for (size_t i = 0; i < d->now.count; i++)
		ready_count -= d->now.steps[i].state == SB_STEP_READY;
	assert_int_equal(ready_count, 0);
}

static void check_counts(duel *d)
{
	int64_t due = 0, got = -1;

	for (size_t i = 0; i < d->now.count; i++) {
		const sb_step_status *step = &d->now.steps[i];

		if (step->state == SB_STEP_SCHEDULED && (due == 0 || step->due_at_us < due))
			due = step->due_at_us;
	}
	STORE_OK(d->w, due_next, &got);
	assert_int_equal(got, due);
	for (int queue = 0; queue < 2; queue++) {
		int64_t queue_id = d->w->queue_ids[queue], running = 0;

		for (size_t i = 0; i < d->now.count; i++)
			running += d->now.steps[i].state == SB_STEP_RUNNING &&
				   d->now.steps[i].queue_id == queue_id;
		STORE_OK(d->w, running_count, queue_id, 0, INT64_MAX, &got);
		assert_int_equal(got, running);
	}
}

static void run_transaction(duel *d)
{
	uint32_t count = 1 + draw(d, 20);

	test_begin(d->w);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t what = draw(d, 20);

		if (what < 6 || d->now.count == 0)
			insert(d);
		else if (what < 17)
			move(d);
		else if (what < 18)
			remove_step(d);
		else
			put_key(d);
	}
	if (draw(d, 4) == 0) {
		test_rollback(d->w);
		d->now = d->before;
	} else {
		test_commit(d->w);
		d->before = d->now;
	}
}

static void drawn_operations_do_as_in_an_array(void **state)
{
	duel *d = calloc(1, sizeof *d);

	assert_non_null(d);
	d->w = *state;
	d->random = 11;
	for (int i = 0; i < TRANSACTION_COUNT; i++) {
		run_transaction(d);
		if (i % 8 != 0 || d->now.count == 0)
			continue;
		if (i % 64 == 0)
			test_reopen(d->w);
		test_begin(d->w);
		check_statuses(d);
		check_scans(d);
		check_lanes(d, false);
		check_lanes(d, true);
		check_counts(d);
		test_commit(d->w);
	}
	assert_in_range(d->now.count, 300, STEP_MAX);
	free(d);
}

test_part test_conformance_random(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(drawn_operations_do_as_in_an_array),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
