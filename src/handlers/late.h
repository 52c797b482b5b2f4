/* SPDX-License-Identifier: MIT */
/*
 * What a completion is told whose attempt had ended before it came. A host that is not sure whether
 * its completion got through may send it again: where it says what was accepted, all is well. What
 * ended the attempt otherwise (its time, its lease, another completion) is told apart.
 */
#ifndef SB_HANDLERS_LATE_H
#define SB_HANDLERS_LATE_H

#include "handlers/engine.h"

/*
 * After a refusal, whose message is in err. After STEPBUS_EALREADY: STEPBUS_OK where the content is the
 * same, STEPBUS_ETIMEDOUT, STEPBUS_ESTALE (its lease was lost), STEPBUS_ECANCELLED, or STEPBUS_EALREADY
 * again. After STEPBUS_ESTALE: STEPBUS_OK where it is the checkpoint that the step goes on from, since
 * the next attempt begins as soon as it is kept. Also what a reader of the store answers.
 */
stepbus_status sb_late_judge(stepbus *engine, const sb_settlement *settlement,
			     stepbus_status refusal, stepbus_error *err);

#endif
