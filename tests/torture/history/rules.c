/* SPDX-License-Identifier: MIT */
#include "torture/history/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/stepbus.h"

enum { SHOWN_MAX = 5 };

static const char *const names[RULE_COUNT] = {
	[RULE_Q1_NOTHING_IS_LOST] = "Q1 nothing acknowledged is lost",
	[RULE_Q2_NOTHING_IS_INVENTED] = "Q2 nothing is invented",
	[RULE_Q3_ONE_STEP_OF_A_KEY] = "Q3 a key has one step",
	[RULE_Q4_ONE_COMPLETION] = "Q4 one completion is accepted",
	[RULE_Q5_ACCEPTED_IS_DURABLE] = "Q5 what is accepted is durable",
	[RULE_Q6_TOKENS_GROW] = "Q6 tokens grow",
	[RULE_Q7_STALE_IS_REFUSED] = "Q7 stale completions are refused",
	[RULE_Q8_ATTEMPTS_ARE_BOUNDED] = "Q8 attempts are bounded",
	[RULE_Q9_NO_THEFT] = "Q9 no step is taken from a live worker",
	[RULE_Q13_FINAL_IS_FINAL] = "Q13 final is final",
	[RULE_Q14_ALL_ENDS] = "Q14 everything ends",
	[RULE_Q20_NO_BYTES_CHANGE] = "Q20 no bytes are changed",
	[RULE_UNRUN_IS_NOT_BLAMED] = "a step that never ran is not blamed",
	[RULE_CRASHES_QUARANTINE] = "a step that ends its process is quarantined",
	[RULE_NO_ERRORS] = "no call fails that must not",
	[RULE_FILE_IS_SOUND] = "the database is sound",
};

const char *rule_name(rule r)
{
	return names[r];
}

__attribute__((format(printf, 3, 4))) static void violate(verdict *v, rule r, const char *format,
							  ...)
{
	va_list arguments;

	if (v->violations[r]++ >= SHOWN_MAX || v->is_quiet)
		return;
	(void)fprintf(stderr, "%s: ", names[r]);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
}

/* All that is known of one step. */
typedef struct life {
	const history *history;
	verdict *verdict;
	const step_row *row;        /* NULL: not in the dump */
	const event *const *events; /* of kinds S, E and D, in the order of the log */
	size_t event_count;
	const attempt_row *attempts;
	size_t attempt_count;
	int64_t id;
} life;

static const event *find(const life *l, char kind, int64_t token)
{
	for (size_t i = 0; i < l->event_count; i++)
		if (l->events[i]->kind == kind && l->events[i]->b == token)
			return l->events[i];
	return NULL;
}

static size_t count(const life *l, char kind, int64_t outcome)
{
	size_t found = 0;

	for (size_t i = 0; i < l->event_count; i++)
		found += l->events[i]->kind == kind && (outcome == 0 || l->events[i]->c == outcome);
	return found;
}

static const attempt_row *find_attempt(const life *l, int64_t token)
{
	for (size_t i = 0; i < l->attempt_count; i++)
		if (l->attempts[i].token == token)
			return &l->attempts[i];
	return NULL;
}

static bool is_outcome(const attempt_row *attempt, const char *outcome)
{
	return attempt != NULL && strcmp(attempt->outcome, outcome) == 0;
}

static void judge_completions(const life *l)
{
	size_t successes = count(l, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	if (successes > 1)
		violate(l->verdict, RULE_Q4_ONE_COMPLETION, "step %ld was completed %zu times",
			l->id, successes);
	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind == LOG_COMPLETED && find(l, LOG_COMPLETED, e->b) != e)
			violate(l->verdict, RULE_Q4_ONE_COMPLETION,
				"attempt %ld of step %ld was completed twice", e->b, l->id);
	}
	if (l->row->state != 'c')
		return;
	if (l->row->result_token != l->row->token || l->row->result_nonce != l->row->nonce)
		violate(l->verdict, RULE_Q4_ONE_COMPLETION,
			"step %ld was completed by %ld, but has the result of %ld", l->id,
			l->row->token, l->row->result_token);
	if (find(l, LOG_ENDED, l->row->token) == NULL)
		violate(l->verdict, RULE_Q4_ONE_COMPLETION,
			"step %ld was completed by an attempt, %ld, that did not end", l->id,
			l->row->token);
}

