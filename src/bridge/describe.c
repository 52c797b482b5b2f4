/* SPDX-License-Identifier: MIT */
#include "bridge/describe.h"

#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"

static const char *overflow_name(int32_t overflow)
{
	switch (overflow) {
	case STEPBUS_OVERFLOW_BLOCK:
		return "block";
	case STEPBUS_OVERFLOW_DROP_OLDEST:
		return "drop_oldest";
	default:
		return "error";
	}
}

static bool add_counts(sb_json *json, const sb_queue_counts *counts)
{
	return sb_json_add_int(json, "offered", (int64_t)counts->offered) &&
	       sb_json_add_int(json, "delivered", (int64_t)counts->delivered) &&
	       sb_json_add_int(json, "dropped", (int64_t)counts->dropped) &&
	       sb_json_add_int(json, "waiting", (int64_t)counts->waiting);
}

static bool add_listener(sb_json *list, sb_subscription *subscription)
{
	sb_json *json = sb_json_object_new();
	bool is_once = (subscription->flags & STEPBUS_SUBSCRIPTION_ONCE) != 0;
	bool is_complete =
		sb_json_add_int(json, "id", (int64_t)subscription->id) &&
		sb_json_add_text(json, "pattern", sb_subscription_pattern(subscription)) &&
		sb_json_add_int(json, "priority", subscription->priority) &&
		sb_json_add_bool(json, "once", is_once) &&
		sb_json_add_bool(json, "queued", subscription->queue != NULL);

	if (is_complete && subscription->queue != NULL) {
		sb_queue_counts counts = sb_queue_count(subscription->queue);
		sb_slice overflow =
			sb_slice_z(overflow_name(sb_queue_overflow(subscription->queue)));

		is_complete =
			sb_json_add_text(json, "overflow", overflow) && add_counts(json, &counts);
	}
	return sb_json_add_part_take(list, NULL, json) && is_complete;
}

/* Under the bridge's lock, under which nobody else changes lists. NULL: no such event. */
static const sb_subscriber_list *list_of(stepbus_bridge *bridge, sb_slice name)
{
	const sb_map_node *node = name.len <= UINT16_MAX ?
					  sb_map_find(&bridge->events.names, name.data, name.len) :
					  NULL;
	sb_event_table *table = atomic_load_explicit(&bridge->table, memory_order_acquire);

	if (node == NULL)
		return NULL;
	return atomic_load_explicit(&table->slots[((const sb_event *)(const void *)node)->id],
				    memory_order_acquire);
}

/* All subscriptions in the order of delivery, as a list that nobody else knows. NULL: memory. */
static sb_subscription **sort_all(stepbus_bridge *bridge, size_t *count)
{
	sb_subscription **all =
		sb_alloc_array(&bridge->host, sb_map_count(&bridge->subscriptions), sizeof *all);

	*count = 0;
	for (sb_map_node *node = sb_map_first(&bridge->subscriptions); all != NULL && node != NULL;
	     node = sb_map_next(node))
		all[(*count)++] = sb_subscription_of(node);
	if (*count > 1)
		qsort(all, *count, sizeof *all, sb_subscription_compare);
	return all;
}

static bool add_all_listeners(stepbus_bridge *bridge, sb_json *json)
{
	size_t count;
	sb_subscription **all = sort_all(bridge, &count);
	bool is_complete = all != NULL;

	for (size_t i = 0; all != NULL && i < count; i++)
		is_complete = add_listener(json, all[i]) && is_complete;
	sb_release(&bridge->host, all);
	return is_complete;
}

static bool add_listeners_of(const sb_subscriber_list *list, sb_json *json)
{
	bool is_complete = true;

	for (uint32_t i = 0; i < list->count; i++)
		if (atomic_load_explicit(&list->items[i]->is_removed, memory_order_relaxed) == 0)
			is_complete = add_listener(json, list->items[i]) && is_complete;
	return is_complete;
}

stepbus_status sb_describe_listeners(stepbus_bridge *bridge, sb_slice name, stepbus_text **out,
				     stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	const sb_subscriber_list *list = NULL;
	sb_json *json = NULL;
	bool is_complete = false;

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	if (name.len > 0)
		list = list_of(bridge, name);
	if (name.len > 0 && list == NULL) {
		status = sb_events_fail_missing(&bridge->events, name, err);
	} else {
		json = sb_json_array_new();
		is_complete = list != NULL ? add_listeners_of(list, json) :
					     add_all_listeners(bridge, json);
	}
	pthread_mutex_unlock(&bridge->lock);
	return status == STEPBUS_OK ?
		       sb_json_print_take(json, is_complete, &bridge->host, out, err) :
		       status;
}

stepbus_status sb_describe_listener_count(stepbus_bridge *bridge, sb_slice name, uint32_t *count,
					  stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	const sb_subscriber_list *list;

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	list = list_of(bridge, name);
	if (list == NULL) {
		status = sb_events_fail_missing(&bridge->events, name, err);
	} else {
		*count = 0;
		for (uint32_t i = 0; i < list->count; i++)
			*count += atomic_load_explicit(&list->items[i]->is_removed,
						       memory_order_relaxed) == 0;
	}
	pthread_mutex_unlock(&bridge->lock);
	return status;
}

