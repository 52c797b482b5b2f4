/* SPDX-License-Identifier: MIT */
#include "bridge/payload.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { DEPENDENCY_COUNT_MAX = 65536 };

/* Where a struct keeps a (pointer, length) pair. */
typedef struct pair {
	size_t pointer_offset;
	size_t len_offset;
	const char *name;
} pair;

#define PAIR(type, field)                                                            \
	{                                                                            \
		offsetof(type, field), offsetof(type, field##_len), #type "." #field \
	}

static const pair step_event_pairs[] = {
	PAIR(stepbus_step_event, correlation_id),
	PAIR(stepbus_step_event, step_name),
	PAIR(stepbus_step_event, handler_namespace),
	PAIR(stepbus_step_event, handler_name),
	PAIR(stepbus_step_event, handler_version),
	PAIR(stepbus_step_event, input),
	PAIR(stepbus_step_event, content_type),
	PAIR(stepbus_step_event, step_config),
	PAIR(stepbus_step_event, queue),
	PAIR(stepbus_step_event, traceparent),
	PAIR(stepbus_step_event, cursor),
	PAIR(stepbus_step_event, partial_result),
};

static const pair completion_pairs[] = {
	PAIR(stepbus_completion, correlation_id),  PAIR(stepbus_completion, handler_name),
	PAIR(stepbus_completion, handler_version), PAIR(stepbus_completion, worker_id),
	PAIR(stepbus_completion, result),          PAIR(stepbus_completion, content_type),
	PAIR(stepbus_completion, error_type),      PAIR(stepbus_completion, error_message),
	PAIR(stepbus_completion, error_code),      PAIR(stepbus_completion, metadata),
	PAIR(stepbus_completion, backtrace),       PAIR(stepbus_completion, cursor),
};

static const pair dependency_pairs[] = {
	PAIR(stepbus_dependency, step_name),
	PAIR(stepbus_dependency, result),
	PAIR(stepbus_dependency, content_type),
};

/*
 * The shape of a struct: how long it is, how long it was when hosts were first built with it, and which
 * pairs it has, in the order of its fields.
 */
typedef struct shape {
	const char *name;
	size_t len;
	size_t first_len;
	const pair *pairs;
	size_t pair_count;
} shape;

#define SHAPE(type, first_len, pairs)                                                       \
	{                                                                                   \
#type, sizeof(type), (first_len), (pairs), sizeof(pairs) / sizeof(*(pairs)) \
	}

static const shape step_event_shape =
	SHAPE(stepbus_step_event, offsetof(stepbus_step_event, queue), step_event_pairs);
static const shape completion_shape =
	SHAPE(stepbus_completion, offsetof(stepbus_completion, backtrace), completion_pairs);
static const shape dependency_shape =
	SHAPE(stepbus_dependency, sizeof(stepbus_dependency), dependency_pairs);

static const char *pointer_at(const void *base, const pair *p)
{
	const char *pointer;

	memcpy(&pointer, (const char *)base + p->pointer_offset, sizeof pointer);
	return pointer;
}

static size_t len_at(const void *base, const pair *p)
{
	size_t len;

	memcpy(&len, (const char *)base + p->len_offset, sizeof len);
	return len;
}

/* Those that a struct has: that of an older host ends before the fields that came later. */
static size_t pair_count_of(const shape *s, const void *base)
{
	size_t count = s->pair_count;
	uint32_t size;

	memcpy(&size, base, sizeof size);
	while (count > 0 && s->pairs[count - 1].len_offset + sizeof(size_t) > size)
		count--;
	return count;
}

static stepbus_status check_struct(const shape *s, const void *base, size_t len, stepbus_error *err)
{
	size_t pair_count;
	uint32_t size;

	if (base == NULL || len < s->first_len)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the payload has %zu bytes and so is no %s, which has %zu", len,
			       s->name, s->len);
	if ((uintptr_t)base % _Alignof(stepbus_step_event) != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the payload is no %s: its address is no multiple of %zu", s->name,
			       _Alignof(stepbus_step_event));
	memcpy(&size, base, sizeof size);
	if (size < s->first_len || size > len || size % _Alignof(stepbus_step_event) != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the payload is no %s: its size says %u, sizeof(%s) is %zu", s->name,
			       size, s->name, s->len);
	for (size_t i = s->len; i < size; i++)
		if (((const char *)base)[i] != 0)
			return sb_fail(
				err, STEPBUS_EINVAL,
				"%s has a field at byte %zu that library version %s does not "
				"know",
				s->name, i, STEPBUS_VERSION);
	pair_count = pair_count_of(s, base);
	for (size_t i = 0; i < pair_count; i++)
		if (pointer_at(base, &s->pairs[i]) == NULL && len_at(base, &s->pairs[i]) > 0)
			return sb_fail(err, STEPBUS_EINVAL, "%s is NULL but has a length of %zu",
				       s->pairs[i].name, len_at(base, &s->pairs[i]));
	return STEPBUS_OK;
}

