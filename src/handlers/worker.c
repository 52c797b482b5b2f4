/* SPDX-License-Identifier: MIT */
#include "handlers/worker.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "bridge/publish.h"
#include "handlers/claim.h"
#include "handlers/clockwork.h"
#include "handlers/enlist.h"
#include "handlers/host_line.h"
#include "handlers/news.h"
#include "handlers/polled.h"
#include "handlers/serving.h"
#include "handlers/still.h"
#include "handlers/submit.h"
#include "handlers/worker_line.h"
#include "handlers/worker_pool.h"

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

static void dispose(stepbus_worker *worker)
{
	const stepbus_host host = worker->engine->host;

	sb_wake_free(&worker->wake);
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
	sb_wake_init(&worker->wake);
	sb_assert(pthread_condattr_init(&attributes) == 0);
	sb_assert(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	sb_assert(pthread_cond_init(&worker->has_steps, &attributes) == 0);
	sb_assert(pthread_cond_init(&worker->is_idle, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
	*out = worker;
	return STEPBUS_OK;
}

/* Who stops the engine has the lead once after it says so, and then stops all that are linked. */
static stepbus_status link_worker(stepbus_worker *worker, stepbus_error *err)
{
	stepbus *engine = worker->engine;
	stepbus_status status;

	sb_writer_lead(&engine->writer);
	status = sb_engine_check(engine, true, err);
	if (status != STEPBUS_OK) {
		sb_writer_yield(&engine->writer);
		return status;
	}
	/* Told before its first step is. */
	sb_news_worker(engine, SB_EVENT_WORKER_STARTED, worker);
	worker->next = engine->workers;
	engine->workers = worker;
	worker->next_made = engine->all_workers;
	engine->all_workers = worker;
	worker->metrics_at_ns =
		sb_clock_elapsed_ns(&engine->host) + worker->options.metrics_period_ms * 1000000;
	atomic_store(&worker->is_claiming, 1);
	atomic_fetch_add(&engine->change_count, 1);
	engine->may_have_parked = true;
	sb_serving_forget(engine);
	sb_writer_yield(&engine->writer);
	sb_writer_nudge(&engine->writer);
	sb_clockwork_wake(engine->clockwork);
	if (worker->options.is_pull && worker->options.metrics_period_ms > 0)
		sb_clockwork_measure(engine->clockwork, worker->metrics_at_ns);
	return STEPBUS_OK;
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
	return sb_start_log_create(&engine->host, &name, sb_worker_line_max(&worker->options),
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
	if (status == STEPBUS_OK)
		status = link_worker(worker, err);
	if (status != STEPBUS_OK) {
		sb_worker_pool_end(worker);
		if (worker->row.id != 0)
			(void)sb_enlist_end(worker);
		sb_start_log_remove(worker->start_log);
		dispose(worker);
		return status;
	}
	*out = worker;
	return STEPBUS_OK;
}

static bool interrupt_if_of(void *context, sb_claimed *claimed)
{
	const stepbus_worker *worker = context;

	if (claimed->worker == worker && atomic_load(&claimed->phase) == SB_CLAIMED_RUNNING)
		(void)sb_claimed_interrupt(claimed, STEPBUS_ESHUTDOWN);
	return true;
}

/* A handler whose attempt was ended for it still runs. */
static bool is_busy(stepbus_worker *worker)
{
	return atomic_load(&worker->unsettled_count) > 0 || atomic_load(&worker->running_count) > 0;
}

/* Whether all that is claimed got settled in time, and all handlers returned. */
static bool wait_until_idle(stepbus_worker *worker, int64_t timeout_ms)
{
	struct timespec at;
	bool is_idle;
	int failure = 0;

	sb_still_work_off(worker->engine);
	if (worker->engine->options.is_still)
		timeout_ms = 0;
	at = sb_worker_deadline_after(timeout_ms);
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
	sb_news_worker(worker->engine, SB_EVENT_WORKER_STOPPED, worker);
}

/* The first of all that stop it ends it; the others wait for that, which takes no handler's time. */
static void end_once(stepbus_worker *worker)
{
	bool is_first;

	pthread_mutex_lock(&worker->lock);
	is_first = !worker->has_ender;
	worker->has_ender = true;
	while (!is_first && atomic_load(&worker->is_ended) == 0)
		pthread_cond_wait(&worker->is_idle, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	if (!is_first)
		return;
	end(worker);
	pthread_mutex_lock(&worker->lock);
	atomic_store(&worker->is_ended, 1);
	pthread_cond_broadcast(&worker->is_idle);
	pthread_mutex_unlock(&worker->lock);
}

stepbus_status sb_worker_stop(stepbus_worker *worker, int64_t timeout_ms, stepbus_error *err)
{
	stepbus *engine = worker->engine;
	stepbus_status status = sb_engine_check(engine, false, err);

	if (status != STEPBUS_OK || atomic_load(&worker->is_ended) != 0)
		return status;
	if (sb_engine_is_inside(engine))
		return sb_fail(err, STEPBUS_EREENTRANT,
			       "a worker cannot be stopped from inside a callback of its engine: "
			       "it would wait for itself");
	if (atomic_load(&worker->is_claiming) != 0)
		atomic_store(&worker->stopping_since_ns, sb_clock_elapsed_ns(&engine->host));
	if (atomic_exchange(&worker->is_claiming, 0) != 0)
		sb_news_worker(engine, SB_EVENT_WORKER_STOPPING, worker);
	/* Whoever claims for it at this moment is done when we had the lead. */
	sb_writer_lead(&engine->writer);
	sb_writer_yield(&engine->writer);
	sb_enlist_give_back(worker, sb_worker_line_empty(worker));
	sb_claimed_table_each(&engine->claimed, interrupt_if_of, worker);
	sb_host_line_wake_all(worker);
	/* Results that could not be kept would be waited for until the next poll. */
	sb_submit_again(engine);
	if (!wait_until_idle(worker, timeout_ms))
		return sb_fail(err, STEPBUS_ETIMEDOUT,
			       "handlers still run: their steps keep their lease until they return "
			       "or it ends");
	end_once(worker);
	return STEPBUS_OK;
}

void sb_worker_hold(stepbus_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->holder_count++;
	pthread_mutex_unlock(&worker->lock);
}

void sb_worker_let_go(stepbus_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	if (--worker->holder_count == 0)
		pthread_cond_broadcast(&worker->is_idle);
	pthread_mutex_unlock(&worker->lock);
}

static void wait_for_holders(stepbus_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	while (worker->holder_count > 0)
		pthread_cond_wait(&worker->is_idle, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
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
	/* A host that never answers cannot be waited for. */
	if (worker->options.is_pull && sb_worker_stop(worker, 0, NULL) == STEPBUS_ETIMEDOUT)
		sb_polled_abandon(worker);
	/* From inside a callback it cannot be stopped: the engine's end frees it. */
	if (sb_worker_stop(worker, -1, NULL) != STEPBUS_OK)
		return;
	forget(worker);
	wait_for_holders(worker);
	/* What is still to be told of its steps names it. */
	sb_notices_flush(&worker->engine->notices);
	dispose(worker);
}
