/* SPDX-License-Identifier: MIT */
#include "bridge/roster.h"

#include "bridge/topic.h"

enum { TABLE_CAPACITY_MIN = 128 };

static sb_event_table *newest_table(const stepbus_bridge *bridge)
{
	return atomic_load_explicit(&bridge->table, memory_order_acquire);
}

static sb_subscriber_list *list_at(const sb_event_table *table, uint32_t event_id)
{
	return atomic_load_explicit(&table->slots[event_id], memory_order_acquire);
}

/* Into every table: a publisher may still be reading one that was outgrown. */
static void set_list(stepbus_bridge *bridge, uint32_t event_id, sb_subscriber_list *list)
{
	for (sb_event_table *table = newest_table(bridge); table != NULL; table = table->previous)
		if (event_id < table->capacity)
			atomic_store_explicit(&table->slots[event_id], list, memory_order_seq_cst);
}

static void retire(stepbus_bridge *bridge, sb_subscriber_list *list)
{
	if (list == bridge->empty || list == bridge->undeclared)
		return;
	atomic_store_explicit(&list->is_retired, 1, memory_order_relaxed);
	list->next = bridge->retired;
	bridge->retired = list;
}

static void free_subscription_if_unused(stepbus_bridge *bridge, sb_subscription *subscription)
{
	if (subscription->is_finished && subscription->list_count == 0)
		sb_subscription_free(&bridge->host, subscription);
}

static void free_list(stepbus_bridge *bridge, sb_subscriber_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		list->items[i]->list_count--;
		free_subscription_if_unused(bridge, list->items[i]);
	}
	sb_release(&bridge->host, list);
}

static void free_chain(stepbus_bridge *bridge, sb_subscriber_list *list)
{
	while (list != NULL) {
		sb_subscriber_list *next = list->next;

		free_list(bridge, list);
		list = next;
	}
}

static void install_chain(stepbus_bridge *bridge, sb_subscriber_list *list)
{
	while (list != NULL) {
		sb_subscriber_list *next = list->next;
		sb_subscriber_list *before = list_at(newest_table(bridge), list->event_id);

		list->next = NULL;
		if (list->count == 0) {
			set_list(bridge, list->event_id, bridge->empty);
			free_list(bridge, list);
		} else {
			set_list(bridge, list->event_id, list);
		}
		retire(bridge, before);
		list = next;
	}
}

static sb_event_table *new_table(stepbus_bridge *bridge, uint32_t capacity)
{
	const size_t slot_len = sizeof(sb_list_slot) + sizeof(_Atomic(const sb_event *));
	sb_event_table *table =
		sb_alloc(&bridge->host, sizeof(sb_event_table) + capacity * slot_len);

	if (table == NULL)
		return NULL;
	table->capacity = capacity;

	table->events = (void *)&table->room[capacity];
	table->slots = (void *)table->room;
	for (uint32_t i = 0; i < capacity; i++)
		atomic_init(&table->slots[i], bridge->undeclared);
	return table;
}

static bool grow_table(stepbus_bridge *bridge)
{
	sb_event_table *before = newest_table(bridge);
	sb_event_table *table =
		new_table(bridge, before != NULL ? before->capacity * 2 : TABLE_CAPACITY_MIN);

	if (table == NULL)
		return false;
	table->previous = before;
	for (uint32_t i = 0; before != NULL && i < before->capacity; i++) {
		atomic_init(&table->slots[i], list_at(before, i));
		atomic_init(&table->events[i], atomic_load(&before->events[i]));
	}
	/* In this order: who reads the new count reads the new slots too. */
	atomic_store_explicit(&bridge->table, table, memory_order_release);
	atomic_store_explicit(&bridge->slots, table->slots, memory_order_release);
	sb_bridge_set_mode(bridge, sb_bridge_mode(bridge));
	return true;
}

