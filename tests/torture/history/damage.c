/* SPDX-License-Identifier: MIT */
#include "torture/history/damage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/rules.h"

/* The first event from `from` on of that kind, and of that outcome where it is not 0; NULL: none. */
static event *next_event(const history *h, const event *from, char kind, int64_t outcome)
{
	for (event *e = h->events + (from != NULL ? from - h->events + 1 : 0);
	     e < h->events + h->event_count; e++)
		if (e->kind == kind && (outcome == 0 || e->c == outcome))
			return e;
	return NULL;
}

/* Where there is none, a row behind the last: damaging that one is not found, as it should be. */
static event *an_event(const history *h, char kind, int64_t outcome)
{
	event *e = next_event(h, NULL, kind, outcome);

	return e != NULL ? e : h->events + h->event_count;
}

static step_row *a_step(const history *h, int64_t id)
{
	step_row *row = history_step(h, id);

	return row != NULL ? row : h->steps + h->step_count;
}

/* Room for a few is behind the last. */
static void add_event(history *h, event e)
{
	h->events[h->event_count++] = e;
}

static void remove_event(history *h, event *e)
{
	size_t rest = (size_t)(h->events + h->event_count - e - 1);

	memmove(e, e + 1, rest * sizeof *e);
	h->event_count--;
}

static void remove_step(history *h, step_row *row)
{
	size_t rest = (size_t)(h->steps + h->step_count - row - 1);

	memmove(row, row + 1, rest * sizeof *row);
	h->step_count--;
}

static step_row *step_in(const history *h, char state, size_t skip)
{
	for (size_t i = 0; i < h->step_count; i++)
		if (h->steps[i].state == state && skip-- == 0)
			return &h->steps[i];
	return h->steps + h->step_count;
}

/* A start of a step that was started before, and the one before; NULL: there is none. */
static event *second_start(const history *h, event **first, const char *outcome)
{
	for (size_t i = 0; i < h->attempt_count; i++) {
		const attempt_row *a = &h->attempts[i];
		event *start = NULL;

		*first = NULL;
		if (strcmp(a->outcome, outcome) != 0)
			continue;
		while ((start = next_event(h, start, LOG_STARTED, 0)) != NULL) {
			if (start->a == a->step_id && start->b == a->token)
				*first = start;
			else if (start->a == a->step_id && start->b > a->token && *first != NULL)
				return start;
		}
	}
	return NULL;
}

static bool drop_acknowledged(history *h)
{
	const event *e = an_event(h, LOG_ENQUEUED, 0);

	remove_step(h, a_step(h, e->c));
	return true;
}

static bool lose_its_input(history *h)
{
	a_step(h, an_event(h, LOG_ENQUEUED, 0)->c)->nonce += 10 * NONCES_PER_PROCESS;
	return true;
}

static bool forget_an_invocation(history *h)
{
	remove_event(h, an_event(h, LOG_INVOKED, 0));
	return true;
}

static bool run_what_is_not(history *h)
{
	an_event(h, LOG_STARTED, 0)->a += 1000000000;
	return true;
}

static bool enqueue_twice(history *h)
{
	h->steps[1].nonce = h->steps[0].nonce;
	return true;
}

static bool give_a_key_twice(history *h)
{
	step_row *a = NULL;

	for (size_t i = 0; i < h->step_count; i++) {
		if (h->steps[i].key < 0)
			continue;
		if (a != NULL) {
			h->steps[i].key = a->key;
			return true;
		}
		a = &h->steps[i];
	}
	return false;
}

