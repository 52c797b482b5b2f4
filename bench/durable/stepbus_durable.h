/* SPDX-License-Identifier: MIT */
/* What stepbus does in each case of the benchmark of durable steps. */
#ifndef BENCH_DURABLE_STEPBUS_DURABLE_H
#define BENCH_DURABLE_STEPBUS_DURABLE_H

#include "bench/durable/durable.h"

/** plan: thread_count producers, block, window, is_pipelined. */
double stepbus_lifecycle(const durable_plan *plan, size_t count);
/** One caller, one step, awaited until it is completed. */
double stepbus_one(const durable_plan *plan, size_t count);
/** thread_count callers, each enqueues one step after the other. */
double stepbus_enqueue_threads(const durable_plan *plan, size_t count);
/** The longest log of the lifecycles so far, in MiB. */
double stepbus_wal_peak(const durable_plan *plan, size_t count);

/** From the call that enqueues until the handler runs, in microseconds. */
double stepbus_start_latency(const durable_plan *plan, size_t count);
double stepbus_start_latency_2processes(const durable_plan *plan, size_t count);

/** Microseconds a step, while plan->pending wait. */
double stepbus_claim_cost(const durable_plan *plan, size_t count);
/** Milliseconds from opening a store whose worker was killed until a handler runs. */
double stepbus_reopen(const durable_plan *plan, size_t count);
/** Bytes of anonymous memory that each pending step adds. */
double stepbus_memory_pending(const durable_plan *plan, size_t count);

#endif
