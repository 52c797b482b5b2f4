/* SPDX-License-Identifier: MIT */
/*
 * The memory store and the SQLite store under the same operations, decoded from the bytes: each answer
 * of the one must be that of the other, inside transactions, after commits and after rollbacks. Moves
 * come with true guards and false ones. Both stores live on from input to input, and are emptied before
 * each; the file lies in memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/store_sides.h"

enum { WORKER_MAX = 8, OPERATION_MAX = 200, LIFE = 4000 };

static fuzz_side *const sides = fuzz_sides;

/* What both stores hold, as far as drawing needs it. */
static struct world {
	size_t step_count;
	int64_t steps[FUZZ_STEP_MAX];
	uint8_t key_of[FUZZ_STEP_MAX];
	size_t worker_count;
	int64_t workers[WORKER_MAX];
	int64_t last_token;
} now, before;

static const char *const *const names = fuzz_store_names;

static int64_t some_step(fuzz_feed *feed)
{
	const uint8_t byte = fuzz_feed_byte(feed);

	if (now.step_count == 0 || byte == 255)
		return 1000000 + byte;
	return now.steps[byte % now.step_count];
}

static sb_slice some_name(fuzz_feed *feed)
{
	return sb_slice_z(names[fuzz_feed_below(feed, FUZZ_NAME_COUNT)]);
}

static sb_slice text(fuzz_feed *feed)
{
	static const char *const texts[] = { "", "x", "\xC3\xA9t\xC3\xA9", "{\"a\":1}",
					     "a,b , mail" };

	return sb_slice_z(texts[fuzz_feed_below(feed, 5)]);
}

static sb_slice key_at(size_t i)
{
	return sb_slice_of(&"klmnop"[i % 6], 1);
}

static sb_step_status draw_status(fuzz_feed *feed, sb_step_state state)
{
	sb_step_status status = { .state = state,
				  .changed_at_us = fuzz_feed_byte(feed),
				  .attempt_count = fuzz_feed_byte(feed) & 3,
				  .crash_count = fuzz_feed_byte(feed) & 3 };

	if (state == SB_STEP_SCHEDULED)
		status.due_at_us = 1 + fuzz_feed_byte(feed);
	if (state == SB_STEP_PARKED)
		status.park_key = fuzz_feed_bool(feed) ? 1 + (int64_t)fuzz_feed_below(feed, 3) :
							 -1 - (int64_t)fuzz_feed_below(feed, 3);
	if (state == SB_STEP_RUNNING || sb_step_state_is_final(state))
		status.worker_id = 1 + fuzz_feed_below(feed, 3);
	if (sb_step_state_is_final(state))
		status.execution_us = fuzz_feed_byte(feed);
	else if (fuzz_feed_bool(feed))
		status.deadline_at_us = 1 + fuzz_feed_byte(feed);
	return status;
}

static sb_handler_row draw_handler(fuzz_feed *feed)
{
	return (sb_handler_row){ .handler_namespace = some_name(feed),
				 .name = some_name(feed),
				 .version = fuzz_feed_bool(feed) ? sb_slice_z("1") :
								   sb_slice_of("", 0) };
}

static sb_step_row draw_row(fuzz_feed *feed)
{
	sb_step_row row = { .created_at_us = fuzz_feed_byte(feed),
			    .run_at_us = fuzz_feed_byte(feed),
			    .retry_kind = fuzz_feed_below(feed, 6),
			    .attempt_count_max = fuzz_feed_byte(feed),
			    .priority = (int32_t)fuzz_feed_below(feed, 12) };

	row.input = fuzz_feed_text(feed);
	row.content_type = text(feed);
	row.correlation_id = text(feed);
	row.step_config = text(feed);
	row.tags = text(feed);
	row.concurrency_key = fuzz_feed_bool(feed) ? fuzz_feed_text(feed) : sb_slice_of("", 0);
	if (fuzz_feed_bool(feed)) {
		row.wait_timeout_us = fuzz_feed_odd(feed) & INT64_MAX;
		row.retry_cap_us = fuzz_feed_odd(feed) & INT64_MAX;
		row.task_id = fuzz_feed_byte(feed);
	}
	return row;
}