static void judge_durability(const life *l)
{
	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];
		bool is_kept = true;

		if (e->kind != LOG_COMPLETED)
			continue;
		if (e->c == STEPBUS_OUTCOME_SUCCESS)
			is_kept = l->row->state == 'c' && l->row->token == e->b;
		else if (e->c == STEPBUS_OUTCOME_FAILURE)
			is_kept = is_outcome(find_attempt(l, e->b), "failure");
		else
			is_kept = is_outcome(find_attempt(l, e->b), "snoozed");
		if (!is_kept)
			violate(l->verdict, RULE_Q5_ACCEPTED_IS_DURABLE,
				"attempt %ld of step %ld was accepted with outcome %ld, and is not "
				"in the store",
				e->b, l->id, e->c);
	}
}

static void judge_tokens(const life *l)
{
	int64_t last = 0;

	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind != LOG_STARTED)
			continue;
		if (e->b <= last)
			violate(l->verdict, RULE_Q6_TOKENS_GROW,
				"step %ld was started with token %ld after %ld", l->id, e->b, last);
		last = e->b;
		if (e->c != l->row->nonce)
			violate(l->verdict, RULE_Q20_NO_BYTES_CHANGE,
				"step %ld was started with the input %ld instead of %ld", l->id,
				e->c, l->row->nonce);
		if (e->b > l->row->token)
			violate(l->verdict, RULE_Q6_TOKENS_GROW,
				"step %ld was started with token %ld, its last one is %ld", l->id,
				e->b, l->row->token);
	}
}

/* A completion whose handler returned when another attempt had been claimed. */
static void judge_fencing(const life *l)
{
	int64_t newest = 0;

	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind == LOG_STARTED && e->b > newest)
			newest = e->b;
		if (e->kind != LOG_ENDED || e->b >= newest)
			continue;
		if (find(l, LOG_COMPLETED, e->b) != NULL ||
		    (l->row->state == 'c' && l->row->token == e->b))
			violate(l->verdict, RULE_Q7_STALE_IS_REFUSED,
				"attempt %ld of step %ld ended after %ld began, and was accepted",
				e->b, l->id, newest);
	}
}

static void judge_bounds(const life *l)
{
	size_t snoozes = count(l, LOG_ENDED, STEPBUS_OUTCOME_SNOOZE);
	size_t starts = count(l, LOG_STARTED, 0);
	size_t unended = 0, unlogged = 0;

	for (size_t i = 0; i < l->attempt_count; i++)
		unlogged += is_outcome(&l->attempts[i], "lost") &&
			    find(l, LOG_STARTED, l->attempts[i].token) == NULL;
	for (size_t i = 0; i < l->event_count; i++)
		unended += l->events[i]->kind == LOG_STARTED &&
			   find(l, LOG_ENDED, l->events[i]->b) == NULL;
	if (starts > ATTEMPT_COUNT_MAX + snoozes || l->row->attempt_count > ATTEMPT_COUNT_MAX)
		violate(l->verdict, RULE_Q8_ATTEMPTS_ARE_BOUNDED,
			"step %ld was started %zu times (%zu snoozes), %d attempts are charged",
			l->id, starts, snoozes, l->row->attempt_count);
	if (unended > CRASH_COUNT_MAX || l->row->crash_count > CRASH_COUNT_MAX)
		violate(l->verdict, RULE_Q8_ATTEMPTS_ARE_BOUNDED,
			"step %ld ended %zu processes, %d are counted", l->id, unended,
			l->row->crash_count);
	if (l->row->nonce % 10 == BEHAVIOUR_CRASH && l->row->nonce / 10 % 10 == 0 &&
	    (l->row->state != 'q' || unended + unlogged < CRASH_COUNT_MAX))
		violate(l->verdict, RULE_CRASHES_QUARANTINE,
			"step %ld ended %zu processes and is in state %c", l->id, unended,
			l->row->state);
}

