/* SPDX-License-Identifier: MIT */
/* What must be there once, and how often it was tried: Q1 to Q3, Q8, Q14, Q19, crashes, blame. */
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/judge.h"

static bool is_final(char state)
{
	return state == STATE_COMPLETED || state == STATE_FAILED || state == STATE_CANCELLED ||
	       state == STATE_QUARANTINED;
}

/* Of one number for each step: whose it is; another step's where it was given before. */
static int64_t claim_for(const life *l, numbers *n, int64_t number)
{
	const checker *j = l->judge;
	uint32_t own = (uint32_t)(l->entry - j->step_entries) + 1;

	return j->step_entries[numbers_claim(n, number, own) - 1].id;
}

static void judge_key(const life *l, int64_t key)
{
	int64_t owner;

	if (key < 0)
		return;
	l->verdict->looked[RULE_Q3_ONE_STEP_OF_A_KEY]++;
	owner = claim_for(l, &l->judge->keys, key);
	if (owner != l->id)
		violate(l->verdict, RULE_Q3_ONE_STEP_OF_A_KEY, "key %ld has two steps, %ld and %ld",
			key, owner, l->id);
}

static void judge_acknowledgement(const life *l, const event *e, size_t *new_count)
{
	verdict *v = l->verdict;

	v->looked[RULE_Q1_NOTHING_IS_LOST]++;
	*new_count += e->d == 0;
	if (numbers_find(&l->judge->invoked, e->a) == 0)
		violate(v, RULE_Q2_NOTHING_IS_INVENTED,
			"step %ld was acknowledged for %ld, which nobody enqueued", l->id, e->a);
	if (e->d == 0 && *new_count > 1)
		violate(v, RULE_Q1_NOTHING_IS_LOST,
			"step %ld was acknowledged as new twice, the second time for %ld", l->id,
			e->a);
	judge_key(l, e->b);
	if (!l->judge->history->has_rows)
		return;
	if (l->row == NULL)
		violate(v, RULE_Q1_NOTHING_IS_LOST,
			"%ld was enqueued as step %ld, which the store does not have", e->a, l->id);
	else if ((e->d == 0 && l->row->nonce != e->a) || l->row->key != e->b)
		violate(v, RULE_Q1_NOTHING_IS_LOST,
			"%ld was enqueued as step %ld with key %ld, which has %ld and key %ld",
			e->a, l->id, e->b, l->row->nonce, l->row->key);
}

static void judge_look_at(const life *l, const event *e, bool is_acknowledged)
{
	verdict *v = l->verdict;

	v->looked[RULE_Q19_OWN_WRITES_ARE_READ]++;
	if (e->b == 0 && is_acknowledged)
		violate(v, RULE_Q19_OWN_WRITES_ARE_READ,
			"step %ld was acknowledged, and then not found", l->id);
	if (e->b != 0 && l->row == NULL && l->judge->history->has_rows)
		violate(v, RULE_Q19_OWN_WRITES_ARE_READ,
			"step %ld was found, and is not in the store", l->id);
}

static void judge_lines(const life *l)
{
	size_t new_count = 0;
	bool is_acknowledged = false;

	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind == LOG_ENQUEUED)
			judge_acknowledgement(l, e, &new_count);
		else if (e->kind == LOG_SEEN)
			judge_look_at(l, e, is_acknowledged);
		is_acknowledged = is_acknowledged || e->kind == LOG_ENQUEUED;
	}
}

