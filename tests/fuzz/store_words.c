/* SPDX-License-Identifier: MIT */
#include "fuzz/store_words.h"

#include "fuzz/driver.h"

enum { SCAN_MAX = 96 };

void fuzz_tell_status(fuzz_tape *tape, const sb_step_status *s)
{
	const int64_t numbers[] = { s->id,
				    s->queue_id,
				    s->handler_id,
				    s->due_at_us,
				    s->deadline_at_us,
				    s->token,
				    s->worker_id,
				    s->park_key,
				    s->concurrency_key,
				    s->changed_at_us,
				    s->execution_us,
				    s->priority,
				    s->attempt_count,
				    s->crash_count,
				    s->checkpoint_count,
				    (int64_t)s->state };

	fuzz_tape_word(tape, "\nstatus");
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		fuzz_tape_number(tape, numbers[i]);
}

static void tell_row(fuzz_tape *tape, const sb_step_row *r)
{
	const int64_t numbers[] = { r->id,
				    r->task_id,
				    r->queue_id,
				    r->handler_id,
				    r->created_at_us,
				    r->run_at_us,
				    r->wait_timeout_us,
				    r->attempt_timeout_us,
				    r->total_timeout_us,
				    r->retry_base_us,
				    r->retry_cap_us,
				    r->priority,
				    r->retry_kind,
				    r->attempt_count_max,
				    r->jitter_percent };
	const sb_slice texts[] = { r->input,           r->content_type,   r->step_name,
				   r->step_config,     r->correlation_id, r->traceparent,
				   r->caller,          r->tags,           r->concurrency_key,
				   r->idempotency_key, r->unique_key };

	fuzz_tape_word(tape, "\nrow");
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		fuzz_tape_number(tape, numbers[i]);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		fuzz_tape_slice(tape, texts[i]);
}

bool fuzz_tell_attempt(void *context, const sb_attempt_row *r, sb_slice worker)
{
	fuzz_tape *tape = context;
	const int64_t numbers[] = { r->step_id,       r->token,          r->worker_id,
				    r->started_at_us, r->finished_at_us, r->execution_us,
				    r->retry_at_us,   r->number,         r->outcome,
				    r->is_retryable };
	const sb_slice texts[] = { r->error_type, r->message,  r->error_code,
				   r->backtrace,  r->metadata, worker };

	fuzz_tape_word(tape, "\nattempt");
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		fuzz_tape_number(tape, numbers[i]);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		fuzz_tape_slice(tape, texts[i]);
	return true;
}

bool fuzz_tell_view(void *context, const sb_step_view *view)
{
	fuzz_tape *tape = context;

	tell_row(tape, &view->row);
	fuzz_tell_status(tape, &view->status);
	fuzz_tape_slice(tape, view->queue);
	fuzz_tape_slice(tape, view->handler.handler_namespace);
	fuzz_tape_slice(tape, view->handler.name);
	fuzz_tape_slice(tape, view->handler.version);
	fuzz_tape_number(tape, view->handler.recorded_at_us);
	fuzz_tape_slice(tape, view->worker);
	if (view->has_result) {
		fuzz_tape_word(tape, "\nresult");
		fuzz_tape_slice(tape, view->result.bytes);
		fuzz_tape_slice(tape, view->result.content_type);
		fuzz_tape_slice(tape, view->result.metadata);
	}
	if (view->has_error)
		(void)fuzz_tell_attempt(tape, &view->error, sb_slice_of("", 0));
	if (view->has_checkpoint) {
		fuzz_tape_word(tape, "\ncheckpoint");
		fuzz_tape_number(tape, view->checkpoint.token);
		fuzz_tape_number(tape, view->checkpoint.at_us);
		fuzz_tape_number(tape, view->checkpoint.items_processed);
		fuzz_tape_slice(tape, view->checkpoint.cursor);
		fuzz_tape_slice(tape, view->checkpoint.partial_result);
	}
	return true;
}

bool fuzz_tell_queue(void *context, const sb_queue_row *row)
{
	fuzz_tape *tape = context;

	fuzz_tape_word(tape, "\nqueue");
	fuzz_tape_number(tape, row->id);
	fuzz_tape_slice(tape, row->name);
	fuzz_tape_number(tape, row->paused_at_us);
	fuzz_tape_number(tape, row->concurrency_max);
	fuzz_tape_number(tape, row->key_concurrency_max);
	fuzz_tape_number(tape, row->rate_count);
	fuzz_tape_number(tape, row->rate_period_us);
	fuzz_tape_number(tape, row->rate_room_micro);
	fuzz_tape_number(tape, row->rate_at_us);
	return true;
}

bool fuzz_tell_worker(void *context, const sb_worker_row *r)
{
	fuzz_tape *tape = context;
	const int64_t numbers[] = { r->id,
				    r->pid,
				    r->started_at_us,
				    r->heartbeat_at_us,
				    r->lease_until_ns,
				    r->stopped_at_us,
				    r->block_size,
				    r->pool_size,
				    r->completed_count,
				    r->failed_count,
				    r->active_count };

	fuzz_tape_word(tape, "\nworker");
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		fuzz_tape_number(tape, numbers[i]);
	fuzz_tape_slice(tape, r->name);
	fuzz_tape_slice(tape, r->strategy);
	fuzz_tape_slice(tape, r->queues);
	fuzz_tape_slice(tape, r->capabilities);
	fuzz_tape_slice(tape, sb_slice_of((const char *)r->boot_id, SB_BOOT_ID_LEN));
	return true;
}

