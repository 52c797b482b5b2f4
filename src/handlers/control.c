/* SPDX-License-Identifier: MIT */
#include "handlers/control.h"

#include "handlers/damage.h"
#include "handlers/enqueue.h"
#include "handlers/news.h"

typedef struct control {
	sb_operation operation;
	stepbus *engine;
	int64_t id;
	sb_step_status before; /* as the run found it */
} control;

typedef struct redriving {
	sb_operation operation;
	stepbus *engine;
	const int64_t *ids;
	size_t count;
	size_t redriven_count;
} redriving;

static stepbus_status find(control *c, sb_store *store, stepbus_error *err)
{
	stepbus_status status = store->type->step_status_read(store, c->id, &c->before, err);

	if (status == STEPBUS_ENOTFOUND)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "there is no such step: it may have been removed by retention");
	return status;
}

/* A move of a row that was read in the same transaction. */
static stepbus_status move(sb_store *store, sb_step_event event, const sb_step_status *from,
			   const sb_step_status *to, stepbus_error *err)
{
	bool is_done = false;
	stepbus_status status = sb_settle_move(store, event, from, to, &is_done, err);

	if (status == STEPBUS_OK && !is_done)
		return sb_fail(err, STEPBUS_ECORRUPT,
			       "step %lld is not in the state that the store just said it is in",
			       (long long)from->id);
	return status;
}

static void tell(stepbus *engine, sb_engine_event event, const sb_step_status *before,
		 const sb_step_row *row, const char *reason)
{
	sb_news_step(engine, &(sb_step_news){ .event = event,
					      .id = before->id,
					      .token = before->token,
					      .step_name = row->step_name,
					      .correlation_id = row->correlation_id,
					      .reason = sb_slice_z(reason),
					      .retry_count = before->attempt_count > 0 ?
								     before->attempt_count - 1 :
								     0 });
}

static stepbus_status put_cancelled_attempt(const control *c, sb_store *store, int64_t now_us,
					    stepbus_error *err)
{
	const sb_step_status *before = &c->before;
	const sb_attempt_row row = {
		.step_id = before->id,
		.token = before->token,
		.worker_id = before->worker_id,
		.started_at_us = before->changed_at_us,
		.finished_at_us = now_us,
		.number = before->attempt_count,
		.outcome = SB_ATTEMPT_CANCELLED,
		.error_type = sb_slice_z("cancelled"),
		.message = sb_slice_z("the step was cancelled while a worker had it"),
	};

	if (before->state != SB_STEP_RUNNING)
		return STEPBUS_OK;
	return store->type->attempt_put(store, &row, err);
}

static stepbus_status cancel(const control *c, sb_store *store, stepbus_error *err)
{
	stepbus *engine = c->engine;
	sb_step_status after = c->before;
	stepbus_status status;
	sb_step_row row;

	after.state = SB_STEP_CANCELLED;
	after.changed_at_us = sb_engine_now_us(engine);
	after.deadline_at_us = 0;
	after.due_at_us = 0;
	after.park_key = 0;
	status = move(store, SB_STEP_CANCEL, &c->before, &after, err);
	if (status == STEPBUS_OK)
		status = put_cancelled_attempt(c, store, after.changed_at_us, err);
	if (status == STEPBUS_OK)
		status = sb_settle_unpark_behind(engine, store, &c->before, err);
	if (status == STEPBUS_OK)
		status = store->type->step_row_read(store, c->id, &row, err);
	if (status != STEPBUS_OK)
		return status;
	sb_engine_note_state(engine, &after);
	tell(engine, SB_EVENT_CANCELLED, &c->before, &row, "cancelled");
	return STEPBUS_OK;
}

static stepbus_status run_cancel(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	control *c = (control *)(void *)operation;
	stepbus_status status = find(c, store, err);

	if (status != STEPBUS_OK)
		return status;
	if (sb_step_state_is_final(c->before.state))
		return sb_fail(err, STEPBUS_EALREADY,
			       "the step is %s: only one that is not final can be cancelled",
			       sb_step_state_name((int)c->before.state));
	return cancel(c, store, err);
}

/*
 * The step begins anew. Its keys are not taken back: where a newer step has got them meanwhile, they
 * are that one's, and both run; where not, they are still this one's.
 */
