/* SPDX-License-Identifier: MIT */
/*
 * What may happen next, and the drawing of it: calls of hosts, turns of threads, time, and faults.
 */
#ifndef TESTS_SIM_ACTIONS_H
#define TESTS_SIM_ACTIONS_H

#include "sim/sim/model.h"

/* One action of the seed. */
void sim_act(sim *s);
/* Ends all faults and runs until everything is final; a violation of Q14 where that does not come. */
void sim_drain(sim *s);

/* Parts of that, see host.c and faults.c. p is up. */
void sim_enqueue(sim *s, sim_process *p);
void sim_poll(sim *s, sim_process *p);
void sim_poll_all(sim *s, sim_process *p);
void sim_complete(sim *s, sim_process *p);
/* SUCCESS for all that this process has polled. */
void sim_complete_all(sim *s, sim_process *p);
void sim_repeat(sim *s, sim_process *p);
void sim_beat(sim *s, sim_process *p);
void sim_cancel(sim *s, sim_process *p);
void sim_redrive(sim *s, sim_process *p);
void sim_pause(sim *s, sim_process *p);
void sim_resume(sim *s, sim_process *p, int queue);
void sim_wake(sim *s, sim_process *p);
void sim_inquire(sim *s, sim_process *p);
void sim_turn(sim *s, sim_process *p);

void sim_fault(sim *s, sim_process *p);
void sim_crash(sim *s, sim_process *p);
void sim_restart(sim *s, sim_process *p);
void sim_stall(sim *s, sim_process *p);
void sim_replace_worker(sim *s, sim_process *p);
void sim_close(sim *s, sim_process *p);
void sim_jump(sim *s, sim_process *p);
void sim_let_time_pass(sim *s);

/* Whether to lie now; once in a seed, and not at once. */
bool sim_is_lying(sim *s, sim_lie lie);
/* Into the trace. */
void sim_note(sim *s, const char *name, int step, int64_t a, int64_t b);

#endif
