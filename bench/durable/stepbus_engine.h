/* SPDX-License-Identifier: MIT */
/*
 * An engine of stepbus with one worker whose handler does nothing but count and tell the time: what
 * the cases of stepbus share. Uses include/stepbus.h only. Anything that fails ends the benchmark.
 */
#ifndef BENCH_DURABLE_STEPBUS_ENGINE_H
#define BENCH_DURABLE_STEPBUS_ENGINE_H

#include "bench/durable/durable.h"

#include "include/stepbus.h"

#include <semaphore.h>
#include <stdatomic.h>

enum { ENGINE_BLOCK_MAX = 1000 };

/**
 * handled, started_ns  how many steps ran, and when the newest one began.
 * claim_block          how many steps the worker claims at once; 0: 256.
 * wanted, finished     finished is posted when so many have run.
 * block, room          room is posted for each block that has run.
 * mark, mark_ns        when so many had run.
 * final_ns             when the wanted one ran.
 * on_start             may be NULL; called for each step.
 */
typedef struct engine_run {
	stepbus *engine;
	stepbus_worker *worker;
	_Atomic size_t handled;
	_Atomic uint64_t started_ns;
	_Atomic uint64_t mark_ns;
	_Atomic uint64_t final_ns;
	size_t claim_block;
	size_t wanted;
	size_t block;
	size_t mark;
	sem_t finished;
	sem_t room;
	void (*on_start)(struct engine_run *run);
	void *context;
} engine_run;

/** path NULL or level MEMORY: the store in memory. */
void engine_open(engine_run *run, const char *path, durable_level level);
void engine_close(engine_run *run);

/** Starts the worker, and counts anew. */
void engine_work(engine_run *run, size_t wanted);
/** Stops it; what it did is durable then. */
void engine_rest(engine_run *run);

/** Enqueues so many steps, in blocks of at most ENGINE_BLOCK_MAX, and waits until they are durable. */
void engine_enqueue(engine_run *run, size_t count);
/** Fills specs with steps for the handler. */
void engine_specs(stepbus_step_spec *specs, size_t count);
/** How many steps are in a state, by its name. */
size_t engine_count(engine_run *run, const char *state);

/** Removes a database, and all files whose names begin like its own and a hyphen. */
void engine_remove(const char *path);

/** Ends the benchmark unless status is STEPBUS_OK. */
void engine_check(stepbus_status status, const char *what, const stepbus_error *err);

#endif
