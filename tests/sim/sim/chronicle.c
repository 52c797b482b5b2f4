/* SPDX-License-Identifier: MIT */
#include "sim/sim/chronicle.h"

#include <stdio.h>
#include <string.h>

#include "torture/history/rules.h"

enum { LIVES_PER_PROCESS = 1000000, US_PER_NS = 1000 };

static struct {
	history history;
	checker *judge;
	verdict verdict; /* while the seed goes on */
	/* Since the last look. */
	int changed[STEP_MAX];
	int changed_count;
	bool is_changed[STEP_MAX];
	bool has_records[STEP_MAX];
} told;

/* Of all seeds. */
static size_t looked[RULE_COUNT];

void chronicle_begin(sim *s)
{
	memset(&told, 0, sizeof told);
	told.verdict.is_quiet = true;
	history_init(&told.history);
	/* A process may be left out for longer than its lease at any time: claims say when that was over. */
	told.history.limits.late_start_max = INT32_MAX - 1;
	told.judge = judge_new(&told.history);
	s->is_chronicled = true;
}

void chronicle_note(sim *s, char kind, const sim_process *p, const int64_t numbers[4])
{
	const event e = { .time_us = s->world.elapsed_ns / US_PER_NS,
			  .a = numbers[0],
			  .b = numbers[1],
			  .c = numbers[2],
			  .d = numbers[3],
			  .process = p != NULL ? p->number * LIVES_PER_PROCESS + p->life : 0,
			  .kind = kind };

	if (s->is_chronicled)
		history_add_event(&told.history, &e);
}

int chronicle_key(const sim *s, int key)
{
	return s->world.keep_completed_us < 0 ? key : -1;
}

void chronicle_change(sim *s, int step, const sim_row *now)
{
	if (!s->is_chronicled)
		return;
	if (s->steps[step].row.state == STEPBUS_STEP_RUNNING ||
	    now->state >= STEPBUS_STEP_COMPLETED)
		told.has_records[step] = true;
	if (told.is_changed[step])
		return;
	told.is_changed[step] = true;
	told.changed[told.changed_count++] = step;
}

static char letter_of(int state)
{
	static const char letters[] = { 0,
					STATE_WAITING,
					STATE_SCHEDULED,
					STATE_READY,
					STATE_PARKED,
					STATE_RUNNING,
					STATE_COMPLETED,
					STATE_FAILED,
					STATE_CANCELLED,
					STATE_QUARANTINED };

	return letters[state];
}

/* What was removed stays in the history, and is not counted by the library. */
void chronicle_count(sim *s, int state, uint64_t count)
{
	if (s->world.keep_completed_us < 0)
		CHRONICLE(s, LOG_COUNTED, NULL, letter_of(state), (int64_t)count);
}

static void put_step(const sim *s, const sim_step *st, int64_t result_digest)
{
	bool is_completed = st->row.state == STEPBUS_STEP_COMPLETED;
	const step_row row = { .id = st->row.id,
			       .nonce = st->nonce,
			       .key = chronicle_key(s, st->idempotency_key),
			       .token = st->row.token,
			       .result_token = is_completed ? st->row.token : -1,
			       .result_nonce = is_completed ? st->nonce : -1,
			       .input_digest = st->input_digest,
			       .result_digest = result_digest,
			       .attempt_count = st->row.attempt_count,
			       .crash_count = st->row.crash_count,
			       .priority = st->priority,
			       .state = letter_of(st->row.state) };

	history_put_step(&told.history, &row);
}

static void put_attempt(const sim_record *record)
{
	attempt_row put = { .step_id = record->step_id,
			    .token = record->token,
			    .is_retryable = record->is_retryable };

	(void)snprintf(put.outcome, sizeof put.outcome, "%s",
		       record->outcome != NULL ? record->outcome : "?");
	history_put_attempt(&told.history, &put);
}

/* What is gone stays as it was seen last. */
static void put_changes(sim *s)
{
	for (int i = 0; i < told.changed_count; i++) {
		int step = told.changed[i];
		const sim_step *st = &s->steps[step];

		if (st->is_there) {
			put_step(s, st, 0);
			if (told.has_records[step])
				sim_observe_attempts(s, st->row.id, put_attempt);
		}
		told.is_changed[step] = told.has_records[step] = false;
	}
	told.changed_count = 0;
}

static void put_all(sim *s)
{
	for (int i = 0; i < s->step_count; i++) {
		const sim_step *st = &s->steps[i];

		if (!st->is_there)
			continue;
		put_step(s, st,
			 st->row.state == STEPBUS_STEP_COMPLETED ?
				 sim_observe_result(s, st->row.id) :
				 0);
		sim_observe_attempts(s, st->row.id, put_attempt);
	}
	told.history.has_rows = true;
}

static void pass(sim *s, const verdict *v)
{
	if (rules_violations(v) > 0)
		sim_violate(s, -1, "the checker", "%s", v->first);
}

void chronicle_look(sim *s)
{
	if (!s->is_chronicled || s->is_violated)
		return;
	put_changes(s);
	judge_look(told.judge, &told.verdict);
	s->checker_look_count++;
	pass(s, &told.verdict);
}

void chronicle_end(sim *s)
{
	verdict v = { .is_quiet = true };

	if (s->is_chronicled && !s->is_violated) {
		put_all(s);
		rules_judge(&told.history, &v);
		for (int i = 0; i < RULE_COUNT; i++)
			looked[i] += v.looked[i];
		s->is_checked = true;
		pass(s, &v);
	}
	judge_free(told.judge);
	history_free(&told.history);
	s->is_chronicled = false;
}

void chronicle_forget(void)
{
	memset(looked, 0, sizeof looked);
}

void chronicle_print_unseen(void)
{
	size_t count = 0;

	for (int i = 0; i < RULE_COUNT; i++)
		if (looked[i] == 0)
			printf("%s%s", count++ == 0 ? " (nothing was there to judge for: " : "; ",
			       rule_name((rule)i));
	printf("%s", count > 0 ? ")" : "");
}
