/* SPDX-License-Identifier: MIT */
/* The exported functions that wait for a step's end and tell of it. */
#include "handlers/outcome.h"

#include "ffi/arguments.h"

stepbus_status stepbus_step_await(stepbus *engine, const uint8_t *step_id, int64_t timeout_ms,
				  stepbus_outcome **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(step_id, "step_id", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK && timeout_ms < -1)
		return sb_fail(err, STEPBUS_EINVAL,
			       "timeout_ms is %lld: 0 only looks, -1 waits for ever",
			       (long long)timeout_ms);
	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, true, err);
	return status == STEPBUS_OK ? sb_outcome_await(engine, step_id, timeout_ms, out, err) :
				      status;
}

const stepbus_completion *stepbus_outcome_completion(const stepbus_outcome *outcome)
{
	return outcome != NULL ? &outcome->completion : NULL;
}

void stepbus_outcome_free(stepbus_outcome *outcome)
{
	sb_outcome_free(outcome);
}
