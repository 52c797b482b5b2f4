/* SPDX-License-Identifier: MIT */
#include "handlers/queue_settings.h"

#include "handlers/parked.h"
#include "handlers/rate.h"

enum { MICRO = 1000000 };

typedef struct settings {
	sb_operation operation;
	stepbus *engine;
	const sb_queue_change *changes;
	size_t count;
} settings;

/* What one pass over the parked steps is about: those whose queue has more room now. */
typedef struct release {
	sb_operation operation;
	stepbus *engine;
	sb_parked_walk walk;
} release;

void sb_queue_settings_pause(void *context, sb_queue_row *row)
{
	(void)context;
	/* The run fills the time in. */
	if (row->paused_at_us == 0)
		row->paused_at_us = -1;
}

void sb_queue_settings_resume(void *context, sb_queue_row *row)
{
	(void)context;
	row->paused_at_us = 0;
}

void sb_queue_settings_carry_rate(const sb_queue_row *before, sb_queue_row *after, int64_t now_us)
{
	int64_t room = sb_rate_room(before, now_us);

	/* Steps that were allowed to start and did not are allowed still; no limit leaves a full one. */
	if (room > after->rate_count)
		room = after->rate_count;
	after->rate_room_micro = room * MICRO;
	after->rate_at_us = now_us;
}

static bool is_same(const sb_queue_row *a, const sb_queue_row *b)
{
	return a->paused_at_us == b->paused_at_us && a->concurrency_max == b->concurrency_max &&
	       a->key_concurrency_max == b->key_concurrency_max && a->rate_count == b->rate_count &&
	       a->rate_period_us == b->rate_period_us;
}

static stepbus_status change_queue(settings *s, const sb_queue_change *change, sb_store *store,
				   stepbus_error *err)
{
	int64_t now_us = sb_engine_now_us(s->engine);
	sb_queue_row before, after;
	int64_t id = 0;
	stepbus_status status = sb_names_queue(&s->engine->names, store, change->name, &id, err);

	if (status == STEPBUS_OK)
		status = store->type->queue_read(store, id, &before, err);
	if (status != STEPBUS_OK)
		return status;
	after = before;
	change->change(change->context, &after);
	if (after.paused_at_us < 0)
		after.paused_at_us = now_us;
	if (is_same(&before, &after))
		return STEPBUS_OK;
	if (after.rate_count != before.rate_count || after.rate_period_us != before.rate_period_us)
		sb_queue_settings_carry_rate(&before, &after, now_us);
	return store->type->queue_write(store, &after, err);
}

static stepbus_status run(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	settings *s = (settings *)(void *)operation;
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; status == STEPBUS_OK && i < s->count; i++)
		status = change_queue(s, &s->changes[i], store, err);
	return status;
}

static stepbus_status run_release(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	release *r = (release *)(void *)operation;

	return sb_parked_release(r->engine, store, &r->walk, err);
}

/* Where this breaks off, the clockwork's own round goes on. */
static stepbus_status release_parked(stepbus *engine, stepbus_error *err)
{
	release r = { .operation = { .run = run_release, .weight = 1 }, .engine = engine };
	stepbus_status status = STEPBUS_OK;

	sb_parked_walk_begin(&r.walk, SB_PARKED_COUNT_MAX);
	while (status == STEPBUS_OK && !r.walk.is_over) {
		status = sb_writer_perform(&engine->writer, &r.operation, err);
		sb_parked_walk_advance(&r.walk);
	}
	return status;
}

stepbus_status sb_queue_settings_change(stepbus *engine, const sb_queue_change *changes,
					size_t count, stepbus_error *err)
{
	settings s = { .operation = { .run = run, .weight = 1 },
		       .engine = engine,
		       .changes = changes,
		       .count = count };
	stepbus_status status = sb_writer_perform(&engine->writer, &s.operation, err);

	if (status == STEPBUS_OK)
		status = release_parked(engine, err);
	if (status == STEPBUS_OK)
		sb_engine_wake(engine);
	return status;
}
