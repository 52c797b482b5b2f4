/* SPDX-License-Identifier: MIT */
/* A worker that never catches up: some steps wait, always, and most of them go before the rest. */
#ifndef TESTS_TORTURE_CROWD_STEPS_H
#define TESTS_TORTURE_CROWD_STEPS_H

#include <stdbool.h>

typedef struct crowd_steps {
	const char *path;
	long count;
	bool is_unfair; /* the oldest get no share */
} crowd_steps;

/* Notes what is seen in the observer's log. False, and told, where a call failed. */
bool crowd_run_steps(const crowd_steps *s);

#endif
