/* SPDX-License-Identifier: MIT */
#include "store/sqlite_sql.h"

/* The lists of columns; the functions that read them count on their order. */
#define STEP(t)                                                                                 \
	t "id," t "task_id," t "queue_id," t "handler_id," t "created_at," t "run_at," t        \
	  "wait_timeout_us," t "attempt_timeout_us," t "total_timeout_us," t "retry_base_us," t \
	  "retry_cap_us," t "priority," t "retry_kind," t "attempt_count_max," t                \
	  "jitter_percent," t "input," t "content_type," t "step_name," t "step_config," t      \
	  "correlation_id," t "traceparent," t "caller," t "tags," t "concurrency_key," t       \
	  "idempotency_key," t "unique_key"
#define STATE(t)                                                                              \
	t "id," t "queue_id," t "handler_id," t "due_at," t "deadline_at," t "token," t       \
	  "worker_id," t "park_key," t "concurrency_key," t "changed_at," t "execution_us," t \
	  "priority," t "attempt_count," t "crash_count," t "state," t "checkpoint_count"
#define QUEUE                                                                                    \
	"id, name, paused_at, concurrency_max, key_concurrency_max, rate_count, rate_period_us," \
	" rate_room_micro, rate_at"
#define HANDLER(t) t "id," t "handler_namespace," t "name," t "version," t "recorded_at"
#define ATTEMPT(t)                                                                   \
	t "step_id," t "token," t "worker_id," t "started_at," t "finished_at," t    \
	  "execution_us," t "retry_at," t "number," t "outcome," t "is_retryable," t \
	  "error_type," t "message," t "error_code," t "backtrace," t "metadata"

#define CHECKPOINT(t) \
	t "step_id," t "token," t "at," t "items_processed," t "cursor," t "partial_result"

/* A ready step stands where its queue and priority say, which no move changes. */
#define MOVE                                                                         \
	"UPDATE main.state SET state = ?1, due_at = ?2, token = ?3, worker_id = ?4," \
	" park_key = ?5, changed_at = ?6, execution_us = ?7, attempt_count = ?8,"    \
	" crash_count = ?9, place = CASE ?1 WHEN 3 THEN queue_id ELSE ?14 END,"      \
	" rank = CASE ?1 WHEN 3 THEN priority ELSE ?15 END, checkpoint_count = ?16"
#define SCAN "SELECT " STATE("") " FROM main.state "

/*
 * Everything of a step. CROSS JOIN fixes the order in which tables are walked: what a filter can
 * decide by the narrow row it decides before the wide one is read.
 */
/* clang-format off */
#define VIEW_COLUMNS \
	"SELECT " STEP("s.") "," STATE("st.") ",q.name," HANDLER("h.") ",w.name," \
	"r.step_id,r.bytes,r.content_type,r.metadata," ATTEMPT("a.") "," CHECKPOINT("c.")
/* clang-format on */
#define VIEW_NAMES                                                              \
	" CROSS JOIN main.queue AS q ON q.id = st.queue_id"                     \
	" CROSS JOIN main.handler AS h ON h.id = st.handler_id"                 \
	" LEFT JOIN main.worker AS w ON w.id = st.worker_id"                    \
	" LEFT JOIN main.result AS r ON r.step_id = st.id"                      \
	" LEFT JOIN main.attempt AS a ON a.step_id = st.id AND a.token ="       \
	" (SELECT max(l.token) FROM main.attempt AS l WHERE l.step_id = st.id)" \
	" LEFT JOIN main.checkpoint AS c ON c.step_id = st.id AND st.checkpoint_count > 0"
#define FROM_STATE " FROM main.state AS st CROSS JOIN main.step AS s ON s.id = st.id"
#define FROM_CORRELATION " FROM main.step AS s CROSS JOIN main.state AS st ON st.id = s.id"
#define FROM_TAG                                                                    \
	" FROM main.step_tag AS t CROSS JOIN main.state AS st ON st.id = t.step_id" \
	" CROSS JOIN main.step AS s ON s.id = st.id"
