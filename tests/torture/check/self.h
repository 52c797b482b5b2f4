/* SPDX-License-Identifier: MIT */
#ifndef TESTS_TORTURE_SELF_H
#define TESTS_TORTURE_SELF_H

#include <stddef.h>

/* Prints what it finds, and how many passed; the exit status of the program. */
int self_test(size_t line_count);

typedef struct score {
	int passed;
	int failed;
} score;

/* name is printed where it did not hold. */
void self_expect(score *s, int holds, const char *group, const char *name);

/* hostile.c: logs and databases as nobody should find them. */
void hostile_test(score *s);
/* measure.c: how long it takes; false where that many lines are blamed. */
void measure_test(score *s, size_t line_count);

#endif
