/* SPDX-License-Identifier: MIT */
/*
 * A storm: four threads publish, two subscribe and unsubscribe in every way there is, for
 * STORM_SECONDS (10 where the environment does not say otherwise). Nothing may be lost, invented,
 * delivered to who has gone, or destroyed twice.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/guard.h"
#include "support/cmocka.h"
#include "support/thread.h"

#include "include/stepbus.h"

enum {
	PUBLISHER_COUNT = 4,
	CHURNER_COUNT = 2,
	ALIVE_COUNT = 8,
	DECLARED_COUNT_MAX = 300,
	ROUND_COUNT_MAX = 50
};
enum { ALIVE = 0x600DF00D, POISONED = 0x0DEADBAD };

/* What went wrong, each kind counted by itself. */
typedef struct damage {
	_Atomic(uint64_t) out_of_order;  /* a permanent subscriber missed or saw twice */
	_Atomic(uint64_t) to_the_dead;   /* delivered after unsubscribe had returned */
	_Atomic(uint64_t) to_the_buried; /* delivered after destroy */
	_Atomic(uint64_t) once_too_often;
	_Atomic(uint64_t) destroyed_again;
	_Atomic(uint64_t) not_destroyed; /* when unsubscribe returned */
	_Atomic(uint64_t) status;        /* a call answered what it may not answer */
} damage;

typedef struct storm {
	stepbus_bridge *bridge;
	uint32_t events[PUBLISHER_COUNT];
	uint32_t sink; /* what callbacks publish */
	_Atomic(bool) is_over;
	damage d;
	_Atomic(uint64_t) made_count;
	_Atomic(uint64_t) destroyed_count;
	_Atomic(uint64_t) delivered_count; /* to those who come and go */
} storm;

/* A publisher, and the two who see all it publishes. */
typedef struct publisher {
	storm *s;
	uint32_t event;
	uint64_t published_count;
	uint64_t seen_count;   /* on its own thread */
	uint64_t queued_count; /* on the loop thread */
	test_thread thread;
} publisher;

/* One who comes and goes. Freed by the later of who made it and its destroy. */
typedef struct transient {
	storm *s;
	_Atomic(uint32_t) magic;
	_Atomic(uint32_t) is_dead;
	_Atomic(uint32_t) ref_count;
	_Atomic(uint32_t) delivered_count;
	uint32_t flags;
	uint32_t mood; /* what it does from inside its callback */
	_Atomic(uint64_t) id;
} transient;

typedef struct churner {
	storm *s;
	uint32_t random;
	uint32_t declared_count;
	transient *alive[ALIVE_COUNT];
	test_thread thread;
} churner;

static void add(_Atomic(uint64_t) *count)
{
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static int32_t see_next(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	publisher *p = user_data;
	uint64_t number = UINT64_MAX;

	if (len == sizeof number)
		memcpy(&number, payload, sizeof number);
	if (event_id != p->event || number != p->seen_count)
		add(&p->s->d.out_of_order);
	p->seen_count = number + 1;
	return STEPBUS_OK;
}

static int32_t see_next_queued(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	publisher *p = user_data;
	uint64_t number = UINT64_MAX;

	if (len == sizeof number)
		memcpy(&number, payload, sizeof number);
	if (event_id != p->event || number != p->queued_count)
		add(&p->s->d.out_of_order);
	p->queued_count = number + 1;
	return STEPBUS_OK;
}

static void publish_on(void *context)
{
	publisher *p = context;

	while (!atomic_load_explicit(&p->s->is_over, memory_order_relaxed)) {
		stepbus_status status =
			stepbus_bridge_publish(p->s->bridge, p->event, &p->published_count,
					       sizeof p->published_count, NULL);

		/* Queues of those who come and go may be full, or close under a publisher. */
		if (status != STEPBUS_OK && status != STEPBUS_EFULL && status != STEPBUS_EDELIVERY)
			add(&p->s->d.status);
		p->published_count++;
	}
}

static void drop_transient(transient *t)
{
	if (atomic_fetch_sub(&t->ref_count, 1) == 1)
		free(t);
}

static void bury(void *user_data)
{
	transient *t = user_data;

	if (atomic_exchange(&t->magic, POISONED) != ALIVE)
		add(&t->s->d.destroyed_again);
	add(&t->s->destroyed_count);
	drop_transient(t);
}

/* Few of them do something, lest the storm be all of their making. */
static void act(transient *t)
{
	storm *s = t->s;
	stepbus_status status = STEPBUS_OK;

	switch (t->mood) {
	case 0:
		status = stepbus_bridge_unsubscribe(s->bridge, atomic_load(&t->id), NULL);
		break;
	case 1:
		/* Whoever that is by now. */
		status = stepbus_bridge_unsubscribe(s->bridge, atomic_load(&t->id) - 1, NULL);
		break;
	case 2:
		status = stepbus_bridge_publish(s->bridge, s->sink, NULL, 0, NULL);
		break;
	default:
		break;
	}
	/* Queues of others may be full or close under this one too. */
	if (status != STEPBUS_OK && status != STEPBUS_ENOTFOUND && status != STEPBUS_EFULL &&
	    status != STEPBUS_EDELIVERY)
		add(&s->d.status);
}

static int32_t deliver_transient(void *user_data, uint32_t event_id, const void *payload,
				 size_t len)
{
	transient *t = user_data;
	storm *s = t->s;

	(void)event_id;
	(void)payload;
	(void)len;
	if (atomic_load(&t->magic) != ALIVE)
		add(&s->d.to_the_buried);
	if (atomic_load(&t->is_dead) != 0)
		add(&s->d.to_the_dead);
	if (atomic_fetch_add(&t->delivered_count, 1) > 0 &&
	    (t->flags & STEPBUS_SUBSCRIPTION_ONCE) != 0)
		add(&s->d.once_too_often);
	add(&s->delivered_count);
	/* Permanent ones have low ids: those that end their neighbour must not meet one. */
	if (atomic_load(&t->id) > 100 && t->mood < 3)
		act(t);
	return STEPBUS_OK;
}

static uint32_t draw(churner *c, uint32_t limit)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 17;
	c->random ^= c->random << 5;
	return c->random % limit;
}

