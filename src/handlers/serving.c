/* SPDX-License-Identifier: MIT */
#include "handlers/serving.h"

#include "handlers/rate.h"
#include "handlers/worker.h"

static const int64_t us_per_minute = 60000000;

void sb_serving_forget(stepbus *engine)
{
	engine->serving_generation++;
}

typedef struct served_node {
	sb_map_node node;
	size_t len;
	char key[];
} served_node;

void sb_serving_clear(stepbus *engine)
{
	sb_map_node *node;

	while ((node = sb_map_first(&engine->elsewhere)) != NULL) {
		sb_map_remove(&engine->elsewhere, node);
		sb_release(&engine->host, node);
	}
}

static bool is_ours(const stepbus *engine, int64_t worker_id)
{
	for (const stepbus_worker *w = engine->workers; w != NULL; w = w->next)
		if (w->row.id == worker_id)
			return true;
	return false;
}

static size_t family_key(char *key, size_t room, sb_slice handler_namespace, sb_slice name)
{
	if (handler_namespace.len + name.len + 1 > room)
		return 0;
	memcpy(key, handler_namespace.data, handler_namespace.len);
	key[handler_namespace.len] = '\0';
	memcpy(key + handler_namespace.len + 1, name.data, name.len);
	return handler_namespace.len + 1 + name.len;
}

typedef struct served_walk {
	stepbus *engine;
	bool is_out_of_memory;
} served_walk;

static bool note_served(void *context, const sb_served_row *row)
{
	served_walk *walk = context;
	sb_map *map = &walk->engine->elsewhere;
	size_t room = row->handler_namespace.len + row->name.len + 1;
	served_node *node;

	if (row->name.len == 0 || is_ours(walk->engine, row->worker_id))
		return true;
	node = sb_alloc(&walk->engine->host, sizeof *node + room);
	if (node != NULL) {
		node->len = family_key(node->key, room, row->handler_namespace, row->name);
		if (sb_map_find(map, node->key, node->len) != NULL) {
			sb_release(&walk->engine->host, node);
			return true;
		}
		if (sb_map_add(map, &node->node, node->key, node->len))
			return true;
	}
	sb_release(&walk->engine->host, node);
	walk->is_out_of_memory = true;
	return false;
}

stepbus_status sb_serving_read(stepbus *engine, stepbus_error *err)
{
	served_walk walk = { .engine = engine };
	stepbus_status status;

	sb_serving_clear(engine);
	status = engine->store->type->served_list(engine->store, note_served, &walk, err);
	if (status == STEPBUS_OK && walk.is_out_of_memory)
		status = sb_fail_memory(err, "read which handlers other workers serve");
	if (status == STEPBUS_OK)
		engine->group.is_served_read = true;
	return status;
}

static void note_limits(void *context, const stepbus_handler_spec *spec)
{
	sb_known_handler *known = context;

	known->is_pulled = (spec->flags & STEPBUS_HANDLER_PULLED) != 0;
	known->concurrency_max = spec->concurrency_max;
	known->rate.rate_count = spec->rate_per_minute;
	known->rate.rate_period_us = us_per_minute;
}

static bool is_registered_here(stepbus *engine, sb_known_handler *known)
{
	const sb_handler_row *row = &known->row;
	const sb_handler_name name = { .name = row->name,
				       .handler_namespace = row->handler_namespace,
				       .version = row->version };

	return sb_registry_peek(engine->registry, &name, note_limits, known);
}

static bool is_served_elsewhere(stepbus *engine, const sb_handler_row *row)
{
	char key[2 * SB_NAME_LEN_MAX + 1];
	size_t len = family_key(key, sizeof key, row->handler_namespace, row->name);

	return len > 0 && sb_map_find(&engine->elsewhere, key, len) != NULL;
}

stepbus_status sb_serving_judge(stepbus *engine, sb_known_handler *handler, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	if (handler->judged_at == engine->serving_generation &&
	    handler->serving != SB_SERVING_UNKNOWN && handler->serving != SB_SERVING_NOWHERE)
		return STEPBUS_OK;
	handler->judged_at = engine->serving_generation;
	handler->serving = SB_SERVING_HERE;
	if (is_registered_here(engine, handler))
		return STEPBUS_OK;
	if (!engine->group.is_served_read)
		status = sb_serving_read(engine, err);
	handler->serving = is_served_elsewhere(engine, &handler->row) ? SB_SERVING_ELSEWHERE :
									SB_SERVING_NOWHERE;
	return status;
}

bool sb_serving_is_for(const sb_known_handler *handler, const stepbus_worker *worker)
{
	switch (handler->serving) {
	case SB_SERVING_HERE:
		return handler->is_pulled == worker->options.is_pull;
	case SB_SERVING_NOWHERE:
		return true; /* to fail at once */
	default:
		return false;
	}
}

bool sb_serving_has_room(stepbus *engine, sb_known_handler *handler)
{
	int64_t now_us = sb_engine_now_us(engine);
	int64_t next_us;

	if (handler->concurrency_max > 0 &&
	    atomic_load(&handler->active_count) >= handler->concurrency_max)
		return false;
	if (handler->rate.rate_count == 0 || sb_rate_room(&handler->rate, now_us) > 0)
		return true;
	next_us = sb_rate_next_us(&handler->rate, now_us);
	if (engine->group.due_at_us == 0 || next_us < engine->group.due_at_us)
		engine->group.due_at_us = next_us;
	return false;
}

void sb_serving_take_room(stepbus *engine, sb_known_handler *handler)
{
	atomic_fetch_add(&handler->active_count, 1);
	if (handler->rate.rate_count > 0)
		sb_rate_take(&handler->rate, sb_engine_now_us(engine), 1);
}
