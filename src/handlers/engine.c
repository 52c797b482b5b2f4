/* SPDX-License-Identifier: MIT */
#include "handlers/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/forkpage.h"
#include "base/host.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/random.h"
#include "bridge/publish.h"
#include "handlers/claim.h"
#include "handlers/clockwork.h"
#include "handlers/news.h"
#include "handlers/serving.h"
#include "handlers/submit.h"
#include "handlers/worker.h"

/* Groups between two looks at how long the log is. */
enum { WATCH_EVERY = 64 };

static const char *const event_names[SB_EVENT_COUNT] = {
	[SB_EVENT_RECEIVED] = STEPBUS_EVENT_STEP_EXECUTION_RECEIVED,
	[SB_EVENT_COMPLETION] = STEPBUS_EVENT_STEP_COMPLETION_SENT,
	[SB_EVENT_REQUESTED] = "step.execution_requested",
	[SB_EVENT_STARTED] = "step.started",
	[SB_EVENT_COMPLETED] = "step.completed",
	[SB_EVENT_FAILED] = "step.failed",
	[SB_EVENT_RETRY] = "step.retry_requested",
	[SB_EVENT_SNOOZED] = "step.snoozed",
	[SB_EVENT_CHECKPOINT] = STEPBUS_EVENT_STEP_CHECKPOINT_YIELD_SENT,
	[SB_EVENT_CANCELLED] = "step.cancelled",
	[SB_EVENT_QUARANTINED] = "step.quarantined",
	[SB_EVENT_REDRIVEN] = "step.redriven",
	[SB_EVENT_RETRIES_USED] = "observability.step.max_retries_reached",
	[SB_EVENT_WORKER_STARTED] = "worker.started",
	[SB_EVENT_WORKER_STOPPING] = "worker.shutdown.started",
	[SB_EVENT_WORKER_STOPPED] = "worker.stopped",
	[SB_EVENT_WORKER_HEARTBEAT] = "worker.heartbeat",
	[SB_EVENT_WORKER_ERROR] = "worker.error",
	[SB_EVENT_WORKER_LOST] = "worker.lost",
	[SB_EVENT_POLLER_METRICS] = "poller.metrics",
	[SB_EVENT_POLLER_ERROR] = "poller.error",
	[SB_EVENT_POLLER_STARVING] = "poller.starvation.detected",
	[SB_EVENT_STORE_ALARM] = "store.alarm",
	[SB_EVENT_STORE_ERROR] = "store.error",
};

stepbus_status sb_engine_check(const stepbus *engine, bool is_new_work, stepbus_error *err)
{
	uint32_t mode = atomic_load_explicit(&engine->head->mode, memory_order_acquire);

	if (sb_likely(mode == SB_ENGINE_OPEN))
		return STEPBUS_OK;
	if (mode == SB_ENGINE_FORKED)
		return sb_fail(err, STEPBUS_EFORKED,
			       "the engine belongs to the parent of this process: fork before one "
			       "is opened");
	if (is_new_work)
		return sb_fail(err, STEPBUS_ESHUTDOWN, "the engine is being stopped");
	return STEPBUS_OK;
}

int64_t sb_engine_now_us(stepbus *engine)
{
	if (engine->group.now_us == 0)
		engine->group.now_us = sb_clock_now_us(&engine->host);
	return engine->group.now_us;
}

void sb_engine_note_state(stepbus *engine, const sb_step_status *status)
{
	struct sb_group *group = &engine->group;

	/* A step that leaves a place may make room for another one, so any change is worth a look. */
	group->is_ready_made = true;
	if (status->state == SB_STEP_READY)
		group->is_ready_left = true;
	if (sb_step_state_is_final(status->state))
		group->is_final_made = true;
	if (status->state == SB_STEP_SCHEDULED &&
	    (group->due_at_us == 0 || status->due_at_us < group->due_at_us))
		group->due_at_us = status->due_at_us;
}

void sb_engine_note_cron(stepbus *engine, int64_t at_us)
{
	engine->group.is_cron_known = true;
	engine->group.cron_at_us = at_us;
}

bool sb_engine_is_heard(const stepbus *engine, sb_engine_event event)
{
	return sb_bridge_is_heard(engine->bridge, engine->event_ids[event]);
}

static void append(struct sb_notice_list *list, sb_notice *notice)
{
	notice->next = NULL;
	if (list->last != NULL)
		list->last->next = notice;
	else
		list->first = notice;
	list->last = notice;
	list->count++;
}