static stepbus_status redrive(stepbus *engine, sb_store *store, const sb_step_status *before,
			      sb_step_row *row, stepbus_error *err)
{
	int64_t now_us = sb_engine_now_us(engine);
	sb_step_status after = *before;
	stepbus_status status;

	/* One that has started once did not wait in vain: only its time for all attempts is left. */
	if (before->token > 0)
		row->wait_timeout_us = 0;
	after.state = SB_STEP_READY;
	after.attempt_count = 0;
	after.crash_count = 0;
	after.changed_at_us = now_us;
	after.deadline_at_us = sb_enqueue_deadline_us(row, now_us);
	after.due_at_us = 0;
	after.execution_us = 0;
	tell(engine, SB_EVENT_REDRIVEN, before, row, "redriven");
	status = move(store, SB_STEP_REDRIVE, before, &after, err);
	if (status == STEPBUS_OK)
		sb_engine_note_state(engine, &after);
	return status;
}

static bool is_redrivable(const sb_step_status *status)
{
	return sb_step_can_move(SB_STEP_REDRIVE, status->state, SB_STEP_READY);
}

static stepbus_status run_redrive(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	control *c = (control *)(void *)operation;
	stepbus_status status = find(c, store, err);
	sb_step_row row;

	if (status != STEPBUS_OK)
		return status;
	if (!is_redrivable(&c->before))
		return sb_fail(err, STEPBUS_EALREADY,
			       "the step is %s: only one that failed, was cancelled or quarantined "
			       "can be redriven",
			       sb_step_state_name((int)c->before.state));
	status = store->type->step_row_read(store, c->id, &row, err);
	return status == STEPBUS_OK ? redrive(c->engine, store, &c->before, &row, err) : status;
}

/* One of many: what is gone meanwhile, or damaged, must not keep the others. */
static stepbus_status redrive_one(redriving *r, sb_store *store, int64_t id, stepbus_error *err)
{
	sb_step_status before;
	sb_step_row row;
	stepbus_status status = store->type->step_status_read(store, id, &before, err);

	if (status == STEPBUS_ENOTFOUND)
		return STEPBUS_OK;
	if (status != STEPBUS_OK || !is_redrivable(&before))
		return status;
	status = store->type->step_row_read(store, id, &row, err);
	if (sb_damage_is(status)) {
		sb_damage_note(r->engine, SB_DAMAGE_STEP, id, err->message);
		return STEPBUS_OK;
	}
	if (status == STEPBUS_OK)
		status = redrive(r->engine, store, &before, &row, err);
	r->redriven_count += status == STEPBUS_OK;
	return status;
}

static stepbus_status run_redrive_rows(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	redriving *r = (redriving *)(void *)operation;
	stepbus_status status = STEPBUS_OK;

	r->redriven_count = 0;
	for (size_t i = 0; status == STEPBUS_OK && i < r->count; i++)
		status = redrive_one(r, store, r->ids[i], err);
	return status;
}

static stepbus_status perform(control *c, const uint8_t step_id[SB_ID_LEN], stepbus_error *err)
{
	c->id = sb_id_to_row(step_id, c->engine->store->tag);
	if (c->id == 0)
		return sb_fail(err, STEPBUS_ENOTFOUND, "the step id is none of this store");
	return sb_writer_perform(&c->engine->writer, &c->operation, err);
}

stepbus_status sb_control_cancel(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				 stepbus_error *err)
{
	control c = { .operation = { .run = run_cancel, .weight = 1 }, .engine = engine };
	stepbus_status status = perform(&c, step_id, err);

	/* Workers of other processes find out when they next look whether what they run is theirs. */
	if (status == STEPBUS_OK && c.before.state == SB_STEP_RUNNING)
		sb_claimed_table_interrupt(&engine->claimed, c.id, c.before.token,
					   STEPBUS_ECANCELLED);
	return status;
}

stepbus_status sb_control_redrive(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				  stepbus_error *err)
{
	control c = { .operation = { .run = run_redrive, .weight = 1 }, .engine = engine };

	return perform(&c, step_id, err);
}

stepbus_status sb_control_redrive_rows(stepbus *engine, const int64_t *ids, size_t count,
				       size_t *redriven_count, stepbus_error *err)
{
	redriving r = { .operation = { .run = run_redrive_rows, .weight = count },
			.engine = engine,
			.ids = ids,
			.count = count };
	stepbus_status status = sb_writer_perform(&engine->writer, &r.operation, err);

	*redriven_count = status == STEPBUS_OK ? r.redriven_count : 0;
	return status;
}
