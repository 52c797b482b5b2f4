/* SPDX-License-Identifier: MIT */
#include "bridge/delivery.h"

#include <time.h>

#include "bridge/bridge.h"
#include "bridge/roster.h"

enum { TURN_LEN_MAX = 64 };

void sb_delivery_init(sb_delivery *delivery)
{
	pthread_condattr_t attributes;

	sb_assert(pthread_mutex_init(&delivery->lock, NULL) == 0);
	sb_assert(pthread_condattr_init(&attributes) == 0);
	sb_assert(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	sb_assert(pthread_cond_init(&delivery->progress, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
}

void sb_delivery_free(sb_delivery *delivery)
{
	pthread_cond_destroy(&delivery->progress);
	pthread_mutex_destroy(&delivery->lock);
}

bool sb_delivery_is_loop_here(const sb_delivery *delivery)
{
	return sb_loop_is_here(atomic_load_explicit(&delivery->loop, memory_order_acquire));
}

static void give_turn(sb_delivery *delivery, sb_subscription *subscription)
{
	pthread_mutex_lock(&delivery->lock);
	if (!subscription->is_ready) {
		subscription->is_ready = true;
		subscription->next_ready = NULL;
		if (delivery->last != NULL)
			delivery->last->next_ready = subscription;
		else
			delivery->first = subscription;
		delivery->last = subscription;
	}
	pthread_mutex_unlock(&delivery->lock);
}

int32_t sb_delivery_offer(void *target, uint32_t event_id, const void *payload, size_t len)
{
	sb_subscription *subscription = target;
	stepbus_bridge *bridge = subscription->bridge;
	sb_delivery *delivery = &bridge->delivery;
	bool is_once = (subscription->flags & STEPBUS_SUBSCRIPTION_ONCE) != 0;
	/* The queue only reads through payload; its item type serves the way out too. */
	sb_queue_item event = { NULL, len, event_id };
	bool needs_turn;
	stepbus_status status;

	if (is_once && atomic_exchange(&subscription->is_spent, 1) != 0)
		return STEPBUS_OK;
	memcpy(&event.payload, &payload, sizeof payload);
	status = sb_queue_offer(subscription->queue, sb_bridge_event_of(bridge, event_id)->kind,
				&event, !sb_delivery_is_loop_here(delivery), &needs_turn);
	if (is_once && status != STEPBUS_OK)
		atomic_store(&subscription->is_spent, 0);
	/*
	 * That it has just been ended is no concern of the publisher's; the queue counts it as
	 * dropped.
	 */
	if (status == STEPBUS_ESHUTDOWN)
		status = STEPBUS_OK;
	if (needs_turn) {
		give_turn(delivery, subscription);
		sb_loop_wake(atomic_load_explicit(&delivery->loop, memory_order_acquire));
	}
	return status;
}

void sb_delivery_forget(sb_delivery *delivery, sb_subscription *subscription)
{
	sb_subscription **place = &delivery->first;
	sb_subscription *before = NULL;

	pthread_mutex_lock(&delivery->lock);
	while (*place != NULL && *place != subscription) {
		before = *place;
		place = &before->next_ready;
	}
	if (*place != NULL) {
		*place = subscription->next_ready;
		if (delivery->last == subscription)
			delivery->last = before;
		subscription->is_ready = false;
	}
	pthread_mutex_unlock(&delivery->lock);
}

void sb_delivery_announce(sb_delivery *delivery)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->turn_count++;
	pthread_cond_broadcast(&delivery->progress);
	pthread_mutex_unlock(&delivery->lock);
}

static sb_subscription *take_turn(sb_delivery *delivery, sb_guard_frame *frame)
{
	sb_subscription *subscription;

	pthread_mutex_lock(&delivery->lock);
	subscription = delivery->first;
	if (subscription != NULL) {
		delivery->first = subscription->next_ready;
		if (delivery->first == NULL)
			delivery->last = NULL;
		subscription->is_ready = false;
		sb_guard_hold(&frame->item, subscription);
	}
	pthread_mutex_unlock(&delivery->lock);
	return subscription;
}

static void deliver_some(sb_subscription *subscription)
{
	bool is_once = (subscription->flags & STEPBUS_SUBSCRIPTION_ONCE) != 0;
	sb_queue_item item;

	for (uint32_t i = 0; i < TURN_LEN_MAX; i++) {
		if (atomic_load_explicit(&subscription->is_removed, memory_order_acquire) != 0 ||
		    !sb_queue_take(subscription->queue, &item))
			return;
		/* What it answers has nobody to go to: the publisher went on long ago. */
		subscription->host_deliver(subscription->user_data, item.event_id, item.payload,
					   item.len);
		sb_queue_done(subscription->queue, &item, true);
		if (is_once)
			sb_roster_unsubscribe(subscription->bridge, subscription->id, NULL);
	}
}

static void dispose_last(void *user_data)
{
	sb_bridge_dispose(user_data);
}

/* One turn of one subscription; false: there was none to give, or the bridge is about to go. */
static bool run_turn(stepbus_bridge *bridge)
{
	sb_delivery *delivery = &bridge->delivery;
	sb_guard_thread *thread = sb_guard_thread_get();
	bool is_mine_to_dispose;
	sb_guard_frame *frame;
	sb_subscription *subscription;

	sb_assert(thread != NULL);
	frame = sb_guard_push(thread);
	/* As a publisher of this bridge does, so that a callback knows where it is. */
	sb_guard_hold(&frame->group, bridge->empty);
	subscription = take_turn(delivery, frame);
	if (subscription != NULL) {
		deliver_some(subscription);
		if (sb_queue_end_turn(subscription->queue))
			give_turn(delivery, subscription);
		atomic_store_explicit(&frame->item, NULL, memory_order_release);
		atomic_signal_fence(memory_order_seq_cst);
		sb_roster_settle(bridge);
		sb_delivery_announce(delivery);
	}
	is_mine_to_dispose = sb_bridge_is_mine_to_dispose(bridge);
	sb_guard_pop(thread, frame);
	if (!is_mine_to_dispose)
		return subscription != NULL;
	sb_loop_free_here(atomic_exchange(&delivery->loop, NULL), dispose_last);
	return false;
}

static void run(void *user_data)
{
	while (run_turn(user_data))
		;
}

stepbus_status sb_delivery_ensure_loop(stepbus_bridge *bridge, stepbus_error *err)
{
	sb_loop *loop = NULL;
	stepbus_status status;

	if (atomic_load_explicit(&bridge->delivery.loop, memory_order_acquire) != NULL)
		return STEPBUS_OK;
	status = sb_loop_new(&bridge->host, run, bridge, &loop, err);
	if (status == STEPBUS_OK)
		atomic_store_explicit(&bridge->delivery.loop, loop, memory_order_release);
	return status;
}

/* A queue that must be through with this many events. */
typedef struct goal {
	uint64_t subscription_id;
	uint64_t over_count;
} goal;

/* Under the bridge's lock. */
static size_t count_goals(const stepbus_bridge *bridge)
{
	size_t count = sb_map_count(&bridge->subscriptions);

	for (const sb_subscription *subscription = bridge->leaving; subscription != NULL;
	     subscription = subscription->next_leaving)
		count++;
	return count;
}

/* Under the bridge's lock. What is leaving has one more event to be through with: its last. */
static size_t collect_goals(stepbus_bridge *bridge, goal *goals)
{
	size_t count = 0;

	for (sb_map_node *node = sb_map_first(&bridge->subscriptions); node != NULL;
	     node = sb_map_next(node)) {
		sb_subscription *subscription = sb_subscription_of(node);
		uint64_t over;

		if (subscription->queue == NULL)
			continue;
		goals[count].subscription_id = subscription->id;
		sb_queue_progress(subscription->queue, &goals[count++].over_count, &over);
	}
	for (const sb_subscription *subscription = bridge->leaving; subscription != NULL;
	     subscription = subscription->next_leaving)
		if (subscription->queue != NULL)
			goals[count++] = (goal){ subscription->id, 0 };
	return count;
}

static bool is_leaving(const stepbus_bridge *bridge, uint64_t id)
{
	for (const sb_subscription *subscription = bridge->leaving; subscription != NULL;
	     subscription = subscription->next_leaving)
		if (subscription->id == id)
			return true;
	return false;
}

/*
 * Under the bridge's lock. A subscription that is gone has dropped or delivered all it had, unless
 * its last callback is still running.
 */
static bool is_reached(stepbus_bridge *bridge, const goal *g)
{
	sb_subscription *subscription = sb_subscription_of(sb_map_find(
		&bridge->subscriptions, &g->subscription_id, sizeof g->subscription_id));
	uint64_t accepted, over;

	if (subscription == NULL)
		return !is_leaving(bridge, g->subscription_id);
	sb_queue_progress(subscription->queue, &accepted, &over);
	return over >= g->over_count;
}

static bool is_all_reached(stepbus_bridge *bridge, const goal *goals, size_t count,
			   size_t *reached_count)
{
	pthread_mutex_lock(&bridge->lock);
	while (*reached_count < count && is_reached(bridge, &goals[*reached_count]))
		(*reached_count)++;
	pthread_mutex_unlock(&bridge->lock);
	return *reached_count == count;
}

/*
 * Waits for the turn count to pass what it was, up to deadline_ns on the monotonic clock (-1:
 * none).
 */
static bool wait_for_turn(sb_delivery *delivery, uint64_t seen, int64_t deadline_ns)
{
	int failure = 0;

	pthread_mutex_lock(&delivery->lock);
	while (delivery->turn_count == seen && failure == 0) {
		struct timespec until = { (time_t)(deadline_ns / 1000000000),
					  (long)(deadline_ns % 1000000000) };

		if (deadline_ns < 0)
			failure = pthread_cond_wait(&delivery->progress, &delivery->lock);
		else
			failure = pthread_cond_timedwait(&delivery->progress, &delivery->lock,
							 &until);
	}
	pthread_mutex_unlock(&delivery->lock);
	return failure == 0;
}

static int64_t deadline_after(int64_t timeout_ms)
{
	const int64_t timeout_ms_max = INT64_C(1000000000000);
	struct timespec now;

	if (timeout_ms < 0)
		return -1;
	if (timeout_ms > timeout_ms_max)
		timeout_ms = timeout_ms_max;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + timeout_ms * 1000000;
}

static uint64_t turn_count(sb_delivery *delivery)
{
	uint64_t count;

	pthread_mutex_lock(&delivery->lock);
	count = delivery->turn_count;
	pthread_mutex_unlock(&delivery->lock);
	return count;
}

static bool has_waiting(stepbus_bridge *bridge)
{
	bool is_any = false;

	pthread_mutex_lock(&bridge->lock);
	for (sb_map_node *node = sb_map_first(&bridge->subscriptions); !is_any && node != NULL;
	     node = sb_map_next(node)) {
		sb_subscription *subscription = sb_subscription_of(node);

		if (subscription->queue != NULL)
			is_any = sb_queue_count(subscription->queue).waiting > 0;
	}
	pthread_mutex_unlock(&bridge->lock);
	return is_any;
}

void sb_delivery_drain(stepbus_bridge *bridge)
{
	for (;;) {
		uint64_t seen = turn_count(&bridge->delivery);

		if (!has_waiting(bridge))
			return;
		wait_for_turn(&bridge->delivery, seen, -1);
	}
}

stepbus_status sb_delivery_flush(stepbus_bridge *bridge, int64_t timeout_ms, stepbus_error *err)
{
	int64_t deadline_ns = deadline_after(timeout_ms);
	size_t count, reached_count = 0;
	bool is_in_time = true;
	goal *goals;

	if (sb_delivery_is_loop_here(&bridge->delivery))
		return sb_fail(err, STEPBUS_EREENTRANT,
			       "cannot flush from the loop thread: it is what would deliver");
	pthread_mutex_lock(&bridge->lock);
	goals = sb_alloc_array(&bridge->host, count_goals(bridge), sizeof *goals);
	count = goals != NULL ? collect_goals(bridge, goals) : 0;
	pthread_mutex_unlock(&bridge->lock);
	if (goals == NULL)
		return sb_fail_memory(err, "flush");
	for (;;) {
		/* Read before looking, so that a turn that ends in between is not missed. */
		uint64_t seen = turn_count(&bridge->delivery);

		if (is_all_reached(bridge, goals, count, &reached_count) || !is_in_time)
			break;
		is_in_time = wait_for_turn(&bridge->delivery, seen, deadline_ns);
	}
	sb_release(&bridge->host, goals);
	if (reached_count < count)
		return sb_fail(err, STEPBUS_ETIMEDOUT,
			       "queued events are still waiting after %lld ms",
			       (long long)timeout_ms);
	return STEPBUS_OK;
}
