/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/worker.h"

#include <stdlib.h>

#include "bindings/node/src/batch.h"
#include "bindings/node/src/handles.h"
#include "bindings/node/src/task.h"
#include "bindings/node/src/trouble.h"
#include "bindings/node/src/wake.h"

enum { POLL_COUNT_MAX = 256, ID_TEXT_SIZE = 37 };

typedef struct sbn_worker {
	sbn_engine *engine;
	stepbus_worker *worker;
	sbn_wake *wake;
	struct sbn_worker *next;
	int64_t handle;
	uint32_t task_count; /* tasks that use it on other threads */
	size_t untold_count; /* events that were polled, and that JavaScript has not been told of */
	stepbus_step_event events[POLL_COUNT_MAX];
} sbn_worker;

/* A call on a worker that may wait. */
typedef struct worker_task {
	sbn_task task;
	sbn_worker *worker;
	sbn_string config;
	int64_t timeout_ms;
} worker_task;

static sbn_worker *find(const sbn_arguments *args)
{
	return sbn_handle_find(args->env, args->at[0], SBN_WORKER);
}

static void forget(sbn_worker *worker)
{
	sbn_worker **link = &worker->engine->workers;

	while (*link != NULL && *link != worker)
		link = &(*link)->next;
	if (*link == worker)
		*link = worker->next;
	sbn_handle_remove(worker->engine->handles, worker->handle);
	sbn_wake_free(worker->wake);
	worker->wake = NULL;
}

static void run_start(sbn_task *task)
{
	worker_task *starting = (worker_task *)task;

	task->status =
		stepbus_worker_start(task->engine->engine, starting->config.data,
				     starting->config.len, &starting->worker->worker, &task->err);
}

static napi_status answer_start(napi_env env, sbn_task *task, napi_value *out)
{
	worker_task *starting = (worker_task *)task;
	sbn_worker *worker = starting->worker;
	napi_status status;

	worker->handle = sbn_handle_add(worker->engine->handles, SBN_WORKER, worker);
	if (worker->handle == 0)
		return napi_generic_failure;
	status = napi_create_int64(env, worker->handle, out);
	if (status != napi_ok) {
		sbn_handle_remove(worker->engine->handles, worker->handle);
		return status;
	}
	worker->next = worker->engine->workers;
	worker->engine->workers = worker;
	starting->worker = NULL;
	return napi_ok;
}

/* Also what a worker that is ended leaves behind. */
static void discard(sbn_task *task)
{
	worker_task *ending = (worker_task *)task;

	if (ending->worker != NULL)
		stepbus_worker_free(ending->worker->worker);
	free(ending->worker);
	free(ending->config.data);
	free(ending);
}

napi_value sbn_worker_start(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	worker_task *starting;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL)
		return NULL;
	starting = sbn_task_new(env, sizeof *starting, engine);
	if (starting == NULL)
		return NULL;
	starting->task.run = run_start;
	starting->task.answer = answer_start;
	starting->task.discard = discard;
	starting->worker = calloc(1, sizeof *starting->worker);
	if (starting->worker == NULL)
		sbn_throw_memory(env);
	if (starting->worker == NULL ||
	    !sbn_argument_string(&args, 1, "config", &starting->config)) {
		discard(&starting->task);
		return NULL;
	}
	starting->worker->engine = engine;
	return sbn_task_start(env, &starting->task, "stepbus.startWorker");
}

static void run_stop(sbn_task *task)
{
	worker_task *stopping = (worker_task *)task;

	task->status = stepbus_worker_stop(stopping->worker->worker, stopping->timeout_ms, NULL,
					   &task->err);
}

static void discard_stop(sbn_task *task)
{
	((worker_task *)task)->worker->task_count--;
	free(task);
}

napi_value sbn_worker_stop(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_worker *worker;
	worker_task *stopping;
	int64_t timeout_ms;

	if (!sbn_arguments_read(env, info, &args) || (worker = find(&args)) == NULL ||
	    !sbn_argument_int64(&args, 1, "timeout_ms", &timeout_ms))
		return NULL;
	stopping = sbn_task_new(env, sizeof *stopping, worker->engine);
	if (stopping == NULL)
		return NULL;
	stopping->task.run = run_stop;
	stopping->task.discard = discard_stop;
	stopping->worker = worker;
	stopping->timeout_ms = timeout_ms;
	worker->task_count++;
	return sbn_task_start(env, &stopping->task, "stepbus.stopWorker");
}

static void run_free(sbn_task *task)
{
	worker_task *freeing = (worker_task *)task;

	stepbus_worker_free(freeing->worker->worker);
	freeing->worker->worker = NULL;
}

napi_value sbn_worker_free(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_worker *worker;
	worker_task *freeing;
	napi_value promise;

	if (!sbn_arguments_read(env, info, &args) || (worker = find(&args)) == NULL)
		return NULL;
	if (worker->task_count > 0)
		return sbn_throw(env, STEPBUS_EBUSY,
				 "the worker is being stopped; free it when that is over");
	freeing = sbn_task_new(env, sizeof *freeing, worker->engine);
	if (freeing == NULL)
		return NULL;
	freeing->task.run = run_free;
	promise = sbn_task_prepare(env, &freeing->task, "stepbus.freeWorker");
	if (promise == NULL)
		return NULL;
	freeing->task.discard = discard;
	freeing->worker = worker;
	forget(worker);
	sbn_task_resume(env, &freeing->task);
	return promise;
}

