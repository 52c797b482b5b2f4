/* SPDX-License-Identifier: MIT */
/*
 * The insides of the memory store: nothing on disk, one process. Seen by memory_*.c only.
 *
 *   memory_store.c    its life, its transactions, its lock
 *   memory_changes.c  what a rollback undoes
 *   memory_table.c    steps by id, and the indexes over them
 *   memory_steps.c    adding, reading, moving and removing steps
 *   memory_scans.c    finding steps
 *   memory_names.c    queues and handlers
 *   memory_rows.c     attempts, results, checkpoints, unique keys
 *   memory_workers.c  workers, what they serve, cron
 *   memory_reader.c   what readers see
 *
 * A transaction holds the lock for writing from begin to its end, on one thread; a reader holds it
 * for reading, never for longer than a visit or a few hundred microseconds of searching.
 *
 * Every change inside is noted before it is made, so that a rollback can take all of them back
 * without memory. What a change takes away stays until the commit.
 */
#ifndef SB_STORE_MEMORY_STORE_H
#define SB_STORE_MEMORY_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/order.h"
#include "store/store.h"

enum {
	SB_MEMORY_CHUNK_LEN = 512,       /* steps whose ids stand side by side */
	SB_MEMORY_CHUNK_CACHE_LEN = 256, /* chunks found without a search */
	SB_MEMORY_LANE_COUNT = 8,        /* priorities from 0 on whose last ready step is known */
	SB_MEMORY_TEXT_COUNT = 11,       /* of a step's row */
};

typedef struct sb_memory_queue {
	sb_map_node node; /* by name */
	sb_queue_row row;
	int64_t tally[SB_STEP_STATE_MAX + 1];
	sb_order_node *lane_last[SB_MEMORY_LANE_COUNT];
	char name[];
} sb_memory_queue;

/* All versions of one handler. */
typedef struct sb_memory_family {
	sb_map_node node;
	struct sb_memory_handler *handlers;
	size_t key_len;
	char key[];
} sb_memory_family;

typedef struct sb_memory_handler {
	sb_handler_row row;
	sb_memory_family *family;
	struct sb_memory_handler *next;
	char texts[];
} sb_memory_handler;

/* How many steps with a concurrency key are running. Lives as long as there are steps with it. */
typedef struct sb_memory_share {
	sb_order_node node;
	int64_t step_count;
	int64_t running_count;
} sb_memory_share;

typedef struct sb_memory_attempt {
	sb_attempt_row row;
	struct sb_memory_attempt *next; /* by token */
	char texts[];
} sb_memory_attempt;

typedef struct sb_memory_result {
	sb_result_row row;
	char texts[];
} sb_memory_result;

typedef struct sb_memory_checkpoint {
	sb_checkpoint_row row;
	char texts[];
} sb_memory_checkpoint;

typedef struct sb_memory_key {
	sb_map_node node;
	struct sb_memory_step *owner;
	struct sb_memory_key *next; /* of the same owner */
	size_t len;
	char bytes[];
} sb_memory_key;

/* A step: its status in full, its row without what the status has too, and its texts in a row. */
typedef struct sb_memory_step {
	sb_order_node place; /* in the index of its state, if that has one */
	sb_step_status status;
	sb_memory_queue *queue;
	sb_memory_share *share; /* NULL: no concurrency key */
	sb_memory_attempt *attempts;
	sb_memory_result *result;
	sb_memory_checkpoint *checkpoint;
	sb_memory_key *keys;
	bool is_deleted; /* to be freed by the commit; no longer found */
	uint32_t retry_kind;
	uint32_t attempt_count_max;
	uint32_t jitter_percent;
	int64_t task_id;
	int64_t created_at_us;
	int64_t run_at_us;
	int64_t wait_timeout_us;
	int64_t attempt_timeout_us;
	int64_t total_timeout_us;
	int64_t retry_base_us;
	int64_t retry_cap_us;
	uint32_t text_lens[SB_MEMORY_TEXT_COUNT];
	sb_order_node deadline;
	char texts[];
} sb_memory_step;

typedef struct sb_memory_chunk {
	sb_order_node node; /* by number: id / SB_MEMORY_CHUNK_LEN */
	size_t count;
	sb_memory_step *steps[SB_MEMORY_CHUNK_LEN];
} sb_memory_chunk;

typedef struct sb_memory_served {
	size_t count;
	sb_served_row rows[]; /* and their texts behind them */
} sb_memory_served;

typedef struct sb_memory_worker {
	sb_order_node node;
	sb_worker_row row;
	sb_memory_served *served; /* NULL: nothing */
	char texts[];
} sb_memory_worker;

typedef struct sb_memory_cron {
	sb_cron_row row;
	struct sb_memory_cron *next; /* by name */
	char texts[];
} sb_memory_cron;

typedef struct sb_memory_store sb_memory_store;

