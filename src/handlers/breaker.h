/* SPDX-License-Identifier: MIT */
/*
 * A circuit breaker for answers of hosts: where the store has failed to take them often enough in a
 * row, it is left alone for a moment, and hosts hear at once that they should come again. Then one
 * call is let through, and what becomes of it decides for the others. Pure; its owner has a lock.
 */
#ifndef SB_HANDLERS_BREAKER_H
#define SB_HANDLERS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum sb_breaker_state {
	SB_BREAKER_CLOSED, /* all goes through */
	SB_BREAKER_OPEN,   /* nothing does, for a while */
	SB_BREAKER_TRYING, /* one call is on its way, nothing else goes through */
} sb_breaker_state;

typedef enum sb_breaker_event {
	SB_BREAKER_KEPT,      /* the store took, or refused, what a call brought */
	SB_BREAKER_FAILED,    /* the store could do neither */
	SB_BREAKER_UNDECIDED, /* the call never came so far as to ask it */
} sb_breaker_event;

typedef struct sb_breaker {
	uint32_t failure_count_max; /* 0: it never opens */
	int64_t open_ns;
	sb_breaker_state state;
	uint32_t failure_count; /* in a row */
	int64_t open_until_ns;
} sb_breaker;

/* Whether a call may go through now; who was let through tells what became of it. */
bool sb_breaker_let_through(sb_breaker *breaker, int64_t now_ns);
void sb_breaker_note(sb_breaker *breaker, sb_breaker_event event, int64_t now_ns);

#endif
