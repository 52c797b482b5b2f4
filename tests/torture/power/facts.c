/* SPDX-License-Identifier: MIT */
#include "torture/power/facts.h"

#include <stdlib.h>
#include <string.h>

#include "torture/power/image.h"

static uint64_t digest(sqlite3_stmt *s, int column)
{
	const void *bytes = sqlite3_column_blob(s, column);

	return image_hash_bytes(bytes, (size_t)sqlite3_column_bytes(s, column));
}

static void take_step(facts *f, sqlite3_stmt *s)
{
	f->steps = record_grow(f->steps, &f->step_room, f->step_count + 1, sizeof *f->steps);
	f->steps[f->step_count++] = (step_fact){ .id = sqlite3_column_int64(s, 0),
						 .input = digest(s, 1),
						 .state = sqlite3_column_int64(s, 2),
						 .token = sqlite3_column_int64(s, 3),
						 .attempt_count = sqlite3_column_int64(s, 4),
						 .result = digest(s, 5),
						 .checkpoint_token = sqlite3_column_int64(s, 6),
						 .cursor = digest(s, 7) };
}

static void take_attempt(facts *f, sqlite3_stmt *s)
{
	f->attempts = record_grow(f->attempts, &f->attempt_room, f->attempt_count + 1,
				  sizeof *f->attempts);
	f->attempts[f->attempt_count++] =
		(attempt_fact){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
				sqlite3_column_int64(s, 2), digest(s, 3) };
}

static void take_queue(facts *f, sqlite3_stmt *s)
{
	f->queues = record_grow(f->queues, &f->queue_room, f->queue_count + 1, sizeof *f->queues);
	f->queues[f->queue_count++] =
		(name_fact){ digest(s, 0), (uint64_t)sqlite3_column_int64(s, 1) };
}

static void take_cron(facts *f, sqlite3_stmt *s)
{
	f->crons = record_grow(f->crons, &f->cron_room, f->cron_count + 1, sizeof *f->crons);
	f->crons[f->cron_count++] = (name_fact){ digest(s, 0), digest(s, 1) };
}

static void take_tag(facts *f, sqlite3_stmt *s)
{
	f->tag = digest(s, 0);
}

static void take_format(facts *f, sqlite3_stmt *s)
{
	f->format = sqlite3_column_int64(s, 0);
}

static bool read_rows(facts *f, sqlite3 *db, const char *sql, void (*take)(facts *, sqlite3_stmt *))
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(s);
		if (code == SQLITE_ROW)
			take(f, s);
	}
	(void)sqlite3_finalize(s);
	return code == SQLITE_DONE;
}

static void take_content(facts *f, sqlite3_stmt *s)
{
	for (int i = 0; i < sqlite3_column_count(s); i++) {
		uint64_t type = (uint64_t)sqlite3_column_type(s, i);

		f->content = image_mix(f->content, digest(s, i) + type);
	}
}

static bool read_content(facts *f, sqlite3 *db)
{
	sqlite3_stmt *tables = NULL;
	bool is_read = sqlite3_prepare_v2(db,
					  "SELECT printf('SELECT * FROM \"%w\"', name) FROM"
					  " sqlite_schema WHERE type = 'table' ORDER BY name",
					  -1, &tables, NULL) == SQLITE_OK;

	while (is_read && sqlite3_step(tables) == SQLITE_ROW) {
		f->content = image_mix(f->content, 1);
		is_read = read_rows(f, db, (const char *)sqlite3_column_text(tables, 0),
				    take_content);
	}
	(void)sqlite3_finalize(tables);
	return is_read;
}

static const char steps_sql[] =
	"SELECT s.id, s.input, t.state, t.token, t.attempt_count, r.bytes, c.token, c.cursor"
	" FROM step s JOIN state t ON t.id = s.id LEFT JOIN result r ON r.step_id = s.id"
	" LEFT JOIN checkpoint c ON c.step_id = s.id ORDER BY s.id";
/* Format 1 had no checkpoints. */
static const char old_steps_sql[] =
	"SELECT s.id, s.input, t.state, t.token, t.attempt_count, r.bytes, NULL, NULL"
	" FROM step s JOIN state t ON t.id = s.id LEFT JOIN result r ON r.step_id = s.id"
	" ORDER BY s.id";

bool facts_read(facts *f, sqlite3 *db)
{
	memset(f, 0, sizeof *f);
	if (!read_rows(f, db, "PRAGMA user_version", take_format))
		return false;
	if (f->format == 0)
		return true;
	return read_content(f, db) &&
	       read_rows(f, db, "SELECT value FROM meta WHERE key = 'tag'", take_tag) &&
	       read_rows(f, db, f->format == 1 ? old_steps_sql : steps_sql, take_step) &&
	       read_rows(f, db,
			 "SELECT step_id, token, outcome, message FROM attempt"
			 " ORDER BY step_id, token",
			 take_attempt) &&
	       read_rows(f, db, "SELECT name, paused_at IS NOT NULL FROM queue ORDER BY id",
			 take_queue) &&
	       read_rows(f, db, "SELECT name, step FROM cron ORDER BY name", take_cron);
}

void facts_free(facts *f)
{
	free(f->steps);
	free(f->attempts);
	free(f->queues);
	free(f->crons);
	memset(f, 0, sizeof *f);
}

static bool are_equal(const void *a, size_t a_count, const void *b, size_t b_count, size_t len)
{
	return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * len) == 0);
}

bool facts_equal(const facts *a, const facts *b)
{
	return a->format == b->format && a->tag == b->tag && a->content == b->content &&
	       are_equal(a->steps, a->step_count, b->steps, b->step_count, sizeof *a->steps) &&
	       are_equal(a->attempts, a->attempt_count, b->attempts, b->attempt_count,
			 sizeof *a->attempts) &&
	       are_equal(a->queues, a->queue_count, b->queues, b->queue_count, sizeof *a->queues) &&
	       are_equal(a->crons, a->cron_count, b->crons, b->cron_count, sizeof *a->crons);
}

const step_fact *facts_step(const facts *f, int64_t id)
{
	size_t low = 0, high = f->step_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->steps[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->step_count && f->steps[low].id == id ? &f->steps[low] : NULL;
}

const attempt_fact *facts_attempt(const facts *f, int64_t step, int64_t token)
{
	for (size_t i = 0; i < f->attempt_count; i++)
		if (f->attempts[i].step == step && f->attempts[i].token == token)
			return &f->attempts[i];
	return NULL;
}

static const name_fact *find_name(const name_fact *names, size_t count, uint64_t name)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].name == name)
			return &names[i];
	return NULL;
}

const name_fact *facts_queue(const facts *f, uint64_t name)
{
	return find_name(f->queues, f->queue_count, name);
}

const name_fact *facts_cron(const facts *f, uint64_t name)
{
	return find_name(f->crons, f->cron_count, name);
}
