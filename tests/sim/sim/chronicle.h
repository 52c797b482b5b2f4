/* SPDX-License-Identifier: MIT */
/*
 * What happened in a seed, as the checker of the torture runs reads it (torture/history): a second
 * opinion, which shares nothing with the rules of model.h. It judges seeds without retention and cron,
 * of which it knows nothing.
 */
#ifndef TESTS_SIM_CHRONICLE_H
#define TESTS_SIM_CHRONICLE_H

#include "sim/sim/model.h"

void chronicle_begin(sim *s);
/* kind: a LOG_ of history.h. p: NULL where it is nobody's. */
void chronicle_note(sim *s, char kind, const sim_process *p, const int64_t numbers[4]);
/* When all is over: the rows, and the verdict, which is a violation where it is none. */
void chronicle_end(sim *s);

#define CHRONICLE(s, kind, p, ...) chronicle_note(s, kind, p, (const int64_t[4]){ __VA_ARGS__ })

#endif
