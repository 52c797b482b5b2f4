/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/record.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "lib/record.js writes the low word of a 64-bit number first"
#endif

/* NOLINTBEGIN(bugprone-macro-parentheses): members and types take none */
#define TEXT(type, member)                                                       \
	{                                                                        \
		.name = #member, .kind = SBN_TEXT, .at = offsetof(type, member), \
		.len_at = offsetof(type, member##_len)                           \
	}
#define SHARED(type, member)                                                     \
	{                                                                        \
		.name = #member, .kind = SBN_TEXT, .at = offsetof(type, member), \
		.len_at = offsetof(type, member##_len), .is_shared = 1           \
	}
#define NUMBER(type, member, kind_)                                          \
	{                                                                    \
		.name = #member, .kind = kind_, .at = offsetof(type, member) \
	}
#define INT64(type, member) NUMBER(type, member, SBN_INT64)
#define INT32(type, member) NUMBER(type, member, SBN_INT32)
#define ID(type, member) NUMBER(type, member, SBN_ID)
#define LAYOUT(name_, type, fields_)                                                      \
	{                                                                                 \
		.name = name_, .fields = fields_,                                         \
		.field_count = sizeof(fields_) / sizeof(fields_)[0], .size = sizeof(type) \
	}

/* NOLINTEND(bugprone-macro-parentheses) */

enum { WORD = 4, TEXT_WORDS = 2, INT64_WORDS = 2, INT32_WORDS = 1, ID_WORDS = 4 };

#define S stepbus_step_spec
static const sbn_field step_fields[] = {
	TEXT(S, handler_name),
	TEXT(S, handler_namespace),
	TEXT(S, handler_version),
	TEXT(S, queue),
	TEXT(S, input),
	TEXT(S, content_type),
	TEXT(S, step_name),
	TEXT(S, step_config),
	TEXT(S, correlation_id),
	TEXT(S, traceparent),
	TEXT(S, caller),
	TEXT(S, tags),
	TEXT(S, concurrency_key),
	TEXT(S, idempotency_key),
	TEXT(S, unique_key),
	INT64(S, run_at_us),
	INT64(S, delay_ms),
	INT64(S, wait_timeout_ms),
	INT64(S, attempt_timeout_ms),
	INT64(S, total_timeout_ms),
	INT64(S, retry_base_ms),
	INT64(S, retry_cap_ms),
	INT64(S, unique_period_ms),
	INT32(S, unique_scope),
	INT32(S, unique_states),
	INT32(S, retry_kind),
	INT32(S, attempt_count_max),
	INT32(S, jitter_percent),
	INT32(S, priority),
};

#define H stepbus_handler_spec
static const sbn_field handler_fields[] = {
	TEXT(H, name),
	TEXT(H, handler_namespace),
	TEXT(H, version),
	TEXT(H, domain),
	TEXT(H, description),
	TEXT(H, capabilities),
	TEXT(H, config_schema),
	TEXT(H, permitted_queues),
	TEXT(H, permitted_callers),
	INT64(H, wait_timeout_ms),
	INT64(H, attempt_timeout_ms),
	INT64(H, total_timeout_ms),
	INT64(H, retry_base_ms),
	INT64(H, retry_cap_ms),
	INT32(H, flags),
	INT32(H, retry_kind),
	INT32(H, attempt_count_max),
	INT32(H, jitter_percent),
	INT32(H, concurrency_max),
	INT32(H, rate_per_minute),
};

#define C stepbus_completion
static const sbn_field completion_fields[] = {
	ID(C, step_id),
	INT64(C, token),
	INT32(C, outcome),
	INT32(C, is_retryable),
	INT64(C, retry_after_ms),
	INT64(C, execution_time_us),
	INT64(C, items_processed),
	TEXT(C, result),
	TEXT(C, content_type),
	TEXT(C, error_type),
	TEXT(C, error_message),
	TEXT(C, error_code),
	TEXT(C, metadata),
	TEXT(C, backtrace),
	TEXT(C, cursor),
};

#define E stepbus_step_event
static const sbn_field event_fields[] = {
	ID(E, step_id),
	INT64(E, token),
	SHARED(E, handler_name),
	SHARED(E, handler_namespace),
	SHARED(E, handler_version),
	TEXT(E, input),
	SHARED(E, content_type),
	SHARED(E, queue),
	SHARED(E, step_name),
	SHARED(E, step_config),
	SHARED(E, correlation_id),
	SHARED(E, traceparent),
	TEXT(E, cursor),
	TEXT(E, partial_result),
	INT32(E, retry_count),
	INT32(E, max_retries),
	INT64(E, items_processed),
	INT64(E, attempt_timeout_ms),
};

const sbn_layout sbn_step_layout = LAYOUT("step", S, step_fields);
const sbn_layout sbn_handler_layout = LAYOUT("handler", H, handler_fields);
const sbn_layout sbn_completion_layout = LAYOUT("completion", C, completion_fields);
const sbn_layout sbn_event_layout = LAYOUT("event", E, event_fields);

static size_t words_of(uint16_t kind)
{
	static const uint8_t words[] = { TEXT_WORDS, INT64_WORDS, INT32_WORDS, ID_WORDS };

	return words[kind];
}

size_t sbn_record_word_count(const sbn_layout *layout)
{
	size_t count = 0;

	for (uint32_t i = 0; i < layout->field_count; i++)
		count += words_of(layout->fields[i].kind);
	return count;
}

/* The members of a struct are reached by their offsets, which only memcpy may do for every type. */
static bool read_text(const sbn_field *field, const sbn_block *block, const uint32_t *words,
		      char *out)
{
	size_t offset = words[0];
	size_t len = words[1];
	const char *text = len > 0 ? block->bytes + offset : NULL;

	if (offset > block->bytes_len || len > block->bytes_len - offset)
		return false;
	memcpy(out + field->at, &text, sizeof text);
	memcpy(out + field->len_at, &len, sizeof len);
	return true;
}

bool sbn_record_read(const sbn_layout *layout, const sbn_block *block, size_t word_at, void *out)
{
	const uint32_t size = layout->size;
	const uint32_t *words = block->words + word_at;

	memset(out, 0, size);
	memcpy(out, &size, sizeof size);
	for (uint32_t i = 0; i < layout->field_count; i++) {
		const sbn_field *field = &layout->fields[i];
		size_t count = words_of(field->kind);

		if (field->kind != SBN_TEXT)
			memcpy((char *)out + field->at, words, count * WORD);
		else if (!read_text(field, block, words, out))
			return false;
		words += count;
	}
	return true;
}

typedef struct text {
	const char *data;
	size_t len;
} text;

static text text_of(const sbn_field *field, const void *from)
{
	text found;

	memcpy(&found.data, (const char *)from + field->at, sizeof found.data);
	memcpy(&found.len, (const char *)from + field->len_at, sizeof found.len);
	return found;
}

size_t sbn_record_bytes(const sbn_layout *layout, const void *from)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < layout->field_count; i++) {
		if (layout->fields[i].kind == SBN_TEXT)
			sum += text_of(&layout->fields[i], from).len;
	}
	return sum;
}