static void insert(fuzz_feed *feed)
{
	sb_step_row row = draw_row(feed);
	const sb_handler_row handler = draw_handler(feed);
	const sb_slice queue = some_name(feed);
	sb_step_status status =
		draw_status(feed, (sb_step_state)(1 + fuzz_feed_below(feed, SB_STEP_READY)));
	const uint8_t key = fuzz_feed_byte(feed) % 6;

	if (now.step_count == FUZZ_STEP_MAX)
		return;
	row.unique_key = key_at(key);
	status.concurrency_key = row.concurrency_key.len > 0 ? -1 - (int64_t)(key % 3) : 0;
	status.priority = row.priority;
	for (int i = 0; i < 2; i++) {
		fuzz_side *s = &sides[i];

		fuzz_check(s->type->queue_intern(s->store, queue, &row.queue_id, NULL) == 0);
		fuzz_check(s->type->handler_intern(s->store, &handler, &row.handler_id, NULL) == 0);
		status.queue_id = row.queue_id;
		status.handler_id = row.handler_id;
		row.id = 0;
		fuzz_check(s->type->step_insert(s->store, &row, &status, NULL) == STEPBUS_OK);
		fuzz_tape_number(&s->tape, row.id);
		fuzz_tape_number(&s->tape, row.queue_id);
		fuzz_tape_number(&s->tape, row.handler_id);
	}
	now.key_of[now.step_count] = key;
	now.steps[now.step_count++] = row.id;
}

/* A move that the table allows, with a guard that mostly is true. */
static bool draw_move(fuzz_feed *feed, sb_step_move *move)
{
	const int64_t id = some_step(feed);
	const uint8_t first = fuzz_feed_byte(feed), lie = fuzz_feed_byte(feed);
	sb_step_status was;
	int chosen = -1;

	if (sides[0].type->step_status_read(sides[0].store, id, &was, NULL) != STEPBUS_OK)
		was = (sb_step_status){ .id = id, .state = SB_STEP_READY };
	for (int i = 0; i < 256 && chosen < 0; i++) {
		const int pair = (first + i) % 256;

		if (pair / 16 < SB_STEP_EVENT_COUNT && pair / 16 != SB_STEP_ENQUEUE &&
		    pair % 16 >= 1 && pair % 16 <= SB_STEP_STATE_MAX &&
		    sb_step_can_move((sb_step_event)(pair / 16), was.state,
				     (sb_step_state)(pair % 16)))
			chosen = pair;
	}
	if (chosen < 0)
		return false;
	*move = (sb_step_move){ .event = (sb_step_event)(chosen / 16),
				.from = was.state,
				.from_token = was.token + (lie > 240) };
	move->to = draw_status(feed, (sb_step_state)(chosen % 16));
	move->to.id = id;
	move->to.checkpoint_count = was.checkpoint_count + (lie % 4 == 3);
	move->to.token = move->event == SB_STEP_CLAIM ? ++now.last_token : was.token;
	return true;
}

static void move(fuzz_feed *feed)
{
	enum { MAX = 4 };
	sb_step_move moves[MAX];
	const uint32_t wanted = 1 + fuzz_feed_below(feed, MAX);
	size_t count = 0;

	for (uint32_t i = 0; i < wanted; i++)
		count += draw_move(feed, &moves[count]);
	/* One call moves a step once. */
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (moves[i].to.id == moves[j].to.id)
				count = i;
	for (int i = 0; i < 2 && count > 0; i++) {
		fuzz_check(sides[i].type->step_move(sides[i].store, moves, count, NULL) ==
			   STEPBUS_OK);
		for (size_t m = 0; m < count; m++)
			fuzz_tape_number(&sides[i].tape, moves[m].is_done);
	}
}

