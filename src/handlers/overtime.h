/* SPDX-License-Identifier: MIT */
/*
 * Attempts whose time is over: those that take longer than their timeout, and those that were polled
 * by a host which has given no sign of them for longer than its worker's configuration allows. Whoever
 * runs them is told, and the retry path goes on without them.
 */
#ifndef SB_HANDLERS_OVERTIME_H
#define SB_HANDLERS_OVERTIME_H

#include "handlers/worker.h"

/* By the clockwork. Gives the elapsed time when the next one is over; INT64_MAX: none is known. */
int64_t sb_overtime_end(stepbus *engine);
/* When the time of an attempt that runs is over; INT64_MAX: never. */
int64_t sb_overtime_due_ns(const sb_claimed *claimed);

#endif
