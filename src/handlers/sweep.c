/* SPDX-License-Identifier: MIT */
#include "handlers/sweep.h"

#include <stddef.h>

#include "handlers/claim.h"
#include "handlers/enlist.h"
#include "handlers/news.h"
#include "handlers/schedule.h"

enum {
	CHUNK = 128,
	DUE_MAX = 4096,
	OVERDUE_MAX = 1024,
	LOST_MAX = 1024,
	PARKED_MAX = 128,
	STOPPED_KEPT = 256,
};

static const int64_t recent_max_us = 60000000;

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
		.message = row->state == SB_STEP_RUNNING ?
				   sb_slice_z("the time for all attempts was over while one ran") :
				   sb_slice_z("the step did not start, or not again, in its time"),
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
		failed.token = row->token >= now_us ? row->token + 1 : now_us;
	status = sb_settle_move(store, SB_STEP_FAIL, row, &failed, &is_done, err);
	if (status == STEPBUS_OK)
		status = put_timeout(store, row, failed.token, now_us, err);
	if (status == STEPBUS_OK)
		status = sb_settle_unpark_behind(engine, store, row, err);
	if (status != STEPBUS_OK)
		return status;
	sb_engine_note_state(engine, &failed);
	if (row->state == SB_STEP_RUNNING)
		sb_claimed_table_interrupt(&engine->claimed, row->id, row->token,
					   STEPBUS_ETIMEDOUT);
	sb_news_step(engine, &(sb_step_news){ .event = SB_EVENT_FAILED,
					      .id = row->id,
					      .token = row->token,
					      .reason = sb_slice_z("timed_out"),
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

	while (status == STEPBUS_OK && count == CHUNK && total < OVERDUE_MAX) {
		status = store->type->step_scan(store, &scan, rows, CHUNK, &count, err);
		for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
			status = time_out(sweep, store, &rows[i], err);
		total += count;
	}
	*is_unfinished = count == CHUNK;
	return status;
}

static stepbus_status sweep_heartbeat(sb_sweep *sweep, sb_store *store, stepbus_error *err)
{
	(void)store;
	return sb_enlist_renew(sweep->engine, err);
}

/* Workers whose lease is over, and the oldest that have stopped. Names are the store's: not kept. */
typedef struct dead_list {
	stepbus *engine;
	int64_t now_ns;
	size_t count;
	sb_worker_row rows[SB_SWEEP_DEAD_MAX];
	size_t stopped_count;
	int64_t recent_us;
	int64_t old_ids[SB_SWEEP_DEAD_MAX]; /* of the first of those */
} dead_list;

static bool is_ours(const stepbus *engine, int64_t worker_id)
{
	for (const stepbus_worker *w = engine->workers; w != NULL; w = w->next)
		if (w->row.id == worker_id)
			return true;
	return false;
}

static sb_start_name log_of(const stepbus *engine, const sb_worker_row *row)
{
	return (sb_start_name){ engine->options.path, row->pid, row->id };
}

static void note_stopped(dead_list *dead, const sb_worker_row *row)
{
	const sb_start_name name = log_of(dead->engine, row);

	/* Its log is gone, but where a process ended just before it removed it. */
	if (row->stopped_at_us > dead->recent_us)
		sb_start_record_end(&dead->engine->host, &name, NULL);
	if (dead->stopped_count < SB_SWEEP_DEAD_MAX)
		dead->old_ids[dead->stopped_count] = row->id;
	dead->stopped_count++;
}

static bool note_dead(void *context, const sb_worker_row *row)
{
	dead_list *dead = context;
	bool is_of_this_boot =
		memcmp(row->boot_id, dead->engine->boot_id, sizeof row->boot_id) == 0;

	if (row->stopped_at_us != 0) {
		note_stopped(dead, row);
		return true;
	}
	if (is_ours(dead->engine, row->id) ||
	    (is_of_this_boot && row->lease_until_ns > dead->now_ns))
		return true;
	if (dead->count < SB_SWEEP_DEAD_MAX)
		dead->rows[dead->count] = *row;
	dead->count++;
	return true;
}

/* Of those that have stopped, the newest are kept for who looks. */
static stepbus_status forget_stopped(sb_store *store, const dead_list *dead, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; i < SB_SWEEP_DEAD_MAX && status == STEPBUS_OK &&
			   i + STOPPED_KEPT < dead->stopped_count;
	     i++)
		status = store->type->worker_delete(store, dead->old_ids[i], err);
	return status;
}

static void tell_loss(stepbus *engine, const sb_step_status *after)
{
	sb_step_news news = { .event = SB_EVENT_RETRY,
			      .id = after->id,
			      .token = after->token,
			      .reason = sb_slice_z("worker_lost"),
			      .run_at_us = after->due_at_us > 0 ? after->due_at_us :
								  after->changed_at_us,
			      .retry_count = after->attempt_count };

	if (after->state == SB_STEP_QUARANTINED)
		news.event = SB_EVENT_QUARANTINED;
	else if (after->state == SB_STEP_FAILED)
		news.event = SB_EVENT_FAILED;
	if (news.run_at_us > after->changed_at_us)
		news.delay_us = news.run_at_us - after->changed_at_us;
	sb_news_step(engine, &news);
}

