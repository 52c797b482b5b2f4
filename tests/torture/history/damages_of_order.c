/* SPDX-License-Identifier: MIT */
/* Damages to what comes after what: Q6, Q7, Q9, Q11 to Q13. */
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/damage.h"
#include "torture/history/damage_search.h"

enum { STRANGER = 1 << 30 };

static bool give_a_token_twice(history *h)
{
	const event *e = search_event(h, NULL, LOG_STARTED, 0);

	if (e != NULL)
		(void)damage_append(h, *e);
	return e != NULL;
}

/* By a process that was not there when the higher one was given. */
static bool lower_a_token(history *h)
{
	const event *e = search_event(h, NULL, LOG_STARTED, 0);
	event *lower;

	if (e == NULL)
		return false;
	lower = damage_append(h, *e);
	lower->b--;
	lower->process = STRANGER;
	return true;
}

static bool forget_a_token(history *h)
{
	step_row *row = search_state(h, STATE_COMPLETED, "");

	if (row != NULL)
		row->token--;
	return row != NULL;
}

static bool claim_with_less(history *h)
{
	const event *e = search_event(h, NULL, LOG_CLAIMED, 0);

	if (e != NULL)
		damage_append(h, *e)->b--;
	return e != NULL;
}

/* What a lost attempt might do when another one has begun. */
static bool append_of_lost(history *h, char kind, int64_t c, int64_t d)
{
	trace t;
	event e;

	if (!search_lost(h, &t, false))
		return false;
	e = *t.start;
	e.kind = kind;
	e.c = c;
	e.d = d;
	(void)damage_append(h, e);
	return true;
}

static bool accept_a_stale_one(history *h)
{
	return append_of_lost(h, LOG_ENDED, STEPBUS_OUTCOME_FAILURE, 0) &&
	       damage_append(h, h->events[h->event_count - 1])->c == STEPBUS_OUTCOME_FAILURE &&
	       (h->events[h->event_count - 1].kind = LOG_COMPLETED) != 0;
}

static bool answer_a_stale_one(history *h)
{
	return append_of_lost(h, LOG_ENDED, STEPBUS_OUTCOME_FAILURE, 0) &&
	       damage_append(h, h->events[h->event_count - 1])->c == STEPBUS_OUTCOME_FAILURE &&
	       (h->events[h->event_count - 1].kind = LOG_ANSWERED) != 0 &&
	       (h->events[h->event_count - 1].c = STEPBUS_OK) == STEPBUS_OK;
}

static bool release_a_stale_one(history *h)
{
	return append_of_lost(h, LOG_BEAT, BEAT_RELEASE, 0);
}

static bool keep_a_stale_checkpoint(history *h)
{
	return append_of_lost(h, LOG_BEAT, BEAT_CHECKPOINT, INT64_MAX);
}

static bool renew_a_stale_lease(history *h)
{
	return append_of_lost(h, LOG_BEAT, BEAT_RENEWAL, INT64_MAX);
}

static bool confirm_a_stale_lease(history *h)
{
	return append_of_lost(h, LOG_BEAT, BEAT_HEARTBEAT, INT64_MAX);
}

/* It had been refused before: another attempt began, and then it was called again. */
static bool answer_again_too_late(history *h)
{
	for (event *e = h->events; e < h->events + h->event_count; e++) {
		trace t;

		if (e->kind != LOG_ANSWERED || e->c != STEPBUS_OK || e->d == 0)
			continue;
		t = search_trace(h, e->a, e->b);
		if (t.end == NULL || t.end->c != STEPBUS_OUTCOME_FAILURE || t.next_start == NULL)
			continue;
		e->d = INT64_MAX;
		return true;
	}
	return false;
}

/* The victim goes on as if nothing were. */
static bool take_from_the_living(history *h)
{
	int32_t process;
	event start;
	trace t;

	if (!search_lost(h, &t, false))
		return false;
	process = t.start->process;
	start = *t.start;
	for (event *e = t.start; e < h->events + h->event_count; e++)
		if (e->process == process && (e->kind == LOG_KILLED || e->kind == LOG_LOST))
			e->kind = LOG_READY;
	for (int i = 0; i <= h->limits.late_start_max; i++) {
		start.b--;
		(void)damage_append(h, start);
	}
	return true;
}

static bool claim_before_the_end(history *h)
{
	trace t;

	if (!search_lost(h, &t, true))
		return false;
	t.claim->c = t.next_claim->time_us + 1;
	return true;
}

static bool run_before_its_time(history *h)
{
	for (event *e = h->events; e < h->events + h->event_count; e++) {
		const event *known;

		if (e->kind != LOG_INVOKED || e->c <= 0)
			continue;
		known = search_event(h, e, LOG_ENQUEUED, 0);
		while (known != NULL && (known->a != e->a || known->d != 0))
			known = search_event(h, known, LOG_ENQUEUED, 0);
		if (known == NULL || !search_has(h, known->c, "S"))
			continue;
		e->c += INT64_C(1000000000);
		return true;
	}
	return false;
}

/* A cancel that was accepted, of a step that nobody redrove. */
static event *a_cancel(const history *h)
{
	for (event *e = h->events; e < h->events + h->event_count; e++)
		if (e->kind == LOG_CANCELLED && e->b == STEPBUS_OK &&
		    history_step(h, e->a) != NULL && !search_has(h, e->a, "r"))
			return e;
	return NULL;
}

