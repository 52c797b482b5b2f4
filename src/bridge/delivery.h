/* SPDX-License-Identifier: MIT */
/*
 * Queued delivery: publishers put events into a subscription's queue, the loop thread gives each
 * subscription that has some a turn of a few deliveries, in the order in which they got theirs.
 *
 * The turn list has a lock of its own, below the bridge's, above the queues'. The loop names the
 * subscription in a frame of the guard before it lets go of that lock, so that whoever ends the
 * subscription either takes it off the list or sees it in use.
 */
#ifndef SB_BRIDGE_DELIVERY_H
#define SB_BRIDGE_DELIVERY_H

#include <pthread.h>

#include "bridge/loop.h"
#include "bridge/subscription.h"

typedef struct sb_delivery {
	_Atomic(sb_loop *) loop; /* made with the first queued subscription */
	pthread_mutex_t lock;
	pthread_cond_t progress;
	sb_subscription *first;
	sb_subscription *last;
	uint64_t turn_count; /* progress: rises with each turn that ends */
	/* What queues counted whose subscriptions are gone; under the bridge's lock. */
	sb_queue_counts past;
} sb_delivery;

void sb_delivery_init(sb_delivery *delivery);
/* After the loop has gone. */
void sb_delivery_free(sb_delivery *delivery);
/* Makes the loop thread where there is none. Under the bridge's lock. */
stepbus_status sb_delivery_ensure_loop(stepbus_bridge *bridge, stepbus_error *err);
bool sb_delivery_is_loop_here(const sb_delivery *delivery);

/* The deliver of a queued subscription; target is the subscription. */
int32_t sb_delivery_offer(void *target, uint32_t event_id, const void *payload, size_t len);
/* Takes a subscription off the turn list. */
void sb_delivery_forget(sb_delivery *delivery, sb_subscription *subscription);
/* Tells those who wait in sb_delivery_flush that something has changed. */
void sb_delivery_announce(sb_delivery *delivery);

/* Waits until nothing waits any more; needs no memory. The bridge accepts no new events. */
void sb_delivery_drain(stepbus_bridge *bridge);
stepbus_status sb_delivery_flush(stepbus_bridge *bridge, int64_t timeout_ms, stepbus_error *err);

#endif
