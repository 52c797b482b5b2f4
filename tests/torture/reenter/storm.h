/* SPDX-License-Identifier: MIT */
/* Signals that come a thousand times a second and whose handlers do not ask for calls to be resumed. */
#ifndef TESTS_TORTURE_REENTER_STORM_H
#define TESTS_TORTURE_REENTER_STORM_H

#include <stdatomic.h>
#include <stdint.h>

/* SIGALRM at the calling thread and SIGCHLD at the process, until it ends; each is counted. */
void storm_begin(_Atomic(uint32_t) *count);
/* The same, more often: period_ns apart, at the calling thread alone. */
void storm_begin_fierce(_Atomic(uint32_t) *count, long period_ns);

#endif