/* The steps of one dead worker, each by what the worker noted of it. */
static stepbus_status take_over(sb_sweep *sweep, sb_store *store, const sb_worker_row *worker,
				const sb_start_record *record, size_t *count, stepbus_error *err)
{
	static const char died[] =
		"its worker ended, or was cut off, while the handler ran: see the worker's row for "
		"its process";
	static const char ended[] = "its worker ended before the result was kept";
	sb_scan scan = { .kind = SB_SCAN_RUNNING, .worker_id = worker->id };
	stepbus_status status = STEPBUS_OK;
	sb_step_status rows[CHUNK], after;
	size_t found = CHUNK;

	for (*count = 0; status == STEPBUS_OK && found == CHUNK && *count < LOST_MAX;
	     *count += found) {
		status = store->type->step_scan(store, &scan, rows, CHUNK, &found, err);
		for (size_t i = 0; status == STEPBUS_OK && i < found; i++) {
			sb_start_mark mark =
				sb_start_record_find(record, rows[i].id, rows[i].token);
			const sb_loss loss = { .was_started = mark != SB_START_NONE,
					       .was_ended = mark == SB_START_ENDED,
					       .evidence = sb_slice_z(
						       mark == SB_START_ENDED ? ended : died) };

			status = sb_settle_loss(sweep->engine, store, &rows[i], &loss, &after, err);
			if (status == STEPBUS_OK)
				tell_loss(sweep->engine, &after);
		}
	}
	return status;
}

static stepbus_status bury(sb_sweep *sweep, sb_store *store, sb_worker_row *worker,
			   bool *is_unfinished, stepbus_error *err)
{
	const stepbus_host *host = &sweep->engine->host;
	const sb_start_name name = log_of(sweep->engine, worker);
	sb_start_record *record = NULL;
	size_t count = 0;
	stepbus_status status = STEPBUS_OK;

	if (memcmp(worker->boot_id, sweep->engine->boot_id, sizeof worker->boot_id) == 0)
		status = sb_start_record_read(host, &name, &record, err);
	if (status == STEPBUS_OK)
		status = take_over(sweep, store, worker, record, &count, err);
	sb_start_record_free(host, record);
	if (status == STEPBUS_OK && count >= LOST_MAX)
		*is_unfinished = true;
	if (status != STEPBUS_OK || count >= LOST_MAX)
		return status;
	worker->stopped_at_us = sb_engine_now_us(sweep->engine);
	worker->active_count = 0;
	sweep->buried[sweep->buried_count++] = name;
	status = store->type->worker_update(store, worker, err);
	if (status == STEPBUS_OK)
		status = store->type->served_put(store, worker->id, NULL, 0, err);
	return status == STEPBUS_ENOTFOUND ? STEPBUS_OK : status;
}

static stepbus_status sweep_reap(sb_sweep *sweep, sb_store *store, bool *is_unfinished,
				 stepbus_error *err)
{
	dead_list dead;
	stepbus_status status;

	dead.engine = sweep->engine;
	dead.now_ns = sb_clock_elapsed_ns(&sweep->engine->host);
	dead.count = 0;
	dead.stopped_count = 0;
	dead.recent_us = sb_engine_now_us(sweep->engine) - recent_max_us;
	sweep->buried_count = 0;
	status = store->type->worker_list(store, note_dead, &dead, err);
	if (status == STEPBUS_OK)
		status = forget_stopped(store, &dead, err);
	for (size_t i = 0; status == STEPBUS_OK && i < dead.count && i < SB_SWEEP_DEAD_MAX; i++)
		status = bury(sweep, store, &dead.rows[i], is_unfinished, err);
	*is_unfinished = *is_unfinished || dead.count > SB_SWEEP_DEAD_MAX;
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

	return keep >= 0 && row->changed_at_us <= now_us && now_us - row->changed_at_us >= keep;
}