/* like: the same text of another record; words itself: there is none. */
static void write_text(text written, const sbn_block *block, uint32_t *words, const uint32_t *like,
		       size_t *used)
{
	if (like != words && like[1] == written.len &&
	    (written.len == 0 || memcmp(block->bytes + like[0], written.data, written.len) == 0)) {
		words[0] = like[0];
		words[1] = like[1];
		return;
	}
	words[0] = (uint32_t)*used;
	words[1] = (uint32_t)written.len;
	if (written.len > 0)
		memcpy(block->bytes + *used, written.data, written.len);
	*used += written.len;
}

void sbn_record_write(const sbn_layout *layout, const void *from, const sbn_block *block,
		      size_t word_at, size_t like_at, size_t *used)
{
	uint32_t *words = block->words + word_at;
	const uint32_t *like = like_at == SIZE_MAX ? words : block->words + like_at;

	for (uint32_t i = 0; i < layout->field_count; i++) {
		const sbn_field *field = &layout->fields[i];
		size_t count = words_of(field->kind);

		if (field->kind == SBN_TEXT)
			write_text(text_of(field, from), block, words,
				   field->is_shared ? like : words, used);
		else
			memcpy(words, (const char *)from + field->at, count * WORD);
		words += count;
		like += count;
	}
}

static napi_status add_field(napi_env env, napi_value fields, uint32_t at, const sbn_field *field)
{
	napi_value pair;
	napi_value name;
	napi_value kind;
	napi_status status = napi_create_array_with_length(env, 2, &pair);

	if (status == napi_ok)
		status = napi_create_string_utf8(env, field->name, NAPI_AUTO_LENGTH, &name);
	if (status == napi_ok)
		status = napi_create_uint32(env, field->kind, &kind);
	if (status == napi_ok)
		status = napi_set_element(env, pair, 0, name);
	if (status == napi_ok)
		status = napi_set_element(env, pair, 1, kind);
	return status == napi_ok ? napi_set_element(env, fields, at, pair) : status;
}

static napi_status add_layout(napi_env env, napi_value layouts, const sbn_layout *layout)
{
	napi_value fields;
	napi_status status = napi_create_array_with_length(env, layout->field_count, &fields);

	for (uint32_t i = 0; i < layout->field_count && status == napi_ok; i++)
		status = add_field(env, fields, i, &layout->fields[i]);
	return status == napi_ok ? napi_set_named_property(env, layouts, layout->name, fields) :
				   status;
}

napi_status sbn_record_layouts(napi_env env, napi_value *out)
{
	const sbn_layout *const all[] = { &sbn_step_layout, &sbn_handler_layout,
					  &sbn_completion_layout, &sbn_event_layout };
	napi_status status = napi_create_object(env, out);

	for (size_t i = 0; i < sizeof all / sizeof all[0] && status == napi_ok; i++)
		status = add_layout(env, *out, all[i]);
	return status;
}
