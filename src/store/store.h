/* SPDX-License-Identifier: MIT */
/*
 * What a store is. A store keeps rows and finds them; it decides nothing: what is claimed, retried
 * or refused is decided above it, in src/handlers, so that all stores behave alike. Every store
 * passes tests/store/conformance.c.
 *
 * Threads. Calls "inside" are made inside a transaction, by one thread at a time (the one that
 * leads the writer), though not always the same one. Calls marked "reader" come from any thread, at
 * any time, beside a transaction, and see only what is committed.
 *
 * Blocking. Inside calls may wait for the disk and, in begin, for another process; readers must not
 * make the writer wait for longer than a few milliseconds.
 *
 * Failing. Any call may answer STEPBUS_ENOMEM, and what the world does to it: STEPBUS_ESTORE (a
 * disk or database error; the message says which), STEPBUS_ENOSPACE, STEPBUS_EREADONLY,
 * STEPBUS_ECORRUPT, STEPBUS_EBUSY (another process holds the store for too long). After any failed
 * call inside, the transaction can only be rolled back. After a commit that failed on the way to
 * the disk the store is dead: begin answers STEPBUS_ESTORE from then on, since nobody can say what
 * is on the disk, and only opening it anew can help.
 */
#ifndef SB_STORE_STORE_H
#define SB_STORE_STORE_H

#include "base/error.h"
#include "store/rows.h"

typedef struct sb_store sb_store;

/* How much an acknowledged write survives; the values are those of the public header. */
typedef enum sb_durability {
	SB_DURABILITY_MEMORY = 1,  /* the life of the process */
	SB_DURABILITY_PROCESS = 2, /* its end by kill -9; a power cut may take a last part */
	SB_DURABILITY_DISK = 3,    /* a power cut, where the disk keeps what it confirms */
} sb_durability;

typedef struct sb_store_options {
	const stepbus_host *host; /* filled in; outlives the store */
	const char *path;         /* ends in NUL; the memory store has none */
	sb_durability durability;
	bool is_network_allowed; /* a file on a network file system is refused otherwise */
	int64_t busy_timeout_ms; /* how long begin waits for another process */
	int64_t wal_alarm_bytes; /* a log longer than this counts as an alarm */
} sb_store_options;

/* Gauges and counters of a store, since it was opened. */
typedef struct sb_store_stats {
	uint64_t commit_count;
	uint64_t busy_count; /* waits for another process */
	uint64_t checkpoint_count;
	uint64_t checkpoint_short_count; /* checkpoints that a reader kept from finishing */
	uint64_t wal_alarm_count;        /* times the log passed wal_alarm_bytes */
	int64_t wal_bytes;
	int64_t file_bytes;
} sb_store_stats;

/* Which rows of the narrow table to read. */
typedef enum sb_scan_kind {
	SB_SCAN_READY,   /* of queue_id and priority, by id, from after_id on (not included) */
	SB_SCAN_PARKED,  /* of park_key, by id, from after_id on */
	SB_SCAN_DUE,     /* scheduled, due_at_us <= at_us, by due_at_us */
	SB_SCAN_OVERDUE, /* not final, 0 < deadline_at_us <= at_us, by deadline_at_us */
	SB_SCAN_RUNNING, /* of worker_id, by id, from after_id on */
	SB_SCAN_ALL,     /* of any state, by id, from after_id on */
} sb_scan_kind;

typedef struct sb_scan {
	sb_scan_kind kind;
	bool is_descending; /* READY only: from the highest id below after_id (0: from the end) */
	int32_t priority;
	int64_t queue_id;
	int64_t park_key;
	int64_t worker_id;
	int64_t at_us;
	int64_t after_id;
} sb_scan;

/* Which steps a reader wants: those that match every field that is set. */
typedef struct sb_step_filter {
	uint32_t states; /* bits 1 << state; 0: all */
	int64_t queue_id;
	int64_t handler_id;
	int64_t after_id; /* ids below it only, newest first (or above it, where is_ascending) */
	int64_t created_from_us; /* inclusive */
	int64_t created_to_us;   /* exclusive; 0: no end */
	sb_slice correlation_id;
	sb_slice tag;
	sb_slice handler; /* the name: of any namespace and version */
	sb_slice handler_namespace;
	bool is_ascending;
	uint32_t count_max;
} sb_step_filter;