/* Whether a process did something as if its lease held, though another had been given its step. */
static bool is_robbed(const history *h, const event *taken, int32_t process)
{
	for (const event *e = taken + 1; e < h->events + h->event_count; e++) {
		if (e->process != process)
			continue;
		if (e->kind == LOG_LOST || e->kind == LOG_KILLED)
			return false;
		if (e->kind == LOG_STARTED)
			return true;
	}
	return false;
}

static void judge_theft(const life *l)
{
	const event *before = NULL;

	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind != LOG_STARTED)
			continue;
		if (before != NULL && is_outcome(find_attempt(l, before->b), "lost") &&
		    is_robbed(l->history, e, before->process))
			violate(l->verdict, RULE_Q9_NO_THEFT,
				"step %ld was taken from process %d, which lives and was not told",
				l->id, before->process);
		before = e;
	}
}

static void judge_end(const life *l)
{
	const event *ended = NULL;

	if (strchr("cfq", l->row->state) == NULL)
		violate(l->verdict, RULE_Q14_ALL_ENDS, "step %ld ended in state %c", l->id,
			l->row->state);
	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind == LOG_COMPLETED && (e->c == STEPBUS_OUTCOME_SUCCESS ||
						 (l->row->state == 'f' && e->b == l->row->token)))
			ended = e;
		if (ended != NULL && e->kind == LOG_STARTED)
			violate(l->verdict, RULE_Q13_FINAL_IS_FINAL,
				"step %ld was started with %ld after %ld had made it final", l->id,
				e->b, ended->b);
	}
}

/* A process may be killed between the call of a handler and its first line: but not often. */
static void judge_blame(const life *l)
{
	if (strchr("fq", l->row->state) != NULL && count(l, LOG_STARTED, 0) == 0)
		violate(l->verdict, RULE_UNRUN_IS_NOT_BLAMED,
			"step %ld is in state %c, and never ran", l->id, l->row->state);
	for (size_t i = 0; i < l->attempt_count; i++) {
		const attempt_row *a = &l->attempts[i];

		if (find(l, LOG_STARTED, a->token) != NULL)
			continue;
		if (is_outcome(a, "lost"))
			l->verdict->unstarted_losses++;
		else
			violate(l->verdict, RULE_Q2_NOTHING_IS_INVENTED,
				"attempt %ld of step %ld has outcome %s, and was never started",
				a->token, l->id, a->outcome);
	}
}

static void judge_life(const life *l)
{
	if (l->row == NULL) {
		violate(l->verdict, RULE_Q2_NOTHING_IS_INVENTED, "step %ld ran, and does not exist",
			l->id);
		return;
	}
	judge_completions(l);
	judge_durability(l);
	judge_tokens(l);
	judge_fencing(l);
	judge_bounds(l);
	judge_theft(l);
	judge_end(l);
	judge_blame(l);
}

static int compare_events(const void *a, const void *b)
{
	const event *x = *(const event *const *)a, *y = *(const event *const *)b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x < y ? -1 : x > y; /* the order of the log */
}

static const event **sort_by_step(const history *h, size_t *found)
{
	const event **sorted = calloc(h->event_count + 1, sizeof(event *));

	if (sorted == NULL)
		abort();
	*found = 0;
	for (size_t i = 0; i < h->event_count; i++)
		if (strchr("SED", h->events[i].kind) != NULL)
			sorted[(*found)++] = &h->events[i];
	qsort(sorted, *found, sizeof(event *), compare_events);
	return sorted;
}

