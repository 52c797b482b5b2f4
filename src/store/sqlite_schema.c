/* SPDX-License-Identifier: MIT */
/*
 * How to change the format. A migration that a released version has run is never edited: append
 * another one to the list below, raise SB_SCHEMA_VERSION to its number, and say in docs/STORE.md
 * what changed. All migrations that a file lacks run in one transaction together with the new
 * user_version, so that a file is always of exactly one version; every process of the older version
 * must be stopped before, since it goes on with the statements it has. New columns come last and
 * may be NULL, so that the rows that are there need not be rewritten. A view may be dropped and made
 * anew, but its columns keep their names and meanings. The numbers of states, outcomes and retry
 * kinds never change their meaning. What is stored for a number that C calls 0, "none", is NULL.
 */
#include "store/sqlite_schema.h"

#include <stdio.h>

#include "store/sqlite_statement.h"
#include "store/sqlite_views.h"

/*
 * step is written once: it has no index but on what few steps have. state is narrow, since it is
 * what a step's life rewrites. Every index of a table costs each statement that changes it, be the
 * row in that index or not; so one index serves all that looks for open steps: place and rank say
 * where a step stands (sqlite_sql.h). running_key is the concurrency_key while the step is running.
 * task_id is for steps that belong to a task; the edges between the steps of one will be a table
 * of their own, and a step that waits for others is in state 1.
 */