void sbn_worker_forget_all(sbn_engine *engine)
{
	while (engine->workers != NULL) {
		sbn_worker *worker = engine->workers;

		forget(worker);
		worker->next = engine->forgotten;
		engine->forgotten = worker;
	}
}

void sbn_worker_discard_all(sbn_engine *engine)
{
	while (engine->forgotten != NULL) {
		sbn_worker *worker = engine->forgotten;

		engine->forgotten = worker->next;
		free(worker);
	}
}

napi_value sbn_worker_watch(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	stepbus_error err = STEPBUS_ERROR_INIT;
	sbn_worker *worker;
	stepbus_status status;
	int32_t fd = -1;

	if (!sbn_arguments_read(env, info, &args) || (worker = find(&args)) == NULL ||
	    !sbn_argument_function(&args, 1, "callback"))
		return NULL;
	if (worker->wake != NULL)
		return sbn_throw(env, STEPBUS_EALREADY, "the worker is watched already");
	status = stepbus_wake_fd(worker->worker, STEPBUS_WAKE_EVENTFD, &fd, &err);
	if (status != STEPBUS_OK)
		return sbn_throw_error(env, status, &err);
	worker->wake = sbn_wake_new(env, fd, args.at[1]);
	return NULL;
}

napi_value sbn_worker_watching(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_worker *worker;
	bool is_watched;

	if (!sbn_arguments_read(env, info, &args) || (worker = find(&args)) == NULL ||
	    !sbn_argument_bool(&args, 1, "is_watched", &is_watched))
		return NULL;
	if (worker->wake == NULL)
		return sbn_throw(env, STEPBUS_EINACTIVE, "nobody watches the worker: call watch");
	if (!sbn_wake_watch(worker->wake, is_watched))
		return sbn_throw(env, STEPBUS_ESYSTEM,
				 "the event loop refuses to watch the worker's descriptor");
	return NULL;
}

/* Polls, unless there are events left that JavaScript could not be told of. */
static stepbus_status fetch(sbn_worker *worker, uint32_t count_max, stepbus_error *err)
{
	if (worker->untold_count > 0)
		return STEPBUS_OK;
	worker->events[0].size = sizeof worker->events[0];
	return stepbus_poll(worker->worker, worker->events, count_max, 0, &worker->untold_count,
			    err);
}

napi_value sbn_worker_poll(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	stepbus_error err = STEPBUS_ERROR_INIT;
	sbn_worker *worker;
	stepbus_status status;
	napi_value batches;
	uint32_t count_max;

	if (!sbn_arguments_read(env, info, &args) || (worker = find(&args)) == NULL ||
	    !sbn_argument_uint32(&args, 1, "count_max", &count_max))
		return NULL;
	status = fetch(worker, count_max < POLL_COUNT_MAX ? count_max : POLL_COUNT_MAX, &err);
	if (worker->untold_count == 0)
		return status == STEPBUS_OK || status == STEPBUS_ETIMEDOUT ?
			       NULL :
			       sbn_throw_error(env, status, &err);
	/* They stay where they are, and the next poll tells of them. */
	if (sbn_batch_write(env, worker->events, worker->untold_count, &batches) != napi_ok)
		return sbn_throw_instead(env, STEPBUS_ENOMEM, "there is no memory for steps");
	worker->untold_count = 0;
	return batches;
}

static napi_status set_number(napi_env env, napi_value object, const char *name, double number)
{
	napi_value value;
	napi_status status = napi_create_double(env, number, &value);

	return status == napi_ok ? napi_set_named_property(env, object, name, value) : status;
}

napi_value sbn_worker_metrics(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_dispatch_metrics metrics = { .size = sizeof metrics };
	const sbn_worker *worker;
	stepbus_status status;
	napi_value out;
	napi_value oldest;
	char id[ID_TEXT_SIZE];

	if (!sbn_arguments_read(env, info, &args) || (worker = find(&args)) == NULL)
		return NULL;
	status = stepbus_worker_metrics(worker->worker, &metrics, &err);
	if (status == STEPBUS_OK)
		status = stepbus_id_format(metrics.oldest_step_id, id, &err);
	if (status != STEPBUS_OK)
		return sbn_throw_error(env, status, &err);
	SBN_TRY(env, napi_create_object(env, &out));
	SBN_TRY(env, set_number(env, out, "isStarving", metrics.is_starving));
	SBN_TRY(env, set_number(env, out, "pendingCount", (double)metrics.pending_count));
	SBN_TRY(env, set_number(env, out, "waitingCount", (double)metrics.waiting_count));
	SBN_TRY(env, set_number(env, out, "polledCount", (double)metrics.polled_count));
	SBN_TRY(env, set_number(env, out, "starvingCount", (double)metrics.starving_count));
	SBN_TRY(env, set_number(env, out, "oldestAgeMs", (double)metrics.oldest_age_ms));
	SBN_TRY(env, set_number(env, out, "newestAgeMs", (double)metrics.newest_age_ms));
	SBN_TRY(env, napi_create_string_latin1(env, id, NAPI_AUTO_LENGTH, &oldest));
	SBN_TRY(env, napi_set_named_property(env, out, "oldestStepId", oldest));
	return out;
}
