/* SPDX-License-Identifier: MIT */
/*
 * Publishing. This is the one hot path that is inlined into the exported function: a call by id to
 * one subscriber costs about as much again as the indirect call it makes. It takes no lock,
 * allocates nothing, and writes only to the calling thread's own frame.
 *
 * The fast way is for the outermost publish of a thread to a list of one, on an open bridge. Such a
 * list in a frame stands for its one subscription too, so that a second store is saved. Everything
 * else is a function away.
 */
#ifndef SB_BRIDGE_PUBLISH_H
#define SB_BRIDGE_PUBLISH_H

#include "bridge/bridge.h"

/* Nested publishes, the thread's first one, publishing with fences, and every refusal. */
stepbus_status sb_publish_slowly(stepbus_bridge *bridge, uint32_t event_id, const void *payload,
				 size_t len, stepbus_error *err);
/* The library's own news of what a callback did: never refused for being one callback too deep. */
stepbus_status sb_publish_news(stepbus_bridge *bridge, uint32_t event_id, const void *payload,
			       size_t len, stepbus_error *err);
/* Lists of any length, with a frame that is open. */
stepbus_status sb_publish_walk(stepbus_bridge *bridge, sb_guard_frame *frame, uint32_t event_id,
			       const void *payload, size_t len, stepbus_error *err);
/* Leaves a frame after a subscriber refused, or after its list was retired. */
stepbus_status sb_publish_leave(sb_guard_frame *frame, int32_t refusal, stepbus_error *err);

/*
 * Whether anyone subscribes to an event at this moment: for publishers to whom the payload is work.
 * A list is only compared, never read, so that no guard is needed.
 */
static inline bool sb_bridge_is_heard(const stepbus_bridge *bridge, uint32_t event_id)
{
	const sb_event_table *table = atomic_load_explicit(&bridge->table, memory_order_acquire);

	return table != NULL && event_id < table->capacity &&
	       atomic_load_explicit(&table->slots[event_id], memory_order_relaxed) != bridge->empty;
}

static inline __attribute__((always_inline)) stepbus_status
sb_publish(stepbus_bridge *bridge, uint32_t event_id, const void *payload, size_t len,
	   stepbus_error *err)
{
	sb_guard_thread *thread = sb_guard_self;
	const sb_subscriber_list *list;
	sb_list_slot *slots;
	int32_t answer;

	if (sb_unlikely(event_id >=
			atomic_load_explicit(&bridge->open_count, memory_order_acquire)))
		return sb_publish_slowly(bridge, event_id, payload, len, err);
	/* Not free on a thread that is inside a callback, nor on one that has no block yet. */
	if (sb_unlikely(atomic_load_explicit(&thread->frames[0].group, memory_order_relaxed) !=
			NULL))
		return sb_publish_slowly(bridge, event_id, payload, len, err);
	slots = atomic_load_explicit(&bridge->slots, memory_order_acquire);
	list = atomic_load_explicit(&slots[event_id], memory_order_acquire);
	atomic_store_explicit(&thread->frames[0].group, list, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	/* Still in its slot, so it was not retired before it was named: now it cannot be freed. */
	if (sb_unlikely(atomic_load_explicit(&slots[event_id], memory_order_acquire) != list))
		return sb_publish_walk(bridge, &thread->frames[0], event_id, payload, len, err);
	if (sb_unlikely(list->deliver == NULL))
		return sb_publish_walk(bridge, &thread->frames[0], event_id, payload, len, err);
	answer = list->deliver(list->target, event_id, payload, len);
	/* Read again rather than kept over the call: one register less to save. */
	list = atomic_load_explicit(&thread->frames[0].group, memory_order_relaxed);
	/*
	 * Done with its subscription, then the look at whether it was ended meanwhile: who ends it
	 * marks first and reads the frames then, so one of us sees the other.
	 */
	atomic_store_explicit(&thread->frames[0].group, sb_guard_leaving(list),
			      memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (sb_unlikely(((uint32_t)answer |
			 atomic_load_explicit(&list->is_retired, memory_order_relaxed)) != 0))
		return sb_publish_leave(&thread->frames[0], answer, err);
	atomic_store_explicit(&thread->frames[0].group, NULL, memory_order_release);
	return answer;
}

#endif