static bool complete_after_a_cancel(history *h)
{
	const event *cancel = a_cancel(h);
	event e;

	if (cancel == NULL)
		return false;
	e = (event){ .time_us = cancel->time_us, .process = STRANGER, .a = cancel->a };
	e.kind = LOG_ENDED;
	e.b = history_step(h, e.a)->token + 1;
	e.c = STEPBUS_OUTCOME_FAILURE;
	(void)damage_append(h, e);
	e.kind = LOG_COMPLETED;
	(void)damage_append(h, e);
	return true;
}

/* Before it, but it answered that it had cancelled. */
static bool complete_before_a_cancel(history *h)
{
	event *cancel = a_cancel(h);
	event e;

	if (cancel == NULL)
		return false;
	e = *cancel;
	cancel->kind = LOG_ENDED;
	cancel->b = history_step(h, e.a)->token + 1;
	cancel->c = STEPBUS_OUTCOME_SUCCESS;
	damage_append(h, *cancel)->kind = LOG_COMPLETED;
	(void)damage_append(h, e);
	return true;
}

static bool claim_after_a_cancel(history *h)
{
	const event *cancel = a_cancel(h);

	if (cancel != NULL)
		(void)damage_append(h, (event){ .kind = LOG_CLAIMED,
						.time_us = cancel->time_us,
						.a = cancel->a,
						.b = history_step(h, cancel->a)->token + 1 });
	return cancel != NULL;
}

static bool forget_a_cancel(history *h)
{
	const event *cancel = a_cancel(h);

	if (cancel != NULL)
		history_step(h, cancel->a)->state = STATE_READY;
	return cancel != NULL;
}

static bool cancel_by_nobody(history *h)
{
	step_row *row = search_state(h, STATE_COMPLETED, "c");

	if (row != NULL)
		row->state = STATE_CANCELLED;
	return row != NULL;
}

static bool run_after_the_end(history *h)
{
	const event *e = search_event(h, NULL, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);
	event *more;

	if (e == NULL)
		return false;
	more = damage_append(h, *e);
	more->kind = LOG_STARTED;
	more->b++;
	return true;
}

static bool run_after_the_last_failure(history *h)
{
	for (size_t i = 0; i < h->attempt_count; i++) {
		const attempt_row *a = &h->attempts[i];

		if (strcmp(a->outcome, "failure") != 0 || a->is_retryable != 0 ||
		    search_has(h, a->step_id, "r") || !search_has(h, a->step_id, "S"))
			continue;
		(void)damage_append(h, (event){ .kind = LOG_STARTED,
						.process = STRANGER,
						.a = a->step_id,
						.b = a->token + 1 });
		return true;
	}
	return false;
}

static bool redrive_what_is_done(history *h)
{
	const event *e = search_event(h, NULL, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);
	event more;

	if (e == NULL)
		return false;
	more = (event){ .kind = LOG_REDRIVING, .process = STRANGER, .a = e->a };
	(void)damage_append(h, more);
	more.kind = LOG_REDRIVEN;
	more.b = STEPBUS_OK;
	(void)damage_append(h, more);
	return true;
}

const damage damages_of_order[] = {
	{ "a token is given twice", RULE_Q6_TOKENS_GROW, give_a_token_twice },
	{ "a token is lower than the last", RULE_Q6_TOKENS_GROW, lower_a_token },
	{ "the last token is forgotten", RULE_Q6_TOKENS_GROW, forget_a_token },
	{ "a claim has a lower token", RULE_Q6_TOKENS_GROW, claim_with_less },
	{ "a stale completion is accepted", RULE_Q7_STALE_IS_REFUSED, accept_a_stale_one },
	{ "a stale completion is answered with OK", RULE_Q7_STALE_IS_REFUSED, answer_a_stale_one },
	{ "a stale release is accepted", RULE_Q7_STALE_IS_REFUSED, release_a_stale_one },
	{ "a stale checkpoint is accepted", RULE_Q7_STALE_IS_REFUSED, keep_a_stale_checkpoint },
	{ "an attempt is answered again too late", RULE_Q7_STALE_IS_REFUSED,
	  answer_again_too_late },
	{ "a stale lease is renewed", RULE_Q7_STALE_IS_REFUSED, renew_a_stale_lease },
	{ "a stale heartbeat is accepted", RULE_Q7_STALE_IS_REFUSED, confirm_a_stale_lease },
	{ "a step is taken from a live worker", RULE_Q9_NO_THEFT, take_from_the_living },
	{ "a step is claimed before its lease is over", RULE_Q9_NO_THEFT, claim_before_the_end },
	{ "a step runs before its time", RULE_Q11_NOT_BEFORE_ITS_TIME, run_before_its_time },
	{ "a cancelled step is completed", RULE_Q12_CANCELLED_IS_OVER, complete_after_a_cancel },
	{ "a completed step is cancelled", RULE_Q12_CANCELLED_IS_OVER, complete_before_a_cancel },
	{ "a cancelled step is claimed", RULE_Q12_CANCELLED_IS_OVER, claim_after_a_cancel },
	{ "a cancel is forgotten", RULE_Q12_CANCELLED_IS_OVER, forget_a_cancel },
	{ "a step is cancelled by nobody", RULE_Q12_CANCELLED_IS_OVER, cancel_by_nobody },
	{ "a completed step runs again", RULE_Q13_FINAL_IS_FINAL, run_after_the_end },
	{ "a step that failed for good runs again", RULE_Q13_FINAL_IS_FINAL,
	  run_after_the_last_failure },
	{ "a completed step is redriven", RULE_Q13_FINAL_IS_FINAL, redrive_what_is_done },
	{ NULL, RULE_COUNT, NULL },
};
