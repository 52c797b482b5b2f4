/* SPDX-License-Identifier: MIT */
#include "handlers/claim.h"

#include "handlers/claim_block.h"
#include "handlers/damage.h"
#include "handlers/serving.h"

/* How many blocked steps one claim moves out of the way at most. */
enum { PARK_MAX = 1024 };

static void add_lane(sb_claim_block *b, const sb_lane *lane, uint32_t room)
{
	b->lanes[b->lane_count++] = (sb_claim_lane){ .queue_id = lane->queue_id,
						     .head_id = lane->head_id,
						     .priority = lane->priority,
						     .room = room };
}

/* How many steps of a lane's queue this worker may start now. */
static stepbus_status find_room_of(sb_claim_block *b, int64_t queue_id, uint32_t *room)
{
	const sb_queue_row *queue = NULL;
	size_t known_count = b->queue_count;
	stepbus_status status = STEPBUS_OK;

	*room = 0;
	if (sb_worker_takes(b->worker, queue_id))
		status = sb_claim_block_queue(b, queue_id, &queue);
	if (status == STEPBUS_OK && queue != NULL)
		status = sb_claim_block_room(b, queue, room);
	/* A queue that gives nothing must not take the place of one that does. */
	if (*room == 0)
		b->queue_count = known_count;
	return status;
}

/* Past all of a queue, and past those that the worker does not take. */
static void skip_queue(const sb_claim_block *b, sb_lane *lane)
{
	const stepbus_worker *worker = b->worker;
	int64_t next_id = INT64_MAX;

	lane->priority = INT32_MAX;
	if (worker->queue_count == 0)
		return;
	for (size_t i = 0; i < worker->queue_count; i++)
		if (worker->queue_ids[i] > lane->queue_id && worker->queue_ids[i] < next_id)
			next_id = worker->queue_ids[i];
	lane->queue_id = next_id - 1;
}

static bool is_past(const sb_lane *lane, const sb_claim_place *end)
{
	return lane->queue_id != end->queue_id ? lane->queue_id > end->queue_id :
						 lane->priority > end->priority;
}

/* Adds the lanes behind one place, up to another one (NULL: to the last one). */
static stepbus_status add_lanes(sb_claim_block *b, const sb_claim_place *from,
				const sb_claim_place *to, bool *is_over)
{
	bool is_descending = b->worker->order.strategy == SB_CLAIM_LIFO;
	sb_lane lane = { .queue_id = from->queue_id, .priority = from->priority };
	int64_t queue_id = 0;
	bool is_found = false;
	uint32_t room = 0;
	stepbus_status status = STEPBUS_OK;

	*is_over = false;
	while (status == STEPBUS_OK && b->lane_count < SB_CLAIM_LANE_MAX) {
		status = b->store->type->lane_next(b->store, is_descending, &lane, &is_found,
						   b->err);
		*is_over = !is_found || (to != NULL && is_past(&lane, to));
		if (status != STEPBUS_OK || *is_over)
			return status;
		if (queue_id != lane.queue_id)
			status = find_room_of(b, lane.queue_id, &room);
		queue_id = lane.queue_id;
		if (room == 0)
			skip_queue(b, &lane);
		else if (status == STEPBUS_OK)
			add_lane(b, &lane, room);
	}
	b->worker->place.queue_id = lane.queue_id;
	b->worker->place.priority = lane.priority;
	return status;
}

/*
 * Where there are more lanes than one claim looks at, the next one begins behind them, so that the
 * last ones get their turn however much is in the first.
 */
static stepbus_status find_lanes(sb_claim_block *b)
{
	static const sb_claim_place front = { 0 };
	const sb_claim_place from = b->worker->place;
	bool is_over = false;
	stepbus_status status = add_lanes(b, &from, NULL, &is_over);

	if (status == STEPBUS_OK && is_over && from.queue_id != 0)
		status = add_lanes(b, &front, &from, &is_over);
	if (status != STEPBUS_OK)
		return status;
	if (is_over)
		b->worker->place.queue_id = 0;
	b->has_more = b->has_more || !is_over;
	return STEPBUS_OK;
}

static stepbus_status park(sb_claim_block *b, const sb_step_status *status, int64_t park_key)
{
	sb_step_status parked = *status;
	bool is_done = false;

	parked.state = SB_STEP_PARKED;
	parked.park_key = park_key;
	parked.changed_at_us = b->now_us;
	b->engine->may_have_parked = true;
	b->parked++;
	return sb_settle_move(b->store, SB_STEP_PARK, status, &parked, &is_done, b->err);
}

/* Another worker of this process may be the one that it waits for. */
static stepbus_status park_for(sb_claim_block *b, const sb_step_status *status,
			       const sb_known_handler *handler)
{
	if (handler->serving == SB_SERVING_HERE && !sb_serving_is_for(handler, b->worker))
		atomic_fetch_add(&b->engine->change_count, 1);
	return park(b, status, handler->id);
}

/*
 * What its first claim makes of a deadline that was the one for waiting: that for all attempts. Only
 * the first one, whose token is 0: a snooze, which is no attempt, must not prolong it.
 */
