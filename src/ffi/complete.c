/* SPDX-License-Identifier: MIT */
/* The exported functions that take the results of steps in. */
#include "base/memory.h"
#include "ffi/arguments.h"
#include "ffi/completion.h"
#include "handlers/answer.h"

enum { COUNT_MAX = 100000, COUNT_AT_HAND = 64 };

static stepbus_status check_one(const stepbus *engine, const stepbus_completion *completion,
				stepbus_error *err)
{
	stepbus_status status = sb_completion_check(completion, err);

	return status == STEPBUS_OK ?
		       sb_completion_check_limits(completion, engine->options.payload_len_max,
						  err) :
		       status;
}

/* What was refused before the call came to the store, and what was refused then. */
typedef struct refusals {
	size_t checked_at;
	stepbus_error checked;
	stepbus_error submitted;
} refusals;

/* The first one that was refused says what the call answers. */
static stepbus_status sum_up(const sb_answer *answers, size_t count, stepbus_status *each,
			     const refusals *r, stepbus_error *err)
{
	size_t first = count;

	for (size_t i = count; i-- > 0;) {
		if (each != NULL)
			each[i] = answers[i].status;
		if (answers[i].status != STEPBUS_OK)
			first = i;
	}
	if (first == count)
		return STEPBUS_OK;
	(void)sb_fail(err, answers[first].status, "%s",
		      first == r->checked_at ? r->checked.message : r->submitted.message);
	if (count > 1)
		sb_fail_where(err, "completion %zu: ", first);
	return answers[first].status;
}

static stepbus_status complete(stepbus *engine, const stepbus_completion *completions,
			       sb_answer *answers, size_t count, stepbus_status *each,
			       stepbus_error *err)
{
	refusals r;

	r.checked_at = count;
	r.checked.size = sizeof r.checked;
	r.submitted.size = sizeof r.submitted;
	for (size_t i = 0; i < count; i++) {
		const char *at = (const char *)completions + i * completions->size;

		answers[i].completion = (const stepbus_completion *)(const void *)at;
		answers[i].status = answers[i].completion->size != completions->size ?
					    STEPBUS_EINVAL :
					    check_one(engine, answers[i].completion,
						      r.checked_at == count ? &r.checked : NULL);
	}
	sb_answer_all(engine, answers, count, &r.submitted);
	return sum_up(answers, count, each, &r, err);
}

static stepbus_status check_call(const stepbus *engine, const stepbus_completion *completions,
				 size_t count, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(completions, "completions", err);
	if (status == STEPBUS_OK && (count == 0 || count > COUNT_MAX))
		return sb_fail(err, STEPBUS_EINVAL, "count is %zu: 1 to %d is allowed", count,
			       COUNT_MAX);
	return status == STEPBUS_OK ? sb_engine_check(engine, false, err) : status;
}

stepbus_status stepbus_complete(stepbus *engine, const stepbus_completion *completions,
				size_t count, stepbus_status *each, stepbus_error *err)
{
	stepbus_status status = check_call(engine, completions, count, err);
	sb_answer at_hand[COUNT_AT_HAND];
	sb_answer *answers = at_hand;

	if (status != STEPBUS_OK)
		return status;
	if (count > COUNT_AT_HAND)
		answers = sb_alloc_array(&engine->host, count, sizeof *answers);
	else
		memset(at_hand, 0, count * sizeof *at_hand);
	if (answers == NULL)
		return sb_fail_memory(err, "take completions in");
	status = complete(engine, completions, answers, count, each, err);
	if (answers != at_hand)
		sb_release(&engine->host, answers);
	return status;
}

stepbus_status stepbus_release(stepbus *engine, const uint8_t *step_id, uint64_t token,
			       stepbus_error *err)
{
	stepbus_completion completion = { .size = sizeof completion,
					  .outcome = STEPBUS_OUTCOME_RELEASE,
					  .token = token,
					  .retry_after_ms = -1 };
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(step_id, "step_id", err);
	if (status != STEPBUS_OK)
		return status;
	memcpy(completion.step_id, step_id, sizeof completion.step_id);
	return stepbus_complete(engine, &completion, 1, NULL, err);
}
