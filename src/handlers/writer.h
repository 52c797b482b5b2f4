/* SPDX-License-Identifier: MIT */
/*
 * The writer: everything that changes the store comes here as an operation. All that wait at one
 * time become one transaction (a group), so that many callers share one wait for the disk; while it
 * lasts, the next group gathers. Nothing waits for a group to fill.
 *
 * Whoever holds the lead runs a group: the writer thread, or a caller that finds nobody leading and
 * so saves itself two changes of thread. One leads at a time, and only the leader touches the store
 * between begin and commit.
 */
#ifndef SB_HANDLERS_WRITER_H
#define SB_HANDLERS_WRITER_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"

typedef struct sb_writer sb_writer;
typedef struct sb_operation sb_operation;

/* Operations that a caller waits for together. */
typedef struct sb_writer_batch {
	_Atomic(uint32_t) left_count; /* a futex */
	sb_operation *last;           /* the chain, newest first */
	sb_operation *first;
	size_t weight;
} sb_writer_batch;

/*
 * One wish. run may be called more than once (a group that fails is tried again, each operation by
 * itself), always inside a new transaction; until done it must change nothing in memory but itself.
 * It answers STEPBUS_OK; or a refusal (see sb_writer_is_refusal), having written nothing; or what
 * the store answered, which ends the transaction. So does STEPBUS_ELIMIT, which may be either. done is called once, after the transaction ended,
 * still by the leader: it must not wait, call the host, or touch the store, and may free the
 * operation.
 */
struct sb_operation {
	sb_operation *next;
	stepbus_status (*run)(sb_operation *operation, sb_store *store, stepbus_error *err);
	void (*done)(sb_operation *operation);
	size_t weight; /* steps it is about, for the bounds */
	stepbus_status status;
	_Atomic(uint32_t) is_done; /* of one that a caller waits for */
	sb_writer_batch *batch;    /* of those that it waits for together; then done may be NULL */
	stepbus_error err;
};

/* What the engine does around a group. All by the leader. */
typedef struct sb_writer_hooks {
	/* Inside, behind the operations. Answers like an operation, and never refuses. */
	stepbus_status (*claim)(void *context, stepbus_error *err);
	/* Whether a group is worth its while though no operation waits. */
	bool (*has_claims)(void *context);
	/* After commit (true) or rollback (false), before any operation's done. */
	void (*ended)(void *context, bool is_committed);
	/* After all of that. */
	void (*settled)(void *context);
	void *context;
} sb_writer_hooks;

typedef struct sb_writer_stats {
	uint64_t group_count;
	uint64_t operation_count;
	uint64_t waiting_count;
} sb_writer_stats;

struct sb_writer {
	const stepbus_host *host;
	sb_store *store;
	sb_writer_hooks hooks;
	size_t group_weight_max;
	size_t waiting_weight_max;

	_Atomic(sb_operation *) incoming; /* a stack, newest first */
	_Atomic(size_t) waiting_weight;
	_Atomic(uint32_t) is_wanted; /* the writer thread has something to look at; its futex */
	_Atomic(uint32_t) is_sleeping;
	_Atomic(uint32_t) is_ending;
	_Atomic(uint64_t) group_count;
	_Atomic(uint64_t) operation_count;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lead; /* guards what follows, and the store between begin and commit */
	sb_operation *backlog, *backlog_last; /* taken from incoming, oldest first */
	bool is_failing;                      /* the last transaction was not kept */
};

/* Starts the writer thread. */
stepbus_status sb_writer_start(sb_writer *writer, stepbus_error *err);
/* Runs what waits, then ends the thread, where there is one. Nobody submits any more. */
void sb_writer_stop(sb_writer *writer);
stepbus_status sb_writer_init(sb_writer *writer, const stepbus_host *host, sb_store *store,
			      const sb_writer_hooks *hooks);
void sb_writer_free(sb_writer *writer);

/* Leaves an operation to the writer thread. Any thread. */
void sb_writer_submit(sb_writer *writer, sb_operation *operation);
/* Likewise, but runs it at once where nobody else leads. Not inside an operation. */
void sb_writer_offer(sb_writer *writer, sb_operation *operation);
/* Runs an operation and returns its status when it is done; done must be NULL. */
stepbus_status sb_writer_perform(sb_writer *writer, sb_operation *operation, stepbus_error *err);
/*
 * Adds an operation to a batch that is all zero at first; and runs all that were added, in their order
 * and as far as possible in one transaction. Returns when all are done, each with a status of its own.
 */
void sb_writer_batch_add(sb_writer_batch *batch, sb_operation *operation);
void sb_writer_perform_batch(sb_writer *writer, sb_writer_batch *batch);
/* Lets the writer thread look whether there is something to claim. Any thread. */
void sb_writer_nudge(sb_writer *writer);
/* Runs what waits, where the thread may not be there to do it. Nobody submits any more. */
void sb_writer_work_off(sb_writer *writer);
/* Instead of a thread (see sb_engine_options): one group, where it would have looked for one. */
bool sb_writer_turn(sb_writer *writer);
/* Whether the bound on waiting operations is reached. */
bool sb_writer_is_full(const sb_writer *writer);
/* Takes the lead for something that is no operation, and gives it up. */
void sb_writer_lead(sb_writer *writer);
void sb_writer_yield(sb_writer *writer);

void sb_writer_stats_read(const sb_writer *writer, sb_writer_stats *out);

/* Statuses that say something of one operation alone, not of the store. Pure. */
bool sb_writer_is_refusal(stepbus_status status);

#endif
