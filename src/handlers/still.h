/* SPDX-License-Identifier: MIT */
/*
 * An engine that stands still (sb_engine_options): it has no threads, and does what they would do when
 * it is told to, on the thread that tells it. So a simulation decides in which order things happen,
 * and the same order happens again. One thread uses all of such an engine, its workers are polled, and
 * nothing ever waits: what would be waited for is worked off, or answered as if the time were over.
 *
 * Nothing here knows of simulations beyond that: what runs is what runs in every engine.
 */
#ifndef SB_HANDLERS_STILL_H
#define SB_HANDLERS_STILL_H

#include "handlers/engine.h"

typedef enum sb_still_part { SB_STILL_WRITER, SB_STILL_CLOCKWORK, SB_STILL_NOTICES } sb_still_part;

/* What that thread would do next. False: it sleeps. */
bool sb_still_turn(stepbus *engine, sb_still_part part);
/* Writer and notices, until both sleep. Of an engine with threads: nothing. */
void sb_still_work_off(stepbus *engine);

#endif