static void remove_steps(fuzz_feed *feed)
{
	const int64_t ids[] = { some_step(feed), some_step(feed) };
	const size_t count = 1 + fuzz_feed_below(feed, 2);

	for (int i = 0; i < 2; i++)
		fuzz_check(sides[i].type->step_delete(sides[i].store, ids, count, NULL) ==
			   STEPBUS_OK);
}

static bool is_there(int64_t id)
{
	sb_step_status status;

	return sides[0].type->step_status_read(sides[0].store, id, &status, NULL) == STEPBUS_OK;
}

static void put_rows(fuzz_feed *feed)
{
	const int64_t id = some_step(feed);
	const sb_attempt_row attempt = { .step_id = id,
					 .token = 1 + fuzz_feed_below(feed, 4),
					 .worker_id = fuzz_feed_below(feed, 3),
					 .started_at_us = fuzz_feed_byte(feed),
					 .finished_at_us = fuzz_feed_byte(feed),
					 .outcome = 1 + (int32_t)fuzz_feed_below(feed, 7),
					 .is_retryable = fuzz_feed_bool(feed),
					 .number = fuzz_feed_byte(feed),
					 .error_type = text(feed),
					 .message = text(feed),
					 .metadata = text(feed) };
	const sb_result_row result = { id, fuzz_feed_text(feed), text(feed), text(feed) };
	const sb_checkpoint_row checkpoint = { .step_id = id,
					       .token = fuzz_feed_byte(feed),
					       .at_us = fuzz_feed_byte(feed),
					       .items_processed = fuzz_feed_odd(feed) & INT64_MAX,
					       .cursor = fuzz_feed_text(feed),
					       .partial_result = fuzz_feed_text(feed) };
	const uint32_t what = fuzz_feed_below(feed, 4);

	for (int i = 0; i < 2 && is_there(id); i++) {
		fuzz_side *s = &sides[i];
		stepbus_status status = STEPBUS_OK;

		if (what == 0)
			status = s->type->attempt_put(s->store, &attempt, NULL);
		else if (what == 1)
			status = s->type->result_put(s->store, &result, NULL);
		else if (what == 2)
			status = s->type->checkpoint_put(s->store, &checkpoint, NULL);
		else
			status = s->type->checkpoint_delete(s->store, id, NULL);
		fuzz_check(status == STEPBUS_OK);
	}
}

static void use_key(fuzz_feed *feed)
{
	const size_t at = now.step_count > 0 ? fuzz_feed_byte(feed) % now.step_count : 0;
	const sb_slice key = key_at(now.key_of[at]);
	const bool is_put = fuzz_feed_bool(feed) && now.step_count > 0 && is_there(now.steps[at]);

	for (int i = 0; i < 2; i++) {
		int64_t id = -1;

		if (is_put)
			fuzz_check(sides[i].type->unique_put(sides[i].store, key, now.steps[at],
							     NULL) == STEPBUS_OK);
		fuzz_check(sides[i].type->unique_find(sides[i].store, key, &id, NULL) ==
			   STEPBUS_OK);
		fuzz_tape_number(&sides[i].tape, id);
	}
}

