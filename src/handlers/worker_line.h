/* SPDX-License-Identifier: MIT */
/*
 * A worker's line: the claimed steps that wait for a thread of its pool, and the lease that all of
 * them hang on. The leader of the writer fills it behind each transaction, the pool takes one step at
 * a time, so that whatever is not begun stays where every idle thread, and a stop, can get it.
 *
 * What only the worker and its pool need; the rest of it stands in worker.h.
 */
#ifndef SB_HANDLERS_WORKER_LINE_H
#define SB_HANDLERS_WORKER_LINE_H

#include <time.h>

#include "handlers/worker.h"

/* How many steps may be claimed and not settled at once. Pure. */
uint32_t sb_worker_line_max(const sb_worker_options *options);
/* The next step to run, which counts as running from now on; waits for one. NULL: the end. */
sb_claimed *sb_worker_line_take(stepbus_worker *worker);
/*
 * What others may have taken over must not be started, but may still be ours: it waits at the head of
 * the line until the lease is renewed, or found lost.
 */
void sb_worker_line_put_back(stepbus_worker *worker, sb_claimed *claimed);
/* By whoever has taken steps, or ended some: lets the writer look whether there are more. */
void sb_worker_line_ask(stepbus_worker *worker);
/* What was taken is run, or given back; who stops the worker waits for that. */
void sb_worker_line_leave(stepbus_worker *worker);
/* A time to wait until; -1: far away. */
struct timespec sb_worker_deadline_after(int64_t timeout_ms);
/* All that waits in it, as a list. */
sb_claimed *sb_worker_line_empty(stepbus_worker *worker);

#endif
