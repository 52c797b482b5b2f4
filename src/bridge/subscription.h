/* SPDX-License-Identifier: MIT */
/*
 * One subscription, and the immutable lists of subscriptions that publishers walk.
 *
 * Ending a subscription swaps its deliver for one that does nothing; a publisher that names the
 * subscription in a frame of the guard before it reads deliver is either seen there, or does
 * nothing. The memory lives as long as a list that holds it. All but deliver, is_removed and
 * is_spent belongs to the bridge's lock.
 */
#ifndef SB_BRIDGE_SUBSCRIPTION_H
#define SB_BRIDGE_SUBSCRIPTION_H

#include "base/guard.h"
#include "base/map.h"
#include "base/text.h"
#include "bridge/queue.h"

typedef struct sb_subscription {
	/* What a publisher reads: one cache line. */
	_Atomic(stepbus_event_fn) deliver;
	void *target;
	_Atomic(uint32_t) is_removed;
	_Atomic(uint32_t) is_spent; /* a ONCE subscription has had its event */
	stepbus_bridge *bridge;
	uint32_t flags;
	int32_t priority;
	uint64_t id;
	stepbus_event_fn host_deliver;
	void *user_data;
	void (*destroy)(void *user_data);
	sb_queue *queue; /* of a queued subscription */
	sb_map_node node;
	uint32_t list_count; /* lists that hold it */
	bool is_finished;    /* destroy has run: only lists keep it */
	struct sb_subscription *next_leaving;
	const void
		*waiter; /* who waits until it is over, and finishes it; NULL: whoever comes by */
	struct sb_subscription *next_ready; /* the loop's turn list, under its own lock */
	bool is_ready;
	size_t pattern_len;
	char pattern[];
} sb_subscription;

/* items are sorted: higher priority first, then the order of subscribing. */
typedef struct sb_subscriber_list {
	/* In a list of one, what its subscription delivers to; otherwise NULL. */
	stepbus_event_fn deliver;
	void *target;
	_Atomic(uint32_t) is_retired; /* a publisher that walked it has tidying to do */
	uint32_t count;
	stepbus_bridge *bridge;
	uint32_t event_id;
	struct sb_subscriber_list *next;
	sb_subscription *items[];
} sb_subscriber_list;

/*
 * spec and pattern were checked. Does not take over user_data: a subscription that is dropped is
 * not finished.
 */
stepbus_status sb_subscription_new(stepbus_bridge *bridge, const stepbus_host *host,
				   const stepbus_subscription *spec, sb_slice pattern,
				   sb_subscription **out, stepbus_error *err);
void sb_subscription_free(const stepbus_host *host, sb_subscription *subscription);

static inline sb_subscription *sb_subscription_of(sb_map_node *node)
{
	return node != NULL ?
		       (sb_subscription *)(void *)((char *)node - offsetof(sb_subscription, node)) :
		       NULL;
}

static inline sb_slice sb_subscription_pattern(const sb_subscription *subscription)
{
	return sb_slice_of(subscription->pattern, subscription->pattern_len);
}

/* The order of delivery, for arrays of sb_subscription pointers. */
int sb_subscription_compare(const void *a, const void *b);

/* Does nothing: what an ended subscription delivers to. */
int32_t sb_subscription_deliver_nothing(void *target, uint32_t event_id, const void *payload,
					size_t len);

/*
 * A new list: that of before without what is removed, and with added (may be NULL) at its place.
 * NULL: memory.
 */
sb_subscriber_list *sb_subscriber_list_new(stepbus_bridge *bridge, const stepbus_host *host,
					   const sb_subscriber_list *before,
					   sb_subscription *added);

#endif