static stepbus_status check_dependency(const stepbus_dependency *dependency, stepbus_error *err)
{
	stepbus_status status =
		check_struct(&dependency_shape, dependency, sizeof *dependency, err);

	if (status == STEPBUS_OK && dependency->reserved != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_dependency.reserved is %u: it must be 0",
			       dependency->reserved);
	return status;
}

static stepbus_status check_step_event(const stepbus_step_event *event, size_t len,
				       stepbus_error *err)
{
	stepbus_status status = check_struct(&step_event_shape, event, len, err);

	if (status != STEPBUS_OK)
		return status;
	if ((event->flags & ~(uint32_t)STEPBUS_STEP_PULLED) != 0)
		return sb_fail(err, STEPBUS_EINVAL, "stepbus_step_event has unknown flags 0x%x",
			       event->flags & ~(uint32_t)STEPBUS_STEP_PULLED);
	if (event->dependency_count > DEPENDENCY_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_step_event has %zu dependencies: at most %d are allowed",
			       event->dependency_count, DEPENDENCY_COUNT_MAX);
	if (event->dependency_count > 0 && event->dependencies == NULL)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_step_event.dependencies is NULL but has a count of %zu",
			       event->dependency_count);
	for (size_t i = 0; status == STEPBUS_OK && i < event->dependency_count; i++)
		status = check_dependency(&event->dependencies[i], err);
	return status;
}

stepbus_status sb_payload_check_step_event(const void *payload, size_t len,
					   const stepbus_step_event **out, stepbus_error *err)
{
	stepbus_status status = check_step_event(payload, len, err);

	if (status == STEPBUS_OK)
		*out = payload;
	return status;
}

stepbus_status sb_payload_take_step_event(const void *payload, size_t len, stepbus_step_event *room,
					  const stepbus_step_event **out, stepbus_error *err)
{
	stepbus_status status = sb_payload_check_step_event(payload, len, out, err);

	if (status != STEPBUS_OK || (*out)->size >= sizeof *room)
		return status;
	memset(room, 0, sizeof *room);
	memcpy(room, payload, (*out)->size);
	room->size = sizeof *room;
	*out = room;
	return STEPBUS_OK;
}

stepbus_status sb_payload_check_completion(const void *payload, size_t len,
					   const stepbus_completion **out, stepbus_error *err)
{
	const stepbus_completion *completion = payload;
	stepbus_status status = check_struct(&completion_shape, payload, len, err);

	if (status == STEPBUS_OK && completion->reserved != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_completion.reserved is %u: it must be 0",
			       completion->reserved);
	if (status == STEPBUS_OK)
		*out = payload;
	return status;
}

/*
 * Sums what a struct points at, a NUL behind each; false where that is more than memory could hold.
 */
