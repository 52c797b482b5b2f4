/* SPDX-License-Identifier: MIT */
/*
 * An addon with which a scenario in JavaScript commands preload.h: watch(names), arm(kind, n, is_sticky),
 * disarm() → [asked, failed], failed(), track(), untrack(), trace(is_traced). Numbers only.
 */
#define NAPI_VERSION 8
#include <node_api.h>

#include "bindings/starve/preload.h"

enum { ARGUMENT_COUNT = 3, NAMES_SIZE = 256 };

typedef struct call {
	napi_value at[ARGUMENT_COUNT];
} call;

static call arguments_of(napi_env env, napi_callback_info info)
{
	call c;
	size_t count = ARGUMENT_COUNT;

	(void)napi_get_cb_info(env, info, &count, c.at, NULL, NULL);
	return c;
}

static int64_t number_of(napi_env env, napi_value value)
{
	int64_t number = 0;

	(void)napi_get_value_int64(env, value, &number);
	return number;
}

static napi_value as_number(napi_env env, uint64_t number)
{
	napi_value out = NULL;

	(void)napi_create_double(env, (double)number, &out);
	return out;
}

static napi_value watch(napi_env env, napi_callback_info info)
{
	call c = arguments_of(env, info);
	char names[NAMES_SIZE] = "";

	(void)napi_get_value_string_utf8(env, c.at[0], names, sizeof names, NULL);
	return as_number(env, (uint64_t)starve_watch(names));
}

static napi_value arm(napi_env env, napi_callback_info info)
{
	call c = arguments_of(env, info);

	starve_arm((int32_t)number_of(env, c.at[0]), (uint64_t)number_of(env, c.at[1]),
		   (int32_t)number_of(env, c.at[2]));
	return NULL;
}

static napi_value disarm(napi_env env, napi_callback_info info)
{
	napi_value out = NULL;
	uint64_t failed;
	uint64_t asked = starve_disarm(&failed);

	(void)info;
	(void)napi_create_array(env, &out);
	(void)napi_set_element(env, out, 0, as_number(env, asked));
	(void)napi_set_element(env, out, 1, as_number(env, failed));
	return out;
}

static napi_value failed(napi_env env, napi_callback_info info)
{
	(void)info;
	return as_number(env, starve_failed());
}

static napi_value track(napi_env env, napi_callback_info info)
{
	(void)env;
	(void)info;
	starve_track();
	return NULL;
}

static napi_value untrack(napi_env env, napi_callback_info info)
{
	(void)info;
	return as_number(env, starve_untrack());
}

static napi_value trace(napi_env env, napi_callback_info info)
{
	call c = arguments_of(env, info);

	starve_trace((int32_t)number_of(env, c.at[0]));
	return NULL;
}

NAPI_MODULE_INIT()
{
	static const struct {
		const char *name;
		napi_callback call;
	} all[] = { { "watch", watch },   { "arm", arm },     { "disarm", disarm },
		    { "failed", failed }, { "track", track }, { "untrack", untrack },
		    { "trace", trace } };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		napi_value function = NULL;

		(void)napi_create_function(env, all[i].name, NAPI_AUTO_LENGTH, all[i].call, NULL,
					   &function);
		(void)napi_set_named_property(env, exports, all[i].name, function);
	}
	return exports;
}
