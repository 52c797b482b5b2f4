/* SPDX-License-Identifier: MIT */
#include "store/step_state.h"

#include <string.h>

#define BIT(state) (1U << (state))

typedef struct move {
	sb_step_event event;
	unsigned from; /* bits of states; bit 0: from nothing */
	unsigned to;
} move;

enum {
	FROM_NOTHING = BIT(0),
	OPEN = BIT(SB_STEP_WAITING) | BIT(SB_STEP_SCHEDULED) | BIT(SB_STEP_READY) |
	       BIT(SB_STEP_PARKED) | BIT(SB_STEP_RUNNING),
	FINAL = BIT(SB_STEP_COMPLETED) | BIT(SB_STEP_FAILED) | BIT(SB_STEP_CANCELLED) |
		BIT(SB_STEP_QUARANTINED),
};

/* The table. docs/STATES.md is made from it. */
static const move moves[] = {
	{ SB_STEP_ENQUEUE, FROM_NOTHING,
	  BIT(SB_STEP_WAITING) | BIT(SB_STEP_SCHEDULED) | BIT(SB_STEP_READY) },
	{ SB_STEP_RELEASE, BIT(SB_STEP_WAITING), BIT(SB_STEP_SCHEDULED) | BIT(SB_STEP_READY) },
	{ SB_STEP_RELEASE, BIT(SB_STEP_SCHEDULED) | BIT(SB_STEP_PARKED), BIT(SB_STEP_READY) },
	{ SB_STEP_PARK, BIT(SB_STEP_READY), BIT(SB_STEP_PARKED) },
	{ SB_STEP_CLAIM, BIT(SB_STEP_READY) | BIT(SB_STEP_PARKED), BIT(SB_STEP_RUNNING) },
	{ SB_STEP_GIVE_BACK, BIT(SB_STEP_RUNNING), BIT(SB_STEP_SCHEDULED) | BIT(SB_STEP_READY) },
	{ SB_STEP_SUCCEED, BIT(SB_STEP_RUNNING), BIT(SB_STEP_COMPLETED) },
	{ SB_STEP_RETRY, BIT(SB_STEP_RUNNING), BIT(SB_STEP_SCHEDULED) | BIT(SB_STEP_READY) },
	{ SB_STEP_FAIL, OPEN, BIT(SB_STEP_FAILED) },
	{ SB_STEP_CANCEL, OPEN, BIT(SB_STEP_CANCELLED) },
	{ SB_STEP_QUARANTINE, BIT(SB_STEP_RUNNING), BIT(SB_STEP_QUARANTINED) },
	{ SB_STEP_REDRIVE, BIT(SB_STEP_FAILED) | BIT(SB_STEP_CANCELLED) | BIT(SB_STEP_QUARANTINED),
	  BIT(SB_STEP_SCHEDULED) | BIT(SB_STEP_READY) },
};

static const char *const state_names[] = {
	[SB_STEP_WAITING] = "waiting",
	[SB_STEP_SCHEDULED] = "scheduled",
	[SB_STEP_READY] = "ready",
	[SB_STEP_PARKED] = "parked",
	[SB_STEP_RUNNING] = "running",
	[SB_STEP_COMPLETED] = "completed",
	[SB_STEP_FAILED] = "failed",
	[SB_STEP_CANCELLED] = "cancelled",
	[SB_STEP_QUARANTINED] = "quarantined",
};

static const char *const event_names[SB_STEP_EVENT_COUNT] = {
	[SB_STEP_ENQUEUE] = "enqueue",     [SB_STEP_RELEASE] = "release",
	[SB_STEP_PARK] = "park",           [SB_STEP_CLAIM] = "claim",
	[SB_STEP_GIVE_BACK] = "give back", [SB_STEP_SUCCEED] = "succeed",
	[SB_STEP_RETRY] = "retry",         [SB_STEP_FAIL] = "fail",
	[SB_STEP_CANCEL] = "cancel",       [SB_STEP_QUARANTINE] = "quarantine",
	[SB_STEP_REDRIVE] = "redrive",
};

static bool is_state(int state)
{
	return state >= SB_STEP_STATE_MIN && state <= SB_STEP_STATE_MAX;
}

bool sb_step_can_move(sb_step_event event, sb_step_state from, sb_step_state to)
{
	if ((int)from < 0 || (int)from > SB_STEP_STATE_MAX || !is_state((int)to))
		return false;
	for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
		if (moves[i].event == event && (moves[i].from & BIT(from)) != 0 &&
		    (moves[i].to & BIT(to)) != 0)
			return true;
	return false;
}

bool sb_step_state_is_final(sb_step_state state)
{
	return is_state((int)state) && (BIT(state) & FINAL) != 0;
}

const char *sb_step_state_name(int state)
{
	return is_state(state) ? state_names[state] : NULL;
}

int sb_step_state_of(const char *name, size_t len)
{
	for (int state = SB_STEP_STATE_MIN; state <= SB_STEP_STATE_MAX; state++)
		if (strlen(state_names[state]) == len && memcmp(state_names[state], name, len) == 0)
			return state;
	return 0;
}

const char *sb_step_event_name(sb_step_event event)
{
	return (unsigned)event < SB_STEP_EVENT_COUNT ? event_names[event] : NULL;
}
