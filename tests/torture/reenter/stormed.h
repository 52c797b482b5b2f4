/* SPDX-License-Identifier: MIT */
/*
 * A plain call under signals, again and again, until enough of them have come while it was under way. What
 * a call uses up is made anew before the next one, outside of what is counted.
 */
#ifndef TESTS_TORTURE_REENTER_STORMED_H
#define TESTS_TORTURE_REENTER_STORMED_H

#include "torture/reenter/rows.h"

/* What the board has of all cells, for the line of the proof. */
typedef struct stormed_sum {
	size_t function_count;
	size_t interrupted_count; /* functions of which a system call ended early, and their names */
	char interrupted[1024];
	uint64_t call_count, inside_count, interrupting_count;
} stormed_sum;

/* Notes on the board what it answers: the first answer, or the first that is not allowed. */
void stormed_run(world *w, const row *r);
void stormed_add(stormed_sum *sum, const row *r, const world_board *board);

#endif
