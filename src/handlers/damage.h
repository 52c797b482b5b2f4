/* SPDX-License-Identifier: MIT */
/*
 * Rows that another program has changed so that what they say cannot be: a step without its row, a
 * state that does not belong where the step stands, a queue or a handler that is gone. Who meets one
 * while it goes through rows passes over it, so that what is wrong with one keeps nobody else's
 * steps; and says so here, where it is told once, however often it is met.
 *
 * By the leader of the writer.
 */
#ifndef SB_HANDLERS_DAMAGE_H
#define SB_HANDLERS_DAMAGE_H

#include "handlers/engine.h"

/*
 * Whether a row was answered for in a way that only that row explains. Only of use as long as
 * nothing was written for it: what was would be kept.
 */
bool sb_damage_is(stepbus_status status);
/* A row is passed over; why ends in NUL. */
void sb_damage_note(stepbus *engine, sb_damage_kind kind, int64_t id, const char *why);

#endif
