/* SPDX-License-Identifier: MIT */
/*
 * A worker as the addon holds it. Steps are taken out of it without waiting, a batch at a time, and
 * handed to JavaScript as one block of bytes; see lib/batch.js.
 */
#ifndef SBN_WORKER_H
#define SBN_WORKER_H

#include "bindings/node/src/engine.h"

/* Lets go of all workers of an engine that is about to be closed. */
void sbn_worker_forget_all(sbn_engine *engine);
/* Frees them, once it is closed: tasks may have used them until then. */
void sbn_worker_discard_all(sbn_engine *engine);

/* startWorker(engine, config), stopWorker(worker, timeout_ms), freeWorker(worker) */
napi_value sbn_worker_start(napi_env env, napi_callback_info info);
napi_value sbn_worker_stop(napi_env env, napi_callback_info info);
napi_value sbn_worker_free(napi_env env, napi_callback_info info);
/* watch(worker, callback): the first time; then watching(worker, is_watched). */
napi_value sbn_worker_watch(napi_env env, napi_callback_info info);
napi_value sbn_worker_watching(napi_env env, napi_callback_info info);
/* poll(worker, count_max): undefined, or an array of batches. */
napi_value sbn_worker_poll(napi_env env, napi_callback_info info);
/* metrics(worker) */
napi_value sbn_worker_metrics(napi_env env, napi_callback_info info);

#endif
