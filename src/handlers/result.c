/* SPDX-License-Identifier: MIT */
#include "handlers/result.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"

void sb_result_init(stepbus_result *result, const stepbus_host *host)
{
	memset(result, 0, sizeof *result);
	result->host = host;
	result->retry_after_ms = -1;
}

static void drop(stepbus_result *result, sb_result_part part)
{
	sb_release(result->host, result->kept[part]);
	result->kept[part] = NULL;
	result->parts[part] = sb_slice_of(NULL, 0);
}

static void drop_error(stepbus_result *result)
{
	drop(result, SB_RESULT_ERROR_TYPE);
	drop(result, SB_RESULT_ERROR_MESSAGE);
	drop(result, SB_RESULT_ERROR_CODE);
	drop(result, SB_RESULT_BACKTRACE);
}

void sb_result_free(stepbus_result *result)
{
	for (sb_result_part part = 0; part < SB_RESULT_PART_COUNT; part++)
		drop(result, part);
}

static bool keep(stepbus_result *result, sb_result_part part, sb_slice text)
{
	char *copy = NULL;

	if (text.len > 0) {
		copy = sb_alloc_copy(result->host, text.data, text.len);
		if (copy == NULL)
			return false;
	}
	/* Only now: text may be what the part held until here. */
	drop(result, part);
	result->kept[part] = copy;
	result->parts[part] = sb_slice_of(copy, text.len);
	return true;
}

/*
 * A failure must be recorded whatever a handler writes into it: too long is cut, bad bytes are
 * mended.
 */
static bool keep_clean(stepbus_result *result, sb_result_part part, sb_slice text, size_t len_max)
{
	if (text.len > len_max)
		text.len = sb_utf8_cut(text.data, len_max);
	if (!keep(result, part, text))
		return false;
	if (text.len > 0)
		sb_utf8_repair(result->kept[part], text.len);
	return true;
}

void sb_result_fail_plainly(stepbus_result *result, const char *error_type, const char *message,
			    bool is_retryable)
{
	drop(result, SB_RESULT_BYTES);
	drop(result, SB_RESULT_ERROR_TYPE);
	drop(result, SB_RESULT_ERROR_CODE);
	drop(result, SB_RESULT_BACKTRACE);
	result->outcome = STEPBUS_OUTCOME_FAILURE;
	result->is_retryable = is_retryable;
	result->retry_after_ms = -1;
	result->parts[SB_RESULT_ERROR_TYPE] = sb_slice_z(error_type);
	if (!keep_clean(result, SB_RESULT_ERROR_MESSAGE, sb_slice_z(message),
			SB_ERROR_MESSAGE_LEN_MAX)) {
		drop(result, SB_RESULT_ERROR_MESSAGE);
		result->parts[SB_RESULT_ERROR_MESSAGE] =
			sb_slice_z("out of memory for the message");
	}
}

static stepbus_status fail_memory(stepbus_result *result, stepbus_error *err)
{
	sb_result_fail_plainly(result, "handler_error",
			       "out of memory for the result of the handler", true);
	return sb_fail_memory(err, "keep the result of a handler");
}

stepbus_status sb_result_succeed(stepbus_result *result, sb_slice bytes, stepbus_error *err)
{
	if (!keep(result, SB_RESULT_BYTES, bytes))
		return fail_memory(result, err);
	drop_error(result);
	result->outcome = STEPBUS_OUTCOME_SUCCESS;
	result->is_retryable = false;
	result->retry_after_ms = -1;
	return STEPBUS_OK;
}

stepbus_status sb_result_fail(stepbus_result *result, const stepbus_failure *failure,
			      stepbus_error *err)
{
	sb_slice type = sb_slice_of(failure->error_type, failure->error_type_len);

	if (!keep_clean(result, SB_RESULT_ERROR_TYPE,
			type.len > 0 ? type : sb_slice_z("handler_error"), SB_ERROR_TYPE_LEN_MAX) ||
	    !keep_clean(result, SB_RESULT_ERROR_MESSAGE,
			sb_slice_of(failure->message, failure->message_len),
			SB_ERROR_MESSAGE_LEN_MAX) ||
	    !keep_clean(result, SB_RESULT_ERROR_CODE,
			sb_slice_of(failure->error_code, failure->error_code_len),
			SB_ERROR_TYPE_LEN_MAX) ||
	    !keep_clean(result, SB_RESULT_BACKTRACE,
			sb_slice_of(failure->backtrace, failure->backtrace_len),
			SB_BACKTRACE_LEN_MAX))
		return fail_memory(result, err);
	drop(result, SB_RESULT_BYTES);
	result->outcome = STEPBUS_OUTCOME_FAILURE;
	result->is_retryable = failure->is_retryable != 0;
	result->retry_after_ms = failure->retry_after_ms;
	return STEPBUS_OK;
}

void sb_result_snooze(stepbus_result *result, int64_t delay_ms)
{
	drop(result, SB_RESULT_BYTES);
	drop_error(result);
	result->outcome = STEPBUS_OUTCOME_SNOOZE;
	result->is_retryable = true;
	result->retry_after_ms = delay_ms;
}

stepbus_status sb_result_set(stepbus_result *result, sb_result_part part, sb_slice text,
			     stepbus_error *err)
{
	return keep(result, part, text) ? STEPBUS_OK :
					  sb_fail_memory(err, "keep the result of a handler");
}
