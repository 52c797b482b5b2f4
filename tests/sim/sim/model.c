/* SPDX-License-Identifier: MIT */
#include "sim/sim/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ids.h"
#include "sim/sim/chronicle.h"
#include "torture/history/history.h"

enum { SHOWN_COUNT = 60 };

void sim_violate(sim *s, int step, const char *rule, const char *format, ...)
{
	char text[512];
	va_list arguments;

	s->violation_count++;
	/* One is enough, and what follows from it is noise. */
	if (s->is_violated)
		return;
	s->is_violated = true;
	if (s->options.is_quiet)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	printf("seed %llu violates %s in action %d, step %d: %s\n  replay with: sim 1 %llu %s %d\n",
	       (unsigned long long)s->options.seed, rule, s->action_number, step, text,
	       (unsigned long long)s->options.seed, s->options.is_on_disk ? "sqlite" : "memory",
	       s->options.action_count);
	trace_print(&s->trace, step, SHOWN_COUNT, stdout);
	fflush(stdout);
}

int sim_model_add_step(sim *s)
{
	if (s->step_count == STEP_MAX)
		return -1;
	s->steps[s->step_count] = (sim_step){ .nonce = s->step_count,
					      .newest = -1,
					      .concurrency_key = -1,
					      .idempotency_key = -1,
					      .unique_key = -1,
					      .generation = 1 };
	return s->step_count++;
}

int sim_model_find(const sim *s, const uint8_t id[16])
{
	int64_t row_id = 0;
	int step;

	/* The first six bytes of an id say which row it is. */
	for (int i = 0; i < 6; i++)
		row_id = row_id << 8 | id[i];
	step = row_id > 0 && row_id < ROW_MAX ? s->step_of_row[row_id] - 1 : -1;
	return step >= 0 && memcmp(s->steps[step].id, id, sizeof s->steps[step].id) == 0 ? step :
											   -1;
}

int sim_model_attempt(const sim *s, int step, int64_t token)
{
	for (int i = s->attempt_count - 1; i >= 0; i--)
		if (s->attempts[i].step == step && s->attempts[i].token == token)
			return i;
	return -1;
}

sim_lease *sim_model_lease(sim *s, int64_t worker_id)
{
	for (int i = s->lease_count - 1; i >= 0; i--)
		if (s->leases[i].worker_id == worker_id)
			return &s->leases[i];
	return NULL;
}

static sim_lease *add_lease(sim *s, const sim_process *p, int64_t worker_id)
{
	sim_lease *lease = s->lease_count < LEASE_COUNT_MAX ? &s->leases[s->lease_count++] : NULL;

	if (lease != NULL)
		*lease = (sim_lease){ .worker_id = worker_id,
				      .process = p->number,
				      .life = p->life };
	return lease;
}

void sim_model_note_leases(sim *s, const sim_process *p, bool is_new_only)
{
	for (int i = 0; p->is_up && i < WORKER_MAX; i++) {
		const stepbus_worker *worker = p->workers[i];
		sim_lease *lease = worker != NULL ? sim_model_lease(s, worker->row.id) : NULL;

		if (worker == NULL || worker->row.id == 0 || (lease != NULL && is_new_only))
			continue;
		if (lease == NULL)
			lease = add_lease(s, p, worker->row.id);
		if (lease != NULL)
			lease->until_ns = atomic_load(&worker->lease_until_ns);
	}
}

void sim_model_input(int nonce, char input[INPUT_LEN])
{
	(void)snprintf(input, INPUT_LEN, "{\"n\":%d}", nonce);
}

int64_t sim_model_wall_top_us(const sim *s)
{
	int64_t top_us = 0;

	for (int i = 0; i < s->world.process_count; i++) {
		int64_t wall_us = sim_wall_us(&s->world.processes[i]);

		if (wall_us > top_us)
			top_us = wall_us;
	}
	return top_us;
}

void sim_model_keep_wall_top(sim *s)
{
	int64_t top_us = sim_model_wall_top_us(s);

	if (s->world.wall_highest_us < top_us)
		s->world.wall_highest_us = top_us;
	for (int i = 0; i < s->step_count; i++)
		if (s->steps[i].wall_max_us < top_us)
			s->steps[i].wall_max_us = top_us;
}

