/* SPDX-License-Identifier: MIT */
/*
 * What guests (guest.h) did in a run, counted from the log and the store: how many attempts and steps
 * ran in each language, and how many of its processes were killed, and where. A run in which none did
 * proves nothing, and is said to have failed.
 */
#ifndef TESTS_TORTURE_KILL_GUESTS_H
#define TESTS_TORTURE_KILL_GUESTS_H

#include "torture/history/history.h"
#include "torture/kill/nemesis.h"

bool guests_are_in(const history *h);
/* violated: rules. Adds what it asserts. */
void guests_report(const nemesis *n, const history *h, int violated, int *passed, int *failed);

#endif
