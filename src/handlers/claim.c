/* SPDX-License-Identifier: MIT */
#include "handlers/claim.h"

#include "handlers/rate.h"
#include "handlers/serving.h"

enum {
	LANE_MAX = 128,
	CHUNK = 128, /* rows that are looked at, at once */
	/* How many blocked steps one claim moves out of the way at most. */
	PARK_MAX = 1024,
};

/* One worker's claim. */
typedef struct block {
	stepbus *engine;
	stepbus_worker *worker;
	sb_store *store;
	stepbus_error *err;
	int64_t now_us;
	uint32_t wanted;
	uint32_t parked;
	size_t lane_count;
	sb_claim_lane lanes[LANE_MAX];
	size_t queue_count;
	sb_queue_row queues[LANE_MAX + 1]; /* of the lanes; their names are not valid */
} block;

static const sb_queue_row *queue_of(const block *b, int64_t id)
{
	for (size_t i = 0; i < b->queue_count; i++)
		if (b->queues[i].id == id)
			return &b->queues[i];
	return NULL;
}

static stepbus_status load_queue(block *b, int64_t id, const sb_queue_row **out)
{
	sb_queue_row *row = &b->queues[b->queue_count];
	stepbus_status status;

	*out = queue_of(b, id);
	if (*out != NULL)
		return STEPBUS_OK;
	status = b->store->type->queue_read(b->store, id, row, b->err);
	if (status != STEPBUS_OK)
		return status;
	row->name = sb_slice_of(NULL, 0);
	/* The last place is for looking only: such a queue waits for the next claim. */
	if (b->queue_count < LANE_MAX)
		b->queue_count++;
	else
		row->paused_at_us = b->now_us;
	*out = row;
	return STEPBUS_OK;
}

/* How many steps of a queue may start now; UINT32_MAX: no limit. */
static stepbus_status find_room(block *b, const sb_queue_row *queue, uint32_t *room)
{
	int64_t rate = sb_rate_room(queue, b->now_us);
	int64_t running = 0;
	stepbus_status status = STEPBUS_OK;

	*room = rate >= UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
	if (rate == 0) {
		int64_t next_us = sb_rate_next_us(queue, b->now_us);

		/* The clockwork looks again then. */
		if (b->engine->group.due_at_us == 0 || next_us < b->engine->group.due_at_us)
			b->engine->group.due_at_us = next_us;
	}
	if (queue->paused_at_us != 0)
		*room = 0;
	if (*room == 0 || queue->concurrency_max == 0)
		return STEPBUS_OK;
	status = b->store->type->running_count(b->store, queue->id, 0, queue->concurrency_max,
					       &running, b->err);
	if (running >= queue->concurrency_max)
		*room = 0;
	else if (queue->concurrency_max - (uint32_t)running < *room)
		*room = queue->concurrency_max - (uint32_t)running;
	return status;
}

static void add_lane(block *b, const sb_lane *lane, uint32_t room)
{
	b->lanes[b->lane_count++] = (sb_claim_lane){ .queue_id = lane->queue_id,
						     .head_id = lane->head_id,
						     .priority = lane->priority,
						     .room = room };
}

/* How many steps of a lane's queue this worker may start now. */
static stepbus_status find_room_of(block *b, int64_t queue_id, uint32_t *room)
{
	const sb_queue_row *queue = NULL;
	size_t known_count = b->queue_count;
	stepbus_status status = STEPBUS_OK;

	*room = 0;
	if (sb_worker_takes(b->worker, queue_id))
		status = load_queue(b, queue_id, &queue);
	if (status == STEPBUS_OK && queue != NULL)
		status = find_room(b, queue, room);
	/* A queue that gives nothing must not take the place of one that does. */
	if (*room == 0)
		b->queue_count = known_count;
	return status;
}

static stepbus_status find_lanes(block *b)
{
	bool is_descending = b->worker->order.strategy == SB_CLAIM_LIFO;
	sb_lane lane = { 0 };
	int64_t queue_id = 0;
	bool is_found = false;
	uint32_t room = 0;
	stepbus_status status = STEPBUS_OK;

	while (status == STEPBUS_OK && b->lane_count < LANE_MAX) {
		status = b->store->type->lane_next(b->store, is_descending, &lane, &is_found,
						   b->err);
		if (status != STEPBUS_OK || !is_found)
			return status;
		if (queue_id != lane.queue_id)
			status = find_room_of(b, lane.queue_id, &room);
		queue_id = lane.queue_id;
		/* Nothing of this queue: on to the next one. */
		if (room == 0)
			lane.priority = INT32_MAX;
		else if (status == STEPBUS_OK)
			add_lane(b, &lane, room);
	}
	return status;
}

static stepbus_status park(block *b, const sb_step_status *status, int64_t park_key)
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