static void come(churner *c, size_t place)
{
	static const char *const patterns[] = { "*",       "storm.*", "storm.0", "storm.1",
						"storm.2", "storm.3", "*.0",     "sink" };
	const char *pattern = patterns[draw(c, 8)];
	transient *t = calloc(1, sizeof *t);
	stepbus_subscription spec = { .size = sizeof spec,
				      .flags = draw(c, 4),
				      .priority = (int32_t)draw(c, 3) - 1,
				      .overflow = (int32_t)draw(c, 3),
				      .queue_count_max = 1 + draw(c, 20),
				      .deliver = deliver_transient,
				      .user_data = t,
				      .destroy = bury };
	uint64_t id = 0;

	if (t == NULL)
		return;
	t->s = c->s;
	t->flags = spec.flags;
	t->mood = draw(c, 40);
	atomic_store(&t->magic, ALIVE);
	atomic_store(&t->ref_count, 2);
	/* None may publish what it receives: that would be a storm without an end. */
	if (t->mood == 2 && (strcmp(pattern, "*") == 0 || strcmp(pattern, "sink") == 0))
		t->mood = 3;
	add(&c->s->made_count);
	if (stepbus_bridge_subscribe(c->s->bridge, pattern, strlen(pattern), &spec, &id, NULL) !=
	    STEPBUS_OK)
		add(&c->s->d.status);
	atomic_store(&t->id, id);
	c->alive[place] = t;
}

static void go(churner *c, size_t place)
{
	transient *t = c->alive[place];
	stepbus_status status = stepbus_bridge_unsubscribe(c->s->bridge, atomic_load(&t->id), NULL);

	if (status == STEPBUS_OK) {
		atomic_store(&t->is_dead, 1);
		if (atomic_load(&t->magic) != POISONED)
			add(&c->s->d.not_destroyed);
	} else if (status != STEPBUS_ENOTFOUND) {
		add(&c->s->d.status);
	}
	c->alive[place] = NULL;
	drop_transient(t);
}

/* What changes the table of events, and what only looks. */
static void disturb(churner *c)
{
	char name[32];
	stepbus_text *text = NULL;
	stepbus_event_info info = { .size = sizeof info, .name = name };
	stepbus_status status;

	if (c->declared_count < DECLARED_COUNT_MAX) {
		info.name_len =
			(size_t)snprintf(name, sizeof name, "storm.%zu.%u",
					 (size_t)((uintptr_t)c >> 4) % 100000, c->declared_count++);
		status = stepbus_bridge_declare(c->s->bridge, &info, NULL, NULL);
	} else {
		status = stepbus_bridge_listeners(c->s->bridge, NULL, 0, &text, NULL);
		stepbus_text_free(text);
	}
	if (status != STEPBUS_OK)
		add(&c->s->d.status);
}

static void churn_on(void *context)
{
	churner *c = context;

	while (!atomic_load_explicit(&c->s->is_over, memory_order_relaxed)) {
		size_t place = draw(c, ALIVE_COUNT);

		if (c->alive[place] == NULL)
			come(c, place);
		else
			go(c, place);
		if (draw(c, 50) == 0)
			disturb(c);
		if (draw(c, 4) == 0)
			sched_yield();
	}
	for (size_t place = 0; place < ALIVE_COUNT; place++)
		if (c->alive[place] != NULL)
			go(c, place);
}

static void declare(storm *s, const char *name, uint32_t *event)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = name,
					  .name_len = strlen(name) };

	assert_int_equal(stepbus_bridge_declare(s->bridge, &info, event, NULL), STEPBUS_OK);
}

