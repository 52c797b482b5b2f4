/* SPDX-License-Identifier: MIT */
/*
 * The bridge: who subscribes to what, and what happens when that changes while others publish.
 *
 * Publishers (publish.h) read without a lock: a count, a table, and in it one immutable subscriber
 * list for each event. Whoever changes the bridge takes the lock, builds
 * new lists, installs them, and retires the old ones; a retired list or an ended subscription goes
 * when no frame of the guard names it any more. destroy is called without the lock.
 *
 * From inside a callback of the bridge nothing waits (it might wait for itself): what cannot end at
 * once "leaves", and the last publisher that walked an affected list tidies up behind itself.
 */
#ifndef SB_BRIDGE_BRIDGE_H
#define SB_BRIDGE_BRIDGE_H

#include <pthread.h>

#include "base/guard.h"
#include "bridge/delivery.h"
#include "bridge/events.h"
#include "bridge/subscription.h"
#include "bridge/topic.h"

/* Zero comes from the fork page: in a forked child every bridge reads as FORKED. */
enum { SB_BRIDGE_FORKED = 0, SB_BRIDGE_ACTIVE = 1, SB_BRIDGE_STOPPED = 2, SB_BRIDGE_CLOSING = 3 };

typedef _Atomic(sb_subscriber_list *) sb_list_slot;

/*
 * What publishers look up: for each event id its list and its event. Tables only grow, and an
 * outgrown one is kept (and kept up to date) for who may still be reading it.
 */
typedef struct sb_event_table {
	uint32_t capacity;
	struct sb_event_table *previous;
	sb_list_slot *slots;
	_Atomic(const sb_event *) *events; /* NULL: no event has this id */
	void *room[];                      /* for both, of capacity each */
} sb_event_table;

/* Lives on a fork page: in a forked child all of it reads as zero. */
struct stepbus_bridge {
	/*
	 * What publishing by id reads. open_count is how many slots there are, and 0 while the
	 * bridge does not accept events, or while publishers must pay for fences: then they take
	 * the slow way.
	 */
	_Atomic(uint32_t) open_count;
	_Atomic(uint32_t) mode;
	_Atomic(sb_list_slot *) slots; /* of the newest table */
	_Atomic(sb_event_table *) table;

	stepbus_host host;
	uint32_t flags;
	uint32_t subscription_count_max;
	_Atomic(uint64_t) refused_count;

	pthread_mutex_t lock; /* guards what follows, and the writing of what publishers read */
	sb_events events;
	sb_map subscriptions; /* by id */
	uint64_t last_subscription_id;
	sb_subscriber_list *empty;      /* of every event that nobody subscribes to */
	sb_subscriber_list *undeclared; /* of every id that is no event's */
	sb_subscriber_list *visit;      /* named by who works on the bridge outside of callbacks */
	sb_subscriber_list *retired;
	sb_subscription *leaving; /* ended, with a callback still running */
	bool has_dead_items;      /* lists hold ended subscriptions, for want of memory */
	sb_delivery delivery;

	_Atomic(uint32_t) is_freeing;
	pthread_t freeing_thread;
};

/* options has all defaults filled in. */
stepbus_status sb_bridge_new(const stepbus_bridge_options *options, stepbus_bridge **out,
			     stepbus_error *err);
void sb_bridge_free(stepbus_bridge *bridge);
stepbus_status sb_bridge_start(stepbus_bridge *bridge, stepbus_error *err);
stepbus_status sb_bridge_stop(stepbus_bridge *bridge, stepbus_error *err);

static inline uint32_t sb_bridge_mode(const stepbus_bridge *bridge)
{
	return atomic_load_explicit(&bridge->mode, memory_order_acquire);
}

/* STEPBUS_EFORKED in a forked child. Every function below but free asks first. */
stepbus_status sb_bridge_check(const stepbus_bridge *bridge, stepbus_error *err);
/* Changes the mode, and with it whether publishers may take the fast way. Under the lock. */
void sb_bridge_set_mode(stepbus_bridge *bridge, uint32_t mode);
/* Whether the calling thread is inside a callback of this bridge. */
bool sb_bridge_is_inside(const stepbus_bridge *bridge);
/* Or inside a destroy that the bridge calls. */
bool sb_bridge_is_visited(const stepbus_bridge *bridge);

/* Names that are not allowed, not there yet, or looked up for the first time by a thread. */
stepbus_status sb_bridge_event_slowly(stepbus_bridge *bridge, sb_slice name, sb_event **out,
				      stepbus_error *err);

static inline __attribute__((always_inline)) stepbus_status
sb_bridge_event(stepbus_bridge *bridge, sb_slice name, sb_event **out, stepbus_error *err)
{
	sb_guard_thread *thread = sb_guard_self;

	/* A name that is too long, or none, is nobody's; and a forked child has no names at all. */
	if (sb_likely(name.data != NULL && name.len <= SB_TOPIC_LEN_MAX &&
		      thread != &sb_guard_nobody)) {
		*out = sb_events_find_open(&bridge->events, thread, name);
		if (sb_likely(*out != NULL))
			return STEPBUS_OK;
	}
	return sb_bridge_event_slowly(bridge, name, out, err);
}

stepbus_status sb_bridge_declare(stepbus_bridge *bridge, const stepbus_event_info *info,
				 uint32_t *event_id, stepbus_error *err);
/* The event of an id; NULL where there is none. Any thread. */
const sb_event *sb_bridge_event_of(const stepbus_bridge *bridge, uint32_t event_id);

/*
 * Keeps the bridge's memory while its functions call a host's destroy, which may free the bridge:
 * it goes when the outermost visit or callback of that thread is left. NULL where there is no frame
 * to have; sb_bridge_leave accepts that. After leaving, the bridge may be gone.
 */
sb_guard_frame *sb_bridge_visit(stepbus_bridge *bridge);
void sb_bridge_leave(stepbus_bridge *bridge, sb_guard_frame *frame);
/*
 * Whether the calling thread, about to leave a callback, leaves the last one and must dispose of
 * the bridge.
 */
bool sb_bridge_is_mine_to_dispose(const stepbus_bridge *bridge);
/* Frees the memory; nobody is inside, or about to be. */
void sb_bridge_dispose(stepbus_bridge *bridge);

#endif