static bool add_tail_len(const shape *s, const void *base, size_t *total)
{
	size_t pair_count = pair_count_of(s, base);

	for (size_t i = 0; i < pair_count; i++) {
		size_t len = len_at(base, &s->pairs[i]);

		if (len >= SIZE_MAX - *total)
			return false;
		*total += len + 1;
	}
	return true;
}

/* Moves what copy points at into the block at tail; returns the new tail. */
static char *move_tail(const shape *s, void *copy, char *tail)
{
	size_t pair_count = pair_count_of(s, copy);

	for (size_t i = 0; i < pair_count; i++) {
		const pair *p = &s->pairs[i];
		const char *source = pointer_at(copy, p);
		size_t len = len_at(copy, p);

		if (source == NULL)
			continue;
		if (len > 0)
			memcpy(tail, source, len);
		memcpy((char *)copy + p->pointer_offset, &tail, sizeof tail);
		tail += len + 1;
	}
	return tail;
}

static void *copy_step_event(const stepbus_host *host, const stepbus_step_event *event, size_t len)
{
	size_t count = event->dependency_count;
	/* Room to align the dependencies behind a struct of any length. */
	size_t dependencies_at = (len + 15) / 16 * 16;
	size_t total = dependencies_at + count * sizeof(stepbus_dependency);
	bool is_possible = add_tail_len(&step_event_shape, event, &total);
	stepbus_dependency *dependencies;
	stepbus_step_event *copy;
	char *tail;

	for (size_t i = 0; is_possible && i < count; i++)
		is_possible = add_tail_len(&dependency_shape, &event->dependencies[i], &total);
	copy = is_possible ? sb_alloc(host, total) : NULL;
	if (copy == NULL)
		return NULL;
	memcpy(copy, event, len);
	dependencies = (stepbus_dependency *)(void *)((char *)copy + dependencies_at);
	tail = (char *)(dependencies + count);
	tail = move_tail(&step_event_shape, copy, tail);
	for (size_t i = 0; i < count; i++) {
		dependencies[i] = event->dependencies[i];
		dependencies[i].size = sizeof *dependencies;
		tail = move_tail(&dependency_shape, &dependencies[i], tail);
	}
	copy->dependencies = dependencies;
	return copy;
}

static void *copy_completion(const stepbus_host *host, const stepbus_completion *completion,
			     size_t len)
{
	size_t total = len;
	void *copy =
		add_tail_len(&completion_shape, completion, &total) ? sb_alloc(host, total) : NULL;

	if (copy == NULL)
		return NULL;
	memcpy(copy, completion, len);
	move_tail(&completion_shape, copy, (char *)copy + len);
	return copy;
}

stepbus_status sb_payload_copy(const stepbus_host *host, sb_payload_kind kind, const void *payload,
			       size_t len, void **out, stepbus_error *err)
{
	const stepbus_step_event *event = NULL;
	const stepbus_completion *completion = NULL;
	stepbus_status status = STEPBUS_OK;

	*out = NULL;
	switch (kind) {
	case SB_PAYLOAD_STEP_EVENT:
		status = sb_payload_check_step_event(payload, len, &event, err);
		if (status == STEPBUS_OK && event != NULL)
			*out = copy_step_event(host, event, len);
		break;
	case SB_PAYLOAD_COMPLETION:
		status = sb_payload_check_completion(payload, len, &completion, err);
		if (status == STEPBUS_OK && completion != NULL)
			*out = copy_completion(host, completion, len);
		break;
	case SB_PAYLOAD_BYTES:
		if (payload == NULL && len > 0)
			return sb_fail(err, STEPBUS_EINVAL,
				       "the payload is NULL but has a length of %zu", len);
		*out = sb_alloc_copy(host, payload, len);
		break;
	}
	if (status == STEPBUS_OK && *out == NULL)
		return sb_fail_memory(err, "copy a payload into a queue");
	return status;
}