static void judge_row(const life *l)
{
	verdict *v = l->verdict;
	int64_t owner;

	v->looked[RULE_Q2_NOTHING_IS_INVENTED]++;
	if (l->invoked == NULL) {
		violate(v, RULE_Q2_NOTHING_IS_INVENTED, "step %ld has %ld, which nobody enqueued",
			l->id, l->row->nonce);
		return;
	}
	if (l->row->key != l->invoked->b)
		violate(v, RULE_Q2_NOTHING_IS_INVENTED,
			"step %ld has key %ld, and was enqueued with %ld", l->id, l->row->key,
			l->invoked->b);
	owner = claim_for(l, &l->judge->nonces, l->row->nonce);
	if (owner != l->id)
		violate(v, RULE_Q2_NOTHING_IS_INVENTED,
			"%ld was enqueued once, and is there as steps %ld and %ld", l->row->nonce,
			owner, l->id);
	judge_key(l, l->row->key);
}

/* What a life has had of each kind of attempt. */
typedef struct tally {
	size_t turns;     /* different tokens */
	size_t starts;    /* of these that began */
	size_t put_off;   /* that are not charged, for sure */
	size_t uncharged; /* that may not have been charged */
	size_t lost;      /* ended their process, or were cut off */
	size_t unended;   /* of these, in the handler for sure */
	size_t unlogged;  /* before their first line */
} tally;

static bool is_uncharged(const life *l, const turn *t)
{
	return t->given != NULL || life_is_given_back(l, t) ||
	       (t->end != NULL &&
		(t->end->c == STEPBUS_OUTCOME_SNOOZE || t->end->c == STEPBUS_OUTCOME_CHECKPOINT ||
		 t->end->c == STEPBUS_OUTCOME_RELEASE));
}

static tally count(const life *l)
{
	tally n = { .turns = l->turn_count };

	for (size_t i = 0; i < l->turn_count; i++) {
		const turn *t = &l->turns[i];

		n.starts += t->start != NULL;
		n.put_off += t->outcome == ROW_SNOOZED || t->given != NULL ||
			     turn_is_accepted(t, STEPBUS_OUTCOME_CHECKPOINT) ||
			     turn_is_accepted(t, STEPBUS_OUTCOME_RELEASE);
		n.uncharged += t->start != NULL && is_uncharged(l, t);
		n.lost += t->outcome == ROW_LOST;
		n.unended += t->start != NULL && t->end == NULL && t->outcome == ROW_LOST;
		n.unlogged += t->start == NULL && t->outcome == ROW_LOST;
	}
	return n;
}

static size_t attempt_count_max(const life *l)
{
	return l->invoked != NULL && l->invoked->d > 0 ?
		       (size_t)l->invoked->d :
		       (size_t)l->judge->history->limits.attempt_count_max;
}

/* Each generation that may have been begins with all its attempts. */
static void judge_bounds(const life *l, const tally *n)
{
	verdict *v = l->verdict;
	size_t attempts_max = attempt_count_max(l);
	size_t crashes_max = (size_t)l->judge->history->limits.crash_count_max;
	size_t generations = 1 + l->redrive_count;

	v->looked[RULE_Q8_ATTEMPTS_ARE_BOUNDED] += n->starts;
	if (n->starts - n->uncharged > attempts_max * generations)
		violate(v, RULE_Q8_ATTEMPTS_ARE_BOUNDED,
			"step %ld was started %zu times, %zu of them not charged: %zu are allowed",
			l->id, n->starts, n->uncharged, attempts_max * generations);
	if (n->unended > crashes_max * generations)
		violate(v, RULE_Q8_ATTEMPTS_ARE_BOUNDED, "step %ld ended %zu processes", l->id,
			n->unended);
	if (l->row == NULL)
		return;
	if (l->row->attempt_count < 0 || (size_t)l->row->attempt_count > attempts_max)
		violate(v, RULE_Q8_ATTEMPTS_ARE_BOUNDED, "step %ld has %d attempts charged, of %zu",
			l->id, l->row->attempt_count, attempts_max);
	if (l->row->crash_count < 0 || (size_t)l->row->crash_count > crashes_max)
		violate(v, RULE_Q8_ATTEMPTS_ARE_BOUNDED, "step %ld has %d crashes counted, of %zu",
			l->id, l->row->crash_count, crashes_max);
	/* At most all that anybody has seen, where it is over. */
	if (is_final(l->row->state) && (size_t)l->row->attempt_count > n->turns - n->put_off)
		violate(v, RULE_Q8_ATTEMPTS_ARE_BOUNDED,
			"step %ld has %d attempts charged, and %zu were seen, %zu of them put off",
			l->id, l->row->attempt_count, n->turns, n->put_off);
	/* Charged is at least what has begun and was not put off, where nothing began anew. */
	if (generations == 1 && !l->judge->has_booted &&
	    (size_t)l->row->attempt_count < n->starts - n->uncharged)
		violate(v, RULE_Q8_ATTEMPTS_ARE_BOUNDED,
			"step %ld was started %zu times, %zu of them not charged, and has %d "
			"attempts",
			l->id, n->starts, n->uncharged, l->row->attempt_count);
}

