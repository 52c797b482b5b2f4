/* SPDX-License-Identifier: MIT */
#include "handlers/express.h"

#include "handlers/claim.h"
#include "handlers/serving.h"

/* Limits are weighed where all steps of a queue are looked at together: in a claim. */
static stepbus_status is_queue_open(stepbus *engine, int64_t queue_id, bool *is_open,
				    stepbus_error *err)
{
	struct sb_group *group = &engine->group;
	sb_queue_row row;
	stepbus_status status = STEPBUS_OK;

	if (group->open_queue_id != queue_id && group->closed_queue_id != queue_id) {
		status = engine->store->type->queue_read(engine->store, queue_id, &row, err);
		/* Steps that came before in the same call are written already: the claim sees to it. */
		if (status != STEPBUS_OK && status != STEPBUS_ENOTFOUND)
			return status;
		if (status == STEPBUS_OK && row.paused_at_us == 0 && row.concurrency_max == 0 &&
		    row.rate_count == 0)
			group->open_queue_id = queue_id;
		else
			group->closed_queue_id = queue_id;
	}
	*is_open = group->open_queue_id == queue_id;
	return status;
}

sb_express_batch sb_express_batch_of(const stepbus_step_spec *specs, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (specs[i].priority != specs[0].priority)
			return SB_EXPRESS_MIXED;
	return count > 1 ? SB_EXPRESS_EVEN : SB_EXPRESS_SINGLE;
}

/* Whether the strategy of a worker takes the first steps of a batch first. */
static bool is_in_turn(const stepbus_worker *worker, sb_express_batch batch)
{
	switch (worker->order.strategy) {
	case SB_CLAIM_FIFO:
		return true;
	case SB_CLAIM_LIFO:
		return batch == SB_EXPRESS_SINGLE;
	case SB_CLAIM_PRIORITY:
	case SB_CLAIM_WEIGHTED_RANDOM:
	case SB_CLAIM_STRATEGY_COUNT:
	default:
		return batch != SB_EXPRESS_MIXED;
	}
}

/* The first from here on with room, for which nothing is known to wait. */
static stepbus_worker *find_worker(stepbus_worker *from, int64_t queue_id, sb_express_batch batch)
{
	for (stepbus_worker *w = from; w != NULL; w = w->next)
		if (sb_worker_is_drained(w) && sb_worker_wanted(w) > 0 &&
		    sb_worker_takes(w, queue_id) && is_in_turn(w, batch))
			return w;
	return NULL;
}

static stepbus_worker *find_first(stepbus *engine, int64_t queue_id, sb_express_batch batch)
{
	sb_claim_note_changes(engine);
	/* What this transaction has left to a claim stands before what comes now. */
	return engine->group.is_ready_left ? NULL : find_worker(engine->workers, queue_id, batch);
}

/* NULL: it may not start now, or not here. */
static stepbus_status find_served(stepbus *engine, int64_t handler_id,
				  const sb_known_handler **served, stepbus_error *err)
{
	sb_known_handler *handler = NULL;
	stepbus_status status =
		sb_names_handler_of(&engine->names, engine->store, handler_id, &handler, err);

	if (status == STEPBUS_OK)
		status = sb_serving_judge(engine, handler, err);
	*served = status == STEPBUS_OK && handler->serving == SB_SERVING_HERE &&
				  sb_serving_has_room(engine, handler) ?
			  handler :
			  NULL;
	return status;
}

stepbus_status sb_express_offer(stepbus *engine, sb_express_batch batch, const sb_step_row *row,
				sb_step_status *status, stepbus_worker **worker, stepbus_error *err)
{
	const sb_known_handler *handler = NULL;
	stepbus_worker *found;
	bool is_open = false;
	stepbus_status answer;

	*worker = NULL;
	if (status->state != SB_STEP_READY || status->concurrency_key != 0)
		return STEPBUS_OK;
	found = find_first(engine, row->queue_id, batch);
	if (found == NULL)
		return STEPBUS_OK;
	answer = is_queue_open(engine, row->queue_id, &is_open, err);
	if (answer == STEPBUS_OK && is_open)
		answer = find_served(engine, row->handler_id, &handler, err);
	while (handler != NULL && found != NULL && !sb_serving_is_for(handler, found))
		found = find_worker(found->next, row->queue_id, batch);
	if (answer != STEPBUS_OK || handler == NULL || found == NULL)
		return answer;
	sb_claim_grant(found, row, status, sb_engine_now_us(engine));
	*worker = found;
	return STEPBUS_OK;
}

stepbus_status sb_express_claim(stepbus_worker *worker, const sb_step_row *row,
				const sb_step_status *status, stepbus_error *err)
{
	stepbus *engine = worker->engine;
	sb_known_handler *handler = NULL;
	sb_step_status full = *status;
	stepbus_status answer =
		sb_names_handler_of(&engine->names, engine->store, row->handler_id, &handler, err);

	if (answer != STEPBUS_OK)
		return answer;
	full.id = row->id;
	full.queue_id = row->queue_id;
	full.handler_id = row->handler_id;
	full.priority = row->priority;
	return sb_claim_hand_over(worker, row, &full, handler, err);
}
