/* SPDX-License-Identifier: MIT */
/*
 * A trial: one workload, and the states of the disk that a power cut could have left at each moment
 * of it, each of them judged.
 */
#ifndef TESTS_TORTURE_POWER_TRIAL_H
#define TESTS_TORTURE_POWER_TRIAL_H

#include <stdatomic.h>

#include "torture/power/verdicts.h"
#include "torture/power/workload.h"

/* What was found; shared by processes. */
typedef struct tally {
	_Atomic(uint64_t) workloads;
	_Atomic(uint64_t) operations;
	_Atomic(uint64_t) acknowledgements;
	_Atomic(uint64_t) versions; /* commits */
	_Atomic(uint64_t) states;   /* judged */
	_Atomic(uint64_t) distinct; /* of them */
	_Atomic(uint64_t) older;    /* that lack the newest commit */
	_Atomic(uint64_t) reread;   /* row by row */
	_Atomic(uint64_t) revived;  /* by the library */
	_Atomic(uint64_t) lost;     /* acknowledgements at level disk that states lack */
	_Atomic(uint64_t) faults[FAULT_COUNT];
	_Atomic(uint64_t) unrevived;
	_Atomic(uint64_t) broken; /* workloads that did not come to their end */
	/* Where a sync is to fail: workloads in which one did, and calls behind it. */
	_Atomic(uint64_t) struck;
	_Atomic(uint64_t) refused;
	_Atomic(uint64_t) untrue; /* that said that something is durable */
	/* Workloads that opened the file anew behind it, and what they then were told. */
	_Atomic(uint64_t) anew;
	_Atomic(uint64_t) anew_acks;
} tally;

typedef struct trial_options {
	workload_options workload; /* where a sync fails in it, states are judged from there on */
	const char *directory;     /* for what is kept of what is wrong, and for revivals */
	int number;                /* of this trial */
	size_t drawn;              /* cuts at random at each moment */
	uint64_t states_max;
	unsigned reread_each; /* one state in so many is read row by row; 0: none */
	unsigned revive_each; /* or worked off; 0: none */
	bool is_quiet;        /* faults are what is wanted */
	bool is_flipped;      /* a control: a bit of each state is changed */
} trial_options;

void trial_run(const trial_options *o, tally *t);
uint64_t tally_faults(const tally *t);

#endif