bool fuzz_tell_served(void *context, const sb_served_row *row)
{
	fuzz_tape *tape = context;

	fuzz_tape_word(tape, "\nserved");
	fuzz_tape_number(tape, row->worker_id);
	fuzz_tape_slice(tape, row->handler_namespace);
	fuzz_tape_slice(tape, row->name);
	fuzz_tape_slice(tape, row->version);
	return true;
}

bool fuzz_tell_cron(void *context, const sb_cron_row *row)
{
	fuzz_tape *tape = context;

	fuzz_tape_word(tape, "\ncron");
	fuzz_tape_slice(tape, row->name);
	fuzz_tape_slice(tape, row->expression);
	fuzz_tape_slice(tape, row->zone);
	fuzz_tape_slice(tape, row->step);
	fuzz_tape_slice(tape, row->catch_up);
	fuzz_tape_number(tape, row->next_at_us);
	fuzz_tape_number(tape, row->last_at_us);
	fuzz_tape_number(tape, row->paused_at_us);
	fuzz_tape_number(tape, row->created_at_us);
	return true;
}

bool fuzz_tell_tally(void *context, sb_slice queue, sb_step_state state, int64_t count)
{
	fuzz_tape *tape = context;

	fuzz_tape_word(tape, "\ntally");
	fuzz_tape_slice(tape, queue);
	fuzz_tape_number(tape, (int64_t)state);
	fuzz_tape_number(tape, count);
	return true;
}

void fuzz_tell_outside(fuzz_side *side)
{
	const sb_step_filter all = { .count_max = SCAN_MAX };
	sb_store *store = side->store;
	fuzz_tape *tape = &side->tape;
	int64_t count = 0;

	fuzz_check(side->type->step_list(store, &all, fuzz_tell_view, tape, NULL) == STEPBUS_OK);
	fuzz_check(side->type->step_count(store, &all, &count, NULL) == STEPBUS_OK);
	fuzz_tape_number(tape, count);
	fuzz_check(side->type->queue_list(store, fuzz_tell_queue, tape, NULL) == STEPBUS_OK);
	fuzz_check(side->type->worker_list(store, fuzz_tell_worker, tape, NULL) == STEPBUS_OK);
	fuzz_check(side->type->served_list(store, fuzz_tell_served, tape, NULL) == STEPBUS_OK);
	fuzz_check(side->type->cron_list(store, fuzz_tell_cron, tape, NULL) == STEPBUS_OK);
	fuzz_check(side->type->tally(store, fuzz_tell_tally, tape, NULL) == STEPBUS_OK);
	fuzz_tape_sort(tape);
}

static void tell_scan(fuzz_side *side, sb_scan scan, const char *word)
{
	sb_step_status out[SCAN_MAX];
	size_t count = 0;

	fuzz_check(side->type->step_scan(side->store, &scan, out, SCAN_MAX, &count, NULL) ==
		   STEPBUS_OK);
	fuzz_tape_word(&side->tape, word);
	for (size_t i = 0; i < count; i++)
		fuzz_tell_status(&side->tape, &out[i]);
}

static void tell_lanes(fuzz_side *side, bool is_descending)
{
	sb_lane lane = { 0 };
	bool found = true;

	for (int i = 0; i < 32; i++) {
		fuzz_check(side->type->lane_next(side->store, is_descending, &lane, &found, NULL) ==
			   STEPBUS_OK);
		if (!found)
			return;
		fuzz_tape_word(&side->tape, "\nlane");
		fuzz_tape_number(&side->tape, lane.queue_id);
		fuzz_tape_number(&side->tape, lane.priority);
		fuzz_tape_number(&side->tape, lane.head_id);
		tell_scan(side,
			  (sb_scan){ .kind = SB_SCAN_READY,
				     .is_descending = is_descending,
				     .queue_id = lane.queue_id,
				     .priority = lane.priority },
			  " ready");
	}
}

static void tell_parked(fuzz_side *side)
{
	int64_t key = INT64_MIN;
	bool found = true;

	for (int i = 0; i < 32; i++) {
		fuzz_check(side->type->park_next(side->store, &key, &found, NULL) == STEPBUS_OK);
		if (!found)
			return;
		fuzz_tape_number(&side->tape, key);
		tell_scan(side, (sb_scan){ .kind = SB_SCAN_PARKED, .park_key = key }, " parked");
	}
}

void fuzz_tell_inside(fuzz_side *side)
{
	int64_t due = -1;

	tell_lanes(side, false);
	tell_lanes(side, true);
	tell_parked(side);
	fuzz_check(side->type->due_next(side->store, &due, NULL) == STEPBUS_OK);
	fuzz_tape_number(&side->tape, due);
	tell_scan(side, (sb_scan){ .kind = SB_SCAN_ALL }, "\nall");
	for (int64_t worker_id = 1; worker_id <= 3; worker_id++)
		tell_scan(side, (sb_scan){ .kind = SB_SCAN_RUNNING, .worker_id = worker_id },
			  "\nrunning");
	/* What is due at one time comes in any order. */
	fuzz_tape_sort(&side->tape);
}
