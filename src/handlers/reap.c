/* SPDX-License-Identifier: MIT */
#include "handlers/reap.h"

#include "handlers/damage.h"
#include "handlers/news.h"

enum { CHUNK = 128, LOST_MAX = 1024, STOPPED_KEPT = 256 };

static const int64_t recent_max_us = 60000000;

/* Workers whose lease is over, and the oldest that have stopped. Names are the store's: not kept. */
typedef struct dead_list {
	stepbus *engine;
	int64_t now_ns;
	size_t count;
	sb_worker_row rows[SB_REAP_MAX];
	size_t stopped_count;
	int64_t recent_us;
	int64_t old_ids[SB_REAP_MAX]; /* of the first of those */
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
	if (dead->stopped_count < SB_REAP_MAX)
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
	if (dead->count < SB_REAP_MAX)
		dead->rows[dead->count] = *row;
	dead->count++;
	return true;
}

/* Of those that have stopped, the newest are kept for who looks. */
static stepbus_status forget_stopped(sb_store *store, const dead_list *dead, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0;
	     i < SB_REAP_MAX && status == STEPBUS_OK && i + STOPPED_KEPT < dead->stopped_count; i++)
		status = store->type->worker_delete(store, dead->old_ids[i], err);
	return status;
}

static void tell_loss(stepbus *engine, const sb_step_status *after, sb_slice evidence)
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
	if (after->state == SB_STEP_FAILED) {
		news.event = SB_EVENT_FAILED;
		news.error_type = news.reason;
		news.error_message = evidence;
		news.is_retryable = true;
	}
	if (news.run_at_us > after->changed_at_us)
		news.delay_us = news.run_at_us - after->changed_at_us;
	sb_news_step(engine, &news);
}

/* Nothing was written for one whose own row is missing: the others are taken over all the same. */
static stepbus_status pass_over(stepbus *engine, const sb_step_status *after, stepbus_status status,
				const stepbus_error *err)
{
	if (!sb_damage_is(status) || after->state != SB_STEP_RUNNING)
		return status;
	sb_damage_note(engine, SB_DAMAGE_STEP, after->id, err->message);
	return STEPBUS_OK;
}

/* The steps of one dead worker, each by what the worker noted of it. */
static stepbus_status take_over(sb_reap *reap, sb_store *store, const sb_worker_row *worker,
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

			scan.after_id = rows[i].id;
			status = sb_settle_loss(reap->engine, store, &rows[i], &loss, &after, err);
			if (status == STEPBUS_OK)
				tell_loss(reap->engine, &after, loss.evidence);
			else
				status = pass_over(reap->engine, &after, status, err);
		}
	}
	return status;
}

static stepbus_status bury(sb_reap *reap, sb_store *store, sb_worker_row *worker,
			   bool *is_unfinished, stepbus_error *err)
{
	const stepbus_host *host = &reap->engine->host;
	const sb_start_name name = log_of(reap->engine, worker);
	sb_start_record *record = NULL;
	size_t count = 0;
	stepbus_status status = STEPBUS_OK;

	if (memcmp(worker->boot_id, reap->engine->boot_id, sizeof worker->boot_id) == 0)
		status = sb_start_record_read(host, &name, &record, err);
	if (status == STEPBUS_OK)
		status = take_over(reap, store, worker, record, &count, err);
	sb_start_record_free(host, record);
	if (status == STEPBUS_OK && count >= LOST_MAX)
		*is_unfinished = true;
	if (status != STEPBUS_OK || count >= LOST_MAX)
		return status;
	worker->stopped_at_us = sb_engine_now_us(reap->engine);
	worker->active_count = 0;
	reap->buried[reap->buried_count++] = name;
	status = store->type->worker_update(store, worker, err);
	if (status == STEPBUS_OK)
		status = store->type->served_put(store, worker->id, NULL, 0, err);
	return status == STEPBUS_ENOTFOUND ? STEPBUS_OK : status;
}

stepbus_status sb_reap_run(sb_reap *reap, sb_store *store, bool *is_unfinished, stepbus_error *err)
{
	dead_list dead;
	stepbus_status status;

	dead.engine = reap->engine;
	dead.now_ns = sb_clock_elapsed_ns(&reap->engine->host);
	dead.count = 0;
	dead.stopped_count = 0;
	dead.recent_us = sb_engine_now_us(reap->engine) - recent_max_us;
	reap->buried_count = 0;
	status = store->type->worker_list(store, note_dead, &dead, err);
	if (status == STEPBUS_OK)
		status = forget_stopped(store, &dead, err);
	for (size_t i = 0; status == STEPBUS_OK && i < dead.count && i < SB_REAP_MAX; i++)
		status = bury(reap, store, &dead.rows[i], is_unfinished, err);
	*is_unfinished = *is_unfinished || dead.count > SB_REAP_MAX;
	return status;
}

void sb_reap_done(sb_reap *reap, bool is_kept)
{
	/* Only now: had the transaction failed, the next try would need them. */
	for (size_t i = 0; is_kept && i < reap->buried_count; i++)
		sb_start_record_end(&reap->engine->host, &reap->buried[i], NULL);
	reap->buried_count = 0;
}
