/* SPDX-License-Identifier: MIT */
#include "handlers/worker.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bridge/publish.h"
#include "handlers/claim.h"
#include "handlers/clockwork.h"
#include "handlers/enlist.h"
#include "handlers/news.h"
#include "handlers/serving.h"
#include "handlers/worker_pool.h"

/* How many steps may be claimed and not settled at once. */
static uint32_t unsettled_max(const sb_worker_options *options)
{
	return 4 * (options->block_size + options->pool_size) + 64;
}

bool sb_worker_takes(const stepbus_worker *worker, int64_t queue_id)
{
	for (size_t i = 0; i < worker->queue_count; i++)
		if (worker->queue_ids[i] == queue_id)
			return true;
	return worker->queue_count == 0;
}

bool sb_worker_is_drained(const stepbus_worker *worker)
{
	return atomic_load_explicit(&worker->seen_change_count, memory_order_acquire) ==
	       atomic_load_explicit(&worker->engine->change_count, memory_order_acquire);
}

bool sb_worker_is_lease_over(const stepbus_worker *worker)
{
	return sb_clock_elapsed_ns(&worker->engine->host) >= atomic_load(&worker->lease_until_ns);
}

uint32_t sb_worker_wanted(const stepbus_worker *worker)
{
	uint32_t queued = atomic_load_explicit(&worker->queued_count, memory_order_relaxed);
	uint32_t unsettled = atomic_load_explicit(&worker->unsettled_count, memory_order_relaxed) +
			     worker->fresh_count;
	uint32_t room = unsettled_max(&worker->options);
	uint32_t block = worker->options.block_size;

	/* Half a block before it asks for more, so that it asks for many at once. */
	if (atomic_load(&worker->is_claiming) == 0 || queued > block / 2)
		return 0;
	queued += worker->fresh_count;
	/* What is claimed without a lease nobody would ever look for. */
	if (queued >= block || unsettled >= room || sb_worker_is_lease_over(worker))
		return 0;
	return block - queued < room - unsettled ? block - queued : room - unsettled;
}

bool sb_worker_add_fresh(stepbus_worker *worker, sb_claimed *claimed)
{
	/* Known from now on, since a step that could not be noted later would never be settled. */
	if (!sb_claimed_table_add(&worker->engine->claimed, claimed))
		return false;
	claimed->next = NULL;
	if (worker->fresh_last != NULL)
		worker->fresh_last->next = claimed;
	else
		worker->fresh = claimed;
	worker->fresh_last = claimed;
	worker->fresh_count++;
	return true;
}

static void forget_fresh(stepbus_worker *worker)
{
	for (sb_claimed *c = worker->fresh, *next; c != NULL; c = next) {
		next = c->next;
		atomic_fetch_sub(&c->handler->active_count, 1);
		sb_claimed_table_remove(&worker->engine->claimed, c);
		sb_claimed_unref(&worker->engine->host, c);
	}
}

/* Whoever finds this worker dead will know then which of them it had not begun. */
static void note_fresh(stepbus_worker *worker)
{
	for (sb_claimed *c = worker->fresh; c != NULL && worker->start_log != NULL; c = c->next) {
		c->start_slot = sb_start_log_take(worker->start_log, c->status.id, c->status.token);
		/* There are as many places as steps that may be claimed at once. */
		sb_assert(c->start_slot != UINT32_MAX);
	}
}

static void enter_line(stepbus_worker *worker, sb_claimed *first, sb_claimed *last, uint32_t count)
{
	pthread_mutex_lock(&worker->lock);
	if (worker->last != NULL)
		worker->last->next = first;
	else
		worker->first = first;
	worker->last = last;
	atomic_fetch_add_explicit(&worker->queued_count, count, memory_order_relaxed);
	if (count > 1)
		pthread_cond_broadcast(&worker->has_steps);
	else
		pthread_cond_signal(&worker->has_steps);
	pthread_mutex_unlock(&worker->lock);
}

static sb_claimed *claimed_of(sb_notice *notice)
{
	return (sb_claimed *)(void *)((char *)notice - offsetof(sb_claimed, settlement.notice));
}

static void tell_started(sb_notice *notice, stepbus_bridge *bridge)
{
	(void)bridge;
	sb_news_publish_started(claimed_of(notice));
}

