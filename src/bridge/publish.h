/* SPDX-License-Identifier: MIT */
/*
 * Publishing. This is the one hot path that is inlined into the exported function: a call by id
 * costs about as much again as the indirect call it makes. It takes no lock, allocates nothing, and
 * writes only to the calling thread's own frame.
 */
#ifndef SB_BRIDGE_PUBLISH_H
#define SB_BRIDGE_PUBLISH_H

#include "bridge/bridge.h"

/* Everything but the straight way: the thread's first publish, and every refusal. */
stepbus_status sb_publish_slowly(stepbus_bridge *bridge, uint32_t event_id, const void *payload,
				 size_t len, stepbus_error *err);
/* Says that a subscriber answered with a status of its own. */
stepbus_status sb_publish_fail_delivery(const stepbus_bridge *bridge, uint32_t event_id,
					int32_t answer, stepbus_error *err);
/* Leaves a list that was retired in the meantime, and tidies up. */
void sb_publish_leave_retired(stepbus_bridge *bridge, sb_guard_thread *thread,
			      sb_guard_frame *frame);

/*
 * Names the list in the frame; what is in the slot after that cannot be freed before the frame is
 * closed.
 */
static inline sb_subscriber_list *sb_publish_enter(sb_guard_frame *frame, sb_event_slot *slot)
{
	sb_subscriber_list *list = atomic_load_explicit(&slot->list, memory_order_acquire);

	for (;;) {
		sb_subscriber_list *seen = list;

		sb_guard_hold(&frame->group, seen);
		list = atomic_load_explicit(&slot->list, memory_order_acquire);
		if (sb_likely(list == seen))
			return list;
	}
}

static inline stepbus_status sb_publish(stepbus_bridge *bridge, uint32_t event_id,
					const void *payload, size_t len, stepbus_error *err)
{
	sb_bridge_head *head = bridge->head;
	sb_guard_thread *thread = sb_guard_self;
	sb_event_table *table = atomic_load_explicit(&head->table, memory_order_acquire);
	sb_subscriber_list *list;
	sb_guard_frame *frame;
	int32_t refusal = STEPBUS_OK;

	if (sb_unlikely(atomic_load_explicit(&head->mode, memory_order_acquire) !=
				SB_BRIDGE_ACTIVE ||
			event_id >= table->capacity || thread == NULL ||
			thread->top >= thread->frames + SB_GUARD_NEST_MAX))
		return sb_publish_slowly(bridge, event_id, payload, len, err);
	frame = sb_guard_push(thread);
	list = sb_publish_enter(frame, &table->slots[event_id]);
	if (sb_unlikely(list == NULL)) {
		sb_guard_pop(thread, frame);
		return sb_publish_slowly(bridge, event_id, payload, len, err);
	}
	for (uint32_t i = 0; i < list->count; i++) {
		sb_subscription *subscription = list->items[i];
		stepbus_event_fn deliver;
		int32_t answer;

		sb_guard_hold(&frame->item, subscription);
		deliver = atomic_load_explicit(&subscription->deliver, memory_order_acquire);
		answer = deliver(subscription->target, event_id, payload, len);
		if (sb_unlikely(answer != STEPBUS_OK) && refusal == STEPBUS_OK)
			refusal = answer;
	}
	if (sb_unlikely(refusal != STEPBUS_OK))
		refusal = sb_publish_fail_delivery(bridge, event_id, refusal, err);
	atomic_store_explicit(&frame->item, NULL, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (sb_unlikely(atomic_load_explicit(&list->is_retired, memory_order_relaxed) != 0))
		sb_publish_leave_retired(bridge, thread, frame);
	else
		sb_guard_pop(thread, frame);
	return refusal;
}

#endif
