/* SPDX-License-Identifier: MIT */
/* What comes after what: Q6, Q7, Q9, Q11 to Q13. */
#include "include/stepbus.h"
#include "torture/history/judge.h"

static bool is_done_by(const life *l, const turn *t)
{
	return turn_is_accepted(t, 0) ||
	       (l->row != NULL && l->row->state == STATE_COMPLETED && l->row->token == t->token);
}

static bool is_success(const life *l, const turn *t)
{
	return turn_is_accepted(t, STEPBUS_OUTCOME_SUCCESS) ||
	       (l->row != NULL && l->row->state == STATE_COMPLETED && l->row->token == t->token);
}

/* Claims are noted in the order in which they are made, where they are noted at all. */
static void judge_claims(const life *l)
{
	int64_t last = 0;

	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind != LOG_CLAIMED)
			continue;
		if (e->b <= last)
			violate(l->verdict, RULE_Q6_TOKENS_GROW,
				"step %ld was claimed with token %ld after %ld", l->id, e->b, last);
		last = e->b;
	}
}

/*
 * A process that stalls between its claim and its handler's first line may begin late, when others
 * have begun. Not where it was not there yet, or where what it did counted.
 */
static void judge_lateness(const life *l, const turn *t)
{
	const event *events = l->judge->history->events;
	const process_entry *process;
	bool is_legal;

	if (!t->is_late)
		return;
	process = judge_process(l->judge, t->start->process);
	is_legal = process->first != 0 && &events[process->first - 1] < t->later &&
		   !is_done_by(l, t) && t->outcome != ROW_SUCCESS && t->outcome != ROW_FAILURE &&
		   t->outcome != ROW_SNOOZED;
	if (!is_legal)
		violate(l->verdict, RULE_Q6_TOKENS_GROW,
			"step %ld was started with token %ld after %ld", l->id, t->token,
			t->later->b);
}

static void judge_token(const life *l, const turn *t)
{
	verdict *v = l->verdict;

	v->looked[RULE_Q6_TOKENS_GROW]++;
	judge_lateness(l, t);
	if (l->row != NULL && t->token > l->row->token)
		violate(v, RULE_Q6_TOKENS_GROW,
			"step %ld has had token %ld, and its last one is said to be %ld", l->id,
			t->token, l->row->token);
}

/* The engine ended it, by a time limit or because its worker went away: what it says is ignored. */
static bool is_ended_for_it(const turn *t)
{
	return t->outcome == ROW_TIMED_OUT || t->outcome == ROW_ABANDONED ||
	       (t->sent != NULL && t->end != NULL && t->sent < t->end);
}

/* Handed in when a later attempt had begun: what was refused before may be called in time, and again. */
static bool is_late(const turn *t)
{
	return (t->end != NULL && t->end > t->later) ||
	       (t->answer != NULL && t->answer->d > t->later->time_us);
}

static void judge_fencing(const life *l, const turn *t)
{
	verdict *v = l->verdict;
	bool is_stale;

	if (t->later == NULL)
		return;
	v->looked[RULE_Q7_STALE_IS_REFUSED]++;
	if (is_late(t) && is_done_by(l, t) && !is_ended_for_it(t))
		violate(v, RULE_Q7_STALE_IS_REFUSED,
			"attempt %ld of step %ld ended after %ld began, and was accepted", t->token,
			l->id, t->later->b);
	if (t->given == NULL)
		return;
	is_stale = t->given->d > 0 ? t->given->d > t->later->time_us : t->given > t->later;
	if (is_stale)
		violate(v, RULE_Q7_STALE_IS_REFUSED,
			"attempt %ld of step %ld gave the step back after %ld began", t->token,
			l->id, t->later->b);
}

/*
 * A lease that is lost is one that others may have seen end: nothing renews it, and who asks whether
 * to go on is not told so. Of a cancel, or of an answer that another process gave, a process hears
 * later: a heartbeat may not know of them.
 */
