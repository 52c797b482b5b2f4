/* SPDX-License-Identifier: MIT */
/*
 * The other parts of the proof, each in a process of its own, so that what one leaves in its process no
 * other finds. Each prints what it has shown and counts it.
 */
#ifndef TESTS_TORTURE_REENTER_PARTS_H
#define TESTS_TORTURE_REENTER_PARTS_H

#include <stdint.h>

#include "torture/reenter/tally.h"
#include "torture/reenter/world.h"

/* Runs a part in a child that is ended after so many seconds; it notes findings on the board. */
typedef struct part {
	const char *name;
	/* Gives how much it did; what it found wrong it has printed and counted. */
	void (*run)(tally *t, uint32_t count, uint32_t seed);
	int patience_s;
} part;

void part_run(tally *t, const part *p, uint32_t count, uint32_t seed);
/* A number below count. */
uint32_t part_draw(uint32_t *random, uint32_t count);
void part_pause_us(int64_t time_us);

/* Threads that are cancelled while they are inside a call. */
void cancel_run(tally *t, uint32_t count, uint32_t seed);
/* Signals that interrupt everything; and what of the host's an engine leaves as it was. */
void signals_run(tally *t, uint32_t count, uint32_t seed);
void manners_run(tally *t, uint32_t count, uint32_t seed);
/* Children of a busy process, which call, exit and execute. */
void forks_run(tally *t, uint32_t count, uint32_t seed);
/* Which files are mapped and opened behind the first open; in a process that is traced. */
void loads_run(tally *t, uint32_t count, uint32_t seed);

/* What this program does when its parts execute it: gives its exit status; -1: they did not. */
int forks_executed(int argc, char **argv);
int loads_executed(int argc, char **argv);

#endif
