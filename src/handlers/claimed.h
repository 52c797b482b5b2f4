/* SPDX-License-Identifier: MIT */
/*
 * A step that this process has claimed, from the claim until its completion is durable: what its
 * handler gets to see, how far it is, and the completion that it will be settled with. In one block,
 * so that a step costs one allocation.
 */
#ifndef SB_HANDLERS_CLAIMED_H
#define SB_HANDLERS_CLAIMED_H

#include <stdatomic.h>

#include "base/map.h"
#include "handlers/names.h"
#include "handlers/settle.h"
#include "store/store.h"

typedef enum sb_claimed_phase {
	SB_CLAIMED_QUEUED,    /* waits for a thread of the pool, or to be polled */
	SB_CLAIMED_RUNNING,   /* its handler, or the host, runs it */
	SB_CLAIMED_SETTLING,  /* its result is on its way into the store */
	SB_CLAIMED_OVERDUE,   /* likewise: that its time is over */
	SB_CLAIMED_ANSWERING, /* likewise, by a call of the host that waits for it */
} sb_claimed_phase;

/* One attempt: a step that is claimed again while an old attempt's handler still runs is another. */
typedef struct sb_claimed_key {
	int64_t id;
	int64_t token;
} sb_claimed_key;

typedef struct sb_claimed {
	sb_map_node node; /* in the table of claimed steps */
	sb_claimed_key key;
	int64_t serial;          /* of its coming into the table */
	struct sb_claimed *next; /* in the worker's line */
	stepbus_worker *worker;
	sb_known_handler *handler; /* whose limits it counts for */
	sb_step_status status;     /* as it was claimed */
	sb_retry_policy retry;     /* what the step says itself */
	int64_t attempt_timeout_us;
	stepbus_step_event event;
	sb_slice queue;               /* its name */
	_Atomic(int64_t) started_ns;  /* elapsed; 0: not started */
	_Atomic(int64_t) deadline_ns; /* elapsed; 0: none */
	_Atomic(uint32_t) phase;      /* an sb_claimed_phase */
	_Atomic(uint32_t) ref_count;  /* the line's or the settlement's, the thread's, the host's */
	_Atomic(uint32_t) hold_count; /* in the table until it is settled and the host answered */
	_Atomic(uint32_t) is_polled;  /* the host has it, and has not answered */
	_Atomic(int32_t) interruption; /* why the handler should stop; STEPBUS_OK: it should not */
	_Atomic(int64_t) noticed_ns;   /* elapsed: the host's last sign that it knows of it */
	stepbus_handler *definition;   /* counted; NULL but of what is polled */
	uint32_t start_slot;           /* see start_log.h */
	bool is_settled; /* its handler's result was taken; of the thread that runs it */
	char *progress;  /* what the event says of its last checkpoint; NULL: there was none */
	char handler_version[SB_SETTLE_VERSION_LEN]; /* of the definition, where it is another */
	sb_settlement settlement;
	char texts[];
} sb_claimed;

/* A copy of what the store says, with one reference. NULL: out of memory. names live in the names cache. */
sb_claimed *sb_claimed_new(const stepbus_host *host, const sb_step_row *row,
			   const sb_step_status *status, const sb_handler_row *handler,
			   sb_slice queue, const uint8_t tag[SB_STORE_TAG_LEN]);
/* What its last checkpoint kept, before anybody else sees it. False: out of memory. */
bool sb_claimed_set_progress(const stepbus_host *host, sb_claimed *claimed,
			     const sb_checkpoint_row *checkpoint);
void sb_claimed_ref(sb_claimed *claimed);
/* The last one frees it. */
void sb_claimed_unref(const stepbus_host *host, sb_claimed *claimed);

/* The claimed steps of an engine, by id and token. Any thread. */
typedef struct sb_claimed_table {
	const stepbus_host *host;
	pthread_mutex_t lock;
	sb_map by_key;
	int64_t serial; /* the last one given */
} sb_claimed_table;

stepbus_status sb_claimed_table_init(sb_claimed_table *table, const stepbus_host *host,
				     stepbus_error *err);
void sb_claimed_table_free(sb_claimed_table *table);
/* False: out of memory. */
bool sb_claimed_table_add(sb_claimed_table *table, sb_claimed *claimed);
void sb_claimed_table_remove(sb_claimed_table *table, sb_claimed *claimed);
/* The step that a host names, with a reference; NULL: it is not here. */
sb_claimed *sb_claimed_table_find(sb_claimed_table *table, const sb_claimed_key *key);
/* One of those that keep it in the table needs it no more. */
void sb_claimed_table_leave(sb_claimed_table *table, sb_claimed *claimed);
/* Asks the handler of an attempt to stop, where it is here and was not asked before. */
void sb_claimed_table_interrupt(sb_claimed_table *table, int64_t id, int64_t token,
				stepbus_status why);
/* Calls visit for each, by serial, under the lock: it must not call out. False ends the walk. */
void sb_claimed_table_each(sb_claimed_table *table, bool (*visit)(void *context, sb_claimed *c),
			   void *context);

/*
 * Asks one handler to stop. The first reason stays, but that a worker is being stopped, which still
 * leaves time for a result. True: this is news.
 */
bool sb_claimed_interrupt(sb_claimed *claimed, stepbus_status why);
/* Whether the library has ended the attempt, or its handler has: whatever else ends it comes late. */
bool sb_claimed_is_ended(const sb_claimed *claimed);
/* What a result is answered that comes behind the end of the attempt. */
stepbus_status sb_claimed_refusal(const sb_claimed *claimed);

#endif
