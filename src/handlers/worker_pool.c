/* SPDX-License-Identifier: MIT */
#include "handlers/worker_pool.h"

#include <signal.h>
#include <stdio.h>

#include "bridge/publish.h"
#include "handlers/enlist.h"
#include "handlers/submit.h"

enum { BATCH_MAX = 16, THREAD_NAME_LEN = 16 };

/* The next steps for one thread: a few, so that the lock is not taken for each. NULL: the end. */
static sb_claimed *next_steps(stepbus_worker *worker)
{
	sb_claimed *first, *last;
	uint32_t count = 1, share;

	pthread_mutex_lock(&worker->lock);
	while ((worker->first == NULL || worker->is_suspended) && !worker->is_ending)
		pthread_cond_wait(&worker->has_steps, &worker->lock);
	first = worker->first;
	if (first != NULL) {
		share = atomic_load(&worker->queued_count) / (2 * worker->options.pool_size);
		for (last = first; last->next != NULL && count < share && count < BATCH_MAX;
		     last = last->next)
			count++;
		worker->first = last->next;
		if (worker->first == NULL)
			worker->last = NULL;
		last->next = NULL;
		atomic_fetch_sub(&worker->queued_count, count);
		atomic_fetch_add(&worker->running_count, count);
	}
	pthread_mutex_unlock(&worker->lock);
	return first;
}

static void publish(sb_claimed *claimed)
{
	static const sb_submit_failure unheard = {
		.error_type = "handler_error",
		.message = "nobody took the step: the engine's bridge was stopped",
		.is_retryable = true,
		.attempt_outcome = SB_ATTEMPT_FAILURE,
	};
	stepbus *engine = claimed->worker->engine;

	(void)sb_publish(engine->bridge, engine->event_ids[SB_EVENT_RECEIVED], &claimed->event,
			 sizeof claimed->event, NULL);
	if (!claimed->is_settled)
		(void)sb_submit_failure_of(claimed, &unheard);
}

/*
 * What others may have taken over must not be started, but may still be ours: it waits in the line
 * until the lease is renewed, or found lost.
 */
static void put_back(stepbus_worker *worker, sb_claimed *first)
{
	sb_claimed *last = first;
	uint32_t count = 1;

	for (; last->next != NULL; last = last->next)
		count++;
	pthread_mutex_lock(&worker->lock);
	last->next = worker->first;
	worker->first = first;
	if (worker->last == NULL)
		worker->last = last;
	worker->is_suspended = true;
	atomic_fetch_add(&worker->queued_count, count);
	atomic_fetch_sub(&worker->running_count, count);
	pthread_mutex_unlock(&worker->lock);
}

static void run(stepbus_worker *worker, sb_claimed *claimed)
{
	stepbus *engine = worker->engine;
	int64_t now_ns = sb_clock_elapsed_ns(&engine->host);

	if (atomic_load(&claimed->interruption) != STEPBUS_OK) {
		/* Not just forgotten: where the store has it as ours yet, nobody else would run it. */
		claimed->next = NULL;
		sb_enlist_give_back(worker, claimed);
		return;
	}
	sb_claimed_ref(claimed);
	atomic_store(&claimed->started_ns, now_ns);
	atomic_store(&claimed->phase, SB_CLAIMED_RUNNING);
	/* Whoever stops the worker tells those that run by then. */
	if (atomic_load(&worker->is_claiming) == 0)
		sb_claimed_interrupt(claimed, STEPBUS_ESHUTDOWN);
	sb_start_log_mark(worker->start_log, claimed->start_slot, SB_START_RUNNING);
	publish(claimed);
	sb_claimed_unref(&engine->host, claimed);
}

/* A thread has that many less to run; who stops the worker waits for that. */
static void leave(stepbus_worker *worker, uint32_t count)
{
	if (atomic_fetch_sub(&worker->running_count, count) > count ||
	    atomic_load(&worker->is_claiming) != 0)
		return;
	pthread_mutex_lock(&worker->lock);
	pthread_cond_broadcast(&worker->is_idle);
	pthread_mutex_unlock(&worker->lock);
}

/* The worker is being stopped: what this thread has not begun is for others. */
static void give_back(stepbus_worker *worker, sb_claimed *first)
{
	uint32_t count = 0;

	for (const sb_claimed *c = first; c != NULL; c = c->next)
		count++;
	sb_enlist_give_back(worker, first);
	leave(worker, count);
}

static void *thread_main(void *user_data)
{
	stepbus_worker *worker = user_data;
	sb_claimed *claimed;

	while ((claimed = next_steps(worker)) != NULL) {
		for (sb_claimed *next; claimed != NULL; claimed = next) {
			next = claimed->next;
			if (atomic_load(&worker->is_claiming) == 0) {
				give_back(worker, claimed);
				break;
			}
			if (sb_worker_is_lease_over(worker)) {
				put_back(worker, claimed);
				break;
			}
			run(worker, claimed);
			if (sb_engine_check(worker->engine, false, NULL) != STEPBUS_OK)
				return NULL; /* a handler forked, and this is the child */
			leave(worker, 1);
		}
		/* The line may have run dry while nobody else brings news of that. */
		if (atomic_load(&worker->queued_count) <= worker->options.block_size / 2 &&
		    !sb_worker_is_drained(worker))
			sb_writer_nudge(&worker->engine->writer);
	}
	return NULL;
}

stepbus_status sb_worker_pool_start(stepbus_worker *worker, stepbus_error *err)
{
	char name[THREAD_NAME_LEN];
	sigset_t all, before;
	int failure = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (failure == 0 && worker->thread_count < worker->options.pool_size) {
		failure = pthread_create(&worker->threads[worker->thread_count], NULL, thread_main,
					 worker);
		if (failure != 0)
			break;
		(void)snprintf(name, sizeof name, "stepbus-pool%u", worker->thread_count % 1000);
		pthread_setname_np(worker->threads[worker->thread_count++], name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failure != 0)
		return sb_fail(err, STEPBUS_ESYSTEM,
			       "cannot start thread %u of %u of the pool (errno %d)",
			       worker->thread_count + 1, worker->options.pool_size, failure);
	return STEPBUS_OK;
}

void sb_worker_pool_end(stepbus_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->is_ending = true;
	pthread_cond_broadcast(&worker->has_steps);
	pthread_mutex_unlock(&worker->lock);
	for (uint32_t i = 0; i < worker->thread_count; i++)
		pthread_join(worker->threads[i], NULL);
	worker->thread_count = 0;
}
