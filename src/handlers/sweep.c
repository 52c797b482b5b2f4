/* SPDX-License-Identifier: MIT */
#include "handlers/sweep.h"

#include <stddef.h>

#include "handlers/claim.h"
#include "handlers/clockwork.h"
#include "handlers/news.h"
#include "handlers/schedule.h"

enum {
	CHUNK = 128,
	DUE_MAX = 4096,
	OVERDUE_MAX = 1024,
	PARKED_MAX = 128,
	/* Steps to look at for each that may be deleted: in one transaction, and in one turn. */
	LOOK_FACTOR = 8,
	TURN_FACTOR = 64,
};

/* Work that may have to go on in the next transaction, and work that is done in one. */
typedef stepbus_status (*long_part)(sb_sweep *sweep, sb_store *store, bool *is_unfinished,
				    stepbus_error *err);
typedef stepbus_status (*short_part)(sb_sweep *sweep, sb_store *store, stepbus_error *err);

static stepbus_status release_one(sb_sweep *sweep, sb_store *store, const sb_step_status *due,
				  stepbus_error *err)
{
	sb_step_status ready = *due;
	bool is_done = false;

	ready.state = SB_STEP_READY;
	ready.due_at_us = 0;
	ready.changed_at_us = sb_engine_now_us(sweep->engine);
	sb_engine_note_state(sweep->engine, &ready);
	return sb_settle_move(store, SB_STEP_RELEASE, due, &ready, &is_done, err);
}

static stepbus_status sweep_due(sb_sweep *sweep, sb_store *store, bool *is_unfinished,
				stepbus_error *err)
{
	const sb_scan scan = { .kind = SB_SCAN_DUE, .at_us = sb_engine_now_us(sweep->engine) };
	stepbus_status status = STEPBUS_OK;
	sb_step_status rows[CHUNK];
	size_t count = CHUNK, total = 0;

	while (status == STEPBUS_OK && count == CHUNK && total < DUE_MAX) {
		status = store->type->step_scan(store, &scan, rows, CHUNK, &count, err);
		for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
			status = release_one(sweep, store, &rows[i], err);
		total += count;
	}
	*is_unfinished = count == CHUNK;
	if (status == STEPBUS_OK)
		status = store->type->due_next(store, &sweep->engine->group.due_next_us, err);
	sweep->engine->group.is_due_known = status == STEPBUS_OK;
	/* A limit that time lifts may be what was waited for. */
	sweep->engine->group.is_ready_made = true;
	return status;
}

/* Only when the transaction is kept: one that is rolled back has ended nobody's attempt. */
static void warn_later(sb_sweep *sweep, int64_t id, int64_t token, stepbus_status why)
{
	sweep->warnings[sweep->warning_count++] = (sb_sweep_warning){ { id, token }, why };
}

static bool has_room_to_warn(const sb_sweep *sweep, size_t count)
{
	return sweep->warning_count + count <= SB_SWEEP_WARNING_MAX;
}

static sb_slice timeout_message(const sb_step_status *row)
{
	return row->state == SB_STEP_RUNNING ?
		       sb_slice_z("the time for all attempts was over while one ran") :
		       sb_slice_z("the step did not start, or not again, in its time");
}

static stepbus_status put_timeout(sb_store *store, const sb_step_status *row, int64_t token,
				  int64_t now_us, stepbus_error *err)
{
	const sb_attempt_row attempt = {
		.step_id = row->id,
		.token = token,
		.worker_id = row->worker_id,
		.started_at_us = row->state == SB_STEP_RUNNING ? row->changed_at_us : now_us,
		.finished_at_us = now_us,
		.number = row->attempt_count,
		.outcome = SB_ATTEMPT_TIMED_OUT,
		.error_type = sb_slice_z("timed_out"),
		.message = timeout_message(row),
	};

	return store->type->attempt_put(store, &attempt, err);
}