static stepbus_status is_key_full(block *b, const sb_step_status *status, bool *is_full)
{
	const sb_queue_row *queue = NULL;
	int64_t running = 0;
	stepbus_status answer;

	*is_full = false;
	if (status->concurrency_key == 0)
		return STEPBUS_OK;
	answer = load_queue(b, status->queue_id, &queue);
	if (answer != STEPBUS_OK || queue->key_concurrency_max == 0)
		return answer;
	answer = b->store->type->running_count(b->store, status->queue_id, status->concurrency_key,
					       queue->key_concurrency_max, &running, b->err);
	*is_full = running >= queue->key_concurrency_max;
	return answer;
}

/*
 * What its first claim makes of a deadline that was the one for waiting: that for all attempts. Only
 * the first one, whose token is 0: a snooze, which is no attempt, must not prolong it.
 */
static int64_t deadline_after_start(const sb_step_status *status, const sb_step_row *row)
{
	int64_t shorter = row->wait_timeout_us;

	if (status->token > 0 || row->wait_timeout_us == 0 || status->deadline_at_us == 0)
		return status->deadline_at_us;
	if (row->total_timeout_us == 0)
		return 0;
	if (row->total_timeout_us < shorter)
		shorter = row->total_timeout_us;
	return status->deadline_at_us - shorter + row->total_timeout_us;
}

void sb_claim_grant(const stepbus_worker *worker, const sb_step_row *row, sb_step_status *status,
		    int64_t now_us)
{
	status->deadline_at_us = deadline_after_start(status, row);
	status->state = SB_STEP_RUNNING;
	/* Grows even where a backup was restored, since time went on. */
	status->token = status->token >= now_us ? status->token + 1 : now_us;
	status->worker_id = worker->row.id;
	status->attempt_count++;
	status->changed_at_us = now_us;
	status->park_key = 0;
	status->due_at_us = 0;
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
	if (!sb_worker_add_fresh(worker, claimed)) {
		sb_claimed_unref(&engine->host, claimed);
		return sb_fail_memory(err, "claim a step");
	}
	sb_serving_take_room(engine, handler);
	return STEPBUS_OK;
}

static stepbus_status claim_step(block *b, const sb_step_status *status, sb_known_handler *handler)
{
	sb_step_status to = *status;
	bool is_done = false;
	sb_step_row row;
	sb_slice queue;
	/* Known from here on: to read it later would take away what the row points at. */
	stepbus_status answer =
		sb_names_queue_of(&b->engine->names, b->store, status->queue_id, &queue, b->err);

	if (answer == STEPBUS_OK)
		answer = b->store->type->step_row_read(b->store, status->id, &row, b->err);
	if (answer != STEPBUS_OK)
		return answer;
	sb_claim_grant(b->worker, &row, &to, b->now_us);
	row.queue_id = status->queue_id;
	answer = sb_claim_hand_over(b->worker, &row, &to, handler, b->err);
	if (answer == STEPBUS_OK)
		answer = sb_settle_move(b->store, SB_STEP_CLAIM, status, &to, &is_done, b->err);
	if (answer == STEPBUS_OK && !is_done)
		return sb_fail(b->err, STEPBUS_ECORRUPT,
			       "step %lld stands in an index with a state that it has not",
			       (long long)status->id);
	b->wanted--;
	return answer;
}

/* Claims a step, or parks it where it cannot run here and now. */
static stepbus_status admit(block *b, const sb_step_status *status, uint32_t *claimed_count)
{
	sb_known_handler *handler = NULL;
	bool is_full = false;
	stepbus_status answer = sb_names_handler_of(&b->engine->names, b->store, status->handler_id,
						    &handler, b->err);

	if (answer == STEPBUS_OK)
		answer = sb_serving_judge(b->engine, handler, b->err);
	if (answer == STEPBUS_OK &&
	    (handler->serving == SB_SERVING_ELSEWHERE || !sb_serving_has_room(b->engine, handler)))
		return park(b, status, handler->id);
	if (answer == STEPBUS_OK)
		answer = is_key_full(b, status, &is_full);
	if (answer != STEPBUS_OK)
		return answer;
	if (is_full)
		return park(b, status, status->concurrency_key);
	answer = claim_step(b, status, handler);
	*claimed_count += answer == STEPBUS_OK;
	return answer;
}

static bool is_beyond(const sb_claim_take *take, int64_t id, bool is_descending)
{
	if (take->bound_id == 0)
		return false;
	return is_descending ? id <= take->bound_id : id >= take->bound_id;
}

/* Reads what a take says, one row more than it wants: that one is the lane's next head. */
static stepbus_status take_rows(block *b, const sb_claim_take *take)
{
	bool is_descending = b->worker->order.strategy == SB_CLAIM_LIFO;
	const sb_claim_lane *lane = &b->lanes[take->lane];
	const sb_scan scan = { .kind = SB_SCAN_READY,
			       .is_descending = is_descending,
			       .priority = lane->priority,
			       .queue_id = lane->queue_id,
			       .after_id = lane->head_id + (is_descending ? 1 : -1) };
	size_t max = take->count < CHUNK - 1 ? take->count + 1 : CHUNK;
	sb_step_status rows[CHUNK];
	uint32_t claimed_count = 0;
	size_t count = 0, i = 0;
	stepbus_status status =
		b->store->type->step_scan(b->store, &scan, rows, max, &count, b->err);

	while (status == STEPBUS_OK && i < count && i < max - 1 &&
	       !is_beyond(take, rows[i].id, is_descending))
		status = admit(b, &rows[i++], &claimed_count);
	sb_claim_taken(&b->worker->order, b->lanes, b->lane_count, take, claimed_count,
		       i < count ? rows[i].id : 0);
	return status;
}

