/* SPDX-License-Identifier: MIT */
/*
 * A worker: a row in the store that shows it is alive, a line of claimed steps, and a pool of
 * threads that run their handlers. Its row holds one lease for all it has claimed, renewed by the
 * runtime whatever the handlers do; a worker that lost it drops what it has and begins anew as
 * another row.
 *
 * The leader of the writer fills the line, the pool's threads empty it. A handler runs with nothing
 * locked.
 */
#ifndef SB_HANDLERS_WORKER_H
#define SB_HANDLERS_WORKER_H

#include "handlers/claim_order.h"
#include "handlers/engine.h"
#include "handlers/start_log.h"
#include "handlers/wake.h"

enum { SB_WORKER_QUEUE_MAX = 256 };

/* What the configuration says, checked. Texts end in NUL and are copied. */
typedef struct sb_worker_options {
	sb_slice name;
	sb_claim_strategy strategy;
	sb_slice queues; /* comma-separated; empty: all */
	sb_slice capabilities;
	uint32_t block_size;
	uint32_t pool_size;
	uint32_t age_percent;
	bool is_pull;               /* without a pool: hosts poll it */
	int64_t silence_timeout_ms; /* 0: none; for this and what follows see docs/PULL.md */
	int64_t starvation_ms;
	int64_t metrics_period_ms;
} sb_worker_options;

/* Behind what the last claim broke off, and the next one begins; all 0: it saw everything. */
typedef struct sb_claim_place {
	int64_t queue_id; /* of a lane */
	int32_t priority;
	int64_t park_key; /* of the first parked steps to look at */
	int64_t park_id;
} sb_claim_place;

struct stepbus_worker {
	stepbus *engine;
	stepbus_worker *next;      /* of the engine's workers; under the writer's lead */
	stepbus_worker *next_made; /* of all its workers */
	sb_worker_options options;
	char *texts;

	/* Under the writer's lead. */
	sb_worker_row row;
	sb_claim_order order;
	sb_claim_place place;
	int64_t queue_ids[SB_WORKER_QUEUE_MAX];
	size_t queue_count;
	sb_claimed *fresh, *fresh_last; /* claimed in the transaction that is open */
	uint32_t fresh_count;
	sb_start_log *start_log;  /* NULL: the store is gone with the process anyway */
	int64_t started_at_us;    /* of its row */
	sb_worker_row row_before; /* where is_lost: the one that was lost */
	bool is_lost;             /* in the transaction that is open: its row was gone */
	int64_t metrics_at_ns;    /* when it is measured next */

	bool was_starving; /* when it was last measured; of the clockwork */

	_Atomic(int64_t) lease_until_ns; /* elapsed; steps are not started beyond it */
	_Atomic(int64_t) beaten_at_ns;
	_Atomic(uint64_t) seen_change_count; /* of the engine, when it last found nothing more */
	_Atomic(uint32_t) queued_count;
	_Atomic(uint32_t)
		running_count; /* steps that a thread runs; or that are polled and not answered */
	_Atomic(uint32_t) unsettled_count; /* all that is claimed; changes under the lock */
	_Atomic(uint32_t) is_claiming;     /* 0: stopping */
	_Atomic(int64_t) stopping_since_ns;
	_Atomic(uint32_t) is_ended;     /* stopped; set under the lock */
	_Atomic(uint32_t) is_abandoned; /* no answer of the host is waited for any more */
	_Atomic(int64_t) completed_count;
	_Atomic(int64_t) failed_count;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t has_steps;
	pthread_cond_t is_idle; /* nothing queued, running or settling; ended; let go of */
	sb_claimed *first, *last;
	sb_wake wake;
	const sb_claimed *suspect; /* the one that runs alone, until it is settled; see suspect.h */
	int64_t suspect_at_ns;     /* since when it does, or one waits to; 0: none */
	bool is_suspended;         /* the lease is over: nothing is begun until it is renewed */
	bool is_ending;
	bool has_ender; /* one of those that stop it ends it */
	uint32_t holder_count;
	uint32_t thread_count;
	pthread_t threads[];
};

stepbus_status sb_worker_start(stepbus *engine, const sb_worker_options *options,
			       stepbus_worker **out, stepbus_error *err);
/* STEPBUS_ETIMEDOUT: handlers still run. timeout_ms -1: waits for them. Many threads may at once. */
stepbus_status sb_worker_stop(stepbus_worker *worker, int64_t timeout_ms, stepbus_error *err);
/* Waits for the handlers. NULL is accepted. */
void sb_worker_free(stepbus_worker *worker);
/* By the leader: it is not freed until it is let go of, which anybody may do. */
void sb_worker_hold(stepbus_worker *worker);
void sb_worker_let_go(stepbus_worker *worker);

/* Whether it has found nothing more to claim, and nothing has changed since. Any thread. */
bool sb_worker_is_drained(const stepbus_worker *worker);
/* Whether it claims steps of a queue. By the leader. */
bool sb_worker_takes(const stepbus_worker *worker, int64_t queue_id);
/* By the leader: how many steps it would take now, besides those of this transaction. */
uint32_t sb_worker_wanted(const stepbus_worker *worker);
/* By the leader, inside: a step was claimed for it; it is put into the line by _take_fresh. False: out
 * of memory. */
bool sb_worker_add_fresh(stepbus_worker *worker, sb_claimed *claimed);
/* By the leader, after the transaction: fresh steps go into the line, or are forgotten. */
void sb_worker_take_fresh(stepbus_worker *worker, bool is_committed);
/* A claimed step is out of the worker's hands: its completion is durable, or refused. */
void sb_worker_release(stepbus_worker *worker, sb_claimed *claimed);
/* Out of its hands without a settlement: whoever took it from us has settled it. */
void sb_worker_drop(sb_claimed *claimed);
/* What others may have taken over must not be started. */
bool sb_worker_is_lease_over(const stepbus_worker *worker);
/*
 * Another row than that of `row` is lost: handlers of its steps are told, and what was not started
 * is dropped. By the leader.
 */
void sb_worker_lose(stepbus_worker *worker);
/* The lease was renewed. */
void sb_worker_resume(stepbus_worker *worker);
/* It could not be: a worker that is being stopped does not wait for its line any longer. */
void sb_worker_give_up(stepbus_worker *worker);

/* Which steps a worker has claimed and not settled, as a JSON array. */
stepbus_status sb_worker_unfinished(stepbus *engine, const stepbus_worker *worker,
				    stepbus_text **out, stepbus_error *err);

#endif
