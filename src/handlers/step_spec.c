/* SPDX-License-Identifier: MIT */
#include "handlers/step_spec.h"

#include <stddef.h>

#include "base/json.h"
#include "base/utf8.h"
#include "registry/definition.h"
#include "store/step_state.h"

enum { KEY_LEN_MAX = 256, TEXT_LEN_MAX = 1024, CONFIG_LEN_MAX = 65536, TAGS_LEN_MAX = 4096 };

/* A text field of a spec, and what is allowed of it. */
typedef struct field {
	const char *name;
	size_t data_offset;
	size_t len_offset;
	size_t len_max;
	enum { FIELD_NAME, FIELD_TEXT, FIELD_BYTES } kind;
} field;

#define FIELD(member, max, kind)                                                       \
	{                                                                              \
#member, offsetof(stepbus_step_spec, member),                          \
			offsetof(stepbus_step_spec, member##_len), (size_t)(max), kind \
	}

static const field fields[] = {
	FIELD(handler_name, SB_NAME_LEN_MAX, FIELD_NAME),
	FIELD(handler_namespace, SB_NAME_LEN_MAX, FIELD_NAME),
	FIELD(handler_version, SB_VERSION_LEN_MAX, FIELD_TEXT),
	FIELD(queue, SB_NAME_LEN_MAX, FIELD_NAME),
	FIELD(caller, SB_NAME_LEN_MAX, FIELD_NAME),
	FIELD(step_name, SB_NAME_LEN_MAX, FIELD_TEXT),
	FIELD(content_type, SB_NAME_LEN_MAX, FIELD_TEXT),
	FIELD(correlation_id, TEXT_LEN_MAX, FIELD_TEXT),
	FIELD(traceparent, TEXT_LEN_MAX, FIELD_TEXT),
	FIELD(step_config, CONFIG_LEN_MAX, FIELD_TEXT),
	FIELD(tags, TAGS_LEN_MAX, FIELD_TEXT),
	FIELD(concurrency_key, KEY_LEN_MAX, FIELD_BYTES),
	FIELD(idempotency_key, KEY_LEN_MAX, FIELD_BYTES),
	FIELD(unique_key, KEY_LEN_MAX, FIELD_BYTES),
};

/* A number of a spec, which has to lie between 0 and its most. */
typedef struct number {
	const char *name;
	size_t offset;
} number;

static const number times[] = {
	{ "delay_ms", offsetof(stepbus_step_spec, delay_ms) },
	{ "wait_timeout_ms", offsetof(stepbus_step_spec, wait_timeout_ms) },
	{ "attempt_timeout_ms", offsetof(stepbus_step_spec, attempt_timeout_ms) },
	{ "total_timeout_ms", offsetof(stepbus_step_spec, total_timeout_ms) },
	{ "retry_base_ms", offsetof(stepbus_step_spec, retry_base_ms) },
	{ "retry_cap_ms", offsetof(stepbus_step_spec, retry_cap_ms) },
	{ "unique_period_ms", offsetof(stepbus_step_spec, unique_period_ms) },
};

static sb_slice slice_of(const stepbus_step_spec *spec, const field *f)
{
	const char *base = (const char *)spec;
	sb_slice text;

	memcpy(&text.data, base + f->data_offset, sizeof text.data);
	memcpy(&text.len, base + f->len_offset, sizeof text.len);
	return text;
}

static stepbus_status check_field(const field *f, sb_slice text, stepbus_error *err)
{
	if (text.len == 0)
		return STEPBUS_OK;
	if (text.data == NULL)
		return sb_fail(err, STEPBUS_EINVAL, "%s is NULL but has a length of %zu", f->name,
			       text.len);
	if (text.len > f->len_max)
		return sb_fail(err, STEPBUS_EINVAL, "%s has %zu bytes: at most %zu are allowed",
			       f->name, text.len, f->len_max);
	if (f->kind == FIELD_NAME)
		return sb_definition_check_name(text, f->name, err);
	if (f->kind == FIELD_TEXT && !sb_utf8_is_valid(text.data, text.len))
		return sb_fail(err, STEPBUS_EINVAL, "%s is not UTF-8, or holds a NUL", f->name);
	return STEPBUS_OK;
}

static stepbus_status check_times(const stepbus_step_spec *spec, stepbus_error *err)
{
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		int64_t value;

		memcpy(&value, (const char *)spec + times[i].offset, sizeof value);
		if (value < 0 || value > SB_STEP_SPEC_TIME_MS_MAX)
			return sb_fail(err, STEPBUS_EINVAL,
				       "%s is %lld: 0 to %lld (ten years) is allowed",
				       times[i].name, (long long)value,
				       (long long)SB_STEP_SPEC_TIME_MS_MAX);
	}
	if (spec->run_at_us < 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "run_at_us is %lld: a time before 1970 is not allowed",
			       (long long)spec->run_at_us);
	return STEPBUS_OK;
}

