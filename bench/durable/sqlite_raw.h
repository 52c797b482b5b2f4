/* SPDX-License-Identifier: MIT */
/*
 * The bound: the fastest loop over SQLite that one writes by hand, for the same information as
 * stepbus keeps of a plain step, in a file that several processes may share. A wide table that is
 * only added to, a narrow one with a partial index of what is ready and one of what is running,
 * prepared statements, one row each. It knows no leases, retries or limits. One thread at a time.
 */
#ifndef BENCH_DURABLE_SQLITE_RAW_H
#define BENCH_DURABLE_SQLITE_RAW_H

#include "bench/durable/durable.h"

typedef struct sqlite_raw sqlite_raw;

/**
 * Before SQLite is used: it need not count its memory under a lock. A host may do the same; here it
 * holds for everybody in the process.
 */
void sqlite_raw_init(void);

/** path NULL: in memory. Makes the tables if they are not there. */
sqlite_raw *sqlite_raw_open(const char *path, durable_level level);
void sqlite_raw_close(sqlite_raw *raw);

void sqlite_raw_begin(sqlite_raw *raw);
/** Also writes the log back where it has become long. */
void sqlite_raw_commit(sqlite_raw *raw);

/** Inside a transaction. */
void sqlite_raw_enqueue(sqlite_raw *raw, size_t count);
/** Inside a transaction: claims up to count ready steps, reading their inputs; returns how many. */
size_t sqlite_raw_claim(sqlite_raw *raw, size_t count);
/** Inside a transaction: completes all that was claimed before. */
void sqlite_raw_complete(sqlite_raw *raw);
/** Inside a transaction: makes ready again what a worker that is gone had claimed. */
void sqlite_raw_reclaim(sqlite_raw *raw);

/** How many steps are in a state: 3 ready, 5 running, 6 completed. */
size_t sqlite_raw_count(sqlite_raw *raw, int state);

/** Removes the files of a database. */
void sqlite_raw_remove(const char *path);

/* The contestant in the cases of lifecycles; of enqueueing; of claiming; of opening anew. */
double sqlite_raw_lifecycle(const durable_plan *plan, size_t count);
double sqlite_raw_one(const durable_plan *plan, size_t count);
double sqlite_raw_enqueue_threads(const durable_plan *plan, size_t count);
double sqlite_raw_claim_cost(const durable_plan *plan, size_t count);
double sqlite_raw_reopen(const durable_plan *plan, size_t count);
/** The longest log of the lifecycles so far, in MiB. */
double sqlite_raw_wal_peak(const durable_plan *plan, size_t count);

#endif
