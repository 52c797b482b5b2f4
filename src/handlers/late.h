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
 * After STEPBUS_EALREADY, whose message is in err: STEPBUS_OK where the content is the same,
 * STEPBUS_ETIMEDOUT, STEPBUS_ESTALE (its lease was lost), STEPBUS_ECANCELLED, or STEPBUS_EALREADY
 * again. Also what a reader of the store answers.
 */
stepbus_status sb_late_judge(stepbus *engine, const sb_settlement *settlement, stepbus_error *err);

#endif
