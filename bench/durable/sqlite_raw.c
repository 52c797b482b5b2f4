/* SPDX-License-Identifier: MIT */
#include "bench/durable/sqlite_raw.h"

#include "bench/harness.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	STATE_READY = 3,
	STATE_RUNNING = 5,
	QUEUE = 1,
	HANDLER = 1,
	WORKER = 7,
	CLAIMED_MAX = 4096,
	LOG_PAGES_MAX = 1000,
};

static const char SCHEMA[] =
	"CREATE TABLE IF NOT EXISTS step (id INTEGER PRIMARY KEY, queue_id INTEGER NOT NULL,"
	" handler_id INTEGER NOT NULL, created_at_us INTEGER NOT NULL, priority INTEGER NOT NULL,"
	" input BLOB, task_id INTEGER, run_at_us INTEGER, wait_timeout_us INTEGER,"
	" attempt_timeout_us INTEGER, total_timeout_us INTEGER, retry_kind INTEGER,"
	" retry_base_us INTEGER, retry_cap_us INTEGER, attempt_count_max INTEGER,"
	" jitter_percent INTEGER, content_type TEXT, step_name TEXT, step_config TEXT,"
	" correlation_id TEXT, traceparent TEXT, caller TEXT, tags TEXT, concurrency_key TEXT,"
	" idempotency_key TEXT, unique_key TEXT) STRICT;"
	"CREATE TABLE IF NOT EXISTS status (id INTEGER PRIMARY KEY, queue_id INTEGER NOT NULL,"
	" priority INTEGER NOT NULL, state INTEGER NOT NULL, changed_at_us INTEGER NOT NULL,"
	" token INTEGER, worker_id INTEGER, attempt_count INTEGER NOT NULL, crash_count INTEGER,"
	" execution_us INTEGER, due_at_us INTEGER, deadline_at_us INTEGER, park_key INTEGER,"
	" concurrency_key INTEGER) STRICT;"
	"CREATE INDEX IF NOT EXISTS status_ready ON status (queue_id, priority, id)"
	" WHERE state = 3;"
	"CREATE INDEX IF NOT EXISTS status_running ON status (worker_id) WHERE state = 5;";

enum {
	BEGIN,
	COMMIT,
	ADD_STEP,
	ADD_STATUS,
	FIND_READY,
	CLAIM,
	READ_INPUT,
	COMPLETE,
	RECLAIM,
	COUNT,
	STATEMENT_COUNT
};

static const char *const STATEMENTS[STATEMENT_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ADD_STEP] = "INSERT INTO step (id, queue_id, handler_id, created_at_us, priority, input)"
		     " VALUES (NULL, ?, ?, ?, ?, ?)",
	[ADD_STATUS] = "INSERT INTO status (id, queue_id, priority, state, changed_at_us,"
		       " attempt_count) VALUES (?, ?, ?, 3, ?, 0)",
	[FIND_READY] = "SELECT id FROM status WHERE state = 3 AND queue_id = ?"
		       " ORDER BY priority, id LIMIT ?",
	[CLAIM] = "UPDATE status SET state = 5, token = ?, worker_id = ?, changed_at_us = ?,"
		  " attempt_count = attempt_count + 1 WHERE id = ? AND state = 3",
	[READ_INPUT] = "SELECT handler_id, created_at_us, input FROM step WHERE id = ?",
	[COMPLETE] = "UPDATE status SET state = 6, execution_us = ?, changed_at_us = ?"
		     " WHERE id = ? AND state = 5 AND token = ?",
	[RECLAIM] = "UPDATE status SET state = 3, worker_id = NULL, crash_count = 1"
		    " WHERE state = 5 AND worker_id = ?",
	[COUNT] = "SELECT count(*) FROM status WHERE state = ?",
};

struct sqlite_raw {
	sqlite3 *connection;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	int log_pages;
	int64_t token;
	size_t claimed_count;
	int64_t claimed[CLAIMED_MAX];
	uint64_t input_sum; /* so that no input is left unread */
};

static void check(const sqlite_raw *raw, int status)
{
	if (status != SQLITE_OK && status != SQLITE_ROW && status != SQLITE_DONE)
		bench_die("sqlite_raw: %s", sqlite3_errmsg(raw->connection));
}

static void execute(sqlite_raw *raw, const char *sql)
{
	check(raw, sqlite3_exec(raw->connection, sql, NULL, NULL, NULL));
}