/* Only now may it run: what follows is told behind what was. */
static void enter_told(sb_notice *notice)
{
	sb_claimed *claimed = claimed_of(notice);

	enter_line(claimed->worker, claimed, claimed, 1);
}

/* Somebody listens to what happens before a step runs: the notices' thread passes the steps on. */
static void enter_by_notices(stepbus_worker *worker)
{
	for (sb_claimed *c = worker->fresh, *next; c != NULL; c = next) {
		next = c->next;
		c->next = NULL;
		c->settlement.notice.tell = tell_started;
		c->settlement.notice.dispose = enter_told;
		sb_engine_add_notice(worker->engine, &c->settlement.notice);
	}
}

static void pass_on(stepbus_worker *worker)
{
	const stepbus *engine = worker->engine;

	atomic_fetch_add(&worker->unsettled_count, worker->fresh_count);
	note_fresh(worker);
	if (sb_engine_is_heard(engine, SB_EVENT_STARTED) ||
	    sb_engine_is_heard(engine, SB_EVENT_REQUESTED))
		enter_by_notices(worker);
	else
		enter_line(worker, worker->fresh, worker->fresh_last, worker->fresh_count);
}

void sb_worker_take_fresh(stepbus_worker *worker, bool is_committed)
{
	if (worker->fresh == NULL)
		return;
	if (is_committed)
		pass_on(worker);
	else
		forget_fresh(worker);
	worker->fresh = NULL;
	worker->fresh_last = NULL;
	worker->fresh_count = 0;
}

void sb_worker_release(stepbus_worker *worker, sb_claimed *claimed)
{
	sb_start_log_give(worker->start_log, claimed->start_slot);
	atomic_fetch_sub(&claimed->handler->active_count, 1);
	sb_claimed_table_remove(&worker->engine->claimed, claimed);
	pthread_mutex_lock(&worker->lock);
	if (atomic_fetch_sub(&worker->unsettled_count, 1) == 1)
		pthread_cond_broadcast(&worker->is_idle);
	pthread_mutex_unlock(&worker->lock);
}

/* Out of our hands without a settlement: whoever took it from us has settled it. */
void sb_worker_drop(sb_claimed *claimed)
{
	const stepbus_host *host = &claimed->worker->engine->host;

	sb_worker_release(claimed->worker, claimed);
	sb_claimed_unref(host, claimed);
}

void sb_worker_resume(stepbus_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->is_suspended = false;
	pthread_cond_broadcast(&worker->has_steps);
	pthread_mutex_unlock(&worker->lock);
}

static void dispose(stepbus_worker *worker)
{
	const stepbus_host host = worker->engine->host;

	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->has_steps);
	pthread_cond_destroy(&worker->is_idle);
	sb_release(&host, worker->texts);
	sb_release(&host, worker);
}

static void point_into_texts(stepbus_worker *worker, const sb_worker_options *options)
{
	const sb_slice parts[] = { options->name, options->queues, options->capabilities };
	sb_slice *copies[] = { &worker->options.name, &worker->options.queues,
			       &worker->options.capabilities };
	char *at = worker->texts;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (parts[i].len > 0)
			memcpy(at, parts[i].data, parts[i].len);
		*copies[i] = sb_slice_of(at, parts[i].len);
		at += parts[i].len + 1;
	}
}

