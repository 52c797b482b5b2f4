/* SPDX-License-Identifier: MIT */
/*
 * What happens in a seed, as the checker of the torture runs reads it (torture/history): a second
 * opinion, which shares nothing with the rules of model.h. It looks behind each action at the steps
 * that something was noted of, and in the end at everything.
 *
 * What it is told is what was called and answered, and what the observer read: states, tokens, counts,
 * records of attempts, digests of inputs and, in the end, of results. The model's word are the numbers
 * of steps where they have none in their input (of a schedule), keys, and which attempt a result is of.
 * Where the store removes what is old, it is told of no keys: that one is free again it does not know.
 */
#ifndef TESTS_SIM_CHRONICLE_H
#define TESTS_SIM_CHRONICLE_H

#include "sim/sim/model.h"

void chronicle_begin(sim *s);
/* kind: a LOG_ of history.h. p: NULL where it is nobody's. */
void chronicle_note(sim *s, char kind, const sim_process *p, const int64_t numbers[4]);
/* -1 where the checker is told of no keys. */
int chronicle_key(const sim *s, int key);
/* The observer sees another row of it; and records of attempts, where it ran before or is final now. */
void chronicle_change(sim *s, int step, const sim_row *now);
/* Behind an action: the checker looks; what it finds is a violation. */
void chronicle_look(sim *s);
/* What the library says it has in that state when all is over. */
void chronicle_count(sim *s, int state, uint64_t count);
/* When all is over: all rows, and the verdict on everything. */
void chronicle_end(sim *s);

/* Names, in brackets, the rules that had nothing to judge in any seed since it was told to forget. */
void chronicle_print_unseen(void);
void chronicle_forget(void);

#define CHRONICLE(s, kind, p, ...) chronicle_note(s, kind, p, (const int64_t[4]){ __VA_ARGS__ })

#endif