void sb_engine_add_tentative(stepbus *engine, sb_notice *notice)
{
	append(&engine->tentative, notice);
}

void sb_engine_add_notice(stepbus *engine, sb_notice *notice)
{
	append(&engine->certain, notice);
}

static void end_tentative(stepbus *engine, bool is_committed)
{
	sb_notice *notice = engine->tentative.first;

	engine->tentative = (struct sb_notice_list){ 0 };
	for (sb_notice *next; notice != NULL; notice = next) {
		next = notice->next;
		if (is_committed)
			append(&engine->certain, notice);
		else
			notice->dispose(notice);
	}
}

uint64_t sb_engine_random(stepbus *engine)
{
	/* Spreads retries and draws; nobody's secret depends on it. Each caller gets a number of its own. */
	uint64_t n = atomic_fetch_add(&engine->random, 0x9e3779b97f4a7c15U);

	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9U;
	n = (n ^ n >> 27) * 0x94d049bb133111ebU;
	return n ^ n >> 31;
}

bool sb_engine_is_inside(const stepbus *engine)
{
	return sb_notices_is_here(&engine->notices) || sb_bridge_is_visited(engine->bridge);
}

static bool has_claims(void *context)
{
	stepbus *engine = context;

	for (const stepbus_worker *w = engine->workers; w != NULL; w = w->next)
		if (!sb_worker_is_drained(w) && sb_worker_wanted(w) > 0)
			return true;
	return false;
}

static stepbus_status claim(void *context, stepbus_error *err)
{
	stepbus_status status = sb_claim_all(context, err);

	/* It would be taken for the answer to operations that have done nothing wrong. */
	return sb_writer_is_refusal(status) ? STEPBUS_ECORRUPT : status;
}

static void keep_due(stepbus *engine)
{
	const struct sb_group *group = &engine->group;
	int64_t due_us = atomic_load(&engine->due_at_us);

	if (group->is_due_known)
		due_us = group->due_next_us;
	if (group->due_at_us != 0 && (due_us == 0 || group->due_at_us < due_us))
		due_us = group->due_at_us;
	if (due_us == atomic_load(&engine->due_at_us))
		return;
	atomic_store(&engine->due_at_us, due_us);
	if (engine->clockwork != NULL)
		sb_clockwork_wake(engine->clockwork);
}

static void keep_cron(stepbus *engine)
{
	const struct sb_group *group = &engine->group;

	if (!group->is_cron_known || group->cron_at_us == atomic_load(&engine->cron_at_us))
		return;
	atomic_store(&engine->cron_at_us, group->cron_at_us);
	if (engine->clockwork != NULL)
		sb_clockwork_wake(engine->clockwork);
}

static void tell_awaiting(stepbus *engine)
{
	atomic_fetch_add(&engine->final_count, 1);
	if (atomic_load(&engine->awaiting_count) > 0)
		(void)syscall(SYS_futex, &engine->final_count, FUTEX_WAKE_PRIVATE, INT_MAX, NULL,
			      NULL, 0);
}

/* Steps that became ready and that nobody here has claimed, as far as is known. */
static bool is_for_others(const stepbus *engine)
{
	if (!engine->group.is_ready_left)
		return false;
	for (const stepbus_worker *w = engine->workers; w != NULL; w = w->next)
		if (w->queue_count == 0 && sb_worker_is_drained(w) && !engine->may_have_parked)
			return false;
	return true;
}

static void ended(void *context, bool is_committed)
{
	stepbus *engine = context;

	if ((atomic_load(&engine->is_failing) == 0) != is_committed)
		atomic_store(&engine->is_failing, !is_committed);
	/* What led to a step's start is told before the start is. */
	end_tentative(engine, is_committed);
	for (stepbus_worker *w = engine->workers; w != NULL; w = w->next)
		sb_worker_take_fresh(w, is_committed);
	if (is_committed) {
		sb_names_keep(&engine->names);
		/* Where a transaction ends without a claim, the next one has to look. */
		if (engine->group.is_ready_made && !engine->group.is_claimed)
			atomic_fetch_add(&engine->change_count, 1);
		keep_due(engine);
		keep_cron(engine);
		if (engine->group.is_final_made)
			tell_awaiting(engine);
		if (is_for_others(engine))
			sb_clockwork_tell_others(engine->clockwork);
	} else {
		sb_names_forget(&engine->names);
		atomic_fetch_add(&engine->change_count, 1);
		engine->may_have_parked = true;
	}
	engine->group = (struct sb_group){ 0 };
}