/* The list of a new event: everybody whose pattern matches. NULL: out of memory. */
static sb_subscriber_list *list_for_name(stepbus_bridge *bridge, sb_slice name)
{
	sb_subscriber_list *list = bridge->empty;

	for (sb_map_node *node = sb_map_first(&bridge->subscriptions); node != NULL;
	     node = sb_map_next(node)) {
		sb_subscription *subscription = sb_subscription_of(node);
		sb_subscriber_list *longer;

		if (!sb_topic_is_match(sb_subscription_pattern(subscription), name))
			continue;
		longer = sb_subscriber_list_new(bridge, &bridge->host, list, subscription);
		if (list != bridge->empty)
			free_list(bridge, list);
		if (longer == NULL)
			return NULL;
		list = longer;
	}
	return list;
}

stepbus_status sb_roster_prepare(stepbus_bridge *bridge, sb_slice name, sb_subscriber_list **out,
				 stepbus_error *err)
{
	sb_event_table *table = newest_table(bridge);

	if ((table == NULL || bridge->events.count >= table->capacity) && !grow_table(bridge))
		return sb_fail_memory(err, "make room for an event");
	*out = list_for_name(bridge, name);
	return *out != NULL ? STEPBUS_OK : sb_fail_memory(err, "make room for an event");
}

void sb_roster_open(stepbus_bridge *bridge, sb_event *event, sb_subscriber_list *list)
{
	for (sb_event_table *table = newest_table(bridge); table != NULL; table = table->previous)
		if (event->id < table->capacity)
			atomic_store_explicit(&table->events[event->id], event,
					      memory_order_release);
	if (list != bridge->empty)
		list->event_id = event->id;
	set_list(bridge, event->id, list);
	atomic_store_explicit(&event->is_open, 1, memory_order_release);
}

void sb_roster_abandon(stepbus_bridge *bridge, sb_subscriber_list *list)
{
	if (list != bridge->empty)
		free_list(bridge, list);
}

/* New lists with the subscription for all events that its pattern matches, linked by next. */
static stepbus_status build_chain(stepbus_bridge *bridge, sb_subscription *subscription,
				  sb_subscriber_list **chain)
{
	sb_event_table *table = newest_table(bridge);
	sb_slice pattern = sb_subscription_pattern(subscription);

	*chain = NULL;
	for (const sb_event *event = sb_events_first(&bridge->events); event != NULL;
	     event = sb_events_next(event)) {
		sb_subscriber_list *list;

		if (!sb_topic_is_match(pattern, event->name))
			continue;
		list = sb_subscriber_list_new(bridge, &bridge->host, list_at(table, event->id),
					      subscription);
		if (list == NULL) {
			free_chain(bridge, *chain);
			*chain = NULL;
			return STEPBUS_ENOMEM;
		}
		list->event_id = event->id;
		list->next = *chain;
		*chain = list;
	}
	return STEPBUS_OK;
}

static stepbus_status check_subscribe(stepbus_bridge *bridge, sb_slice pattern, stepbus_error *err)
{
	if (sb_bridge_mode(bridge) == SB_BRIDGE_CLOSING)
		return sb_fail(err, STEPBUS_ESHUTDOWN,
			       "cannot subscribe: the bridge is being freed");
	if (sb_map_count(&bridge->subscriptions) >= bridge->subscription_count_max)
		return sb_fail(err, STEPBUS_ELIMIT,
			       "the bridge has %u subscriptions: raise subscription_count_max",
			       bridge->subscription_count_max);
	if (!sb_topic_is_pattern(pattern) &&
	    sb_map_find(&bridge->events.names, pattern.data, pattern.len) == NULL)
		return sb_events_fail_missing(&bridge->events, pattern, err);
	return STEPBUS_OK;
}

static stepbus_status subscribe_locked(stepbus_bridge *bridge, sb_slice pattern,
				       sb_subscription *subscription, stepbus_error *err)
{
	stepbus_status status = check_subscribe(bridge, pattern, err);
	sb_subscriber_list *chain;

	if (status == STEPBUS_OK && subscription->queue != NULL)
		status = sb_delivery_ensure_loop(bridge, err);
	if (status != STEPBUS_OK)
		return status;
	subscription->id = bridge->last_subscription_id + 1;
	if (build_chain(bridge, subscription, &chain) != STEPBUS_OK)
		return sb_fail_memory(err, "subscribe");
	if (!sb_map_add(&bridge->subscriptions, &subscription->node, &subscription->id,
			sizeof subscription->id)) {
		free_chain(bridge, chain);
		return sb_fail_memory(err, "subscribe");
	}
	bridge->last_subscription_id++;
	install_chain(bridge, chain);
	return STEPBUS_OK;
}

