/* SPDX-License-Identifier: MIT */
/*
 * The line of a pull worker as its host sees it: steps are taken out of it many at once, by whoever
 * polls, and the wake descriptor says whether there is something to take. What the line has in common
 * with that of a pool stands in worker_line.h.
 */
#ifndef SB_HANDLERS_HOST_LINE_H
#define SB_HANDLERS_HOST_LINE_H

#include <time.h>

#include "handlers/worker.h"

/*
 * The next steps, as a list of at most count_max that count as running; waits for the first one until a
 * time of CLOCK_MONOTONIC (NULL: not at all). STEPBUS_ETIMEDOUT, _EBUSY or _ESHUTDOWN.
 */
stepbus_status sb_host_line_take(stepbus_worker *worker, size_t count_max,
				 const struct timespec *until, sb_claimed **first);
/* Puts a list back in its order, for what sb_worker_line_put_back says. */
void sb_host_line_return(stepbus_worker *worker, sb_claimed *first);
/*
 * By whoever has put something into it: behind a stop nobody polls any more, where a pool would see to
 * what comes in. Of a worker with a pool it does nothing.
 */
void sb_host_line_see_to_stop(stepbus_worker *worker);
/* A step that was taken is answered: where all places were taken, one is free. */
void sb_host_line_leave(stepbus_worker *worker);
/* Whoever waits for steps looks whether the worker is being stopped. */
void sb_host_line_wake_all(stepbus_worker *worker);
/* The descriptor of stepbus_wake_fd. */
stepbus_status sb_host_line_open_wake(stepbus_worker *worker, int32_t kind, int32_t *fd,
				      stepbus_error *err);
/* Under the worker's lock: makes the descriptor readable, where there is something to take. */
void sb_host_line_tell(stepbus_worker *worker);

#endif
