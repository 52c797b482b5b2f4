/* SPDX-License-Identifier: MIT */
/*
 * The two stores that fuzz_store.c compares, one in memory and one on SQLite, in a file that lies in
 * memory too. They live on from input to input, and are brought to the same numbers wherever each may
 * number as it likes: what a rollback took back is given again by the one and not by the other.
 */
#ifndef TESTS_FUZZ_STORE_SIDES_H
#define TESTS_FUZZ_STORE_SIDES_H

#include "fuzz/store_words.h"

enum { FUZZ_STEP_MAX = 48, FUZZ_NAME_COUNT = 3 };

extern fuzz_side fuzz_sides[2];
/* Of queues, handlers and workers. */
extern const char *const fuzz_store_names[FUZZ_NAME_COUNT];

/* Closes what was open. */
void fuzz_sides_open(void);
/* Removes all steps, workers and schedules. */
void fuzz_sides_empty(void);
/* Fails where the tapes differ, and clears them. */
void fuzz_sides_compare(const char *what);
/* After a rollback of steps: the next ones get the same ids. */
void fuzz_sides_align_ids(void);

#endif
