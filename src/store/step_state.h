/* SPDX-License-Identifier: MIT */
/*
 * The states of a step and the moves between them: the one table that every change of a step is
 * held against. The numbers stand in databases and never change. Pure.
 */
#ifndef SB_STORE_STEP_STATE_H
#define SB_STORE_STEP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sb_step_state {
	SB_STEP_WAITING = 1,   /* for other steps of its task */
	SB_STEP_SCHEDULED = 2, /* for a time: delayed, snoozed, or between two attempts */
	SB_STEP_READY = 3,     /* to be claimed */
	SB_STEP_PARKED = 4,    /* set aside: its key is at its limit, or another worker serves it */
	SB_STEP_RUNNING = 5,   /* claimed; its worker holds the lease */
	SB_STEP_COMPLETED = 6, /* a success was accepted */
	SB_STEP_FAILED = 7,    /* a failure that is final; redrive may begin anew */
	SB_STEP_CANCELLED = 8, /* by request */
	SB_STEP_QUARANTINED = 9, /* its attempts ended their processes too often */
} sb_step_state;

enum { SB_STEP_STATE_MIN = SB_STEP_WAITING, SB_STEP_STATE_MAX = SB_STEP_QUARANTINED };

/* What can happen to a step. Each names the moves it may make; step_state.c holds the table. */
typedef enum sb_step_event {
	SB_STEP_ENQUEUE,    /* the first state of a step */
	SB_STEP_RELEASE,    /* what it waited for (a time, a step, a place) has come */
	SB_STEP_PARK,       /* it cannot run here and now, and must not stand in the way */
	SB_STEP_CLAIM,      /* a worker takes it */
	SB_STEP_GIVE_BACK,  /* a worker puts it back, uncharged */
	SB_STEP_SUCCEED,    /* an attempt succeeded */
	SB_STEP_RETRY,      /* an attempt failed or was lost, and another one follows */
	SB_STEP_FAIL,       /* an attempt failed, or time is over, and nothing follows */
	SB_STEP_CANCEL,     /* the host wants it no more */
	SB_STEP_QUARANTINE, /* an attempt was lost, once too often */
	SB_STEP_REDRIVE,    /* the host wants it again */
	SB_STEP_EVENT_COUNT
} sb_step_event;

bool sb_step_can_move(sb_step_event event, sb_step_state from, sb_step_state to);
/* Nothing but a redrive leaves it. */
bool sb_step_state_is_final(sb_step_state state);
/* "ready"; NULL for a number that is no state. */
const char *sb_step_state_name(int state);
/* 0: no such state. */
int sb_step_state_of(const char *name, size_t len);
const char *sb_step_event_name(sb_step_event event);

#endif
