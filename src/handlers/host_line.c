/* SPDX-License-Identifier: MIT */
#include "handlers/host_line.h"

#include <errno.h>

#include "handlers/enlist.h"
#include "handlers/worker_line.h"

/* Under the lock: whether a poll would hand out steps now. */
static bool has_something(const stepbus_worker *worker)
{
	return worker->first != NULL && !worker->is_suspended &&
	       atomic_load_explicit(&worker->running_count, memory_order_relaxed) <
		       sb_worker_line_max(&worker->options);
}

void sb_host_line_tell(stepbus_worker *worker)
{
	if (worker->options.is_pull && has_something(worker))
		sb_wake_signal(&worker->wake);
}

void sb_host_line_leave(stepbus_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	if (atomic_fetch_sub(&worker->running_count, 1) == 1 &&
	    atomic_load(&worker->is_claiming) == 0)
		pthread_cond_broadcast(&worker->is_idle);
	sb_host_line_tell(worker);
	pthread_mutex_unlock(&worker->lock);
}

void sb_host_line_see_to_stop(stepbus_worker *worker)
{
	if (worker->options.is_pull && atomic_load(&worker->is_claiming) == 0)
		sb_enlist_give_back(worker, sb_worker_line_empty(worker));
}

void sb_host_line_return(stepbus_worker *worker, sb_claimed *first)
{
	sb_claimed *reversed = NULL;

	for (sb_claimed *next; first != NULL; first = next) {
		next = first->next;
		first->next = reversed;
		reversed = first;
	}
	for (sb_claimed *next; reversed != NULL; reversed = next) {
		next = reversed->next;
		sb_worker_line_put_back(worker, reversed);
	}
	sb_host_line_see_to_stop(worker);
}

void sb_host_line_wake_all(stepbus_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	pthread_cond_broadcast(&worker->has_steps);
	/* For good: no poll drains it from now on. */
	sb_wake_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

stepbus_status sb_host_line_open_wake(stepbus_worker *worker, int32_t kind, int32_t *fd,
				      stepbus_error *err)
{
	stepbus_status status;

	pthread_mutex_lock(&worker->lock);
	status = sb_wake_open(&worker->wake, kind, fd, err);
	if (atomic_load(&worker->is_claiming) == 0)
		sb_wake_signal(&worker->wake);
	sb_host_line_tell(worker);
	pthread_mutex_unlock(&worker->lock);
	return status;
}

/* Under the lock. STEPBUS_OK: there is something to take. */
static stepbus_status wait_for_steps(stepbus_worker *worker, const struct timespec *until)
{
	int failure = 0;

	for (;;) {
		if (atomic_load(&worker->is_claiming) == 0)
			return STEPBUS_ESHUTDOWN;
		if (has_something(worker))
			return STEPBUS_OK;
		if (atomic_load(&worker->running_count) >= sb_worker_line_max(&worker->options))
			return STEPBUS_EBUSY;
		if (failure == ETIMEDOUT || until == NULL)
			return STEPBUS_ETIMEDOUT;
		/* Before the wait: what comes during it is told anew. */
		sb_wake_drain(&worker->wake);
		failure = pthread_cond_timedwait(&worker->has_steps, &worker->lock, until);
	}
}

/*
 * A process ended under it, and nobody knows whether it was that step or another one of the same batch.
 * Handed out by itself, it is the only one that the next end is blamed on.
 */
static bool is_suspect(const sb_claimed *claimed)
{
	return claimed->status.crash_count > 0;
}

/* Under the lock. */
static sb_claimed *take_many(stepbus_worker *worker, size_t count_max)
{
	uint32_t running = atomic_load(&worker->running_count);
	uint32_t room = sb_worker_line_max(&worker->options) - running;
	sb_claimed *first = worker->first, *last = first;
	uint32_t count = 1;

	while (count < count_max && count < room && last->next != NULL && !is_suspect(last) &&
	       !is_suspect(last->next)) {
		last = last->next;
		count++;
	}
	worker->first = last->next;
	if (worker->first == NULL)
		worker->last = NULL;
	last->next = NULL;
	atomic_fetch_sub(&worker->queued_count, count);
	atomic_fetch_add(&worker->running_count, count);
	return first;
}

stepbus_status sb_host_line_take(stepbus_worker *worker, size_t count_max,
				 const struct timespec *until, sb_claimed **first)
{
	stepbus_status status;

	pthread_mutex_lock(&worker->lock);
	status = wait_for_steps(worker, until);
	*first = status == STEPBUS_OK ? take_many(worker, count_max) : NULL;
	if (status != STEPBUS_ESHUTDOWN && !has_something(worker))
		sb_wake_drain(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	return status;
}
