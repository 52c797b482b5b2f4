/* SPDX-License-Identifier: MIT */
#include "registry/handler.h"

#include "base/clock.h"
#include "base/memory.h"
#include "registry/key.h"

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

static void copy_texts(sb_handler_facts *facts)
{
	char *tail = facts->texts;

	for (size_t i = 0; i < TEXT_FIELD_COUNT; i++) {
		sb_slice text = text_at(&facts->spec, &text_fields[i]);
		const char *kept = text.len > 0 ? tail : NULL;

		memcpy((char *)&facts->spec + text_fields[i].pointer_offset, &kept, sizeof kept);
		if (text.len == 0)
			continue;
		memcpy(tail, text.data, text.len);
		tail += text.len + 1;
	}
}

static void write_key(stepbus_handler *handler, const sb_handler_name *name, size_t texts_len)
{
	handler->key_len = (uint32_t)sb_key_len(name);
	handler->facts->key = handler->facts->texts + texts_len;
	sb_key_write(sb_handler_key(handler), name);
}

static sb_handler_facts *new_facts(const stepbus_host *host, const stepbus_handler_spec *spec,
				   size_t len)
{
	sb_handler_facts *facts = sb_alloc(host, sizeof *facts + len);

	if (facts == NULL)
		return NULL;
	facts->host = *host;
	facts->spec = *spec;
	facts->registered_at_us = sb_clock_now_us(host);
	copy_texts(facts);
	return facts;
}

stepbus_handler *sb_handler_new(sb_pool *pool, sb_gate *gate, const stepbus_host *host,
				const stepbus_handler_spec *spec)
{
	const sb_handler_name name = { sb_slice_of(spec->handler_namespace,
						   spec->handler_namespace_len),
				       sb_slice_of(spec->name, spec->name_len),
				       sb_slice_of(spec->version, spec->version_len) };
	size_t texts_len = 0;
	stepbus_handler *handler = sb_pool_take(pool);

	if (handler == NULL)
		return NULL;
	for (size_t i = 0; i < TEXT_FIELD_COUNT; i++)
		texts_len += text_at(spec, &text_fields[i]).len + 1;
	handler->facts = new_facts(host, spec, texts_len + sb_key_len(&name));
	if (handler->facts == NULL) {
		sb_pool_give(pool, handler);
		return NULL;
	}
	handler->facts->pool = pool;
	handler->facts->gate = gate;
	atomic_init(&handler->ref_count, 1);
	write_key(handler, &name, texts_len);
	return handler;
}

void sb_handler_abandon(stepbus_handler *handler)
{
	stepbus_host host;
	sb_pool *pool;

	if (handler == NULL)
		return;
	host = handler->facts->host;
	pool = handler->facts->pool;
	sb_release(&host, handler->facts);
	sb_pool_give(pool, handler);
}

/* Of a handler that is counted only. */
static void drop(stepbus_handler *handler)
{
	if (atomic_fetch_sub_explicit(&handler->ref_count, 1, memory_order_acq_rel) != 1)
		return;
	if (handler->facts->spec.destroy != NULL)
		handler->facts->spec.destroy(handler->facts->spec.user_data);
	sb_handler_abandon(handler);
}

/*
 * Turns the loans of a handler into references. Its gate belongs to the registry, which waits for
 * our frame before it goes; but only a handler that is still lent has a registry. False: there is
 * no frame to have, for want of memory.
 */
static bool call_in(stepbus_handler *handler)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *frame;

	if (thread == NULL || sb_guard_is_full(thread))
		return false;
	frame = sb_guard_push(thread);
	sb_guard_hold(&frame->item, sb_gate_keeper(handler->facts->gate));
	if (atomic_load_explicit(&handler->loan_state, memory_order_acquire) == SB_GUARD_LENDING) {
		sb_gate_close(handler->facts->gate);
		sb_guard_call_in(handler, &handler->loan_state, &handler->ref_count);
		sb_gate_open(handler->facts->gate);
	}
	sb_guard_pop(thread, frame);
	return true;
}

void sb_handler_unref_slowly(stepbus_handler *handler)
{
	uint64_t count = atomic_load_explicit(&handler->ref_count, memory_order_relaxed);
	uint32_t state, round = 0;

	/* In a forked child it is the parent's, whose threads and locks are not here. */
	if (!sb_pool_is_ours(handler->facts->pool))
		return;
	/*
	 * While it is lent, one reference is the registry's own. If there is no other, what is
	 * given back is a loan of another thread. While it is called in, the count is about to
	 * grow.
	 */
	while ((state = atomic_load_explicit(&handler->loan_state, memory_order_acquire)) !=
	       SB_GUARD_CALLED_IN) {
		if (state == SB_GUARD_CALLING_IN) {
			sb_guard_backoff(&round);
		} else if (count <= 1) {
			/* Without it the reference stays where it is: a leak, but no harm. */
			if (!call_in(handler))
				return;
			count = atomic_load_explicit(&handler->ref_count, memory_order_relaxed);
		} else if (atomic_compare_exchange_weak_explicit(&handler->ref_count, &count,
								 count - 1, memory_order_acq_rel,
								 memory_order_relaxed)) {
			return;
		}
	}
	drop(handler);
}

void sb_handler_count_run(stepbus_handler *handler, bool is_success, int64_t duration_us)
{
	int64_t longest = atomic_load_explicit(&handler->facts->longest_us, memory_order_relaxed);

	atomic_fetch_add_explicit(&handler->facts->run_count, 1, memory_order_relaxed);
	if (!is_success)
		atomic_fetch_add_explicit(&handler->facts->failure_count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&handler->facts->total_us, duration_us, memory_order_relaxed);
	while (duration_us > longest && !atomic_compare_exchange_weak_explicit(
						&handler->facts->longest_us, &longest, duration_us,
						memory_order_relaxed, memory_order_relaxed))
		;
}
