/* SPDX-License-Identifier: MIT */
/*
 * Suspects: steps whose worker ended before while their handler ran, and that would be given up if it
 * happened once more. A pool runs them alone, so that a step which does end its process takes no other
 * one into quarantine with it, and a step which only ran beside such a one gets its chance.
 *
 * "Alone" is bounded, since a handler may take days: a suspect waits for the others, and the others
 * for it, for no longer than a lease; but two suspects never run side by side.
 *
 * Under the lock of the worker, all of them. Nothing here is of a worker that is pulled.
 */
#ifndef SB_HANDLERS_SUSPECT_H
#define SB_HANDLERS_SUSPECT_H

#include "handlers/worker.h"

/* Takes out of the line what may begin now. NULL: nothing may; has_steps is told when that changes. */
sb_claimed *sb_suspect_take(stepbus_worker *worker);
/* A step that was taken is back in the line. */
void sb_suspect_note_return(stepbus_worker *worker, const sb_claimed *claimed);
/* One step fewer is claimed; it may be the one that others wait for. */
void sb_suspect_note_release(stepbus_worker *worker, const sb_claimed *claimed);
/* The line was emptied. */
void sb_suspect_note_empty(stepbus_worker *worker);

#endif
