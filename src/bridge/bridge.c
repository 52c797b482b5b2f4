/* SPDX-License-Identifier: MIT */
#include "bridge/bridge.h"

#include "base/forkpage.h"
#include "base/host.h"
#include "base/utf8.h"
#include "bridge/roster.h"
#include "bridge/topic.h"

stepbus_status sb_bridge_check(const stepbus_bridge *bridge, stepbus_error *err)
{
	if (sb_bridge_mode(bridge) == SB_BRIDGE_FORKED)
		return sb_fail(err, STEPBUS_EFORKED,
			       "the bridge belongs to the parent of this process: make a new one "
			       "after fork");
	return STEPBUS_OK;
}

void sb_bridge_set_mode(stepbus_bridge *bridge, uint32_t mode)
{
	const sb_event_table *table = atomic_load_explicit(&bridge->table, memory_order_relaxed);
	bool is_open = mode == SB_BRIDGE_ACTIVE && !sb_guard_needs_fences();

	atomic_store_explicit(&bridge->mode, mode, memory_order_seq_cst);
	atomic_store_explicit(&bridge->open_count, is_open ? table->capacity : 0,
			      memory_order_seq_cst);
}

/* How many frames of the calling thread are in lists of the bridge; visits count where is_any. */
static uint32_t inside_depth(const stepbus_bridge *bridge, bool is_any)
{
	const sb_guard_thread *thread = sb_guard_self;
	uint32_t depth = 0;

	for (uint32_t i = 0; thread != &sb_guard_nobody && i < SB_GUARD_FRAME_COUNT; i++) {
		const sb_subscriber_list *list = sb_guard_group(
			atomic_load_explicit(&thread->frames[i].group, memory_order_relaxed));

		if (list != NULL && list->bridge == bridge && (is_any || list != bridge->visit))
			depth++;
	}
	return depth;
}

bool sb_bridge_is_visited(const stepbus_bridge *bridge)
{
	return inside_depth(bridge, true) > 0;
}

bool sb_bridge_is_inside(const stepbus_bridge *bridge)
{
	return inside_depth(bridge, false) > 0;
}

sb_guard_frame *sb_bridge_visit(stepbus_bridge *bridge)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *frame;

	if (thread == NULL || sb_guard_is_full(thread))
		return NULL;
	frame = sb_guard_push(thread);
	sb_guard_hold(&frame->group, bridge->visit);
	return frame;
}

void sb_bridge_leave(stepbus_bridge *bridge, sb_guard_frame *frame)
{
	bool is_mine_to_dispose;

	if (frame == NULL)
		return;
	is_mine_to_dispose = sb_bridge_is_mine_to_dispose(bridge);
	sb_guard_pop(sb_guard_self, frame);
	if (is_mine_to_dispose)
		sb_bridge_dispose(bridge);
}

/* Under the bridge's lock. In this order: what can fail first, then what others can see. */
static stepbus_status add_event(stepbus_bridge *bridge, const stepbus_event_info *info,
				sb_payload_kind kind, sb_event **out, stepbus_error *err)
{
	sb_slice name = sb_slice_of(info->name, info->name_len);
	sb_subscriber_list *list = NULL;
	stepbus_status status = sb_roster_prepare(bridge, name, &list, err);

	if (status != STEPBUS_OK)
		return status;
	status = sb_events_add(&bridge->events, info, kind, out, err);
	if (status == STEPBUS_OK)
		sb_roster_open(bridge, *out, list);
	else
		sb_roster_abandon(bridge, list);
	return status;
}

static stepbus_status declare_standard(stepbus_bridge *bridge, const sb_standard_event *standard,
				       stepbus_error *err)
{
	const stepbus_event_info info = {
		.size = sizeof info,
		.name = standard->name,
		.name_len = strlen(standard->name),
		.category = standard->category,
		.category_len = strlen(standard->category),
		.description = standard->description,
		.description_len = strlen(standard->description),
		.schema = standard->schema,
		.schema_len = strlen(standard->schema),
		.example = standard->example,
		.example_len = strlen(standard->example),
		.fired_by = standard->fired_by,
		.fired_by_len = strlen(standard->fired_by),
	};
	sb_event *event;

	return add_event(bridge, &info, standard->kind, &event, err);
}

