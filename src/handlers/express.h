/* SPDX-License-Identifier: MIT */
/*
 * Steps that start at once: where a worker has room and nothing waits before them, new steps are
 * inserted as claimed already. The two moves (enqueued, claimed) are then one row written once, in
 * one transaction: a handler starts after one wait for the disk, with its attempt charged.
 */
#ifndef SB_HANDLERS_EXPRESS_H
#define SB_HANDLERS_EXPRESS_H

#include "handlers/worker.h"

/*
 * Inside. Where the step may start at once, makes its status that of a claimed one and gives the
 * worker; else *worker becomes NULL and nothing changes. row is complete but for its id.
 */
stepbus_status sb_express_offer(stepbus *engine, const sb_step_row *row, sb_step_status *status,
				stepbus_worker **worker, stepbus_error *err);
/* Inside, once the step has its id: hands it to the worker. */
stepbus_status sb_express_claim(stepbus_worker *worker, const sb_step_row *row,
				const sb_step_status *status, stepbus_error *err);

#endif
