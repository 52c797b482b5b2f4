/* SPDX-License-Identifier: MIT */
/*
 * Runs points in processes of their own: what crashes or hangs takes one process with it, is found, and
 * the next process goes on behind it. The caller's process never calls the library.
 */
#ifndef TORTURE_FAMINE_RUNNER_H
#define TORTURE_FAMINE_RUNNER_H

#include "torture/famine/calls.h"
#include "torture/famine/point.h"

enum { FAMINE_JOB_MAX = 512, FAMINE_STATUS_MAX = 32, FAMINE_FINDING_MAX = 20 };

/* A scenario on one store, and what came of it. In memory that all processes share. */
typedef struct famine_job {
	const famine_scenario *scenario;
	bool is_on_disk;
	bool is_control; /* must be found; its findings are printed as such */
	size_t mode;     /* where it is: the mode, and the point that runs */
	uint64_t n;
	uint64_t point_count; /* where something failed */
	/* Of each mode: the allocations that there are without a failure, and how many of them failed. */
	uint64_t there_counts[FAMINE_MODE_COUNT];
	uint64_t taken_counts[FAMINE_MODE_COUNT];
	uint64_t run_count; /* all runs, and how long they took */
	uint64_t time_us;
	uint64_t longest;                    /* the most allocations of one run */
	uint64_t answers[FAMINE_STATUS_MAX]; /* of act, by status */
	uint64_t findings[FAMINE_PROMISE + 1];
	uint64_t finding_count;
	size_t left_over_max;
} famine_job;

typedef struct famine_run {
	famine_calls calls;
	size_t job_count;
	famine_job jobs[FAMINE_JOB_MAX];
	uint64_t points_wanted; /* of each scenario; 0: all, or */
	uint64_t every;         /* this part of them: each 2nd, each 3rd, … */
	char directory[FAMINE_TEXT_LEN];
} famine_run;

/* Runs all jobs on process_count processes. */
void famine_run_jobs(famine_run *run, size_t process_count);

#endif
