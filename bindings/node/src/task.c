/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/task.h"

#include <stdio.h>
#include <stdlib.h>

#include "bindings/node/src/engine.h"
#include "bindings/node/src/trouble.h"

void *sbn_task_new(napi_env env, size_t size, struct sbn_engine *engine)
{
	sbn_task *task = calloc(1, size);

	if (task == NULL)
		return sbn_throw_memory(env);
	task->engine = engine;
	task->err.size = sizeof task->err;
	return task;
}

void sbn_task_fail(sbn_task *task, stepbus_status status, const char *message)
{
	task->status = status;
	(void)snprintf(task->err.message, sizeof task->err.message, "%s", message);
}

static void discard(sbn_task *task)
{
	if (task->discard != NULL)
		task->discard(task);
	else
		free(task);
}

static void run(napi_env env, void *data)
{
	sbn_task *task = data;

	(void)env;
	task->run(task);
}

/* ENOMEM would say that nothing was changed. */
static void lose_answer(sbn_task *task)
{
	if (task->is_lasting)
		sbn_task_fail(task, STEPBUS_ESYSTEM,
			      "it was done, but the answer could not be handed to JavaScript");
	else
		sbn_task_fail(task, STEPBUS_ENOMEM, "the answer could not be handed to JavaScript");
}

/* Where not even an error can be made, the environment is going away, and nobody hears of it. */
static void settle(napi_env env, sbn_task *task)
{
	napi_value value;
	napi_status status = napi_ok;

	if (task->status == STEPBUS_OK) {
		status = task->answer != NULL ? task->answer(env, task, &value) :
						napi_get_undefined(env, &value);
		if (status == napi_ok) {
			napi_resolve_deferred(env, task->deferred, value);
			return;
		}
		lose_answer(task);
	}
	if (napi_get_and_clear_last_exception(env, &value) == napi_ok &&
	    sbn_error_new(env, task->status, &task->err, &value) == napi_ok)
		napi_reject_deferred(env, task->deferred, value);
}

static void done(napi_env env, napi_status status, void *data)
{
	sbn_task *task = data;
	struct sbn_engine *engine = task->engine;

	if (status != napi_ok)
		sbn_task_fail(task, STEPBUS_ESHUTDOWN, "the environment is being stopped");
	settle(env, task);
	napi_delete_async_work(env, task->work);
	discard(task);
	if (engine != NULL)
		sbn_engine_leave(env, engine);
}

napi_value sbn_task_prepare(napi_env env, sbn_task *task, const char *name)
{
	napi_value promise;
	napi_value resource_name;

	if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource_name) != napi_ok ||
	    napi_create_async_work(env, NULL, resource_name, run, done, task, &task->work) !=
		    napi_ok) {
		discard(task);
		sbn_throw_napi(env);
		return NULL;
	}
	if (napi_create_promise(env, &task->deferred, &promise) == napi_ok)
		return promise;
	napi_delete_async_work(env, task->work);
	discard(task);
	sbn_throw_napi(env);
	return NULL;
}

/* A task that the pool does not take is run here and now: its promise has been given out. */
void sbn_task_resume(napi_env env, sbn_task *task)
{
	if (task->engine != NULL)
		sbn_engine_enter(task->engine);
	if (napi_queue_async_work(env, task->work) == napi_ok)
		return;
	task->run(task);
	done(env, napi_ok, task);
}

napi_value sbn_task_start(napi_env env, sbn_task *task, const char *name)
{
	napi_value promise = sbn_task_prepare(env, task, name);

	if (promise != NULL)
		sbn_task_resume(env, task);
	return promise;
}
