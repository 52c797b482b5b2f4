/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/steps.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/node/src/block.h"
#include "bindings/node/src/engine.h"
#include "bindings/node/src/task.h"
#include "bindings/node/src/trouble.h"

enum { ATTEMPT_WORDS = 6, ID_WORDS = 4 };

napi_value sbn_steps_register(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	stepbus_error err = STEPBUS_ERROR_INIT;
	const sbn_engine *engine;
	sbn_block block = { .words = NULL };
	stepbus_handler_spec *spec;
	stepbus_status status;
	void *structs = NULL;
	size_t count;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL ||
	    !sbn_block_read(&args, 1, &sbn_handler_layout, &block, &structs, &count))
		return NULL;
	spec = structs;
	spec->flags |= STEPBUS_HANDLER_PULLED;
	status = stepbus_registry_register(stepbus_engine_registry(engine->engine), spec, &err);
	sbn_block_free(&block);
	free(structs);
	return status == STEPBUS_OK ? NULL : sbn_throw_error(env, status, &err);
}

typedef struct complete_task {
	sbn_task task;
	sbn_block block;
	stepbus_completion *completions;
	size_t count;
	stepbus_status *each;
	stepbus_status worst;
} complete_task;

/* That some were refused is no failure of the task: each has its own answer. */
static void run_complete(sbn_task *task)
{
	complete_task *sent = (complete_task *)task;

	sent->worst = stepbus_complete(task->engine->engine, sent->completions, sent->count,
				       sent->each, &task->err);
}

static napi_status answer_complete(napi_env env, sbn_task *task, napi_value *out)
{
	complete_task *sent = (complete_task *)task;
	size_t len = sent->count * sizeof *sent->each;
	void *data = NULL;
	napi_value each;
	napi_value error;
	napi_value buffer;
	napi_status status;

	if (sent->worst == STEPBUS_OK)
		return napi_get_undefined(env, out);
	status = napi_create_object(env, out);
	if (status == napi_ok)
		status = napi_create_arraybuffer(env, len, &data, &buffer);
	if (status == napi_ok) {
		memcpy(data, sent->each, len);
		status = napi_create_typedarray(env, napi_int32_array, sent->count, buffer, 0,
						&each);
	}
	if (status == napi_ok)
		status = sbn_error_new(env, sent->worst, &task->err, &error);
	if (status == napi_ok)
		status = napi_set_named_property(env, *out, "each", each);
	return status == napi_ok ? napi_set_named_property(env, *out, "error", error) : status;
}

static void discard_complete(sbn_task *task)
{
	complete_task *sent = (complete_task *)task;

	sbn_block_free(&sent->block);
	free(sent->completions);
	free(sent->each);
	free(sent);
}

/* Of a call that was refused as a whole the library says nothing of each. */
static void presume(complete_task *sent)
{
	for (size_t i = 0; i < sent->count; i++)
		sent->each[i] = STEPBUS_ESHUTDOWN;
}

napi_value sbn_steps_complete(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	complete_task *sent;
	void *structs = NULL;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL)
		return NULL;
	sent = sbn_task_new(env, sizeof *sent, engine);
	if (sent == NULL)
		return NULL;
	sent->task.run = run_complete;
	sent->task.answer = answer_complete;
	sent->task.discard = discard_complete;
	if (!sbn_block_read(&args, 1, &sbn_completion_layout, &sent->block, &structs,
			    &sent->count)) {
		discard_complete(&sent->task);
		return NULL;
	}
	sent->completions = structs;
	sent->each = calloc(sent->count, sizeof *sent->each);
	if (sent->each == NULL) {
		discard_complete(&sent->task);
		return sbn_throw_memory(env);
	}
	presume(sent);
	return sbn_task_start(env, &sent->task, "stepbus.complete");
}

/* An attempt, as six words name it. */
typedef struct attempt {
	uint8_t step_id[16];
	uint64_t token;
} attempt;

static attempt read_attempt(const uint32_t *words)
{
	attempt named;

	memcpy(named.step_id, words, sizeof named.step_id);
	memcpy(&named.token, words + ID_WORDS, sizeof named.token);
	return named;
}

/* The reason why a step is to stop is only known to its heartbeat. */
static stepbus_status check(stepbus *engine, const uint32_t *words)
{
	const attempt asked = read_attempt(words);
	stepbus_status status;

	if (stepbus_step_is_cancelled(engine, asked.step_id, asked.token) == 0)
		return STEPBUS_OK;
	status = stepbus_heartbeat(engine, asked.step_id, asked.token, NULL);
	return status == STEPBUS_OK || status == STEPBUS_ESHUTDOWN ? STEPBUS_ECANCELLED : status;
}

static bool read_attempts(const sbn_arguments *args, const uint32_t **words, size_t *count)
{
	size_t word_count;

	if (!sbn_argument_words(args, 1, "attempts", words, &word_count))
		return false;
	*count = word_count / ATTEMPT_WORDS;
	if (*count > 0 && word_count % ATTEMPT_WORDS == 0)
		return true;
	sbn_throw(args->env, STEPBUS_EINVAL, "attempts must be six words each");
	return false;
}

napi_value sbn_steps_check(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	const sbn_engine *engine;
	const uint32_t *words;
	napi_value out = NULL;
	size_t count;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL ||
	    !read_attempts(&args, &words, &count))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		stepbus_status status = check(engine->engine, words + i * ATTEMPT_WORDS);
		napi_value value;

		if (status == STEPBUS_OK)
			continue;
		if (out == NULL)
			SBN_TRY(env, napi_create_object(env, &out));
		SBN_TRY(env, napi_create_int32(env, status, &value));
		SBN_TRY(env, napi_set_element(env, out, (uint32_t)i, value));
	}
	return out;
}

napi_value sbn_steps_heartbeat(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	const sbn_engine *engine;
	const uint32_t *words;
	napi_value out;
	attempt beating;
	size_t count;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL ||
	    !read_attempts(&args, &words, &count))
		return NULL;
	beating = read_attempt(words);
	SBN_TRY(env, napi_create_int32(env,
				       stepbus_heartbeat(engine->engine, beating.step_id,
							 beating.token, NULL),
				       &out));
	return out;
}
