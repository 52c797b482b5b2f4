/* SPDX-License-Identifier: MIT */
/* The exported functions that a running handler calls. */
#include "base/json.h"
#include "ffi/arguments.h"
#include "handlers/context.h"
#include "handlers/result.h"

static const int64_t retry_after_ms_max = INT64_C(366) * 24 * 3600 * 1000;

const stepbus_step_event *stepbus_context_step(const stepbus_context *context)
{
	return context != NULL ? context->step : NULL;
}

stepbus_status stepbus_context_dependency(const stepbus_context *context, const char *step_name,
					  size_t len, const stepbus_dependency **out,
					  stepbus_error *err)
{
	stepbus_status status = sb_argument_check(context, "context", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(step_name, "step_name", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	return status == STEPBUS_OK ?
		       sb_context_dependency(context, sb_slice_of(step_name, len), out, err) :
		       status;
}

int32_t stepbus_context_is_retry(const stepbus_context *context)
{
	return context != NULL && context->step->retry_count > 0;
}

stepbus_status stepbus_result_success(stepbus_result *result, const void *bytes, size_t len,
				      stepbus_error *err)
{
	stepbus_status status = sb_argument_check(result, "result", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check_text(bytes, len, "bytes", err);
	return status == STEPBUS_OK ? sb_result_succeed(result, sb_slice_of(bytes, len), err) :
				      status;
}

static stepbus_status check_failure(const stepbus_failure *failure, stepbus_error *err)
{
	stepbus_status status =
		sb_argument_check_text(failure->message, failure->message_len, "message", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check_text(failure->error_type, failure->error_type_len,
						"error_type", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(failure->error_code, failure->error_code_len,
						"error_code", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(failure->backtrace, failure->backtrace_len,
						"backtrace", err);
	if (status == STEPBUS_OK && failure->is_retryable > 1)
		return sb_fail(err, STEPBUS_EINVAL, "is_retryable is %u: 0 or 1 is allowed",
			       failure->is_retryable);
	if (status == STEPBUS_OK &&
	    (failure->retry_after_ms < -1 || failure->retry_after_ms > retry_after_ms_max))
		return sb_fail(err, STEPBUS_EINVAL, "retry_after_ms is %lld: -1 to %lld is allowed",
			       (long long)failure->retry_after_ms, (long long)retry_after_ms_max);
	return status;
}

stepbus_status stepbus_result_failure(stepbus_result *result, const stepbus_failure *failure,
				      stepbus_error *err)
{
	stepbus_failure known;
	stepbus_status status = sb_argument_check(result, "result", err);

	if (status == STEPBUS_OK)
		status = sb_struct_take(&known, sizeof known, failure, "stepbus_failure", err);
	if (status == STEPBUS_OK)
		status = check_failure(&known, err);
	return status == STEPBUS_OK ? sb_result_fail(result, &known, err) : status;
}

stepbus_status stepbus_result_set_content_type(stepbus_result *result, const char *content_type,
					       size_t len, stepbus_error *err)
{
	enum { CONTENT_TYPE_LEN_MAX = 128 };
	stepbus_status status = sb_argument_check(result, "result", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(content_type, "content_type", err);
	if (status == STEPBUS_OK && len > CONTENT_TYPE_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "content_type has %zu bytes: at most %d are allowed", len,
			       CONTENT_TYPE_LEN_MAX);
	for (size_t i = 0; status == STEPBUS_OK && i < len; i++)
		if (content_type[i] < 0x20 || content_type[i] > 0x7E)
			return sb_fail(err, STEPBUS_EINVAL, "content_type is not printable ASCII");
	if (status != STEPBUS_OK)
		return status;
	return sb_result_set(result, SB_RESULT_CONTENT_TYPE, sb_slice_of(content_type, len), err);
}

stepbus_status stepbus_result_set_metadata(stepbus_result *result, const char *metadata, size_t len,
					   stepbus_error *err)
{
	stepbus_status status = sb_argument_check(result, "result", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(metadata, "metadata", err);
	if (status == STEPBUS_OK)
		status = sb_json_check(sb_slice_of(metadata, len), true, "metadata", err);
	return status == STEPBUS_OK ?
		       sb_result_set(result, SB_RESULT_METADATA, sb_slice_of(metadata, len), err) :
		       status;
}

stepbus_status stepbus_result_snooze(stepbus_result *result, int64_t delay_ms, stepbus_error *err)
{
	const int64_t delay_ms_max = 10LL * 366 * 24 * 3600 * 1000;
	stepbus_status status = sb_argument_check(result, "result", err);

	if (status != STEPBUS_OK)
		return status;
	if (delay_ms < 0 || delay_ms > delay_ms_max)
		return sb_fail(err, STEPBUS_EINVAL,
			       "delay_ms is %lld: 0 to %lld (ten years) is allowed",
			       (long long)delay_ms, (long long)delay_ms_max);
	sb_result_snooze(result, delay_ms);
	return STEPBUS_OK;
}

stepbus_status stepbus_context_check(const stepbus_context *context)
{
	if (context == NULL || context->interruption == NULL)
		return STEPBUS_OK;
	return atomic_load_explicit(context->interruption, memory_order_relaxed);
}