static void use_queue(fuzz_feed *feed)
{
	sb_queue_row row = { .name = some_name(feed),
			     .paused_at_us = fuzz_feed_byte(feed),
			     .concurrency_max = fuzz_feed_byte(feed),
			     .key_concurrency_max = fuzz_feed_byte(feed),
			     .rate_count = fuzz_feed_byte(feed),
			     .rate_period_us = fuzz_feed_odd(feed) & INT64_MAX,
			     .rate_room_micro = fuzz_feed_odd(feed),
			     .rate_at_us = fuzz_feed_byte(feed) };
	const int64_t concurrency_key = -(int64_t)fuzz_feed_below(feed, 4);
	const bool is_written = fuzz_feed_bool(feed);
	sb_queue_row got;

	for (int i = 0; i < 2; i++) {
		fuzz_side *s = &sides[i];
		int64_t count = -1;

		fuzz_check(s->type->queue_intern(s->store, row.name, &row.id, NULL) == STEPBUS_OK);
		if (is_written)
			fuzz_check(s->type->queue_write(s->store, &row, NULL) == STEPBUS_OK);
		fuzz_check(s->type->queue_read(s->store, row.id, &got, NULL) == STEPBUS_OK);
		(void)fuzz_tell_queue(&s->tape, &got);
		fuzz_check(s->type->running_count(s->store, row.id, concurrency_key, 5, &count,
						  NULL) == STEPBUS_OK);
		fuzz_tape_number(&s->tape, count);
		fuzz_tape_number(&s->tape, s->type->queue_read(s->store, row.id + 77, &got, NULL));
	}
}

static void use_handler(fuzz_feed *feed)
{
	sb_handler_row row = draw_handler(feed), got;
	const bool is_recorded = fuzz_feed_bool(feed);

	row.recorded_at_us = 1 + fuzz_feed_byte(feed);
	for (int i = 0; i < 2; i++) {
		fuzz_side *s = &sides[i];
		bool is_known = false;
		int64_t id = 0;

		if (is_recorded)
			fuzz_check(s->type->handler_record(s->store, &row, NULL) == STEPBUS_OK);
		fuzz_check(s->type->handler_is_recorded(s->store, &row, &is_known, NULL) == 0);
		fuzz_check(s->type->handler_intern(s->store, &row, &id, NULL) == STEPBUS_OK);
		fuzz_check(s->type->handler_read(s->store, id, &got, NULL) == STEPBUS_OK);
		fuzz_tape_number(&s->tape, is_known);
		fuzz_tape_number(&s->tape, id);
		fuzz_tape_number(&s->tape, got.recorded_at_us);
		fuzz_tape_slice(&s->tape, got.version);
	}
}

static void add_worker(fuzz_feed *feed)
{
	sb_worker_row row = { .name = some_name(feed),
			      .strategy = some_name(feed),
			      .queues = text(feed),
			      .capabilities = text(feed),
			      .boot_id = { 1, 2, 3 },
			      .pid = fuzz_feed_odd(feed),
			      .started_at_us = fuzz_feed_byte(feed),
			      .lease_until_ns = fuzz_feed_odd(feed),
			      .block_size = fuzz_feed_byte(feed) };

	if (now.worker_count == WORKER_MAX)
		return;
	for (int i = 0; i < 2; i++) {
		fuzz_check(sides[i].type->worker_insert(sides[i].store, &row, NULL) == STEPBUS_OK);
		fuzz_tape_number(&sides[i].tape, row.id);
	}
	now.workers[now.worker_count++] = row.id;
}

static void use_worker(fuzz_feed *feed)
{
	const uint8_t byte = fuzz_feed_byte(feed);
	const int64_t id =
		now.worker_count > 0 && byte < 250 ? now.workers[byte % now.worker_count] : 9999;
	const sb_worker_row row = { .id = id,
				    .heartbeat_at_us = fuzz_feed_byte(feed),
				    .lease_until_ns = fuzz_feed_odd(feed),
				    .stopped_at_us = fuzz_feed_byte(feed) > 200,
				    .completed_count = fuzz_feed_byte(feed),
				    .active_count = fuzz_feed_byte(feed) };
	sb_served_row served[3];
	const uint32_t what = fuzz_feed_below(feed, 3), count = fuzz_feed_below(feed, 4);

	for (uint32_t i = 0; i < count; i++)
		served[i] = (sb_served_row){ .worker_id = id,
					     .handler_namespace = sb_slice_z("d"),
					     .name = sb_slice_z(names[i]),
					     .version = text(feed) };
	for (int i = 0; i < 2; i++) {
		fuzz_side *s = &sides[i];
		stepbus_status status;

		if (what == 0)
			status = s->type->worker_update(s->store, &row, NULL);
		else if (what == 1)
			status = s->type->worker_delete(s->store, id, NULL);
		else
			status = id == 9999 ?
					 STEPBUS_OK :
					 s->type->served_put(s->store, id, served, count, NULL);
		fuzz_tape_number(&s->tape, status);
	}
}

