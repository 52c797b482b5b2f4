/* SPDX-License-Identifier: MIT */
/*
 * The addon: what JavaScript finds in it. Each environment that loads it has its own table of engines;
 * nothing is shared between them but the library's code.
 */
#include "bindings/node/src/api.h"

#include <stdio.h>

#include "bindings/node/src/arguments.h"
#include "bindings/node/src/ask.h"
#include "bindings/node/src/engine.h"
#include "bindings/node/src/handles.h"
#include "bindings/node/src/record.h"
#include "bindings/node/src/steps.h"
#include "bindings/node/src/trouble.h"
#include "bindings/node/src/worker.h"

enum { MESSAGE_LEN = 256 };

/* statusName(code) */
static napi_value status_name(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	napi_value name;
	uint32_t code;

	if (!sbn_arguments_read(env, info, &args) || !sbn_argument_uint32(&args, 0, "code", &code))
		return NULL;
	SBN_TRY(env, napi_create_string_utf8(env, stepbus_status_name((int32_t)(code & INT32_MAX)),
					     NAPI_AUTO_LENGTH, &name));
	return name;
}

static napi_value build_info(napi_env env, napi_callback_info info)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_build_info(&text, &err);
	napi_value out;
	napi_status made;

	(void)info;
	if (status != STEPBUS_OK)
		return sbn_throw_error(env, status, &err);
	made = napi_create_string_utf8(env, stepbus_text_data(text), stepbus_text_len(text), &out);
	stepbus_text_free(text);
	SBN_TRY(env, made);
	return out;
}

typedef struct export
{
	const char *name;
	napi_callback call;
}
export;

static const export exports_of_addon[] = {
	{ "statusName", status_name },
	{ "buildInfo", build_info },
	{ "open", sbn_engine_open },
	{ "stop", sbn_engine_stop },
	{ "close", sbn_engine_close },
	{ "advance", sbn_engine_advance },
	{ "now", sbn_engine_now },
	{ "register", sbn_steps_register },
	{ "enqueue", sbn_steps_enqueue },
	{ "complete", sbn_steps_complete },
	{ "look", sbn_steps_look },
	{ "check", sbn_steps_check },
	{ "heartbeat", sbn_steps_heartbeat },
	{ "ask", sbn_ask },
	{ "startWorker", sbn_worker_start },
	{ "stopWorker", sbn_worker_stop },
	{ "freeWorker", sbn_worker_free },
	{ "watch", sbn_worker_watch },
	{ "watching", sbn_worker_watching },
	{ "poll", sbn_worker_poll },
	{ "metrics", sbn_worker_metrics },
};

/* A library of another ABI must not even be asked for more than its version. */
static bool is_fitting_library(napi_env env)
{
	char message[MESSAGE_LEN];

	if (stepbus_abi_version() == STEPBUS_ABI_VERSION)
		return true;
	(void)snprintf(
		message, sizeof message,
		"the addon was built for version %s of libstepbus (ABI %d), but the library that "
		"was loaded is version %s (ABI %u): install the package anew",
		STEPBUS_VERSION, STEPBUS_ABI_VERSION, stepbus_version(), stepbus_abi_version());
	napi_throw_error(env, "STEPBUS_EVERSION", message);
	return false;
}

static napi_status export_all(napi_env env, napi_value exports)
{
	napi_status status = napi_ok;

	for (size_t i = 0;
	     i < sizeof exports_of_addon / sizeof exports_of_addon[0] && status == napi_ok; i++) {
		const export *each = &exports_of_addon[i];
		napi_value function;

		status = napi_create_function(env, each->name, NAPI_AUTO_LENGTH, each->call, NULL,
					      &function);
		if (status == napi_ok)
			status = napi_set_named_property(env, exports, each->name, function);
	}
	return status;
}

NAPI_MODULE_INIT()
{
	napi_value layouts;
	napi_value version;

	if (!is_fitting_library(env))
		return NULL;
	SBN_TRY(env, sbn_handles_new(env));
	SBN_TRY(env, export_all(env, exports));
	SBN_TRY(env, sbn_record_layouts(env, &layouts));
	SBN_TRY(env, napi_set_named_property(env, exports, "layouts", layouts));
	SBN_TRY(env, napi_create_string_utf8(env, stepbus_version(), NAPI_AUTO_LENGTH, &version));
	SBN_TRY(env, napi_set_named_property(env, exports, "version", version));
	return exports;
}