/* One change of a transaction: how to take it back, and what is to be done once it stands. */
typedef struct sb_memory_change {
	void (*undo)(sb_memory_store *store, struct sb_memory_change *change);
	void (*keep)(sb_memory_store *store, struct sb_memory_change *change); /* NULL: nothing */
	void *object;
	void *before;
	union {
		sb_step_status status;
		sb_queue_row queue;
	};
} sb_memory_change;

typedef struct sb_memory_changes {
	struct sb_memory_change_block *last;
	size_t keep_count; /* changes that have a keep */
} sb_memory_changes;

/* Names by number: array[id - 1], NULL where a rollback took the number back for good. */
typedef struct sb_memory_names {
	void **array;
	size_t count;
	size_t room;
} sb_memory_names;

struct sb_memory_store {
	sb_store base;
	pthread_rwlock_t lock;
	_Atomic(uintptr_t) owner; /* the thread that is inside; 0: none */
	_Atomic(uint64_t) commit_count;
	sb_memory_changes changes;

	sb_order chunks;
	sb_memory_chunk *chunk_cache[SB_MEMORY_CHUNK_CACHE_LEN];
	int64_t last_step_id;
	sb_order ready;   /* by queue, priority, id */
	sb_order parked;  /* by park key, id */
	sb_order due;     /* by time, id */
	sb_order running; /* by worker, id */
	sb_order overdue; /* by deadline, id; all that are not final and have one */
	sb_order shares;  /* by concurrency key */

	sb_map queue_map;
	sb_map family_map;
	sb_map key_map;
	sb_memory_names queues;
	sb_memory_names handlers;
	sb_order workers;
	int64_t last_worker_id;
	sb_memory_cron *crons;
};

static inline sb_memory_store *sb_memory_of(sb_store *store)
{
	return (sb_memory_store *)store;
}

/* The lock, for a reader. Inside it is held already, and nothing is done. */
bool sb_memory_read_begin(sb_memory_store *store);
void sb_memory_read_end(sb_memory_store *store, bool is_locked);

/*
 * A block of a struct and, behind it, texts. NULL: out of memory. Texts are then moved there one by
 * one: each call copies a slice to `to`, points it there, and answers where the next one goes.
 */
void *sb_memory_block(sb_memory_store *store, size_t struct_len, const sb_slice *const *texts,
		      size_t count);
char *sb_memory_move_text(char *to, sb_slice *text);

/*
 * Room to note one change; NULL: out of memory. It counts once it is noted, which cannot fail: so
 * all that can fail is done before.
 */
sb_memory_change *sb_memory_change_room(sb_memory_store *store);
void sb_memory_change_note(sb_memory_store *store, const sb_memory_change *change);
/* The end of a transaction, one way or the other. */
void sb_memory_changes_keep(sb_memory_store *store);
void sb_memory_changes_undo(sb_memory_store *store);
void sb_memory_changes_end(sb_memory_store *store);

/* memory_table.c */
/* NULL where there is none, or none any more. */
sb_memory_step *sb_memory_find(sb_memory_store *store, int64_t id);
/* As find, for readers: many at once, and slower. */
sb_memory_step *sb_memory_peek(const sb_memory_store *store, int64_t id);
/* The next step above or below an id, NULL at the end. For any holder of the lock. */
sb_memory_step *sb_memory_next_step(const sb_memory_store *store, int64_t id, bool is_descending);
/* Puts a step under its id. False: out of memory. */
bool sb_memory_table_add(sb_memory_store *store, sb_memory_step *step);
void sb_memory_table_remove(sb_memory_store *store, sb_memory_step *step);
/* Enters a step into the indexes and counts of its state, and takes it out of them. */
void sb_memory_link(sb_memory_store *store, sb_memory_step *step);
void sb_memory_unlink(sb_memory_store *store, sb_memory_step *step);
/* From one status to another, with as little as that takes. */
void sb_memory_relink(sb_memory_store *store, sb_memory_step *step, const sb_step_status *status);

/* memory_steps.c: a step with all that is its own. */
void sb_memory_step_free(sb_memory_store *store, sb_memory_step *step);
void sb_memory_step_row(const sb_memory_step *step, sb_step_row *out);

/* memory_names.c */
sb_memory_queue *sb_memory_queue_of(const sb_memory_store *store, int64_t id);
sb_memory_handler *sb_memory_handler_of(const sb_memory_store *store, int64_t id);
void sb_memory_names_free(sb_memory_store *store);

/* memory_rows.c: what belongs to a step, freed with it. */
void sb_memory_step_rows_free(sb_memory_store *store, sb_memory_step *step);

/* memory_workers.c */
void sb_memory_workers_free(sb_memory_store *store);

/* The calls, as store.h promises them. */
stepbus_status sb_memory_queue_intern(sb_store *base, sb_slice name, int64_t *id,
				      stepbus_error *err);
stepbus_status sb_memory_handler_intern(sb_store *base, const sb_handler_row *row, int64_t *id,
					stepbus_error *err);
