/* SPDX-License-Identifier: MIT */
/*
 * An engine as the addon holds it: with the clock and the journal that it was lent, the workers that
 * were started on it, and the number of tasks that use it on other threads. It is closed when it has
 * been asked to and the last of them is over, or when its environment ends.
 */
#ifndef SBN_ENGINE_H
#define SBN_ENGINE_H

#include "bindings/node/src/api.h"
#include "bindings/node/src/arguments.h"

struct sbn_task;
struct sbn_worker;
struct sbn_journal;
struct sbn_handles;

typedef struct sbn_engine {
	stepbus *engine;
	stepbus_clock *clock;    /* NULL: the system's */
	stepbus_host clock_host; /* how that is read */
	struct sbn_journal *journal;
	napi_env env;
	struct sbn_handles *handles; /* of the environment */
	struct sbn_worker *workers;
	struct sbn_worker *forgotten; /* by JavaScript; they go with the engine */
	struct sbn_task *closing;     /* what closes it, once nobody uses it */
	napi_async_cleanup_hook_handle hook;
	int64_t handle;
	uint32_t user_count;
} sbn_engine;

/* The engine of an argument; NULL, with an exception thrown. */
sbn_engine *sbn_engine_find(const sbn_arguments *args, size_t at);

void sbn_engine_enter(sbn_engine *engine);
void sbn_engine_leave(napi_env env, sbn_engine *engine);

/* open(config, log, log_level, now_ms), close(engine), stop(engine, timeout_ms) */
napi_value sbn_engine_open(napi_env env, napi_callback_info info);
napi_value sbn_engine_close(napi_env env, napi_callback_info info);
napi_value sbn_engine_stop(napi_env env, napi_callback_info info);
/* advance(engine, ms), now(engine) in ms: only where it goes by a clock for tests. */
napi_value sbn_engine_advance(napi_env env, napi_callback_info info);
napi_value sbn_engine_now(napi_env env, napi_callback_info info);

#endif
