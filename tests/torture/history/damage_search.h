/* SPDX-License-Identifier: MIT */
/* Finds places in a history that are worth damaging, and damages them. NULL: there is none. */
#ifndef TESTS_TORTURE_DAMAGE_SEARCH_H
#define TESTS_TORTURE_DAMAGE_SEARCH_H

#include "torture/history/history.h"

/* The lines of one attempt, and the start of the next one. */
typedef struct trace {
	event *claim, *start, *end, *next_claim, *next_start;
} trace;

/* From behind `from` on (NULL: from the first one) of that kind, and of that c where it is not 0. */
event *search_event(const history *h, const event *from, char kind, int64_t c);
/* The first of that step. */
event *search_line(const history *h, int64_t step, char kind);
bool search_has(const history *h, int64_t step, const char *kinds);
/* How many attempts are on record. */
size_t search_tokens(const history *h, int64_t step);
step_row *search_state(const history *h, char state, const char *but_kinds);
trace search_trace(const history *h, int64_t step, int64_t token);
/* An attempt that was lost while its handler ran, and followed by another one. */
bool search_lost(const history *h, trace *out, bool with_claims);
attempt_row *search_attempt(const history *h, int64_t step, int64_t token);
bool search_is_stalled(const history *h, int32_t process);

/* HISTORY_SPARE of them. */
event *damage_append(history *h, event e);
void damage_remove_event(history *h, event *e);
void damage_remove_step(history *h, step_row *row);
void damage_remove_attempt(history *h, attempt_row *row);

#endif
