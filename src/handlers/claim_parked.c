/* SPDX-License-Identifier: MIT */
#include "handlers/claim_block.h"
#include "handlers/damage.h"
#include "handlers/serving.h"

/* How many parked steps, and for how many handlers, one claim looks at at most. */
enum { LOOK_MAX = 512, KEY_MAX = 512 };

/* What its handler does not hold up any more waits for its queue, or its key, where others do. */
static stepbus_status release(sb_claim_block *b, const sb_step_status *status)
{
	sb_step_status ready = *status;
	bool is_done = false;

	ready.state = SB_STEP_READY;
	ready.park_key = 0;
	ready.changed_at_us = b->now_us;
	b->has_released = true;
	return sb_settle_move(b->store, SB_STEP_RELEASE, status, &ready, &is_done, b->err);
}

static stepbus_status find_room_for_parked(sb_claim_block *b, int64_t queue_id, uint32_t *room)
{
	size_t known_count = b->queue_count;
	const sb_queue_row *queue = NULL;
	stepbus_status status = STEPBUS_OK;

	*room = 0;
	if (queue_id == b->closed.queue_id)
		return STEPBUS_OK;
	if (sb_worker_takes(b->worker, queue_id))
		status = sb_claim_block_queue(b, queue_id, &queue);
	if (status == STEPBUS_OK && queue != NULL)
		status = sb_claim_block_room(b, queue, room);
	if (*room > 0)
		return status;
	b->closed.queue_id = queue_id;
	b->closed.is_paused = queue != NULL && queue->paused_at_us != 0;
	b->queue_count = known_count;
	return status;
}

/*
 * One that its queue, or its key, holds up must not stand before others: a pause may be long, and a
 * key has a line of its own, so there it is moved; else it is passed over.
 */
static stepbus_status admit_parked(sb_claim_block *b, const sb_step_status *status,
				   sb_known_handler *handler)
{
	bool is_full = false;
	uint32_t room = 0;
	stepbus_status answer = find_room_for_parked(b, status->queue_id, &room);

	b->looked_at++;
	if (answer == STEPBUS_OK && room > 0)
		answer = sb_claim_block_is_key_full(b, status, &is_full);
	if (answer != STEPBUS_OK)
		return answer;
	if (is_full || (room == 0 && b->closed.is_paused))
		return release(b, status);
	if (room == 0)
		return STEPBUS_OK;
	answer = sb_claim_block_take(b, status, handler);
	sb_claim_block_charge(b, status->queue_id, 1);
	return answer;
}

/* As admit_parked; a damaged one is passed over. */
static stepbus_status admit_next(sb_claim_block *b, const sb_step_status *row,
				 sb_known_handler *handler)
{
	uint32_t fresh_count = b->worker->fresh_count;
	stepbus_status status = admit_parked(b, row, handler);

	return sb_likely(status == STEPBUS_OK) ?
		       STEPBUS_OK :
		       sb_claim_block_pass_over(b, row->id, fresh_count, status);
}

static bool may_look_on(const sb_claim_block *b)
{
	return b->wanted > 0 && b->looked_at < LOOK_MAX && b->queue_count < SB_CLAIM_LANE_MAX;
}

/* Goes through those of a handler behind after_id. */
static stepbus_status admit_all_parked(sb_claim_block *b, sb_known_handler *handler,
				       int64_t *after_id, bool *is_over)
{
	sb_scan scan = { .kind = SB_SCAN_PARKED, .park_key = handler->id };
	size_t max = b->wanted < SB_CLAIM_CHUNK ? b->wanted : SB_CLAIM_CHUNK;
	sb_step_status rows[SB_CLAIM_CHUNK];
	stepbus_status status = STEPBUS_OK;

	*is_over = !sb_serving_has_room(b->engine, handler);
	while (status == STEPBUS_OK && !*is_over && may_look_on(b)) {
		size_t count = 0, i = 0;

		scan.after_id = *after_id;
		status = b->store->type->step_scan(b->store, &scan, rows, max, &count, b->err);
		while (status == STEPBUS_OK && i < count && !*is_over && may_look_on(b)) {
			*after_id = rows[i].id;
			status = admit_next(b, &rows[i++], handler);
			*is_over = !sb_serving_has_room(b->engine, handler);
		}
		*is_over = *is_over || (i == count && count < max);
		max = SB_CLAIM_CHUNK;
	}
	return status;
}

/* Parked for a handler that is served here by now, or by nobody any more. */
static stepbus_status claim_parked_of(sb_claim_block *b, int64_t handler_id, int64_t *after_id,
				      bool *is_over)
{
	sb_known_handler *handler = NULL;
	stepbus_status status =
		sb_names_handler_of(&b->engine->names, b->store, handler_id, &handler, b->err);

	*is_over = true;
	if (sb_damage_is(status)) {
		sb_damage_note(b->engine, SB_DAMAGE_HANDLER, handler_id, b->err->message);
		return STEPBUS_OK;
	}
	if (status == STEPBUS_OK)
		status = sb_serving_judge(b->engine, handler, b->err);
	if (status != STEPBUS_OK || !sb_serving_is_for(handler, b->worker))
		return status;
	return admit_all_parked(b, handler, after_id, is_over);
}

/* Goes on where the last claim broke off, once around. */
stepbus_status sb_claim_parked(sb_claim_block *b)
{
	sb_claim_place *place = &b->worker->place;
	const sb_claim_place from = *place;
	/* Concurrency keys are below 0; settle.c releases those. */
	int64_t park_key = from.park_key > 0 ? from.park_key - 1 : 0;
	bool is_wrapped = from.park_key == 0, is_any = false, is_found = false, is_over = true;
	stepbus_status status = STEPBUS_OK;

	for (int i = 0; status == STEPBUS_OK && i < KEY_MAX; i++) {
		status = b->store->type->park_next(b->store, &park_key, &is_found, b->err);
		if (status == STEPBUS_OK && !is_found && !is_wrapped) {
			is_wrapped = true;
			park_key = 0;
			continue;
		}
		is_any = is_any || is_found;
		place->park_key = 0;
		if (!is_found || (is_wrapped && from.park_key > 0 && park_key > from.park_key))
			break;
		place->park_id = !is_wrapped && park_key == from.park_key ? from.park_id : 0;
		if (status == STEPBUS_OK)
			status = claim_parked_of(b, park_key, &place->park_id, &is_over);
		place->park_key = is_over ? park_key + 1 : park_key;
		if (!is_over)
			break;
		place->park_id = 0;
	}
	/* Nothing is parked for handlers: no need to look again until somebody parks or others write. */
	if (status == STEPBUS_OK && !is_found && !is_any)
		b->engine->may_have_parked = false;
	b->has_more = b->has_more || (b->has_released && place->park_key > 0);
	return status;
}