static stepbus_status make(stepbus *engine, const sb_worker_options *options, stepbus_worker **out,
			   stepbus_error *err)
{
	stepbus_worker *worker =
		sb_alloc(&engine->host, sizeof *worker + options->pool_size * sizeof(pthread_t));
	pthread_condattr_t attributes;

	if (worker == NULL)
		return sb_fail_memory(err, "start a worker");
	worker->texts = sb_alloc(&engine->host, options->name.len + options->queues.len +
							options->capabilities.len + 3);
	if (worker->texts == NULL) {
		sb_release(&engine->host, worker);
		return sb_fail_memory(err, "start a worker");
	}
	worker->engine = engine;
	worker->options = *options;
	point_into_texts(worker, options);
	worker->order = (sb_claim_order){ .strategy = options->strategy,
					  .age_percent = options->age_percent,
					  .random = sb_engine_random(engine) };
	sb_assert(pthread_mutex_init(&worker->lock, NULL) == 0);
	sb_assert(pthread_cond_init(&worker->has_steps, NULL) == 0);
	sb_assert(pthread_condattr_init(&attributes) == 0);
	sb_assert(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	sb_assert(pthread_cond_init(&worker->is_idle, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
	*out = worker;
	return STEPBUS_OK;
}

static void link_worker(stepbus_worker *worker)
{
	stepbus *engine = worker->engine;

	sb_writer_lead(&engine->writer);
	worker->next = engine->workers;
	engine->workers = worker;
	worker->next_made = engine->all_workers;
	engine->all_workers = worker;
	atomic_store(&worker->is_claiming, 1);
	atomic_fetch_add(&engine->change_count, 1);
	engine->may_have_parked = true;
	sb_serving_forget(engine);
	sb_writer_yield(&engine->writer);
	sb_writer_nudge(&engine->writer);
	sb_clockwork_wake(engine->clockwork);
}

static void unlink_worker(stepbus_worker *worker)
{
	stepbus *engine = worker->engine;

	sb_writer_lead(&engine->writer);
	for (stepbus_worker **at = &engine->workers; *at != NULL; at = &(*at)->next)
		if (*at == worker) {
			*at = worker->next;
			break;
		}
	sb_serving_forget(engine);
	sb_writer_yield(&engine->writer);
}

static stepbus_status open_start_log(stepbus_worker *worker, stepbus_error *err)
{
	stepbus *engine = worker->engine;
	const sb_start_name name = { engine->options.path, worker->row.pid, worker->row.id };

	if (engine->options.is_in_memory)
		return STEPBUS_OK;
	return sb_start_log_create(&engine->host, &name, unsettled_max(&worker->options),
				   &worker->start_log, err);
}

stepbus_status sb_worker_start(stepbus *engine, const sb_worker_options *options,
			       stepbus_worker **out, stepbus_error *err)
{
	stepbus_worker *worker = NULL;
	stepbus_status status = make(engine, options, &worker, err);

	if (status != STEPBUS_OK || worker == NULL)
		return status;
	status = sb_enlist(worker, err);
	if (status == STEPBUS_OK)
		status = open_start_log(worker, err);
	if (status == STEPBUS_OK)
		status = sb_worker_pool_start(worker, err);
	if (status != STEPBUS_OK) {
		sb_worker_pool_end(worker);
		if (worker->row.id != 0)
			(void)sb_enlist_end(worker);
		sb_start_log_remove(worker->start_log);
		dispose(worker);
		return status;
	}
	sb_news_worker(engine, SB_EVENT_WORKER_STARTED, worker);
	link_worker(worker);
	*out = worker;
	return STEPBUS_OK;
}

static sb_claimed *empty_line(stepbus_worker *worker)
{
	sb_claimed *first;

	pthread_mutex_lock(&worker->lock);
	first = worker->first;
	worker->first = NULL;
	worker->last = NULL;
	atomic_store(&worker->queued_count, 0);
	pthread_mutex_unlock(&worker->lock);
	return first;
}

static bool interrupt_if_of(void *context, sb_claimed *claimed)
{
	const stepbus_worker *worker = context;

	if (claimed->worker == worker && atomic_load(&claimed->phase) == SB_CLAIMED_RUNNING)
		sb_claimed_interrupt(claimed, STEPBUS_ESHUTDOWN);
	return true;
}

static bool is_of_row(const sb_claimed *claimed, const stepbus_worker *worker)
{
	return claimed->worker == worker && claimed->status.worker_id == worker->row.id;
}

static bool lose_if_of(void *context, sb_claimed *claimed)
{
	const stepbus_worker *worker = context;

	if (claimed->worker == worker && !is_of_row(claimed, worker))
		sb_claimed_interrupt(claimed, STEPBUS_ESTALE);
	return true;
}

/* Puts what was taken out of the line into it again. */
static void return_to_line(stepbus_worker *worker, sb_claimed *claimed)
{
	claimed->next = NULL;
	pthread_mutex_lock(&worker->lock);
	if (worker->last != NULL)
		worker->last->next = claimed;
	else
		worker->first = claimed;
	worker->last = claimed;
	atomic_fetch_add(&worker->queued_count, 1);
	pthread_mutex_unlock(&worker->lock);
}

void sb_worker_lose(stepbus_worker *worker)
{
	sb_claimed *claimed;

	sb_claimed_table_each(&worker->engine->claimed, lose_if_of, worker);
	claimed = empty_line(worker);
	for (sb_claimed *next; claimed != NULL; claimed = next) {
		next = claimed->next;
		if (is_of_row(claimed, worker))
			return_to_line(worker, claimed);
		else
			sb_worker_drop(claimed);
	}
}

void sb_worker_give_up(stepbus_worker *worker)
{
	sb_claimed *claimed;

	if (atomic_load(&worker->is_claiming) != 0 || !sb_worker_is_lease_over(worker))
		return;
	claimed = empty_line(worker);
	for (sb_claimed *next; claimed != NULL; claimed = next) {
		next = claimed->next;
		sb_worker_drop(claimed);
	}
}

static struct timespec deadline_after(int64_t timeout_ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(timeout_ms / 1000);
	at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* A handler whose attempt was ended for it still runs. */
static bool is_busy(stepbus_worker *worker)
{
	return atomic_load(&worker->unsettled_count) > 0 || atomic_load(&worker->running_count) > 0;
}

/* Whether all that is claimed got settled in time, and all handlers returned. */
static bool wait_until_idle(stepbus_worker *worker, int64_t timeout_ms)
{
	struct timespec at = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
	bool is_idle;
	int failure = 0;

	pthread_mutex_lock(&worker->lock);
	while (is_busy(worker) && failure != ETIMEDOUT)
		failure = timeout_ms < 0 ?
				  pthread_cond_wait(&worker->is_idle, &worker->lock) :
				  pthread_cond_timedwait(&worker->is_idle, &worker->lock, &at);
	is_idle = !is_busy(worker);
	pthread_mutex_unlock(&worker->lock);
	return is_idle;
}

static void end(stepbus_worker *worker)
{
	sb_worker_pool_end(worker);
	unlink_worker(worker);
	/* Whoever takes over what is left needs to know what was begun. */
	if (sb_enlist_end(worker))
		sb_start_log_remove(worker->start_log);
	else
		sb_start_log_leave(worker->start_log);
	worker->start_log = NULL;
	worker->row.id = 0;
	sb_news_worker(worker->engine, SB_EVENT_WORKER_STOPPED, worker);
}

stepbus_status sb_worker_stop(stepbus_worker *worker, int64_t timeout_ms, stepbus_error *err)
{
	stepbus *engine = worker->engine;
	stepbus_status status = sb_engine_check(engine, false, err);

	if (status != STEPBUS_OK || worker->row.id == 0)
		return status;
	if (sb_engine_is_inside(engine))
		return sb_fail(err, STEPBUS_EREENTRANT,
			       "a worker cannot be stopped from inside a callback of its engine: "
			       "it would wait for itself");
	if (atomic_exchange(&worker->is_claiming, 0) != 0)
		sb_news_worker(engine, SB_EVENT_WORKER_STOPPING, worker);
	/* Whoever claims for it at this moment is done when we had the lead. */
	sb_writer_lead(&engine->writer);
	sb_writer_yield(&engine->writer);
	sb_enlist_give_back(worker, empty_line(worker));
	sb_claimed_table_each(&engine->claimed, interrupt_if_of, worker);
	if (!wait_until_idle(worker, timeout_ms))
		return sb_fail(err, STEPBUS_ETIMEDOUT,
			       "handlers still run: their steps keep their lease until they return "
			       "or it ends");
	end(worker);
	return STEPBUS_OK;
}

static void forget(stepbus_worker *worker)
{
	stepbus *engine = worker->engine;

	sb_writer_lead(&engine->writer);
	for (stepbus_worker **at = &engine->all_workers; *at != NULL; at = &(*at)->next_made)
		if (*at == worker) {
			*at = worker->next_made;
			break;
		}
	sb_writer_yield(&engine->writer);
}

void sb_worker_free(stepbus_worker *worker)
{
	if (worker == NULL || sb_engine_check(worker->engine, false, NULL) != STEPBUS_OK)
		return;
	sb_worker_stop(worker, -1, NULL);
	forget(worker);
	/* What is still to be told of its steps names it. */
	sb_notices_flush(&worker->engine->notices);
	dispose(worker);
}
