/* SPDX-License-Identifier: MIT */
/*
 * A bridge under operations decoded from the bytes, beside a model that says who is to be called next:
 * subscribing by names and patterns, once and queued, publishing and all of it again from inside of
 * callbacks. Each publish has the list of who was there when it began; whoever ended since is left out,
 * whoever came since is not called. Queues must add up, and every destroy runs once.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bridge/topic.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"

enum {
	GUEST_MAX = 40,
	EVENT_COUNT = 6,
	PATTERN_COUNT = 12,
	DEPTH_MAX = 32,
	ACT_MAX = 300,
	LIFE = 64
};

typedef struct guest {
	sb_slice pattern;
	uint64_t id;
	int32_t priority;
	bool is_once;
	bool is_queued;
	bool is_alive; /* until it has ended */
	bool is_spent; /* the one event that it delivers has come */
	bool is_refusing;
	bool is_acting;
	uint64_t queue_max;
	uint32_t offered_count;    /* to its queue, */
	uint16_t offered[ACT_MAX]; /* in this order */
	uint16_t heard[ACT_MAX];   /* from its queue, by another thread */
	_Atomic(uint32_t) heard_count;
	_Atomic(int) destroyed_count;
} guest;

/* A publish that is going on: whom it is to call, in that order. */
typedef struct frame {
	uint32_t event_id;
	uint16_t number;
	int order[GUEST_MAX];
	int count;
	int next;
	bool is_refused;
	bool is_maybe_full;
} frame;

static const char *const event_names[EVENT_COUNT] = { "a.b",    "a.c",        "a.b.c",
						      "fuzzed", "fuzz.error", "a.error" };
static const char *const patterns[PATTERN_COUNT] = { "a.b",        "a.c",     "a.b.c",   "fuzzed",
						     "fuzz.error", "a.error", "*",       "a.*",
						     "*.b",        "a.*.c",   "*.error", "a.b.*" };

static guest guests[GUEST_MAX];
static frame frames[DEPTH_MAX + 2];
static stepbus_bridge *bridge;
static uint32_t event_ids[EVENT_COUNT];
static fuzz_feed *feed;
static int guest_count, depth, act_count;
static uint64_t published_count; /* is the payload */
static bool is_active;

static void act(void);

static bool is_to_be_called(const guest *g)
{
	return !g->is_queued && g->is_alive && !g->is_spent;
}

static bool matches(const guest *g, uint32_t event)
{
	return sb_topic_is_match(g->pattern, sb_slice_z(event_names[event]));
}

/* Moves on to who is to be called next; -1 where nobody is. On the way queues are offered the event. */
static int next_of(frame *f)
{
	guest *g;

	for (; f->next < f->count; f->next++) {
		g = &guests[f->order[f->next]];
		if (is_to_be_called(g))
			break;
		if (!g->is_queued || !g->is_alive)
			continue;
		g->offered[g->offered_count++] = f->number;
		f->is_maybe_full = f->is_maybe_full || g->queue_max < 1024;
	}
	return f->next < f->count ? f->order[f->next] : -1;
}

static int32_t deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	guest *g = user_data;
	frame *f = &frames[depth];
	const int expected = next_of(f);

	fuzz_check(depth > 0 && event_id == f->event_id && len == sizeof(uint64_t));
	fuzz_check(payload != NULL && atomic_load(&g->destroyed_count) == 0);
	if (expected < 0 || &guests[expected] != g)
		fuzz_fail(__FILE__, __LINE__, "guest %d is called, not %d", (int)(g - guests),
			  expected);
	f->next++;
	atomic_fetch_add(&g->heard_count, 1);
	g->is_spent = g->is_once;
	if (g->is_acting)
		act();
	/* It ends when its callback returns, and is there until then. */
	g->is_alive = g->is_alive && !g->is_once;
	/* Its frame is the same again, whatever was done in between. */
	f->is_refused = f->is_refused || g->is_refusing;
	return g->is_refusing ? STEPBUS_EBUSY : STEPBUS_OK;
}

/* On the loop thread. */
static int32_t deliver_queued(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	guest *g = user_data;
	const uint32_t at = atomic_load(&g->heard_count);
	uint64_t number;

	(void)event_id;
	fuzz_check(len == sizeof number && at < ACT_MAX);
	fuzz_check(atomic_load(&g->destroyed_count) == 0);
	memcpy(&number, payload, sizeof number);
	g->heard[at] = (uint16_t)number;
	atomic_store(&g->heard_count, at + 1);
	return g->is_refusing ? STEPBUS_EBUSY : STEPBUS_OK;
}

static void destroy(void *user_data)
{
	guest *g = user_data;

	fuzz_check(atomic_fetch_add(&g->destroyed_count, 1) == 0);
}

