/* SPDX-License-Identifier: MIT */
#include "bridge/subscription.h"

#include "bridge/bridge.h"
#include "bridge/delivery.h"
#include "bridge/roster.h"

int32_t sb_subscription_deliver_nothing(void *target, uint32_t event_id, const void *payload,
					size_t len)
{
	(void)target;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_OK;
}

/* Whoever comes first delivers, all others find it spent; then the subscription ends itself. */
static int32_t deliver_once(void *target, uint32_t event_id, const void *payload, size_t len)
{
	sb_subscription *subscription = target;
	int32_t answer;

	if (atomic_exchange(&subscription->is_spent, 1) != 0)
		return STEPBUS_OK;
	answer = subscription->host_deliver(subscription->user_data, event_id, payload, len);
	sb_roster_unsubscribe(subscription->bridge, subscription->id, NULL);
	return answer;
}

static void choose_delivery(sb_subscription *subscription)
{
	stepbus_event_fn deliver = subscription->host_deliver;

	subscription->target = subscription;
	if (subscription->queue != NULL)
		deliver = sb_delivery_offer;
	else if ((subscription->flags & STEPBUS_SUBSCRIPTION_ONCE) != 0)
		deliver = deliver_once;
	else
		subscription->target = subscription->user_data;
	atomic_init(&subscription->deliver, deliver);
}

stepbus_status sb_subscription_new(stepbus_bridge *bridge, const stepbus_host *host,
				   const stepbus_subscription *spec, sb_slice pattern,
				   sb_subscription **out, stepbus_error *err)
{
	sb_subscription *subscription = sb_alloc(host, sizeof *subscription + pattern.len + 1);
	stepbus_status status = STEPBUS_OK;

	if (subscription == NULL)
		return sb_fail_memory(err, "subscribe");
	memcpy(subscription->pattern, pattern.data, pattern.len);
	subscription->pattern_len = pattern.len;
	subscription->bridge = bridge;
	subscription->flags = spec->flags;
	subscription->priority = spec->priority;
	subscription->host_deliver = spec->deliver;
	subscription->user_data = spec->user_data;
	subscription->destroy = spec->destroy;
	if ((spec->flags & STEPBUS_SUBSCRIPTION_QUEUED) != 0)
		status = sb_queue_new(host, spec->queue_count_max, spec->overflow,
				      &subscription->queue, err);
	if (status != STEPBUS_OK) {
		sb_release(host, subscription);
		return status;
	}
	choose_delivery(subscription);
	*out = subscription;
	return STEPBUS_OK;
}

void sb_subscription_free(const stepbus_host *host, sb_subscription *subscription)
{
	if (subscription == NULL)
		return;
	sb_queue_free(subscription->queue);
	sb_release(host, subscription);
}

static bool is_before(const sb_subscription *a, const sb_subscription *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

int sb_subscription_compare(const void *a, const void *b)
{
	const sb_subscription *left = *(sb_subscription *const *)a;
	const sb_subscription *right = *(sb_subscription *const *)b;

	return is_before(right, left) - is_before(left, right);
}

sb_subscriber_list *sb_subscriber_list_new(stepbus_bridge *bridge, const stepbus_host *host,
					   const sb_subscriber_list *before, sb_subscription *added)
{
	size_t room = (size_t)before->count + (added != NULL ? 1 : 0);
	sb_subscriber_list *list = sb_alloc(host, sizeof *list + room * sizeof(list->items[0]));

	if (list == NULL)
		return NULL;
	list->bridge = bridge;
	for (uint32_t i = 0; i < before->count; i++) {
		sb_subscription *item = before->items[i];

		if (atomic_load_explicit(&item->is_removed, memory_order_relaxed) != 0)
			continue;
		if (added != NULL && is_before(added, item)) {
			list->items[list->count++] = added;
			added = NULL;
		}
		list->items[list->count++] = item;
	}
	if (added != NULL)
		list->items[list->count++] = added;
	for (uint32_t i = 0; i < list->count; i++)
		list->items[i]->list_count++;
	if (list->count == 1) {
		list->deliver =
			atomic_load_explicit(&list->items[0]->deliver, memory_order_relaxed);
		list->target = list->items[0]->target;
	}
	return list;
}
