/* SPDX-License-Identifier: MIT */
/*
 * Claiming: which ready steps become a worker's, inside the transaction of a group. Lanes (queue and
 * priority) come from the store, their order from claim_order.h; limits, pauses, and who serves what
 * are respected here. A step that cannot run here and now but stands first is parked, so that what
 * is behind it need not wait, and nothing is looked at twice.
 */
#ifndef SB_HANDLERS_CLAIM_H
#define SB_HANDLERS_CLAIM_H

#include "handlers/worker.h"

/* Inside. Claims for every worker of the engine that wants steps. */
stepbus_status sb_claim_all(stepbus *engine, stepbus_error *err);
/*
 * Inside, asked once for each transaction: what others have committed since the last one may be
 * there to be claimed.
 */
void sb_claim_note_changes(stepbus *engine);
/* Makes a status that of a claimed step. */
void sb_claim_grant(const stepbus_worker *worker, const sb_step_row *row, sb_step_status *status,
		    int64_t now_us);
/* Inside: the step is the worker's when the transaction is committed. */
stepbus_status sb_claim_hand_over(stepbus_worker *worker, const sb_step_row *row,
				  const sb_step_status *status, sb_known_handler *handler,
				  stepbus_error *err);
#endif
