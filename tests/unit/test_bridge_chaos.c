/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: threads and callbacks publish, subscribe, unsubscribe, declare, flush, stop
 * and start one bridge in an order that nobody chose. Nothing may be delivered to who has been
 * destroyed, everybody is destroyed once, and what queues count adds up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "support/answer.h"
#include "support/cmocka.h"
#include "support/thread.h"

enum { ROUND_COUNT = 60, ACTOR_COUNT = 3, ACT_COUNT = 250, EVENT_COUNT = 3 };
enum { ALIVE = 0x600DF00D, POISONED = 0x0DEADBAD };

typedef struct world {
	stepbus_bridge *bridge;
	uint32_t events[EVENT_COUNT];
	_Atomic(uint64_t) last_id; /* about where ids are by now */
	_Atomic(uint32_t) random;
	_Atomic(uint64_t) made_count;
	_Atomic(uint64_t) destroyed_count;
	_Atomic(uint64_t)
		bad_count; /* delivered to the destroyed, destroyed twice, strange answers */
} world;

/* A subscriber; kept until the end of its round, so that what is wrong is seen and not a crash. */
typedef struct guest {
	world *w;
	_Atomic(uint32_t) magic;
	struct guest *next;
} guest;

typedef struct actor {
	world *w;
	guest *guests;
	test_thread thread;
} actor;

static uint32_t draw(world *w, uint32_t limit)
{
	uint32_t state = atomic_fetch_add(&w->random, 0x9E3779B9u);

	state ^= state >> 16;
	state *= 0x85EBCA6Bu;
	state ^= state >> 13;
	state *= 0xC2B2AE35u;
	state ^= state >> 16;
	return state % limit;
}

static void expect(world *w, stepbus_status status, const stepbus_status *allowed, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (status == allowed[i])
			return;
	atomic_fetch_add(&w->bad_count, 1);
}

#define EXPECT(w, status, ...)                                                    \
	do {                                                                      \
		const stepbus_status allowed[] = { __VA_ARGS__ };                 \
		expect((w), (status), allowed, sizeof allowed / sizeof *allowed); \
	} while (0)

static void publish(world *w)
{
	EXPECT(w,
	       stepbus_bridge_publish(w->bridge, w->events[draw(w, EVENT_COUNT)], "payload", 7,
				      NULL),
	       STEPBUS_OK, STEPBUS_EINACTIVE, STEPBUS_EFULL, STEPBUS_EDELIVERY, STEPBUS_EREENTRANT);
}

static void unsubscribe(world *w)
{
	uint64_t last_id = atomic_load(&w->last_id);
	uint64_t back = draw(w, 12);

	if (last_id > back)
		EXPECT(w, stepbus_bridge_unsubscribe(w->bridge, last_id - back, NULL), STEPBUS_OK,
		       STEPBUS_ENOTFOUND);
}

static void declare(world *w)
{
	char name[32];
	stepbus_event_info info = { .size = sizeof info, .name = name };

	info.name_len = (size_t)snprintf(name, sizeof name, "chaos.%u", draw(w, 400));
	EXPECT(w, stepbus_bridge_declare(w->bridge, &info, NULL, NULL), STEPBUS_OK,
	       STEPBUS_EEXISTS);
}

static void look(world *w)
{
	stepbus_text *texts[2] = { NULL };
	uint32_t count;

	EXPECT(w, stepbus_bridge_listeners(w->bridge, NULL, 0, &texts[0], NULL), STEPBUS_OK);
	EXPECT(w, stepbus_bridge_stats(w->bridge, &texts[1], NULL), STEPBUS_OK);
	EXPECT(w,
	       stepbus_bridge_listener_count(w->bridge, STEPBUS_TEXT("chaos.event.0"), &count,
					     NULL),
	       STEPBUS_OK);
	stepbus_text_free(texts[0]);
	stepbus_text_free(texts[1]);
}

/* What anybody may do, from wherever; callbacks more rarely. */
static void act(world *w, uint32_t choice)
{
	if (choice < 40)
		publish(w);
	else if (choice < 55)
		unsubscribe(w);
	else if (choice < 60)
		declare(w);
	else if (choice < 63)
		look(w);
	else if (choice < 65)
		EXPECT(w, stepbus_bridge_flush(w->bridge, 1, NULL), STEPBUS_OK, STEPBUS_ETIMEDOUT,
		       STEPBUS_EREENTRANT);
	else if (choice < 66)
		EXPECT(w, stepbus_bridge_stop(w->bridge, NULL), STEPBUS_OK);
	else if (choice < 70)
		EXPECT(w, stepbus_bridge_start(w->bridge, NULL), STEPBUS_OK);
}

static int32_t deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	guest *g = user_data;
	world *w = g->w;
	uint32_t choice = draw(w, 1000);

	(void)event_id;
	if (atomic_load(&g->magic) != ALIVE || len != 7 || memcmp(payload, "payload", 7) != 0)
		atomic_fetch_add(&w->bad_count, 1);
	/* Publishing doubles what there is, so it is rarer still. */
	if (choice < 70 && (choice >= 40 || draw(w, 10) == 0))
		act(w, choice);
	return draw(w, 50) == 0 ? 99 : STEPBUS_OK;
}

