/* SPDX-License-Identifier: MIT */
/*
 * The threads of a worker: each takes one step off the worker's line, runs it with nothing locked, and
 * takes the next. They let in no signals but those of their own faults.
 */
#ifndef SB_HANDLERS_WORKER_POOL_H
#define SB_HANDLERS_WORKER_POOL_H

#include "handlers/worker.h"

/* Where it fails, sb_worker_pool_end ends those that were started. */
stepbus_status sb_worker_pool_start(stepbus_worker *worker, stepbus_error *err);
/* Waits for the handlers that they run. */
void sb_worker_pool_end(stepbus_worker *worker);

#endif