/* Everything of a step at once. error is its newest attempt row, whatever came of that attempt. */
typedef struct sb_step_view {
	sb_step_row row;
	sb_step_status status;
	sb_slice queue;
	sb_handler_row handler;
	sb_slice worker; /* the name of status.worker_id */
	bool has_result;
	sb_result_row result;
	bool has_error;
	sb_attempt_row error;
	bool has_checkpoint;
	sb_checkpoint_row checkpoint;
} sb_step_view;

/* Visitors: false ends the walk, which then answers STEPBUS_OK. They must not call the store. */
typedef bool (*sb_step_visit)(void *context, const sb_step_view *view);
typedef bool (*sb_attempt_visit)(void *context, const sb_attempt_row *row, sb_slice worker);
typedef bool (*sb_queue_visit)(void *context, const sb_queue_row *row);
typedef bool (*sb_worker_visit)(void *context, const sb_worker_row *row);
typedef bool (*sb_served_visit)(void *context, const sb_served_row *row);
typedef bool (*sb_cron_visit)(void *context, const sb_cron_row *row);
/* How many steps of one queue are in one state. */
typedef bool (*sb_tally_visit)(void *context, sb_slice queue, sb_step_state state, int64_t count);

typedef struct sb_store_type {
	const char *name;

	/* Called once, by nobody beside; frees the store, also one that is dead. */
	void (*close)(sb_store *store);

	/*
	 * Transactions: one at a time, each on one thread from begin to its end. begin may wait for
	 * another process, and takes the right to write at once. commit answers STEPBUS_OK only
	 * when everything since begin survives what the durability promises; whatever else it
	 * answers, nothing of it happened, and the transaction is over. rollback cannot fail.
	 */
	stepbus_status (*begin)(sb_store *store, stepbus_error *err);
	stepbus_status (*commit)(sb_store *store, stepbus_error *err);
	void (*rollback)(sb_store *store);

	/*
	 * Whether anyone else has committed since the last time this was asked: true at first. Of a
	 * store that only this process can see, always false. Inside, or between transactions.
	 */
	bool (*has_changed)(sb_store *store);
	/* Between transactions, by whoever may begin one. True: none will begin any more. */
	bool (*is_dead)(const sb_store *store);
	/*
	 * Inside. What this transaction has read is about to be promised: with its commit, what
	 * others have written before survives as much as what it writes itself. They may have
	 * committed with less care.
	 */
	stepbus_status (*confirm)(sb_store *store, stepbus_error *err);

	/* Inside. Numbers for names: the one that is there, or a new one. */
	stepbus_status (*queue_intern)(sb_store *store, sb_slice name, int64_t *id,
				       stepbus_error *err);
	stepbus_status (*handler_intern)(sb_store *store, const sb_handler_row *handler,
					 int64_t *id, stepbus_error *err);
	/* Inside. STEPBUS_ENOTFOUND where there is none. */
	stepbus_status (*queue_read)(sb_store *store, int64_t id, sb_queue_row *out,
				     stepbus_error *err);
	stepbus_status (*handler_read)(sb_store *store, int64_t id, sb_handler_row *out,
				       stepbus_error *err);
	/*
	 * Inside. Interns what is not there, and sets recorded_at_us where it is 0: of this version,
	 * and of no other.
	 */
	stepbus_status (*handler_record)(sb_store *store, const sb_handler_row *handler,
					 stepbus_error *err);
	/* Inside. Whether any version of this namespace and name was ever recorded. */
	stepbus_status (*handler_is_recorded)(sb_store *store, const sb_handler_row *handler,
					      bool *out, stepbus_error *err);

	/*
	 * Inside. Adds a step in its first state (status->state; its id, queue, handler and
	 * priority are taken from row). Gives row->id: greater than every id this store ever gave.
	 */
	stepbus_status (*step_insert)(sb_store *store, sb_step_row *row,
				      const sb_step_status *status, stepbus_error *err);
	/*
	 * Inside, of a step whose state was read: STEPBUS_ECORRUPT where there is none. As
	 * STEPBUS_ENOTFOUND it would be taken for the host's mistake, and what was written kept.
	 */
	stepbus_status (*step_row_read)(sb_store *store, int64_t id, sb_step_row *out,
					stepbus_error *err);
	stepbus_status (*step_status_read)(sb_store *store, int64_t id, sb_step_status *out,
					   stepbus_error *err);
	/*
	 * Inside. Applies each move whose guard (from, from_token) still holds, and says so in
	 * is_done. The moves were held against the table before.
	 */
	stepbus_status (*step_move)(sb_store *store, sb_step_move *moves, size_t count,
				    stepbus_error *err);
	/* Inside. Fills out from the front, at most max rows. */
	stepbus_status (*step_scan)(sb_store *store, const sb_scan *scan, sb_step_status *out,
				    size_t max, size_t *count, stepbus_error *err);
	/*
	 * Inside. Removes steps with all that belongs to them: status, attempts, result, checkpoint,
	 * keys. An id that is gone already does no harm.
	 */
	stepbus_status (*step_delete)(sb_store *store, const int64_t *ids, size_t count,
				      stepbus_error *err);

	/*
	 * Inside. The lane after (lane->queue_id, lane->priority) in that order that has ready
	 * steps; begin with a queue_id of 0. head_id is its lowest id, or its highest where
	 * is_descending. found says whether there is one.
	 */
	stepbus_status (*lane_next)(sb_store *store, bool is_descending, sb_lane *lane, bool *found,
				    stepbus_error *err);
	/* Inside. The lowest park_key above *park_key that has parked steps. */
	stepbus_status (*park_next)(sb_store *store, int64_t *park_key, bool *found,
				    stepbus_error *err);
	/* Inside. When the next scheduled step is due; 0: there is none. */
	stepbus_status (*due_next)(sb_store *store, int64_t *due_at_us, stepbus_error *err);
	/*
	 * Inside. How many steps of a queue, or with a concurrency key (where it is not 0), are
	 * running; stops counting at max.
	 */
	stepbus_status (*running_count)(sb_store *store, int64_t queue_id, int64_t concurrency_key,
					int64_t max, int64_t *count, stepbus_error *err);

	/* Inside. Attempts are kept once for each (step_id, token): a second one replaces it. */
	stepbus_status (*attempt_put)(sb_store *store, const sb_attempt_row *row,
				      stepbus_error *err);
	stepbus_status (*result_put)(sb_store *store, const sb_result_row *row, stepbus_error *err);
	/*
	 * Inside. One for each step: put replaces, delete of none does no harm, and read answers
	 * STEPBUS_ENOTFOUND where there is none. step_view shows it where the status counts it.
	 */
	stepbus_status (*checkpoint_put)(sb_store *store, const sb_checkpoint_row *row,
					 stepbus_error *err);
	stepbus_status (*checkpoint_read)(sb_store *store, int64_t step_id, sb_checkpoint_row *out,
					  stepbus_error *err);
	stepbus_status (*checkpoint_delete)(sb_store *store, int64_t step_id, stepbus_error *err);

	/*
	 * Inside. Keys that one step at a time has. step_id 0: there is none. put replaces; what it
	 * puts is a key of the step's own row (idempotency_key or unique_key), and goes with it.
	 */
	stepbus_status (*unique_find)(sb_store *store, sb_slice key, int64_t *step_id,
				      stepbus_error *err);
	stepbus_status (*unique_put)(sb_store *store, sb_slice key, int64_t step_id,
				     stepbus_error *err);

	/* Inside. Writes all but id and name. */
	stepbus_status (*queue_write)(sb_store *store, const sb_queue_row *row, stepbus_error *err);
	/* Inside and reader. In the order of their ids. */
	stepbus_status (*queue_list)(sb_store *store, sb_queue_visit visit, void *context,
				     stepbus_error *err);

	/* Inside. Gives row->id. */
	stepbus_status (*worker_insert)(sb_store *store, sb_worker_row *row, stepbus_error *err);
	/*
	 * Inside. Writes heartbeat, lease, stop and the three counts of a worker that is not stopped.
	 * STEPBUS_ENOTFOUND where it is, or is gone: then its leases are over too.
	 */
	stepbus_status (*worker_update)(sb_store *store, const sb_worker_row *row,
					stepbus_error *err);
	/* Inside. Removes a worker, if it is there, and what it serves. */
	stepbus_status (*worker_delete)(sb_store *store, int64_t id, stepbus_error *err);
	/* Inside and reader. By id. */
	stepbus_status (*worker_list)(sb_store *store, sb_worker_visit visit, void *context,
				      stepbus_error *err);
	/* Inside. Replaces what a worker serves, if it is there. */
	stepbus_status (*served_put)(sb_store *store, int64_t worker_id, const sb_served_row *rows,
				     size_t count, stepbus_error *err);
	/* Inside and reader. Of workers that are not stopped, in no order. */
	stepbus_status (*served_list)(sb_store *store, sb_served_visit visit, void *context,
				      stepbus_error *err);

	/* Inside. By name; put replaces. delete: STEPBUS_ENOTFOUND where there is none. */
	stepbus_status (*cron_put)(sb_store *store, const sb_cron_row *row, stepbus_error *err);
	stepbus_status (*cron_delete)(sb_store *store, sb_slice name, stepbus_error *err);
	/* Inside and reader. By name. */
	stepbus_status (*cron_list)(sb_store *store, sb_cron_visit visit, void *context,
				    stepbus_error *err);

	/* Reader. STEPBUS_ENOTFOUND where there is none. */
	stepbus_status (*step_view)(sb_store *store, int64_t id, sb_step_visit visit, void *context,
				    stepbus_error *err);
	/*
	 * Reader. Newest first, or oldest first; at most filter->count_max. A long walk may let the
	 * writer in between: each step is shown as some commit left it, not all as the same one did.
	 */
	stepbus_status (*step_list)(sb_store *store, const sb_step_filter *filter,
				    sb_step_visit visit, void *context, stepbus_error *err);
	/* Reader. How many match; after_id, is_ascending and count_max do not count. */
	stepbus_status (*step_count)(sb_store *store, const sb_step_filter *filter, int64_t *count,
				     stepbus_error *err);
	/*
	 * Reader. The attempts of a step that have rows, by token; and for a success at first try,
	 * or whose attempt has no row, one made from its status.
	 */
	stepbus_status (*attempt_list)(sb_store *store, int64_t step_id, sb_attempt_visit visit,
				       void *context, stepbus_error *err);
	/* Reader. By queue and state. */
	stepbus_status (*tally)(sb_store *store, sb_tally_visit visit, void *context,
				stepbus_error *err);
	/* Reader. Ids of names that are there; STEPBUS_ENOTFOUND where they are not. */
	stepbus_status (*queue_find)(sb_store *store, sb_slice name, int64_t *id,
				     stepbus_error *err);

	/* Any thread, any time. */
	void (*stats)(sb_store *store, sb_store_stats *out);
} sb_store_type;

enum { SB_STORE_TAG_LEN = 10 };

/* The beginning of every store. */
struct sb_store {
	const sb_store_type *type;
	const stepbus_host *host;
	uint8_t tag[SB_STORE_TAG_LEN]; /* random, made with the store: part of every step's id */
};

stepbus_status sb_memory_store_open(const sb_store_options *options, sb_store **out,
				    stepbus_error *err);
stepbus_status sb_sqlite_store_open(const sb_store_options *options, sb_store **out,
				    stepbus_error *err);

struct sqlite3;
/*
 * A store over a connection that belongs to somebody else, inside their transaction: begin and
 * commit do nothing but hold and give up a savepoint. schema is the name of the database on that
 * connection ("main"). Close it before the connection is used again. STEPBUS_EVERSION where that
 * database is none of ours, or of another version.
 */
stepbus_status sb_sqlite_store_borrow(const stepbus_host *host, struct sqlite3 *connection,
				      const char *schema, sb_store **out, stepbus_error *err);

#endif
