/* SPDX-License-Identifier: MIT */
/*
 * Cron entries in the store: enqueueing what is due, once for each time, whoever gets to it first.
 */
#ifndef SB_HANDLERS_SCHEDULE_H
#define SB_HANDLERS_SCHEDULE_H

#include "handlers/engine.h"

/* Inside. Enqueues all that is due; next_us becomes the earliest time to come, 0: none. */
stepbus_status sb_schedule_fire(stepbus *engine, sb_store *store, int64_t *next_us,
				stepbus_error *err);

#endif