static int64_t deadline_after_start(const sb_step_status *status, const sb_step_row *row)
{
	const int64_t deadline_us = status->deadline_at_us;
	int64_t longer_us;

	/* Rows may have been written by anybody: what is below 0 is not said. */
	if (status->token > 0 || row->wait_timeout_us <= 0 || deadline_us <= 0)
		return deadline_us;
	if (row->total_timeout_us <= 0)
		return 0;
	if (row->total_timeout_us <= row->wait_timeout_us)
		return deadline_us;
	longer_us = row->total_timeout_us - row->wait_timeout_us;
	return deadline_us > INT64_MAX - longer_us ? INT64_MAX : deadline_us + longer_us;
}

void sb_claim_grant(const stepbus_worker *worker, const sb_step_row *row, sb_step_status *status,
		    int64_t now_us)
{
	status->deadline_at_us = deadline_after_start(status, row);
	status->state = SB_STEP_RUNNING;
	status->token = sb_settle_next_token(status->token, now_us);
	status->worker_id = worker->row.id;
	status->attempt_count++;
	status->changed_at_us = now_us;
	status->park_key = 0;
	status->due_at_us = 0;
}

/* What the step's row points at is gone behind this. */
static stepbus_status add_progress(stepbus *engine, sb_claimed *claimed, stepbus_error *err)
{
	sb_checkpoint_row checkpoint;
	stepbus_status status;

	if (sb_likely(claimed->status.checkpoint_count == 0))
		return STEPBUS_OK;
	status = engine->store->type->checkpoint_read(engine->store, claimed->status.id,
						      &checkpoint, err);
	/* A damaged store is no reason not to run the step: from its beginning. */
	if (status == STEPBUS_ENOTFOUND)
		return STEPBUS_OK;
	if (status == STEPBUS_OK && !sb_claimed_set_progress(&engine->host, claimed, &checkpoint))
		return sb_fail_memory(err, "claim a step");
	return status;
}

stepbus_status sb_claim_hand_over(stepbus_worker *worker, const sb_step_row *row,
				  const sb_step_status *status, sb_known_handler *handler,
				  stepbus_error *err)
{
	stepbus *engine = worker->engine;
	sb_retry_policy policy;
	sb_claimed *claimed;
	sb_slice queue;
	stepbus_status answer =
		sb_names_queue_of(&engine->names, engine->store, row->queue_id, &queue, err);

	if (answer != STEPBUS_OK)
		return answer;
	claimed = sb_claimed_new(&engine->host, row, status, &handler->row, queue,
				 engine->store->tag);
	if (claimed == NULL)
		return sb_fail_memory(err, "claim a step");
	policy = sb_retry_policy_resolve(&claimed->retry, &(sb_retry_policy){ 0 },
					 &engine->options.retry);
	claimed->event.max_retries =
		policy.attempt_count_max > 0 ? policy.attempt_count_max - 1 : 0;
	claimed->handler = handler;
	claimed->worker = worker;
	answer = add_progress(engine, claimed, err);
	if (answer == STEPBUS_OK && !sb_worker_add_fresh(worker, claimed))
		answer = sb_fail_memory(err, "claim a step");
	if (answer != STEPBUS_OK) {
		sb_claimed_unref(&engine->host, claimed);
		return answer;
	}
	sb_serving_take_room(engine, handler);
	return STEPBUS_OK;
}

/* Claims a step, or parks it where it cannot run here and now. */
static stepbus_status admit(sb_claim_block *b, const sb_step_status *status,
			    uint32_t *claimed_count)
{
	sb_known_handler *handler = NULL;
	bool is_full = false;
	stepbus_status answer = sb_names_handler_of(&b->engine->names, b->store, status->handler_id,
						    &handler, b->err);

	if (answer == STEPBUS_OK)
		answer = sb_serving_judge(b->engine, handler, b->err);
	if (answer == STEPBUS_OK &&
	    (!sb_serving_is_for(handler, b->worker) || !sb_serving_has_room(b->engine, handler)))
		return park_for(b, status, handler);
	if (answer == STEPBUS_OK)
		answer = sb_claim_block_is_key_full(b, status, &is_full);
	if (answer != STEPBUS_OK)
		return answer;
	if (is_full)
		return park(b, status, status->concurrency_key);
	answer = sb_claim_block_take(b, status, handler);
	*claimed_count += answer == STEPBUS_OK;
	return answer;
}

static bool is_beyond(const sb_claim_take *take, int64_t id, bool is_descending)
{
	if (take->bound_id == 0)
		return false;
	return is_descending ? id <= take->bound_id : id >= take->bound_id;
}

/* As admit; a damaged row is passed over, and where there are too many the lane ends. */
static stepbus_status admit_next(sb_claim_block *b, const sb_step_status *row,
				 uint32_t *claimed_count, bool *is_over)
{
	uint32_t passed_over = b->passed_over, fresh_count = b->worker->fresh_count;
	stepbus_status status = admit(b, row, claimed_count);

	if (sb_likely(status == STEPBUS_OK))
		return STEPBUS_OK;
	status = sb_claim_block_pass_over(b, row->id, fresh_count, status);
	*is_over = b->passed_over > passed_over && b->passed_over >= SB_CLAIM_PASS_MAX;
	return status;
}

