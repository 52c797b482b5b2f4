/* SPDX-License-Identifier: MIT */
#include "handlers/worker_line.h"

#include <stddef.h>

#include "handlers/enlist.h"
#include "handlers/host_line.h"
#include "handlers/news.h"
#include "handlers/suspect.h"

bool sb_worker_is_lease_over(const stepbus_worker *worker)
{
	return sb_clock_elapsed_ns(&worker->engine->host) >= atomic_load(&worker->lease_until_ns);
}

uint32_t sb_worker_line_max(const sb_worker_options *options)
{
	return 4 * (options->block_size + options->pool_size) + 64;
}

uint32_t sb_worker_wanted(const stepbus_worker *worker)
{
	uint32_t queued = atomic_load_explicit(&worker->queued_count, memory_order_relaxed);
	uint32_t unsettled = atomic_load_explicit(&worker->unsettled_count, memory_order_relaxed) +
			     worker->fresh_count;
	uint32_t room = sb_worker_line_max(&worker->options);
	uint32_t block = worker->options.block_size;

	/* Half a block before it asks for more, so that it asks for many at once. */
	if (atomic_load(&worker->is_claiming) == 0 || queued > block / 2)
		return 0;
	queued += worker->fresh_count;
	/* What is claimed without a lease nobody would ever look for. */
	if (queued >= block || unsettled >= room || sb_worker_is_lease_over(worker))
		return 0;
	/* Whoever runs steps faster than they are told of would fill the memory with news. */
	if (sb_notices_are_many(&worker->engine->notices))
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

/* From now on they wait for the host. */
static void note_claim(stepbus_worker *worker)
{
	int64_t now_ns = sb_clock_elapsed_ns(&worker->engine->host);

	for (sb_claimed *c = worker->fresh; c != NULL; c = c->next)
		atomic_store_explicit(&c->noticed_ns, now_ns, memory_order_relaxed);
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

/* Under the lock. */
static void append(stepbus_worker *worker, sb_claimed *first, sb_claimed *last, uint32_t count)
{
	if (worker->last != NULL)
		worker->last->next = first;
	else
		worker->first = first;
	worker->last = last;
	atomic_fetch_add_explicit(&worker->queued_count, count, memory_order_relaxed);
}

static void enter_line(stepbus_worker *worker, sb_claimed *first, sb_claimed *last, uint32_t count)
{
	pthread_mutex_lock(&worker->lock);
	append(worker, first, last, count);
	if (count > 1)
		pthread_cond_broadcast(&worker->has_steps);
	else
		pthread_cond_signal(&worker->has_steps);
	sb_host_line_tell(worker);
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
	stepbus_worker *worker = claimed->worker;

	enter_line(worker, claimed, claimed, 1);
	sb_host_line_see_to_stop(worker);
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
	if (worker->options.is_pull)
		note_claim(worker);
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

/* What was parked because the handler had no room may be claimed now. */
static void give_room(stepbus *engine, sb_known_handler *handler)
{
	atomic_fetch_sub(&handler->active_count, 1);
	if (atomic_load_explicit(&handler->concurrency_max, memory_order_relaxed) == 0)
		return;
	atomic_fetch_add(&engine->change_count, 1);
	sb_writer_nudge(&engine->writer);
}

void sb_worker_release(stepbus_worker *worker, sb_claimed *claimed)
{
	sb_start_log_give(worker->start_log, claimed->start_slot);
	give_room(worker->engine, claimed->handler);
	sb_claimed_table_leave(&worker->engine->claimed, claimed);
	pthread_mutex_lock(&worker->lock);
	if (atomic_fetch_sub(&worker->unsettled_count, 1) == 1)
		pthread_cond_broadcast(&worker->is_idle);
	sb_suspect_note_release(worker, claimed);
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
	sb_host_line_tell(worker);
	pthread_mutex_unlock(&worker->lock);
	/* Without a lease nothing was claimed for it. */
	sb_writer_nudge(&worker->engine->writer);
}

/* Under the lock. When the worker ends, whoever is in the line is only taken to be given back. */
static sb_claimed *take_next(stepbus_worker *worker)
{
	sb_claimed *claimed = NULL;

	while (claimed == NULL && (worker->first != NULL || !worker->is_ending)) {
		if (!worker->is_suspended || worker->is_ending)
			claimed = sb_suspect_take(worker);
		if (claimed == NULL)
			pthread_cond_wait(&worker->has_steps, &worker->lock);
	}
	return claimed;
}

sb_claimed *sb_worker_line_take(stepbus_worker *worker)
{
	sb_claimed *claimed;

	pthread_mutex_lock(&worker->lock);
	claimed = take_next(worker);
	if (claimed != NULL) {
		atomic_fetch_sub(&worker->queued_count, 1);
		atomic_fetch_add(&worker->running_count, 1);
	}
	pthread_mutex_unlock(&worker->lock);
	return claimed;
}

void sb_worker_line_put_back(stepbus_worker *worker, sb_claimed *claimed)
{
	pthread_mutex_lock(&worker->lock);
	claimed->next = worker->first;
	worker->first = claimed;
	if (worker->last == NULL)
		worker->last = claimed;
	atomic_fetch_add(&worker->queued_count, 1);
	atomic_fetch_sub(&worker->running_count, 1);
	sb_suspect_note_return(worker, claimed);
	/* The lease may have been renewed since the caller looked: then nobody would resume it. */
	worker->is_suspended = sb_worker_is_lease_over(worker);
	if (!worker->is_suspended)
		pthread_cond_broadcast(&worker->has_steps);
	sb_host_line_tell(worker);
	pthread_mutex_unlock(&worker->lock);
}

/* Far enough not to come, near enough not to overflow. */
enum { FAR_AWAY_S = 1000000000 };

struct timespec sb_worker_deadline_after(int64_t timeout_ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	if (timeout_ms < 0 || timeout_ms / 1000 >= FAR_AWAY_S)
		timeout_ms = (int64_t)FAR_AWAY_S * 1000;
	at.tv_sec += (time_t)(timeout_ms / 1000);
	at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* The line runs dry while others may be busy for long, or idle: nobody else brings news of that. */
void sb_worker_line_ask(stepbus_worker *worker)
{
	if (atomic_load(&worker->queued_count) <= worker->options.block_size / 2 &&
	    !sb_worker_is_drained(worker))
		sb_writer_nudge(&worker->engine->writer);
}

void sb_worker_line_leave(stepbus_worker *worker)
{
	if (worker->options.is_pull) {
		sb_host_line_leave(worker);
		return;
	}
	if (atomic_fetch_sub(&worker->running_count, 1) > 1 ||
	    atomic_load(&worker->is_claiming) != 0)
		return;
	pthread_mutex_lock(&worker->lock);
	pthread_cond_broadcast(&worker->is_idle);
	pthread_mutex_unlock(&worker->lock);
}

sb_claimed *sb_worker_line_empty(stepbus_worker *worker)
{
	sb_claimed *first;

	pthread_mutex_lock(&worker->lock);
	first = worker->first;
	worker->first = NULL;
	worker->last = NULL;
	atomic_store(&worker->queued_count, 0);
	sb_suspect_note_empty(worker);
	pthread_mutex_unlock(&worker->lock);
	return first;
}

static bool is_of_row(const sb_claimed *claimed, const stepbus_worker *worker)
{
	return claimed->worker == worker && claimed->status.worker_id == worker->row.id;
}

static bool lose_if_of(void *context, sb_claimed *claimed)
{
	const stepbus_worker *worker = context;

	if (claimed->worker == worker && !is_of_row(claimed, worker))
		(void)sb_claimed_interrupt(claimed, STEPBUS_ESTALE);
	return true;
}

/* Puts what was taken out of the line into it again. */
static void return_to_line(stepbus_worker *worker, sb_claimed *claimed)
{
	claimed->next = NULL;
	pthread_mutex_lock(&worker->lock);
	append(worker, claimed, claimed, 1);
	pthread_mutex_unlock(&worker->lock);
}

void sb_worker_lose(stepbus_worker *worker)
{
	sb_claimed *claimed;

	sb_claimed_table_each(&worker->engine->claimed, lose_if_of, worker);
	sb_wake_alert(&worker->wake);
	claimed = sb_worker_line_empty(worker);
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
	claimed = sb_worker_line_empty(worker);
	for (sb_claimed *next; claimed != NULL; claimed = next) {
		next = claimed->next;
		sb_worker_drop(claimed);
	}
}