static void use_cron(fuzz_feed *feed)
{
	const sb_cron_row row = { .name = some_name(feed),
				  .expression = text(feed),
				  .zone = text(feed),
				  .step = text(feed),
				  .catch_up = text(feed),
				  .next_at_us = fuzz_feed_odd(feed),
				  .last_at_us = fuzz_feed_odd(feed),
				  .paused_at_us = fuzz_feed_byte(feed),
				  .created_at_us = fuzz_feed_byte(feed) };
	const bool is_put = fuzz_feed_bool(feed);

	for (int i = 0; i < 2; i++)
		fuzz_tape_number(
			&sides[i].tape,
			is_put ? sides[i].type->cron_put(sides[i].store, &row, NULL) :
				 sides[i].type->cron_delete(sides[i].store, row.name, NULL));
}

static void look(fuzz_feed *feed)
{
	sb_scan scan = { .kind = (sb_scan_kind)fuzz_feed_below(feed, SB_SCAN_ALL + 1) };
	const size_t max = 1 + fuzz_feed_below(feed, 8);
	sb_step_status out[8];

	scan.is_descending = scan.kind == SB_SCAN_READY && fuzz_feed_bool(feed);
	scan.priority = (int32_t)fuzz_feed_below(feed, 12);
	scan.queue_id = 1 + fuzz_feed_below(feed, 4);
	scan.park_key = (int64_t)fuzz_feed_below(feed, 7) - 3;
	scan.worker_id = 1 + fuzz_feed_below(feed, 3);
	scan.at_us = fuzz_feed_byte(feed);
	scan.after_id = fuzz_feed_bool(feed) ? some_step(feed) : 0;
	for (int i = 0; i < 2; i++) {
		fuzz_side *s = &sides[i];
		size_t count = 0;

		fuzz_check(s->type->step_scan(s->store, &scan, out, max, &count, NULL) == 0);
		fuzz_check(count <= max);
		fuzz_tape_number(&s->tape, (int64_t)count);
		for (size_t k = 0; k < count; k++)
			/* Of those at one time, any may come first. */
			if (scan.kind == SB_SCAN_DUE)
				fuzz_tape_number(&s->tape, out[k].due_at_us);
			else if (scan.kind == SB_SCAN_OVERDUE)
				fuzz_tape_number(&s->tape, out[k].deadline_at_us);
			else
				fuzz_tell_status(&s->tape, &out[k]);
	}
}

static void read_step(fuzz_feed *feed)
{
	const int64_t id = some_step(feed);
	sb_checkpoint_row checkpoint;
	sb_step_status status;
	sb_step_row row;

	for (int i = 0; i < 2; i++) {
		fuzz_side *s = &sides[i];

		fuzz_tape_number(&s->tape, s->type->step_row_read(s->store, id, &row, NULL));
		fuzz_tape_number(&s->tape, s->type->step_status_read(s->store, id, &status, NULL));
		if (s->type->step_status_read(s->store, id, &status, NULL) == STEPBUS_OK)
			fuzz_tell_status(&s->tape, &status);
		if (s->type->checkpoint_read(s->store, id, &checkpoint, NULL) == STEPBUS_OK)
			fuzz_tape_slice(&s->tape, checkpoint.cursor);
	}
}

