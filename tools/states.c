/* SPDX-License-Identifier: MIT */
/*
 * Prints docs/STATES.md: the states of a step and the moves between them, as step_state.c allows
 * them, with a sentence on each. `make states` writes the page, and a test holds it against this.
 */
#include <stdio.h>

#include "store/step_state.h"

enum { STATE_COUNT = SB_STEP_STATE_MAX + 1 };

static const char *const state_texts[STATE_COUNT] = {
	[SB_STEP_WAITING] = "It waits for other steps of its task.",
	[SB_STEP_SCHEDULED] =
		"It waits for a time: it was delayed or snoozed, or is between two attempts.",
	[SB_STEP_READY] = "A worker may claim it.",
	[SB_STEP_PARKED] =
		"It is set aside, so that it does not stand in the way of others: its "
		"concurrency key is at its limit, or only another worker serves its handler.",
	[SB_STEP_RUNNING] =
		"A worker has claimed it and holds the lease; its token names the attempt.",
	[SB_STEP_COMPLETED] = "A success was accepted. It never changes again.",
	[SB_STEP_FAILED] =
		"A failure was final. It is kept as a dead letter until it is redriven or "
		"its retention is over.",
	[SB_STEP_CANCELLED] = "The host wanted it no more.",
	[SB_STEP_QUARANTINED] =
		"Its attempts ended their processes, or lost their leases, too often. "
		"It is kept with the evidence.",
};

static const char *const event_texts[SB_STEP_EVENT_COUNT] = {
	[SB_STEP_ENQUEUE] = "A host enqueues it: at once, for later, or as a part of a task.",
	[SB_STEP_RELEASE] = "What it waited for has come: a time, the steps it depends on, or a "
			    "place under its limit.",
	[SB_STEP_PARK] = "A worker finds that it cannot run here and now.",
	[SB_STEP_CLAIM] =
		"A worker takes it, under a new token. The attempt is charged now, so that "
		"one that ends its process counts too.",
	[SB_STEP_GIVE_BACK] = "A worker puts it back, because it stops, was asked to snooze, or "
			      "has said how far it came; the attempt is not charged.",
	[SB_STEP_SUCCEED] = "An attempt succeeded, and its result is stored with this move.",
	[SB_STEP_RETRY] =
		"An attempt failed or lost its lease, and the retry policy grants another.",
	[SB_STEP_FAIL] =
		"An attempt failed and none follows, nobody serves its handler, or its time "
		"is over.",
	[SB_STEP_CANCEL] = "The host cancels it; an attempt that runs is told, and what it says "
			   "afterwards is stale.",
	[SB_STEP_QUARANTINE] = "An attempt was lost, once too often.",
	[SB_STEP_REDRIVE] = "The host wants it again: it begins anew, with all its attempts.",
};

/* State 0 is where a step comes from when it is enqueued. */
static const char *name_of(int state)
{
	return state == 0 ? "new" : sb_step_state_name(state);
}

static int can_move(int event, int from, int to)
{
	return sb_step_can_move((sb_step_event)event, (sb_step_state)from, (sb_step_state)to);
}

static int is_open(int state)
{
	return state >= SB_STEP_STATE_MIN && !sb_step_state_is_final((sb_step_state)state);
}

/* Whether an event leads from every open state to one: that is drawn as one arrow. */
static int is_from_all_open(int event, int to)
{
	for (int from = SB_STEP_STATE_MIN; from <= SB_STEP_STATE_MAX; from++)
		if (is_open(from) && !can_move(event, from, to))
			return 0;
	return 1;
}

/* One arrow for all events that lead from one state to another. */
static void print_arrow(int from, int to)
{
	const char *separator = "";

	for (int event = 0; event < SB_STEP_EVENT_COUNT; event++) {
		if (!can_move(event, from, to) || (is_open(from) && is_from_all_open(event, to)))
			continue;
		if (*separator == '\0')
			printf("    %s -->|", name_of(from));
		printf("%s%s", separator, sb_step_event_name((sb_step_event)event));
		separator = ", ";
	}
	if (*separator != '\0')
		printf("| %s\n", name_of(to));
}

