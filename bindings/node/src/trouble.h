/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, as JavaScript sees it: an Error whose code is the name of a status
 * ("STEPBUS_ENOTFOUND"). The JavaScript layer makes a StepbusError of it.
 */
#ifndef SBN_TROUBLE_H
#define SBN_TROUBLE_H

#include "bindings/node/src/api.h"

/* Each throws, unless an exception is pending already, and returns NULL for its caller to return. */
napi_value sbn_throw(napi_env env, stepbus_status status, const char *message);
napi_value sbn_throw_error(napi_env env, stepbus_status status, const stepbus_error *err);
napi_value sbn_throw_memory(napi_env env);
/* What the last call of Node-API said. */
napi_value sbn_throw_napi(napi_env env);

/* The same in place of an exception that is pending. */
napi_value sbn_throw_instead(napi_env env, stepbus_status status, const char *message);

/* An Error that is not thrown, for promises. */
napi_status sbn_error_new(napi_env env, stepbus_status status, const stepbus_error *err,
			  napi_value *out);

#endif
