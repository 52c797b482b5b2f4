/* SPDX-License-Identifier: MIT */
/* What became of each attempt: Q4, Q5, Q15, Q20, parts of Q2, and checkpoints. */
#include "include/stepbus.h"
#include "torture/history/judge.h"

/* Zero: it ended in a way that leaves no row of its own. */
static bool leaves_row(int64_t outcome)
{
	return outcome == STEPBUS_OUTCOME_FAILURE || outcome == STEPBUS_OUTCOME_SNOOZE;
}

static void judge_successes(const life *l)
{
	verdict *v = l->verdict;
	size_t successes = 0;

	for (size_t i = 0; i < l->turn_count; i++) {
		const turn *t = &l->turns[i];

		successes += turn_is_accepted(t, STEPBUS_OUTCOME_SUCCESS);
		v->looked[RULE_Q4_ONE_COMPLETION] += t->sent != NULL;
		if (t->sent_count > 1)
			violate(v, RULE_Q4_ONE_COMPLETION,
				"attempt %ld of step %ld was completed %zu times", t->token, l->id,
				t->sent_count);
		if (t->start_count > 1)
			violate(v, RULE_Q6_TOKENS_GROW, "token %ld of step %ld was given %zu times",
				t->token, l->id, t->start_count);
	}
	if (successes > 1)
		violate(v, RULE_Q4_ONE_COMPLETION, "step %ld was completed by %zu attempts", l->id,
			successes);
}

/* The result that is kept is that of the attempt which completed the step. */
static void judge_result(const life *l)
{
	const step_row *row = l->row;
	verdict *v = l->verdict;
	const turn *t;

	if (row == NULL || row->state != STATE_COMPLETED)
		return;
	v->looked[RULE_Q4_ONE_COMPLETION]++;
	t = life_turn(l, row->token);
	if (t == NULL || t->end == NULL)
		violate(v, RULE_Q4_ONE_COMPLETION,
			"step %ld was completed by an attempt, %ld, that did not end", l->id,
			row->token);
	if ((row->result_token >= 0 && row->result_token != row->token) ||
	    (row->result_nonce >= 0 && row->result_nonce != row->nonce) ||
	    (row->result_token < 0 && (t == NULL || t->sent == NULL || t->sent->d == 0)))
		violate(v, RULE_Q4_ONE_COMPLETION,
			"step %ld was completed by %ld, but has the result of %ld", l->id,
			row->token, row->result_token);
	if (t != NULL && t->sent != NULL && t->sent->d != 0 && row->result_digest != 0 &&
	    t->sent->d != row->result_digest)
		violate(v, RULE_Q4_ONE_COMPLETION,
			"the result of step %ld is not the one that was accepted", l->id);
}

static bool is_kept(const life *l, const turn *t, int64_t outcome)
{
	switch (outcome) {
	case STEPBUS_OUTCOME_SUCCESS:
		return l->row->state == STATE_COMPLETED && l->row->token == t->token;
	case STEPBUS_OUTCOME_FAILURE:
		return t->outcome == ROW_FAILURE || t->outcome == ROW_TIMED_OUT ||
		       t->outcome == ROW_ABANDONED;
	case STEPBUS_OUTCOME_SNOOZE:
		return t->outcome == ROW_SNOOZED;
	default:
		return l->row->token >= t->token;
	}
}

static void judge_durability(const life *l, const turn *t)
{
	verdict *v = l->verdict;
	int64_t outcome = t->sent != NULL ? t->sent->c : t->answered_outcome;

	if (l->row == NULL || (t->sent == NULL && t->answer == NULL))
		return;
	v->looked[RULE_Q5_ACCEPTED_IS_DURABLE]++;
	if (!is_kept(l, t, outcome))
		violate(v, RULE_Q5_ACCEPTED_IS_DURABLE,
			"attempt %ld of step %ld was accepted with outcome %ld, and is not in the "
			"store",
			t->token, l->id, outcome);
}

/* What has an outcome of its own was begun. */
static void judge_invention(const life *l, const turn *t)
{
	if (t->start != NULL || (t->outcome != ROW_SUCCESS && t->outcome != ROW_FAILURE &&
				 t->outcome != ROW_SNOOZED && t->outcome != ROW_STRANGE))
		return;
	violate(l->verdict, RULE_Q2_NOTHING_IS_INVENTED,
		"attempt %ld of step %ld has outcome '%.*s', and was never started", t->token,
		l->id, (int)sizeof t->row->outcome, t->row->outcome);
}

