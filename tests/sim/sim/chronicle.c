/* SPDX-License-Identifier: MIT */
#include "sim/sim/chronicle.h"

#include <stdio.h>
#include <string.h>

#include "torture/history/rules.h"

enum { LIVES_PER_PROCESS = 1000000, US_PER_NS = 1000 };

static history told;

void chronicle_begin(sim *s)
{
	history_init(&told);
	/* A process may be left out for longer than its lease at any time: claims say when that was over. */
	told.limits.late_start_max = INT32_MAX - 1;
	s->is_chronicled = s->world.keep_completed_us < 0 && s->cron_every_us == 0;
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
		history_add_event(&told, &e);
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

static void put_step(const sim_step *st)
{
	bool is_completed = st->row.state == STEPBUS_STEP_COMPLETED;
	const step_row row = { .id = st->row.id,
			       .nonce = st->nonce,
			       .key = st->idempotency_key,
			       .token = st->row.token,
			       .result_token = is_completed ? st->row.token : -1,
			       .result_nonce = is_completed ? st->nonce : -1,
			       .attempt_count = st->row.attempt_count,
			       .crash_count = st->row.crash_count,
			       .priority = st->priority,
			       .state = letter_of(st->row.state) };

	history_put_step(&told, &row);
}

static bool put_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	static const char *const names[] = { "",     "success",   "failure",   "snoozed",
					     "lost", "timed_out", "cancelled", "given_back" };
	attempt_row put = { .step_id = row->step_id,
			    .token = row->token,
			    .is_retryable = row->is_retryable };
	bool is_abandoned =
		row->error_type.len == 9 && memcmp(row->error_type.data, "abandoned", 9) == 0;

	(void)context;
	(void)worker;
	(void)snprintf(put.outcome, sizeof put.outcome, "%s",
		       is_abandoned ? "abandoned" : names[row->outcome]);
	history_put_attempt(&told, &put);
	return true;
}

static void put_rows(sim *s, stepbus *engine)
{
	for (int i = 0; i < s->step_count; i++) {
		if (!s->steps[i].is_there)
			continue;
		put_step(&s->steps[i]);
		(void)engine->store->type->attempt_list(engine->store, s->steps[i].row.id,
							put_attempt, NULL, NULL);
	}
	told.has_rows = true;
}

void chronicle_end(sim *s)
{
	verdict v = { .is_quiet = true };

	if (s->is_chronicled && !s->is_violated && s->world.processes[0].is_up) {
		put_rows(s, s->world.processes[0].engine);
		rules_judge(&told, &v);
		if (rules_violations(&v) > 0)
			sim_violate(s, -1, "the checker", "%s", v.first);
	}
	history_free(&told);
	s->is_chronicled = false;
}
