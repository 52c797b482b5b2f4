/* SPDX-License-Identifier: MIT */
/* What operators call: cancels, redrives, pauses, questions; and the turns of the engines' threads. */
#include <stdio.h>
#include <string.h>

#include "sim/sim/actions.h"
#include "sim/sim/chronicle.h"
#include "torture/history/history.h"

enum { TEXT_LEN = 32 };

static int draw_step_of(sim *s)
{
	int step = s->step_count > 0 ? (int)sim_draw(s, (uint64_t)s->step_count) : -1;

	return step >= 0 && s->steps[step].is_there ? step : -1;
}

static bool is_final(const sim_step *st)
{
	return st->row.state >= STEPBUS_STEP_COMPLETED;
}

void sim_cancel(sim *s, sim_process *p)
{
	int step = draw_step_of(s);
	sim_step *st = step >= 0 ? &s->steps[step] : NULL;
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;

	if (st == NULL)
		return;
	CHRONICLE(s, LOG_CANCELLING, p, st->row.id);
	status = stepbus_step_cancel(p->engine, st->id, &err);
	CHRONICLE(s, LOG_CANCELLED, p, st->row.id, status, st->row.state == STEPBUS_STEP_RUNNING);
	sim_note(s, "cancel", step, status, st->row.state);
	if (status == STEPBUS_OK || status == STEPBUS_ESTORE) {
		st->is_cancelled = s->has_marks = true;
		st->cancelled_by = p->number;
	}
	if (status == STEPBUS_OK && is_final(st))
		sim_violate(s, step, "Q13", "a final step was cancelled");
	if (status == STEPBUS_ENOTFOUND && sim_judge_may_be_gone(s, step))
		return;
	if (status != STEPBUS_OK && status != STEPBUS_EALREADY &&
	    !sim_judge_is_excused(s, p, status))
		sim_violate(s, step, "cancel", "status %d: %s", status, err.message);
	sim_model_end(s);
	if (status == STEPBUS_OK && st->row.state != STEPBUS_STEP_CANCELLED)
		sim_violate(s, step, "Q12", "it was cancelled and is in state %d", st->row.state);
	if (status == STEPBUS_EALREADY && !is_final(st))
		sim_violate(s, step, "Q12", "it could not be cancelled though it is open");
}

void sim_redrive(sim *s, sim_process *p)
{
	int step = draw_step_of(s);
	sim_step *st = step >= 0 ? &s->steps[step] : NULL;
	stepbus_error err = STEPBUS_ERROR_INIT;
	bool is_redrivable;
	stepbus_status status;

	if (st == NULL)
		return;
	/*
	 * What waits for the writer may end it first, and a look behind both would not tell the two
	 * generations apart.
	 */
	(void)sb_still_turn(p->engine, SB_STILL_WRITER);
	sim_model_end(s);
	if (!st->is_there)
		return;
	is_redrivable = is_final(st) && st->row.state != STEPBUS_STEP_COMPLETED;
	/* Before the call, which may lead to claims at once; where it fails, they were none. */
	CHRONICLE(s, LOG_REDRIVING, p, st->row.id);
	status = stepbus_step_redrive(p->engine, st->id, &err);
	CHRONICLE(s, LOG_REDRIVEN, p, st->row.id, status);
	sim_note(s, "redrive", step, status, st->row.state);
	if (status == STEPBUS_OK)
		sim_model_redrive(s, st);
	if (status == STEPBUS_OK && st->row.state == STEPBUS_STEP_COMPLETED)
		sim_violate(s, step, "Q13", "a completed step was redriven");
	if (status == STEPBUS_EALREADY && is_redrivable)
		sim_violate(s, step, "Q13", "it could not be redriven in state %d", st->row.state);
	if (status == STEPBUS_ENOTFOUND && sim_judge_may_be_gone(s, step))
		return;
	if (status != STEPBUS_OK && status != STEPBUS_EALREADY &&
	    !sim_judge_is_excused(s, p, status))
		sim_violate(s, step, "redrive", "status %d: %s", status, err.message);
	if (status == STEPBUS_ESTORE)
		s->doubtful_redrive = step + 1;
}

void sim_resume(sim *s, sim_process *p, int queue)
{
	const char *name = s->world.queues[queue].name;
	stepbus_status status = stepbus_queue_resume(p->engine, name, strlen(name), NULL);

	sim_note(s, "resume", -1, queue, status);
	/* Where it is not clear, it is not held against anybody. */
	if (status == STEPBUS_OK || status == STEPBUS_ESTORE)
		s->world.queues[queue].is_paused = false;
	else if (!sim_judge_is_excused(s, p, status))
		sim_violate(s, -1, "queue", "resuming: status %d", status);
}

void sim_pause(sim *s, sim_process *p)
{
	int queue = (int)sim_draw(s, QUEUE_COUNT);
	const char *name = s->world.queues[queue].name;
	stepbus_status status;

	if (s->world.queues[queue].is_paused || sim_chance(s, 500)) {
		sim_resume(s, p, queue);
		return;
	}
	status = stepbus_queue_pause(p->engine, name, strlen(name), NULL);
	sim_note(s, "pause", -1, queue, status);
	if (status != STEPBUS_OK && !sim_judge_is_excused(s, p, status))
		sim_violate(s, -1, "queue", "pausing: status %d", status);
	sim_model_end(s);
	s->world.queues[queue].is_paused = status == STEPBUS_OK;
}

void sim_wake(sim *s, sim_process *p)
{
	sim_note(s, "wake", -1, stepbus_engine_wake(p->engine, NULL), 0);
}

/* What the library tells of a step is what the store has. */
void sim_inquire(sim *s, sim_process *p)
{
	int step = draw_step_of(s);
	stepbus_outcome *outcome = NULL;
	const stepbus_completion *c;
	char result[TEXT_LEN];
	stepbus_status status;

	if (step < 0)
		return;
	status = stepbus_step_await(p->engine, s->steps[step].id, 0, &outcome, NULL);
	sim_note(s, "await", step, status, s->steps[step].row.state);
	if (!sim_judge_may_be_gone(s, step) &&
	    (status == STEPBUS_OK || status == STEPBUS_ETIMEDOUT || status == STEPBUS_ENOTFOUND))
		CHRONICLE(s, LOG_SEEN, p, s->steps[step].row.id, status != STEPBUS_ENOTFOUND);
	if ((status == STEPBUS_ENOTFOUND && !sim_judge_may_be_gone(s, step)) ||
	    (status == STEPBUS_OK) != (is_final(&s->steps[step]) && status == STEPBUS_OK))
		sim_violate(s, step, "Q19", "status %d of a step in state %d", status,
			    s->steps[step].row.state);
	c = stepbus_outcome_completion(outcome);
	(void)snprintf(result, sizeof result, "%d", s->steps[step].result);
	if (status == STEPBUS_OK && c->outcome == STEPBUS_OUTCOME_SUCCESS &&
	    (c->result_len != strlen(result) || memcmp(c->result, result, c->result_len) != 0))
		sim_violate(s, step, "Q4", "its result is not the accepted one");
	stepbus_outcome_free(outcome);
}

void sim_turn(sim *s, sim_process *p)
{
	sb_still_part part = (sb_still_part)sim_draw(s, 3);

	sim_note(s, "turn", -1, (int64_t)part, sb_still_turn(p->engine, part));
}