/* A round through all steps, a part at a time: the next part comes with the next turn. */
static stepbus_status sweep_retain(sb_sweep *sweep, sb_store *store, stepbus_error *err)
{
	const sb_engine_options *options = &sweep->engine->options;
	int64_t now_us = sb_engine_now_us(sweep->engine);
	stepbus_status status = STEPBUS_OK;
	sb_step_status rows[CHUNK];
	int64_t ids[CHUNK];
	size_t count = CHUNK, looked = 0;

	while (status == STEPBUS_OK && count == CHUNK && looked < options->sweep_count_max) {
		const sb_scan scan = { .kind = SB_SCAN_ALL, .after_id = sweep->retain_after_id };
		size_t doomed = 0;

		status = store->type->step_scan(store, &scan, rows, CHUNK, &count, err);
		for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
			if (is_past_its_keep(options, &rows[i], now_us))
				ids[doomed++] = rows[i].id;
		if (status == STEPBUS_OK && doomed > 0)
			status = store->type->step_delete(store, ids, doomed, err);
		sweep->retain_after_id = count == CHUNK ? rows[count - 1].id : 0;
		looked += count;
	}
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

typedef struct mine {
	int64_t id;
	int64_t token;
} mine;

typedef struct mine_list {
	size_t count;
	mine claims[LOST_MAX];
} mine_list;

static bool note_mine(void *context, sb_claimed *claimed)
{
	mine_list *list = context;

	if (atomic_load(&claimed->phase) != SB_CLAIMED_SETTLING)
		list->claims[list->count++] = (mine){ claimed->status.id, claimed->status.token };
	return list->count < LOST_MAX;
}

/* Somebody else may have cancelled what runs here, or taken it over. */
static stepbus_status sweep_verify(sb_sweep *sweep, sb_store *store, stepbus_error *err)
{
	sb_claimed_table *table = &sweep->engine->claimed;
	stepbus_status status = STEPBUS_OK;
	mine_list list;
	sb_step_status now;

	list.count = 0;
	sb_claimed_table_each(table, note_mine, &list);
	for (size_t i = 0; i < list.count; i++) {
		const mine *m = &list.claims[i];

		status = store->type->step_status_read(store, m->id, &now, err);
		if (status != STEPBUS_OK && status != STEPBUS_ENOTFOUND)
			return status;
		if (status == STEPBUS_OK && now.token == m->token && now.state == SB_STEP_RUNNING)
			continue;
		sb_claimed_table_interrupt(table, m->id, m->token,
					   status == STEPBUS_OK && now.state == SB_STEP_CANCELLED ?
						   STEPBUS_ECANCELLED :
						   STEPBUS_ESTALE);
	}
	return STEPBUS_OK;
}

static const struct part {
	sb_sweep_work work;
	long_part run_long;
	short_part run_short;
} parts[] = {
	{ SB_SWEEP_HEARTBEAT, NULL, sweep_heartbeat }, { SB_SWEEP_DUE, sweep_due, NULL },
	{ SB_SWEEP_CRON, NULL, sweep_cron },           { SB_SWEEP_OVERDUE, sweep_overdue, NULL },
	{ SB_SWEEP_REAP, sweep_reap, NULL },           { SB_SWEEP_RETAIN, NULL, sweep_retain },
	{ SB_SWEEP_VERIFY, NULL, sweep_verify },       { SB_SWEEP_PARKED, NULL, sweep_parked },
};

static stepbus_status run(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	sb_sweep *sweep = (sb_sweep *)(void *)operation;
	stepbus_status status = STEPBUS_OK;

	sweep->unfinished = 0;
	for (size_t i = 0; status == STEPBUS_OK && i < sizeof parts / sizeof *parts; i++) {
		bool is_unfinished = false;

		if ((sweep->work & parts[i].work) == 0)
			continue;
		status = parts[i].run_long != NULL ?
				 parts[i].run_long(sweep, store, &is_unfinished, err) :
				 parts[i].run_short(sweep, store, err);
		sweep->unfinished |= is_unfinished ? parts[i].work : 0;
	}
	return status;
}

static void done(sb_operation *operation)
{
	sb_sweep *sweep = (sb_sweep *)(void *)operation;
	bool is_kept = operation->status == STEPBUS_OK;

	if ((sweep->work & SB_SWEEP_HEARTBEAT) != 0)
		sb_enlist_renewed(sweep->engine, is_kept);
	if ((sweep->work & SB_SWEEP_PARKED) != 0 && is_kept)
		sb_parked_walk_advance(&sweep->parked);
	/* Only now: had the transaction failed, the next try would need them. */
	for (size_t i = 0; is_kept && i < sweep->buried_count; i++)
		sb_start_record_end(&sweep->engine->host, &sweep->buried[i], NULL);
	sweep->buried_count = 0;
	if (!is_kept)
		sb_news_store(sweep->engine, SB_EVENT_STORE_ERROR, operation->err.message);
	/* What failed is tried again when its time comes anyway. */
	sweep->work = is_kept ? sweep->unfinished : 0;
	atomic_store(&sweep->has_failed, !is_kept);
	atomic_store(&sweep->is_waiting, 0);
}

void sb_sweep_init(sb_sweep *sweep, stepbus *engine)
{
	*sweep = (sb_sweep){ .engine = engine };
	sweep->operation.run = run;
	sweep->operation.done = done;
	sweep->operation.weight = 1;
}

bool sb_sweep_submit(sb_sweep *sweep, uint32_t work)
{
	if (atomic_load(&sweep->is_waiting) != 0)
		return false;
	work |= sweep->work;
	if (work == 0)
		return true;
	sweep->work = work;
	atomic_store(&sweep->is_waiting, 1);
	sb_writer_submit(&sweep->engine->writer, &sweep->operation);
	return true;
}
