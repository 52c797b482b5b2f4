/* SPDX-License-Identifier: MIT */
/* The exported functions that only look: at steps, queues, workers and the engine itself. */
#include "handlers/overview.h"

#include "ffi/arguments.h"
#include "ffi/step_choice.h"
#include "handlers/step_reader.h"

/* Looking goes on while an engine is stopped: what is there stays there. */
static stepbus_status check(const stepbus *engine, const void *out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	return status == STEPBUS_OK ? sb_engine_check(engine, false, err) : status;
}

static stepbus_status check_step(const stepbus *engine, const uint8_t *step_id, const void *out,
				 stepbus_error *err)
{
	stepbus_status status = sb_argument_check(step_id, "step_id", err);

	return status == STEPBUS_OK ? check(engine, out, err) : status;
}

stepbus_status stepbus_step_info(stepbus *engine, const uint8_t *step_id, stepbus_text **out,
				 stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_step(engine, step_id, out, err);

	return status == STEPBUS_OK ? sb_step_reader_info(engine, step_id, out, err) : status;
}

stepbus_status stepbus_step_attempts(stepbus *engine, const uint8_t *step_id, stepbus_text **out,
				     stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_step(engine, step_id, out, err);

	return status == STEPBUS_OK ? sb_step_reader_attempts(engine, step_id, out, err) : status;
}

static stepbus_status check_filter(stepbus *engine, const char *filter, size_t len, const void *out,
				   sb_step_choice *choice, stepbus_error *err)
{
	stepbus_status status = check(engine, out, err);

	if (status == STEPBUS_OK)
		status = sb_argument_check_text(filter, len, "filter", err);
	return status == STEPBUS_OK ?
		       sb_step_choice_read(engine, sb_slice_of(filter, len), choice, err) :
		       status;
}

stepbus_status stepbus_step_list(stepbus *engine, const char *filter, size_t len,
				 stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	sb_step_choice choice;
	stepbus_status status = check_filter(engine, filter, len, out, &choice, err);

	if (status != STEPBUS_OK)
		return status;
	status = sb_step_reader_list(engine, choice.is_none ? NULL : &choice.filter, out, err);
	sb_step_choice_free(&choice);
	return status;
}

stepbus_status stepbus_step_count(stepbus *engine, const char *filter, size_t len, uint64_t *count,
				  stepbus_error *err)
{
	SB_UNCANCELLED;
	sb_step_choice choice;
	int64_t found = 0;
	stepbus_status status = check_filter(engine, filter, len, count, &choice, err);

	if (status != STEPBUS_OK)
		return status;
	if (!choice.is_none)
		status =
			engine->store->type->step_count(engine->store, &choice.filter, &found, err);
	sb_step_choice_free(&choice);
	if (status == STEPBUS_OK)
		*count = (uint64_t)found;
	return status;
}

stepbus_status stepbus_queue_list(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, out, err);

	return status == STEPBUS_OK ? sb_overview_queues(engine, out, err) : status;
}

stepbus_status stepbus_worker_list(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, out, err);

	return status == STEPBUS_OK ? sb_overview_workers(engine, out, err) : status;
}

stepbus_status stepbus_engine_stats(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, out, err);

	return status == STEPBUS_OK ? sb_overview_stats(engine, out, err) : status;
}
