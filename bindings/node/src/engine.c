/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/engine.h"

#include <stdlib.h>

#include "bindings/node/src/handles.h"
#include "bindings/node/src/journal.h"
#include "bindings/node/src/task.h"
#include "bindings/node/src/trouble.h"
#include "bindings/node/src/worker.h"

enum { MS = 1000 };

typedef struct open_task {
	sbn_task task;
	sbn_engine *opened;
	sbn_string config;
	int32_t log_level;
} open_task;

sbn_engine *sbn_engine_find(const sbn_arguments *args, size_t at)
{
	return sbn_handle_find(args->env, args->at[at], SBN_ENGINE);
}

void sbn_engine_enter(sbn_engine *engine)
{
	engine->user_count++;
}

/*
 * What the engine lends to the library. A clock and a journal each want the user_data, so that both
 * are reached through the engine.
 */
static void write_log(void *user_data, int32_t level, const char *record, size_t len)
{
	const sbn_engine *engine = user_data;

	(void)level;
	sbn_journal_write(engine->journal, record, len);
}

static int64_t clock_now(void *user_data)
{
	const stepbus_host *host = &((const sbn_engine *)user_data)->clock_host;

	return host->now_us(host->user_data);
}

static int64_t clock_elapsed(void *user_data)
{
	const stepbus_host *host = &((const sbn_engine *)user_data)->clock_host;

	return host->elapsed_ns(host->user_data);
}

static void lend(sbn_engine *engine, int32_t log_level, stepbus_host *host)
{
	host->size = sizeof *host;
	host->user_data = engine;
	host->log_level = log_level;
	host->log = engine->journal == NULL ? NULL : write_log;
	if (engine->clock != NULL) {
		host->now_us = clock_now;
		host->elapsed_ns = clock_elapsed;
	}
}

/* Closes what is open of it, and frees it. Nobody uses it any more. */
static void free_engine(sbn_engine *engine)
{
	stepbus_close(engine->engine);
	stepbus_clock_free(engine->clock);
	sbn_journal_free(engine->journal);
	sbn_worker_discard_all(engine);
	free(engine);
}

/*
 * The environment ends, and nobody has closed the engine. Tasks are over by then. What was polled and
 * not answered goes back with its worker, so that nobody waits for its lease to run out.
 */
static void clean_up(napi_async_cleanup_hook_handle hook, void *data)
{
	sbn_engine *engine = data;

	sbn_worker_forget_all(engine);
	free_engine(engine);
	napi_remove_async_cleanup_hook(hook);
}

static void run_open(sbn_task *task)
{
	open_task *opening = (open_task *)task;
	stepbus_host host = { .size = sizeof host };
	stepbus_options options = { .size = sizeof options };

	lend(opening->opened, opening->log_level, &host);
	options.config = opening->config.data;
	options.config_len = opening->config.len;
	options.host = &host;
	task->status = stepbus_open(&options, &opening->opened->engine, &task->err);
}

static napi_status answer_open(napi_env env, sbn_task *task, napi_value *out)
{
	open_task *opening = (open_task *)task;
	sbn_engine *engine = opening->opened;
	napi_status status = napi_add_async_cleanup_hook(env, clean_up, engine, &engine->hook);

	if (status != napi_ok)
		return status;
	engine->handle = sbn_handle_add(engine->handles, SBN_ENGINE, engine);
	status = engine->handle == 0 ? napi_generic_failure :
				       napi_create_int64(env, engine->handle, out);
	if (status == napi_ok) {
		opening->opened = NULL;
		return napi_ok;
	}
	sbn_handle_remove(engine->handles, engine->handle);
	napi_remove_async_cleanup_hook(engine->hook);
	return status;
}

static void discard_open(sbn_task *task)
{
	open_task *opening = (open_task *)task;

	if (opening->opened != NULL)
		free_engine(opening->opened);
	free(opening->config.data);
	free(opening);
}

/* The clock for tests that an engine is to go by, where it is asked for. */
static bool make_clock(const sbn_arguments *args, sbn_engine *engine)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;
	napi_valuetype type;
	int64_t now_ms;

	if (!sbn_argument_type(args, 3, &type))
		return false;
	if (type == napi_undefined)
		return true;
	if (!sbn_argument_int64(args, 3, "now_ms", &now_ms))
		return false;
	if (now_ms < 0 || now_ms > INT64_MAX / MS) {
		sbn_throw(args->env, STEPBUS_EINVAL, "now_ms must be a time after 1970");
		return false;
	}
	engine->clock_host.size = sizeof engine->clock_host;
	status = stepbus_clock_new(now_ms * MS, &engine->clock, &err);
	if (status == STEPBUS_OK)
		status = stepbus_clock_lend(engine->clock, &engine->clock_host, &err);
	if (status != STEPBUS_OK)
		sbn_throw_error(args->env, status, &err);
	return status == STEPBUS_OK;
}

static bool make_journal(const sbn_arguments *args, sbn_engine *engine)
{
	napi_valuetype type;

	if (!sbn_argument_type(args, 1, &type))
		return false;
	if (type == napi_undefined)
		return true;
	if (!sbn_argument_function(args, 1, "log"))
		return false;
	engine->journal = sbn_journal_new(args->env, args->at[1]);
	return engine->journal != NULL;
}

