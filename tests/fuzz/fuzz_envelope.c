/* SPDX-License-Identifier: MIT */
/*
 * The structs that strangers hand in: step events, completions, checkpoints, specs of steps. Each is
 * filled from the bytes, with sizes of other versions, lengths without pointers and numbers of all
 * kinds, and stands at the end of its own block. What is accepted is copied, and the copy is the same.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "bridge/payload.h"
#include "ffi/checkpoint.h"
#include "ffi/completion.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "handlers/step_spec.h"

enum { TAIL_LEN = 64, PAYLOAD_LEN_MAX = 4096 };

/* A pair of a struct; now and then one that lies about itself. */
static void pair(fuzz_feed *feed, const void *pointer_at, const size_t *len_at)
{
	const uint8_t how = fuzz_feed_byte(feed);
	sb_slice text = sb_slice_of(NULL, 0);

	if (how >= 128)
		text = fuzz_feed_text(feed);
	if (how == 127)
		text.len = (size_t)fuzz_feed_odd(feed);
	memcpy((void *)(uintptr_t)pointer_at, &text.data, sizeof text.data);
	memcpy((void *)(uintptr_t)len_at, &text.len, sizeof text.len);
}

#define PAIR(feed, base, member) pair((feed), &(base)->member, &(base)->member##_len)

static uint32_t size_of(fuzz_feed *feed, size_t size)
{
	const uint8_t how = fuzz_feed_byte(feed);

	if (how < 160)
		return (uint32_t)size;
	if (how < 200)
		return (uint32_t)size + (how - 160u) * 8;
	return (uint32_t)fuzz_feed_odd(feed);
}

/* As long as its size says, up to some bytes more than there are fields; the caller frees it. */
static void *place(fuzz_feed *feed, const void *filled, size_t len, size_t *placed_len)
{
	const uint8_t how = fuzz_feed_byte(feed);
	char *block;

	*placed_len = how < 128 ? len : how % (len + TAIL_LEN);
	block = malloc(*placed_len > 0 ? *placed_len : 1);
	fuzz_check(block != NULL);
	memset(block, fuzz_feed_byte(feed) == 255, *placed_len);
	memcpy(block, filled, *placed_len < len ? *placed_len : len);
	return block;
}

static void same(const void *a, size_t a_len, const void *b, size_t b_len)
{
	fuzz_check(sb_slice_is_equal(sb_slice_of(a, a_len), sb_slice_of(b, b_len)));
	fuzz_check(a_len == 0 || a != b);
}

static void fill_completion(fuzz_feed *feed, stepbus_completion *c)
{
	*c = (stepbus_completion){ .size = size_of(feed, sizeof *c) };
	c->outcome = (int32_t)fuzz_feed_odd(feed);
	c->token = (uint64_t)fuzz_feed_odd(feed);
	c->execution_time_us = fuzz_feed_odd(feed);
	c->retry_after_ms = fuzz_feed_odd(feed);
	c->is_retryable = fuzz_feed_byte(feed) & 3;
	c->reserved = fuzz_feed_byte(feed) == 255;
	c->items_processed = (uint64_t)fuzz_feed_odd(feed);
	PAIR(feed, c, correlation_id);
	PAIR(feed, c, handler_name);
	PAIR(feed, c, handler_version);
	PAIR(feed, c, worker_id);
	PAIR(feed, c, result);
	PAIR(feed, c, content_type);
	PAIR(feed, c, error_type);
	PAIR(feed, c, error_message);
	PAIR(feed, c, error_code);
	PAIR(feed, c, metadata);
	PAIR(feed, c, backtrace);
	PAIR(feed, c, cursor);
}

static bool has_lie(const stepbus_completion *c)
{
	/* A length whose bytes are not there is nobody's to find out: such a struct is only looked at. */
	const size_t lens[] = { c->correlation_id_len, c->handler_name_len,  c->handler_version_len,
				c->worker_id_len,      c->result_len,        c->content_type_len,
				c->error_type_len,     c->error_message_len, c->error_code_len,
				c->metadata_len,       c->backtrace_len,     c->cursor_len };

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		if (lens[i] > 65536)
			return true;
	return false;
}

static void compare_completions(const stepbus_completion *c, const stepbus_completion *copy)
{
	fuzz_check(copy->outcome == c->outcome && copy->token == c->token);
	same(copy->correlation_id, copy->correlation_id_len, c->correlation_id,
	     c->correlation_id_len);
	same(copy->result, copy->result_len, c->result, c->result_len);
	same(copy->error_message, copy->error_message_len, c->error_message, c->error_message_len);
	same(copy->metadata, copy->metadata_len, c->metadata, c->metadata_len);
	if (c->size < sizeof *c)
		return;
	same(copy->backtrace, copy->backtrace_len, c->backtrace, c->backtrace_len);
	same(copy->cursor, copy->cursor_len, c->cursor, c->cursor_len);
	fuzz_check(copy->items_processed == c->items_processed);
}

