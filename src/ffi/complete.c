/* SPDX-License-Identifier: MIT */
/* The exported functions that take the results of steps in. */
#include "base/memory.h"
#include "ffi/arguments.h"
#include "ffi/completion.h"
#include "handlers/answer.h"

enum { COUNT_MAX = 100000, COUNT_AT_HAND = 64 };

/* What the first version of the header knew of a completion, and more than any will. */
enum { SIZE_MIN = offsetof(stepbus_completion, backtrace), SIZE_MOST = 4096 };

/* What a call brings: elements of one size, which need not be the one that this library knows. */
typedef struct row {
	const char *first;
	uint32_t size;
	stepbus_completion *copies; /* NULL: they are read where they are */
} row;

static stepbus_status read_one(const row *r, size_t i, const stepbus_completion **out,
			       stepbus_error *err)
{
	const stepbus_completion *given =
		(const stepbus_completion *)(const void *)(r->first + i * r->size);

	*out = given;
	if (given->size != r->size)
		return sb_fail(err, STEPBUS_EINVAL,
			       "it has size %u, and the first one has %u: each stepbus_completion "
			       "of a call "
			       "has the same",
			       given->size, r->size);
	if (r->copies == NULL)
		return STEPBUS_OK;
	*out = &r->copies[i];
	return sb_struct_take(&r->copies[i], sizeof *r->copies, given, "stepbus_completion", err);
}

static stepbus_status check_one(const stepbus *engine, const stepbus_completion *completion,
				stepbus_error *err)
{
	stepbus_status status = sb_completion_check(completion, err);

	return status == STEPBUS_OK ? sb_completion_check_limits(
					      completion, engine->options.payload_len_max, err) :
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

static stepbus_status complete(stepbus *engine, const row *given, sb_answer *answers, size_t count,
			       stepbus_status *each, stepbus_error *err)
{
	refusals r;

	r.checked_at = count;
	r.checked.size = sizeof r.checked;
	r.submitted.size = sizeof r.submitted;
	for (size_t i = 0; i < count; i++) {
		sb_answer *answer = &answers[i];
		stepbus_error *message = r.checked_at == count ? &r.checked : NULL;

		answer->status = read_one(given, i, &answer->completion, message);
		if (answer->status == STEPBUS_OK)
			answer->status = check_one(engine, answer->completion, message);
		if (answer->status != STEPBUS_OK && message != NULL)
			r.checked_at = i;
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
	if (status == STEPBUS_OK &&
	    (completions->size < SIZE_MIN || completions->size > SIZE_MOST ||
	     completions->size % _Alignof(stepbus_completion) != 0))
		return sb_fail(
			err, STEPBUS_EINVAL,
			"stepbus_completion has size %u: set it to sizeof(stepbus_completion)",
			completions->size);
	return status == STEPBUS_OK ? sb_engine_check(engine, false, err) : status;
}

static void dispose(const stepbus *engine, const row *given, sb_answer *answers,
		    const sb_answer *at_hand)
{
	if (answers != at_hand)
		sb_release(&engine->host, answers);
	sb_release(&engine->host, given->copies);
}

stepbus_status stepbus_complete(stepbus *engine, const stepbus_completion *completions,
				size_t count, stepbus_status *each, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_call(engine, completions, count, err);
	row given = { .first = (const char *)completions };
	sb_answer at_hand[COUNT_AT_HAND];
	sb_answer *answers = at_hand;
	bool is_strange;

	if (status != STEPBUS_OK)
		return status;
	given.size = completions->size;
	is_strange = given.size != sizeof *completions;
	if (is_strange)
		given.copies = sb_alloc_array(&engine->host, count, sizeof *given.copies);
	if (count > COUNT_AT_HAND)
		answers = sb_alloc_array(&engine->host, count, sizeof *answers);
	else
		memset(at_hand, 0, count * sizeof *at_hand);
	status = answers == NULL || (is_strange && given.copies == NULL) ?
			 sb_fail_memory(err, "take completions in") :
			 complete(engine, &given, answers, count, each, err);
	dispose(engine, &given, answers, at_hand);
	return status;
}

stepbus_status stepbus_release(stepbus *engine, const uint8_t *step_id, uint64_t token,
			       stepbus_error *err)
{
	SB_UNCANCELLED;
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