/* Walks steps, events and attempts side by side: all are in the order of ids. */
static void judge_lives(const history *h, verdict *v)
{
	size_t event_count, e = 0, a = 0, s = 0;
	const event **events = sort_by_step(h, &event_count);

	while (e < event_count || s < h->step_count) {
		bool has_row =
			s < h->step_count && (e == event_count || h->steps[s].id <= events[e]->a);
		life l = { .history = h, .verdict = v, .events = events + e };

		l.id = has_row ? h->steps[s].id : events[e]->a;
		l.row = has_row ? &h->steps[s++] : NULL;
		for (; e < event_count && events[e]->a == l.id; e++)
			l.event_count++;
		while (a < h->attempt_count && h->attempts[a].step_id < l.id)
			a++;
		l.attempts = h->attempts + a;
		for (; a < h->attempt_count && h->attempts[a].step_id == l.id; a++)
			l.attempt_count++;
		judge_life(&l);
	}
	free(events);
}

static int compare_numbers(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool has_number(const int64_t *sorted, size_t number_count, int64_t number)
{
	return bsearch(&number, sorted, number_count, sizeof number, compare_numbers) != NULL;
}

/* What was enqueued is in the dump, and what is in the dump was enqueued, once. */
static void judge_enqueues(const history *h, verdict *v)
{
	int64_t *invoked = calloc(h->event_count + 1, sizeof *invoked);
	int64_t *nonces = calloc(h->step_count + 1, sizeof *nonces);
	size_t invoked_count = 0;

	if (invoked == NULL || nonces == NULL)
		abort();
	for (size_t i = 0; i < h->event_count; i++) {
		const event *e = &h->events[i];
		const step_row *row = e->kind == LOG_ENQUEUED ? history_step(h, e->c) : NULL;

		if (e->kind == LOG_INVOKED)
			invoked[invoked_count++] = e->a;
		if (e->kind == LOG_ENQUEUED &&
		    (row == NULL || (e->d == 0 && row->nonce != e->a) || row->key != e->b))
			violate(v, RULE_Q1_NOTHING_IS_LOST,
				"%ld was enqueued as step %ld, which the store does not have", e->a,
				e->c);
	}
	qsort(invoked, invoked_count, sizeof *invoked, compare_numbers);
	for (size_t i = 0; i < h->step_count; i++) {
		nonces[i] = h->steps[i].nonce;
		if (!has_number(invoked, invoked_count, nonces[i]))
			violate(v, RULE_Q2_NOTHING_IS_INVENTED,
				"step %ld has %ld, which nobody enqueued", h->steps[i].id,
				nonces[i]);
	}
	qsort(nonces, h->step_count, sizeof *nonces, compare_numbers);
	for (size_t i = 1; i < h->step_count; i++)
		if (nonces[i] == nonces[i - 1])
			violate(v, RULE_Q2_NOTHING_IS_INVENTED,
				"%ld was enqueued once, and is there twice", nonces[i]);
	free(invoked);
	free(nonces);
}

static void judge_keys(const history *h, verdict *v)
{
	int64_t *keys = calloc(h->step_count + 1, sizeof *keys);
	size_t key_count = 0;

	if (keys == NULL)
		abort();
	for (size_t i = 0; i < h->step_count; i++)
		if (h->steps[i].key >= 0)
			keys[key_count++] = h->steps[i].key;
	qsort(keys, key_count, sizeof *keys, compare_numbers);
	for (size_t i = 1; i < key_count; i++)
		if (keys[i] == keys[i - 1])
			violate(v, RULE_Q3_ONE_STEP_OF_A_KEY, "key %ld has two steps", keys[i]);
	free(keys);
}

void rules_judge(const history *h, verdict *v)
{
	size_t kills = 0;

	judge_enqueues(h, v);
	judge_keys(h, v);
	judge_lives(h, v);
	for (size_t i = 0; i < h->event_count; i++) {
		kills += h->events[i].kind == LOG_KILLED;
		if (h->events[i].kind == LOG_ERROR)
			violate(v, RULE_NO_ERRORS, "process %d, status %ld", h->events[i].process,
				h->events[i].a);
	}
	if (v->unstarted_losses > 3 + kills / 20)
		violate(v, RULE_UNRUN_IS_NOT_BLAMED, "%zu attempts were charged that never began",
			v->unstarted_losses);
	if (!h->is_sound)
		violate(v, RULE_FILE_IS_SOUND, "integrity_check says so");
}
