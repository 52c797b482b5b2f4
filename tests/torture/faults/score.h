/* SPDX-License-Identifier: MIT */
/* What was shown and what was not: the lines that a part of the proof ends with. One thread. */
#ifndef TESTS_TORTURE_SCORE_H
#define TESTS_TORTURE_SCORE_H

#include <stdbool.h>
#include <stdint.h>

/* A check of its own: says what failed at once. Gives is_right. */
bool score(bool is_right, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A class that cannot be tried here: a failure, unless STEPBUS_PROOF_SKIPS is 1. Says so in any case. */
void score_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "proof: faults: …", for the reader of the report. */
void score_proof(const char *format, ...) __attribute__((format(printf, 1, 2)));
void score_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints "N passed, N failed"; the status that main ends with. */
int score_end(void);
int score_failed_count(void);

/* A directory of the run's own, in memory where there is such a place: what is synced here is not slow. */
const char *score_directory(void);
/* Removes it, unless something failed or a child asks. */
void score_tidy(void);
/* Removes a database and what lies beside it. */
void score_remove_store(const char *path);
/* Copies a file that no engine has open. */
bool score_copy(const char *from, const char *to);

#endif
