/* SPDX-License-Identifier: MIT */
/* What the handlers of a run do with a step, by the number in its input; for pools and pullers alike. */
#ifndef TESTS_TORTURE_KILL_BEHAVE_H
#define TESTS_TORTURE_KILL_BEHAVE_H

#include <stdint.h>

#include "include/stepbus.h"
#include "torture/history/history.h"

/* The last digits of a nonce that history.h leaves to the run. */
enum {
	BEHAVIOUR_RELEASE = 3,    /* given back at first, where it is pulled */
	BEHAVIOUR_CHECKPOINT = 4, /* comes to its end in steps */
	CHECKPOINT_COUNT = 3,
};

enum { DEED_TEXT_LEN = 64 };

/* JSON, as workers in other languages read and write it: of the nonce, and the items processed. */
#define DEED_CURSOR "\"n%ld c%lu\""

/* What came of it, ready to be handed in. */
typedef struct deed {
	int outcome; /* STEPBUS_OUTCOME_… */
	uint32_t is_retryable;
	uint64_t items;
	char text[DEED_TEXT_LEN]; /* the result */
	size_t len;
	char cursor[DEED_TEXT_LEN];
	size_t cursor_len;
} deed;

/* Notes that an attempt began, and gives the nonce of its step. */
int64_t behave_begin(const stepbus_step_event *step);
/* May end the process. */
void behave(const stepbus_step_event *step, int64_t nonce, deed *d);
/* Notes that it is about to be handed in. */
void behave_end(const stepbus_step_event *step, const deed *d);

#endif