/* The line is kept by an index, and read by what the rows say: somebody else wrote one of the two. */
static void check_head(sb_claim_block *b, const sb_claim_lane *lane, int64_t first_id)
{
	if (sb_unlikely(first_id != lane->head_id))
		sb_damage_note(b->engine, SB_DAMAGE_STEP, lane->head_id,
			       "it stands among the ready steps, but its state is another one");
}

/* Reads what a take says, one row more than it wants: that one is the lane's next head. */
static stepbus_status take_rows(sb_claim_block *b, const sb_claim_take *take)
{
	bool is_descending = b->worker->order.strategy == SB_CLAIM_LIFO;
	const sb_claim_lane *lane = &b->lanes[take->lane];
	const sb_scan scan = { .kind = SB_SCAN_READY,
			       .is_descending = is_descending,
			       .priority = lane->priority,
			       .queue_id = lane->queue_id,
			       .after_id = lane->head_id + (is_descending ? 1 : -1) };
	size_t max = take->count < SB_CLAIM_CHUNK - 1 ? take->count + 1 : SB_CLAIM_CHUNK;
	sb_step_status rows[SB_CLAIM_CHUNK];
	uint32_t claimed_count = 0;
	size_t count = 0, i = 0;
	bool is_over = false;
	stepbus_status status =
		b->store->type->step_scan(b->store, &scan, rows, max, &count, b->err);

	if (status == STEPBUS_OK)
		check_head(b, lane, count > 0 ? rows[0].id : 0);
	while (status == STEPBUS_OK && i < count && i < max - 1 && !is_over &&
	       !is_beyond(take, rows[i].id, is_descending))
		status = admit_next(b, &rows[i++], &claimed_count, &is_over);
	sb_claim_taken(&b->worker->order, b->lanes, b->lane_count, take, claimed_count,
		       i < count && !is_over ? rows[i].id : 0);
	return status;
}

static stepbus_status claim_lanes(sb_claim_block *b)
{
	sb_claim_take take;
	stepbus_status status = find_lanes(b);

	sb_claim_sort(b->lanes, b->lane_count);
	while (status == STEPBUS_OK && b->wanted > 0 && b->parked < PARK_MAX &&
	       sb_claim_next(&b->worker->order, b->lanes, b->lane_count, b->wanted, &take)) {
		int64_t queue_id = b->lanes[take.lane].queue_id;
		uint32_t before = b->wanted;

		status = take_rows(b, &take);
		sb_claim_block_charge(b, queue_id, before - b->wanted);
	}
	return status;
}

/* has_more: it may be worth looking again, though nothing has changed. */
static stepbus_status claim_for(stepbus_worker *worker, uint32_t wanted, bool *has_more,
				stepbus_error *err)
{
	stepbus *engine = worker->engine;
	sb_claim_block b;
	stepbus_status status = STEPBUS_OK;

	b.engine = engine;
	b.worker = worker;
	b.store = engine->store;
	b.err = err;
	b.now_us = sb_engine_now_us(engine);
	b.wanted = wanted;
	b.parked = 0;
	b.passed_over = 0;
	b.looked_at = 0;
	b.has_released = false;
	b.has_more = false;
	b.closed.queue_id = 0;
	b.closed.is_paused = false;
	b.lane_count = 0;
	b.queue_count = 0;
	if (engine->may_have_parked)
		status = sb_claim_parked(&b);
	if (status == STEPBUS_OK && b.wanted > 0)
		status = claim_lanes(&b);
	if (status == STEPBUS_OK)
		status = sb_claim_block_note_rates(&b);
	*has_more = b.wanted == 0 || b.parked >= PARK_MAX || b.has_more;
	return status;
}

void sb_claim_note_changes(stepbus *engine)
{
	if (engine->group.is_change_noted)
		return;
	engine->group.is_change_noted = true;
	if (engine->store->type->has_changed(engine->store)) {
		engine->may_have_parked = true;
		atomic_fetch_add(&engine->change_count, 1);
	}
}

stepbus_status sb_claim_all(stepbus *engine, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	sb_claim_note_changes(engine);
	engine->group.is_claimed = true;
	if (engine->group.is_ready_made)
		atomic_fetch_add(&engine->change_count, 1);
	for (stepbus_worker *w = engine->workers; w != NULL && status == STEPBUS_OK; w = w->next) {
		/* Read before the store is, so that what changes meanwhile is not missed. */
		uint64_t change_count = atomic_load(&engine->change_count);
		uint32_t wanted = sb_worker_wanted(w);
		bool has_more = true;

		if (wanted > 0 && !sb_worker_is_drained(w))
			status = claim_for(w, wanted, &has_more, err);
		if (status == STEPBUS_OK && !has_more)
			atomic_store(&w->seen_change_count, change_count);
	}
	return status;
}