static stepbus_status time_out(sb_sweep *sweep, sb_store *store, const sb_step_status *row,
			       stepbus_error *err)
{
	stepbus *engine = sweep->engine;
	int64_t now_us = sb_engine_now_us(engine);
	sb_step_status failed = *row;
	bool is_done = false;
	stepbus_status status;

	failed.state = SB_STEP_FAILED;
	failed.changed_at_us = now_us;
	failed.deadline_at_us = 0;
	failed.due_at_us = 0;
	failed.park_key = 0;
	/* A time-out between attempts has a token of its own: what is kept of the last one stays. */
	if (row->state != SB_STEP_RUNNING)
		failed.token = sb_settle_next_token(row->token, now_us);
	status = sb_settle_move(store, SB_STEP_FAIL, row, &failed, &is_done, err);
	if (status == STEPBUS_OK)
		status = put_timeout(store, row, failed.token, now_us, err);
	if (status == STEPBUS_OK)
		status = sb_settle_unpark_behind(engine, store, row, err);
	if (status != STEPBUS_OK)
		return status;
	sb_engine_note_state(engine, &failed);
	if (row->state == SB_STEP_RUNNING)
		warn_later(sweep, row->id, row->token, STEPBUS_ETIMEDOUT);
	sb_news_step(engine, &(sb_step_news){ .event = SB_EVENT_FAILED,
					      .id = row->id,
					      .token = row->token,
					      .reason = sb_slice_z("timed_out"),
					      .error_type = sb_slice_z("timed_out"),
					      .error_message = timeout_message(row),
					      .retry_count = row->attempt_count });
	return STEPBUS_OK;
}

static stepbus_status sweep_overdue(sb_sweep *sweep, sb_store *store, bool *is_unfinished,
				    stepbus_error *err)
{
	const sb_scan scan = { .kind = SB_SCAN_OVERDUE, .at_us = sb_engine_now_us(sweep->engine) };
	stepbus_status status = STEPBUS_OK;
	sb_step_status rows[CHUNK];
	size_t count = CHUNK, total = 0;

	while (status == STEPBUS_OK && count == CHUNK && total < OVERDUE_MAX &&
	       has_room_to_warn(sweep, CHUNK)) {
		status = store->type->step_scan(store, &scan, rows, CHUNK, &count, err);
		for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
			status = time_out(sweep, store, &rows[i], err);
		total += count;
	}
	*is_unfinished = count == CHUNK;
	return status;
}

static int64_t keep_us(const sb_engine_options *options, sb_step_state state)
{
	if (!sb_step_state_is_final(state))
		return -1;
	if (state == SB_STEP_COMPLETED)
		return options->keep_completed_us;
	return state == SB_STEP_CANCELLED ? options->keep_cancelled_us : options->keep_failed_us;
}

static bool is_past_its_keep(const sb_engine_options *options, const sb_step_status *row,
			     int64_t now_us)
{
	int64_t keep = keep_us(options, row->state);

	return keep >= 0 && row->changed_at_us <= now_us &&
	       (uint64_t)now_us - (uint64_t)row->changed_at_us >= (uint64_t)keep;
}

/* Deletes, of steps in the order of their ids, those past their keep; how far it came is in round. */
static stepbus_status retain_chunk(sb_sweep *sweep, sb_store *store, size_t *room, bool *is_over,
				   stepbus_error *err)
{
	const sb_engine_options *options = &sweep->engine->options;
	const sb_scan scan = { .kind = SB_SCAN_ALL, .after_id = sweep->retain.next };
	int64_t now_us = sb_engine_now_us(sweep->engine);
	sb_step_status rows[CHUNK];
	int64_t ids[CHUNK];
	size_t count = 0, looked = 0, doomed = 0;
	stepbus_status status = store->type->step_scan(store, &scan, rows, CHUNK, &count, err);

	if (status != STEPBUS_OK)
		return status;
	for (; looked < count && doomed < *room; looked++)
		if (is_past_its_keep(options, &rows[looked], now_us))
			ids[doomed++] = rows[looked].id;
	*room -= doomed;
	*is_over = looked == count && count < CHUNK;
	sweep->looked_count += looked;
	sweep->retain.next = *is_over ? 0 : rows[looked - 1].id;
	return doomed > 0 ? store->type->step_delete(store, ids, doomed, err) : STEPBUS_OK;
}

