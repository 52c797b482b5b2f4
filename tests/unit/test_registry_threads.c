/* SPDX-License-Identifier: MIT */
/* Looking up while others change the registry: what is found is alive, and everything ends once. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/guard.h"
#include "support/cmocka.h"
#include "support/spec.h"

enum {
	RESOLVER_COUNT = 4,
	REGISTRAR_COUNT = 2,
	NAME_COUNT = 5,
	ALIVE = 0x5EED,
	STORM_MS = 3000,
	FENCED_STORM_MS = 2000,
	HANDOVER_MS = 1500
};

static const char *const names[NAME_COUNT] = { "alpha", "beta", "gamma", "delta", "epsilon" };

/* What a handler of the storm has as its user_data; freed by destroy, so that a sanitizer sees any
 * use after that. */
typedef struct item {
	int magic;
	const char *name;
	/* Written by each resolver in its own place and read by destroy, without any order but that of
	 * giving back: a sanitizer sees it where that is none. */
	uint32_t uses[RESOLVER_COUNT];
} item;

typedef struct storm {
	stepbus_registry *registry;
	_Atomic(bool) is_over;
	_Atomic(uint64_t) made;
	_Atomic(uint64_t) destroyed;
	_Atomic(uint64_t) found;
	_Atomic(uint64_t) missed;
	_Atomic(uint64_t) faults; /* things that must not happen */
} storm;

static storm s;

/* Where a resolver leaves a handler for another to give back. */
static _Atomic(stepbus_handler *) mailbox;

static void destroy_item(void *user_data)
{
	item *i = user_data;
	uint32_t uses = 0;

	for (int n = 0; n < RESOLVER_COUNT; n++)
		uses += i->uses[n];
	if (i->magic != ALIVE || uses > UINT32_MAX / 2)
		atomic_fetch_add(&s.faults, 1);
	i->magic = 0;
	free(i);
	atomic_fetch_add(&s.destroyed, 1);
}

static stepbus_handler_spec new_spec(uint32_t n)
{
	stepbus_handler_spec spec = test_spec(names[n % NAME_COUNT], n % 2 == 0 ? "v1" : "v2");
	item *i = malloc(sizeof *i);

	if (i != NULL)
		*i = (item){ ALIVE, spec.name, { 0 } };
	spec.user_data = i;
	spec.destroy = destroy_item;
	atomic_fetch_add(&s.made, 1);
	return spec;
}

static void expect_one_of(stepbus_status status, stepbus_status this, stepbus_status that)
{
	if (status != this && status != that)
		atomic_fetch_add(&s.faults, 1);
}

static void register_one(uint32_t n)
{
	stepbus_handler_spec spec = new_spec(n);

	spec.flags = n % 3 == 0 ? STEPBUS_HANDLER_OVERRIDE : 0;
	expect_one_of(stepbus_registry_register(s.registry, &spec, NULL), STEPBUS_OK,
		      spec.flags != 0 ? STEPBUS_OK : STEPBUS_EEXISTS);
}

static void register_group(uint32_t n)
{
	const stepbus_handler_spec specs[] = { new_spec(n), new_spec(n + 1), new_spec(n + 2) };

	expect_one_of(
		stepbus_registry_register_domain(s.registry, STEPBUS_TEXT("storm"), specs, 3, NULL),
		STEPBUS_OK, STEPBUS_EEXISTS);
}

static void unregister_one(uint32_t n)
{
	const stepbus_handler_key key =
		test_key(names[n % NAME_COUNT], n % 7 == 0 ? NULL : (n % 2 == 0 ? "v1" : "v2"));

	expect_one_of(stepbus_registry_unregister(s.registry, &key, NULL), STEPBUS_OK,
		      STEPBUS_ENOTFOUND);
}

/* Not random at all, but without a pattern that two threads could fall into step with. */
static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void *change(void *context)
{
	uint32_t seed = *(const uint32_t *)context * 7919 + 1;

	while (!atomic_load(&s.is_over)) {
		uint32_t n = next(&seed);

		switch (n / NAME_COUNT % 16) {
		case 0:
			stepbus_registry_clear(s.registry, NULL);
			break;
		case 1:
		case 2:
			register_group(n);
			break;
		case 3:
		case 4:
		case 5:
		case 6:
		case 7:
			unregister_one(n);
			break;
		default:
			register_one(n);
			break;
		}
	}
	return NULL;
}

