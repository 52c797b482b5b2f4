/* SPDX-License-Identifier: MIT */
/* The exported function that keeps how far a step has come. */
#include "ffi/checkpoint.h"

#include <string.h>

#include "ffi/arguments.h"
#include "handlers/engine.h"

stepbus_status sb_checkpoint_take(const stepbus_checkpoint_spec *given,
				  stepbus_checkpoint_spec *known, stepbus_error *err)
{
	stepbus_status status =
		sb_struct_take(known, sizeof *known, given, "stepbus_checkpoint_spec", err);

	if (status == STEPBUS_OK && known->reserved != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_checkpoint_spec.reserved is %u: it must be 0",
			       known->reserved);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(known->cursor, known->cursor_len, "cursor", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(known->partial_result, known->partial_result_len,
						"partial_result", err);
	if (status == STEPBUS_OK && known->items_processed > INT64_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "items_processed is %llu: at most %lld is allowed",
			       (unsigned long long)known->items_processed, (long long)INT64_MAX);
	return status;
}

stepbus_status stepbus_checkpoint(stepbus *engine, const stepbus_checkpoint_spec *checkpoint,
				  stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_completion completion = { .size = sizeof completion,
					  .outcome = STEPBUS_OUTCOME_CHECKPOINT,
					  .retry_after_ms = -1 };
	stepbus_checkpoint_spec known;
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_checkpoint_take(checkpoint, &known, err);
	if (status != STEPBUS_OK)
		return status;
	/* The completion has a name of its own for it. */
	if (known.partial_result_len > engine->options.payload_len_max)
		return sb_fail(err, STEPBUS_EINVAL,
			       "partial_result has %zu bytes: at most %zu are allowed",
			       known.partial_result_len, engine->options.payload_len_max);
	memcpy(completion.step_id, known.step_id, sizeof completion.step_id);
	completion.token = known.token;
	completion.items_processed = known.items_processed;
	completion.cursor = known.cursor;
	completion.cursor_len = known.cursor_len;
	completion.result = known.partial_result;
	completion.result_len = known.partial_result_len;
	return stepbus_complete(engine, &completion, 1, NULL, err);
}
