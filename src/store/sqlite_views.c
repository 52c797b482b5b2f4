/* SPDX-License-Identifier: MIT */
#include "store/sqlite_views.h"

/* The lines are SQL's, not C's. */
/* clang-format off */

/* The numbers of step_state.h and rows.h as words, and times as text. */
#define STATE_NAME \
	"CASE st.state WHEN 1 THEN 'waiting' WHEN 2 THEN 'scheduled' WHEN 3 THEN 'ready'" \
	" WHEN 4 THEN 'parked' WHEN 5 THEN 'running' WHEN 6 THEN 'completed'" \
	" WHEN 7 THEN 'failed' WHEN 8 THEN 'cancelled' WHEN 9 THEN 'quarantined' END"
#define OUTCOME_NAME \
	"CASE a.outcome WHEN 1 THEN 'success' WHEN 2 THEN 'failure' WHEN 3 THEN 'snoozed'" \
	" WHEN 4 THEN 'lost' WHEN 5 THEN 'timed_out' WHEN 6 THEN 'cancelled'" \
	" WHEN 7 THEN 'given_back' END"
#define TIME(column) "strftime('%Y-%m-%d %H:%M:%f', " column " / 1e6, 'unixepoch')"
#define NOW_US \
	"(CAST(strftime('%s', 'now') AS INTEGER) * 1000000" \
	" + CAST(substr(strftime('%f', 'now'), 4, 3) AS INTEGER) * 1000)"
/* The public id of a step: its number, then the store's tag (base/ids.h). */
#define UUID(id) \
	"substr(printf('%012x', " id "), 1, 8) || '-' || substr(printf('%012x', " id "), 9)" \
	" || (SELECT '-' || substr(lower(hex(value)), 1, 4) || '-'" \
	" || substr(lower(hex(value)), 5, 4) || '-' || substr(lower(hex(value)), 9)" \
	" FROM meta WHERE key = 'tag')"

const char sb_sqlite_views_steps[] =
	"CREATE VIEW v_steps AS SELECT st.id AS id, " UUID("st.id") " AS uuid,"
	" q.name AS queue, h.name AS handler, h.handler_namespace AS handler_namespace,"
	" h.version AS handler_version, " STATE_NAME " AS state, st.priority AS priority,"
	" coalesce(st.attempt_count, 0) AS attempt_count,"
	" s.attempt_count_max AS attempt_count_max,"
	" coalesce(st.crash_count, 0) AS crash_count,"
	" " TIME("s.created_at") " AS created_at,"
	" " TIME("st.changed_at") " AS changed_at,"
	" " TIME("st.due_at") " AS due_at,"
	" " TIME("st.deadline_at") " AS deadline_at,"
	" s.created_at AS created_at_us, st.changed_at AS changed_at_us,"
	" st.due_at AS due_at_us, st.deadline_at AS deadline_at_us,"
	" st.execution_us AS execution_us, w.name AS worker, s.step_name AS step_name,"
	" s.correlation_id AS correlation_id, s.tags AS tags, s.caller AS caller,"
	" s.content_type AS content_type, s.input AS input, r.bytes AS result,"
	" a.error_type AS error_type, a.message AS error_message"
	" FROM state AS st JOIN step AS s ON s.id = st.id"
	" LEFT JOIN queue AS q ON q.id = st.queue_id"
	" LEFT JOIN handler AS h ON h.id = st.handler_id"
	" LEFT JOIN worker AS w ON w.id = st.worker_id"
	" LEFT JOIN result AS r ON r.step_id = st.id"
	" LEFT JOIN attempt AS a ON a.step_id = st.id AND a.token ="
	" (SELECT max(l.token) FROM attempt AS l WHERE l.step_id = st.id);"

	/* A success that says no more than that has no row of its own: the second part. */
	"CREATE VIEW v_attempts AS SELECT a.step_id AS step_id, a.number AS number,"
	" a.token AS token, " OUTCOME_NAME " AS outcome, a.is_retryable AS is_retryable,"
	" w.name AS worker,"
	" " TIME("a.started_at") " AS started_at,"
	" " TIME("a.finished_at") " AS finished_at,"
	" " TIME("a.retry_at") " AS retry_at,"
	" a.started_at AS started_at_us, a.finished_at AS finished_at_us,"
	" a.execution_us AS execution_us, a.error_type AS error_type, a.message AS message,"
	" a.error_code AS error_code, a.backtrace AS backtrace, a.metadata AS metadata"
	" FROM attempt AS a LEFT JOIN worker AS w ON w.id = a.worker_id"
	" UNION ALL"
	" SELECT st.id, st.attempt_count, st.token, 'success', 0, w.name,"
	" " TIME("(st.changed_at - coalesce(st.execution_us, 0))") ","
	" " TIME("st.changed_at") ", NULL, st.changed_at - coalesce(st.execution_us, 0),"
	" st.changed_at, st.execution_us, NULL, NULL, NULL, NULL, NULL"
	" FROM state AS st LEFT JOIN worker AS w ON w.id = st.worker_id"
	" WHERE st.state = 6 AND st.token IS NOT NULL AND NOT EXISTS"
	" (SELECT 1 FROM attempt AS a WHERE a.step_id = st.id AND a.token = st.token);";