static int note_log(void *context, sqlite3 *connection, const char *schema, int pages)
{
	sqlite_raw *raw = context;

	(void)connection;
	(void)schema;
	raw->log_pages = pages;
	return SQLITE_OK;
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void step_once(sqlite_raw *raw, sqlite3_stmt *statement)
{
	check(raw, sqlite3_step(statement));
	check(raw, sqlite3_reset(statement));
}

void sqlite_raw_init(void)
{
	if (sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
		bench_die("sqlite_raw: SQLite was used before it was set up");
}

sqlite_raw *sqlite_raw_open(const char *path, durable_level level)
{
	sqlite_raw *raw = bench_alloc(1, sizeof(*raw));

	if (sqlite3_open_v2(path != NULL ? path : ":memory:", &raw->connection,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		bench_die("sqlite_raw: cannot open %s", path);
	execute(raw, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
		     "PRAGMA cache_size = -65536;");
	execute(raw, level == DURABLE_DISK    ? "PRAGMA synchronous = FULL" :
		     level == DURABLE_PROCESS ? "PRAGMA synchronous = NORMAL" :
						"PRAGMA synchronous = OFF");
	execute(raw, SCHEMA);
	sqlite3_wal_hook(raw->connection, note_log, raw);
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		check(raw,
		      sqlite3_prepare_v3(raw->connection, STATEMENTS[i], -1,
					 SQLITE_PREPARE_PERSISTENT, &raw->statements[i], NULL));
	return raw;
}

void sqlite_raw_close(sqlite_raw *raw)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(raw->statements[i]);
	sqlite3_close(raw->connection);
	free(raw);
}

void sqlite_raw_begin(sqlite_raw *raw)
{
	step_once(raw, raw->statements[BEGIN]);
}

void sqlite_raw_commit(sqlite_raw *raw)
{
	step_once(raw, raw->statements[COMMIT]);
	if (raw->log_pages < LOG_PAGES_MAX)
		return;
	check(raw, sqlite3_wal_checkpoint_v2(raw->connection, NULL, SQLITE_CHECKPOINT_RESTART, NULL,
					     NULL));
	raw->log_pages = 0;
}

void sqlite_raw_enqueue(sqlite_raw *raw, size_t count)
{
	sqlite3_stmt *step = raw->statements[ADD_STEP];
	sqlite3_stmt *status = raw->statements[ADD_STATUS];
	int64_t now = now_us();

	for (size_t i = 0; i < count; i++) {
		sqlite3_bind_int64(step, 1, QUEUE);
		sqlite3_bind_int64(step, 2, HANDLER);
		sqlite3_bind_int64(step, 3, now);
		sqlite3_bind_int64(step, 4, 0);
		sqlite3_bind_blob(step, 5, durable_input(), DURABLE_INPUT_LEN, SQLITE_STATIC);
		step_once(raw, step);
		sqlite3_bind_int64(status, 1, sqlite3_last_insert_rowid(raw->connection));
		sqlite3_bind_int64(status, 2, QUEUE);
		sqlite3_bind_int64(status, 3, 0);
		sqlite3_bind_int64(status, 4, now);
		step_once(raw, status);
	}
}

static void read_input(sqlite_raw *raw, int64_t id)
{
	sqlite3_stmt *statement = raw->statements[READ_INPUT];
	const unsigned char *input = NULL;

	sqlite3_bind_int64(statement, 1, id);
	check(raw, sqlite3_step(statement));
	input = sqlite3_column_blob(statement, 2);
	if (input == NULL || sqlite3_column_bytes(statement, 2) != DURABLE_INPUT_LEN)
		bench_die("sqlite_raw: a step lost its input");
	raw->input_sum += input[DURABLE_INPUT_LEN - 1];
	check(raw, sqlite3_reset(statement));
}

size_t sqlite_raw_claim(sqlite_raw *raw, size_t count)
{
	sqlite3_stmt *find = raw->statements[FIND_READY];
	sqlite3_stmt *claim = raw->statements[CLAIM];
	size_t found = 0;
	int64_t now = now_us();

	sqlite3_bind_int64(find, 1, QUEUE);
	sqlite3_bind_int64(find, 2, (int64_t)count);
	while (found < count && sqlite3_step(find) == SQLITE_ROW)
		raw->claimed[found++] = sqlite3_column_int64(find, 0);
	check(raw, sqlite3_reset(find));
	raw->claimed_count = found;
	raw->token++;
	for (size_t i = 0; i < found; i++) {
		sqlite3_bind_int64(claim, 1, raw->token);
		sqlite3_bind_int64(claim, 2, WORKER);
		sqlite3_bind_int64(claim, 3, now);
		sqlite3_bind_int64(claim, 4, raw->claimed[i]);
		step_once(raw, claim);
		read_input(raw, raw->claimed[i]);
	}
	return found;
}

void sqlite_raw_complete(sqlite_raw *raw)
{
	sqlite3_stmt *complete = raw->statements[COMPLETE];
	int64_t now = now_us();

	for (size_t i = 0; i < raw->claimed_count; i++) {
		sqlite3_bind_int64(complete, 1, 1);
		sqlite3_bind_int64(complete, 2, now);
		sqlite3_bind_int64(complete, 3, raw->claimed[i]);
		sqlite3_bind_int64(complete, 4, raw->token);
		step_once(raw, complete);
	}
	raw->claimed_count = 0;
}

void sqlite_raw_reclaim(sqlite_raw *raw)
{
	sqlite3_bind_int64(raw->statements[RECLAIM], 1, WORKER);
	step_once(raw, raw->statements[RECLAIM]);
}

size_t sqlite_raw_count(sqlite_raw *raw, int state)
{
	sqlite3_stmt *statement = raw->statements[COUNT];
	size_t count = 0;

	sqlite3_bind_int64(statement, 1, state);
	check(raw, sqlite3_step(statement));
	count = (size_t)sqlite3_column_int64(statement, 0);
	check(raw, sqlite3_reset(statement));
	return count;
}

void sqlite_raw_remove(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char file[4096];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(file, sizeof(file), "%s%s", path, ends[i]);
		unlink(file);
	}
}
