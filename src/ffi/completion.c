/* SPDX-License-Identifier: MIT */
#include "ffi/completion.h"

#include "base/memory.h"

typedef struct sink {
	stepbus_host host;
	stepbus_complete_fn complete;
	void *user_data;
	void (*destroy)(void *user_data);
} sink;

/* What every completion must be, from whatever language it comes. */
stepbus_status sb_completion_check(const stepbus_completion *completion, stepbus_error *err)
{
	const stepbus_completion *checked = NULL;
	stepbus_status status =
		sb_payload_check_completion(completion, completion->size, &checked, err);

	if (status != STEPBUS_OK)
		return status;
	if (checked->outcome != STEPBUS_OUTCOME_SUCCESS &&
	    checked->outcome != STEPBUS_OUTCOME_FAILURE &&
	    checked->outcome != STEPBUS_OUTCOME_SNOOZE)
		return sb_fail(err, STEPBUS_EINVAL, "the outcome is %d: use STEPBUS_OUTCOME_…",
			       checked->outcome);
	if (checked->outcome == STEPBUS_OUTCOME_FAILURE && checked->error_type_len == 0)
		return sb_fail(err, STEPBUS_EINVAL, "a failure needs an error_type");
	return STEPBUS_OK;
}

static stepbus_status submit(void *context, const stepbus_step_event *step,
			     const stepbus_completion *completion, stepbus_error *err)
{
	const sink *s = context;
	stepbus_status status = sb_completion_check(completion, err);

	(void)step;

	return status == STEPBUS_OK ? s->complete(s->user_data, completion, err) : status;
}

static void close_door(void *context)
{
	sink *s = context;
	stepbus_host host = s->host;

	if (s->destroy != NULL)
		s->destroy(s->user_data);
	sb_release(&host, s);
}

stepbus_status sb_completion_door_new(const stepbus_host *host,
				      const stepbus_execution_options *options,
				      sb_completion_door *out, stepbus_error *err)
{
	sink *s = sb_alloc(host, sizeof *s);

	if (s == NULL)
		return sb_fail_memory(err, "make an execution subscriber");
	*s = (sink){ *host, options->complete, options->user_data, options->destroy };
	*out = (sb_completion_door){ .submit = submit, .context = s, .destroy = close_door };
	return STEPBUS_OK;
}

void sb_completion_door_abandon(const stepbus_host *host, sb_completion_door *door)
{
	sb_release(host, door->context);
	door->context = NULL;
}