/* index says which resolver this is; mail_every how often it leaves what it found to another. */
static void look_up(uint32_t n, uint32_t index, uint32_t mail_every)
{
	const stepbus_handler_key key = test_key(names[n % NAME_COUNT], n % 3 == 0 ? NULL : "v2");
	stepbus_handler *handler = NULL;
	stepbus_status status = stepbus_registry_resolve(s.registry, &key, &handler, NULL);
	item *i;

	if (status != STEPBUS_OK) {
		expect_one_of(status, STEPBUS_ENOTFOUND, STEPBUS_ENOTFOUND);
		atomic_fetch_add(&s.missed, 1);
		return;
	}
	i = stepbus_handler_definition(handler)->user_data;
	if (i->magic != ALIVE || strcmp(i->name, key.name) != 0)
		atomic_fetch_add(&s.faults, 1);
	i->uses[index]++;
	if (n % mail_every == 0)
		handler = atomic_exchange(&mailbox, handler);
	stepbus_handler_unref(handler);
	atomic_fetch_add(&s.found, 1);
}

static void *resolve(void *context)
{
	uint32_t index = *(const uint32_t *)context;
	uint32_t seed = index * 7919 + 1;

	while (!atomic_load(&s.is_over))
		for (int i = 0; i < 64; i++)
			look_up(next(&seed), index, 5);
	return NULL;
}

/* One name only, and nobody gives back what he found himself. */
static void *resolve_and_hand_over(void *context)
{
	uint32_t index = *(const uint32_t *)context;

	while (!atomic_load(&s.is_over))
		for (int i = 0; i < 64; i++)
			look_up(0, index, 1);
	return NULL;
}

static void *come_and_go(void *context)
{
	const stepbus_handler_key key = test_key(names[0], NULL);

	(void)context;
	while (!atomic_load(&s.is_over)) {
		register_one(0);
		stepbus_registry_unregister(s.registry, &key, NULL);
	}
	return NULL;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int32_t look_at(void *user_data, const stepbus_handler_spec *definition)
{
	(void)user_data;
	if (((const item *)definition->user_data)->magic != ALIVE)
		atomic_fetch_add(&s.faults, 1);
	return 0;
}

/* What the main thread does meanwhile. */
static void introspect_until(int64_t end_ms)
{
	while (now_ms() < end_ms) {
		stepbus_text *text = NULL;

		assert_int_equal(stepbus_registry_each(s.registry, look_at, NULL, NULL), 0);
		assert_int_equal(stepbus_registry_list(s.registry, NULL, &text, NULL), STEPBUS_OK);
		stepbus_text_free(text);
		assert_true(stepbus_registry_count(s.registry) <= 2 * NAME_COUNT);
	}
}

static void run_storm(int64_t duration_ms, void *(*resolver)(void *context),
		      void *(*registrar)(void *context))
{
	enum { COUNT = RESOLVER_COUNT + REGISTRAR_COUNT };
	pthread_t threads[COUNT];
	uint32_t indices[COUNT];

	memset(&s, 0, sizeof s);
	assert_int_equal(stepbus_registry_new(NULL, &s.registry, NULL), STEPBUS_OK);
	for (uint32_t i = 0; i < COUNT; i++) {
		indices[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < RESOLVER_COUNT ? resolver : registrar,
						&indices[i]),
				 0);
	}
	introspect_until(now_ms() + duration_ms);
	atomic_store(&s.is_over, true);
	for (size_t i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	stepbus_registry_free(s.registry);
	stepbus_handler_unref(atomic_exchange(&mailbox, NULL));
}

static void expect_calm(void)
{
	assert_int_equal(s.faults, 0);
	assert_int_equal(s.destroyed, s.made);
	assert_true(s.found > 0);
	assert_true(s.missed > 0);
}

static void a_storm_of_changes_leaves_only_live_handlers_to_be_found(void **state)
{
	(void)state;
	run_storm(STORM_MS, resolve, change);
	expect_calm();
}

/* The same where the kernel has no membarrier. Before any other thread uses the guard. */
static void the_storm_is_as_calm_with_fences(void **state)
{
	(void)state;
	sb_guard_force_fences(true);
	run_storm(FENCED_STORM_MS, resolve, change);
	sb_guard_force_fences(false);
	expect_calm();
}

static void handlers_handed_from_thread_to_thread_end_once(void **state)
{
	(void)state;
	run_storm(HANDOVER_MS, resolve_and_hand_over, come_and_go);
	expect_calm();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_of_changes_leaves_only_live_handlers_to_be_found),
		cmocka_unit_test(the_storm_is_as_calm_with_fences),
		cmocka_unit_test(handlers_handed_from_thread_to_thread_end_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