static void watch_log(stepbus *engine)
{
	sb_store_stats stats;
	uint32_t is_alarmed;

	engine->store->type->stats(engine->store, &stats);
	is_alarmed = stats.wal_bytes > engine->options.wal_alarm_bytes;
	if (is_alarmed && atomic_exchange(&engine->is_alarmed, 1) == 0)
		sb_news_store(engine, SB_EVENT_STORE_ALARM,
			      "the write-ahead log grows: a reader of the database keeps a "
			      "transaction open for too long");
	else if (!is_alarmed)
		atomic_store(&engine->is_alarmed, 0);
}

static void group_settled(void *context)
{
	stepbus *engine = context;
	struct sb_notice_list list = engine->certain;

	engine->certain = (struct sb_notice_list){ 0 };
	sb_notices_add(&engine->notices, list.first, list.last, list.count);
	/* To look costs two calls of the system, and a log needs many groups to grow. */
	if (engine->settled_count++ % WATCH_EVERY == 0)
		watch_log(engine);
}

/* All zero where the system does not say: then leases of before a restart end by their time. */
static void read_boot_id(uint8_t boot_id[SB_BOOT_ID_LEN])
{
	char text[SB_ID_TEXT_LEN];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, text, sizeof text) == (ssize_t)sizeof text)
		(void)sb_id_parse(text, sizeof text, boot_id);
	close(fd);
}

static stepbus_status find_events(stepbus *engine, stepbus_error *err)
{
	for (int i = 0; i < SB_EVENT_COUNT; i++) {
		sb_event *event = NULL;
		stepbus_status status =
			sb_bridge_event(engine->bridge, sb_slice_z(event_names[i]), &event, err);

		if (status != STEPBUS_OK)
			return status;
		engine->event_ids[i] = event->id;
	}
	return STEPBUS_OK;
}

/* Workers that claimed nothing because of them may claim again. */
static void notices_eased(void *context)
{
	stepbus *engine = context;

	sb_writer_nudge(&engine->writer);
}

static stepbus_status make_bridge(stepbus *engine, stepbus_error *err)
{
	const sb_completion_door door = sb_submit_door(engine);
	const stepbus_bridge_options options = { .size = sizeof options,
						 .host = &engine->host,
						 .event_count_max = 16384,
						 .subscription_count_max = 65536 };
	stepbus_status status = sb_bridge_new(&options, &engine->bridge, err);

	if (status == STEPBUS_OK)
		status = sb_bridge_start(engine->bridge, err);
	if (status == STEPBUS_OK)
		status = find_events(engine, err);
	if (status == STEPBUS_OK)
		status = sb_execution_new(engine->bridge, engine->registry, sb_slice_z("engine"),
					  &door, &engine->subscriber, err);
	if (status == STEPBUS_OK)
		status = sb_execution_start(engine->subscriber, err);
	if (status == STEPBUS_OK)
		status = sb_notices_init(&engine->notices,
					 &(sb_notices_eased){ notices_eased, engine },
					 engine->bridge, &engine->host, err);
	return status;
}

static stepbus_status make_registry(stepbus *engine, stepbus_registry *registry, stepbus_error *err)
{
	const stepbus_registry_options options = { .size = sizeof options,
						   .host = &engine->host,
						   .handler_count_max = 1U << 20 };

	engine->registry = registry;
	engine->owns_registry = registry == NULL;
	return registry != NULL ? sb_registry_check(registry, err) :
				  sb_registry_new(&options, &engine->registry, err);
}

static stepbus_status open_store(stepbus *engine, stepbus_error *err)
{
	const sb_engine_options *options = &engine->options;
	const sb_store_options store = { .host = &engine->host,
					 .path = options->path,
					 .durability = options->durability,
					 .is_network_allowed = options->is_network_allowed,
					 .busy_timeout_ms = options->busy_timeout_ms,
					 .wal_alarm_bytes = options->wal_alarm_bytes };

	return options->is_in_memory ? sb_memory_store_open(&store, &engine->store, err) :
				       sb_sqlite_store_open(&store, &engine->store, err);
}