/* A start has an end, or its process was killed, or it was told that it lost or was cancelled. */
static void judge_ending(const life *l, const turn *t)
{
	const checker *j = l->judge;
	const event *events = j->history->events;
	uint32_t at = j->next_of[t->start - events];

	if (t->end != NULL || t->given != NULL || t->sent != NULL ||
	    (t->outcome != ROW_NONE && t->outcome != ROW_SUCCESS))
		return;
	while (at != 0 && events[at - 1].kind == LOG_STARTED)
		at = j->next_of[at - 1];
	if (at == 0)
		violate(l->verdict, RULE_Q15_ALL_IS_ON_RECORD,
			"attempt %ld of step %ld began, and has neither ended nor lost its process",
			t->token, l->id);
}

/* What began has a row, but a success, what was put off, and what was cut off before it counted. */
static void judge_record(const life *l, const turn *t)
{
	bool is_last = l->row != NULL && t->token == l->row->token;
	bool is_put_off = t->given != NULL || (t->end_last != NULL && !leaves_row(t->end_last->c) &&
					       t->end_last->c != STEPBUS_OUTCOME_SUCCESS);

	if (t->start == NULL || !l->judge->is_over)
		return;
	l->verdict->looked[RULE_Q15_ALL_IS_ON_RECORD]++;
	judge_ending(l, t);
	if (l->row == NULL || l->judge->has_booted || t->outcome != ROW_NONE || is_put_off ||
	    life_is_given_back(l, t))
		return;
	if (is_last && l->row->state == STATE_COMPLETED)
		return;
	violate(l->verdict, RULE_Q15_ALL_IS_ON_RECORD, "attempt %ld of step %ld left no record",
		t->token, l->id);
}

static void judge_bytes(const life *l, const turn *t)
{
	verdict *v = l->verdict;

	if (t->start == NULL || l->row == NULL)
		return;
	v->looked[RULE_Q20_NO_BYTES_CHANGE]++;
	if (t->start->c != l->row->nonce)
		violate(v, RULE_Q20_NO_BYTES_CHANGE,
			"step %ld was started with the input %ld instead of %ld", l->id,
			t->start->c, l->row->nonce);
	if (t->start->d != 0 && l->row->input_digest != 0 && t->start->d != l->row->input_digest)
		violate(v, RULE_Q20_NO_BYTES_CHANGE,
			"step %ld was started with other bytes than it has", l->id);
}

static int64_t items_of(const turn *t)
{
	return t->end_last != NULL ? t->end_last->d : 0;
}

/*
 * Whoever goes on does so from the last checkpoint that was accepted, or from a later one of which
 * nobody heard whether it was.
 */
static void judge_progress(const life *l)
{
	int64_t kept = 0;
	size_t first = 0;

	for (size_t i = 0; i < l->turn_count; i++) {
		const turn *t = &l->turns[i];
		bool is_right;

		if (t->resumed != NULL) {
			l->verdict->looked[RULE_PROGRESS_IS_KEPT]++;
			is_right = t->resumed->c == kept;
			for (size_t k = first; !is_right && k < i; k++)
				is_right = l->turns[k].end_last != NULL &&
					   l->turns[k].end_last->c == STEPBUS_OUTCOME_CHECKPOINT &&
					   items_of(&l->turns[k]) == t->resumed->c;
			if (!is_right)
				violate(l->verdict, RULE_PROGRESS_IS_KEPT,
					"attempt %ld of step %ld went on at %ld instead of %ld",
					t->token, l->id, t->resumed->c, kept);
			/* What it has seen is there. */
			kept = t->resumed->c;
			first = i;
		}
		if (turn_is_accepted(t, STEPBUS_OUTCOME_CHECKPOINT) ||
		    (t->given != NULL && t->given->c == BEAT_CHECKPOINT)) {
			kept = items_of(t);
			first = i;
		}
	}
}

/* What is kept is what was given. */
static void judge_input(const life *l)
{
	uint32_t at = l->row != NULL ? numbers_find(&l->judge->given, l->row->nonce) : 0;
	const event *given = at != 0 ? &l->judge->history->events[at - 1] : NULL;

	if (given == NULL || given->b == 0 || l->row->input_digest == 0)
		return;
	l->verdict->looked[RULE_Q20_NO_BYTES_CHANGE]++;
	if (given->b != l->row->input_digest)
		violate(l->verdict, RULE_Q20_NO_BYTES_CHANGE,
			"step %ld has another input than it was enqueued with", l->id);
}

void rules_of_attempts(const life *l)
{
	judge_successes(l);
	judge_result(l);
	judge_progress(l);
	judge_input(l);
	for (size_t i = 0; i < l->turn_count; i++) {
		const turn *t = &l->turns[i];

		if (l->judge->history->has_rows)
			judge_invention(l, t);
		judge_durability(l, t);
		judge_record(l, t);
		judge_bytes(l, t);
	}
}
