/* SPDX-License-Identifier: MIT */
#include "handlers/parked.h"

#include "handlers/damage.h"

enum { CHUNK = 128 };

void sb_parked_walk_begin(sb_parked_walk *walk, int64_t count_max)
{
	*walk = (sb_parked_walk){ .park_key = INT64_MIN, .count_max = count_max };
}

void sb_parked_walk_advance(sb_parked_walk *walk)
{
	walk->park_key = walk->next_key;
}

/* How many steps of a key may start; count_max at most, since no more are released at once. */
static stepbus_status find_room(stepbus *engine, const sb_step_status *parked, int64_t count_max,
				int64_t *room, stepbus_error *err)
{
	sb_store *store = engine->store;
	int64_t running = 0;
	sb_queue_row queue;
	stepbus_status status = store->type->queue_read(store, parked->queue_id, &queue, err);

	*room = 0;
	if (status == STEPBUS_ENOTFOUND) {
		sb_damage_note(engine, SB_DAMAGE_QUEUE, parked->queue_id, err->message);
		return STEPBUS_OK;
	}
	*room = count_max;
	/* The end of a pause comes here again. */
	if (status == STEPBUS_OK && queue.paused_at_us != 0)
		*room = 0;
	if (status != STEPBUS_OK || queue.paused_at_us != 0 || queue.key_concurrency_max == 0)
		return status;
	status = store->type->running_count(store, parked->queue_id, parked->concurrency_key,
					    queue.key_concurrency_max, &running, err);
	if (queue.key_concurrency_max - running < *room)
		*room = queue.key_concurrency_max - running;
	return status;
}

static stepbus_status release_rows(stepbus *engine, sb_store *store, const sb_step_status *rows,
				   size_t count, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; status == STEPBUS_OK && i < count; i++) {
		sb_step_status ready = rows[i];
		bool is_done = false;

		ready.state = SB_STEP_READY;
		ready.park_key = 0;
		ready.changed_at_us = sb_engine_now_us(engine);
		sb_engine_note_state(engine, &ready);
		status = sb_settle_move(store, SB_STEP_RELEASE, &rows[i], &ready, &is_done, err);
	}
	return status;
}

/* All of a key that there is room for; left counts down. */
static stepbus_status release_key(stepbus *engine, sb_store *store, int64_t park_key, int64_t *left,
				  stepbus_error *err)
{
	const sb_scan scan = { .kind = SB_SCAN_PARKED, .park_key = park_key };
	sb_step_status rows[CHUNK];
	size_t count = 0;
	int64_t room = 0;
	stepbus_status status = store->type->step_scan(store, &scan, rows, 1, &count, err);

	if (status == STEPBUS_OK && count > 0)
		status = find_room(engine, &rows[0], *left, &room, err);
	while (status == STEPBUS_OK && room > 0 && count > 0) {
		size_t max = room < CHUNK ? (size_t)room : CHUNK;

		/* What is released is parked no more, so each scan begins at the front. */
		status = store->type->step_scan(store, &scan, rows, max, &count, err);
		if (status == STEPBUS_OK)
			status = release_rows(engine, store, rows, count, err);
		room -= (int64_t)count;
		*left -= (int64_t)count;
	}
	return status;
}

stepbus_status sb_parked_release(stepbus *engine, sb_store *store, sb_parked_walk *walk,
				 stepbus_error *err)
{
	int64_t park_key = walk->park_key;
	int64_t left = walk->count_max, key_count = 0;
	bool is_found = true;
	stepbus_status status = STEPBUS_OK;

	walk->next_key = park_key;
	while (status == STEPBUS_OK && left > 0 && key_count++ < walk->count_max) {
		status = store->type->park_next(store, &park_key, &is_found, err);
		/* Above 0 stand those that wait for another worker's handler. */
		is_found = is_found && park_key < 0;
		if (status != STEPBUS_OK || !is_found)
			break;
		status = release_key(engine, store, park_key, &left, err);
		/* A key whose steps did not all fit in is looked at again. */
		if (left > 0)
			walk->next_key = park_key;
	}
	walk->is_over = !is_found;
	return status;
}