static void ask(fuzz_feed *feed)
{
	const int64_t id = some_step(feed);
	sb_step_filter filter = { .states = (uint32_t)fuzz_feed_below(feed, 128) << 3,
				  .queue_id = fuzz_feed_below(feed, 4),
				  .handler_id = fuzz_feed_below(feed, 3),
				  .created_from_us = fuzz_feed_byte(feed) & 0x7F,
				  .is_ascending = fuzz_feed_bool(feed),
				  .count_max = 1 + fuzz_feed_below(feed, 20) };

	filter.created_to_us = fuzz_feed_bool(feed) ? 100 + fuzz_feed_byte(feed) : 0;
	filter.after_id = fuzz_feed_bool(feed) ? id : 0;
	filter.correlation_id = text(feed);
	filter.tag = fuzz_feed_bool(feed) ? some_name(feed) : sb_slice_of("", 0);
	filter.handler = fuzz_feed_bool(feed) ? some_name(feed) : sb_slice_of("", 0);
	filter.handler_namespace = fuzz_feed_bool(feed) ? some_name(feed) : sb_slice_of("", 0);
	for (int i = 0; i < 2; i++) {
		fuzz_side *s = &sides[i];
		int64_t count = -1;

		fuzz_check(s->type->step_list(s->store, &filter, fuzz_tell_view, &s->tape, NULL) ==
			   STEPBUS_OK);
		fuzz_check(s->type->step_count(s->store, &filter, &count, NULL) == STEPBUS_OK);
		fuzz_tape_number(&s->tape, count);
		fuzz_tape_number(&s->tape,
				 s->type->step_view(s->store, id, fuzz_tell_view, &s->tape, NULL));
		fuzz_tape_number(&s->tape, s->type->attempt_list(s->store, id, fuzz_tell_attempt,
								 &s->tape, NULL));
	}
}

static void begin(void)
{
	for (int i = 0; i < 2; i++)
		fuzz_check(sides[i].type->begin(sides[i].store, NULL) == STEPBUS_OK);
}

static void end(bool is_kept)
{
	const bool is_aligned = is_kept || now.step_count == before.step_count;

	/* Which id a worker gets after a rollback is every store's own affair: not to be compared. */
	is_kept = is_kept || now.worker_count != before.worker_count;
	for (int i = 0; i < 2; i++) {
		fuzz_tell_inside(&sides[i]);
		if (is_kept)
			fuzz_check(sides[i].type->commit(sides[i].store, NULL) == STEPBUS_OK);
		else
			sides[i].type->rollback(sides[i].store);
	}
	fuzz_sides_compare("at the end of a transaction");
	if (is_kept)
		before = now;
	else
		now = before;
	if (!is_aligned)
		fuzz_sides_align_ids();
	for (int i = 0; i < 2; i++)
		fuzz_tell_outside(&sides[i]);
	fuzz_sides_compare("between transactions");
}

static void operate(fuzz_feed *feed)
{
	static void (*const inside[])(fuzz_feed * feed) = {
		insert,     insert,       insert,   move,    move,      move,
		move,       remove_steps, put_rows, use_key, use_queue, use_handler,
		add_worker, use_worker,   use_cron, look,    read_step
	};

	for (int i = 0; i < OPERATION_MAX && feed->left > 0; i++) {
		const uint32_t what = fuzz_feed_below(feed, 20);

		if (what >= 18) {
			end(what == 18 || fuzz_feed_bool(feed));
			ask(feed);
			fuzz_sides_compare("asked");
			begin();
		} else {
			inside[what % 17](feed);
			fuzz_sides_compare("inside");
		}
	}
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	static int age;
	fuzz_feed feed;

	if (sides[0].store == NULL || ++age == LIFE) {
		fuzz_sides_open();
		age = 0;
	}
	memset(&now, 0, sizeof now);
	memset(&before, 0, sizeof before);
	fuzz_sides_empty();
	fuzz_feed_begin(&feed, bytes, len);
	begin();
	operate(&feed);
	end(true);
	fuzz_feed_end(&feed);
}