static void subscribe(void)
{
	guest *g = &guests[guest_count];
	const uint8_t flags = fuzz_feed_byte(feed);
	stepbus_subscription spec = { .size = sizeof spec, .user_data = g, .destroy = destroy };

	if (guest_count == GUEST_MAX)
		return;
	memset(g, 0, sizeof *g);
	g->pattern = sb_slice_z(patterns[fuzz_feed_below(feed, PATTERN_COUNT)]);
	g->priority = (int32_t)fuzz_feed_below(feed, 4) - 1;
	g->is_once = (flags & 1) != 0;
	g->is_queued = (flags & 6) == 6;
	g->is_refusing = (flags & 24) == 24;
	g->is_acting = (flags & 32) != 0;
	g->queue_max = g->is_queued && (flags & 64) != 0 ? 1 + fuzz_feed_below(feed, 3) : 1024;
	spec.flags = (g->is_once ? STEPBUS_SUBSCRIPTION_ONCE : 0u) |
		     (g->is_queued ? STEPBUS_SUBSCRIPTION_QUEUED : 0u);
	spec.priority = g->priority;
	spec.overflow = g->is_queued ? (int32_t)fuzz_feed_below(feed, 3) : 0;
	spec.queue_count_max = g->is_queued ? (uint32_t)g->queue_max : 0;
	spec.deliver = g->is_queued ? deliver_queued : deliver;
	guest_count++;
	fuzz_check(stepbus_bridge_subscribe(bridge, g->pattern.data, g->pattern.len, &spec, &g->id,
					    NULL) == STEPBUS_OK);
	g->is_alive = true;
}

static void unsubscribe(void)
{
	const uint8_t byte = fuzz_feed_byte(feed);
	guest *g = guest_count > 0 ? &guests[byte % guest_count] : NULL;
	const uint64_t id = g != NULL ? g->id : 123456;
	const stepbus_status status = stepbus_bridge_unsubscribe(bridge, id, NULL);

	/* One that is queued and delivers once ends on another thread. */
	if (g == NULL || !(g->is_once && g->is_queued))
		fuzz_check(status == (g != NULL && g->is_alive ? STEPBUS_OK : STEPBUS_ENOTFOUND));
	if (g != NULL)
		g->is_alive = false;
	/* One with a queue may have to wait for the end of its turn on the loop thread. */
	if (g != NULL && depth == 0 && !g->is_queued)
		fuzz_check(atomic_load(&g->destroyed_count) == 1);
}