const char sb_sqlite_views_others[] =
	"CREATE VIEW v_queues AS SELECT q.id AS id, q.name AS name,"
	" q.paused_at IS NOT NULL AS is_paused, " TIME("q.paused_at") " AS paused_at,"
	" count(*) FILTER (WHERE st.state = 1) AS waiting,"
	" count(*) FILTER (WHERE st.state = 2) AS scheduled,"
	" count(*) FILTER (WHERE st.state = 3) AS ready,"
	" count(*) FILTER (WHERE st.state = 4) AS parked,"
	" count(*) FILTER (WHERE st.state = 5) AS running,"
	" count(*) FILTER (WHERE st.state = 6) AS completed,"
	" count(*) FILTER (WHERE st.state = 7) AS failed,"
	" count(*) FILTER (WHERE st.state = 8) AS cancelled,"
	" count(*) FILTER (WHERE st.state = 9) AS quarantined,"
	" q.concurrency_max AS concurrency_max, q.key_concurrency_max AS key_concurrency_max,"
	" q.rate_count AS rate_count, q.rate_period_us AS rate_period_us"
	" FROM queue AS q LEFT JOIN state AS st ON st.queue_id = q.id GROUP BY q.id;"

	"CREATE VIEW v_workers AS SELECT id AS id, name AS name, strategy AS strategy,"
	" queues AS queues, capabilities AS capabilities, pid AS pid,"
	" stopped_at IS NOT NULL AS is_stopped, " TIME("started_at") " AS started_at,"
	" " TIME("stopped_at") " AS stopped_at,"
	" round((" NOW_US " - heartbeat_at) / 1e6, 3) AS seconds_since_heartbeat,"
	" block_size AS block_size, pool_size AS pool_size,"
	" coalesce(active_count, 0) AS active,"
	" coalesce(completed_count, 0) + coalesce(failed_count, 0) AS processed,"
	" coalesce(completed_count, 0) AS completed, coalesce(failed_count, 0) AS failed,"
	" round(1.0 * coalesce(completed_count, 0)"
	" / nullif(coalesce(completed_count, 0) + coalesce(failed_count, 0), 0), 4)"
	" AS success_rate FROM worker;"

	"CREATE VIEW v_recent_failures AS SELECT a.step_id AS step_id,"
	" " UUID("a.step_id") " AS uuid, q.name AS queue, h.name AS handler,"
	" a.number AS number, " OUTCOME_NAME " AS outcome, " STATE_NAME " AS state,"
	" w.name AS worker, " TIME("a.finished_at") " AS finished_at,"
	" a.error_type AS error_type, a.message AS message, a.error_code AS error_code"
	" FROM attempt AS a LEFT JOIN state AS st ON st.id = a.step_id"
	" LEFT JOIN queue AS q ON q.id = st.queue_id"
	" LEFT JOIN handler AS h ON h.id = st.handler_id"
	" LEFT JOIN worker AS w ON w.id = a.worker_id"
	" WHERE a.outcome IN (2, 4, 5) ORDER BY a.finished_at DESC LIMIT 100;";