void sim_model_delay(sim *s, sim_step *st, int64_t delay_us)
{
	st->not_before_us = delay_us > 0 ? s->wall_before_us + delay_us : 0;
	st->wall_max_us = 0;
}

void sim_model_begin(sim *s, sim_process *actor)
{
	s->actor = actor;
	s->enqueued_first = s->step_count;
	s->is_enqueue_refused = false;
	s->doubtful_redrive = 0;
	s->elapsed_before_ns = s->world.elapsed_ns;
	s->wall_before_us = actor != NULL ? sim_wall_us(actor) : 0;
	if (actor != NULL)
		disk_enter(actor->number);
}

static void visit(sim *s, const sim_row *row)
{
	int step = row->id < ROW_MAX ? s->step_of_row[row->id] - 1 : -1;

	if (step < 0 || s->steps[step].row.id != row->id) {
		if (s->unknown_count < UNKNOWN_MAX)
			s->unknown[s->unknown_count++] = *row;
		return;
	}
	s->steps[step].look = s->look;
	if (memcmp(&s->steps[step].row, row, sizeof *row) == 0)
		return;
	sim_judge_change(s, step, &s->steps[step].row, row);
	chronicle_change(s, step, row);
	s->steps[step].row = *row;
}

static void meet(sim *s, const sim_row *row)
{
	int64_t digest = 0;
	int nonce = sim_observe_nonce(s, row->id, &digest);
	sim_step *st;

	if (nonce < 0 && s->cron_every_us != 0) {
		nonce = sim_model_add_step(s);
		if (nonce < 0)
			return;
		st = &s->steps[nonce];
		st->is_cron = true;
		/* What the engine says of retries, see engine_options. */
		st->attempt_count_max = 3;
		st->retry_kind = STEPBUS_RETRY_FIXED;
		st->retry_base_ms = 50;
		st->retry_cap_ms = 1000;
		st->jitter_percent = 10;
		/* The schedule calls nobody: that it was to come is the model's word. */
		CHRONICLE(s, LOG_INVOKED, NULL, nonce, -1, 0, st->attempt_count_max);
	} else if (nonce < s->enqueued_first || nonce >= s->step_count ||
		   s->steps[nonce].is_there) {
		sim_violate(s, nonce, "Q2", "row %lld is of no enqueue that is under way",
			    (long long)row->id);
		return;
	}
	st = &s->steps[nonce];
	st->is_there = true;
	st->look = s->look;
	sb_id_of_row(row->id, s->tag, st->id);
	st->input_digest = digest;
	if (row->id < ROW_MAX)
		s->step_of_row[row->id] = nonce + 1;
	st->row = (sim_row){ .id = row->id, .state = 0 };
	sim_judge_newcomer(s, nonce, row);
	chronicle_change(s, nonce, row);
	st->row = *row;
}

static void clear_marks(sim *s)
{
	for (int i = 0; i < s->attempt_count; i++)
		s->attempts[i].is_kept = s->attempts[i].is_doubtful = false;
	for (int i = 0; i < s->step_count; i++)
		s->steps[i].is_redriven = s->steps[i].is_cancelled = false;
}

static void look_at_store(sim *s)
{
	s->look++;
	s->unknown_count = 0;
	sim_observe(s, visit);
	for (int i = 0; i < s->unknown_count; i++)
		meet(s, &s->unknown[i]);
	for (int i = 0; i < s->step_count; i++)
		if (s->steps[i].is_there && s->steps[i].look != s->look)
			sim_judge_absence(s, i);
	sim_judge_limits(s);
}

void sim_model_end(sim *s)
{
	if (s->actor != NULL)
		sim_model_note_leases(s, s->actor, true);
	if (sim_observe_has_changed(s))
		look_at_store(s);
	if (s->actor != NULL)
		sim_model_note_leases(s, s->actor, false);
	if (s->has_marks) {
		sim_judge_kept(s);
		clear_marks(s);
	}
	s->has_marks = false;
}

void sim_model_redrive(sim *s, sim_step *st)
{
	st->is_redriven = s->has_marks = true;
	st->generation++;
	st->charged_count = st->loss_count = st->success_count = 0;
	st->is_spent = false;
	sim_model_delay(s, st, 0);
}
