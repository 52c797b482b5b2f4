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
#include "handlers/start_log.h"

typedef enum sb_sweep_work {
	SB_SWEEP_DUE = 1,       /* scheduled steps */
	SB_SWEEP_OVERDUE = 2,   /* deadlines */
	SB_SWEEP_HEARTBEAT = 4, /* the leases of our own workers */
	SB_SWEEP_REAP = 8,      /* the leases of others */
	SB_SWEEP_RETAIN = 16,   /* finished steps */
	SB_SWEEP_CRON = 32,
	SB_SWEEP_VERIFY = 64,  /* whether what runs here is still ours */
	SB_SWEEP_PARKED = 128, /* whether parked steps have room by now */
} sb_sweep_work;

enum { SB_SWEEP_DEAD_MAX = 16 };

/* One sweep at a time, kept by the clockwork. */
typedef struct sb_sweep {
	sb_operation operation;
	stepbus *engine;
	uint32_t work;       /* sb_sweep_work bits */
	uint32_t unfinished; /* of them, by the last run */
	_Atomic(uint32_t) is_waiting;
	_Atomic(uint32_t) has_failed; /* the last one */
	int64_t retain_after_id;
	size_t buried_count; /* workers whose start logs can go */
	sb_start_name buried[SB_SWEEP_DEAD_MAX];
	sb_parked_walk parked;
} sb_sweep;

void sb_sweep_init(sb_sweep *sweep, stepbus *engine);
/* Leaves a sweep to the writer; false: the last one is not done yet. */
bool sb_sweep_submit(sb_sweep *sweep, uint32_t work);

#endif