stepbus_status sb_memory_queue_read(sb_store *base, int64_t id, sb_queue_row *out,
				    stepbus_error *err);
stepbus_status sb_memory_handler_read(sb_store *base, int64_t id, sb_handler_row *out,
				      stepbus_error *err);
stepbus_status sb_memory_handler_record(sb_store *base, const sb_handler_row *row,
					stepbus_error *err);
stepbus_status sb_memory_handler_is_recorded(sb_store *base, const sb_handler_row *row, bool *out,
					     stepbus_error *err);
stepbus_status sb_memory_queue_write(sb_store *base, const sb_queue_row *row, stepbus_error *err);
stepbus_status sb_memory_queue_list(sb_store *base, sb_queue_visit visit, void *context,
				    stepbus_error *err);
stepbus_status sb_memory_queue_find(sb_store *base, sb_slice name, int64_t *id, stepbus_error *err);

stepbus_status sb_memory_step_insert(sb_store *base, sb_step_row *row, const sb_step_status *status,
				     stepbus_error *err);
stepbus_status sb_memory_step_row_read(sb_store *base, int64_t id, sb_step_row *out,
				       stepbus_error *err);
stepbus_status sb_memory_step_status_read(sb_store *base, int64_t id, sb_step_status *out,
					  stepbus_error *err);
stepbus_status sb_memory_step_move(sb_store *base, sb_step_move *moves, size_t count,
				   stepbus_error *err);
stepbus_status sb_memory_step_delete(sb_store *base, const int64_t *ids, size_t count,
				     stepbus_error *err);

stepbus_status sb_memory_step_scan(sb_store *base, const sb_scan *scan, sb_step_status *out,
				   size_t max, size_t *count, stepbus_error *err);
stepbus_status sb_memory_lane_next(sb_store *base, bool is_descending, sb_lane *lane, bool *found,
				   stepbus_error *err);
stepbus_status sb_memory_park_next(sb_store *base, int64_t *park_key, bool *found,
				   stepbus_error *err);
stepbus_status sb_memory_due_next(sb_store *base, int64_t *due_at_us, stepbus_error *err);
stepbus_status sb_memory_running_count(sb_store *base, int64_t queue_id, int64_t concurrency_key,
				       int64_t max, int64_t *count, stepbus_error *err);

stepbus_status sb_memory_attempt_put(sb_store *base, const sb_attempt_row *row, stepbus_error *err);
stepbus_status sb_memory_result_put(sb_store *base, const sb_result_row *row, stepbus_error *err);
stepbus_status sb_memory_checkpoint_put(sb_store *base, const sb_checkpoint_row *row,
					stepbus_error *err);
stepbus_status sb_memory_checkpoint_read(sb_store *base, int64_t step_id, sb_checkpoint_row *out,
					 stepbus_error *err);
stepbus_status sb_memory_checkpoint_delete(sb_store *base, int64_t step_id, stepbus_error *err);
stepbus_status sb_memory_unique_find(sb_store *base, sb_slice key, int64_t *step_id,
				     stepbus_error *err);
stepbus_status sb_memory_unique_put(sb_store *base, sb_slice bytes, int64_t step_id,
				    stepbus_error *err);

stepbus_status sb_memory_worker_insert(sb_store *base, sb_worker_row *row, stepbus_error *err);
stepbus_status sb_memory_worker_update(sb_store *base, const sb_worker_row *row,
				       stepbus_error *err);
stepbus_status sb_memory_worker_delete(sb_store *base, int64_t id, stepbus_error *err);
stepbus_status sb_memory_worker_list(sb_store *base, sb_worker_visit visit, void *context,
				     stepbus_error *err);
stepbus_status sb_memory_served_put(sb_store *base, int64_t worker_id, const sb_served_row *rows,
				    size_t count, stepbus_error *err);
stepbus_status sb_memory_served_list(sb_store *base, sb_served_visit visit, void *context,
				     stepbus_error *err);
stepbus_status sb_memory_cron_put(sb_store *base, const sb_cron_row *row, stepbus_error *err);
stepbus_status sb_memory_cron_delete(sb_store *base, sb_slice name, stepbus_error *err);
stepbus_status sb_memory_cron_list(sb_store *base, sb_cron_visit visit, void *context,
				   stepbus_error *err);

stepbus_status sb_memory_step_view(sb_store *base, int64_t id, sb_step_visit visit, void *context,
				   stepbus_error *err);
stepbus_status sb_memory_step_list(sb_store *base, const sb_step_filter *filter,
				   sb_step_visit visit, void *context, stepbus_error *err);
stepbus_status sb_memory_step_count(sb_store *base, const sb_step_filter *filter, int64_t *count,
				    stepbus_error *err);
stepbus_status sb_memory_attempt_list(sb_store *base, int64_t step_id, sb_attempt_visit visit,
				      void *context, stepbus_error *err);
stepbus_status sb_memory_tally(sb_store *base, sb_tally_visit visit, void *context,
			       stepbus_error *err);

#endif