static bool is_before(const guest *a, const guest *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

static void fill_frame(frame *f, uint32_t event)
{
	*f = (frame){ .event_id = event_ids[event] };
	for (int i = 0; i < guest_count; i++) {
		int at = f->count;

		if (!guests[i].is_alive || !matches(&guests[i], event))
			continue;
		for (; at > 0 && is_before(&guests[i], &guests[f->order[at - 1]]); at--)
			f->order[at] = f->order[at - 1];
		f->order[at] = i;
		f->count++;
	}
}

static void publish(void)
{
	const uint32_t event = fuzz_feed_below(feed, EVENT_COUNT);
	const bool is_by_name = fuzz_feed_bool(feed);
	const uint64_t number = ++published_count;
	frame *f = &frames[depth + 1];
	stepbus_status status;

	if (depth == DEPTH_MAX)
		return;
	fill_frame(f, event);
	f->number = (uint16_t)number;
	depth++;
	status = is_by_name ? stepbus_bridge_publish_name(bridge, event_names[event],
							  strlen(event_names[event]), &number,
							  sizeof number, NULL) :
			      stepbus_bridge_publish(bridge, event_ids[event], &number,
						     sizeof number, NULL);
	depth--;
	if (!is_active) {
		fuzz_check(status == STEPBUS_EINACTIVE);
		return;
	}
	fuzz_check(next_of(f) < 0);
	if (f->is_refused)
		fuzz_check(status == STEPBUS_EDELIVERY ||
			   (f->is_maybe_full && status == STEPBUS_EFULL));
	else
		fuzz_check(status == STEPBUS_OK || (f->is_maybe_full && status == STEPBUS_EFULL));
}

static bool has_queued_once(void)
{
	for (int i = 0; i < guest_count; i++)
		if (guests[i].is_alive && guests[i].is_queued && guests[i].is_once)
			return true;
	return false;
}

static void look(void)
{
	const uint32_t event = fuzz_feed_below(feed, EVENT_COUNT);
	const char *name = event_names[event];
	stepbus_text *text = NULL;
	uint32_t count = 0, expected = 0;
	fuzz_json *json;

	if (has_queued_once())
		return;
	for (int i = 0; i < guest_count; i++)
		expected += guests[i].is_alive && matches(&guests[i], event);
	fuzz_check(stepbus_bridge_listener_count(bridge, name, strlen(name), &count, NULL) ==
		   STEPBUS_OK);
	fuzz_check(count == expected);
	fuzz_check(stepbus_bridge_listeners(bridge, name, strlen(name), &text, NULL) == STEPBUS_OK);
	json = fuzz_json_own(text);
	fuzz_check(fuzz_json_count(json) > expected);
	fuzz_json_free(json);
	stepbus_text_free(text);
}

static void stop_or_start(void)
{
	if (fuzz_feed_bool(feed) || depth > 0) {
		is_active = true;
		fuzz_check(stepbus_bridge_start(bridge, NULL) == STEPBUS_OK);
		return;
	}
	is_active = false;
	fuzz_check(stepbus_bridge_stop(bridge, NULL) == STEPBUS_OK);
	for (int i = 0; i < guest_count; i++) {
		guests[i].is_alive = false;
		fuzz_check(guests[i].is_queued || atomic_load(&guests[i].destroyed_count) == 1);
	}
}

static void act(void)
{
	static void (*const acts[])(void) = { publish,   publish,     publish, subscribe,
					      subscribe, unsubscribe, look,    stop_or_start };

	/* Now and then more than one thing, from inside of a callback. */
	do {
		if (feed->left == 0 || act_count++ >= ACT_MAX)
			return;
		acts[fuzz_feed_below(feed, 8)]();
	} while (depth > 0 && fuzz_feed_below(feed, 4) == 0);
}

static int64_t number_of(const fuzz_json *json, const char *name)
{
	const fuzz_json *field = fuzz_json_find(json, sb_slice_z(name));

	fuzz_check(field != NULL && field->kind == FUZZ_JSON_NUMBER);
	return strtoll(field->raw.data, NULL, 10);
}

/* Without a drop, all that was offered was heard, in that order; else a part of it. */
static void check_heard(const guest *g, bool is_whole)
{
	const uint32_t heard_count = atomic_load(&g->heard_count);
	uint32_t at = 0;

	for (uint32_t i = 0; i < heard_count; i++, at++) {
		while (at < g->offered_count && g->offered[at] != g->heard[i] && !is_whole)
			at++;
		fuzz_check(at < g->offered_count && g->offered[at] == g->heard[i]);
	}
	fuzz_check(!is_whole || heard_count == g->offered_count);
}

static void check_queue_of(const fuzz_json *listener)
{
	const int64_t offered = number_of(listener, "offered");
	const int64_t delivered = number_of(listener, "delivered");
	const int64_t dropped = number_of(listener, "dropped");

	fuzz_check(number_of(listener, "waiting") == 0 && offered == delivered + dropped);
	for (int i = 0; i < guest_count; i++) {
		if (guests[i].id != (uint64_t)number_of(listener, "id") || guests[i].is_once)
			continue;
		fuzz_check(offered == (int64_t)guests[i].offered_count);
		check_heard(&guests[i], dropped == 0);
	}
}

static void check_queues(void)
{
	stepbus_text *text = NULL;
	fuzz_json *json;

	fuzz_check(stepbus_bridge_flush(bridge, -1, NULL) == STEPBUS_OK);
	fuzz_check(stepbus_bridge_listeners(bridge, NULL, 0, &text, NULL) == STEPBUS_OK);
	json = fuzz_json_own(text);
	for (const fuzz_json *one = json->first; one != NULL; one = one->next)
		if (fuzz_json_find(one, sb_slice_z("offered")) != NULL)
			check_queue_of(one);
	fuzz_json_free(json);
	stepbus_text_free(text);
}

static void make_bridge(void)
{
	const stepbus_bridge_options options = { .size = sizeof options, .host = fuzz_host() };

	fuzz_check(stepbus_bridge_new(&options, &bridge, NULL) == STEPBUS_OK);
	for (int i = 0; i < EVENT_COUNT; i++) {
		const stepbus_event_info info = { .size = sizeof info,
						  .name = event_names[i],
						  .name_len = strlen(event_names[i]) };

		fuzz_check(stepbus_bridge_declare(bridge, &info, &event_ids[i], NULL) ==
			   STEPBUS_OK);
	}
}

static void begin(void)
{
	guest_count = depth = act_count = 0;
	published_count = 0;
	is_active = true;
	if (bridge == NULL)
		make_bridge();
	fuzz_check(stepbus_bridge_start(bridge, NULL) == STEPBUS_OK);
}

/* Making one takes longer than most inputs do, so it lives on for some of them. */
static void end(bool is_last)
{
	if (is_last)
		stepbus_bridge_free(bridge);
	else
		fuzz_check(stepbus_bridge_stop(bridge, NULL) == STEPBUS_OK);
	for (int i = 0; i < guest_count; i++)
		while (guests[i].is_queued && atomic_load(&guests[i].destroyed_count) == 0)
			(void)sched_yield();
	for (int i = 0; i < guest_count; i++)
		fuzz_check(atomic_load(&guests[i].destroyed_count) == 1);
	if (!is_last)
		return;
	bridge = NULL;
	fuzz_host_check_empty();
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	static int age;
	fuzz_feed own;

	feed = &own;
	fuzz_feed_begin(&own, bytes, len);
	begin();
	while (own.left > 0 && act_count < ACT_MAX)
		act();
	check_queues();
	end(++age % LIFE == 0);
	fuzz_feed_end(&own);
}
