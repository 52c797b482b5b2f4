/* SPDX-License-Identifier: MIT */
#include "handlers/claim_block.h"

#include "handlers/claim.h"
#include "handlers/damage.h"
#include "handlers/rate.h"

static const sb_queue_row *queue_of(const sb_claim_block *b, int64_t id)
{
	for (size_t i = 0; i < b->queue_count; i++)
		if (b->queues[i].id == id)
			return &b->queues[i];
	return NULL;
}

stepbus_status sb_claim_block_queue(sb_claim_block *b, int64_t id, const sb_queue_row **out)
{
	sb_queue_row *row = &b->queues[b->queue_count];
	stepbus_status status;

	*out = queue_of(b, id);
	if (*out != NULL)
		return STEPBUS_OK;
	status = b->store->type->queue_read(b->store, id, row, b->err);
	if (status == STEPBUS_ENOTFOUND) {
		/* As if it were paused: what is in it waits until somebody puts it back. */
		sb_damage_note(b->engine, SB_DAMAGE_QUEUE, id, b->err->message);
		*row = (sb_queue_row){ .id = id, .paused_at_us = b->now_us };
		status = STEPBUS_OK;
	}
	if (status != STEPBUS_OK)
		return status;
	row->name = sb_slice_of(NULL, 0);
	/* The last place is for looking only: such a queue waits for the next claim. */
	if (b->queue_count < SB_CLAIM_QUEUE_MAX)
		b->queue_count++;
	else
		row->paused_at_us = b->now_us;
	*out = row;
	return STEPBUS_OK;
}

stepbus_status sb_claim_block_room(sb_claim_block *b, const sb_queue_row *queue, uint32_t *room)
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

stepbus_status sb_claim_block_is_key_full(sb_claim_block *b, const sb_step_status *status,
					  bool *is_full)
{
	const sb_queue_row *queue = NULL;
	int64_t running = 0;
	stepbus_status answer;

	*is_full = false;
	if (status->concurrency_key == 0)
		return STEPBUS_OK;
	answer = sb_claim_block_queue(b, status->queue_id, &queue);
	if (answer != STEPBUS_OK || queue->key_concurrency_max == 0)
		return answer;
	answer = b->store->type->running_count(b->store, status->queue_id, status->concurrency_key,
					       queue->key_concurrency_max, &running, b->err);
	*is_full = running >= queue->key_concurrency_max;
	return answer;
}

stepbus_status sb_claim_block_note_rates(sb_claim_block *b)
{
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; status == STEPBUS_OK && i < b->queue_count; i++)
		if (b->queues[i].rate_count > 0)
			status = b->store->type->queue_write(b->store, &b->queues[i], b->err);
	return status;
}

void sb_claim_block_charge(sb_claim_block *b, int64_t queue_id, uint32_t count)
{
	for (size_t i = 0; i < b->queue_count; i++)
		if (b->queues[i].id == queue_id && b->queues[i].rate_count > 0)
			sb_rate_take(&b->queues[i], b->now_us, count);
}

stepbus_status sb_claim_block_pass_over(sb_claim_block *b, int64_t step_id, uint32_t fresh_count,
					stepbus_status status)
{
	if (!sb_damage_is(status) || b->worker->fresh_count != fresh_count)
		return status;
	sb_damage_note(b->engine, SB_DAMAGE_STEP, step_id, b->err->message);
	b->passed_over++;
	return STEPBUS_OK;
}

stepbus_status sb_claim_block_take(sb_claim_block *b, const sb_step_status *status,
				   sb_known_handler *handler)
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
	if (answer != STEPBUS_OK)
		return answer;
	if (!is_done)
		return sb_fail(b->err, STEPBUS_ECORRUPT,
			       "step %lld stands in an index with a state that it has not",
			       (long long)status->id);
	b->wanted--;
	return STEPBUS_OK;
}
