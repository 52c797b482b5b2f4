/* SPDX-License-Identifier: MIT */
#include "sim/sim/actions.h"

#include "sim/sim/chronicle.h"

enum {
	WEIGHT_SUM = 1000,
	DRAIN_ROUNDS_MAX = 4000,
	NS_PER_MS = 1000000,
	DRAIN_STEP_MS = 50,
	LIE_AFTER = 100
};

void sim_note(sim *s, const char *name, int step, int64_t a, int64_t b)
{
	trace_note(&s->trace, &(trace_entry){ .name = name,
					      .action = s->action_number,
					      .process = s->actor != NULL ? s->actor->number : 0,
					      .step = step,
					      .elapsed_us = s->world.elapsed_ns / 1000,
					      .a = a,
					      .b = b });
}

bool sim_is_lying(sim *s, sim_lie lie)
{
	if (s->options.lie != lie || s->has_lied || s->action_number < LIE_AFTER)
		return false;
	s->has_lied = true;
	return true;
}

/* How often of a thousand. */
static const struct choice {
	int weight;
	void (*act)(sim *s, sim_process *p);
} choices[] = {
	{ 90, sim_enqueue }, { 220, sim_poll },   { 220, sim_complete },     { 40, sim_repeat },
	{ 15, sim_beat },    { 20, sim_cancel },  { 20, sim_redrive },       { 10, sim_pause },
	{ 5, sim_wake },     { 20, sim_inquire }, { 301, sim_turn },         { 15, sim_fault },
	{ 6, sim_crash },    { 4, sim_stall },    { 6, sim_replace_worker }, { 3, sim_close },
	{ 5, sim_jump },
};

static void choose(sim *s, sim_process *p)
{
	int draw = (int)sim_draw(s, WEIGHT_SUM);

	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
		draw -= choices[i].weight;
		if (draw < 0) {
			choices[i].act(s, p);
			return;
		}
	}
}

/* A host whose store is dead opens it anew; what is cut off is gone. */
static void bury(sim *s, sim_process *p)
{
	if (!p->is_up || (!disk_is_cut(p->number) && !(p->was_broken && sim_chance(s, 20))))
		return;
	sim_model_begin(s, p);
	sim_crash(s, p);
}

void sim_act(sim *s)
{
	sim_process *p = &s->world.processes[sim_draw(s, (uint64_t)s->world.process_count)];

	s->action_number++;
	sim_let_time_pass(s);
	if (s->world.elapsed_ns < p->stalled_until_ns)
		return;
	sim_model_begin(s, p);
	if (p->is_up)
		choose(s, p);
	else if (sim_chance(s, 100))
		sim_restart(s, p);
	sim_model_end(s);
	p->was_starved = false;
	bury(s, p);
	chronicle_look(s);
}

static bool is_drained(const sim *s)
{
	for (int i = 0; i < s->step_count; i++)
		if (s->steps[i].is_there && s->steps[i].row.state < STEPBUS_STEP_COMPLETED)
			return false;
	return true;
}

/* Everything is well from here on. */
static void make_well(sim *s, sim_process *p)
{
	sim_model_begin(s, p);
	sim_process_heal(p);
	p->wall_skew_us = s->world.wall_highest_us - s->world.wall_base_us;
	if (p->is_up && p->was_broken)
		sim_crash(s, p);
	if (!p->is_up)
		sim_restart(s, p);
	for (int i = 0; i < s->world.worker_count; i++)
		if (p->workers[i] == NULL)
			(void)sim_worker_start(p, i);
	sim_model_end(s);
}

static void drain_round(sim *s, sim_process *p)
{
	s->action_number++;
	for (int i = 0; i < 3; i++) {
		sim_model_begin(s, p);
		(void)sb_still_turn(p->engine, (sb_still_part)i);
		sim_model_end(s);
	}
	sim_model_begin(s, p);
	sim_poll_all(s, p);
	sim_model_end(s);
	sim_model_begin(s, p);
	sim_complete_all(s, p);
	sim_model_end(s);
	chronicle_look(s);
}

void sim_drain(sim *s)
{
	sim_model_keep_wall_top(s);
	for (int i = 0; i < s->world.process_count; i++)
		make_well(s, &s->world.processes[i]);
	for (int i = 0; i < QUEUE_COUNT; i++) {
		sim_model_begin(s, &s->world.processes[0]);
		sim_resume(s, &s->world.processes[0], i);
		sim_model_end(s);
	}
	chronicle_look(s);
	for (int round = 0; round < DRAIN_ROUNDS_MAX && !s->is_violated; round++) {
		s->world.elapsed_ns += (int64_t)DRAIN_STEP_MS * NS_PER_MS;
		for (int i = 0; i < s->world.process_count; i++)
			drain_round(s, &s->world.processes[i]);
		if (is_drained(s))
			break;
	}
	for (int i = 0; i < s->world.process_count; i++) {
		sim_model_begin(s, &s->world.processes[i]);
		if (s->actor->is_up)
			(void)sb_still_turn(s->actor->engine, SB_STILL_NOTICES);
		sim_model_end(s);
	}
	for (int i = 0; i < s->step_count; i++) {
		const sim_step *st = &s->steps[i];
		const sim_attempt *a = st->newest >= 0 ? &s->attempts[st->newest] : NULL;

		if (!st->is_there || st->row.state >= STEPBUS_STEP_COMPLETED)
			continue;
		sim_violate(s, i, "Q14",
			    "it is in state %d for ever; attempt %lld is process %d's (life %d, "
			    "worker %lld), handed out %d, answered %d, over %d",
			    st->row.state, a != NULL ? (long long)a->token : 0,
			    a != NULL ? a->process : 0, a != NULL ? a->life : 0,
			    a != NULL ? (long long)a->worker_id : 0, a != NULL && a->is_polled,
			    a != NULL && a->is_done, a != NULL && a->is_over);
	}
}