static stepbus_status make_writer(stepbus *engine, stepbus_error *err)
{
	const sb_writer_hooks hooks = { claim, has_claims, ended, group_settled, engine };

	engine->writer.group_weight_max = engine->options.group_count_max;
	engine->writer.waiting_weight_max = engine->options.waiting_count_max;
	sb_writer_init(&engine->writer, &engine->host, engine->store, &hooks);
	return engine->options.is_still ? STEPBUS_OK : sb_writer_start(&engine->writer, err);
}

/*
 * What lies beside the database is found by its path for as long as the engine lives, wherever the
 * process goes, and by all processes, whatever links they open it through. The file is there by now.
 */
static stepbus_status keep_path(stepbus *engine, stepbus_error *err)
{
	char absolute[PATH_MAX];
	const char *path = engine->options.path;

	if (path == NULL)
		return STEPBUS_OK;
	if (!engine->options.is_in_memory) {
		if (realpath(path, absolute) == NULL)
			return sb_fail(err, STEPBUS_ESYSTEM,
				       "cannot find out the full path of '%s' (errno %d)", path,
				       errno);
		path = absolute;
	}
	engine->path = sb_alloc_copy(&engine->host, path, strlen(path));
	engine->options.path = engine->path;
	return engine->path != NULL ? STEPBUS_OK : sb_fail_memory(err, "open an engine");
}

/* From the ground up; what was made when it fails is undone by dispose. */
static stepbus_status set_up(stepbus *engine, stepbus_registry *registry, stepbus_error *err)
{
	uint64_t seed = 0;
	stepbus_status status = sb_random_fill(&engine->host, &seed, sizeof seed, err);

	atomic_store(&engine->random, seed);
	read_boot_id(engine->boot_id);
	if (status == STEPBUS_OK)
		status = sb_claimed_table_init(&engine->claimed, &engine->host, err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&engine->elsewhere, &engine->host, err);
	if (status == STEPBUS_OK)
		status = sb_names_init(&engine->names, &engine->host, err);
	if (status == STEPBUS_OK)
		status = sb_zone_shelf_init(&engine->zones, &engine->host, err);
	if (status == STEPBUS_OK)
		status = make_registry(engine, registry, err);
	if (status == STEPBUS_OK)
		status = open_store(engine, err);
	if (status == STEPBUS_OK)
		status = keep_path(engine, err);
	if (status == STEPBUS_OK)
		status = make_bridge(engine, err);
	if (status == STEPBUS_OK)
		status = make_writer(engine, err);
	if (status == STEPBUS_OK)
		status = sb_clockwork_start(engine, &engine->clockwork, err);
	return status;
}

/* Whoever still leads must not wake what is about to go. */
static void stop_clockwork(stepbus *engine)
{
	sb_clockwork *clockwork = engine->clockwork;

	if (clockwork == NULL)
		return;
	sb_writer_lead(&engine->writer);
	engine->clockwork = NULL;
	sb_writer_yield(&engine->writer);
	sb_clockwork_stop(clockwork);
}

static void dispose(stepbus *engine)
{
	const stepbus_host host = engine->host;

	stop_clockwork(engine);
	if (engine->writer.has_thread || (engine->options.is_still && engine->writer.store != NULL))
		sb_writer_stop(&engine->writer);
	sb_notices_free(&engine->notices);
	sb_execution_free(engine->subscriber);
	sb_bridge_free(engine->bridge);
	if (engine->store != NULL)
		engine->store->type->close(engine->store);
	if (engine->owns_registry)
		sb_registry_free(engine->registry);
	if (engine->writer.store != NULL)
		sb_writer_free(&engine->writer);
	sb_serving_clear(engine);
	sb_names_free(&engine->names);
	sb_zone_shelf_free(&engine->zones);
	sb_claimed_table_free(&engine->claimed);
	pthread_mutex_destroy(&engine->breaker_lock);
	sb_release(&host, engine->path);
	sb_forkpage_free(&host, engine->head);
	sb_release(&host, engine);
}

