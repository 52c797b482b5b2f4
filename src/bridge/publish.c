/* SPDX-License-Identifier: MIT */
#include "bridge/publish.h"

#include "base/log.h"
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

		sb_log(&bridge->host, &record);
	}
	return sb_fail(err, STEPBUS_EINACTIVE,
		       "the bridge is not active: '%s' was refused; start the bridge first",
		       event != NULL ? event->name.data : "the event");
}

stepbus_status sb_publish_slowly(stepbus_bridge *bridge, uint32_t event_id, const void *payload,
				 size_t len, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	sb_guard_thread *thread;

	if (status != STEPBUS_OK)
		return status;
	if (sb_bridge_event_of(bridge, event_id) == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "no event of this bridge has the id %u: ask stepbus_bridge_event",
			       event_id);
	if (sb_bridge_mode(bridge) != SB_BRIDGE_ACTIVE)
		return refuse_inactive(bridge, event_id, err);
	thread = sb_guard_thread_get();
	if (thread == NULL)
		return sb_fail_memory(err, "publish");
	if (sb_guard_depth(thread) >= SB_GUARD_NEST_MAX)
		return sb_fail(err, STEPBUS_EREENTRANT,
			       "cannot publish from %d callbacks deep: is a callback publishing "
			       "what it subscribes to?",
			       SB_GUARD_NEST_MAX);
	return sb_publish(bridge, event_id, payload, len, err);
}

stepbus_status sb_publish_fail_delivery(const stepbus_bridge *bridge, uint32_t event_id,
					int32_t answer, stepbus_error *err)
{
	const sb_event *event = sb_bridge_event_of(bridge, event_id);

	if (answer == STEPBUS_EFULL)
		return sb_fail(err, STEPBUS_EFULL,
			       "'%s' reached all subscribers but at least one whose queue is full: "
			       "slow down, raise "
			       "queue_count_max, or choose another overflow",
			       event->name.data);
	return sb_fail(err, STEPBUS_EDELIVERY,
		       "'%s' reached all subscribers, and at least one answered with status %d",
		       event->name.data, answer);
}

void sb_publish_leave_retired(stepbus_bridge *bridge, sb_guard_thread *thread,
			      sb_guard_frame *frame)
{
	bool is_mine_to_dispose;

	sb_roster_settle(bridge);
	is_mine_to_dispose = sb_bridge_is_mine_to_dispose(bridge);
	/*
	 * Once out of the frame another thread may dispose of the bridge: nothing of it is touched
	 * after that.
	 */
	sb_guard_pop(thread, frame);
	if (is_mine_to_dispose)
		sb_bridge_dispose(bridge);
}
