/* SPDX-License-Identifier: MIT */
#include "handlers/notice.h"

static sb_notice *take_all(sb_notices *notices)
{
	sb_notice *first;

	pthread_mutex_lock(&notices->lock);
	first = notices->first;
	notices->first = NULL;
	notices->last = NULL;
	pthread_mutex_unlock(&notices->lock);
	return first;
}

static void count_told(sb_notices *notices, uint64_t count)
{
	pthread_mutex_lock(&notices->lock);
	notices->told_count += count;
	pthread_cond_broadcast(&notices->has_told);
	pthread_mutex_unlock(&notices->lock);
}

/* One more is told. Only this thread counts down, so that it meets the bound on the way. */
static void count_down(sb_notices *notices)
{
	if (atomic_fetch_sub(&notices->waiting_count, 1) == SB_NOTICE_WAITING_MAX + 1)
		notices->eased.ease(notices->eased.context);
}

static void tell_all(void *user_data)
{
	sb_notices *notices = user_data;
	sb_notice *notice;

	while ((notice = take_all(notices)) != NULL) {
		uint64_t count = 0;

		for (sb_notice *next; notice != NULL; notice = next) {
			next = notice->next;
			notice->tell(notice, notices->bridge);
			notice->dispose(notice);
			count_down(notices);
			count++;
		}
		count_told(notices, count);
	}
}

stepbus_status sb_notices_init(sb_notices *notices, const sb_notices_eased *eased,
			       stepbus_bridge *bridge, const stepbus_host *host, stepbus_error *err)
{
	stepbus_status status;

	notices->eased = *eased;
	notices->bridge = bridge;
	notices->host = host;
	status = notices->is_still ?
			 sb_loop_new_still(host, tell_all, notices, &notices->loop, err) :
			 sb_loop_new(host, tell_all, notices, &notices->loop, err);
	if (status != STEPBUS_OK)
		return status;
	sb_assert(pthread_mutex_init(&notices->lock, NULL) == 0);
	sb_assert(pthread_cond_init(&notices->has_told, NULL) == 0);
	return STEPBUS_OK;
}

void sb_notices_add(sb_notices *notices, sb_notice *first, sb_notice *last, size_t count)
{
	if (first == NULL)
		return;
	last->next = NULL;
	atomic_fetch_add(&notices->waiting_count, count);
	pthread_mutex_lock(&notices->lock);
	if (notices->last != NULL)
		notices->last->next = first;
	else
		notices->first = first;
	notices->last = last;
	notices->added_count += count;
	pthread_mutex_unlock(&notices->lock);
	sb_loop_wake(notices->loop);
}

bool sb_notices_turn(sb_notices *notices)
{
	return sb_loop_turn(notices->loop);
}

void sb_notices_flush(sb_notices *notices)
{
	uint64_t wanted;

	if (notices->is_still)
		(void)sb_notices_turn(notices);
	pthread_mutex_lock(&notices->lock);
	/* Not for what is added meanwhile: of that there may be no end. */
	wanted = notices->added_count;
	while (notices->told_count < wanted)
		pthread_cond_wait(&notices->has_told, &notices->lock);
	pthread_mutex_unlock(&notices->lock);
}

bool sb_notices_are_many(const sb_notices *notices)
{
	return atomic_load_explicit(&notices->waiting_count, memory_order_relaxed) >
	       SB_NOTICE_WAITING_MAX;
}

bool sb_notices_is_here(const sb_notices *notices)
{
	return sb_loop_is_here(notices->loop);
}

void sb_notices_free(sb_notices *notices)
{
	if (notices->loop == NULL)
		return;
	sb_notices_flush(notices);
	sb_loop_free(notices->loop);
	pthread_mutex_destroy(&notices->lock);
	pthread_cond_destroy(&notices->has_told);
}
