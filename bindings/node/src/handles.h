/* SPDX-License-Identifier: MIT */
/*
 * Numbers that stand for engines and workers in JavaScript. A number that is wrong, or whose object is
 * gone, finds nothing, so that no call can reach what was freed. Each JavaScript environment (the main
 * thread's and that of each worker thread) has a table of its own; only its thread uses it.
 */
#ifndef SBN_HANDLES_H
#define SBN_HANDLES_H

#include "bindings/node/src/api.h"

typedef enum sbn_kind { SBN_ENGINE = 1, SBN_WORKER = 2 } sbn_kind;

typedef struct sbn_handles sbn_handles;

/* Makes the table of an environment, which is freed with it. */
napi_status sbn_handles_new(napi_env env);

/*
 * That table, for who has to take a handle out of it later, which may not fail. NULL, with an exception
 * thrown.
 */
sbn_handles *sbn_handles_of(napi_env env);

/* 0: memory ran out. */
int64_t sbn_handle_add(sbn_handles *handles, sbn_kind kind, void *object);
void sbn_handle_remove(sbn_handles *handles, int64_t handle);

/* NULL, with an exception thrown, where there is none. */
void *sbn_handle_find(napi_env env, napi_value handle, sbn_kind kind);

#endif