/*
 * Any SQLite client enqueues by inserting into this view. What a client gives is checked as the C
 * interface checks it (handlers/enqueue.c). No conflict clauses: that of the client's statement
 * would take their place.
 */
const char sb_sqlite_views_enqueue[] =
	"CREATE VIEW enqueue AS SELECT NULL AS handler, NULL AS handler_namespace,"
	" NULL AS handler_version, NULL AS queue, NULL AS priority, NULL AS run_at,"
	" NULL AS delay_ms, NULL AS input, NULL AS content_type, NULL AS idempotency_key,"
	" NULL AS correlation_id, NULL AS traceparent, NULL AS caller, NULL AS step_name,"
	" NULL AS step_config, NULL AS tags, NULL AS attempt_count_max, NULL AS wait_timeout_ms,"
	" NULL AS attempt_timeout_ms, NULL AS total_timeout_ms WHERE 0;"
	"CREATE TRIGGER enqueue_insert INSTEAD OF INSERT ON enqueue BEGIN "
	"SELECT RAISE(ABORT, 'stepbus: handler must be 1 to 128 of [A-Za-z0-9_.:/-]') WHERE"
	" NEW.handler IS NULL OR length(CAST(NEW.handler AS BLOB)) NOT BETWEEN 1 AND 128"
	" OR CAST(NEW.handler AS TEXT) GLOB '*[^A-Za-z0-9_.:/-]*'"
	" OR instr(CAST(NEW.handler AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: handler_namespace must be 1 to 128 of [A-Za-z0-9_.:/-]') WHERE"
	" length(CAST(NEW.handler_namespace AS BLOB)) NOT BETWEEN 1 AND 128"
	" OR CAST(NEW.handler_namespace AS TEXT) GLOB '*[^A-Za-z0-9_.:/-]*'"
	" OR instr(CAST(NEW.handler_namespace AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: handler_version must have at most 64 bytes, and no NUL') WHERE"
	" length(CAST(NEW.handler_version AS BLOB)) > 64"
	" OR instr(CAST(NEW.handler_version AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: queue must be 1 to 128 of [A-Za-z0-9_.:/-]') WHERE"
	" length(CAST(NEW.queue AS BLOB)) NOT BETWEEN 1 AND 128"
	" OR CAST(NEW.queue AS TEXT) GLOB '*[^A-Za-z0-9_.:/-]*'"
	" OR instr(CAST(NEW.queue AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: priority must be a number from 0 to 10000') WHERE"
	" NEW.priority IS NOT NULL AND (typeof(NEW.priority) <> 'integer'"
	" OR NEW.priority NOT BETWEEN 0 AND 10000);"
	"SELECT RAISE(ABORT, 'stepbus: run_at must be microseconds since 1970, up to the year 9999') WHERE"
	" NEW.run_at IS NOT NULL AND (typeof(NEW.run_at) <> 'integer'"
	" OR NEW.run_at NOT BETWEEN 0 AND 253402300799999999);"
	"SELECT RAISE(ABORT, 'stepbus: delay_ms must be a number from 0 to 316224000000') WHERE"
	" NEW.delay_ms IS NOT NULL AND (typeof(NEW.delay_ms) <> 'integer'"
	" OR NEW.delay_ms NOT BETWEEN 0 AND 316224000000);"
	"SELECT RAISE(ABORT, 'stepbus: wait_timeout_ms must be a number from 0 to 316224000000') WHERE"
	" NEW.wait_timeout_ms IS NOT NULL AND (typeof(NEW.wait_timeout_ms) <> 'integer'"
	" OR NEW.wait_timeout_ms NOT BETWEEN 0 AND 316224000000);"
	"SELECT RAISE(ABORT, 'stepbus: attempt_timeout_ms must be a number from 0 to 316224000000') WHERE"
	" NEW.attempt_timeout_ms IS NOT NULL AND (typeof(NEW.attempt_timeout_ms) <> 'integer'"
	" OR NEW.attempt_timeout_ms NOT BETWEEN 0 AND 316224000000);"
	"SELECT RAISE(ABORT, 'stepbus: total_timeout_ms must be a number from 0 to 316224000000') WHERE"
	" NEW.total_timeout_ms IS NOT NULL AND (typeof(NEW.total_timeout_ms) <> 'integer'"
	" OR NEW.total_timeout_ms NOT BETWEEN 0 AND 316224000000);"
	"SELECT RAISE(ABORT, 'stepbus: attempt_count_max must be a number from 0 to 4294967295') WHERE"
	" NEW.attempt_count_max IS NOT NULL AND (typeof(NEW.attempt_count_max) <> 'integer'"
	" OR NEW.attempt_count_max NOT BETWEEN 0 AND 4294967295);";

