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

/* The numbers of step_state.h and rows.h as words, and times as text. */
#define STATE_NAME                                                                        \
	"CASE st.state WHEN 1 THEN 'waiting' WHEN 2 THEN 'scheduled' WHEN 3 THEN 'ready'" \
	" WHEN 4 THEN 'parked' WHEN 5 THEN 'running' WHEN 6 THEN 'completed'"             \
	" WHEN 7 THEN 'failed' WHEN 8 THEN 'cancelled' WHEN 9 THEN 'quarantined' END"
#define OUTCOME_NAME                                                                       \
	"CASE a.outcome WHEN 1 THEN 'success' WHEN 2 THEN 'failure' WHEN 3 THEN 'snoozed'" \
	" WHEN 4 THEN 'lost' WHEN 5 THEN 'timed_out' WHEN 6 THEN 'cancelled'"              \
	" WHEN 7 THEN 'given_back' END"
#define TIME(column) "strftime('%Y-%m-%d %H:%M:%f', " column " / 1e6, 'unixepoch')"
#define NOW_US                                              \
	"(CAST(strftime('%s', 'now') AS INTEGER) * 1000000" \
	" + CAST(substr(strftime('%f', 'now'), 4, 3) AS INTEGER) * 1000)"
/* The public id of a step: its number, then the store's tag (base/ids.h). */
#define UUID(id)                                                                             \
	"substr(printf('%012x', " id "), 1, 8) || '-' || substr(printf('%012x', " id "), 9)" \
	" || (SELECT '-' || substr(lower(hex(value)), 1, 4) || '-'"                          \
	" || substr(lower(hex(value)), 5, 4) || '-' || substr(lower(hex(value)), 9)"         \
	" FROM meta WHERE key = 'tag')"

static const char step_views[] = "CREATE VIEW v_steps AS SELECT st.id AS id, " UUID(
	"st.id") " AS uuid,"
		 " q.name AS queue, h.name AS handler, h.handler_namespace AS handler_namespace,"
		 " h.version AS handler_version, " STATE_NAME " AS state, st.priority AS priority,"
		 " coalesce(st.attempt_count, 0) AS attempt_count,"
		 " s.attempt_count_max AS attempt_count_max,"
		 " coalesce(st.crash_count, 0) AS crash_count,"
		 " " TIME("s.created_at") " AS created_at, " TIME(
			 "st.changed_at") " AS changed_at,"
					  " " TIME("st.due_at") " AS due_at, " TIME(
						  "st.deadline_at") " AS deadline_at,"
								    " s.created_at AS "
								    "created_at_us, st.changed_at "
								    "AS changed_at_us,"
								    " st.due_at AS due_at_us, "
								    "st.deadline_at AS "
								    "deadline_at_us,"
								    " st.execution_us AS "
								    "execution_us, w.name AS "
								    "worker, s.step_name AS "
								    "step_name,"
								    " s.correlation_id AS "
								    "correlation_id, s.tags AS "
								    "tags, s.caller AS caller,"
								    " s.content_type AS "
								    "content_type, s.input AS "
								    "input, r.bytes AS result,"
								    " a.error_type AS error_type, "
								    "a.message AS error_message"
								    " FROM state AS st JOIN step "
								    "AS s ON s.id = st.id"
								    " LEFT JOIN queue AS q ON q.id "
								    "= st.queue_id"
								    " LEFT JOIN handler AS h ON "
								    "h.id = st.handler_id"
								    " LEFT JOIN worker AS w ON "
								    "w.id = st.worker_id"
								    " LEFT JOIN result AS r ON "
								    "r.step_id = st.id"
								    " LEFT JOIN attempt AS a ON "
								    "a.step_id = st.id AND a.token "
								    "="
								    " (SELECT max(l.token) FROM "
								    "attempt AS l WHERE l.step_id "
								    "= st.id);"

								    "CREATE VIEW v_attempts AS "
								    "SELECT a.step_id AS step_id, "
								    "a.number AS number,"
								    " a.token AS "
								    "token, " OUTCOME_NAME
								    " AS outcome, a.is_retryable "
								    "AS is_retryable,"
								    " w.name AS worker, " TIME(
									    "a.started_at") " AS "
											    "starte"
											    "d_at,"
											    " " TIME("a.finished_at") " AS finished_at, " TIME(
												    "a.retry_at") " AS retry_at,"
														  " a.started_at AS started_at_us, a.finished_at AS finished_at_us,"
														  " a.execution_us AS execution_us, a.error_type AS error_type, a.message AS message,"
														  " a.error_code AS error_code, a.backtrace AS backtrace, a.metadata AS metadata"
														  " FROM attempt AS a LEFT JOIN worker AS w ON w.id = a.worker_id"
														  " UNION ALL"
														  /* A success that says no more than that has no row of its own. */
														  " SELECT st.id, st.attempt_count, st.token, 'success', 0, w.name,"
														  " " TIME(
															  "(st.changed_at - coalesce(st.execution_us, 0))") ","
																					    " " TIME(
																						    "st.changed_at") ", NULL, st.changed_at - coalesce(st.execution_us, 0),"
																								     " st.changed_at, st.execution_us, NULL, NULL, NULL, NULL, NULL"
																								     " FROM state AS st LEFT JOIN worker AS w ON w.id = st.worker_id"
																								     " WHERE st.state = 6 AND st.token IS NOT NULL AND NOT EXISTS"
																								     " (SELECT 1 FROM attempt AS a WHERE a.step_id = st.id AND a.token = st.token);";

