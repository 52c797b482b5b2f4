/* SPDX-License-Identifier: MIT */
/*
 * Steps that start at once: where a worker has room and nothing waits before them, new steps are
 * inserted as claimed already. The two moves (enqueued, claimed) are then one row written once, in
 * one transaction: a handler starts after one wait for the disk, with its attempt charged.
 *
 * Steps come one by one, so of a batch the first ones would start, whatever the worker's strategy
 * says. Where that picks others, all of it is left to the claim at the end of the transaction.
 */
#ifndef SB_HANDLERS_EXPRESS_H
#define SB_HANDLERS_EXPRESS_H

#include "handlers/worker.h"

/* What is enqueued together, as far as it matters who of it starts first. */
typedef enum sb_express_batch {
	SB_EXPRESS_SINGLE,
	SB_EXPRESS_EVEN,  /* several steps of one priority */
	SB_EXPRESS_MIXED, /* of more than one */
} sb_express_batch;

sb_express_batch sb_express_batch_of(const stepbus_step_spec *specs, size_t count);

/*
 * Inside. Where the step may start at once, makes its status that of a claimed one and gives the
 * worker; else *worker becomes NULL and nothing changes. row is complete but for its id.
 */
stepbus_status sb_express_offer(stepbus *engine, sb_express_batch batch, const sb_step_row *row,
				sb_step_status *status, stepbus_worker **worker,
				stepbus_error *err);
/* Inside, once the step has its id: hands it to the worker. */
stepbus_status sb_express_claim(stepbus_worker *worker, const sb_step_row *row,
				const sb_step_status *status, stepbus_error *err);

#endif