const char sb_sqlite_views_enqueue_check[] =
	"SELECT RAISE(ABORT, 'stepbus: input must have at most 1048576 bytes') WHERE"
	" length(CAST(NEW.input AS BLOB)) > 1048576;"
	"SELECT RAISE(ABORT, 'stepbus: idempotency_key must have 1 to 256 bytes') WHERE"
	" length(CAST(NEW.idempotency_key AS BLOB)) NOT BETWEEN 1 AND 256;"
	"SELECT RAISE(ABORT, 'stepbus: content_type must have at most 128 bytes, and no NUL') WHERE"
	" length(CAST(NEW.content_type AS BLOB)) > 128"
	" OR instr(CAST(NEW.content_type AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: step_name must have at most 128 bytes, and no NUL') WHERE"
	" length(CAST(NEW.step_name AS BLOB)) > 128"
	" OR instr(CAST(NEW.step_name AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: caller must be 1 to 128 of [A-Za-z0-9_.:/-]') WHERE"
	" length(CAST(NEW.caller AS BLOB)) NOT BETWEEN 1 AND 128"
	" OR CAST(NEW.caller AS TEXT) GLOB '*[^A-Za-z0-9_.:/-]*'"
	" OR instr(CAST(NEW.caller AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: correlation_id must have at most 1024 bytes, and no NUL') WHERE"
	" length(CAST(NEW.correlation_id AS BLOB)) > 1024"
	" OR instr(CAST(NEW.correlation_id AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: traceparent must have at most 1024 bytes, and no NUL') WHERE"
	" length(CAST(NEW.traceparent AS BLOB)) > 1024"
	" OR instr(CAST(NEW.traceparent AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: tags must have at most 4096 bytes, and no NUL') WHERE"
	" length(CAST(NEW.tags AS BLOB)) > 4096"
	" OR instr(CAST(NEW.tags AS BLOB), x'00');"
	"SELECT RAISE(ABORT, 'stepbus: step_config must have at most 65536 bytes, and no NUL') WHERE"
	" length(CAST(NEW.step_config AS BLOB)) > 65536"
	" OR instr(CAST(NEW.step_config AS BLOB), x'00');";

#define QUEUE "CAST(coalesce(NEW.queue, 'default') AS TEXT)"
#define NAMESPACE "CAST(coalesce(NEW.handler_namespace, 'default') AS TEXT)"
#define VERSION "CAST(coalesce(NEW.handler_version, '') AS TEXT)"
/* All bytes, since no function makes one of a number. */
#define BYTES "x'" \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" \
	"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f" \
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f" \
	"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f" \
	"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" \
	"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf" \
	"c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf" \
	"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff" \
	"'"
