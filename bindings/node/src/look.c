/* SPDX-License-Identifier: MIT */
/*
 * Looking for results, of many steps in one task. It does not wait: that would hold a thread of Node's
 * pool, of which there are four, and with which the results are written that are waited for.
 */
#include "bindings/node/src/steps.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/node/src/arguments.h"
#include "bindings/node/src/batch.h"
#include "bindings/node/src/engine.h"
#include "bindings/node/src/task.h"
#include "bindings/node/src/trouble.h"

enum { ID_SIZE = 16, LOOK_COUNT_MAX = 100000 };

/* What became of one. */
typedef struct found {
	stepbus_status status;
	stepbus_outcome *outcome;
} found;

typedef struct look_task {
	sbn_task task;
	uint8_t *ids;
	found *found;
	size_t count;
} look_task;

static void run_look(sbn_task *task)
{
	look_task *looked = (look_task *)task;

	for (size_t i = 0; i < looked->count; i++)
		looked->found[i].status =
			stepbus_step_await(task->engine->engine, looked->ids + i * ID_SIZE, 0,
					   &looked->found[i].outcome, &task->err);
}

static napi_status answer_one(napi_env env, const found *one, napi_value *out)
{
	const stepbus_error none = STEPBUS_ERROR_INIT;

	if (one->status == STEPBUS_OK)
		return sbn_batch_write_completion(env, stepbus_outcome_completion(one->outcome),
						  out);
	if (one->status == STEPBUS_ETIMEDOUT)
		return napi_get_undefined(env, out);
	return sbn_error_new(env, one->status, &none, out);
}

static napi_status answer_look(napi_env env, sbn_task *task, napi_value *out)
{
	const look_task *looked = (const look_task *)task;
	napi_status status = napi_create_array_with_length(env, looked->count, out);

	for (size_t i = 0; i < looked->count && status == napi_ok; i++) {
		napi_value value;

		status = answer_one(env, &looked->found[i], &value);
		if (status == napi_ok)
			status = napi_set_element(env, *out, (uint32_t)i, value);
	}
	return status;
}

static void discard_look(sbn_task *task)
{
	look_task *looked = (look_task *)task;

	for (size_t i = 0; i < looked->count && looked->found != NULL; i++)
		stepbus_outcome_free(looked->found[i].outcome);
	free(looked->found);
	free(looked->ids);
	free(looked);
}

static bool read_ids(const sbn_arguments *args, look_task *looked)
{
	const char *ids;
	size_t len;

	if (!sbn_argument_bytes(args, 1, "ids", &ids, &len))
		return false;
	looked->count = len / ID_SIZE;
	if (len % ID_SIZE != 0 || looked->count < 1 || looked->count > LOOK_COUNT_MAX) {
		sbn_throw(args->env, STEPBUS_EINVAL, "ids must be 1 to 100,000 ids of 16 bytes");
		return false;
	}
	looked->ids = malloc(len);
	looked->found = calloc(looked->count, sizeof *looked->found);
	if (looked->ids == NULL || looked->found == NULL) {
		sbn_throw_memory(args->env);
		return false;
	}
	memcpy(looked->ids, ids, len);
	return true;
}

napi_value sbn_steps_look(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	look_task *looked;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL)
		return NULL;
	looked = sbn_task_new(env, sizeof *looked, engine);
	if (looked == NULL)
		return NULL;
	looked->task.run = run_look;
	looked->task.answer = answer_look;
	looked->task.discard = discard_look;
	if (read_ids(&args, looked))
		return sbn_task_start(env, &looked->task, "stepbus.look");
	discard_look(&looked->task);
	return NULL;
}
