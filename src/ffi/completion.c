/* SPDX-License-Identifier: MIT */
#include "ffi/completion.h"

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "registry/definition.h"

enum { CORRELATION_ID_LEN_MAX = 1024 };

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
	    checked->outcome != STEPBUS_OUTCOME_SNOOZE &&
	    checked->outcome != STEPBUS_OUTCOME_RELEASE)
		return sb_fail(err, STEPBUS_EINVAL, "the outcome is %d: use STEPBUS_OUTCOME_…",
			       checked->outcome);
	if (checked->outcome == STEPBUS_OUTCOME_FAILURE && checked->error_type_len == 0)
		return sb_fail(err, STEPBUS_EINVAL, "a failure needs an error_type");
	return STEPBUS_OK;
}

static stepbus_status check_len(const char *name, size_t len, size_t len_max, stepbus_error *err)
{
	if (len <= len_max)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL, "%s has %zu bytes: at most %zu are allowed", name, len,
		       len_max);
}

static stepbus_status check_numbers(const stepbus_completion *c, stepbus_error *err)
{
	const int64_t time_ms_max = 10LL * 366 * 24 * 3600 * 1000;

	if (c->is_retryable > 1)
		return sb_fail(err, STEPBUS_EINVAL, "is_retryable is %u: 0 or 1 is allowed",
			       c->is_retryable);
	if (c->execution_time_us < 0 || c->execution_time_us > time_ms_max * 1000)
		return sb_fail(err, STEPBUS_EINVAL,
			       "execution_time_us is %lld: 0 to %lld (ten years) is allowed",
			       (long long)c->execution_time_us, (long long)time_ms_max * 1000);
	if (c->retry_after_ms < -1 || c->retry_after_ms > time_ms_max)
		return sb_fail(err, STEPBUS_EINVAL,
			       "retry_after_ms is %lld: -1 to %lld (ten years) is allowed",
			       (long long)c->retry_after_ms, (long long)time_ms_max);
	return STEPBUS_OK;
}

stepbus_status sb_completion_check_limits(const stepbus_completion *c, size_t payload_len_max,
					  stepbus_error *err)
{
	const struct {
		const char *name;
		size_t len;
		size_t len_max;
	} texts[] = {
		{ "result", c->result_len, payload_len_max },
		{ "content_type", c->content_type_len, SB_NAME_LEN_MAX },
		{ "error_type", c->error_type_len, SB_NAME_LEN_MAX },
		{ "error_code", c->error_code_len, SB_NAME_LEN_MAX },
		{ "correlation_id", c->correlation_id_len, CORRELATION_ID_LEN_MAX },
		{ "handler_name", c->handler_name_len, SB_NAME_LEN_MAX },
		{ "handler_version", c->handler_version_len, SB_VERSION_LEN_MAX },
		{ "worker_id", c->worker_id_len, SB_NAME_LEN_MAX },
	};
	stepbus_status status = check_numbers(c, err);

	for (size_t i = 0; status == STEPBUS_OK && i < sizeof texts / sizeof *texts; i++)
		status = check_len(texts[i].name, texts[i].len, texts[i].len_max, err);
	if (status == STEPBUS_OK && !sb_utf8_is_valid(c->content_type, c->content_type_len))
		return sb_fail(err, STEPBUS_EINVAL, "content_type is not UTF-8, or holds a NUL");
	/* An error_message may be as long as it likes: it is cut, and mended, where it is kept. */
	if (status == STEPBUS_OK && c->metadata_len > 0)
		status = sb_json_check(sb_slice_of(c->metadata, c->metadata_len), true, "metadata",
				       err);
	return status;
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