static bool complete_twice(history *h)
{
	event *e = an_event(h, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	add_event(h, *e);
	return true;
}

static bool complete_by_two(history *h)
{
	event e = *an_event(h, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	e.b++;
	add_event(h, e);
	return true;
}

static bool keep_the_result_of_another(history *h)
{
	step_in(h, 'c', 3)->result_token--;
	return true;
}

static bool lose_a_completion(history *h)
{
	a_step(h, an_event(h, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS)->a)->state = 'r';
	return true;
}

static bool lose_a_failure(history *h)
{
	const event *e = an_event(h, LOG_COMPLETED, STEPBUS_OUTCOME_FAILURE);

	for (size_t i = 0; i < h->attempt_count; i++)
		if (h->attempts[i].step_id == e->a && h->attempts[i].token == e->b)
			h->attempts[i].outcome[0] = '-';
	return true;
}

static bool lower_a_token(history *h)
{
	event *first, *second = second_start(h, &first, "failure");

	if (second != NULL)
		second->b = first->b - 1;
	return second != NULL;
}

static bool give_a_token_twice(history *h)
{
	event *first, *second = second_start(h, &first, "failure");

	if (second != NULL)
		second->b = first->b;
	return second != NULL;
}

static bool accept_a_stale_one(history *h)
{
	event *first, *second = second_start(h, &first, "lost");
	event end;

	if (second == NULL)
		return false;
	end = *second;
	end.kind = LOG_ENDED;
	end.b = first->b;
	add_event(h, end);
	end.kind = LOG_COMPLETED;
	end.c = STEPBUS_OUTCOME_FAILURE;
	add_event(h, end);
	return true;
}

static bool charge_too_many(history *h)
{
	step_in(h, 'c', 1)->attempt_count = ATTEMPT_COUNT_MAX + 1;
	return true;
}

static bool crash_once_more(history *h)
{
	step_row *row = step_in(h, 'q', 0);

	row->crash_count = CRASH_COUNT_MAX + 1;
	return true;
}

static bool let_a_crasher_live(history *h)
{
	for (size_t i = 0; i < h->step_count; i++)
		if (h->steps[i].nonce % 100 == BEHAVIOUR_CRASH) {
			h->steps[i].state = 'f';
			return true;
		}
	return false;
}

/* The victim goes on as if nothing were. */
static bool take_from_the_living(history *h)
{
	event *first, *second = second_start(h, &first, "lost");
	const event *other = an_event(h, LOG_STARTED, 0);
	event start;

	if (second == NULL)
		return false;
	for (event *e = h->events + h->event_count - 1; e > second; e--)
		if (e->process == first->process)
			e->process = -1;
	start = *other;
	start.process = first->process;
	start.b--;
	add_event(h, start);
	for (event *e = h->events; e < second; e++)
		if (e->process == first->process && e->kind == LOG_KILLED)
			e->process = -1;
	return true;
}

static bool run_after_the_end(history *h)
{
	event e = *an_event(h, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	e.kind = LOG_STARTED;
	e.b++;
	add_event(h, e);
	return true;
}

static bool change_an_input(history *h)
{
	an_event(h, LOG_STARTED, 0)->c++;
	return true;
}

static bool leave_one_running(history *h)
{
	step_in(h, 'c', 2)->state = 'r';
	return true;
}

static bool blame_one_that_never_ran(history *h)
{
	const step_row *row = step_in(h, 'f', 0);

	for (size_t i = 0; i < h->event_count; i++)
		if (h->events[i].a == row->id && h->events[i].kind == LOG_STARTED)
			h->events[i].kind = LOG_READY;
	return true;
}

static bool fail_a_call(history *h)
{
	an_event(h, LOG_READY, 0)->kind = LOG_ERROR;
	return true;
}

static bool break_the_file(history *h)
{
	h->is_sound = false;
	return true;
}

static const struct damage {
	const char *name;
	rule rule;
	bool (*apply)(history *h);
} damages[] = {
	{ "an acknowledged step is dropped", RULE_Q1_NOTHING_IS_LOST, drop_acknowledged },
	{ "a step has another input", RULE_Q1_NOTHING_IS_LOST, lose_its_input },
	{ "nobody enqueued a step", RULE_Q2_NOTHING_IS_INVENTED, forget_an_invocation },
	{ "a step ran that is not there", RULE_Q2_NOTHING_IS_INVENTED, run_what_is_not },
	{ "one enqueue made two steps", RULE_Q2_NOTHING_IS_INVENTED, enqueue_twice },
	{ "a key has two steps", RULE_Q3_ONE_STEP_OF_A_KEY, give_a_key_twice },
	{ "an attempt is completed twice", RULE_Q4_ONE_COMPLETION, complete_twice },
	{ "two attempts complete a step", RULE_Q4_ONE_COMPLETION, complete_by_two },
	{ "a result is that of another attempt", RULE_Q4_ONE_COMPLETION,
	  keep_the_result_of_another },
	{ "an accepted success is forgotten", RULE_Q5_ACCEPTED_IS_DURABLE, lose_a_completion },
	{ "an accepted failure is forgotten", RULE_Q5_ACCEPTED_IS_DURABLE, lose_a_failure },
	{ "a token is lower than the last", RULE_Q6_TOKENS_GROW, lower_a_token },
	{ "a token is given twice", RULE_Q6_TOKENS_GROW, give_a_token_twice },
	{ "a stale completion is accepted", RULE_Q7_STALE_IS_REFUSED, accept_a_stale_one },
	{ "too many attempts are charged", RULE_Q8_ATTEMPTS_ARE_BOUNDED, charge_too_many },
	{ "too many crashes are let pass", RULE_Q8_ATTEMPTS_ARE_BOUNDED, crash_once_more },
	{ "a crasher is not quarantined", RULE_CRASHES_QUARANTINE, let_a_crasher_live },
	{ "a step is taken from a live worker", RULE_Q9_NO_THEFT, take_from_the_living },
	{ "a completed step runs again", RULE_Q13_FINAL_IS_FINAL, run_after_the_end },
	{ "a handler gets another input", RULE_Q20_NO_BYTES_CHANGE, change_an_input },
	{ "a step is left running", RULE_Q14_ALL_ENDS, leave_one_running },
	{ "a step that never ran has failed", RULE_UNRUN_IS_NOT_BLAMED, blame_one_that_never_ran },
	{ "a call failed", RULE_NO_ERRORS, fail_a_call },
	{ "the file is damaged", RULE_FILE_IS_SOUND, break_the_file },
};

void damage_all(const history *h, int *found_count, int *missed_count)
{
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
		const struct damage *d = &damages[i];
		history damaged = history_copy(h);
		verdict v = { .is_quiet = true };
		bool is_found;

		is_found = d->apply(&damaged);
		if (is_found)
			rules_judge(&damaged, &v);
		is_found = is_found && v.violations[d->rule] > 0;
		*found_count += is_found;
		*missed_count += !is_found;
		(void)printf("%-52s %s\n", d->name, is_found ? "found" : "NOT FOUND");
		history_free(&damaged);
	}
}