static void open_storm(storm *s, publisher *publishers)
{
	assert_int_equal(stepbus_bridge_new(NULL, &s->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_start(s->bridge, NULL), STEPBUS_OK);
	declare(s, "sink", &s->sink);
	for (size_t i = 0; i < PUBLISHER_COUNT; i++) {
		const char name[] = { 's', 't', 'o', 'r', 'm', '.', (char)('0' + i), '\0' };
		publisher *p = &publishers[i];
		stepbus_subscription spec = { .size = sizeof spec,
					      .deliver = see_next,
					      .user_data = p };

		*p = (publisher){ .s = s };
		declare(s, name, &p->event);
		assert_int_equal(stepbus_bridge_subscribe(s->bridge, name, 7, &spec, NULL, NULL),
				 STEPBUS_OK);
		/* Half of them go at full speed, the others wait for the loop to follow. */
		spec.flags = STEPBUS_SUBSCRIPTION_QUEUED;
		spec.overflow = STEPBUS_OVERFLOW_BLOCK;
		spec.queue_count_max = 64;
		spec.deliver = see_next_queued;
		if (i % 2 == 0)
			assert_int_equal(
				stepbus_bridge_subscribe(s->bridge, name, 7, &spec, NULL, NULL),
				STEPBUS_OK);
	}
	/* Ids up to 100 are kept for the permanent ones: see deliver_transient. */
	for (int i = 0; i < 100; i++) {
		const stepbus_subscription spec = { .size = sizeof spec,
						    .deliver = see_next,
						    .user_data = &publishers[0] };
		uint64_t id = 0;

		stepbus_bridge_subscribe(s->bridge, "sink", 4, &spec, &id, NULL);
		stepbus_bridge_unsubscribe(s->bridge, id, NULL);
	}
}

static void wait_for(double seconds)
{
	struct timespec until;
	sem_t never;

	/* A wait for a time, since the time is what the storm is about. */
	sem_init(&never, 0, 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)seconds;
	until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (sem_timedwait(&never, &until) != 0 && errno == EINTR)
		;
	sem_destroy(&never);
}

/* On a machine that is busy it may take a while. */
static bool has_come_up(const storm *s)
{
	return atomic_load(&s->made_count) > 100 && atomic_load(&s->delivered_count) > 100;
}

static void check_damage(const storm *s)
{
	const damage *d = &s->d;

	if (d->out_of_order + d->to_the_dead + d->to_the_buried + d->once_too_often +
		    d->destroyed_again + d->not_destroyed + d->status !=
	    0)
		fail_msg("out of order %llu, to the dead %llu, to the buried %llu, once too often "
			 "%llu, destroyed again %llu, not destroyed %llu, status %llu",
			 (unsigned long long)d->out_of_order, (unsigned long long)d->to_the_dead,
			 (unsigned long long)d->to_the_buried,
			 (unsigned long long)d->once_too_often,
			 (unsigned long long)d->destroyed_again,
			 (unsigned long long)d->not_destroyed, (unsigned long long)d->status);
}

static void rage(double seconds)
{
	storm *s = calloc(1, sizeof *s);
	publisher publishers[PUBLISHER_COUNT];
	churner churners[CHURNER_COUNT];

	open_storm(s, publishers);
	for (size_t i = 0; i < PUBLISHER_COUNT; i++)
		test_thread_start(&publishers[i].thread, publish_on, &publishers[i]);
	for (size_t i = 0; i < CHURNER_COUNT; i++) {
		churners[i] = (churner){ .s = s, .random = 2463534242u + (uint32_t)i };
		test_thread_start(&churners[i].thread, churn_on, &churners[i]);
	}
	for (int i = 0; i < ROUND_COUNT_MAX && (i == 0 || !has_come_up(s)); i++)
		wait_for(seconds);
	atomic_store(&s->is_over, true);
	for (size_t i = 0; i < CHURNER_COUNT; i++)
		test_thread_join(&churners[i].thread);
	for (size_t i = 0; i < PUBLISHER_COUNT; i++)
		test_thread_join(&publishers[i].thread);
	stepbus_bridge_free(s->bridge);
	check_damage(s);
	for (size_t i = 0; i < PUBLISHER_COUNT; i++) {
		assert_true(publishers[i].published_count > 0);
		assert_int_equal(publishers[i].seen_count, publishers[i].published_count);
		if (i % 2 == 0)
			assert_int_equal(publishers[i].queued_count, publishers[i].published_count);
	}
	assert_int_equal(s->destroyed_count, s->made_count);
	assert_true(has_come_up(s));
	print_message("%llu came and went, %llu were delivered to them\n",
		      (unsigned long long)s->made_count, (unsigned long long)s->delivered_count);
	free(s);
}

static double storm_seconds(void)
{
	const char *given = getenv("STORM_SECONDS");

	return given != NULL ? strtod(given, NULL) : 10;
}

static void a_storm_loses_and_invents_nothing(void **state)
{
	(void)state;
	rage(storm_seconds());
}

static void a_storm_loses_and_invents_nothing_with_fences(void **state)
{
	(void)state;
	sb_guard_force_fences(true);
	rage(storm_seconds() / 5);
	sb_guard_force_fences(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_loses_and_invents_nothing),
		cmocka_unit_test(a_storm_loses_and_invents_nothing_with_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