/* The engine, as far as it is made before it is opened. False with an exception thrown. */
static bool make_engine(const sbn_arguments *args, open_task *opening)
{
	sbn_engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL) {
		sbn_throw_memory(args->env);
		return false;
	}
	opening->opened = engine;
	engine->env = args->env;
	engine->handles = sbn_handles_of(args->env);
	return engine->handles != NULL &&
	       sbn_argument_string(args, 0, "config", &opening->config) &&
	       make_journal(args, engine) && make_clock(args, engine);
}

napi_value sbn_engine_open(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	open_task *opening;
	uint32_t log_level = 0;

	if (!sbn_arguments_read(env, info, &args) ||
	    !sbn_argument_uint32(&args, 2, "log_level", &log_level))
		return NULL;
	opening = sbn_task_new(env, sizeof *opening, NULL);
	if (opening == NULL)
		return NULL;
	opening->task.run = run_open;
	opening->task.answer = answer_open;
	opening->task.discard = discard_open;
	opening->log_level = (int32_t)(log_level & INT32_MAX);
	if (make_engine(&args, opening))
		return sbn_task_start(env, &opening->task, "stepbus.open");
	discard_open(&opening->task);
	return NULL;
}

typedef struct close_task {
	sbn_task task;
	sbn_engine *closed;
} close_task;

static void run_close(sbn_task *task)
{
	sbn_engine *engine = ((close_task *)task)->closed;

	stepbus_close(engine->engine);
	engine->engine = NULL;
}

static void discard_close(sbn_task *task)
{
	sbn_engine *engine = ((close_task *)task)->closed;

	napi_remove_async_cleanup_hook(engine->hook);
	free_engine(engine);
	free(task);
}

/* What closes the engine has no engine of its own, so that it is not waited for itself. */
void sbn_engine_leave(napi_env env, sbn_engine *engine)
{
	sbn_task *closing = engine->closing;

	engine->user_count--;
	if (engine->user_count > 0 || closing == NULL)
		return;
	engine->closing = NULL;
	sbn_worker_forget_all(engine); /* those that were started meanwhile */
	sbn_task_resume(env, closing);
}

napi_value sbn_engine_close(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	close_task *closing;
	napi_value promise;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL)
		return NULL;
	closing = sbn_task_new(env, sizeof *closing, NULL);
	if (closing == NULL)
		return NULL;
	closing->task.run = run_close;
	closing->closed = engine;
	promise = sbn_task_prepare(env, &closing->task, "stepbus.close");
	if (promise == NULL)
		return NULL;
	closing->task.discard = discard_close;
	sbn_worker_forget_all(engine);
	sbn_handle_remove(engine->handles, engine->handle);
	engine->closing = &closing->task;
	engine->user_count++;
	sbn_engine_leave(env, engine);
	return promise;
}

typedef struct stop_task {
	sbn_task task;
	int64_t timeout_ms;
} stop_task;

static void run_stop(sbn_task *task)
{
	stop_task *stopping = (stop_task *)task;

	task->status = stepbus_stop(task->engine->engine, stopping->timeout_ms, NULL, &task->err);
}

napi_value sbn_engine_stop(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	stop_task *stopping;
	int64_t timeout_ms;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL ||
	    !sbn_argument_int64(&args, 1, "timeout_ms", &timeout_ms))
		return NULL;
	stopping = sbn_task_new(env, sizeof *stopping, engine);
	if (stopping == NULL)
		return NULL;
	stopping->task.run = run_stop;
	stopping->timeout_ms = timeout_ms;
	return sbn_task_start(env, &stopping->task, "stepbus.stop");
}

static sbn_engine *find_with_clock(const sbn_arguments *args)
{
	sbn_engine *engine = sbn_engine_find(args, 0);

	if (engine == NULL || engine->clock != NULL)
		return engine;
	return (sbn_engine *)sbn_throw(
		args->env, STEPBUS_EINVAL,
		"the engine goes by the system's clock: open it with testClock");
}

napi_value sbn_engine_advance(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	stepbus_error err = STEPBUS_ERROR_INIT;
	const sbn_engine *engine;
	stepbus_status status;
	int64_t ms;

	if (!sbn_arguments_read(env, info, &args) || (engine = find_with_clock(&args)) == NULL ||
	    !sbn_argument_int64(&args, 1, "ms", &ms))
		return NULL;
	status = stepbus_clock_advance(engine->clock, ms, &err);
	if (status == STEPBUS_OK)
		status = stepbus_engine_wake(engine->engine, &err);
	return status == STEPBUS_OK ? NULL : sbn_throw_error(env, status, &err);
}

napi_value sbn_engine_now(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	napi_value now;

	if (!sbn_arguments_read(env, info, &args) || (engine = find_with_clock(&args)) == NULL)
		return NULL;
	SBN_TRY(env, napi_create_double(env, (double)clock_now(engine) / MS, &now));
	return now;
}
