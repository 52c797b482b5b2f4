/* SPDX-License-Identifier: MIT */
/*
 * What goes to the library in batches: new steps, the answers to polled ones, and questions after
 * results; and what is asked of running steps without waiting.
 */
#ifndef SBN_STEPS_H
#define SBN_STEPS_H

#include "bindings/node/src/api.h"

/* register(engine, records, bytes): one handler, which JavaScript runs. */
napi_value sbn_steps_register(napi_env env, napi_callback_info info);

/*
 * enqueue(engine, records, bytes, groups): groups says how many of the steps belong together; those of
 * a group are enqueued all or none, and all groups in one transaction where none is refused. Resolves
 * to {ids, existing, failures}: 36 characters a step; a byte a step; what was refused, by group.
 */
napi_value sbn_steps_enqueue(napi_env env, napi_callback_info info);

/*
 * complete(engine, records, bytes): resolves to undefined where all were taken, else to {each,
 * message}: the status of each, and what the library says of the first that failed.
 */
napi_value sbn_steps_complete(napi_env env, napi_callback_info info);

/*
 * look(engine, ids): 16 bytes each. Resolves to an array of undefined (not final yet), a completion
 * (see batch.h) or an Error.
 */
napi_value sbn_steps_look(napi_env env, napi_callback_info info);

/* check(engine, attempts): six words each, id and token. undefined, or a status for each. */
napi_value sbn_steps_check(napi_env env, napi_callback_info info);
/* heartbeat(engine, attempt): a status. */
napi_value sbn_steps_heartbeat(napi_env env, napi_callback_info info);

#endif
