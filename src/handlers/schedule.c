/* SPDX-License-Identifier: MIT */
#include "handlers/schedule.h"

#include <stdio.h>
#include <string.h>

#include "handlers/complaint.h"
#include "handlers/cron_schedule.h"
#include "handlers/enqueue.h"
#include "handlers/news.h"

enum {
	/* Of all entries that catch up, in one transaction. */
	FIRE_MAX = SB_CRON_DUE_COUNT_MAX,
	/* "cron:", a name, a colon, and a time. */
	KEY_LEN = 5 + SB_NAME_LEN_MAX + 1 + SB_CLOCK_TEXT_LEN,
};

/* An entry that is due; its texts are a copy behind it, since a walk ends before anything is written. */
typedef struct due_entry {
	struct due_entry *next;
	sb_cron_row row;
} due_entry;

typedef struct due_list {
	const stepbus_host *host;
	int64_t now_us;
	int64_t next_us; /* of those that are not due; 0: none */
	due_entry *first;
	size_t count;
	bool is_complete;
} due_list;

#define COMPLAIN_NS (INT64_C(60) * 1000000000)

static void note_next(int64_t *next_us, int64_t at_us)
{
	if (at_us > 0 && (*next_us == 0 || at_us < *next_us))
		*next_us = at_us;
}

static void copy_text(sb_slice *text, char **at)
{
	if (text->len > 0)
		memcpy(*at, text->data, text->len);
	text->data = *at;
	*at += text->len;
}

static due_entry *copy_entry(const stepbus_host *host, const sb_cron_row *row)
{
	size_t len = row->name.len + row->expression.len + row->zone.len + row->step.len +
		     row->catch_up.len;
	due_entry *entry = sb_alloc(host, sizeof *entry + len);
	char *at;

	if (entry == NULL)
		return NULL;
	at = (char *)(entry + 1);
	entry->row = *row;
	copy_text(&entry->row.name, &at);
	copy_text(&entry->row.expression, &at);
	copy_text(&entry->row.zone, &at);
	copy_text(&entry->row.step, &at);
	copy_text(&entry->row.catch_up, &at);
	return entry;
}

static bool take_due(void *context, const sb_cron_row *row)
{
	due_list *list = context;
	due_entry *entry;

	if (row->paused_at_us != 0 || row->next_at_us <= 0)
		return true;
	if (row->next_at_us > list->now_us) {
		note_next(&list->next_us, row->next_at_us);
		return true;
	}
	entry = copy_entry(list->host, row);
	if (entry == NULL)
		return list->is_complete = false;
	entry->next = list->first;
	list->first = entry;
	list->count++;
	return true;
}

static void free_due(due_list *list)
{
	for (due_entry *entry = list->first, *next; entry != NULL; entry = next) {
		next = entry->next;
		sb_release(list->host, entry);
	}
}

/* One entry that fires. */
typedef struct firing {
	stepbus *engine;
	sb_store *store;
	sb_cron_row *row;
	stepbus_step_spec spec;
	int64_t times_us[FIRE_MAX];
	size_t count;
} firing;

static stepbus_status enqueue_at(const firing *f, int64_t at_us, stepbus_error *err)
{
	stepbus_step_spec spec = f->spec;
	sb_enqueue enqueue = {
		.engine = f->engine, .names = &f->engine->names, .specs = &spec, .count = 1
	};
	char time[SB_CLOCK_TEXT_LEN], key[KEY_LEN + 1];
	int len;

	sb_clock_format(at_us, time);
	len = snprintf(key, sizeof key, "cron:%.*s:%s", (int)f->row->name.len, f->row->name.data,
		       time);
	if (len < 0 || (size_t)len >= sizeof key)
		return sb_fail(err, STEPBUS_EINVAL, "its name is longer than a name may be");
	spec.idempotency_key = key;
	spec.idempotency_key_len = (size_t)len;
	/* So a handler knows for which time it runs. */
	if (spec.correlation_id_len == 0) {
		spec.correlation_id = key;
		spec.correlation_id_len = (size_t)len;
	}
	return sb_enqueue_run(&enqueue.operation, f->store, err);
}

/* Finds out which times are due, and moves the row on. */
static stepbus_status advance(firing *f, size_t count_max, stepbus_error *err)
{
	sb_cron_expression expression;
	sb_cron_schedule schedule = { .expression = &expression,
				      .grace_us = SB_SCHEDULE_GRACE_US,
				      .next_at_us = f->row->next_at_us };
	stepbus_status status = sb_cron_parse(f->row->expression, &expression, err);

	if (status == STEPBUS_OK)
		status = sb_zone_shelf_find(&f->engine->zones, f->row->zone, &schedule.zone, err);
	if (status != STEPBUS_OK)
		return status;
	if (!sb_cron_catch_up_of(f->row->catch_up, &schedule.catch_up))
		return sb_fail(err, STEPBUS_EINVAL, "its catch_up is none that is known");
	f->count = sb_cron_due(&schedule, sb_engine_now_us(f->engine), f->times_us, count_max);
	f->row->next_at_us = schedule.next_at_us;
	if (f->count > 0)
		f->row->last_at_us = f->times_us[f->count - 1];
	return STEPBUS_OK;
}