static sb_subscriber_list *new_marker(stepbus_bridge *bridge)
{
	sb_subscriber_list *list = sb_alloc(&bridge->host, sizeof *list);

	if (list != NULL)
		list->bridge = bridge;
	return list;
}

static stepbus_status set_up(stepbus_bridge *bridge, const stepbus_bridge_options *options,
			     stepbus_error *err)
{
	stepbus_status status =
		sb_events_init(&bridge->events, &bridge->host, options->event_count_max, err);

	if (status == STEPBUS_OK)
		status = sb_map_init(&bridge->subscriptions, &bridge->host, err);
	if (status != STEPBUS_OK)
		return status;
	bridge->empty = new_marker(bridge);
	bridge->undeclared = new_marker(bridge);
	bridge->visit = new_marker(bridge);
	if (bridge->empty == NULL || bridge->undeclared == NULL || bridge->visit == NULL)
		return sb_fail_memory(err, "make a bridge");
	for (size_t i = 0; status == STEPBUS_OK && i < sb_catalog_standard_count; i++)
		status = declare_standard(bridge, &sb_catalog_standard[i], err);
	if (status == STEPBUS_OK)
		sb_bridge_set_mode(bridge, SB_BRIDGE_STOPPED);
	return status;
}

stepbus_status sb_bridge_new(const stepbus_bridge_options *options, stepbus_bridge **out,
			     stepbus_error *err)
{
	stepbus_host host;
	stepbus_bridge *bridge;
	void *page;
	stepbus_status status = sb_host_fill(options->host, &host, err);

	if (status == STEPBUS_OK)
		status = sb_forkpage_new(&host, sizeof *bridge, &page, err);
	if (status != STEPBUS_OK)
		return status;
	bridge = page;
	bridge->host = host;
	bridge->flags = options->flags;
	bridge->subscription_count_max = options->subscription_count_max;
	sb_assert(pthread_mutex_init(&bridge->lock, NULL) == 0);
	sb_delivery_init(&bridge->delivery);
	status = set_up(bridge, options, err);
	if (status != STEPBUS_OK) {
		sb_bridge_dispose(bridge);
		return status;
	}
	*out = bridge;
	return STEPBUS_OK;
}

void sb_bridge_dispose(stepbus_bridge *bridge)
{
	stepbus_host host = bridge->host;

	sb_loop_free(atomic_exchange(&bridge->delivery.loop, NULL));
	sb_roster_free(bridge);
	sb_events_free(&bridge->events);
	sb_delivery_free(&bridge->delivery);
	pthread_mutex_destroy(&bridge->lock);
	sb_forkpage_free(&host, bridge);
}

void sb_bridge_free(stepbus_bridge *bridge)
{
	if (bridge == NULL || sb_bridge_mode(bridge) == SB_BRIDGE_FORKED)
		return;
	sb_bridge_stop(bridge, NULL);
	pthread_mutex_lock(&bridge->lock);
	sb_bridge_set_mode(bridge, SB_BRIDGE_CLOSING);
	pthread_mutex_unlock(&bridge->lock);
	/* What was subscribed since. */
	sb_roster_clear(bridge);
	if (inside_depth(bridge, true) == 0) {
		sb_bridge_dispose(bridge);
		return;
	}
	bridge->freeing_thread = pthread_self();
	atomic_store_explicit(&bridge->is_freeing, 1, memory_order_release);
}

bool sb_bridge_is_mine_to_dispose(const stepbus_bridge *bridge)
{
	return atomic_load_explicit(&bridge->is_freeing, memory_order_acquire) != 0 &&
	       pthread_equal(bridge->freeing_thread, pthread_self()) != 0 &&
	       inside_depth(bridge, true) == 1;
}

