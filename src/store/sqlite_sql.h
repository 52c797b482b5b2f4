/* SPDX-License-Identifier: MIT */
/*
 * The text of every statement of the SQLite store, in one table, so that it can be read (and
 * explained to the query planner by a test) as a whole. All of it is static; values are bound. The
 * places of parameters and columns are those that the sqlite_*.c file of the same noun uses. Pure.
 */
#ifndef SB_STORE_SQLITE_SQL_H
#define SB_STORE_SQLITE_SQL_H

typedef enum sb_sql {
	SB_SQL_BEGIN,
	SB_SQL_COMMIT,
	SB_SQL_ROLLBACK,
	SB_SQL_SAVEPOINT,
	SB_SQL_LOCK,
	SB_SQL_RELEASE,
	SB_SQL_ROLLBACK_TO,
	SB_SQL_DATA_VERSION,
	SB_SQL_META_READ,
	SB_SQL_META_WRITE,
	SB_SQL_META_PROBE,
	SB_SQL_PAGES_READ,

	SB_SQL_STEP_INSERT,
	SB_SQL_STEP_READ,
	SB_SQL_STEP_DELETE,
	SB_SQL_STEP_BURY,
	SB_SQL_STEP_LAST,
	SB_SQL_TAG_INSERT,
	SB_SQL_TAG_DELETE,
	SB_SQL_STATE_INSERT,
	SB_SQL_STATE_READ,
	SB_SQL_STATE_MOVE,
	SB_SQL_STATE_MOVE_ALL,
	SB_SQL_STATE_DELETE,

	SB_SQL_SCAN_READY,
	SB_SQL_SCAN_READY_LAST,
	SB_SQL_SCAN_PARKED,
	SB_SQL_SCAN_DUE,
	SB_SQL_SCAN_OVERDUE,
	SB_SQL_SCAN_RUNNING,
	SB_SQL_SCAN_ALL,
	SB_SQL_LANE_NEXT,
	SB_SQL_LANE_LAST,
	SB_SQL_PARK_NEXT,
	SB_SQL_DUE_NEXT,
	SB_SQL_RUNNING_OF_QUEUE,
	SB_SQL_RUNNING_OF_KEY,

	SB_SQL_ATTEMPT_PUT,
	SB_SQL_ATTEMPTS_READ,
	SB_SQL_ATTEMPTS_DELETE,
	SB_SQL_RESULT_PUT,
	SB_SQL_RESULT_DELETE,
	SB_SQL_UNIQUE_FIND,
	SB_SQL_UNIQUE_PUT,
	SB_SQL_UNIQUE_DELETE,

	SB_SQL_QUEUE_FIND,
	SB_SQL_QUEUE_INSERT,
	SB_SQL_QUEUE_READ,
	SB_SQL_QUEUE_WRITE,
	SB_SQL_QUEUE_LIST,
	SB_SQL_HANDLER_FIND,
	SB_SQL_HANDLER_INSERT,
	SB_SQL_HANDLER_READ,
	SB_SQL_HANDLER_RECORD,
	SB_SQL_HANDLER_IS_RECORDED,

	SB_SQL_WORKER_INSERT,
	SB_SQL_WORKER_UPDATE,
	SB_SQL_WORKER_DELETE,
	SB_SQL_WORKER_LIST,
	SB_SQL_SERVED_INSERT,
	SB_SQL_SERVED_DELETE,
	SB_SQL_SERVED_LIST,

	SB_SQL_CRON_PUT,
	SB_SQL_CRON_DELETE,
	SB_SQL_CRON_LIST,

	SB_SQL_VIEW_ONE,
	SB_SQL_VIEW_NEWEST,
	SB_SQL_VIEW_OLDEST,
	SB_SQL_VIEW_NEWEST_OF_CORRELATION,
	SB_SQL_VIEW_OLDEST_OF_CORRELATION,
	SB_SQL_VIEW_NEWEST_OF_TAG,
	SB_SQL_VIEW_OLDEST_OF_TAG,
	SB_SQL_COUNT_NARROW,
	SB_SQL_COUNT_ALL,
	SB_SQL_COUNT_OF_CORRELATION,
	SB_SQL_COUNT_OF_TAG,
	SB_SQL_TALLY,
	SB_SQL_COUNT
} sb_sql;

typedef struct sb_sql_entry {
	const char *text;
	const char *purpose; /* "cannot <purpose>" */
} sb_sql_entry;

extern const sb_sql_entry sb_sql_table[SB_SQL_COUNT];

/*
 * Where an open step stands: in state.place the id of its queue where it is ready, or one of these;
 * in state.rank what it is found by there.
 */
enum {
	/* a queue's id: ready, by priority */
	SB_SQL_PLACE_SCHEDULED = -1, /* by due_at */
	SB_SQL_PLACE_PARKED = -2,    /* by park_key */
	SB_SQL_PLACE_RUNNING = -3,   /* by worker_id */
};

/* How many columns the lists in front of others have. */
enum {
	SB_SQL_STEP_COLUMNS = 26,
	SB_SQL_STATE_COLUMNS = 15,
	SB_SQL_QUEUE_COLUMNS = 9,
	SB_SQL_HANDLER_COLUMNS = 5,
	SB_SQL_ATTEMPT_COLUMNS = 15,
};

#endif