static stepbus_status note_rates(block *b)
{
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; status == STEPBUS_OK && i < b->queue_count; i++)
		if (b->queues[i].rate_count > 0)
			status = b->store->type->queue_write(b->store, &b->queues[i], b->err);
	return status;
}

static void charge_rate(block *b, int64_t queue_id, uint32_t count)
{
	for (size_t i = 0; i < b->queue_count; i++)
		if (b->queues[i].id == queue_id && b->queues[i].rate_count > 0)
			sb_rate_take(&b->queues[i], b->now_us, count);
}

static stepbus_status claim_lanes(block *b)
{
	sb_claim_take take;
	stepbus_status status = find_lanes(b);

	sb_claim_sort(b->lanes, b->lane_count);
	while (status == STEPBUS_OK && b->wanted > 0 && b->parked < PARK_MAX &&
	       sb_claim_next(&b->worker->order, b->lanes, b->lane_count, b->wanted, &take)) {
		int64_t queue_id = b->lanes[take.lane].queue_id;
		uint32_t before = b->wanted;

		status = take_rows(b, &take);
		charge_rate(b, queue_id, before - b->wanted);
	}
	return status == STEPBUS_OK ? note_rates(b) : status;
}

/* Parked for a handler that is served here by now, or by nobody any more. */
static stepbus_status claim_parked_of(block *b, int64_t handler_id)
{
	sb_scan scan = { .kind = SB_SCAN_PARKED, .park_key = handler_id };
	sb_known_handler *handler = NULL;
	sb_step_status rows[CHUNK];
	size_t count = 0;
	stepbus_status status =
		sb_names_handler_of(&b->engine->names, b->store, handler_id, &handler, b->err);

	if (status == STEPBUS_OK)
		status = sb_serving_judge(b->engine, handler, b->err);
	if (status != STEPBUS_OK || handler->serving == SB_SERVING_ELSEWHERE)
		return status;
	status = b->store->type->step_scan(b->store, &scan, rows,
					   b->wanted < CHUNK ? b->wanted : CHUNK, &count, b->err);
	for (size_t i = 0; status == STEPBUS_OK && i < count; i++) {
		const sb_queue_row *queue = NULL;
		uint32_t room = 0;
		bool is_full = false;

		status = load_queue(b, rows[i].queue_id, &queue);
		if (status == STEPBUS_OK && sb_worker_takes(b->worker, rows[i].queue_id))
			status = find_room(b, queue, &room);
		if (status == STEPBUS_OK && room > 0)
			status = is_key_full(b, &rows[i], &is_full);
		if (status == STEPBUS_OK && room > 0 && !is_full &&
		    sb_serving_has_room(b->engine, handler)) {
			status = claim_step(b, &rows[i], handler);
			charge_rate(b, rows[i].queue_id, 1);
		}
	}
	return status;
}

static stepbus_status claim_parked(block *b)
{
	int64_t park_key = 0; /* concurrency keys are below; settle.c releases those */
	bool is_found = true;
	stepbus_status status = STEPBUS_OK;

	for (int i = 0; i < LANE_MAX && b->wanted > 0; i++) {
		status = b->store->type->park_next(b->store, &park_key, &is_found, b->err);
		if (status != STEPBUS_OK || !is_found)
			break;
		status = claim_parked_of(b, park_key);
		if (status != STEPBUS_OK)
			break;
	}
	/* Nothing is parked for handlers: no need to look again until somebody parks or others write. */
	if (status == STEPBUS_OK && !is_found && park_key == 0)
		b->engine->may_have_parked = false;
	return status;
}

/* has_more: it may be worth looking again, though nothing has changed. */
static stepbus_status claim_for(stepbus_worker *worker, uint32_t wanted, bool *has_more,
				stepbus_error *err)
{
	stepbus *engine = worker->engine;
	block b;
	stepbus_status status = STEPBUS_OK;

	b.engine = engine;
	b.worker = worker;
	b.store = engine->store;
	b.err = err;
	b.now_us = sb_engine_now_us(engine);
	b.wanted = wanted;
	b.parked = 0;
	b.lane_count = 0;
	b.queue_count = 0;
	if (engine->may_have_parked)
		status = claim_parked(&b);
	if (status == STEPBUS_OK && b.wanted > 0)
		status = claim_lanes(&b);
	*has_more = b.wanted == 0 || b.parked >= PARK_MAX || b.lane_count == LANE_MAX;
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
