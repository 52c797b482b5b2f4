/* SPDX-License-Identifier: MIT */
#include "handlers/timetable.h"

#include "base/json.h"
#include "base/utf8.h"
#include "handlers/cron_schedule.h"
#include "handlers/zone_file.h"

/* An entry on its way into the store. */
typedef struct setting {
	sb_operation operation;
	stepbus *engine;
	const sb_timetable_entry *entry;
	sb_cron_expression expression;
	sb_zone *zone;
	/* What is there of that name. */
	bool is_there;
	bool is_same; /* it has the same times, and goes on */
	int64_t next_at_us;
	int64_t last_at_us;
	int64_t paused_at_us;
	int64_t created_at_us;
} setting;

static bool find_row(void *context, const sb_cron_row *row)
{
	setting *s = context;

	if (!sb_slice_is_equal(row->name, s->entry->name))
		return true;
	s->is_there = true;
	s->is_same = sb_slice_is_equal(row->expression, s->entry->expression) &&
		     sb_slice_is_equal(row->zone, s->entry->zone);
	s->next_at_us = row->next_at_us;
	s->last_at_us = row->last_at_us;
	s->paused_at_us = row->paused_at_us;
	s->created_at_us = row->created_at_us;
	return false;
}

static bool find_next(void *context, const sb_cron_row *row)
{
	int64_t *next_us = context;

	if (row->paused_at_us == 0 && row->next_at_us > 0 &&
	    (*next_us == 0 || row->next_at_us < *next_us))
		*next_us = row->next_at_us;
	return true;
}

/* What has changed may be the first to fire now. */
static stepbus_status note_next(stepbus *engine, sb_store *store, stepbus_error *err)
{
	int64_t next_us = 0;
	stepbus_status status = store->type->cron_list(store, find_next, &next_us, err);

	if (status == STEPBUS_OK)
		sb_engine_note_cron(engine, next_us);
	return status;
}

/*
 * What comes next. Times that passed while nobody was there are still to come, for catch_up to
 * decide upon; those that passed in a pause are not. A time that has fired comes no more, even where
 * the clock was put back.
 */
static stepbus_status find_time(const setting *s, int64_t now_us, int64_t *next_us,
				stepbus_error *err)
{
	int64_t after_us = now_us;
	sb_shown shown;

	*next_us = s->next_at_us;
	if (s->is_same && s->paused_at_us == 0 && s->next_at_us > 0)
		return STEPBUS_OK;
	if (s->is_same && s->last_at_us > after_us)
		after_us = s->last_at_us;
	if (sb_cron_next(&s->expression, s->zone, after_us, next_us))
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL,
		       "the cron expression '%s' never fires: no time of the next 50 years fits it",
		       sb_show(&shown, s->entry->expression.data, s->entry->expression.len));
}

static stepbus_status run_set(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	setting *s = (setting *)(void *)operation;
	const sb_timetable_entry *entry = s->entry;
	int64_t now_us = sb_engine_now_us(s->engine);
	sb_cron_row row = { .name = entry->name,
			    .expression = entry->expression,
			    .zone = entry->zone,
			    .step = entry->step,
			    .catch_up = entry->catch_up };
	stepbus_status status;

	s->is_there = s->is_same = false;
	status = store->type->cron_list(store, find_row, s, err);
	if (status == STEPBUS_OK)
		status = find_time(s, now_us, &row.next_at_us, err);
	if (status != STEPBUS_OK)
		return status;
	row.last_at_us = s->is_same ? s->last_at_us : 0;
	row.created_at_us = s->is_there ? s->created_at_us : now_us;
	if (entry->is_paused)
		row.paused_at_us = s->is_there && s->paused_at_us != 0 ? s->paused_at_us : now_us;
	status = store->type->cron_put(store, &row, err);
	return status == STEPBUS_OK ? note_next(s->engine, store, err) : status;
}

stepbus_status sb_timetable_set(stepbus *engine, const sb_timetable_entry *entry,
				stepbus_error *err)
{
	setting s = { .operation = { .run = run_set, .weight = 1 },
		      .engine = engine,
		      .entry = entry };
	stepbus_status status = sb_cron_parse(entry->expression, &s.expression, err);

	if (status == STEPBUS_OK)
		status = sb_zone_load(&engine->host, SB_ZONE_DIRECTORY, entry->zone, &s.zone, err);
	if (status == STEPBUS_OK)
		status = sb_writer_perform(&engine->writer, &s.operation, err);
	sb_zone_free(&engine->host, s.zone);
	return status;
}

typedef struct removal {
	sb_operation operation;
	stepbus *engine;
	sb_slice name;
} removal;

static stepbus_status run_remove(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	const removal *r = (const removal *)(const void *)operation;
	stepbus_status status = store->type->cron_delete(store, r->name, err);

	return status == STEPBUS_OK ? note_next(r->engine, store, err) : status;
}

stepbus_status sb_timetable_remove(stepbus *engine, sb_slice name, stepbus_error *err)
{
	removal r = { .operation = { .run = run_remove, .weight = 1 },
		      .engine = engine,
		      .name = name };

	return sb_writer_perform(&engine->writer, &r.operation, err);
}

typedef struct listing {
	const stepbus_host *host;
	sb_json *list;
	bool is_complete;
} listing;

static bool list_row(void *context, const sb_cron_row *row)
{
	listing *l = context;
	sb_json *json = sb_json_object_new();
	bool is_complete = sb_json_add_foreign(json, "name", row->name) &&
			   sb_json_add_foreign(json, "expression", row->expression) &&
			   sb_json_add_foreign(json, "zone", row->zone) &&
			   sb_json_add_foreign(json, "catch_up", row->catch_up) &&
			   sb_json_add_bool(json, "is_paused", row->paused_at_us != 0) &&
			   sb_json_add_moment(json, "paused_at", row->paused_at_us) &&
			   sb_json_add_moment(json, "next_at", row->next_at_us) &&
			   sb_json_add_moment(json, "last_at", row->last_at_us) &&
			   sb_json_add_moment(json, "created_at", row->created_at_us) &&
			   sb_json_add_checked(json, "step", row->step, l->host);

	l->is_complete = sb_json_add_part_take(l->list, NULL, json) && is_complete;
	return l->is_complete;
}

stepbus_status sb_timetable_list(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	listing l = { .host = &engine->host, .list = sb_json_array_new(), .is_complete = true };
	stepbus_status status = engine->store->type->cron_list(engine->store, list_row, &l, err);

	if (status == STEPBUS_OK)
		return sb_json_print_take(l.list, l.is_complete, &engine->host, out, err);
	sb_json_free(l.list);
	return status;
}
