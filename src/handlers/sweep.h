/* SPDX-License-Identifier: MIT */
/*
 * What time does to steps, inside transactions of the writer: scheduled steps become ready, steps
 * whose time is over fail, steps of dead workers go on elsewhere, finished ones are removed at the
 * end of their keep. Each kind of work is bounded, and comes back soon where it was not done.
 */
#ifndef SB_HANDLERS_SWEEP_H
#define SB_HANDLERS_SWEEP_H

#include "handlers/engine.h"
#include "handlers/parked.h"
#include "handlers/reap.h"

typedef enum sb_sweep_work {
	SB_SWEEP_DUE = 1,     /* scheduled steps */
	SB_SWEEP_OVERDUE = 2, /* deadlines */
	SB_SWEEP_REAP = 4,    /* the leases of others */
	SB_SWEEP_RETAIN = 8,  /* finished steps */
	SB_SWEEP_CRON = 16,
	SB_SWEEP_VERIFY = 32, /* whether what runs here is still ours */
	SB_SWEEP_PARKED = 64, /* whether parked steps have room by now */
} sb_sweep_work;

enum { SB_SWEEP_WARNING_MAX = 1024 };

/* An attempt whose handler is told to stop when the transaction is kept. */
typedef struct sb_sweep_warning {
	sb_claimed_key key;
	stepbus_status why;
} sb_sweep_warning;

/* How far a round has come, and how far the last run came with it, if that is kept. */
typedef struct sb_sweep_round {
	int64_t after;
	int64_t next;
} sb_sweep_round;

/* One sweep at a time, kept by the clockwork. */
typedef struct sb_sweep {
	sb_operation operation;
	stepbus *engine;
	uint32_t work;       /* sb_sweep_work bits */
	uint32_t unfinished; /* of them, by the last run */
	uint32_t failed;     /* what the last runs stumbled over; goes behind the rest */
	uint32_t postponed;  /* what this one leaves out for that */
	_Atomic(uint32_t) is_waiting;
	_Atomic(uint32_t) has_failed; /* the last one */
	sb_sweep_round retain;        /* by id */
	size_t looked_count;          /* at steps that may be past their keep, in this turn */
	sb_sweep_round verify;        /* by the serial of a claim */
	sb_reap reap;
	sb_parked_walk parked;
	size_t warning_count;
	sb_sweep_warning warnings[SB_SWEEP_WARNING_MAX];
} sb_sweep;

/* sweep is zeroed. */
void sb_sweep_init(sb_sweep *sweep, stepbus *engine);
/* Leaves a sweep to the writer; false: the last one is not done yet. */
bool sb_sweep_submit(sb_sweep *sweep, uint32_t work);

#endif