static stepbus_status check_choices(const stepbus_step_spec *spec, stepbus_error *err)
{
	const uint32_t scopes = STEPBUS_UNIQUE_QUEUE | STEPBUS_UNIQUE_HANDLER;

	if (spec->priority < 0 || spec->priority > SB_PRIORITY_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "priority is %d: 1 to %d is allowed, and 0 for %d", spec->priority,
			       SB_PRIORITY_MAX, SB_PRIORITY_DEFAULT);
	if (spec->retry_kind > STEPBUS_RETRY_FIBONACCI)
		return sb_fail(err, STEPBUS_EINVAL, "retry_kind is %u: use STEPBUS_RETRY_…",
			       spec->retry_kind);
	if (spec->jitter_percent > 100)
		return sb_fail(err, STEPBUS_EINVAL, "jitter_percent is %u: 0 to 100 is allowed",
			       spec->jitter_percent);
	if ((spec->unique_scope & ~scopes) != 0)
		return sb_fail(err, STEPBUS_EINVAL, "unique_scope is 0x%x: use STEPBUS_UNIQUE_…",
			       spec->unique_scope);
	if ((spec->unique_states & ~(((1U << SB_STEP_STATE_MAX) << 1) - 2)) != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "unique_states is 0x%x: use bits 1 << STEPBUS_STEP_…",
			       spec->unique_states);
	return STEPBUS_OK;
}

stepbus_status sb_step_spec_check(const stepbus_step_spec *spec, size_t payload_len_max,
				  stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	if (spec->flags != 0)
		return sb_fail(err, STEPBUS_EINVAL, "stepbus_step_spec has unknown flags 0x%x",
			       spec->flags);
	if (spec->handler_name_len == 0)
		return sb_fail(err, STEPBUS_EINVAL, "handler_name is missing");
	if (spec->input == NULL && spec->input_len > 0)
		return sb_fail(err, STEPBUS_EINVAL, "input is NULL but has a length of %zu",
			       spec->input_len);
	if (spec->input_len > payload_len_max)
		return sb_fail(err, STEPBUS_EINVAL,
			       "input has %zu bytes: at most %zu are allowed (payload_len_max)",
			       spec->input_len, payload_len_max);
	for (size_t i = 0; status == STEPBUS_OK && i < sizeof fields / sizeof *fields; i++)
		status = check_field(&fields[i], slice_of(spec, &fields[i]), err);
	if (status == STEPBUS_OK)
		status = check_times(spec, err);
	if (status == STEPBUS_OK)
		status = check_choices(spec, err);
	if (status == STEPBUS_OK && spec->step_config_len > 0)
		status = sb_json_check(sb_slice_of(spec->step_config, spec->step_config_len), true,
				       "step_config", err);
	return status;
}

size_t sb_step_spec_copied_len(const stepbus_step_spec *specs, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		len += specs[i].input_len;
		for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
			len += slice_of(&specs[i], &fields[f]).len;
	}
	return len;
}

static void copy_bytes(char **at, void *pointer, const void *data, size_t len)
{
	const char *copy = *at;

	if (len == 0)
		return;
	memcpy(*at, data, len);
	*at += len;
	memcpy(pointer, &copy, sizeof copy);
}

void sb_step_spec_copy(stepbus_step_spec *spec, char **at)
{
	copy_bytes(at, &spec->input, spec->input, spec->input_len);
	for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
		sb_slice text = slice_of(spec, &fields[f]);

		copy_bytes(at, (char *)spec + fields[f].data_offset, text.data, text.len);
	}
}