static void destroy(void *user_data)
{
	guest *g = user_data;

	if (atomic_exchange(&g->magic, POISONED) != ALIVE)
		atomic_fetch_add(&g->w->bad_count, 1);
	atomic_fetch_add(&g->w->destroyed_count, 1);
	if (draw(g->w, 20) == 0)
		act(g->w, draw(g->w, 70));
}

static void subscribe(actor *a)
{
	static const char *const patterns[] = {
		"*", "chaos.*", "chaos.event.*", "chaos.event.0", "chaos.event.1", "chaos.event.2"
	};
	world *w = a->w;
	const char *pattern = patterns[draw(w, 6)];
	guest *g = calloc(1, sizeof *g);
	const stepbus_subscription spec = { .size = sizeof spec,
					    .flags = draw(w, 4),
					    .priority = (int32_t)draw(w, 5) - 2,
					    .overflow = (int32_t)draw(w, 3),
					    .queue_count_max = 1 + draw(w, 40),
					    .deliver = deliver,
					    .user_data = g,
					    .destroy = destroy };
	uint64_t id = 0;

	g->w = w;
	g->next = a->guests;
	a->guests = g;
	atomic_store(&g->magic, ALIVE);
	atomic_fetch_add(&w->made_count, 1);
	EXPECT(w, stepbus_bridge_subscribe(w->bridge, pattern, strlen(pattern), &spec, &id, NULL),
	       STEPBUS_OK);
	atomic_store(&w->last_id, id);
}

static void act_on(void *context)
{
	actor *a = context;

	for (int i = 0; i < ACT_COUNT; i++) {
		uint32_t choice = draw(a->w, 100);

		if (choice < 70)
			act(a->w, choice);
		else
			subscribe(a);
	}
}

static void open_world(world *w, uint32_t seed)
{
	memset(w, 0, sizeof *w);
	atomic_store(&w->random, seed * 7919);
	assert_int_equal(stepbus_bridge_new(NULL, &w->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_start(w->bridge, NULL), STEPBUS_OK);
	for (uint32_t i = 0; i < EVENT_COUNT; i++) {
		char name[] = "chaos.event.0";
		const stepbus_event_info info = { .size = sizeof info,
						  .name = name,
						  .name_len = sizeof name - 1 };

		name[sizeof name - 2] = (char)('0' + i);
		assert_int_equal(stepbus_bridge_declare(w->bridge, &info, &w->events[i], NULL),
				 STEPBUS_OK);
	}
}

static void assert_counters_add_up(world *w)
{
	stepbus_text *text = NULL;
	const cJSON *queued;
	cJSON *stats;

	assert_int_equal(stepbus_bridge_stop(w->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_stats(w->bridge, &text, NULL), STEPBUS_OK);
	stats = test_answer_take(text);
	queued = cJSON_GetObjectItem(stats, "queued");
	assert_int_equal(test_answer_int(queued, "waiting"), 0);
	assert_int_equal(test_answer_int(queued, "offered"),
			 test_answer_int(queued, "delivered") + test_answer_int(queued, "dropped"));
	assert_int_equal(test_answer_int(stats, "subscriptions"), 0);
	cJSON_Delete(stats);
}

static void live_through(uint32_t seed)
{
	actor actors[ACTOR_COUNT];
	world w;

	open_world(&w, seed);
	for (size_t i = 0; i < ACTOR_COUNT; i++) {
		actors[i] = (actor){ .w = &w };
		test_thread_start(&actors[i].thread, act_on, &actors[i]);
	}
	for (size_t i = 0; i < ACTOR_COUNT; i++)
		test_thread_join(&actors[i].thread);
	assert_counters_add_up(&w);
	stepbus_bridge_free(w.bridge);
	if (w.bad_count > 0 || w.made_count != w.destroyed_count)
		fail_msg("seed %u: %llu went wrong, %llu were made, %llu destroyed", seed,
			 (unsigned long long)w.bad_count, (unsigned long long)w.made_count,
			 (unsigned long long)w.destroyed_count);
	for (size_t i = 0; i < ACTOR_COUNT; i++)
		while (actors[i].guests != NULL) {
			guest *next = actors[i].guests->next;

			free(actors[i].guests);
			actors[i].guests = next;
		}
}

static void chaos_leaves_nothing_undone(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= ROUND_COUNT; seed++)
		live_through(seed);
}

static void chaos_leaves_nothing_undone_with_fences(void **state)
{
	(void)state;
	sb_guard_force_fences(true);
	for (uint32_t seed = 1001; seed <= 1000 + ROUND_COUNT / 3; seed++)
		live_through(seed);
	sb_guard_force_fences(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chaos_leaves_nothing_undone),
		cmocka_unit_test(chaos_leaves_nothing_undone_with_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
