/* SPDX-License-Identifier: MIT */
/*
 * Hunger for a whole interpreter, preloaded into it: memory runs out (tests/torture/famine/allocator.h)
 * for what certain libraries ask for, and for nobody else, since an interpreter that is refused memory
 * ends itself. Beside it the same for calls: those of an interpreter's interface that a binding makes
 * and asks here about may be refused, too. One of the two is armed at a time. What is called here by a
 * scenario is called on one thread; what asks may be any.
 */
#ifndef BINDINGS_STARVE_PRELOAD_H
#define BINDINGS_STARVE_PRELOAD_H

#include <stddef.h>
#include <stdint.h>

enum { STARVE_MEMORY = 0, STARVE_CALLS = 1 };

/* Names of libraries, or parts of them, with commas between. How many of those that are loaded match. */
int32_t starve_watch(const char *names);

/* The nth one fails, from 1 (0: they are only counted), and with is_sticky all behind it. */
void starve_arm(int32_t kind, uint64_t n, int32_t is_sticky);
/* How many were asked for since, and how many of them failed. Safe to call twice. */
uint64_t starve_disarm(uint64_t *failed);
/* How many failed so far. */
uint64_t starve_failed(void);

/* Blocks of those libraries: begins to watch them, and how many are left. */
void starve_track(void);
uint64_t starve_untrack(void);
/* Writes the stack of the first failure, and of what took each block that is left, to standard error. */
void starve_trace(int32_t is_traced);

/* Not 0: a call is to be refused. */
int starve_refuses_call(void);

#endif
