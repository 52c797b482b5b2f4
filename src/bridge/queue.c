/* SPDX-License-Identifier: MIT */
#include "bridge/queue.h"

#include <pthread.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/memory.h"

enum { RING_LEN_MIN = 16 };

struct sb_queue {
	stepbus_host host;
	pthread_mutex_t lock;
	pthread_cond_t room;
	sb_queue_item *
		ring; /* grows to count_max, so that a large bound costs nothing until it is used */
	uint32_t ring_len;
	uint32_t first;
	uint32_t count;
	uint32_t count_max;
	uint32_t taken_count;
	int32_t overflow;
	bool has_turn;
	bool is_closed;
	uint64_t offered;
	uint64_t delivered;
	uint64_t dropped;
	uint64_t accepted;
	uint64_t over; /* of the accepted ones: delivered or dropped */
};

stepbus_status sb_queue_new(const stepbus_host *host, uint32_t count_max, int32_t overflow,
			    sb_queue **out, stepbus_error *err)
{
	uint32_t ring_len = count_max < RING_LEN_MIN ? count_max : RING_LEN_MIN;
	sb_queue *queue = sb_alloc(host, sizeof *queue);
	sb_queue_item *ring = sb_alloc_array(host, ring_len, sizeof *ring);

	if (queue == NULL || ring == NULL) {
		sb_release(host, ring);
		sb_release(host, queue);
		return sb_fail_memory(err, "make a queue");
	}
	queue->host = *host;
	queue->ring = ring;
	queue->ring_len = ring_len;
	queue->count_max = count_max;
	queue->overflow = overflow;
	sb_assert(pthread_mutex_init(&queue->lock, NULL) == 0);
	sb_assert(pthread_cond_init(&queue->room, NULL) == 0);
	*out = queue;
	return STEPBUS_OK;
}

void sb_queue_free(sb_queue *queue)
{
	stepbus_host host;

	if (queue == NULL)
		return;
	sb_assert(queue->count == 0);
	host = queue->host;
	pthread_cond_destroy(&queue->room);
	pthread_mutex_destroy(&queue->lock);
	sb_release(&host, queue->ring);
	sb_release(&host, queue);
}

static sb_queue_item pop_first(sb_queue *queue)
{
	sb_queue_item item = queue->ring[queue->first];

	queue->first = (queue->first + 1) % queue->ring_len;
	queue->count--;
	return item;
}

static stepbus_status grow(sb_queue *queue)
{
	uint32_t ring_len =
		queue->ring_len > queue->count_max / 2 ? queue->count_max : queue->ring_len * 2;
	sb_queue_item *ring = sb_alloc_array(&queue->host, ring_len, sizeof *ring);

	if (ring == NULL)
		return STEPBUS_ENOMEM;
	for (uint32_t i = 0; i < queue->count; i++)
		ring[i] = queue->ring[(queue->first + i) % queue->ring_len];
	sb_release(&queue->host, queue->ring);
	queue->ring = ring;
	queue->ring_len = ring_len;
	queue->first = 0;
	return STEPBUS_OK;
}

/* Publishers are not kept from being cancelled, but in this wait it would leave the queue locked. */
static void wait_for_room(sb_queue *queue)
{
	SB_UNCANCELLED;
	pthread_cond_wait(&queue->room, &queue->lock);
}

/* Makes room for one more, by the queue's policy. */
static stepbus_status make_room(sb_queue *queue, bool may_wait)
{
	while (!queue->is_closed && queue->count == queue->count_max) {
		if (queue->overflow == STEPBUS_OVERFLOW_DROP_OLDEST) {
			sb_queue_item oldest = pop_first(queue);

			queue->dropped++;
			queue->over++;
			sb_release(&queue->host, oldest.payload);
		} else if (queue->overflow == STEPBUS_OVERFLOW_BLOCK && may_wait) {
			wait_for_room(queue);
		} else {
			return STEPBUS_EFULL;
		}
	}
	if (queue->is_closed)
		return STEPBUS_ESHUTDOWN;
	return queue->count == queue->ring_len ? grow(queue) : STEPBUS_OK;
}

stepbus_status sb_queue_offer(sb_queue *queue, sb_payload_kind kind, const sb_queue_item *event,
			      bool may_wait, bool *needs_turn)
{
	sb_queue_item item = *event;
	stepbus_status status;

	*needs_turn = false;
	status = sb_payload_copy(&queue->host, kind, event->payload, event->len, &item.payload,
				 NULL);
	pthread_mutex_lock(&queue->lock);
	/* Counted at once: who waits for room is waiting in the counters too. */
	queue->offered++;
	if (status == STEPBUS_OK)
		status = make_room(queue, may_wait);
	if (status == STEPBUS_OK) {
		queue->ring[(queue->first + queue->count) % queue->ring_len] = item;
		queue->count++;
		queue->accepted++;
		*needs_turn = !queue->has_turn;
		queue->has_turn = true;
	} else {
		queue->dropped++;
	}
	pthread_mutex_unlock(&queue->lock);
	if (status != STEPBUS_OK)
		sb_release(&queue->host, item.payload);
	return status;
}

bool sb_queue_take(sb_queue *queue, sb_queue_item *item)
{
	bool has_item;

	pthread_mutex_lock(&queue->lock);
	has_item = queue->count > 0;
	if (has_item) {
		*item = pop_first(queue);
		queue->taken_count++;
		pthread_cond_signal(&queue->room);
	}
	pthread_mutex_unlock(&queue->lock);
	return has_item;
}

void sb_queue_done(sb_queue *queue, sb_queue_item *item, bool is_delivered)
{
	sb_release(&queue->host, item->payload);
	item->payload = NULL;
	pthread_mutex_lock(&queue->lock);
	queue->taken_count--;
	queue->over++;
	if (is_delivered)
		queue->delivered++;
	else
		queue->dropped++;
	pthread_mutex_unlock(&queue->lock);
}

bool sb_queue_end_turn(sb_queue *queue)
{
	bool has_more;

	pthread_mutex_lock(&queue->lock);
	has_more = queue->count > 0;
	queue->has_turn = has_more;
	pthread_mutex_unlock(&queue->lock);
	return has_more;
}

void sb_queue_close(sb_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->is_closed = true;
	while (queue->count > 0) {
		sb_queue_item item = pop_first(queue);

		queue->dropped++;
		queue->over++;
		sb_release(&queue->host, item.payload);
	}
	pthread_cond_broadcast(&queue->room);
	pthread_mutex_unlock(&queue->lock);
}

sb_queue_counts sb_queue_count(sb_queue *queue)
{
	sb_queue_counts counts;

	pthread_mutex_lock(&queue->lock);
	counts = (sb_queue_counts){ queue->offered, queue->delivered, queue->dropped,
				    queue->offered - queue->delivered - queue->dropped };
	pthread_mutex_unlock(&queue->lock);
	return counts;
}

void sb_queue_progress(sb_queue *queue, uint64_t *accepted, uint64_t *over)
{
	pthread_mutex_lock(&queue->lock);
	*accepted = queue->accepted;
	*over = queue->over;
	pthread_mutex_unlock(&queue->lock);
}

int32_t sb_queue_overflow(const sb_queue *queue)
{
	return queue->overflow;
}