static void judge_renewals(const life *l)
{
	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];
		bool is_stale;
		const turn *t;

		if (e->kind != LOG_BEAT || (e->c != BEAT_RENEWAL && e->c != BEAT_HEARTBEAT))
			continue;
		t = life_turn(l, e->b);
		l->verdict->looked[RULE_Q7_STALE_IS_REFUSED]++;
		if (t->later == NULL || (e->c == BEAT_HEARTBEAT && t->outcome != ROW_LOST))
			continue;
		is_stale = e->c == BEAT_HEARTBEAT && e->d > 0 ? e->d > t->later->time_us :
								t->later < e;
		if (is_stale)
			violate(l->verdict, RULE_Q7_STALE_IS_REFUSED,
				"the lease of attempt %ld of step %ld was confirmed after %ld "
				"began",
				e->b, l->id, t->later->b);
	}
}

/* Whether it ended by itself, or was ended by an operator, before another one began. */
static bool is_over_before_later(const life *l, const turn *t)
{
	const cancelling *cancel;

	/* What was accepted may be noted late: whether it was stale is another question. */
	if ((t->end != NULL && t->end < t->later) || t->given != NULL || turn_is_accepted(t, 0))
		return true;
	if (t->outcome != ROW_NONE && t->outcome != ROW_LOST)
		return true;
	cancel = life_cancel_before(l, t->later);
	return (cancel != NULL && cancel->answer > t->start) ||
	       life_is_redriven(l, t->start, t->later);
}

static void judge_theft(const life *l, const turn *t)
{
	verdict *v = l->verdict;
	size_t max = (size_t)l->judge->history->limits.late_start_max;

	if (t->start == NULL || t->later == NULL || is_over_before_later(l, t))
		return;
	v->looked[RULE_Q9_NO_THEFT]++;
	if (t->start > t->later)
		return;
	if (t->lease_until_us > 0 && t->later->kind == LOG_CLAIMED &&
	    t->later->time_us < t->lease_until_us)
		violate(v, RULE_Q9_NO_THEFT,
			"step %ld was claimed %ld us before the lease of attempt %ld was over",
			l->id, t->lease_until_us - t->later->time_us, t->token);
	if (judge_acts(l->judge, t->start, t->later, max + 1) > max)
		violate(v, RULE_Q9_NO_THEFT,
			"step %ld was taken from process %d, which lives and was not told", l->id,
			t->start->process);
}

static bool has_jumped(checker *j, const event *e)
{
	uint32_t at = (uint32_t)(e - j->history->events) + 1;
	uint32_t own = judge_process(j, e->process)->jumped;

	return (j->jumped != 0 && j->jumped < at) || (own != 0 && own < at);
}

static void judge_time(const life *l)
{
	int64_t bound_us = l->judge->history->limits.clock_bound_us;
	const event *first = NULL;

	if (l->invoked == NULL || l->invoked->c <= 0)
		return;
	for (size_t i = 0; i < l->event_count && first == NULL; i++)
		if (l->events[i]->kind == LOG_STARTED || l->events[i]->kind == LOG_CLAIMED)
			first = l->events[i];
	/* One that is redriven begins at once. */
	if (first == NULL || has_jumped(l->judge, first) || life_is_redriven(l, l->invoked, first))
		return;
	l->verdict->looked[RULE_Q11_NOT_BEFORE_ITS_TIME]++;
	if (first->time_us < l->invoked->c - bound_us)
		violate(l->verdict, RULE_Q11_NOT_BEFORE_ITS_TIME,
			"step %ld was started %ld us before its time", l->id,
			l->invoked->c - first->time_us);
}

