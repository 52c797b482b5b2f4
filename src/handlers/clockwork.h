/* SPDX-License-Identifier: MIT */
/*
 * The loop thread of an engine: it sleeps until something is due and then tells the writer, or looks
 * itself where the store is not needed. Scheduled steps, heartbeats, attempts whose time is over,
 * the leases of others, cron, retention, and word from other processes all begin here. It never runs
 * host code, so that no handler can hold up a heartbeat.
 */
#ifndef SB_HANDLERS_CLOCKWORK_H
#define SB_HANDLERS_CLOCKWORK_H

#include "handlers/engine.h"

typedef struct sb_clockwork sb_clockwork;

stepbus_status sb_clockwork_start(stepbus *engine, sb_clockwork **out, stepbus_error *err);
/* Looks again now. Any thread. NULL (its engine is being closed) is accepted. */
void sb_clockwork_wake(sb_clockwork *clockwork);
/* The same, at everything, also what has just failed. */
void sb_clockwork_ask(sb_clockwork *clockwork);
/* An attempt's time is over at this elapsed time. Any thread. */
void sb_clockwork_expect(sb_clockwork *clockwork, int64_t elapsed_ns);
/* What the store would not take is to be tried again then. NULL is accepted. */
void sb_clockwork_try_again(sb_clockwork *clockwork, int64_t elapsed_ns);
/* A pull worker is to be measured then. */
void sb_clockwork_measure(sb_clockwork *clockwork, int64_t elapsed_ns);
/* This process has committed something that others may want to claim. Any thread. */
void sb_clockwork_tell_others(sb_clockwork *clockwork);
/* Instead of a thread: looks, where it would have. */
bool sb_clockwork_turn(sb_clockwork *clockwork);
/* Ends the thread; what it left to the writer is done first. */
void sb_clockwork_stop(sb_clockwork *clockwork);

#endif