static void free_retired_locked(stepbus_bridge *bridge)
{
	sb_subscriber_list **place = &bridge->retired;

	while (*place != NULL) {
		sb_subscriber_list *list = *place;

		if (sb_guard_is_held(list)) {
			place = &list->next;
			continue;
		}
		*place = list->next;
		free_list(bridge, list);
	}
}

/* The lists that the change has outdated, and no host code. */
static void reclaim_locked(stepbus_bridge *bridge)
{
	if (bridge->retired == NULL)
		return;
	sb_guard_barrier();
	free_retired_locked(bridge);
}

stepbus_status sb_roster_subscribe(stepbus_bridge *bridge, sb_slice pattern,
				   const stepbus_subscription *spec, uint64_t *id,
				   stepbus_error *err)
{
	sb_subscription *subscription = NULL;
	stepbus_status status =
		sb_subscription_new(bridge, &bridge->host, spec, pattern, &subscription, err);

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&bridge->lock);
	status = subscribe_locked(bridge, pattern, subscription, err);
	/* From the moment the lock is free the subscription may end: read its id before. */
	if (status == STEPBUS_OK && id != NULL)
		*id = subscription->id;
	if (status == STEPBUS_OK)
		reclaim_locked(bridge);
	pthread_mutex_unlock(&bridge->lock);
	if (status != STEPBUS_OK) {
		sb_subscription_free(&bridge->host, subscription);
		return status;
	}
	return STEPBUS_OK;
}

/*
 * From here on nobody new calls it. Lists that cannot be rebuilt for want of memory keep it as one
 * that does nothing, until they are rebuilt for another reason. It is leaving until it is finished:
 * by the caller, who waits for it, or from inside a callback by whoever comes by.
 */
static void end_locked(stepbus_bridge *bridge, sb_subscription *subscription)
{
	sb_map_remove(&bridge->subscriptions, &subscription->node);
	atomic_store_explicit(&subscription->is_removed, 1, memory_order_seq_cst);
	atomic_store_explicit(&subscription->deliver, sb_subscription_deliver_nothing,
			      memory_order_seq_cst);
	if (subscription->queue != NULL)
		sb_queue_close(subscription->queue);
	subscription->waiter = sb_bridge_is_inside(bridge) ? NULL : sb_guard_self;
	/* A thread without a block has nothing to wait with, nor to be waited for. */
	if (subscription->waiter == &sb_guard_nobody)
		subscription->waiter = NULL;
	subscription->next_leaving = bridge->leaving;
	bridge->leaving = subscription;
}

static bool has_item(const sb_subscriber_list *list, const sb_subscription *subscription)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i] == subscription)
			return true;
	return false;
}

/*
 * Without memory for a shorter list the one that is there stays, and what has ended does nothing in
 * it. Marked as if it were retired, it sends everyone who leaves it to tidy up, until it is
 * replaced.
 */
static void keep_dead_items(stepbus_bridge *bridge, sb_subscriber_list *list)
{
	atomic_store_explicit(&list->is_retired, 1, memory_order_relaxed);
	bridge->has_dead_items = true;
}

static void take_out_locked(stepbus_bridge *bridge, sb_subscription *subscription)
{
	sb_event_table *table = newest_table(bridge);
	sb_subscriber_list *chain = NULL;

	for (uint32_t id = 0; id < bridge->events.count; id++) {
		sb_subscriber_list *before = list_at(table, id);
		sb_subscriber_list *list;

		if (!has_item(before, subscription))
			continue;
		if (before->count == 1) {
			/* Needs no memory, and must not fail: see is_running. */
			set_list(bridge, id, bridge->empty);
			retire(bridge, before);
			continue;
		}
		list = sb_subscriber_list_new(bridge, &bridge->host, before, NULL);
		if (list == NULL) {
			keep_dead_items(bridge, before);
			continue;
		}
		list->event_id = id;
		list->next = chain;
		chain = list;
	}
	install_chain(bridge, chain);
}

