/* SPDX-License-Identifier: MIT */
/*
 * The registry as a contestant, used as a host would: the key is filled in for each look-up, the
 * reference is given back, every status is looked at. It may be used from any thread meanwhile.
 */
#include "bench/keys.h"

#include "include/stepbus.h"

#include <stdlib.h>

typedef struct registry_table {
	key_set keys;
	stepbus_registry *registry;
	uint32_t position;
} registry_table;

static void must(stepbus_status status, const char *what, const stepbus_error *err)
{
	if (status != STEPBUS_OK)
		bench_die("stepbus cannot %s: %s: %s", what, stepbus_status_name(status),
			  err->message);
}

static int32_t never_called(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	return stepbus_result_success(result, NULL, 0, NULL);
}

static void insert(stepbus_registry *registry, const bench_key *key)
{
	stepbus_error err;
	stepbus_handler_spec spec = { .size = sizeof(spec), .call = never_called };

	err.size = sizeof(err);
	spec.name = key_name(key);
	spec.name_len = KEY_NAME_LEN;
	spec.handler_namespace = KEY_NAMESPACE;
	spec.handler_namespace_len = sizeof(KEY_NAMESPACE) - 1;
	spec.version = KEY_VERSION;
	spec.version_len = sizeof(KEY_VERSION) - 1;
	must(stepbus_registry_register(registry, &spec, &err), "register", &err);
}

static void *open_empty(const void *plan)
{
	registry_table *table = bench_alloc(1, sizeof(*table));

	key_set_init(&table->keys, plan);
	return table;
}

static void *open_filled(const void *plan)
{
	registry_table *table = open_empty(plan);
	stepbus_error err = STEPBUS_ERROR_INIT;

	must(stepbus_registry_new(NULL, &table->registry, &err), "make a registry", &err);
	for (uint32_t i = 0; i < table->keys.count; i++)
		insert(table->registry, &table->keys.stored[i]);
	return table;
}

static uint64_t run_resolve(void *state, uint64_t iterations)
{
	registry_table *table = state;
	const key_set *keys = &table->keys;
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status failed = STEPBUS_OK;
	uint32_t position = table->position;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		stepbus_handler *handler = NULL;
		stepbus_handler_key key = { .size = sizeof(key) };

		key.name = key_name(&keys->asked[keys->order[position]]);
		key.name_len = KEY_NAME_LEN;
		key.handler_namespace = KEY_NAMESPACE;
		key.handler_namespace_len = sizeof(KEY_NAMESPACE) - 1;
		key.version = KEY_VERSION;
		key.version_len = sizeof(KEY_VERSION) - 1;
		failed |= stepbus_registry_resolve(table->registry, &key, &handler, &err);
		stepbus_handler_unref(handler);
		position = position + 1 == keys->order_count ? 0 : position + 1;
	}
	start = bench_now_ns() - start;
	table->position = position;
	must(failed, "resolve", &err);
	bench_work_add(iterations);
	return start;
}

/*
 * One slice fills one fresh registry: the cost of an insert is that of the whole way up to the last
 * one.
 */
static uint64_t run_insert(void *state, uint64_t iterations)
{
	registry_table *table = state;
	stepbus_registry *registry = NULL;
	stepbus_error err = STEPBUS_ERROR_INIT;
	uint64_t start = 0;

	must(stepbus_registry_new(NULL, &registry, &err), "make a registry", &err);
	start = bench_now_ns();
	for (uint64_t i = 0; i < iterations; i++)
		insert(registry, &table->keys.stored[i]);
	start = bench_now_ns() - start;
	bench_work_add(stepbus_registry_count(registry));
	stepbus_registry_free(registry);
	return start;
}

static void close_table(void *state)
{
	registry_table *table = state;

	stepbus_registry_free(table->registry);
	key_set_free(&table->keys);
	free(table);
}

const bench_peer peer_stepbus_resolve = { "stepbus", open_filled, run_resolve, close_table, NULL };
const bench_peer peer_stepbus_insert = { "stepbus", open_empty, run_insert, close_table, NULL };