/*
 * A round through all steps, a part at a time. While there is much to delete the parts follow one
 * another; where there is little, the next turn goes on.
 */
static stepbus_status sweep_retain(sb_sweep *sweep, sb_store *store, bool *is_unfinished,
				   stepbus_error *err)
{
	const size_t count_max = sweep->engine->options.sweep_count_max;
	size_t room = count_max, looked_max = sweep->looked_count + LOOK_FACTOR * count_max;
	stepbus_status status = STEPBUS_OK;
	bool is_over = false;

	sweep->retain.next = sweep->retain.after;
	while (status == STEPBUS_OK && !is_over && room > 0 && sweep->looked_count < looked_max)
		status = retain_chunk(sweep, store, &room, &is_over, err);
	*is_unfinished = !is_over && (room == 0 || sweep->looked_count < TURN_FACTOR * count_max);
	return status;
}

static stepbus_status sweep_cron(sb_sweep *sweep, sb_store *store, stepbus_error *err)
{
	return sb_schedule_fire(sweep->engine, store, err);
}

/*
 * A round over the keys that steps are parked for, a part at a time. There is no hurry: who gives up
 * a place releases the next one.
 */
static stepbus_status sweep_parked(sb_sweep *sweep, sb_store *store, stepbus_error *err)
{
	if (sweep->parked.is_over || sweep->parked.count_max == 0)
		sb_parked_walk_begin(&sweep->parked, PARKED_MAX);
	return sb_parked_release(sweep->engine, store, &sweep->parked, err);
}

/* Claims in the order of their serials, from where the last run ended. */
typedef struct mine_list {
	int64_t after;
	size_t count;
	size_t count_max;
	struct mine {
		sb_claimed_key key;
		int64_t serial;
	} claims[SB_SWEEP_WARNING_MAX];
} mine_list;

static bool note_mine(void *context, sb_claimed *claimed)
{
	mine_list *list = context;

	if (claimed->serial > list->after && atomic_load(&claimed->phase) < SB_CLAIMED_SETTLING)
		list->claims[list->count++] = (struct mine){ claimed->key, claimed->serial };
	return list->count < list->count_max;
}

/* Somebody else may have cancelled what runs here, or taken it over. */
static stepbus_status sweep_verify(sb_sweep *sweep, sb_store *store, stepbus_error *err)
{
	mine_list list;
	sb_step_status now;

	list.after = sweep->verify.after;
	list.count = 0;
	list.count_max = SB_SWEEP_WARNING_MAX - sweep->warning_count;
	sweep->verify.next = list.after;
	if (list.count_max == 0)
		return STEPBUS_OK;
	sb_claimed_table_each(&sweep->engine->claimed, note_mine, &list);
	for (size_t i = 0; i < list.count; i++) {
		const sb_claimed_key *key = &list.claims[i].key;
		stepbus_status status = store->type->step_status_read(store, key->id, &now, err);

		if (status != STEPBUS_OK && status != STEPBUS_ENOTFOUND)
			return status;
		if (status == STEPBUS_OK && now.token == key->token && now.state == SB_STEP_RUNNING)
			continue;
		warn_later(sweep, key->id, key->token,
			   status == STEPBUS_OK && now.state == SB_STEP_CANCELLED ?
				   STEPBUS_ECANCELLED :
				   STEPBUS_ESTALE);
	}
	sweep->verify.next = list.count < list.count_max ? 0 : list.claims[list.count - 1].serial;
	return STEPBUS_OK;
}

static stepbus_status sweep_reap(sb_sweep *sweep, sb_store *store, bool *is_unfinished,
				 stepbus_error *err)
{
	return sb_reap_run(&sweep->reap, store, is_unfinished, err);
}