static void judge_crashes(const life *l, const tally *n)
{
	verdict *v = l->verdict;
	size_t crashes_max = (size_t)l->judge->history->limits.crash_count_max;
	size_t generations = 1 + l->redrive_count;

	if (l->row == NULL || crashes_max == 0)
		return;
	if (l->row->state == STATE_QUARANTINED || n->unended > 0)
		v->looked[RULE_CRASHES_QUARANTINE]++;
	if (l->row->state == STATE_QUARANTINED &&
	    (n->lost < crashes_max || (size_t)l->row->crash_count < crashes_max))
		violate(v, RULE_CRASHES_QUARANTINE,
			"step %ld is quarantined, and was lost %zu times (%d counted)", l->id,
			n->lost, l->row->crash_count);
	if (generations > 1 || l->judge->has_booted)
		return;
	if (n->unended >= crashes_max && l->row->state != STATE_QUARANTINED)
		violate(v, RULE_CRASHES_QUARANTINE, "step %ld ended %zu processes, and is %c",
			l->id, n->unended, l->row->state);
	if ((size_t)l->row->crash_count < n->unended)
		violate(v, RULE_CRASHES_QUARANTINE,
			"step %ld ended %zu processes, of which %d are counted", l->id, n->unended,
			l->row->crash_count);
}

static bool has_outcome(const life *l, row_outcome outcome)
{
	for (size_t i = 0; i < l->turn_count; i++)
		if (l->turns[i].outcome == outcome)
			return true;
	return false;
}

/* A process may be killed between the call of a handler and its first line: but not often. */
static void judge_blame(const life *l, const tally *n)
{
	bool is_blamed = l->row != NULL &&
			 (l->row->state == STATE_FAILED || l->row->state == STATE_QUARANTINED);

	l->verdict->unstarted_losses += n->unlogged;
	if (!is_blamed)
		return;
	l->verdict->looked[RULE_UNRUN_IS_NOT_BLAMED]++;
	if (n->starts == 0 && !has_outcome(l, ROW_TIMED_OUT))
		violate(l->verdict, RULE_UNRUN_IS_NOT_BLAMED, "step %ld is %c, and never ran",
			l->id, l->row->state);
}

static void judge_end(const life *l)
{
	if (l->row == NULL || !l->judge->is_over)
		return;
	l->verdict->looked[RULE_Q14_ALL_ENDS]++;
	if (!is_final(l->row->state))
		violate(l->verdict, RULE_Q14_ALL_ENDS, "step %ld is left %c", l->id, l->row->state);
}

void rules_of_rows(const life *l)
{
	const tally n = count(l);

	judge_lines(l);
	if (l->row != NULL)
		judge_row(l);
	else if (l->judge->history->has_rows && l->turn_count > 0)
		violate(l->verdict, RULE_Q2_NOTHING_IS_INVENTED, "step %ld ran, and does not exist",
			l->id);
	judge_bounds(l, &n);
	judge_crashes(l, &n);
	judge_blame(l, &n);
	judge_end(l);
}