/* After a cancel that was acknowledged nothing is claimed, and nothing accepted. */
static void judge_after_cancel(const life *l, const turn *t)
{
	const event *done = t->end != NULL ? t->end : t->given;
	const cancelling *cancel;

	if (done != NULL && (is_done_by(l, t) || t->given != NULL) && !is_ended_for_it(t)) {
		cancel = life_cancel_before(l, done);
		if (cancel != NULL && !life_is_redriven(l, cancel->call, done))
			violate(l->verdict, RULE_Q12_CANCELLED_IS_OVER,
				"attempt %ld of step %ld ended after its cancel, and was accepted",
				t->token, l->id);
	}
	if (t->claim == NULL)
		return;
	cancel = life_cancel_before(l, t->claim);
	if (cancel != NULL && !life_is_redriven(l, cancel->call, t->claim))
		violate(l->verdict, RULE_Q12_CANCELLED_IS_OVER,
			"step %ld was claimed with %ld after its cancel", l->id, t->token);
}

static void judge_cancels(const life *l)
{
	const history *h = l->judge->history;
	const event *end = h->events + l->judge->event_count;
	verdict *v = l->verdict;
	bool is_last;

	v->looked[RULE_Q12_CANCELLED_IS_OVER] += l->cancel_count;
	if (l->cancel_count == 0)
		return;
	for (size_t i = 0; i < l->turn_count; i++)
		judge_after_cancel(l, &l->turns[i]);
	is_last = !life_is_redriven(l, l->cancels[l->cancel_count - 1].call, end);
	for (size_t i = 0; is_last && i < l->turn_count; i++)
		if (is_success(l, &l->turns[i]))
			violate(v, RULE_Q12_CANCELLED_IS_OVER,
				"step %ld was cancelled, and completed by %ld", l->id,
				l->turns[i].token);
	if (is_last && l->row != NULL && l->row->state != STATE_CANCELLED)
		violate(v, RULE_Q12_CANCELLED_IS_OVER, "step %ld was cancelled, and is %c", l->id,
			l->row->state);
}

/* Nobody is cancelled but by a call, of which it may be unknown what came of it. */
static void judge_cancelled_row(const life *l)
{
	if (l->row == NULL || l->row->state != STATE_CANCELLED)
		return;
	for (size_t i = 0; i < l->event_count; i++)
		if (l->events[i]->kind == LOG_CANCELLING)
			return;
	violate(l->verdict, RULE_Q12_CANCELLED_IS_OVER,
		"step %ld is cancelled, and nobody cancelled it", l->id);
}

static void judge_finality(const life *l)
{
	verdict *v = l->verdict;
	const turn *success = NULL, *final = NULL;

	for (size_t i = 0; i < l->turn_count; i++) {
		const turn *t = &l->turns[i];

		if (success != NULL && t->start != NULL)
			violate(v, RULE_Q13_FINAL_IS_FINAL,
				"step %ld was started with %ld, and %ld had completed it", l->id,
				t->token, success->token);
		if (final != NULL && t->start != NULL &&
		    !life_is_redriven(l, final->start != NULL ? final->start : l->events[0],
				      t->start))
			violate(v, RULE_Q13_FINAL_IS_FINAL,
				"step %ld was started with %ld, and %ld had failed for good", l->id,
				t->token, final->token);
		if (is_success(l, t))
			success = t;
		if (t->outcome == ROW_FAILURE && t->row->is_retryable == 0)
			final = t;
		else if (t->start != NULL)
			final = NULL;
		v->looked[RULE_Q13_FINAL_IS_FINAL] += success == t || final == t;
	}
	if (success == NULL)
		return;
	for (size_t i = 0; i < l->redrive_count; i++) {
		const event *told = success->sent != NULL ? success->sent : success->answer;
		const redriving *r = &l->redrives[i];

		if (told != NULL && told < r->call && r->answer != NULL &&
		    r->answer->b == STEPBUS_OK)
			violate(v, RULE_Q13_FINAL_IS_FINAL,
				"step %ld was redriven after it was completed", l->id);
	}
}

void rules_of_order(const life *l)
{
	judge_claims(l);
	for (size_t i = 0; i < l->turn_count; i++) {
		judge_token(l, &l->turns[i]);
		judge_fencing(l, &l->turns[i]);
		judge_theft(l, &l->turns[i]);
	}
	judge_renewals(l);
	judge_time(l);
	judge_cancels(l);
	judge_cancelled_row(l);
	judge_finality(l);
}