static const struct part {
	sb_sweep_work work;
	long_part run_long;
	short_part run_short;
} parts[] = {
	{ SB_SWEEP_DUE, sweep_due, NULL },         { SB_SWEEP_CRON, NULL, sweep_cron },
	{ SB_SWEEP_OVERDUE, sweep_overdue, NULL }, { SB_SWEEP_REAP, sweep_reap, NULL },
	{ SB_SWEEP_RETAIN, sweep_retain, NULL },   { SB_SWEEP_VERIFY, NULL, sweep_verify },
	{ SB_SWEEP_PARKED, NULL, sweep_parked },
};

static stepbus_status run_part(sb_sweep *sweep, sb_store *store, const struct part *part,
			       stepbus_error *err)
{
	bool is_unfinished = false;
	stepbus_status status = part->run_long != NULL ?
					part->run_long(sweep, store, &is_unfinished, err) :
					part->run_short(sweep, store, err);

	sweep->unfinished |= is_unfinished ? part->work : 0;
	if (status == STEPBUS_OK)
		return STEPBUS_OK;
	sweep->failed |= part->work;
	/* The store has no row that another one names. As a refusal, half of it would be kept. */
	return sb_writer_is_refusal(status) ? STEPBUS_ECORRUPT : status;
}

static stepbus_status run(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	sb_sweep *sweep = (sb_sweep *)(void *)operation;
	stepbus_status status = STEPBUS_OK;

	sweep->unfinished = 0;
	sweep->warning_count = 0;
	for (size_t i = 0; status == STEPBUS_OK && i < sizeof parts / sizeof *parts; i++)
		if ((sweep->work & parts[i].work) != 0)
			status = run_part(sweep, store, &parts[i], err);
	return status;
}

static void keep(sb_sweep *sweep)
{
	for (size_t i = 0; i < sweep->warning_count; i++) {
		const sb_sweep_warning *w = &sweep->warnings[i];

		sb_claimed_table_interrupt(&sweep->engine->claimed, w->key.id, w->key.token,
					   w->why);
	}
	if ((sweep->work & SB_SWEEP_PARKED) != 0)
		sb_parked_walk_advance(&sweep->parked);
	if ((sweep->work & SB_SWEEP_RETAIN) != 0)
		sweep->retain.after = sweep->retain.next;
	if ((sweep->work & SB_SWEEP_VERIFY) != 0)
		sweep->verify.after = sweep->verify.next;
	sweep->failed &= ~sweep->work;
}

static void done(sb_operation *operation)
{
	sb_sweep *sweep = (sb_sweep *)(void *)operation;
	stepbus *engine = sweep->engine;
	bool is_kept = operation->status == STEPBUS_OK;
	bool has_more;

	if (is_kept)
		keep(sweep);
	else
		sb_news_store(engine, SB_EVENT_STORE_ERROR, operation->err.message);
	sb_reap_done(&sweep->reap, is_kept);
	/* What failed is tried again when its time comes anyway. */
	sweep->work = is_kept ? sweep->unfinished | sweep->postponed : 0;
	has_more = sweep->work != 0;
	atomic_store(&sweep->has_failed, !is_kept);
	atomic_store(&sweep->is_waiting, 0);
	if (has_more)
		sb_clockwork_wake(engine->clockwork);
}

void sb_sweep_init(sb_sweep *sweep, stepbus *engine)
{
	sweep->engine = engine;
	sweep->reap.engine = engine;
	sweep->operation.run = run;
	sweep->operation.done = done;
	sweep->operation.weight = 1;
}

bool sb_sweep_submit(sb_sweep *sweep, uint32_t work)
{
	if (atomic_load(&sweep->is_waiting) != 0)
		return false;
	if ((work & SB_SWEEP_RETAIN) != 0)
		sweep->looked_count = 0;
	work |= sweep->work;
	if (work == 0)
		return true;
	/* What fails again and again must not take the rest with it. */
	sweep->postponed = (work & ~sweep->failed) != 0 ? work & sweep->failed : 0;
	sweep->work = work & ~sweep->postponed;
	atomic_store(&sweep->is_waiting, 1);
	sb_writer_submit(&sweep->engine->writer, &sweep->operation);
	return true;
}
