/* SPDX-License-Identifier: MIT */
/* What was shown and what was found wrong, for the last line of the program. */
#ifndef TESTS_TORTURE_REENTER_TALLY_H
#define TESTS_TORTURE_REENTER_TALLY_H

#include <stdbool.h>

typedef struct tally {
	int passed;
	int failed;
	bool is_control; /* what is found was put in on purpose */
} tally;

/* Counts one thing that is shown, or not. */
void tally_note(tally *t, bool is_right);
/* Prints a finding, and counts it. */
void tally_find(tally *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