static const char tables[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE queue (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, paused_at INTEGER,"
	" concurrency_max INTEGER, key_concurrency_max INTEGER, rate_count INTEGER,"
	" rate_period_us INTEGER, rate_room_micro INTEGER, rate_at INTEGER) STRICT;"
	"CREATE TABLE handler (id INTEGER PRIMARY KEY, handler_namespace TEXT NOT NULL,"
	" name TEXT NOT NULL, version TEXT NOT NULL, recorded_at INTEGER,"
	" UNIQUE (handler_namespace, name, version)) STRICT;"
	"CREATE TABLE step (id INTEGER PRIMARY KEY, task_id INTEGER, queue_id INTEGER NOT NULL,"
	" handler_id INTEGER NOT NULL, created_at INTEGER NOT NULL, run_at INTEGER,"
	" wait_timeout_us INTEGER, attempt_timeout_us INTEGER, total_timeout_us INTEGER,"
	" retry_base_us INTEGER, retry_cap_us INTEGER, priority INTEGER, retry_kind INTEGER,"
	" attempt_count_max INTEGER, jitter_percent INTEGER, input BLOB, content_type TEXT,"
	" step_name TEXT, step_config TEXT, correlation_id TEXT, traceparent TEXT, caller TEXT,"
	" tags TEXT, concurrency_key TEXT, idempotency_key BLOB, unique_key BLOB) STRICT;"
	"CREATE INDEX step_correlation ON step (correlation_id) WHERE correlation_id IS NOT NULL;"
	"CREATE TABLE state (id INTEGER PRIMARY KEY, state INTEGER NOT NULL,"
	" queue_id INTEGER NOT NULL, priority INTEGER NOT NULL, handler_id INTEGER NOT NULL,"
	" place INTEGER, rank INTEGER, changed_at INTEGER, token INTEGER, worker_id INTEGER,"
	" attempt_count INTEGER, execution_us INTEGER, due_at INTEGER, deadline_at INTEGER,"
	" park_key INTEGER, concurrency_key INTEGER, running_key INTEGER, crash_count INTEGER)"
	" STRICT;"
	"CREATE INDEX state_place ON state (place, rank) WHERE place IS NOT NULL;"
	"CREATE INDEX state_deadline ON state (deadline_at) WHERE deadline_at IS NOT NULL;"
	"CREATE INDEX state_running_key ON state (running_key) WHERE running_key IS NOT NULL;"
	"CREATE TABLE attempt (step_id INTEGER NOT NULL, token INTEGER NOT NULL,"
	" worker_id INTEGER, started_at INTEGER, finished_at INTEGER, execution_us INTEGER,"
	" retry_at INTEGER, number INTEGER, outcome INTEGER NOT NULL, is_retryable INTEGER,"
	" error_type TEXT, message TEXT, error_code TEXT, backtrace TEXT, metadata TEXT,"
	" PRIMARY KEY (step_id, token)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE result (step_id INTEGER PRIMARY KEY, bytes BLOB, content_type TEXT,"
	" metadata TEXT) STRICT;"
	"CREATE TABLE unique_key (key BLOB PRIMARY KEY, step_id INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE step_tag (tag TEXT NOT NULL, step_id INTEGER NOT NULL,"
	" PRIMARY KEY (tag, step_id)) STRICT, WITHOUT ROWID;"
	/* Ids of workers are never given twice: a lease names its worker by it. */
	"CREATE TABLE worker (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, strategy TEXT,"
	" queues TEXT, capabilities TEXT, boot_id BLOB, pid INTEGER, started_at INTEGER,"
	" heartbeat_at INTEGER, lease_until_ns INTEGER, stopped_at INTEGER, block_size INTEGER,"
	" pool_size INTEGER, completed_count INTEGER, failed_count INTEGER, active_count INTEGER)"
	" STRICT;"
	"CREATE TABLE served (worker_id INTEGER NOT NULL, handler_namespace TEXT NOT NULL,"
	" name TEXT NOT NULL, version TEXT NOT NULL,"
	" PRIMARY KEY (worker_id, handler_namespace, name, version)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE cron (name TEXT PRIMARY KEY, expression TEXT, zone TEXT, step TEXT,"
	" catch_up TEXT, next_at INTEGER, last_at INTEGER, paused_at INTEGER, created_at INTEGER)"
	" STRICT, WITHOUT ROWID;";

/* In parts, since C allows no longer literals: a statement may go on in the next one. */
static const char *const first[] = {
	tables,
	sb_sqlite_views_steps,
	sb_sqlite_views_others,
	sb_sqlite_views_enqueue,
	sb_sqlite_views_enqueue_check,
	sb_sqlite_views_enqueue_insert,
	sb_sqlite_views_enqueue_end,
	NULL,
};

/*
 * 2: how far steps have come. Beside state, since cursors may be large and a step's life rewrites its
 * state; the count there says whether there is a row here to read.
 */
static const char *const second[] = {
	"ALTER TABLE state ADD COLUMN checkpoint_count INTEGER;"
	"CREATE TABLE checkpoint (step_id INTEGER PRIMARY KEY, token INTEGER NOT NULL,"
	" at INTEGER NOT NULL, items_processed INTEGER, cursor BLOB, partial_result BLOB)"
	" STRICT;",
	NULL,
};

/* One for each version from 1 on. */
static const char *const *const migrations[SB_SCHEMA_VERSION] = { first, second };

static stepbus_status run(sb_connection *connection, const char *text, stepbus_error *err)
{
	int code =
		text != NULL ? sqlite3_exec(connection->db, text, NULL, NULL, NULL) : SQLITE_NOMEM;

	if (code != SQLITE_OK)
		return sb_sqlite_fail(connection, code, "bring the store to this version", err);
	return STEPBUS_OK;
}

static stepbus_status run_parts(sb_connection *connection, const char *const *parts,
				stepbus_error *err)
{
	sqlite3_str *joined = sqlite3_str_new(connection->db);
	stepbus_status status;
	char *text;

	for (; *parts != NULL; parts++)
		sqlite3_str_appendall(joined, *parts);
	text = sqlite3_str_finish(joined);
	status = run(connection, text, err);
	sqlite3_free(text);
	return status;
}

stepbus_status sb_sqlite_schema_migrate(sb_connection *connection, int64_t version,
					stepbus_error *err)
{
	char mark[96];
	stepbus_status status = STEPBUS_OK;

	for (int64_t i = version; i < SB_SCHEMA_VERSION && status == STEPBUS_OK; i++)
		status = run_parts(connection, migrations[i], err);
	if (status != STEPBUS_OK)
		return status;
	(void)snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
		       SB_SCHEMA_APPLICATION_ID, SB_SCHEMA_VERSION);
	return run(connection, mark, err);
}

static int read_number(sb_connection *connection, const char *format, int64_t *out)
{
	char *text =
		sqlite3_mprintf(format, connection->schema != NULL ? connection->schema : "main");
	sqlite3_stmt *statement = NULL;
	int code;

	if (text == NULL)
		return SQLITE_NOMEM;
	code = sqlite3_prepare_v2(connection->db, text, -1, &statement, NULL);
	sqlite3_free(text);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

stepbus_status sb_sqlite_schema_mark_read(sb_connection *connection, sb_sqlite_schema_mark *mark,
					  stepbus_error *err)
{
	int code = read_number(connection, "PRAGMA \"%w\".application_id", &mark->application_id);

	if (code == SQLITE_OK)
		code = read_number(connection, "PRAGMA \"%w\".user_version", &mark->version);
	if (code == SQLITE_OK)
		code = read_number(connection, "SELECT count(*) FROM \"%w\".sqlite_schema",
				   &mark->object_count);
	if (code != SQLITE_OK)
		return sb_sqlite_fail(connection, code, "read what the file is", err);
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_schema_mark_check(const sb_sqlite_schema_mark *mark, const char *path,
					   stepbus_error *err)
{
	bool is_empty = mark->object_count == 0 && mark->application_id == 0 && mark->version == 0;

	if (is_empty)
		return STEPBUS_OK;
	if (mark->application_id != SB_SCHEMA_APPLICATION_ID)
		return sb_fail(err, STEPBUS_ECORRUPT,
			       "cannot open '%s': it is a SQLite database, but none of stepbus's; "
			       "give another path",
			       path);
	if (mark->version > SB_SCHEMA_VERSION)
		return sb_fail(err, STEPBUS_EVERSION,
			       "cannot open '%s': it is of format %lld, and this version knows "
			       "formats up to %d; use a newer stepbus",
			       path, (long long)mark->version, SB_SCHEMA_VERSION);
	if (mark->version < 1 || mark->object_count == 0)
		return sb_fail(
			err, STEPBUS_ECORRUPT,
			"cannot open '%s': it is marked as stepbus's, but of format %lld with "
			"%lld tables and indexes; restore it from a copy",
			path, (long long)mark->version, (long long)mark->object_count);
	return STEPBUS_OK;
}