static void print_diagram(void)
{
	puts("```mermaid\nflowchart TD\n    new(( ))\n    subgraph open");
	for (int state = SB_STEP_STATE_MIN; state <= SB_STEP_STATE_MAX; state++)
		if (is_open(state))
			printf("        %s\n", name_of(state));
	puts("    end");
	for (int from = 0; from < STATE_COUNT; from++)
		for (int to = SB_STEP_STATE_MIN; to < STATE_COUNT; to++)
			print_arrow(from, to);
	for (int event = 0; event < SB_STEP_EVENT_COUNT; event++)
		for (int to = SB_STEP_STATE_MIN; to < STATE_COUNT; to++)
			if (is_from_all_open(event, to))
				printf("    open -->|%s| %s\n",
				       sb_step_event_name((sb_step_event)event), name_of(to));
	puts("```\n");
}

static void print_states(void)
{
	puts("| number | state | final | |\n|---|---|---|---|");
	for (int state = SB_STEP_STATE_MIN; state <= SB_STEP_STATE_MAX; state++)
		printf("| %d | `%s` | %s | %s |\n", state, name_of(state),
		       is_open(state) ? "" : "yes", state_texts[state]);
	puts("");
}

/* Writes "waiting → scheduled, ready"; returns what goes in front of the next such. */
static const char *print_moves(int event, int from, const char *separator)
{
	const char *joint = NULL;

	for (int to = SB_STEP_STATE_MIN; to < STATE_COUNT; to++) {
		if (!can_move(event, from, to) || (is_open(from) && is_from_all_open(event, to)))
			continue;
		if (joint == NULL)
			printf("%s%s → ", separator, name_of(from));
		printf("%s%s", joint == NULL ? "" : joint, name_of(to));
		joint = ", ";
	}
	return joint == NULL ? separator : "<br>";
}

static void print_event(int event)
{
	const char *separator = "";

	printf("| %s | ", sb_step_event_name((sb_step_event)event));
	for (int to = SB_STEP_STATE_MIN; to < STATE_COUNT; to++)
		if (is_from_all_open(event, to)) {
			printf("%sany open state → %s", separator, name_of(to));
			separator = "<br>";
		}
	for (int from = 0; from < STATE_COUNT; from++)
		separator = print_moves(event, from, separator);
	printf(" | %s |\n", event_texts[event]);
}

/* What has been forgotten above would print as "(null)". */
static int is_complete(void)
{
	for (int state = SB_STEP_STATE_MIN; state <= SB_STEP_STATE_MAX; state++)
		if (state_texts[state] == NULL)
			return 0;
	for (int event = 0; event < SB_STEP_EVENT_COUNT; event++)
		if (event_texts[event] == NULL)
			return 0;
	return 1;
}

int main(void)
{
	if (!is_complete()) {
		fputs("states: write a sentence for the new state or event in tools/states.c\n",
		      stderr);
		return 1;
	}
	puts("<!-- SPDX-License-Identifier: MIT -->\n"
	     "<!-- Made by `make states` from src/store/step_state.c; edit tools/states.c. -->\n"
	     "# The states of a step\n\n"
	     "A step is in one of these states. It changes only through the moves below, each of "
	     "which is held\nagainst the table in `src/store/step_state.c`, and written under the "
	     "condition that the step still is\nwhere it was, with the same token: of two that "
	     "want to move it, one does.\n");
	print_diagram();
	puts("## States\n\nThe numbers stand in databases and never change. Nothing but a redrive "
	     "leaves a final state.\n");
	print_states();
	puts("## Moves\n\n| event | moves | |\n|---|---|---|");
	for (int event = 0; event < SB_STEP_EVENT_COUNT; event++)
		print_event(event);
	return 0;
}
