/* SPDX-License-Identifier: MIT */
#include "torture/check/files.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/check/made.h"

const char files_schema[] =
	"CREATE TABLE step (id INTEGER PRIMARY KEY, idempotency_key BLOB);"
	"CREATE TABLE state (id INTEGER PRIMARY KEY, token INTEGER);"
	"CREATE TABLE v_steps (id INTEGER PRIMARY KEY, uuid, input, state, attempt_count,"
	" crash_count, result, priority);"
	"CREATE TABLE v_attempts (step_id, token, outcome, error_type, is_retryable,"
	" PRIMARY KEY (step_id, token)) WITHOUT ROWID;";

static void fail(const char *what)
{
	(void)fprintf(stderr, "%s failed\n", what);
	abort();
}

void files_open(files *f)
{
	const char *parent = getenv("TMPDIR");

	(void)snprintf(f->directory, sizeof f->directory, "%.200s/stepbus-check-XXXXXX",
		       parent != NULL ? parent : "/tmp");
	if (mkdtemp(f->directory) == NULL)
		fail("mkdtemp");
	(void)snprintf(f->log, sizeof f->log, "%s/log", f->directory);
	(void)snprintf(f->database, sizeof f->database, "%s/jobs.db", f->directory);
}

void files_close(const files *f)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	char path[FILES_PATH_LEN + 10];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(path, sizeof path, "%s%s", f->database, ends[i]);
		(void)unlink(path);
	}
	(void)unlink(f->log);
	(void)rmdir(f->directory);
}

void files_write(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fwrite(data, 1, len, file) != len || fclose(file) != 0)
		fail(path);
}

void files_write_log(const files *f, const history *h)
{
	FILE *file = fopen(f->log, "w");

	if (file == NULL)
		fail(f->log);
	for (const event *e = h->events; e < h->events + h->event_count; e++)
		(void)fprintf(file, "%c %ld %d %ld %ld %ld %ld\n", e->kind, e->time_us, e->process,
			      e->a, e->b, e->c, e->d);
	if (fclose(file) != 0)
		fail(f->log);
}

static sqlite3 *make(const files *f)
{
	sqlite3 *db = NULL;

	(void)unlink(f->database);
	if (sqlite3_open(f->database, &db) != SQLITE_OK)
		fail("sqlite3_open");
	(void)sqlite3_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL,
			   NULL);
	return db;
}

void files_make_database(const files *f, const char *sql)
{
	sqlite3 *db = make(f);

	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(db));
	(void)sqlite3_close(db);
}

static const char *state_name(char state)
{
	static const char *const names[] = { "waiting",   "scheduled", "ready",      "parked",
					     "completed", "failed",    "quarantined" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i][0] == state)
			return names[i];
	return state == STATE_CANCELLED ? "cancelled" : "running";
}

static void insert_step(sqlite3_stmt *const to[3], const step_row *row)
{
	char uuid[40], input[MADE_TEXT_LEN], result[MADE_TEXT_LEN], key[40];

	(void)snprintf(uuid, sizeof uuid, "%08lx-%04lx-7000-8000-000000000000", row->id >> 16,
		       row->id & 0xffff);
	(void)snprintf(key, sizeof key, "...k%ld", row->key);
	(void)sqlite3_bind_int64(to[0], 1, row->id);
	(void)sqlite3_bind_text(to[0], 2, row->key >= 0 ? key : NULL, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(to[1], 1, row->id);
	(void)sqlite3_bind_int64(to[1], 2, row->token);
	(void)sqlite3_bind_int64(to[2], 1, row->id);
	(void)sqlite3_bind_text(to[2], 2, uuid, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(to[2], 3, input, made_input(row, input), SQLITE_STATIC);
	(void)sqlite3_bind_text(to[2], 4, state_name(row->state), -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(to[2], 5, row->attempt_count);
	(void)sqlite3_bind_int(to[2], 6, row->crash_count);
	(void)sqlite3_bind_blob(to[2], 7, row->result_token >= 0 ? result : NULL,
				made_result(row, result), SQLITE_STATIC);
	(void)sqlite3_bind_int(to[2], 8, row->priority);
	for (int i = 0; i < 3; i++)
		if (sqlite3_step(to[i]) != SQLITE_DONE || sqlite3_reset(to[i]) != SQLITE_OK)
			fail("insert a step");
}

static void insert_attempt(sqlite3_stmt *to, const attempt_row *row)
{
	bool is_abandoned = strcmp(row->outcome, "abandoned") == 0;

	(void)sqlite3_bind_int64(to, 1, row->step_id);
	(void)sqlite3_bind_int64(to, 2, row->token);
	(void)sqlite3_bind_text(to, 3, is_abandoned ? "lost" : row->outcome, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(to, 4, is_abandoned ? "abandoned" : NULL, -1, SQLITE_STATIC);
	/* The store leaves out what is 0. */
	if (row->is_retryable == 1)
		(void)sqlite3_bind_int(to, 5, 1);
	else
		(void)sqlite3_bind_null(to, 5);
	if (sqlite3_step(to) != SQLITE_DONE || sqlite3_reset(to) != SQLITE_OK)
		fail("insert an attempt");
}

void files_write_database(const files *f, const history *h)
{
	static const char *const sql[] = {
		"INSERT INTO step VALUES (?1, ?2)",
		"INSERT INTO state VALUES (?1, ?2)",
		"INSERT INTO v_steps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		"INSERT INTO v_attempts VALUES (?1, ?2, ?3, ?4, ?5)",
	};
	sqlite3 *db = make(f);
	sqlite3_stmt *to[4] = { NULL };

	if (sqlite3_exec(db, files_schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		fail("make tables");
	for (int i = 0; i < 4; i++)
		if (sqlite3_prepare_v2(db, sql[i], -1, &to[i], NULL) != SQLITE_OK)
			fail(sqlite3_errmsg(db));
	for (size_t i = 0; i < h->step_count; i++)
		insert_step(to, &h->steps[i]);
	for (size_t i = 0; i < h->attempt_count; i++)
		insert_attempt(to[3], &h->attempts[i]);
	for (int i = 0; i < 4; i++)
		(void)sqlite3_finalize(to[i]);
	if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		fail("commit");
	(void)sqlite3_close(db);
}