static const char other_views[] =
	"CREATE VIEW v_queues AS SELECT q.id AS id, q.name AS name,"
	" q.paused_at IS NOT NULL AS is_paused, " TIME(
		"q.paused_at") " AS paused_at,"
			       " count(*) FILTER (WHERE st.state = 1) AS waiting,"
			       " count(*) FILTER (WHERE st.state = 2) AS scheduled,"
			       " count(*) FILTER (WHERE st.state = 3) AS ready,"
			       " count(*) FILTER (WHERE st.state = 4) AS parked,"
			       " count(*) FILTER (WHERE st.state = 5) AS running,"
			       " count(*) FILTER (WHERE st.state = 6) AS completed,"
			       " count(*) FILTER (WHERE st.state = 7) AS failed,"
			       " count(*) FILTER (WHERE st.state = 8) AS cancelled,"
			       " count(*) FILTER (WHERE st.state = 9) AS quarantined,"
			       " q.concurrency_max AS concurrency_max, q.key_concurrency_max "
			       "AS key_concurrency_max,"
			       " q.rate_count AS rate_count, q.rate_period_us AS "
			       "rate_period_us"
			       " FROM queue AS q LEFT JOIN state AS st ON st.queue_id = q.id "
			       "GROUP BY q.id;"

			       "CREATE VIEW v_workers AS SELECT id AS id, name AS name, "
			       "strategy AS strategy,"
			       " queues AS queues, capabilities AS capabilities, pid AS pid,"
			       " stopped_at IS NOT NULL AS is_stopped, " TIME(
				       "started_at") " AS started_at,"
						     " " TIME(
							     "stopped_at") " AS stopped_at,"
									   " round((" NOW_US
									   " - heartbeat_at) "
									   "/ 1e6, 3) AS "
									   "seconds_since_"
									   "heartbeat,"
									   " block_size AS "
									   "block_size, "
									   "pool_size AS "
									   "pool_size,"
									   " coalesce(active_"
									   "count, 0) AS "
									   "active,"
									   " coalesce("
									   "completed_count, "
									   "0) + "
									   "coalesce(failed_"
									   "count, 0) AS "
									   "processed,"
									   " coalesce("
									   "completed_count, "
									   "0) AS completed, "
									   "coalesce(failed_"
									   "count, 0) AS "
									   "failed,"
									   " round(1.0 * "
									   "coalesce("
									   "completed_count, "
									   "0)"
									   " / "
									   "nullif(coalesce("
									   "completed_count, "
									   "0) + "
									   "coalesce(failed_"
									   "count, 0), 0), 4)"
									   " AS success_rate "
									   "FROM worker;"

									   "CREATE VIEW "
									   "v_recent_"
									   "failures AS "
									   "SELECT a.step_id "
									   "AS "
									   "step_id, " UUID(
										   "a.step_"
										   "id") " AS"
											 " uu"
											 "id,"
											 " q."
											 "nam"
											 "e "
											 "AS "
											 "que"
											 "ue,"
											 " h."
											 "nam"
											 "e "
											 "AS "
											 "han"
											 "dle"
											 "r, "
											 "a."
											 "num"
											 "ber"
											 " AS"
											 " nu"
											 "mbe"
											 "r,"
											 " " OUTCOME_NAME
											 " AS"
											 " ou"
											 "tco"
											 "me,"
											 " " STATE_NAME
											 " AS"
											 " st"
											 "ate"
											 ", "
											 "w."
											 "nam"
											 "e "
											 "AS "
											 "wor"
											 "ker"
											 ","
											 " " TIME(
												 "a"
												 "."
												 "f"
												 "i"
												 "n"
												 "i"
												 "s"
												 "h"
												 "e"
												 "d"
												 "_"
												 "a"
												 "t") " AS finished_at, a.error_type AS error_type,"
												      " a.message AS message, a.error_code AS error_code"
												      " FROM attempt AS a LEFT JOIN state AS st ON st.id = a.step_id"
												      " LEFT JOIN queue AS q ON q.id = st.queue_id"
												      " LEFT JOIN handler AS h ON h.id = st.handler_id"
												      " LEFT JOIN worker AS w ON w.id = a.worker_id"
												      " WHERE a.outcome IN (2, 4, 5) ORDER BY a.finished_at DESC LIMIT 100;";

