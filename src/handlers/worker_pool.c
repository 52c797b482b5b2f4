/* SPDX-License-Identifier: MIT */
#include "handlers/worker_pool.h"

#include <stdio.h>

#include "base/signals.h"
#include "bridge/publish.h"
#include "handlers/enlist.h"
#include "handlers/submit.h"
#include "handlers/worker_line.h"

enum { THREAD_NAME_LEN = 16 };

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
		(void)sb_claimed_interrupt(claimed, STEPBUS_ESHUTDOWN);
	sb_start_log_mark(worker->start_log, claimed->start_slot, SB_START_RUNNING);
	publish(claimed);
	sb_claimed_unref(&engine->host, claimed);
}

/* The worker is being stopped: what has not begun is for others. */
static void give_back(stepbus_worker *worker, sb_claimed *claimed)
{
	claimed->next = sb_worker_line_empty(worker);
	sb_enlist_give_back(worker, claimed);
	sb_worker_line_leave(worker);
}

static void *thread_main(void *user_data)
{
	stepbus_worker *worker = user_data;
	sb_claimed *claimed;

	while ((claimed = sb_worker_line_take(worker)) != NULL) {
		if (atomic_load(&worker->is_claiming) == 0) {
			give_back(worker, claimed);
			continue;
		}
		if (sb_worker_is_lease_over(worker)) {
			sb_worker_line_put_back(worker, claimed);
			continue;
		}
		sb_worker_line_ask(worker);
		run(worker, claimed);
		if (sb_engine_check(worker->engine, false, NULL) != STEPBUS_OK)
			return NULL; /* a handler forked, and this is the child */
		sb_worker_line_leave(worker);
	}
	return NULL;
}

stepbus_status sb_worker_pool_start(stepbus_worker *worker, stepbus_error *err)
{
	char name[THREAD_NAME_LEN];
	sigset_t before;
	int failure = 0;

	sb_signals_block(&before);
	while (failure == 0 && worker->thread_count < worker->options.pool_size) {
		failure = pthread_create(&worker->threads[worker->thread_count], NULL, thread_main,
					 worker);
		if (failure != 0)
			break;
		(void)snprintf(name, sizeof name, "stepbus-pool%u", worker->thread_count % 1000);
		pthread_setname_np(worker->threads[worker->thread_count++], name);
	}
	sb_signals_give_back(&before);
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
