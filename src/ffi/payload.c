/* SPDX-License-Identifier: MIT */
/* The exported functions that look into payloads. */
#include "bridge/payload.h"
#include "base/host.h"
#include "base/json.h"
#include "ffi/arguments.h"

typedef struct text_wish {
	stepbus_host host;
	stepbus_text **out;
} text_wish;

static stepbus_status use_text(void *context, const sb_json_field *field, stepbus_error *err)
{
	const text_wish *wish = context;

	if (field->kind != SB_JSON_TEXT)
		return sb_fail(err, STEPBUS_ENOTFOUND, "the payload has no such text field");
	return sb_text_new(&wish->host, field->text.data, field->text.len, wish->out, err);
}

static stepbus_status use_int(void *context, const sb_json_field *field, stepbus_error *err)
{
	int64_t *value = context;

	if (field->kind != SB_JSON_INT)
		return sb_fail(err, STEPBUS_ENOTFOUND, "the payload has no such integer field");
	*value = field->number;
	return STEPBUS_OK;
}

static stepbus_status check(const void *payload, size_t len, const char *field, const void *out,
			    stepbus_error *err)
{
	stepbus_status status = sb_argument_check_text(payload, len, "payload", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(field, "field", err);
	return status == STEPBUS_OK ? sb_argument_check(out, "where the value goes", err) : status;
}

stepbus_status stepbus_payload_text(const void *payload, size_t len, const char *field,
				    size_t field_len, stepbus_text **out, stepbus_error *err)
{
	text_wish wish = { .out = out };
	stepbus_status status = check(payload, len, field, out, err);

	if (status == STEPBUS_OK)
		status = sb_host_fill(NULL, &wish.host, err);
	if (status != STEPBUS_OK)
		return status;
	*out = NULL;
	return sb_json_field_read(sb_slice_of(payload, len), sb_slice_of(field, field_len),
				  use_text, &wish, err);
}

stepbus_status stepbus_payload_int(const void *payload, size_t len, const char *field,
				   size_t field_len, int64_t *value, stepbus_error *err)
{
	stepbus_status status = check(payload, len, field, value, err);

	if (status != STEPBUS_OK)
		return status;
	return sb_json_field_read(sb_slice_of(payload, len), sb_slice_of(field, field_len), use_int,
				  value, err);
}

stepbus_status stepbus_payload_step_event(const void *payload, size_t len,
					  const stepbus_step_event **out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(out, "out", err);

	return status == STEPBUS_OK ? sb_payload_check_step_event(payload, len, out, err) : status;
}

stepbus_status stepbus_payload_completion(const void *payload, size_t len,
					  const stepbus_completion **out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(out, "out", err);

	return status == STEPBUS_OK ? sb_payload_check_completion(payload, len, out, err) : status;
}