#define REFUSE(when, what) "SELECT RAISE(ABORT, 'stepbus: " what "') WHERE " when ";"
#define BYTES(column) "length(CAST(" column " AS BLOB))"
/*
 * Any SQLite client enqueues by inserting into this view. What a client gives is checked as the C
 * interface checks it. No conflict clauses: that of the client's statement would take their place.
 */
static const char enqueue_check[] =
	"CREATE VIEW enqueue AS SELECT NULL AS handler, NULL AS handler_namespace,"
	" NULL AS handler_version, NULL AS queue, NULL AS priority, NULL AS run_at,"
	" NULL AS delay_ms, NULL AS input, NULL AS content_type, NULL AS idempotency_key,"
	" NULL AS correlation_id, NULL AS traceparent, NULL AS caller, NULL AS step_name,"
	" NULL AS step_config, NULL AS tags, NULL AS attempt_count_max,"
	" NULL AS attempt_timeout_ms WHERE 0;"
	"CREATE TRIGGER enqueue_check INSTEAD OF INSERT ON enqueue BEGIN " REFUSE(
		"NEW.handler IS NULL OR " BYTES("NEW.handler") " NOT BETWEEN 1 AND 128",
		"handler must have 1 to 128 bytes") REFUSE(BYTES("NEW.handler_namespace") " NOT "
											  "BETWEEN "
											  "1 AND "
											  "128",
							   "handler_namespace must have 1 to 128 "
							   "bytes") REFUSE(BYTES("NEW.handler_"
										 "version") " > "
											    "128",
									   "handler_version must "
									   "have at most 128 bytes")
		REFUSE(BYTES("NEW.queue") " NOT BETWEEN 1 AND 128",
		       "queue must have 1 to 128 "
		       "bytes") REFUSE("instr(CAST(NEW.handler || coalesce(NEW.handler_namespace, "
				       "'')"
				       " || coalesce(NEW.handler_version, '') || "
				       "coalesce(NEW.queue, '') AS "
				       "BLOB), x'00')",
				       "names must not contain NUL") REFUSE("NEW.priority IS NOT "
									    "NULL AND "
									    "(typeof(NEW.priority) "
									    "<> 'integer'"
									    " OR NEW.priority NOT "
									    "BETWEEN 0 AND "
									    "2147483647)",
									    "priority must be a "
									    "number from 0 to "
									    "2147483647")
			REFUSE("NEW.run_at IS NOT NULL AND NEW.delay_ms IS NOT NULL",
			       "give run_at or delay_ms, not both") REFUSE("NEW.run_at IS NOT NULL "
									   "AND "
									   "(typeof(NEW.run_at) <> "
									   "'integer' OR "
									   "NEW.run_at < 0"
									   " OR NEW.run_at > "
									   "253402300799999999)",
									   "run_at must be "
									   "microseconds since "
									   "1970, up to the year "
									   "9999") REFUSE("NEW."
											  "delay_"
											  "ms IS "
											  "NOT "
											  "NULL "
											  "AND "
											  "(typeof("
											  "NEW."
											  "delay_"
											  "ms) <> "
											  "'integer"
											  "'"
											  " OR "
											  "NEW."
											  "delay_"
											  "ms NOT "
											  "BETWEEN "
											  "0 AND "
											  "31557600"
											  "00000)",
											  "delay_"
											  "ms must "
											  "be a "
											  "number "
											  "from 0 "
											  "to "
											  "31557600"
											  "00000")
				REFUSE(BYTES("NEW.input") " > 1048576",
				       "input must have at most "
				       "1048576 bytes") REFUSE(BYTES("NEW.content_type") " > 128",
							       "content_type must have at most 128 "
							       "bytes") REFUSE(BYTES("NEW."
										     "idempotency_"
										     "key") " NOT "
											    "BETWEE"
											    "N 1 "
											    "AND "
											    "256",
									       "idempotency_key "
									       "must have 1 to 256 "
									       "bytes")
					REFUSE(BYTES("NEW.correlation_id") " > 256",
					       "correlation_id must have at most 256 "
					       "bytes") REFUSE(BYTES("NEW.traceparent") " "
											">"
											" "
											"1"
											"2"
											"8",
							       "traceparent must have at "
							       "most 128 bytes")
						REFUSE(BYTES("NEW.caller") " > 128", "calle"
										     "r "
										     "must "
										     "have "
										     "at "
										     "most "
										     "128 "
										     "byte"
										     "s")
							REFUSE(BYTES("NEW.step_name") " > 128",
							       "step_name must have at most 128 "
							       "bytes") REFUSE(BYTES("NEW.step_"
										     "config") " >"
											       " 6"
											       "55"
											       "3"
											       "6",
									       "step_config must "
									       "have at most "
									       "65536 bytes")
								REFUSE(BYTES("NEW.tags") " > 1024",
								       "tags must have at most "
								       "1024 bytes")
									REFUSE("NEW.attempt_count_"
									       "max IS NOT NULL "
									       "AND "
									       "(typeof(NEW."
									       "attempt_count_max) "
									       "<> 'integer'"
									       " OR "
									       "NEW.attempt_count_"
									       "max NOT BETWEEN 1 "
									       "AND 1000000)",
									       "attempt_count_max "
									       "must be a number "
									       "from 1 to 1000000")
										REFUSE("NEW."
										       "attempt_"
										       "timeout_ms "
										       "IS NOT "
										       "NULL AND "
										       "(typeof("
										       "NEW."
										       "attempt_"
										       "timeout_ms)"
										       " <> "
										       "'integer'"
										       " OR "
										       "NEW."
										       "attempt_"
										       "timeout_ms "
										       "NOT "
										       "BETWEEN 1 "
										       "AND "
										       "31557600000"
										       "00)",
										       "attempt_"
										       "timeout_ms "
										       "must be a "
										       "number "
										       "from 1 to "
										       "31557600000"
										       "00") "END;";