/* Nobody runs it: gives the user's data back, and the memory once no list holds it. */
static void finish(stepbus_bridge *bridge, sb_subscription *subscription)
{
	sb_queue_counts counts = { 0 };

	if (subscription->queue != NULL)
		counts = sb_queue_count(subscription->queue);
	if (subscription->destroy != NULL)
		subscription->destroy(subscription->user_data);
	pthread_mutex_lock(&bridge->lock);
	bridge->delivery.past.offered += counts.offered;
	bridge->delivery.past.delivered += counts.delivered;
	bridge->delivery.past.dropped += counts.dropped;
	subscription->is_finished = true;
	free_subscription_if_unused(bridge, subscription);
	pthread_mutex_unlock(&bridge->lock);
	sb_delivery_announce(&bridge->delivery);
}

/*
 * Whether a callback of it runs, or a publisher is about to call it: named in a frame itself or,
 * where it was alone in a list, by that list (such a list has been retired by now).
 */
static bool is_running(const stepbus_bridge *bridge, const sb_subscription *subscription)
{
	if (sb_guard_is_held(subscription))
		return true;
	for (const sb_subscriber_list *list = bridge->retired; list != NULL; list = list->next)
		if (list->count == 1 && list->items[0] == subscription && sb_guard_is_walked(list))
			return true;
	return false;
}

/* Whether nothing runs it, nor will: before and after it is off the loop's turn list. Locked. */
static bool is_over(stepbus_bridge *bridge, sb_subscription *subscription)
{
	if (is_running(bridge, subscription))
		return false;
	if (subscription->queue == NULL)
		return true;
	sb_delivery_forget(&bridge->delivery, subscription);
	return !is_running(bridge, subscription);
}

/* Takes those off the leaving ones that are over and that this waiter is to finish. */
static sb_subscription *take_over_locked(stepbus_bridge *bridge, const void *waiter, bool *has_more)
{
	sb_subscription **place = &bridge->leaving;
	sb_subscription *over = NULL;

	*has_more = false;
	while (*place != NULL) {
		sb_subscription *subscription = *place;

		if (subscription->waiter != waiter || !is_over(bridge, subscription)) {
			*has_more = *has_more || subscription->waiter == waiter;
			place = &subscription->next_leaving;
			continue;
		}
		*place = subscription->next_leaving;
		subscription->next_leaving = over;
		over = subscription;
	}
	return over;
}

static void finish_chain(stepbus_bridge *bridge, sb_subscription *chain)
{
	while (chain != NULL) {
		sb_subscription *next = chain->next_leaving;

		finish(bridge, chain);
		chain = next;
	}
}

/*
 * Finishes what this thread has ended, as soon as nothing runs it. From inside a callback: nothing.
 */
static void wait_for_own(stepbus_bridge *bridge)
{
	const void *self = sb_guard_self;
	bool has_more = self != &sb_guard_nobody;
	uint32_t round = 0;

	sb_guard_barrier();
	while (has_more) {
		sb_subscription *over;

		pthread_mutex_lock(&bridge->lock);
		over = take_over_locked(bridge, self, &has_more);
		pthread_mutex_unlock(&bridge->lock);
		if (over == NULL && has_more)
			sb_guard_backoff(&round);
		finish_chain(bridge, over);
	}
}

stepbus_status sb_roster_unsubscribe(stepbus_bridge *bridge, uint64_t id, stepbus_error *err)
{
	/* Before anything ends: who has a block can wait. */
	sb_guard_frame *frame = sb_bridge_visit(bridge);
	sb_subscription *subscription;

	pthread_mutex_lock(&bridge->lock);
	subscription = sb_subscription_of(sb_map_find(&bridge->subscriptions, &id, sizeof id));
	if (subscription != NULL) {
		end_locked(bridge, subscription);
		take_out_locked(bridge, subscription);
	}
	pthread_mutex_unlock(&bridge->lock);
	if (subscription != NULL) {
		wait_for_own(bridge);
		sb_roster_settle(bridge);
	}
	sb_bridge_leave(bridge, frame);
	if (subscription != NULL)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "there is no subscription %llu: it has ended before, or never was",
		       (unsigned long long)id);
}

