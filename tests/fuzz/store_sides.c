/* SPDX-License-Identifier: MIT */
#include "fuzz/store_sides.h"

#include <stdio.h>
#include <unistd.h>

#include "fuzz/driver.h"
#include "fuzz/host.h"

fuzz_side fuzz_sides[2];
static fuzz_side *const sides = fuzz_sides;
static char place[64];

const char *const fuzz_store_names[FUZZ_NAME_COUNT] = { "a", "b", "mail" };
static const char *const *const names = fuzz_store_names;

static void close_stores(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-wake", "-lock", "-checkpoint" };
	char path[96];

	for (int i = 0; i < 2; i++)
		if (sides[i].store != NULL)
			sides[i].type->close(sides[i].store);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(path, sizeof path, "%s%s", place, ends[i]);
		(void)unlink(path);
	}
	sides[0].store = sides[1].store = NULL;
	fuzz_host_check_empty();
}

/* Which numbers names get after a rollback is every store's own affair too: so all have theirs. */
static void intern_names(fuzz_side *s)
{
	int64_t id;

	fuzz_check(s->type->begin(s->store, NULL) == STEPBUS_OK);
	for (int i = 0; i < FUZZ_NAME_COUNT * FUZZ_NAME_COUNT * 2; i++) {
		const sb_handler_row handler = {
			.handler_namespace = sb_slice_z(names[i % FUZZ_NAME_COUNT]),
			.name = sb_slice_z(names[i / FUZZ_NAME_COUNT % FUZZ_NAME_COUNT]),
			.version = i < FUZZ_NAME_COUNT * FUZZ_NAME_COUNT ? sb_slice_z("1") :
									   sb_slice_of("", 0)
		};

		fuzz_check(s->type->queue_intern(s->store, handler.name, &id, NULL) == STEPBUS_OK);
		fuzz_check(s->type->handler_intern(s->store, &handler, &id, NULL) == STEPBUS_OK);
	}
	fuzz_check(s->type->commit(s->store, NULL) == STEPBUS_OK);
}

void fuzz_sides_open(void)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_store_options options = { .host = fuzz_host(),
				     .durability = SB_DURABILITY_MEMORY,
				     .busy_timeout_ms = 1000,
				     .wal_alarm_bytes = INT64_C(1) << 26 };

	(void)snprintf(place, sizeof place, "/dev/shm/fuzz_store_%d", (int)getpid());
	close_stores();
	fuzz_host_reset();
	fuzz_check(sb_memory_store_open(&options, &sides[0].store, &err) == STEPBUS_OK);
	options.path = place;
	options.durability = SB_DURABILITY_PROCESS;
	if (sb_sqlite_store_open(&options, &sides[1].store, &err) != STEPBUS_OK)
		fuzz_fail(__FILE__, __LINE__, "%s", err.message);
	for (int i = 0; i < 2; i++) {
		sides[i].type = sides[i].store->type;
		intern_names(&sides[i]);
	}
}

void fuzz_sides_compare(const char *what)
{
	if (strcmp(sides[0].tape.text, sides[1].tape.text) != 0)
		fuzz_fail(__FILE__, __LINE__, "%s: memory says%s\n\nsqlite says%s", what,
			  sides[0].tape.text, sides[1].tape.text);
	fuzz_tape_clear(&sides[0].tape);
	fuzz_tape_clear(&sides[1].tape);
}

static int64_t burn_id(fuzz_side *s)
{
	sb_step_row row = { .queue_id = 1, .handler_id = 1 };
	const sb_step_status status = { .state = SB_STEP_READY, .queue_id = 1, .handler_id = 1 };

	fuzz_check(s->type->begin(s->store, NULL) == STEPBUS_OK);
	fuzz_check(s->type->step_insert(s->store, &row, &status, NULL) == STEPBUS_OK);
	fuzz_check(s->type->commit(s->store, NULL) == STEPBUS_OK);
	fuzz_check(s->type->begin(s->store, NULL) == STEPBUS_OK);
	fuzz_check(s->type->step_delete(s->store, &row.id, 1, NULL) == STEPBUS_OK);
	fuzz_check(s->type->commit(s->store, NULL) == STEPBUS_OK);
	return row.id;
}

/* Ids of steps that were taken back may be given again, or not: from here on both go on alike. */
void fuzz_sides_align_ids(void)
{
	int64_t ids[2] = { burn_id(&sides[0]), burn_id(&sides[1]) };

	while (ids[0] != ids[1]) {
		const int behind = ids[1] < ids[0];
		const int64_t id = burn_id(&sides[behind]);

		fuzz_check(id > ids[behind]);
		ids[behind] = id;
	}
}

static bool forget(void *context, const sb_worker_row *row)
{
	int64_t **next = context;

	*(*next)++ = row->id;
	return true;
}

static void empty_store(fuzz_side *s)
{
	int64_t ids[FUZZ_STEP_MAX * 2], *last = ids;
	sb_step_status out[FUZZ_STEP_MAX];
	const sb_scan all = { .kind = SB_SCAN_ALL };
	size_t count = 0;

	fuzz_check(s->type->begin(s->store, NULL) == STEPBUS_OK);
	fuzz_check(s->type->step_scan(s->store, &all, out, FUZZ_STEP_MAX, &count, NULL) ==
		   STEPBUS_OK);
	for (size_t i = 0; i < count; i++)
		ids[i] = out[i].id;
	fuzz_check(s->type->step_delete(s->store, ids, count, NULL) == STEPBUS_OK);
	fuzz_check(s->type->worker_list(s->store, forget, &last, NULL) == STEPBUS_OK);
	for (const int64_t *id = ids; id < last; id++)
		fuzz_check(s->type->worker_delete(s->store, *id, NULL) == STEPBUS_OK);
	for (int i = 0; i < 5; i++)
		(void)s->type->cron_delete(s->store, sb_slice_z(names[i % FUZZ_NAME_COUNT]), NULL);
	fuzz_check(s->type->commit(s->store, NULL) == STEPBUS_OK);
}

void fuzz_sides_empty(void)
{
	empty_store(&sides[0]);
	empty_store(&sides[1]);
}
