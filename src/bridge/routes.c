/* SPDX-License-Identifier: MIT */
#include "bridge/routes.h"

#include "bridge/roster.h"
#include "bridge/topic.h"

typedef struct route {
	stepbus_event_fn deliver;
	int32_t priority;
	_Atomic(uint64_t) subscription_id; /* 0: not subscribed */
	sb_slice pattern;
} route;

struct stepbus_subscriber {
	stepbus_bridge *bridge;
	stepbus_host host;
	_Atomic(uint32_t) ref_count;
	_Atomic(uint32_t) stop_count; /* tells a start that a stop came in between */
	pthread_mutex_t
		lock; /* one start at a time; stop takes none, since a callback may call it */
	void *user_data;
	void (*destroy)(void *user_data);
	uint32_t route_count;
	route routes[];
};

/* What a subscription of ours delivers to: its route's function, with the object. */
typedef struct link {
	stepbus_subscriber *subscriber;
	stepbus_event_fn deliver;
} link;

static void unref(stepbus_subscriber *subscriber)
{
	stepbus_host host = subscriber->host;

	if (atomic_fetch_sub_explicit(&subscriber->ref_count, 1, memory_order_acq_rel) != 1)
		return;
	if (subscriber->destroy != NULL)
		subscriber->destroy(subscriber->user_data);
	for (uint32_t i = 0; i < subscriber->route_count; i++) {
		char *pattern;

		memcpy(&pattern, &subscriber->routes[i].pattern.data, sizeof pattern);
		sb_release(&host, pattern);
	}
	pthread_mutex_destroy(&subscriber->lock);
	sb_release(&host, subscriber);
}

static int32_t deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const link *l = user_data;

	return l->deliver(l->subscriber->user_data, event_id, payload, len);
}

static void drop_link(void *user_data)
{
	link *l = user_data;
	stepbus_subscriber *subscriber = l->subscriber;

	sb_release(&subscriber->host, l);
	unref(subscriber);
}

/* A name that nobody declared is a mistake that should be seen when the subscriber is made. */
static stepbus_status check_pattern(stepbus_bridge *bridge, sb_slice pattern, stepbus_error *err)
{
	sb_event *event;

	return sb_topic_is_pattern(pattern) ? STEPBUS_OK :
					      sb_bridge_event(bridge, pattern, &event, err);
}

static stepbus_status copy_route(stepbus_subscriber *subscriber, const stepbus_route *given,
				 stepbus_error *err)
{
	route *own = &subscriber->routes[subscriber->route_count];
	sb_slice pattern = sb_slice_of(given->pattern, given->pattern_len);
	stepbus_status status = check_pattern(subscriber->bridge, pattern, err);

	if (status != STEPBUS_OK)
		return status;
	own->pattern.data = sb_alloc_copy(&subscriber->host, pattern.data, pattern.len);
	if (own->pattern.data == NULL)
		return sb_fail_memory(err, "make a subscriber");
	own->pattern.len = pattern.len;
	own->deliver = given->deliver;
	own->priority = given->priority;
	subscriber->route_count++;
	return STEPBUS_OK;
}

stepbus_status sb_routes_new(stepbus_bridge *bridge, const stepbus_subscriber_options *options,
			     stepbus_subscriber **out, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	stepbus_subscriber *subscriber;

	if (status != STEPBUS_OK)
		return status;
	subscriber =
		sb_alloc(&bridge->host, sizeof *subscriber + options->route_count * sizeof(route));
	if (subscriber == NULL)
		return sb_fail_memory(err, "make a subscriber");
	subscriber->bridge = bridge;
	subscriber->host = bridge->host;
	atomic_init(&subscriber->ref_count, 1);
	sb_assert(pthread_mutex_init(&subscriber->lock, NULL) == 0);
	for (uint32_t i = 0; status == STEPBUS_OK && i < options->route_count; i++)
		status = copy_route(subscriber, &options->routes[i], err);
	if (status != STEPBUS_OK) {
		unref(subscriber);
		return status;
	}
	subscriber->user_data = options->user_data;
	subscriber->destroy = options->destroy;
	*out = subscriber;
	return STEPBUS_OK;
}

static stepbus_status subscribe(stepbus_subscriber *subscriber, route *r, stepbus_error *err)
{
	link *l = sb_alloc(&subscriber->host, sizeof *l);
	stepbus_subscription spec = { .size = sizeof spec,
				      .priority = r->priority,
				      .deliver = deliver,
				      .user_data = l,
				      .destroy = drop_link };
	uint64_t id = 0;
	stepbus_status status;

	if (l == NULL)
		return sb_fail_memory(err, "subscribe");
	*l = (link){ subscriber, r->deliver };
	atomic_fetch_add_explicit(&subscriber->ref_count, 1, memory_order_relaxed);
	status = sb_roster_subscribe(subscriber->bridge, r->pattern, &spec, &id, err);
	if (status == STEPBUS_OK)
		atomic_store(&r->subscription_id, id);
	else
		drop_link(l);
	return status;
}

static void unsubscribe_all(stepbus_subscriber *subscriber)
{
	for (uint32_t i = 0; i < subscriber->route_count; i++) {
		uint64_t id = atomic_exchange(&subscriber->routes[i].subscription_id, 0);

		/* It may have ended with the bridge's stop: then there is nothing to do. */
		if (id != 0)
			sb_roster_unsubscribe(subscriber->bridge, id, NULL);
	}
}

stepbus_status sb_routes_start(stepbus_subscriber *subscriber, stepbus_error *err)
{
	uint32_t stop_count;
	stepbus_status status = sb_bridge_check(subscriber->bridge, err);

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&subscriber->lock);
	stop_count = atomic_load(&subscriber->stop_count);
	for (uint32_t i = 0; status == STEPBUS_OK && i < subscriber->route_count; i++) {
		route *r = &subscriber->routes[i];
		uint64_t id = atomic_load(&r->subscription_id);

		if (id == 0 || !sb_roster_has(subscriber->bridge, id))
			status = subscribe(subscriber, r, err);
	}
	pthread_mutex_unlock(&subscriber->lock);
	/* All routes or none: a stop that came in between had its say about all of them. */
	if (status != STEPBUS_OK || atomic_load(&subscriber->stop_count) != stop_count)
		sb_routes_stop(subscriber, NULL);
	return status;
}

static bool has_subscription(stepbus_subscriber *subscriber)
{
	for (uint32_t i = 0; i < subscriber->route_count; i++)
		if (atomic_load(&subscriber->routes[i].subscription_id) != 0)
			return true;
	return false;
}

stepbus_status sb_routes_stop(stepbus_subscriber *subscriber, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(subscriber->bridge, err);
	uint32_t round = 0;

	if (status != STEPBUS_OK)
		return status;
	atomic_fetch_add(&subscriber->stop_count, 1);
	unsubscribe_all(subscriber);
	/* Another stop, from inside a callback perhaps, may have left something to wait for. */
	while (!sb_bridge_is_visited(subscriber->bridge) && !has_subscription(subscriber) &&
	       atomic_load_explicit(&subscriber->ref_count, memory_order_acquire) > 1)
		sb_guard_backoff(&round);
	return STEPBUS_OK;
}

void sb_routes_free(stepbus_subscriber *subscriber)
{
	if (subscriber == NULL || sb_routes_stop(subscriber, NULL) != STEPBUS_OK)
		return;
	unref(subscriber);
}