stepbus_status sb_bridge_start(stepbus_bridge *bridge, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	if (sb_bridge_mode(bridge) == SB_BRIDGE_CLOSING)
		status = STEPBUS_ESHUTDOWN;
	else
		sb_bridge_set_mode(bridge, SB_BRIDGE_ACTIVE);
	pthread_mutex_unlock(&bridge->lock);
	return status == STEPBUS_OK ?
		       status :
		       sb_fail(err, status, "cannot start: the bridge is being freed");
}

stepbus_status sb_bridge_stop(stepbus_bridge *bridge, stepbus_error *err)
{
	sb_guard_frame *frame;
	stepbus_status status = sb_bridge_check(bridge, err);

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	if (sb_bridge_mode(bridge) == SB_BRIDGE_ACTIVE)
		sb_bridge_set_mode(bridge, SB_BRIDGE_STOPPED);
	pthread_mutex_unlock(&bridge->lock);
	frame = sb_bridge_visit(bridge);
	/*
	 * What was accepted is delivered, unless waiting for that would be waiting for ourselves.
	 */
	if (!sb_bridge_is_inside(bridge))
		sb_delivery_drain(bridge);
	sb_roster_clear(bridge);
	if (!sb_bridge_is_inside(bridge))
		sb_roster_wait(bridge);
	sb_bridge_leave(bridge, frame);
	return STEPBUS_OK;
}

const sb_event *sb_bridge_event_of(const stepbus_bridge *bridge, uint32_t event_id)
{
	const sb_event_table *table = atomic_load_explicit(&bridge->table, memory_order_acquire);

	/* No table: in a forked child. */
	if (table == NULL || event_id >= table->capacity)
		return NULL;
	return atomic_load_explicit(&table->events[event_id], memory_order_acquire);
}

static stepbus_status declare_locked(stepbus_bridge *bridge, const stepbus_event_info *info,
				     sb_event **out, stepbus_error *err)
{
	sb_slice name = sb_slice_of(info->name, info->name_len);
	sb_shown shown;

	if (sb_map_find(&bridge->events.names, name.data, name.len) != NULL)
		return sb_fail(err, STEPBUS_EEXISTS, "the event '%s' is declared already",
			       sb_show(&shown, name.data, name.len));
	if (bridge->events.count >= bridge->events.count_max)
		return sb_fail(err, STEPBUS_ELIMIT,
			       "the bridge has %u events: raise event_count_max",
			       bridge->events.count);
	return add_event(bridge, info, SB_PAYLOAD_BYTES, out, err);
}

stepbus_status sb_bridge_declare(stepbus_bridge *bridge, const stepbus_event_info *info,
				 uint32_t *event_id, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	sb_event *event = NULL;

	if (status == STEPBUS_OK)
		status = sb_events_check(info, err);
	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	status = declare_locked(bridge, info, &event, err);
	pthread_mutex_unlock(&bridge->lock);
	if (status == STEPBUS_OK && event != NULL && event_id != NULL)
		*event_id = event->id;
	return status;
}

/* Under the lock: by now somebody else may have declared it. */
static stepbus_status find_or_declare(stepbus_bridge *bridge, sb_slice name, sb_event **out,
				      stepbus_error *err)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = name.data,
					  .name_len = name.len };

	*out = (sb_event *)(void *)sb_map_find(&bridge->events.names, name.data, name.len);
	if (*out != NULL)
		return STEPBUS_OK;
	if ((bridge->flags & STEPBUS_BRIDGE_ALLOW_UNDECLARED) != 0)
		return declare_locked(bridge, &info, out, err);
	return sb_events_fail_missing(&bridge->events, name, err);
}

stepbus_status sb_bridge_event_slowly(stepbus_bridge *bridge, sb_slice name, sb_event **out,
				      stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);

	if (status == STEPBUS_OK)
		status = sb_topic_check_name(name, err);
	if (status != STEPBUS_OK)
		return status;
	/* So that the thread finds it by itself the next time. */
	if (sb_guard_thread_get() == NULL)
		return sb_fail_memory(err, "look up an event");
	pthread_mutex_lock(&bridge->lock);
	status = find_or_declare(bridge, name, out, err);
	pthread_mutex_unlock(&bridge->lock);
	return status;
}
