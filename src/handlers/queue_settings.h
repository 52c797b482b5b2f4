/* SPDX-License-Identifier: MIT */
/*
 * Changing what is said of queues: limits, rates, pauses. A change is one operation of the writer;
 * what it makes room for is released and claimed at once, in this process and in others. Steps that
 * are parked beyond one transaction's worth come free in further ones.
 */
#ifndef SB_HANDLERS_QUEUE_SETTINGS_H
#define SB_HANDLERS_QUEUE_SETTINGS_H

#include "handlers/engine.h"

/*
 * One queue, made where there is none. change gets the row as it is and sets what is to be other; it
 * may be called more than once, and must not fail: what was asked for was checked before.
 */
typedef struct sb_queue_change {
	sb_slice name;
	void (*change)(void *context, sb_queue_row *row);
	void *context;
} sb_queue_change;

/* All of them, or none; then wakes whoever may claim. */
stepbus_status sb_queue_settings_change(stepbus *engine, const sb_queue_change *changes,
					size_t count, stepbus_error *err);

/* Changes of their own: context is not used. */
void sb_queue_settings_pause(void *context, sb_queue_row *row);
void sb_queue_settings_resume(void *context, sb_queue_row *row);

/* What is left of a rate's room under new settings, at this time. Pure. */
void sb_queue_settings_carry_rate(const sb_queue_row *before, sb_queue_row *after, int64_t now_us);

#endif