static stepbus_status enqueue_all(firing *f, stepbus_error *err)
{
	const sb_cron_reader *reader = f->engine->options.cron_reader;
	void *memory = NULL;
	stepbus_status status = STEPBUS_OK;

	if (f->count == 0)
		return STEPBUS_OK;
	status = reader->read(&f->engine->host, f->row->step, &f->spec, &memory, err);
	if (status == STEPBUS_OK)
		status = sb_step_spec_check(&f->spec, f->engine->options.payload_len_max, err);
	for (size_t i = 0; status == STEPBUS_OK && i < f->count; i++)
		status = enqueue_at(f, f->times_us[i], err);
	reader->free(memory);
	return status;
}

/*
 * An entry that cannot fire must not keep the others from it, but somebody has to hear of it: once in
 * a while, since it may be looked at every second.
 */
static void complain(stepbus *engine, const sb_cron_row *row, stepbus_error *err)
{
	int64_t now_ns = sb_clock_elapsed_ns(&engine->host);

	if (engine->cron_complained_ns != 0 && now_ns - engine->cron_complained_ns < COMPLAIN_NS)
		return;
	engine->cron_complained_ns = now_ns;
	sb_fail_where(err, "the cron entry '%.*s' did not fire: ", (int)row->name.len,
		      row->name.data);
	sb_complaint_tell(engine, &(sb_complaint_about){ "schedule", "cron", row->name },
			  err->message);
}

/*
 * One entry. Where it cannot be read here (its zone is missing, or a newer version wrote it) it stays
 * due, for another process or another day; when it is looked at again is then up to the polling. What
 * refuses its step costs it these times and no more.
 */
static stepbus_status fire_entry(firing *f, size_t count_max, int64_t *next_us, stepbus_error *err)
{
	stepbus_error found = STEPBUS_ERROR_INIT;
	stepbus_status status = advance(f, count_max, &found);

	if (status == STEPBUS_EINVAL || status == STEPBUS_ENOTFOUND || status == STEPBUS_ESYSTEM) {
		complain(f->engine, f->row, &found);
		return STEPBUS_OK;
	}
	if (status == STEPBUS_OK)
		status = enqueue_all(f, &found);
	if (status != STEPBUS_OK && !sb_writer_is_refusal(status))
		return sb_fail(err, status, "%s", found.message);
	if (status != STEPBUS_OK)
		complain(f->engine, f->row, &found);
	note_next(next_us, f->row->next_at_us);
	return f->store->type->cron_put(f->store, f->row, err);
}

static stepbus_status fire_all(stepbus *engine, sb_store *store, due_list *list, stepbus_error *err)
{
	size_t count_max = list->count < FIRE_MAX ? FIRE_MAX / (list->count + 1) + 1 : 1;
	stepbus_status status = STEPBUS_OK;
	firing *f;

	if (list->count == 0)
		return STEPBUS_OK;
	f = sb_alloc(&engine->host, sizeof *f);
	if (f == NULL)
		return sb_fail_memory(err, "enqueue what cron entries say");
	for (due_entry *e = list->first; status == STEPBUS_OK && e != NULL; e = e->next) {
		f->engine = engine;
		f->store = store;
		f->row = &e->row;
		status = fire_entry(f, count_max, &list->next_us, err);
	}
	sb_release(&engine->host, f);
	return status;
}

stepbus_status sb_schedule_fire(stepbus *engine, sb_store *store, stepbus_error *err)
{
	due_list list = { .host = &engine->host,
			  .now_us = sb_engine_now_us(engine),
			  .is_complete = true };
	stepbus_status status;

	/* An engine that is being stopped takes no new work; it is there for who opens the store next. */
	if (engine->options.cron_reader == NULL ||
	    sb_engine_check(engine, true, NULL) != STEPBUS_OK) {
		sb_engine_note_cron(engine, 0);
		return STEPBUS_OK;
	}
	status = store->type->cron_list(store, take_due, &list, err);
	if (status == STEPBUS_OK && !list.is_complete)
		status = sb_fail_memory(err, "enqueue what cron entries say");
	if (status == STEPBUS_OK)
		status = fire_all(engine, store, &list, err);
	free_due(&list);
	if (status == STEPBUS_OK)
		sb_engine_note_cron(engine, list.next_us);
	return status;
}