static const char enqueue_insert[] =
	"CREATE TRIGGER enqueue_insert INSTEAD OF INSERT ON enqueue BEGIN "
	"SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM unique_key"
	" WHERE key = CAST('i' || NEW.idempotency_key AS BLOB));"
	"INSERT INTO queue (name) SELECT CAST(coalesce(NEW.queue, 'default') AS TEXT)"
	" WHERE NOT EXISTS (SELECT 1 FROM queue"
	" WHERE name = CAST(coalesce(NEW.queue, 'default') AS TEXT));"
	"INSERT INTO handler (handler_namespace, name, version)"
	" SELECT CAST(coalesce(NEW.handler_namespace, 'default') AS TEXT),"
	" CAST(NEW.handler AS TEXT), CAST(coalesce(NEW.handler_version, '') AS TEXT)"
	" WHERE NOT EXISTS (SELECT 1 FROM handler"
	" WHERE handler_namespace = CAST(coalesce(NEW.handler_namespace, 'default') AS TEXT)"
	" AND name = CAST(NEW.handler AS TEXT)"
	" AND version = CAST(coalesce(NEW.handler_version, '') AS TEXT));"
	"INSERT INTO step (queue_id, handler_id, created_at, run_at, attempt_timeout_us, priority,"
	" attempt_count_max, input, content_type, step_name, step_config, correlation_id,"
	" traceparent, caller, tags, idempotency_key)"
	" SELECT q.id, h.id, " NOW_US ","
	" coalesce(NEW.run_at, " NOW_US " + NEW.delay_ms * 1000), NEW.attempt_timeout_ms * 1000,"
	" coalesce(NEW.priority, 100), NEW.attempt_count_max, CAST(NEW.input AS BLOB),"
	" CAST(NEW.content_type AS TEXT), CAST(NEW.step_name AS TEXT),"
	" CAST(NEW.step_config AS TEXT), CAST(NEW.correlation_id AS TEXT),"
	" CAST(NEW.traceparent AS TEXT), CAST(NEW.caller AS TEXT), CAST(NEW.tags AS TEXT),"
	" CAST('i' || NEW.idempotency_key AS BLOB)"
	" FROM queue AS q, handler AS h WHERE q.name = CAST(coalesce(NEW.queue, 'default') AS TEXT)"
	" AND h.handler_namespace = CAST(coalesce(NEW.handler_namespace, 'default') AS TEXT)"
	" AND h.name = CAST(NEW.handler AS TEXT)"
	" AND h.version = CAST(coalesce(NEW.handler_version, '') AS TEXT);"
	"INSERT INTO state (id, queue_id, handler_id, priority, changed_at, state, due_at, place,"
	" rank) SELECT id, queue_id, handler_id, priority, created_at,"
	" CASE WHEN run_at > created_at THEN 2 ELSE 3 END,"
	" CASE WHEN run_at > created_at THEN run_at END,"
	" CASE WHEN run_at > created_at THEN -1 ELSE queue_id END,"
	" CASE WHEN run_at > created_at THEN run_at ELSE priority END"
	" FROM step WHERE id = (SELECT max(id) FROM step);"
	"INSERT INTO unique_key (key, step_id) SELECT idempotency_key, id FROM step"
	" WHERE id = (SELECT max(id) FROM step) AND idempotency_key IS NOT NULL;"
	"INSERT INTO step_tag (tag, step_id) SELECT DISTINCT word, (SELECT max(id) FROM step) FROM "
	"("
	"WITH RECURSIVE split (word, rest) AS (SELECT NULL, CAST(NEW.tags AS TEXT) || ','"
	" UNION ALL SELECT trim(substr(rest, 1, instr(rest, ',') - 1)),"
	" substr(rest, instr(rest, ',') + 1) FROM split WHERE rest <> '')"
	" SELECT word FROM split WHERE word <> '');"
	"END;";

static const char *const first[] = { tables,        step_views,     other_views,
				     enqueue_check, enqueue_insert, NULL };

/* One for each version from 1 on. */
static const char *const *const migrations[SB_SCHEMA_VERSION] = { first };

static stepbus_status run(sb_connection *connection, const char *text, stepbus_error *err)
{
	int code = sqlite3_exec(connection->db, text, NULL, NULL, NULL);

	if (code != SQLITE_OK)
		return sb_sqlite_fail(connection, code, "bring the store to this version", err);
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_schema_migrate(sb_connection *connection, int64_t version,
					stepbus_error *err)
{
	char mark[96];
	stepbus_status status = STEPBUS_OK;

	for (int64_t i = version; i < SB_SCHEMA_VERSION; i++)
		for (const char *const *part = migrations[i]; *part != NULL; part++)
			if (status == STEPBUS_OK)
				status = run(connection, *part, err);
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
