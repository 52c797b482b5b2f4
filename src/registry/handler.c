/* SPDX-License-Identifier: MIT */
#include "registry/handler.h"

#include "base/clock.h"
#include "base/memory.h"

/* The texts of a definition, by where the struct keeps them. */
typedef struct text_field {
	size_t pointer_offset;
	size_t len_offset;
} text_field;

#define TEXT_FIELD(field)                                                                          \
	{                                                                                          \
		offsetof(stepbus_handler_spec, field), offsetof(stepbus_handler_spec, field##_len) \
	}

static const text_field text_fields[] = {
	TEXT_FIELD(name),          TEXT_FIELD(handler_namespace), TEXT_FIELD(version),
	TEXT_FIELD(domain),        TEXT_FIELD(description),       TEXT_FIELD(capabilities),
	TEXT_FIELD(config_schema), TEXT_FIELD(permitted_queues),  TEXT_FIELD(permitted_callers),
};

enum { TEXT_FIELD_COUNT = sizeof text_fields / sizeof *text_fields };

static sb_slice text_at(const stepbus_handler_spec *spec, const text_field *field)
{
	sb_slice text;

	memcpy(&text.data, (const char *)spec + field->pointer_offset, sizeof text.data);
	memcpy(&text.len, (const char *)spec + field->len_offset, sizeof text.len);
	return text;
}

static void copy_texts(stepbus_handler *handler)
{
	char *tail = handler->texts;

	for (size_t i = 0; i < TEXT_FIELD_COUNT; i++) {
		sb_slice text = text_at(&handler->spec, &text_fields[i]);
		const char *kept = text.len > 0 ? tail : NULL;

		memcpy((char *)&handler->spec + text_fields[i].pointer_offset, &kept, sizeof kept);
		if (text.len == 0)
			continue;
		memcpy(tail, text.data, text.len);
		tail += text.len + 1;
	}
}

stepbus_handler *sb_handler_new(const stepbus_host *host, const stepbus_handler_spec *spec)
{
	size_t len = sizeof(stepbus_handler);
	stepbus_handler *handler;

	for (size_t i = 0; i < TEXT_FIELD_COUNT; i++)
		len += text_at(spec, &text_fields[i]).len + 1;
	handler = sb_alloc(host, len);
	if (handler == NULL)
		return NULL;
	atomic_init(&handler->ref_count, 1);
	handler->host = *host;
	handler->spec = *spec;
	handler->registered_at_us = sb_clock_now_us(host);
	copy_texts(handler);
	return handler;
}

void sb_handler_abandon(stepbus_handler *handler)
{
	stepbus_host host;

	if (handler == NULL)
		return;
	host = handler->host;
	sb_release(&host, handler);
}

void sb_handler_unref(stepbus_handler *handler)
{
	if (handler == NULL ||
	    atomic_fetch_sub_explicit(&handler->ref_count, 1, memory_order_acq_rel) != 1)
		return;
	if (handler->spec.destroy != NULL)
		handler->spec.destroy(handler->spec.user_data);
	sb_handler_abandon(handler);
}

void sb_handler_count_run(stepbus_handler *handler, bool is_success, int64_t duration_us)
{
	int64_t longest = atomic_load_explicit(&handler->longest_us, memory_order_relaxed);

	atomic_fetch_add_explicit(&handler->run_count, 1, memory_order_relaxed);
	if (!is_success)
		atomic_fetch_add_explicit(&handler->failure_count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&handler->total_us, duration_us, memory_order_relaxed);
	while (duration_us > longest &&
	       !atomic_compare_exchange_weak_explicit(&handler->longest_us, &longest, duration_us,
						      memory_order_relaxed, memory_order_relaxed))
		;
}
