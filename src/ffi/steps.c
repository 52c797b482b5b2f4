/* SPDX-License-Identifier: MIT */
/* The exported functions that put steps in and take their results in. */
#include "handlers/enqueue.h"

#include "ffi/arguments.h"
#include "ffi/completion.h"
#include "handlers/submit.h"

/* Elements of an array are read where they are: they have the size that this library knows. */
static stepbus_status check_array(const void *first, uint32_t size, size_t known_len,
				  const char *name, stepbus_error *err)
{
	(void)first;
	if (size == known_len)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL, "%s has size %u: set it to sizeof(%s), which is %zu",
		       name, size, name, known_len);
}

static stepbus_status check_spec(const stepbus *engine, const stepbus_step_spec *specs, size_t i,
				 stepbus_error *err)
{
	stepbus_status status =
		check_array(specs, specs[i].size, sizeof *specs, "stepbus_step_spec", err);

	if (status == STEPBUS_OK)
		status = sb_enqueue_check(&specs[i], engine->options.payload_len_max, err);
	if (status != STEPBUS_OK)
		sb_fail_where(err, "step %zu: ", i);
	return status;
}

static stepbus_status check(const stepbus *engine, const stepbus_step_spec *specs, size_t count,
			    const stepbus_enqueued *out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(specs, "specs", err);
	if (status == STEPBUS_OK && (count == 0 || count > SB_ENQUEUE_COUNT_MAX))
		return sb_fail(err, STEPBUS_EINVAL, "count is %zu: 1 to %d is allowed", count,
			       SB_ENQUEUE_COUNT_MAX);
	if (status == STEPBUS_OK && out != NULL)
		status = check_array(out, out->size, sizeof *out, "stepbus_enqueued", err);
	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, true, err);
	for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
		status = check_spec(engine, specs, i, err);
	return status;
}

stepbus_status stepbus_step_enqueue(stepbus *engine, const stepbus_step_spec *specs, size_t count,
				    stepbus_enqueued *out, stepbus_error *err)
{
	stepbus_status status = check(engine, specs, count, out, err);

	return status == STEPBUS_OK ? sb_enqueue_perform(engine, specs, count, out, err) : status;
}

stepbus_status stepbus_step_enqueue_async(stepbus *engine, const stepbus_step_spec *specs,
					  size_t count, stepbus_enqueued_fn done, void *user_data,
					  stepbus_error *err)
{
	stepbus_status status = check(engine, specs, count, NULL, err);

	return status == STEPBUS_OK ?
		       sb_enqueue_submit(engine, specs, count, done, user_data, err) :
		       status;
}

stepbus_status stepbus_complete(stepbus *engine, const stepbus_completion *completion,
				stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(completion, "completion", err);
	if (status == STEPBUS_OK)
		status = sb_completion_check(completion, err);
	if (status == STEPBUS_OK)
		status = sb_completion_check_limits(completion, engine->options.payload_len_max,
						    err);
	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, true, err);
	return status == STEPBUS_OK ? sb_submit_completion(engine, completion, err) : status;
}