/* As handlers/unique.h composes it: its kind, its length in two bytes, and the key. */
#define KEY \
	"CAST(x'69' || substr(x'0001', 1 + length(CAST(NEW.idempotency_key AS BLOB)) / 256, 1)" \
	" || substr(" BYTES ", 1 + length(CAST(NEW.idempotency_key AS BLOB)) % 256, 1)" \
	" || NEW.idempotency_key AS BLOB)"
/* When it may run, where that is still to come. */
#define RUN_AT \
	"nullif(max(coalesce(NEW.run_at, 0), " NOW_US " + coalesce(NEW.delay_ms, 0) * 1000)," \
	" " NOW_US ")"
/* The shorter of the two that are there. */
#define PATIENCE \
	"min(coalesce(wait_timeout_us, total_timeout_us)," \
	" coalesce(total_timeout_us, wait_timeout_us))"

const char sb_sqlite_views_enqueue_insert[] =
	"SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM unique_key WHERE key = " KEY ");"
	"INSERT INTO queue (name) SELECT " QUEUE
	" WHERE NOT EXISTS (SELECT 1 FROM queue WHERE name = " QUEUE ");"
	"INSERT INTO handler (handler_namespace, name, version)"
	" SELECT " NAMESPACE ", CAST(NEW.handler AS TEXT), " VERSION
	" WHERE NOT EXISTS (SELECT 1 FROM handler WHERE handler_namespace = " NAMESPACE
	" AND name = CAST(NEW.handler AS TEXT) AND version = " VERSION ");"
	"INSERT INTO step (queue_id, handler_id, created_at, run_at, wait_timeout_us,"
	" attempt_timeout_us, total_timeout_us, priority, attempt_count_max, input, content_type,"
	" step_name, step_config, correlation_id, traceparent, caller, tags, idempotency_key)"
	" SELECT q.id, h.id, " NOW_US ", " RUN_AT ","
	" nullif(NEW.wait_timeout_ms * 1000, 0), nullif(NEW.attempt_timeout_ms * 1000, 0),"
	" nullif(NEW.total_timeout_ms * 1000, 0), coalesce(nullif(NEW.priority, 0), 100),"
	" nullif(NEW.attempt_count_max, 0), CAST(NEW.input AS BLOB),"
	" CAST(NEW.content_type AS TEXT), CAST(NEW.step_name AS TEXT),"
	" CAST(NEW.step_config AS TEXT), CAST(NEW.correlation_id AS TEXT),"
	" CAST(NEW.traceparent AS TEXT), CAST(NEW.caller AS TEXT), CAST(NEW.tags AS TEXT), " KEY
	" FROM queue AS q, handler AS h WHERE q.name = " QUEUE
	" AND h.handler_namespace = " NAMESPACE " AND h.name = CAST(NEW.handler AS TEXT)"
	" AND h.version = " VERSION ";";

const char sb_sqlite_views_enqueue_end[] =
	"INSERT INTO state (id, queue_id, handler_id, priority, changed_at, state, due_at, place,"
	" rank, deadline_at) SELECT id, queue_id, handler_id, priority, created_at,"
	" iif(run_at IS NULL, 3, 2), run_at, iif(run_at IS NULL, queue_id, -1),"
	" coalesce(run_at, priority), coalesce(run_at, created_at) + " PATIENCE
	" FROM step WHERE id = (SELECT max(id) FROM step);"
	"INSERT INTO unique_key (key, step_id) SELECT idempotency_key, id FROM step"
	" WHERE id = (SELECT max(id) FROM step) AND idempotency_key IS NOT NULL;"
	"INSERT INTO step_tag (tag, step_id) SELECT DISTINCT word, (SELECT max(id) FROM step) FROM ("
	"WITH RECURSIVE split (word, rest) AS (SELECT NULL, CAST(NEW.tags AS TEXT) || ','"
	" UNION ALL SELECT trim(substr(rest, 1, instr(rest, ',') - 1)),"
	" substr(rest, instr(rest, ',') + 1) FROM split WHERE rest <> '')"
	" SELECT word FROM split WHERE word <> '');"
	"END;";
/* clang-format on */
