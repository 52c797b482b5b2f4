/* SPDX-License-Identifier: MIT */
/*
 * The benchmark of durable steps: what its contestants, rounds and reports share.
 *
 * An entry is one line of a result: somebody who is measured in a case. A run of an entry begins
 * with nothing stored (only servers stay up), does all of the work and looks afterwards whether it
 * was done: whoever loses a step ends the benchmark. Entries of a group are measured in the same
 * rounds. Everything here is used by the main thread; a contestant may have threads and processes
 * of its own, which end with the run.
 */
#ifndef BENCH_DURABLE_H
#define BENCH_DURABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DURABLE_INPUT_LEN = 200, DURABLE_ENTRY_COUNT_MAX = 64 };

/* What an acknowledged step survives. */
typedef enum durable_level {
	DURABLE_DISK,    /* a power cut */
	DURABLE_PROCESS, /* kill -9; a power cut may take a last part */
	DURABLE_MEMORY,  /* nothing */
} durable_level;

/* How the work is to be done. Who does not know a field overlooks it. */
typedef struct durable_plan {
	durable_level level;
	size_t block;        /* steps in one call, transaction or pipeline */
	size_t thread_count; /* of the caller */
	size_t pending;      /* steps that wait all the while */
	size_t window;       /* steps that may be between enqueueing and running; 0: any */
	bool is_pipelined;   /* the caller goes on before what it enqueued is durable */
	bool is_deleting;    /* a finished step is removed, not kept */
	bool is_awaited;     /* the caller waits for each completion before it goes on */
	const char *script;  /* of a peer in Node */
} durable_plan;

/**
 * One run. count is how many steps go through. Returns the figure in the entry's unit, or a
 * negative number if the contestant cannot take part.
 */
typedef double (*durable_measure)(const durable_plan *plan, size_t count);

/**
 * One line of a result.
 *
 * needs        what to install where it cannot take part.
 * first_count  of the run that warms up; later ones of a unit "steps/s" are as long as a slice.
 * count_max    0: none but the general one.
 * baseline     in the same group; NULL: none.
 */
typedef struct durable_entry {
	const char *case_name;
	const char *who;
	const char *unit;
	const char *needs;
	durable_measure measure;
	durable_plan plan;
	size_t first_count;
	size_t count_max;
	const struct durable_entry *baseline;
	bool is_missing;
	size_t count;
	size_t sample_count;
	double *samples;
	double median;
} durable_entry;

/* Groups share one array, so that reports and goals see everything of a bench. */
typedef struct durable_bench {
	unsigned round_count;
	double slice_s;
	size_t entry_count;
	durable_entry entries[DURABLE_ENTRY_COUNT_MAX];
} durable_bench;

/** Adds a copy of an entry to the group that is being made. */
durable_entry *durable_add(durable_bench *bench, const durable_entry *entry);

/** Measures the entries from first on, and writes their lines. */
void durable_measure_from(durable_bench *bench, size_t first);

/** The entry of that case and name; NULL: there is none, or it could not take part. */
const durable_entry *durable_find(const durable_bench *bench, const char *case_name,
				  const char *who);

/** JSON lines on stdout and the table on stderr, of the entries from first on. */
void durable_report(const durable_bench *bench, size_t first);

/** What stepbus wants to reach and did, on stderr. */
void durable_report_goals(const durable_bench *bench);

/** Writes the chart; an SVG file. */
void durable_chart_write(const durable_bench *bench, const char *path);

/** The name of the case of lifecycles at a level. */
const char *durable_lifecycle_name(durable_level level);

/** A path in the folder of this run, which is on the disk that is measured. Never freed. */
const char *durable_path(const char *name);

/** Steps each second. */
double durable_rate(size_t count, uint64_t elapsed_ns);

/** The middle one of values, which it sorts. */
double durable_median(double *values, size_t count);

/** The input of every step: DURABLE_INPUT_LEN letters and a NUL. */
const char *durable_input(void);

#endif
