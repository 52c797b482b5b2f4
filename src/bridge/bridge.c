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

/*
 * The frames in which the calling thread walks lists of the bridge, and so the callbacks it is
 * inside of.
 */
static uint32_t inside_depth(const stepbus_bridge *bridge)
{
	const sb_guard_thread *thread = sb_guard_self;
	uint32_t depth = 0;

	for (uint32_t i = 0; thread != NULL && i < sb_guard_depth(thread); i++) {
		const sb_subscriber_list *list =
			atomic_load_explicit(&thread->frames[i].group, memory_order_relaxed);

		if (list != NULL && list->bridge == bridge)
			depth++;
	}
	return depth;
}

bool sb_bridge_is_inside(const stepbus_bridge *bridge)
{
	return inside_depth(bridge) > 0;
}

/* Under the bridge's lock. */
static stepbus_status add_event(stepbus_bridge *bridge, const stepbus_event_info *info,
				sb_payload_kind kind, sb_event **out, stepbus_error *err)
{
	uint32_t event_id = bridge->events.count;
	stepbus_status status =
		sb_roster_open(bridge, event_id, sb_slice_of(info->name, info->name_len), err);

	if (status != STEPBUS_OK)
		return status;
	status = sb_events_add(&bridge->events, info, kind, out, err);
	if (status == STEPBUS_OK)
		sb_roster_name(bridge, *out);
	else
		sb_roster_close(bridge, event_id);
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

static stepbus_status set_up(stepbus_bridge *bridge, const stepbus_bridge_options *options,
			     stepbus_error *err)
{
	void *head = NULL;
	stepbus_status status = sb_forkpage_new(sizeof *bridge->head, &head, err);

	bridge->head = head;
	if (status == STEPBUS_OK)
		status = sb_events_init(&bridge->events, &bridge->host, options->event_count_max,
					err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&bridge->subscriptions, &bridge->host, err);
	if (status != STEPBUS_OK)
		return status;
	bridge->empty = sb_alloc(&bridge->host, sizeof *bridge->empty);
	if (bridge->empty == NULL)
		return sb_fail_memory(err, "make a bridge");
	bridge->empty->bridge = bridge;
	for (size_t i = 0; status == STEPBUS_OK && i < sb_catalog_standard_count; i++)
		status = declare_standard(bridge, &sb_catalog_standard[i], err);
	if (status == STEPBUS_OK)
		atomic_store(&bridge->head->mode, SB_BRIDGE_STOPPED);
	return status;
}

stepbus_status sb_bridge_new(const stepbus_bridge_options *options, stepbus_bridge **out,
			     stepbus_error *err)
{
	stepbus_host host;
	stepbus_bridge *bridge;
	stepbus_status status = sb_host_fill(options->host, &host, err);

	if (status != STEPBUS_OK)
		return status;
	bridge = sb_alloc(&host, sizeof *bridge);
	if (bridge == NULL)
		return sb_fail_memory(err, "make a bridge");
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
	if (bridge->head != NULL)
		sb_roster_free(bridge);
	sb_events_free(&bridge->events);
	sb_delivery_free(&bridge->delivery);
	pthread_mutex_destroy(&bridge->lock);
	sb_forkpage_free(bridge->head);
	sb_release(&host, bridge);
}

void sb_bridge_free(stepbus_bridge *bridge)
{
	if (bridge == NULL || sb_bridge_mode(bridge) == SB_BRIDGE_FORKED)
		return;
	sb_bridge_stop(bridge, NULL);
	pthread_mutex_lock(&bridge->lock);
	atomic_store(&bridge->head->mode, SB_BRIDGE_CLOSING);
	pthread_mutex_unlock(&bridge->lock);
	/* What was subscribed since. */
	sb_roster_clear(bridge);
	if (!sb_bridge_is_inside(bridge)) {
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
	       inside_depth(bridge) == 1;
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
		atomic_store(&bridge->head->mode, SB_BRIDGE_ACTIVE);
	pthread_mutex_unlock(&bridge->lock);
	return status == STEPBUS_OK ?
		       status :
		       sb_fail(err, status, "cannot start: the bridge is being freed");
}

stepbus_status sb_bridge_stop(stepbus_bridge *bridge, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	uint32_t expected = SB_BRIDGE_ACTIVE;

	if (status != STEPBUS_OK)
		return status;
	atomic_compare_exchange_strong(&bridge->head->mode, &expected, SB_BRIDGE_STOPPED);
	/*
	 * What was accepted is delivered, unless waiting for that would be waiting for ourselves.
	 */
	if (!sb_bridge_is_inside(bridge))
		sb_delivery_flush(bridge, -1, NULL);
	sb_roster_clear(bridge);
	return STEPBUS_OK;
}

const sb_event *sb_bridge_event_of(const stepbus_bridge *bridge, uint32_t event_id)
{
	const sb_event_table *table =
		atomic_load_explicit(&bridge->head->table, memory_order_acquire);

	if (event_id >= table->capacity)
		return NULL;
	return atomic_load_explicit(&table->slots[event_id].event, memory_order_acquire);
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
	if (status == STEPBUS_OK && event_id != NULL)
		*event_id = event->id;
	return status;
}

/* The way for a name that was not found: declare it where the bridge allows that. */
static stepbus_status event_missing(stepbus_bridge *bridge, sb_slice name, sb_event **out,
				    stepbus_error *err)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = name.data,
					  .name_len = name.len };
	stepbus_status status = sb_topic_check_name(name, err);

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	/* Somebody else may have declared it in between. */
	*out = (sb_event *)(void *)sb_map_find(&bridge->events.names, name.data, name.len);
	if (*out == NULL && (bridge->flags & STEPBUS_BRIDGE_ALLOW_UNDECLARED) != 0)
		status = declare_locked(bridge, &info, out, err);
	else if (*out == NULL)
		status = sb_events_fail_missing(&bridge->events, name, err);
	pthread_mutex_unlock(&bridge->lock);
	return status;
}

stepbus_status sb_bridge_event(stepbus_bridge *bridge, sb_slice name, sb_event **out,
			       stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);

	*out = NULL;
	if (status == STEPBUS_OK && name.len <= SB_TOPIC_LEN_MAX && name.data != NULL)
		status = sb_events_find(&bridge->events, name, out, err);
	if (status == STEPBUS_OK && *out == NULL)
		status = event_missing(bridge, name, out, err);
	return status;
}
