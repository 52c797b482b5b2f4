/* SPDX-License-Identifier: MIT */
/*
 * A task: a call of the library that may wait (for the disk, for another process), made on a thread of
 * Node's pool and answered by a promise. A task keeps its engine open until it is over.
 */
#ifndef SBN_TASK_H
#define SBN_TASK_H

#include "bindings/node/src/api.h"

struct sbn_engine;

/* The head of each kind of task. Set run, and the others where they are needed. */
typedef struct sbn_task {
	struct sbn_engine *engine; /* NULL: needs none */
	/* On a thread of the pool: sets status and, where it is not STEPBUS_OK, err. */
	void (*run)(struct sbn_task *task);
	/* Back on the environment's thread, on success: what the promise resolves to. */
	napi_status (*answer)(napi_env env, struct sbn_task *task, napi_value *out);
	/* Frees the task with all it has; also where it could not be started. NULL: free(). */
	void (*discard)(struct sbn_task *task);
	bool is_lasting; /* what run does stays done where its answer is lost */
	stepbus_status status;
	stepbus_error err;
	napi_async_work work;
	napi_deferred deferred;
} sbn_task;

/* Takes the task. The promise, or NULL with an exception thrown. */
napi_value sbn_task_start(napi_env env, sbn_task *task, const char *name);

/* The same in two steps: the promise first (taken where that fails), and later the start. */
napi_value sbn_task_prepare(napi_env env, sbn_task *task, const char *name);
void sbn_task_resume(napi_env env, sbn_task *task);

/* Makes a task of this size, with all of it zero. NULL, with an exception thrown. */
void *sbn_task_new(napi_env env, size_t size, struct sbn_engine *engine);

/* Sets an error of the addon's own. */
void sbn_task_fail(sbn_task *task, stepbus_status status, const char *message);

#endif