/*
 * ?1 and ?2: the ids to look at; 3 states, 4 queue, 5 handler, 6 and 7 times, 8 correlation, 9 tag,
 * 11 and 12 the name and the namespace of a handler.
 */
#define BY_HANDLER                                                               \
	" AND (?5 = 0 OR st.handler_id = ?5) AND (coalesce(?11, ?12) IS NULL"    \
	" OR EXISTS (SELECT 1 FROM main.handler AS n WHERE n.id = st.handler_id" \
	" AND (?11 IS NULL OR n.name = ?11)"                                     \
	" AND (?12 IS NULL OR n.handler_namespace = ?12)))"
#define FILTER                                                                  \
	" AND (?3 >> st.state & 1) AND (?4 = 0 OR st.queue_id = ?4)" BY_HANDLER \
	" AND s.created_at >= ?6 AND s.created_at < ?7"
#define WHERE_STATE                                                                              \
	" WHERE st.id >= ?1 AND st.id <= ?2" FILTER " AND (?8 IS NULL OR s.correlation_id = ?8)" \
	" AND (?9 IS NULL OR EXISTS (SELECT 1 FROM main.step_tag AS g WHERE g.tag = ?9"          \
	" AND g.step_id = st.id))"
#define WHERE_CORRELATION                                                               \
	" WHERE s.correlation_id = ?8 AND s.id >= ?1 AND s.id <= ?2" FILTER             \
	" AND (?9 IS NULL OR EXISTS (SELECT 1 FROM main.step_tag AS g WHERE g.tag = ?9" \
	" AND g.step_id = st.id))"
#define WHERE_TAG                                                          \
	" WHERE t.tag = ?9 AND t.step_id >= ?1 AND t.step_id <= ?2" FILTER \
	" AND (?8 IS NULL OR s.correlation_id = ?8)"

