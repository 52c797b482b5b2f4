/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a step's end, and what it ended with. Who waits sleeps on the engine's count of steps
 * that became final, and looks again after every rise; and now and then anyway, since another
 * process may end the step. An outcome is one block of its own that outlives the engine.
 */
#ifndef SB_HANDLERS_OUTCOME_H
#define SB_HANDLERS_OUTCOME_H

#include "base/ids.h"
#include "handlers/engine.h"

struct stepbus_outcome {
	stepbus_host host;
	stepbus_completion completion; /* its texts are behind it */
	char texts[];
};

/* timeout_ms: 0 only looks, -1 waits for ever. STEPBUS_ETIMEDOUT: it is not final yet. */
stepbus_status sb_outcome_await(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				int64_t timeout_ms, stepbus_outcome **out, stepbus_error *err);
/* NULL is accepted. */
void sb_outcome_free(stepbus_outcome *outcome);

#endif
