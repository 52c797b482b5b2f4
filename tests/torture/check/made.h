/* SPDX-License-Identifier: MIT */
/*
 * Histories that nobody ran: stories of one step each, told one after another, in which every line
 * and every row is as it may be in a run, up to the edge of what is allowed. They test the checker
 * from both sides: no story may be blamed, and damage to any of them must be.
 */
#ifndef TESTS_TORTURE_MADE_H
#define TESTS_TORTURE_MADE_H

#include "torture/history/history.h"

typedef struct maker {
	history *history;
	int64_t time_us;
	int64_t next_id, next_nonce, next_key, next_published;
	int64_t dropped;
	int32_t workers[4];
	int32_t enqueuer, operator;
	int32_t next_process;
	uint32_t random;
} maker;

enum { MADE_TEXT_LEN = 64 };

/* The bytes that a made step has; how many they are. */
int made_input(const step_row *row, char text[MADE_TEXT_LEN]);
int made_result(const step_row *row, char text[MADE_TEXT_LEN]);

size_t made_story_count(void);
const char *made_story_name(size_t story);

void maker_begin(maker *m, history *h);
void maker_tell(maker *m, size_t story);
/* What the library says in the end of all that is there. */
void maker_end(maker *m);

#endif
