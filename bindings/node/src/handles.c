/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/handles.h"

#include <stdlib.h>

#include "bindings/node/src/trouble.h"

enum { SLOT_COUNT_MIN = 16, SLOT_BITS = 16, SLOT_COUNT_MAX = 1 << SLOT_BITS };

/* A slot that is used again has another round, and so another handle. */
typedef struct slot {
	void *object;
	sbn_kind kind;
	uint32_t round;
} slot;

struct sbn_handles {
	slot *slots;
	size_t count;
};

static void free_table(napi_env env, void *data, void *hint)
{
	sbn_handles *handles = data;

	(void)env;
	(void)hint;
	free(handles->slots);
	free(handles);
}

napi_status sbn_handles_new(napi_env env)
{
	sbn_handles *handles = calloc(1, sizeof *handles);
	napi_status status;

	if (handles == NULL)
		return napi_generic_failure;
	status = napi_set_instance_data(env, handles, free_table, NULL);
	if (status != napi_ok)
		free(handles);
	return status;
}

sbn_handles *sbn_handles_of(napi_env env)
{
	void *data = NULL;

	return napi_get_instance_data(env, &data) == napi_ok && data != NULL ?
		       data :
		       (sbn_handles *)sbn_throw_napi(env);
}

static slot *free_slot(sbn_handles *handles)
{
	size_t count = handles->count == 0 ? SLOT_COUNT_MIN : handles->count * 2;
	slot *slots;

	for (size_t i = 0; i < handles->count; i++) {
		if (handles->slots[i].object == NULL)
			return &handles->slots[i];
	}
	slots = count > SLOT_COUNT_MAX ? NULL : realloc(handles->slots, count * sizeof *slots);
	if (slots == NULL)
		return NULL;
	handles->slots = slots;
	for (size_t i = handles->count; i < count; i++)
		slots[i] = (slot){ .object = NULL };
	handles->count = count;
	return &slots[count / 2 < SLOT_COUNT_MIN ? 0 : count / 2];
}

int64_t sbn_handle_add(sbn_handles *handles, sbn_kind kind, void *object)
{
	slot *found = free_slot(handles);

	if (found == NULL)
		return 0;
	found->object = object;
	found->kind = kind;
	found->round++;
	return ((int64_t)found->round << SLOT_BITS) | (found - handles->slots);
}

static slot *slot_of(const sbn_handles *handles, int64_t handle)
{
	size_t at = (size_t)(handle & (SLOT_COUNT_MAX - 1));

	if (at >= handles->count || handles->slots[at].object == NULL ||
	    handles->slots[at].round != (uint64_t)handle >> SLOT_BITS)
		return NULL;
	return &handles->slots[at];
}

void sbn_handle_remove(sbn_handles *handles, int64_t handle)
{
	slot *found = slot_of(handles, handle);

	if (found != NULL)
		found->object = NULL;
}

static void *refuse(napi_env env, sbn_kind kind)
{
	return sbn_throw(env, STEPBUS_EINVAL,
			 kind == SBN_ENGINE ? "the handle of an engine is needed; this is none, or "
					      "the engine was closed" :
					      "the handle of a worker is needed; this is none, or "
					      "the worker was closed");
}

void *sbn_handle_find(napi_env env, napi_value handle, sbn_kind kind)
{
	const sbn_handles *handles = sbn_handles_of(env);
	napi_valuetype type;
	double number = 0;
	const slot *found = NULL;

	if (handles == NULL)
		return NULL;
	if (napi_typeof(env, handle, &type) != napi_ok ||
	    (type == napi_number && napi_get_value_double(env, handle, &number) != napi_ok))
		return sbn_throw_napi(env);
	if (number >= 1 && number < 281474976710656.0)
		found = slot_of(handles, (int64_t)number);
	return found != NULL && found->kind == kind ? found->object : refuse(env, kind);
}