static void add_to(sb_queue_counts *sum, const sb_queue_counts *counts)
{
	sum->offered += counts->offered;
	sum->delivered += counts->delivered;
	sum->dropped += counts->dropped;
	sum->waiting += counts->waiting;
}

static void add_queue(sb_queue_counts *sum, const sb_subscription *subscription)
{
	sb_queue_counts counts;

	if (subscription->queue == NULL)
		return;
	counts = sb_queue_count(subscription->queue);
	add_to(sum, &counts);
}

stepbus_status sb_describe_stats(stepbus_bridge *bridge, stepbus_text **out, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	sb_queue_counts counts;
	size_t event_count, subscription_count;
	sb_json *json, *queued;
	bool is_complete;

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	counts = bridge->delivery.past;
	event_count = bridge->events.count;
	subscription_count = sb_map_count(&bridge->subscriptions);
	for (sb_map_node *node = sb_map_first(&bridge->subscriptions); node != NULL;
	     node = sb_map_next(node))
		add_queue(&counts, sb_subscription_of(node));
	for (const sb_subscription *subscription = bridge->leaving; subscription != NULL;
	     subscription = subscription->next_leaving)
		add_queue(&counts, subscription);
	pthread_mutex_unlock(&bridge->lock);
	json = sb_json_object_new();
	queued = sb_json_object_new();
	is_complete =
		sb_json_add_bool(json, "active", sb_bridge_mode(bridge) == SB_BRIDGE_ACTIVE) &&
		sb_json_add_int(json, "events", (int64_t)event_count) &&
		sb_json_add_int(json, "subscriptions", (int64_t)subscription_count) &&
		sb_json_add_int(json, "refused", (int64_t)atomic_load(&bridge->refused_count)) &&
		add_counts(queued, &counts);
	is_complete = sb_json_add_part_take(json, "queued", queued) && is_complete;
	return sb_json_print_take(json, is_complete, &bridge->host, out, err);
}

static sb_json *event_json(const sb_event *event, bool *is_complete)
{
	sb_json *json = sb_json_object_new();

	*is_complete = sb_json_add_text(json, "name", event->name) &&
		       sb_json_add_text(json, "category", event->category) &&
		       sb_json_add_text(json, "description", event->description) &&
		       sb_json_add_raw(json, "payload_schema", event->schema) &&
		       sb_json_add_raw(json, "example_payload", event->example) &&
		       sb_json_add_words(json, "fired_by", event->fired_by) && *is_complete;
	return json;
}

/* Whether wanted stands somewhere in text; case does not count. */
static bool has_text(sb_slice text, sb_slice wanted)
{
	if (wanted.len == 0)
		return true;
	for (size_t i = 0; i + wanted.len <= text.len; i++)
		if (strncasecmp(text.data + i, wanted.data, wanted.len) == 0)
			return true;
	return false;
}

static bool is_wanted(const sb_event *event, sb_slice category, sb_slice wanted)
{
	if (category.len > 0 && !sb_slice_is_equal(event->category, category))
		return false;
	return has_text(event->name, wanted) || has_text(event->description, wanted);
}

static stepbus_status list_events(stepbus_bridge *bridge, sb_slice category, sb_slice wanted,
				  stepbus_text **out, stepbus_error *err)
{
	sb_json *json = sb_json_array_new();
	bool is_complete = true;

	pthread_mutex_lock(&bridge->lock);
	for (const sb_event *event = sb_events_first(&bridge->events); event != NULL;
	     event = sb_events_next(event))
		if (is_wanted(event, category, wanted)) {
			sb_json *part = event_json(event, &is_complete);

			is_complete = sb_json_add_part_take(json, NULL, part) && is_complete;
		}
	pthread_mutex_unlock(&bridge->lock);
	return sb_json_print_take(json, is_complete, &bridge->host, out, err);
}

stepbus_status sb_describe_catalog(stepbus_bridge *bridge, sb_slice category, stepbus_text **out,
				   stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	sb_shown shown;

	if (status != STEPBUS_OK)
		return status;
	if (category.len > 0 && !sb_events_is_category(category))
		return sb_fail(err, STEPBUS_EINVAL, "there is no event category '%s'",
			       sb_show(&shown, category.data, category.len));
	return list_events(bridge, category, sb_slice_of(NULL, 0), out, err);
}

stepbus_status sb_describe_search(stepbus_bridge *bridge, sb_slice wanted, stepbus_text **out,
				  stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);

	return status == STEPBUS_OK ? list_events(bridge, sb_slice_of(NULL, 0), wanted, out, err) :
				      status;
}

stepbus_status sb_describe_event(stepbus_bridge *bridge, sb_slice name, stepbus_text **out,
				 stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	const sb_event *event;
	bool is_complete = true;
	sb_json *json;

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	event = (sb_event *)(void *)sb_map_find(&bridge->events.names, name.data, name.len);
	if (event == NULL)
		status = sb_events_fail_missing(&bridge->events, name, err);
	pthread_mutex_unlock(&bridge->lock);
	if (event == NULL)
		return status;
	json = event_json(event, &is_complete);
	return sb_json_print_take(json, is_complete, &bridge->host, out, err);
}
