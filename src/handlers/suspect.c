/* SPDX-License-Identifier: MIT */
#include "handlers/suspect.h"

/* Its next loss would be its last: it would be quarantined, or have used up its attempts. */
static bool is_suspect(const stepbus_worker *worker, const sb_claimed *claimed)
{
	uint32_t crash_count = claimed->status.crash_count;

	return sb_unlikely(crash_count > 0) &&
	       (crash_count + 1 >= worker->engine->options.crash_count_max ||
		claimed->event.retry_count >= claimed->event.max_retries);
}

static sb_claimed *take_behind(stepbus_worker *worker, sb_claimed *before)
{
	sb_claimed **at = before != NULL ? &before->next : &worker->first;
	sb_claimed *claimed = *at;

	*at = claimed->next;
	if (worker->last == claimed)
		worker->last = before;
	claimed->next = NULL;
	return claimed;
}

/* Those that are no suspects need not wait for suspects that wait for each other. */
static sb_claimed *take_innocent(stepbus_worker *worker)
{
	sb_claimed *before = NULL;

	for (sb_claimed *c = worker->first; c != NULL; before = c, c = c->next)
		if (!is_suspect(worker, c))
			return take_behind(worker, before);
	return NULL;
}

/* Whether a handler runs, or its result is not kept yet. */
static bool has_others(const stepbus_worker *worker)
{
	return atomic_load(&worker->unsettled_count) > atomic_load(&worker->queued_count);
}

sb_claimed *sb_suspect_take(stepbus_worker *worker)
{
	int64_t now_ns, patience_ns;

	if (worker->first == NULL)
		return NULL;
	/* In the end whoever is left is taken only to be given back. */
	if (sb_likely(worker->suspect == NULL && !is_suspect(worker, worker->first)) ||
	    worker->is_ending)
		return take_behind(worker, NULL);
	now_ns = sb_clock_elapsed_ns(&worker->engine->host);
	patience_ns = worker->engine->options.lease_ms * 1000000;
	if (worker->suspect != NULL)
		return now_ns - worker->suspect_at_ns < patience_ns ? NULL : take_innocent(worker);
	if (worker->suspect_at_ns == 0)
		worker->suspect_at_ns = now_ns;
	if (has_others(worker) && now_ns - worker->suspect_at_ns < patience_ns)
		return NULL;
	worker->suspect = worker->first;
	worker->suspect_at_ns = now_ns;
	return take_behind(worker, NULL);
}

void sb_suspect_note_return(stepbus_worker *worker, const sb_claimed *claimed)
{
	if (worker->suspect != claimed)
		return;
	worker->suspect = NULL;
	worker->suspect_at_ns = 0;
}

void sb_suspect_note_release(stepbus_worker *worker, const sb_claimed *claimed)
{
	if (sb_likely(worker->suspect_at_ns == 0))
		return;
	sb_suspect_note_return(worker, claimed);
	pthread_cond_broadcast(&worker->has_steps);
}

void sb_suspect_note_empty(stepbus_worker *worker)
{
	if (worker->suspect == NULL)
		worker->suspect_at_ns = 0;
}