const sb_sql_entry sb_sql_table[SB_SQL_COUNT] = {
	[SB_SQL_BEGIN] = { "BEGIN IMMEDIATE", "begin a transaction" },
	[SB_SQL_COMMIT] = { "COMMIT", "commit a transaction" },
	[SB_SQL_ROLLBACK] = { "ROLLBACK", "roll a transaction back" },
	[SB_SQL_SAVEPOINT] = { "SAVEPOINT stepbus", "begin a transaction" },
	/* Writes nothing, but has the right to write from then on. */
	[SB_SQL_LOCK] = { "UPDATE main.queue SET paused_at = NULL WHERE id = 0",
			  "begin a transaction" },
	[SB_SQL_RELEASE] = { "RELEASE stepbus", "commit a transaction" },
	[SB_SQL_ROLLBACK_TO] = { "ROLLBACK TO stepbus", "roll a transaction back" },
	[SB_SQL_DATA_VERSION] = { "PRAGMA main.data_version", "look for changes" },
	[SB_SQL_META_READ] = { "SELECT value FROM main.meta WHERE key = ?1",
			       "read what the store is" },
	[SB_SQL_META_WRITE] = { "INSERT INTO main.meta (key, value) VALUES (?1, ?2)",
				"write what the store is" },
	/* What it is already (SB_SCHEMA_APPLICATION_ID); yet unlike a row, it is written again. */
	[SB_SQL_TOUCH] = { "PRAGMA main.application_id = 1935832435", "write" },
	[SB_SQL_PAGES_READ] = { "SELECT (SELECT max(id) FROM main.step),"
				" (SELECT max(id) FROM main.state),"
				" (SELECT max(id) FROM main.queue),"
				" (SELECT max(id) FROM main.handler),"
				" (SELECT max(id) FROM main.worker)",
				"read" },

	[SB_SQL_STEP_INSERT] = { "INSERT INTO main.step (" STEP(
					 "") ") VALUES (NULL, ?1, ?2, ?3,"
					     " ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
					     "?15, ?16, ?17,"
					     " ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
				 "add a step" },
	/* A handler_id of 0 marks a grave: see sqlite_steps.c. */
	[SB_SQL_STEP_READ] = { "SELECT " STEP("") " FROM main.step WHERE id = ?1"
						  " AND handler_id > 0",
			       "read a step" },
	[SB_SQL_STEP_DELETE] = { "DELETE FROM main.step WHERE id = ?1", "remove a step" },
	[SB_SQL_STEP_BURY] = { "REPLACE INTO main.step (id, queue_id, handler_id, created_at)"
			       " VALUES (?1, 0, 0, 0)",
			       "remove a step" },
	[SB_SQL_STEP_LAST] = { "SELECT max(id) FROM main.step", "find the newest step" },
	[SB_SQL_STATE_FROM] = { "SELECT min(id) FROM main.state WHERE id >= ?1", "look for steps" },
	[SB_SQL_STATE_UP_TO] = { "SELECT max(id) FROM main.state WHERE id <= ?1",
				 "look for steps" },
	[SB_SQL_TAG_INSERT] = { "INSERT OR IGNORE INTO main.step_tag (tag, step_id)"
				" VALUES (?1, ?2)",
				"tag a step" },
	[SB_SQL_TAG_DELETE] = { "DELETE FROM main.step_tag WHERE tag = ?1 AND step_id = ?2",
				"remove a step's tag" },
	[SB_SQL_STATE_INSERT] = { "INSERT INTO main.state (" STATE(
					  "") ", place, rank, running_key)"
					      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
					      "?11, ?12,"
					      " ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
				  "add a step's state" },
	[SB_SQL_STATE_READ] = { SCAN "WHERE id = ?1", "read a step's state" },
	/*
	 * Few steps have a concurrency key, and few moves change a deadline. Leaving those columns
	 * out spares their indexes; the guard says whether that was right.
	 */
	[SB_SQL_STATE_MOVE] = { MOVE " WHERE id = ?10 AND state = ?11"
				     " AND coalesce(token, 0) = ?12"
				     " AND deadline_at IS ?13 AND concurrency_key IS NULL",
				"move a step" },
	[SB_SQL_STATE_MOVE_ALL] = { MOVE ", deadline_at = ?13, running_key ="
					 " CASE ?1 WHEN 5 THEN concurrency_key END"
					 " WHERE id = ?10 AND state = ?11"
					 " AND coalesce(token, 0) = ?12",
				    "move a step" },
	[SB_SQL_STATE_DELETE] = { "DELETE FROM main.state WHERE id = ?1", "remove a step" },

	/*
	 * The state beside the place (step_state.h has the numbers): a row that another program has
	 * changed may stand where its state does not belong, and must not keep the others there.
	 */
	[SB_SQL_SCAN_READY] = { SCAN "WHERE place = ?1 AND rank = ?2"
				     " AND id > ?3 AND state = 3 ORDER BY id LIMIT ?4",
				"look for ready steps" },
	[SB_SQL_SCAN_READY_LAST] = { SCAN "WHERE place = ?1 AND rank = ?2"
					  " AND id < ?3 AND state = 3"
					  " ORDER BY id DESC LIMIT ?4",
				     "look for ready steps" },
	[SB_SQL_SCAN_PARKED] = { SCAN "WHERE place = -2 AND rank = ?1 AND id > ?2"
				      " AND state = 4 ORDER BY id LIMIT ?3",
				 "look for parked steps" },
	[SB_SQL_SCAN_DUE] = { SCAN "WHERE place = -1 AND rank <= ?1 AND state = 2"
				   " ORDER BY rank LIMIT ?2",
			      "look for steps that are due" },
	[SB_SQL_SCAN_OVERDUE] = { SCAN "WHERE deadline_at <= ?1 AND state BETWEEN 1 AND 5"
				       " ORDER BY deadline_at LIMIT ?2",
				  "look for steps past their deadline" },
	[SB_SQL_SCAN_RUNNING] = { SCAN "WHERE place = -3 AND rank = ?1 AND id > ?2"
				       " AND state = 5 ORDER BY id LIMIT ?3",
				  "look for running steps" },
	[SB_SQL_SCAN_ALL] = { SCAN "WHERE id > ?1 ORDER BY id LIMIT ?2", "look for steps" },
	/*
	 * ?2 is one more than the priority of the lane before: with ">" the search would begin at
	 * that lane's first step, and walk through all of them. Not "place > 0" as well, which the
	 * planner would search by instead.
	 */
	[SB_SQL_LANE_NEXT] = { "SELECT place, rank, id FROM main.state WHERE place IS NOT NULL"
			       " AND (place, rank) >= (?1, ?2) ORDER BY place, rank, id LIMIT 1",
			       "look for ready steps" },
	[SB_SQL_LANE_LAST] = { "SELECT id FROM main.state WHERE place = ?1 AND rank = ?2"
			       " ORDER BY id DESC LIMIT 1",
			       "look for ready steps" },
	[SB_SQL_PARK_NEXT] = { "SELECT rank FROM main.state WHERE place = -2 AND rank > ?1"
			       " ORDER BY rank LIMIT 1",
			       "look for parked steps" },
	[SB_SQL_DUE_NEXT] = { "SELECT max(rank, 1) FROM main.state WHERE place = -1"
			      " AND state = 2 ORDER BY rank LIMIT 1",
			      "look for scheduled steps" },
	[SB_SQL_RUNNING_OF_QUEUE] = { "SELECT count(*) FROM (SELECT 1 FROM main.state"
				      " WHERE place = -3 AND queue_id = ?1 LIMIT ?2)",
				      "count running steps" },
	[SB_SQL_RUNNING_OF_KEY] = { "SELECT count(*) FROM (SELECT 1 FROM main.state"
				    " WHERE running_key = ?1 LIMIT ?2)",
				    "count running steps" },

	[SB_SQL_ATTEMPT_PUT] = { "REPLACE INTO main.attempt (" ATTEMPT(
					 "") ") VALUES (?1, ?2, ?3,"
					     " ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
					     "?15)",
				 "keep an attempt" },
	[SB_SQL_ATTEMPTS_READ] = { "SELECT " ATTEMPT(
					   "a.") ", w.name FROM main.attempt AS a"
						 " LEFT JOIN main.worker AS w ON w.id = a.worker_id"
						 " WHERE a.step_id = ?1 ORDER BY a.token",
				   "read the attempts of a step" },
	[SB_SQL_ATTEMPTS_DELETE] = { "DELETE FROM main.attempt WHERE step_id = ?1",
				     "remove a step's attempts" },
	[SB_SQL_RESULT_PUT] = { "REPLACE INTO main.result (step_id, bytes, content_type, metadata)"
				" VALUES (?1, ?2, ?3, ?4)",
				"keep a result" },
	[SB_SQL_RESULT_DELETE] = { "DELETE FROM main.result WHERE step_id = ?1",
				   "remove a step's result" },
	[SB_SQL_CHECKPOINT_PUT] = { "REPLACE INTO main.checkpoint (" CHECKPOINT(
					    "") ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
				    "keep a checkpoint" },
	[SB_SQL_CHECKPOINT_READ] = { "SELECT " CHECKPOINT(
					     "") " FROM main.checkpoint WHERE step_id = ?1",
				     "read a step's checkpoint" },
	[SB_SQL_CHECKPOINT_DELETE] = { "DELETE FROM main.checkpoint WHERE step_id = ?1",
				       "remove a step's checkpoint" },
	[SB_SQL_UNIQUE_FIND] = { "SELECT step_id FROM main.unique_key WHERE key = ?1",
				 "look for a key" },
	[SB_SQL_UNIQUE_PUT] = { "REPLACE INTO main.unique_key (key, step_id) VALUES (?1, ?2)",
				"keep a key" },
	[SB_SQL_UNIQUE_DELETE] = { "DELETE FROM main.unique_key WHERE key = ?1 AND step_id = ?2",
				   "remove a key" },

	[SB_SQL_QUEUE_FIND] = { "SELECT id FROM main.queue WHERE name = ?1", "look for a queue" },
	[SB_SQL_QUEUE_INSERT] = { "INSERT INTO main.queue (name) VALUES (?1)", "add a queue" },
	[SB_SQL_QUEUE_READ] = { "SELECT " QUEUE " FROM main.queue WHERE id = ?1", "read a queue" },
	[SB_SQL_QUEUE_WRITE] = { "UPDATE main.queue SET paused_at = ?2, concurrency_max = ?3,"
				 " key_concurrency_max = ?4, rate_count = ?5, rate_period_us = ?6,"
				 " rate_room_micro = ?7, rate_at = ?8 WHERE id = ?1",
				 "change a queue" },
	[SB_SQL_QUEUE_LIST] = { "SELECT " QUEUE " FROM main.queue ORDER BY id", "list queues" },
	[SB_SQL_HANDLER_FIND] = { "SELECT id FROM main.handler WHERE handler_namespace = ?1"
				  " AND name = ?2 AND version = ?3",
				  "look for a handler" },
	[SB_SQL_HANDLER_INSERT] = { "INSERT INTO main.handler (handler_namespace, name, version)"
				    " VALUES (?1, ?2, ?3)",
				    "add a handler" },
	[SB_SQL_HANDLER_READ] = { "SELECT " HANDLER("") " FROM main.handler WHERE id = ?1",
				  "read a handler" },
	[SB_SQL_HANDLER_RECORD] = { "INSERT INTO main.handler (handler_namespace, name, version,"
				    " recorded_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO"
				    " UPDATE SET recorded_at = ?4 WHERE recorded_at IS NULL",
				    "record a handler" },
	[SB_SQL_HANDLER_IS_RECORDED] = { "SELECT 1 FROM main.handler WHERE handler_namespace = ?1"
					 " AND name = ?2 AND recorded_at IS NOT NULL LIMIT 1",
					 "look for a handler" },

	[SB_SQL_WORKER_INSERT] = { "INSERT INTO main.worker (name, strategy, queues, capabilities,"
				   " boot_id, pid, started_at, heartbeat_at, lease_until_ns,"
				   " stopped_at, block_size, pool_size, completed_count,"
				   " failed_count, active_count) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
				   " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
				   "add a worker" },
	[SB_SQL_WORKER_UPDATE] = { "UPDATE main.worker SET heartbeat_at = ?2, lease_until_ns = ?3,"
				   " stopped_at = ?4, completed_count = ?5, failed_count = ?6,"
				   " active_count = ?7 WHERE id = ?1 AND stopped_at IS NULL",
				   "update a worker" },
	[SB_SQL_WORKER_DELETE] = { "DELETE FROM main.worker WHERE id = ?1", "remove a worker" },
	[SB_SQL_WORKER_LIST] = { "SELECT id, name, strategy, queues, capabilities, boot_id, pid,"
				 " started_at, heartbeat_at, lease_until_ns, stopped_at,"
				 " block_size, pool_size, completed_count, failed_count,"
				 " active_count FROM main.worker ORDER BY id",
				 "list workers" },
	[SB_SQL_SERVED_INSERT] = { "REPLACE INTO main.served (worker_id, handler_namespace,"
				   " name, version) SELECT ?1, ?2, ?3, ?4 WHERE EXISTS"
				   " (SELECT 1 FROM main.worker WHERE id = ?1)",
				   "keep what a worker serves" },
	[SB_SQL_SERVED_DELETE] = { "DELETE FROM main.served WHERE worker_id = ?1",
				   "remove what a worker serves" },
	[SB_SQL_SERVED_LIST] = { "SELECT s.worker_id, s.handler_namespace, s.name, s.version"
				 " FROM main.worker AS w CROSS JOIN main.served AS s"
				 " ON s.worker_id = w.id WHERE w.stopped_at IS NULL",
				 "list what workers serve" },

	[SB_SQL_CRON_PUT] = { "REPLACE INTO main.cron (name, expression, zone, step, catch_up,"
			      " next_at, last_at, paused_at, created_at) VALUES (?1, ?2, ?3, ?4,"
			      " ?5, ?6, ?7, ?8, ?9)",
			      "keep a schedule" },
	[SB_SQL_CRON_DELETE] = { "DELETE FROM main.cron WHERE name = ?1", "remove a schedule" },
	[SB_SQL_CRON_LIST] = { "SELECT name, expression, zone, step, catch_up, next_at, last_at,"
			       " paused_at, created_at FROM main.cron ORDER BY name",
			       "list schedules" },

	[SB_SQL_VIEW_ONE] = { VIEW_COLUMNS FROM_STATE VIEW_NAMES " WHERE st.id = ?1",
			      "read a step" },
	[SB_SQL_VIEW_NEWEST] = { VIEW_COLUMNS FROM_STATE VIEW_NAMES WHERE_STATE
				 " ORDER BY st.id DESC LIMIT ?10",
				 "list steps" },
	[SB_SQL_VIEW_OLDEST] = { VIEW_COLUMNS FROM_STATE VIEW_NAMES WHERE_STATE
				 " ORDER BY st.id LIMIT ?10",
				 "list steps" },
	[SB_SQL_VIEW_NEWEST_OF_CORRELATION] = { VIEW_COLUMNS FROM_CORRELATION VIEW_NAMES
							WHERE_CORRELATION
						" ORDER BY s.id DESC LIMIT ?10",
						"list steps" },
	[SB_SQL_VIEW_OLDEST_OF_CORRELATION] = { VIEW_COLUMNS FROM_CORRELATION VIEW_NAMES
							WHERE_CORRELATION
						" ORDER BY s.id LIMIT ?10",
						"list steps" },
	[SB_SQL_VIEW_NEWEST_OF_TAG] = { VIEW_COLUMNS FROM_TAG VIEW_NAMES WHERE_TAG
					" ORDER BY t.step_id DESC LIMIT ?10",
					"list steps" },
	[SB_SQL_VIEW_OLDEST_OF_TAG] = { VIEW_COLUMNS FROM_TAG VIEW_NAMES WHERE_TAG
					" ORDER BY t.step_id LIMIT ?10",
					"list steps" },
	[SB_SQL_COUNT_NARROW] = { "SELECT count(*) FROM main.state AS st WHERE st.id >= ?1"
				  " AND st.id <= ?2 AND (?3 >> st.state & 1)"
				  " AND (?4 = 0 OR st.queue_id = ?4)" BY_HANDLER
				  /* Places that the others have. */
				  " AND ?6 < ?7 AND ?8 IS NULL AND ?9 IS NULL",
				  "count steps" },
	[SB_SQL_COUNT_ALL] = { "SELECT count(*)" FROM_STATE WHERE_STATE, "count steps" },
	[SB_SQL_COUNT_OF_CORRELATION] = { "SELECT count(*)" FROM_CORRELATION WHERE_CORRELATION,
					  "count steps" },
	[SB_SQL_COUNT_OF_TAG] = { "SELECT count(*)" FROM_TAG WHERE_TAG, "count steps" },
	[SB_SQL_TALLY] = { "SELECT queue_id, state FROM main.state WHERE id >= ?1 AND id <= ?2",
			   "count steps" },
};