static void check_completion(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const stepbus_completion *checked = NULL;
	stepbus_completion c;
	void *placed, *copy = NULL;
	size_t len;
	stepbus_status status;

	fill_completion(feed, &c);
	placed = place(feed, &c, sizeof c, &len);
	status = stepbus_payload_completion(placed, len, &checked, &err);
	fuzz_check((status == STEPBUS_OK) == (checked != NULL));
	fuzz_check(status == STEPBUS_OK || (status == STEPBUS_EINVAL && err.message[0] != '\0'));
	if (status == STEPBUS_OK && !has_lie(&c)) {
		fuzz_check(sb_payload_copy(fuzz_host(), SB_PAYLOAD_COMPLETION, placed, len, &copy,
					   &err) == STEPBUS_OK);
		compare_completions(checked, copy);
		sb_release(fuzz_host(), copy);
		/* Its size is right: what is asked of it does not go beyond. */
		if (checked->size >= sizeof c && sb_completion_check(checked, &err) == STEPBUS_OK)
			(void)sb_completion_check_limits(checked, PAYLOAD_LEN_MAX, &err);
	}
	free(placed);
}

static void fill_dependencies(fuzz_feed *feed, stepbus_step_event *e, stepbus_dependency *deps,
			      size_t max)
{
	const uint8_t how = fuzz_feed_byte(feed);

	e->dependency_count = how < 250 ? how % (max + 1) : (size_t)fuzz_feed_odd(feed);
	e->dependencies = e->dependency_count > 0 && how != 7 ? deps : NULL;
	/* More than there are is more than is allowed. */
	if (e->dependency_count > max && e->dependency_count <= 65536)
		e->dependency_count = max;
	for (size_t i = 0; i < max; i++) {
		deps[i] = (stepbus_dependency){ .size = size_of(feed, sizeof *deps),
						.reserved = fuzz_feed_byte(feed) == 255 };
		PAIR(feed, &deps[i], step_name);
		PAIR(feed, &deps[i], result);
		PAIR(feed, &deps[i], content_type);
	}
}

static void fill_event(fuzz_feed *feed, stepbus_step_event *e)
{
	*e = (stepbus_step_event){ .size = size_of(feed, sizeof *e) };
	e->flags = fuzz_feed_byte(feed) & 3;
	e->token = (uint64_t)fuzz_feed_odd(feed);
	PAIR(feed, e, correlation_id);
	PAIR(feed, e, step_name);
	PAIR(feed, e, handler_namespace);
	PAIR(feed, e, handler_name);
	PAIR(feed, e, handler_version);
	PAIR(feed, e, input);
	PAIR(feed, e, content_type);
	PAIR(feed, e, step_config);
	PAIR(feed, e, queue);
	PAIR(feed, e, traceparent);
	PAIR(feed, e, cursor);
	PAIR(feed, e, partial_result);
}

static bool event_has_lie(const stepbus_step_event *e)
{
	const size_t lens[] = {
		e->correlation_id_len, e->step_name_len,       e->handler_namespace_len,
		e->handler_name_len,   e->handler_version_len, e->input_len,
		e->content_type_len,   e->step_config_len,     e->queue_len,
		e->traceparent_len,    e->cursor_len,          e->partial_result_len
	};

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		if (lens[i] > 65536)
			return true;
	for (size_t i = 0; i < e->dependency_count; i++)
		if (e->dependencies[i].step_name_len > 65536 ||
		    e->dependencies[i].result_len > 65536 ||
		    e->dependencies[i].content_type_len > 65536)
			return true;
	return false;
}

static void compare_events(const stepbus_step_event *e, const stepbus_step_event *copy)
{
	fuzz_check(copy->token == e->token && copy->dependency_count == e->dependency_count);
	same(copy->handler_name, copy->handler_name_len, e->handler_name, e->handler_name_len);
	same(copy->input, copy->input_len, e->input, e->input_len);
	same(copy->step_config, copy->step_config_len, e->step_config, e->step_config_len);
	for (size_t i = 0; i < e->dependency_count; i++) {
		const stepbus_dependency *a = &e->dependencies[i], *b = &copy->dependencies[i];

		same(b->step_name, b->step_name_len, a->step_name, a->step_name_len);
		same(b->result, b->result_len, a->result, a->result_len);
	}
	if (e->size >= sizeof *e)
		same(copy->partial_result, copy->partial_result_len, e->partial_result,
		     e->partial_result_len);
}

