/* SPDX-License-Identifier: MIT */
/*
 * Signals that come a thousand times a second or more often, and whose handlers do not ask for calls to be
 * resumed. They are counted where they hit: in memory that a parent may share.
 */
#ifndef TESTS_TORTURE_REENTER_STORM_H
#define TESTS_TORTURE_REENTER_STORM_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct storm_counts {
	_Atomic(uint32_t) all;
	_Atomic(uint32_t) inside; /* of the calls between storm_enter and storm_leave */
	/* Of these: that made a system call answer EINTR, as x86-64 and AArch64 let a handler see. */
	_Atomic(uint32_t) interrupting;
} storm_counts;

/* SIGALRM at the calling thread and SIGCHLD at the process, until it ends. */
void storm_begin(storm_counts *counts);
/* More SIGALRM, period_ns apart, at the calling thread alone. */
void storm_begin_fierce(storm_counts *counts, long period_ns);
/* Around a call of the thread that the signals come to. */
void storm_enter(void);
void storm_leave(void);

#endif
