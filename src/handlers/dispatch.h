/* SPDX-License-Identifier: MIT */
/*
 * How well the host of a pull worker keeps up: how many steps wait to be polled or answered, how old
 * they are, and whether any of them starve. A step's age counts from when the host last took notice
 * of it.
 */
#ifndef SB_HANDLERS_DISPATCH_H
#define SB_HANDLERS_DISPATCH_H

#include "handlers/worker.h"

/* What is counted. */
typedef struct sb_dispatch_step {
	const uint8_t *step_id;
	int64_t noticed_ns; /* elapsed */
	bool is_polled;
} sb_dispatch_step;

/* A count that goes on. */
typedef struct sb_dispatch_sum {
	int64_t now_ns;
	int64_t starvation_ns; /* 0: nothing starves */
	int64_t oldest_ns;
	int64_t newest_ns;
	stepbus_dispatch_metrics metrics; /* complete behind sb_dispatch_end */
} sb_dispatch_sum;

/* Pure. */
void sb_dispatch_begin(sb_dispatch_sum *sum, int64_t now_ns, int64_t starvation_ms);
void sb_dispatch_add(sb_dispatch_sum *sum, const sb_dispatch_step *step);
void sb_dispatch_end(sb_dispatch_sum *sum);

/* Measures a pull worker. Any thread. */
void sb_dispatch_measure(stepbus_worker *worker, stepbus_dispatch_metrics *out);
/*
 * By the clockwork: measures and tells of the workers whose time has come, where anybody listens.
 * Gives when it is to be called again; INT64_MAX: when there is a new worker.
 */
int64_t sb_dispatch_tick(stepbus *engine);

#endif