static void check_event(fuzz_feed *feed)
{
	enum { DEPENDENCY_MAX = 3 };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_dependency dependencies[DEPENDENCY_MAX];
	const stepbus_step_event *checked = NULL, *taken = NULL;
	stepbus_step_event e, room;
	void *placed, *copy = NULL;
	size_t len;

	fill_event(feed, &e);
	fill_dependencies(feed, &e, dependencies, DEPENDENCY_MAX);
	placed = place(feed, &e, sizeof e, &len);
	if (stepbus_payload_step_event(placed, len, &checked, &err) != STEPBUS_OK) {
		fuzz_check(err.code == STEPBUS_EINVAL && err.message[0] != '\0');
	} else if (!event_has_lie(&e)) {
		fuzz_check(sb_payload_copy(fuzz_host(), SB_PAYLOAD_STEP_EVENT, placed, len, &copy,
					   &err) == STEPBUS_OK);
		compare_events(checked, copy);
		sb_release(fuzz_host(), copy);
		fuzz_check(sb_payload_take_step_event(placed, len, &room, &taken, &err) ==
			   STEPBUS_OK);
		fuzz_check(taken->size >= sizeof *taken && taken->token == e.token);
	}
	free(placed);
}

static void check_checkpoint(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_checkpoint_spec c = { .size = size_of(feed, sizeof c), .reserved = 0 }, known;
	void *placed;
	size_t len;

	c.reserved = fuzz_feed_byte(feed) == 255;
	c.items_processed = (uint64_t)fuzz_feed_odd(feed);
	PAIR(feed, &c, cursor);
	PAIR(feed, &c, partial_result);
	/* Its size is all that says how long it is: it is true here. */
	placed = place(feed, &c, sizeof c, &len);
	if (len >= sizeof c.size && ((stepbus_checkpoint_spec *)placed)->size > len)
		((stepbus_checkpoint_spec *)placed)->size = (uint32_t)len;
	if (len >= sizeof c.size &&
	    sb_checkpoint_take((const stepbus_checkpoint_spec *)placed, &known, &err) == STEPBUS_OK)
		fuzz_check(known.reserved == 0 && (known.cursor != NULL || known.cursor_len == 0));
	free(placed);
}

static void fill_spec(fuzz_feed *feed, stepbus_step_spec *s)
{
	*s = (stepbus_step_spec){ .size = sizeof *s, .flags = fuzz_feed_byte(feed) == 255 };
	PAIR(feed, s, handler_name);
	PAIR(feed, s, handler_namespace);
	PAIR(feed, s, handler_version);
	PAIR(feed, s, queue);
	PAIR(feed, s, input);
	PAIR(feed, s, content_type);
	PAIR(feed, s, step_name);
	PAIR(feed, s, step_config);
	PAIR(feed, s, correlation_id);
	PAIR(feed, s, traceparent);
	PAIR(feed, s, caller);
	PAIR(feed, s, tags);
	PAIR(feed, s, concurrency_key);
	PAIR(feed, s, idempotency_key);
	PAIR(feed, s, unique_key);
	s->run_at_us = fuzz_feed_odd(feed);
	s->delay_ms = fuzz_feed_odd(feed);
	s->wait_timeout_ms = fuzz_feed_odd(feed);
	s->attempt_timeout_ms = fuzz_feed_odd(feed);
	s->total_timeout_ms = fuzz_feed_odd(feed);
	s->retry_base_ms = fuzz_feed_odd(feed);
	s->retry_cap_ms = fuzz_feed_odd(feed);
	s->unique_period_ms = fuzz_feed_odd(feed);
	s->unique_scope = (uint32_t)fuzz_feed_odd(feed);
	s->unique_states = (uint32_t)fuzz_feed_odd(feed);
	s->retry_kind = (uint32_t)fuzz_feed_odd(feed);
	s->jitter_percent = (uint32_t)fuzz_feed_odd(feed);
	s->priority = (int32_t)fuzz_feed_odd(feed);
}

static void check_spec(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_step_spec spec, copy;
	char *block, *at;
	size_t len;

	fill_spec(feed, &spec);
	/* Texts have limits that are looked at before their bytes are, all but lies within them. */
	if (spec.handler_name_len > 0 &&
	    sb_step_spec_check(&spec, PAYLOAD_LEN_MAX, &err) != STEPBUS_OK) {
		fuzz_check(err.code == STEPBUS_EINVAL && err.message[0] != '\0');
		return;
	}
	if (spec.handler_name_len == 0)
		return;
	len = sb_step_spec_copied_len(&spec, 1);
	block = malloc(len > 0 ? len : 1);
	fuzz_check(block != NULL);
	at = block;
	copy = spec;
	sb_step_spec_copy(&copy, &at);
	fuzz_check(at == block + len);
	same(copy.handler_name, copy.handler_name_len, spec.handler_name, spec.handler_name_len);
	same(copy.input, copy.input_len, spec.input, spec.input_len);
	same(copy.unique_key, copy.unique_key_len, spec.unique_key, spec.unique_key_len);
	fuzz_check(spec.run_at_us >= 0 && spec.delay_ms <= SB_STEP_SPEC_TIME_MS_MAX);
	free(block);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	static void (*const checks[])(fuzz_feed * feed) = { check_completion, check_event,
							    check_checkpoint, check_spec };
	fuzz_feed feed;

	fuzz_feed_begin(&feed, bytes, len);
	checks[fuzz_feed_below(&feed, 4)](&feed);
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
