/* SPDX-License-Identifier: MIT */
#include "bridge/publish.h"

#include "base/cancel.h"
#include "base/log.h"
#include "base/status.h"
#include "bridge/roster.h"

/* A stopped bridge may be published to a million times: the log gets the 1st, 2nd, 4th, 8th … */
static bool is_worth_a_record(uint64_t count)
{
	return (count & (count - 1)) == 0;
}

static stepbus_status refuse_inactive(stepbus_bridge *bridge, uint32_t event_id, stepbus_error *err)
{
	const sb_event *event = sb_bridge_event_of(bridge, event_id);
	uint64_t count =
		atomic_fetch_add_explicit(&bridge->refused_count, 1, memory_order_relaxed) + 1;

	if (is_worth_a_record(count)) {
		const sb_log_record record = {
			.level = STEPBUS_LOG_WARN,
			.component = "bridge",
			.message = "the bridge is not active: an event was refused",
			.event_type = "refused",
			.entity_type = "event",
			.entity_id = event != NULL ? event->name : sb_slice_of(NULL, 0),
		};

		SB_UNCANCELLED;
		sb_log(&bridge->host, &record);
	}
	return sb_fail(err, STEPBUS_EINACTIVE,
		       "the bridge is not active: '%s' was refused; start the bridge first",
		       event != NULL ? event->name.data : "the event");
}

static stepbus_status fail_unknown(uint32_t event_id, stepbus_error *err)
{
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "no event of this bridge has the id %u: ask stepbus_bridge_event", event_id);
}

static stepbus_status check_publish(stepbus_bridge *bridge, uint32_t event_id, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);

	if (status != STEPBUS_OK)
		return status;
	if (sb_bridge_event_of(bridge, event_id) == NULL)
		return fail_unknown(event_id, err);
	if (sb_bridge_mode(bridge) != SB_BRIDGE_ACTIVE)
		return refuse_inactive(bridge, event_id, err);
	return sb_guard_thread_get() != NULL ? STEPBUS_OK : sb_fail_memory(err, "publish");
}

static stepbus_status fail_depth(stepbus_error *err)
{
	return sb_fail(err, STEPBUS_EREENTRANT,
		       "cannot publish from %d callbacks deep: does a callback publish what it "
		       "subscribes to?",
		       SB_GUARD_NEST_MAX);
}

stepbus_status sb_publish_slowly(stepbus_bridge *bridge, uint32_t event_id, const void *payload,
				 size_t len, stepbus_error *err)
{
	stepbus_status status = check_publish(bridge, event_id, err);

	if (status != STEPBUS_OK)
		return status;
	if (sb_guard_is_too_deep(sb_guard_self))
		return fail_depth(err);
	return sb_publish_walk(bridge, sb_guard_push(sb_guard_self), event_id, payload, len, err);
}

stepbus_status sb_publish_news(stepbus_bridge *bridge, uint32_t event_id, const void *payload,
			       size_t len, stepbus_error *err)
{
	stepbus_status status = check_publish(bridge, event_id, err);

	if (status != STEPBUS_OK)
		return status;
	if (sb_guard_is_full(sb_guard_self))
		return fail_depth(err);
	return sb_publish_walk(bridge, sb_guard_push(sb_guard_self), event_id, payload, len, err);
}

/* Names the list in the frame; what is in the slot after that cannot be freed any more. */
static sb_subscriber_list *enter(sb_guard_frame *frame, sb_list_slot *slot)
{
	sb_subscriber_list *list = atomic_load_explicit(slot, memory_order_acquire);

	for (;;) {
		sb_subscriber_list *seen = list;

		sb_guard_hold(&frame->group, seen);
		list = atomic_load_explicit(slot, memory_order_acquire);
		if (list == seen)
			return list;
	}
}

/*
 * An empty list may also mean that there is no such event, or that the bridge was stopped just now.
 */
static bool is_reaching_nobody(const stepbus_bridge *bridge, const sb_subscriber_list *list)
{
	return list != bridge->undeclared && sb_bridge_mode(bridge) == SB_BRIDGE_ACTIVE;
}

stepbus_status sb_publish_walk(stepbus_bridge *bridge, sb_guard_frame *frame, uint32_t event_id,
			       const void *payload, size_t len, stepbus_error *err)
{
	sb_list_slot *slots = atomic_load_explicit(&bridge->slots, memory_order_acquire);
	const sb_subscriber_list *list = enter(frame, &slots[event_id]);
	int32_t refusal = STEPBUS_OK;

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
	if (sb_unlikely(list->count == 0 && !is_reaching_nobody(bridge, list))) {
		sb_guard_pop(sb_guard_self, frame);
		return list == bridge->undeclared ? fail_unknown(event_id, err) :
						    refuse_inactive(bridge, event_id, err);
	}
	sb_guard_hold(&frame->item, NULL);
	sb_guard_hold(&frame->group, sb_guard_leaving(list));
	if (sb_unlikely(refusal != STEPBUS_OK ||
			atomic_load_explicit(&list->is_retired, memory_order_relaxed) != 0))
		return sb_publish_leave(frame, refusal, err);
	sb_guard_pop(sb_guard_self, frame);
	return STEPBUS_OK;
}

static stepbus_status fail_delivery(const stepbus_bridge *bridge, uint32_t event_id, int32_t answer,
				    stepbus_error *err)
{
	const sb_event *event = sb_bridge_event_of(bridge, event_id);
	stepbus_status status = sb_bridge_check(bridge, err);

	if (status != STEPBUS_OK)
		return status;
	if (answer == STEPBUS_EFULL)
		return sb_fail(
			err, STEPBUS_EFULL,
			"'%s' reached all subscribers but at least one whose queue is full: slow "
			"down, raise queue_count_max, or choose another overflow",
			event->name.data);
	return sb_fail(err, STEPBUS_EDELIVERY,
		       "'%s' reached all subscribers, and at least one answered with %s (%d)%s",
		       event->name.data, sb_status_name(answer), answer,
		       answer == STEPBUS_EINVAL && event->kind != SB_PAYLOAD_BYTES ?
			       ": its payload is a struct, see the catalog" :
			       "");
}

stepbus_status sb_publish_leave(sb_guard_frame *frame, int32_t refusal, stepbus_error *err)
{
	const sb_subscriber_list *list =
		sb_guard_group(atomic_load_explicit(&frame->group, memory_order_relaxed));
	stepbus_bridge *bridge = list->bridge;
	bool is_mine_to_dispose;

	if (refusal != STEPBUS_OK)
		refusal = fail_delivery(bridge, list->event_id, refusal, err);
	/*
	 * Out of the list, so that it and who was alone in it can go, but not out of the bridge:
	 * once no frame names it, another thread may dispose of it.
	 */
	sb_guard_hold(&frame->group, bridge->empty);
	sb_roster_settle(bridge);
	is_mine_to_dispose = sb_bridge_is_mine_to_dispose(bridge);
	sb_guard_pop(sb_guard_self, frame);
	if (is_mine_to_dispose)
		sb_bridge_dispose(bridge);
	return refusal;
}
