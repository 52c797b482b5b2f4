/* SPDX-License-Identifier: MIT */
/*
 * What happened in a seed, as numbers: the last actions to print when something is wrong, and a hash of
 * all of them, which is the same whenever the seed is run.
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdint.h>
#include <stdio.h>

enum { TRACE_LEN = 4096, TRACE_NAME_LEN = 16 };

typedef struct trace_entry {
	const char *name;
	int action;
	int process;
	int step; /* -1: of none */
	int64_t elapsed_us;
	int64_t a, b, c;
} trace_entry;

typedef struct trace {
	trace_entry entries[TRACE_LEN];
	uint64_t count;
	uint64_t hash;
} trace;

void trace_clear(trace *t);
void trace_note(trace *t, const trace_entry *entry);
/* What is there of a step, and of the last count entries those of no step. */
void trace_print(const trace *t, int step, int count, FILE *out);

#endif