bool sb_roster_has(stepbus_bridge *bridge, uint64_t id)
{
	bool is_there;

	pthread_mutex_lock(&bridge->lock);
	is_there = sb_map_find(&bridge->subscriptions, &id, sizeof id) != NULL;
	pthread_mutex_unlock(&bridge->lock);
	return is_there;
}

void sb_roster_clear(stepbus_bridge *bridge)
{
	sb_event_table *table;
	sb_map_node *node;

	pthread_mutex_lock(&bridge->lock);
	while ((node = sb_map_first(&bridge->subscriptions)) != NULL)
		end_locked(bridge, sb_subscription_of(node));
	table = newest_table(bridge);
	for (uint32_t id = 0; id < bridge->events.count; id++) {
		retire(bridge, list_at(table, id));
		set_list(bridge, id, bridge->empty);
	}
	bridge->has_dead_items = false;
	pthread_mutex_unlock(&bridge->lock);
	wait_for_own(bridge);
	sb_roster_settle(bridge);
}

static bool has_dead_item(const sb_subscriber_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (atomic_load_explicit(&list->items[i]->is_removed, memory_order_relaxed) != 0)
			return true;
	return false;
}

/* Tries again what take_out_locked lacked the memory for. */
static void bury_dead_items_locked(stepbus_bridge *bridge)
{
	sb_event_table *table = newest_table(bridge);

	bridge->has_dead_items = false;
	for (uint32_t id = 0; id < bridge->events.count; id++) {
		sb_subscriber_list *before = list_at(table, id);
		sb_subscriber_list *list;

		if (!has_dead_item(before))
			continue;
		list = sb_subscriber_list_new(bridge, &bridge->host, before, NULL);
		if (list == NULL) {
			bridge->has_dead_items = true;
			continue;
		}
		list->event_id = id;
		install_chain(bridge, list);
	}
}

void sb_roster_settle(stepbus_bridge *bridge)
{
	sb_subscription *over = NULL;
	bool has_more;

	pthread_mutex_lock(&bridge->lock);
	if (bridge->has_dead_items)
		bury_dead_items_locked(bridge);
	if (bridge->retired != NULL || bridge->leaving != NULL) {
		sb_guard_barrier();
		over = take_over_locked(bridge, NULL, &has_more);
		free_retired_locked(bridge);
	}
	pthread_mutex_unlock(&bridge->lock);
	finish_chain(bridge, over);
}

/* Callbacks run in lists that were retired and, on the loop thread, in the empty one. */
static bool is_at_rest(stepbus_bridge *bridge)
{
	bool is_now;

	sb_roster_settle(bridge);
	pthread_mutex_lock(&bridge->lock);
	is_now = bridge->retired == NULL && bridge->leaving == NULL && !bridge->has_dead_items &&
		 !sb_guard_is_held(bridge->empty);
	pthread_mutex_unlock(&bridge->lock);
	return is_now;
}

void sb_roster_wait(stepbus_bridge *bridge)
{
	uint32_t round = 0;

	sb_guard_barrier();
	while (!is_at_rest(bridge))
		sb_guard_backoff(&round);
}

void sb_roster_free(stepbus_bridge *bridge)
{
	sb_event_table *table = newest_table(bridge);

	/* No list was ever made where one of the first three is missing. */
	if (bridge->empty != NULL && bridge->undeclared != NULL && bridge->visit != NULL) {
		sb_roster_wait(bridge);
		sb_guard_wait(bridge->undeclared);
		sb_guard_wait(bridge->visit);
	}
	sb_release(&bridge->host, bridge->empty);
	sb_release(&bridge->host, bridge->undeclared);
	sb_release(&bridge->host, bridge->visit);
	while (table != NULL) {
		sb_event_table *previous = table->previous;

		sb_release(&bridge->host, table);
		table = previous;
	}
}