stepbus_status sb_engine_open(const sb_engine_options *options, const stepbus_host *host,
			      stepbus_registry *registry, stepbus **out, stepbus_error *err)
{
	stepbus *engine = sb_alloc(host, sizeof *engine);
	void *head = NULL;
	stepbus_status status;

	if (engine == NULL)
		return sb_fail_memory(err, "open an engine");
	engine->host = *host;
	engine->host.size = sizeof engine->host;
	status = sb_forkpage_new(host, sizeof *engine->head, &head, err);
	if (status != STEPBUS_OK) {
		sb_release(host, engine);
		return status;
	}
	engine->head = head;
	engine->options = *options;
	engine->notices.is_still = options->is_still;
	engine->breaker.failure_count_max = options->breaker_failure_count;
	engine->breaker.open_ns = options->breaker_open_ms * 1000000;
	sb_assert(pthread_mutex_init(&engine->breaker_lock, NULL) == 0);
	atomic_store(&engine->head->mode, SB_ENGINE_OPEN);
	atomic_store(&engine->change_count, 1);
	engine->may_have_parked = true;
	engine->serving_generation = 1;
	status = set_up(engine, registry, err);
	if (status != STEPBUS_OK) {
		dispose(engine);
		return status;
	}
	*out = engine;
	return STEPBUS_OK;
}

void sb_engine_wake(stepbus *engine)
{
	atomic_fetch_add(&engine->change_count, 1);
	sb_writer_nudge(&engine->writer);
	sb_clockwork_tell_others(engine->clockwork);
	sb_clockwork_ask(engine->clockwork);
}

/* To be let go of: whoever made it may free it meanwhile. */
static stepbus_worker *find_worker(stepbus *engine, bool (*is_it)(const stepbus_worker *worker))
{
	stepbus_worker *worker;

	sb_writer_lead(&engine->writer);
	worker = engine->all_workers;
	while (worker != NULL && !is_it(worker))
		worker = worker->next_made;
	if (worker != NULL)
		sb_worker_hold(worker);
	sb_writer_yield(&engine->writer);
	return worker;
}

static bool is_unended(const stepbus_worker *worker)
{
	return atomic_load(&worker->is_ended) == 0;
}

static bool is_claiming(const stepbus_worker *worker)
{
	return atomic_load(&worker->is_claiming) != 0;
}

static int64_t rest_of(const stepbus *engine, int64_t timeout_ms, int64_t started_ns)
{
	int64_t gone_ms = (sb_clock_elapsed_ns(&engine->host) - started_ns) / 1000000;

	if (timeout_ms < 0)
		return -1;
	return gone_ms < timeout_ms ? timeout_ms - gone_ms : 0;
}

stepbus_status sb_engine_stop(stepbus *engine, int64_t timeout_ms, stepbus_error *err)
{
	int64_t started_ns = sb_clock_elapsed_ns(&engine->host);
	stepbus_status status = sb_engine_check(engine, false, err);
	stepbus_worker *worker;

	if (status != STEPBUS_OK)
		return status;
	if (sb_engine_is_inside(engine))
		return sb_fail(err, STEPBUS_EREENTRANT,
			       "an engine cannot be stopped from inside one of its callbacks: it "
			       "would wait for itself");
	/* A worker that starts meanwhile is linked before we have the lead, or not at all. */
	atomic_store(&engine->head->mode, SB_ENGINE_STOPPING);
	/* All of them stop claiming, before any is waited for. */
	while ((worker = find_worker(engine, is_claiming)) != NULL) {
		(void)sb_worker_stop(worker, 0, NULL);
		sb_worker_let_go(worker);
	}
	while (status == STEPBUS_OK && (worker = find_worker(engine, is_unended)) != NULL) {
		status = sb_worker_stop(worker, rest_of(engine, timeout_ms, started_ns), err);
		sb_worker_let_go(worker);
	}
	sb_notices_flush(&engine->notices);
	return status;
}

/* There is nobody to tell but the log; to free what runs us, or to wait for ourselves, is worse. */
static void complain_of_close(const stepbus *engine)
{
	static const sb_log_record record = {
		.level = STEPBUS_LOG_ERROR,
		.component = "engine",
		.message =
			"cannot close the engine from inside one of its callbacks: it would wait "
			"for itself; close it from another thread",
		.event_type = "close_refused",
	};

	sb_log(&engine->host, &record);
}

void sb_engine_close(stepbus *engine)
{
	stepbus_worker *worker;

	if (engine == NULL || sb_engine_check(engine, false, NULL) != STEPBUS_OK)
		return;
	if (sb_engine_is_inside(engine)) {
		complain_of_close(engine);
		return;
	}
	atomic_store(&engine->head->mode, SB_ENGINE_STOPPING);
	while ((worker = engine->all_workers) != NULL)
		sb_worker_free(worker);
	dispose(engine);
}
