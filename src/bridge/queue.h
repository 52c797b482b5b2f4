/* SPDX-License-Identifier: MIT */
/*
 * The waiting events of one queued subscription: a ring with a bound, an overflow policy, and
 * counters that always add up: offered = delivered + dropped + waiting. Publishers offer from any
 * thread; the loop thread takes. Payloads are copied in before the lock is taken; no host code runs
 * under it.
 */
#ifndef SB_BRIDGE_QUEUE_H
#define SB_BRIDGE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge/payload.h"

typedef struct sb_queue sb_queue;

typedef struct sb_queue_item {
	void *payload; /* a block of the host's allocator */
	size_t len;
	uint32_t event_id;
} sb_queue_item;

typedef struct sb_queue_counts {
	uint64_t offered;
	uint64_t delivered;
	uint64_t dropped;
	uint64_t waiting;
} sb_queue_counts;

stepbus_status sb_queue_new(const stepbus_host *host, uint32_t count_max, int32_t overflow,
			    sb_queue **out, stepbus_error *err);
/* Of a closed queue. */
void sb_queue_free(sb_queue *queue);

/*
 * Copies an event in. Full: EFULL, waits, or drops the oldest; may_wait false turns waiting into
 * EFULL. Closed: ESHUTDOWN. Everything but STEPBUS_OK counts as dropped. needs_turn: nobody was to
 * take from this queue so far, the caller must see that the loop does.
 */
stepbus_status sb_queue_offer(sb_queue *queue, sb_payload_kind kind, const sb_queue_item *event,
			      bool may_wait, bool *needs_turn);

/* Takes the oldest item, which counts as waiting until sb_queue_done. False: none. */
bool sb_queue_take(sb_queue *queue, sb_queue_item *item);
/* Ends what sb_queue_take began, and frees the payload. */
void sb_queue_done(sb_queue *queue, sb_queue_item *item, bool is_delivered);
/* The loop is through with its turn: true where items are left, and so another turn is needed. */
bool sb_queue_end_turn(sb_queue *queue);

/* Drops what waits and refuses what comes; wakes who waits for room. */
void sb_queue_close(sb_queue *queue);

sb_queue_counts sb_queue_count(sb_queue *queue);
/*
 * How many events were let in so far, and how many of these are over, in the order of their coming.
 */
void sb_queue_progress(sb_queue *queue, uint64_t *accepted, uint64_t *over);
int32_t sb_queue_overflow(const sb_queue *queue);

#endif
