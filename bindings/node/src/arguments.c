/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/arguments.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bindings/node/src/trouble.h"

enum { MESSAGE_LEN = 160 };

static const double SAFE_INTEGER_MAX = 9007199254740991.0;

static bool refuse(napi_env env, const char *name, const char *wanted)
{
	char message[MESSAGE_LEN];

	(void)snprintf(message, sizeof message, "%s must be %s", name, wanted);
	sbn_throw(env, STEPBUS_EINVAL, message);
	return false;
}

bool sbn_arguments_read(napi_env env, napi_callback_info info, sbn_arguments *out)
{
	size_t count = SBN_ARGUMENT_COUNT_MAX;

	out->env = env;
	if (napi_get_cb_info(env, info, &count, out->at, NULL, NULL) == napi_ok)
		return true;
	sbn_throw_napi(env);
	return false;
}

/* What Node-API refuses says nothing of the argument: that exception goes before one that does. */
static bool is_answered(napi_env env, napi_status status)
{
	if (status != napi_ok)
		sbn_throw_napi(env);
	return status == napi_ok;
}

bool sbn_argument_type(const sbn_arguments *args, size_t at, napi_valuetype *out)
{
	return is_answered(args->env, napi_typeof(args->env, args->at[at], out));
}

static bool is_type(const sbn_arguments *args, size_t at, napi_valuetype wanted)
{
	napi_valuetype type;

	return sbn_argument_type(args, at, &type) && type == wanted;
}

static bool read_integer(const sbn_arguments *args, size_t at, double min, double max, double *out)
{
	return is_type(args, at, napi_number) &&
	       is_answered(args->env, napi_get_value_double(args->env, args->at[at], out)) &&
	       *out >= min && *out <= max && floor(*out) >= *out;
}

bool sbn_argument_uint32(const sbn_arguments *args, size_t at, const char *name, uint32_t *out)
{
	double value;

	if (!read_integer(args, at, 0, UINT32_MAX, &value))
		return refuse(args->env, name, "a whole number from 0 to 4294967295");
	*out = (uint32_t)value;
	return true;
}

bool sbn_argument_int64(const sbn_arguments *args, size_t at, const char *name, int64_t *out)
{
	double value;

	if (!read_integer(args, at, -SAFE_INTEGER_MAX, SAFE_INTEGER_MAX, &value))
		return refuse(args->env, name, "a whole number between -2^53 and 2^53");
	*out = (int64_t)value;
	return true;
}

bool sbn_argument_bool(const sbn_arguments *args, size_t at, const char *name, bool *out)
{
	if (!is_type(args, at, napi_boolean) ||
	    !is_answered(args->env, napi_get_value_bool(args->env, args->at[at], out)))
		return refuse(args->env, name, "true or false");
	return true;
}

bool sbn_argument_function(const sbn_arguments *args, size_t at, const char *name)
{
	return is_type(args, at, napi_function) || refuse(args->env, name, "a function");
}

/* What is no typed array of this type is refused by the caller. */
static bool read_array(const sbn_arguments *args, size_t at, napi_typedarray_type wanted,
		       void **data, size_t *count)
{
	bool is_array = false;
	napi_typedarray_type type;

	return is_answered(args->env, napi_is_typedarray(args->env, args->at[at], &is_array)) &&
	       is_array &&
	       is_answered(args->env, napi_get_typedarray_info(args->env, args->at[at], &type,
							       count, data, NULL, NULL)) &&
	       type == wanted;
}

bool sbn_argument_words(const sbn_arguments *args, size_t at, const char *name,
			const uint32_t **words, size_t *count)
{
	void *data = NULL;

	if (!read_array(args, at, napi_uint32_array, &data, count))
		return refuse(args->env, name, "a Uint32Array");
	*words = data;
	return true;
}

bool sbn_argument_bytes(const sbn_arguments *args, size_t at, const char *name, const char **bytes,
			size_t *len)
{
	void *data = NULL;

	if (!read_array(args, at, napi_uint8_array, &data, len))
		return refuse(args->env, name, "a Uint8Array");
	*bytes = data;
	return true;
}

bool sbn_argument_string(const sbn_arguments *args, size_t at, const char *name, sbn_string *out)
{
	napi_env env = args->env;
	napi_valuetype type;
	size_t len = 0;

	out->data = NULL;
	out->len = 0;
	if (!sbn_argument_type(args, at, &type))
		return false;
	if (type == napi_undefined)
		return true;
	if (type != napi_string)
		return refuse(env, name, "a string");
	if (!is_answered(env, napi_get_value_string_utf8(env, args->at[at], NULL, 0, &len)))
		return false;
	out->data = malloc(len + 1);
	if (out->data == NULL) {
		sbn_throw_memory(env);
		return false;
	}
	if (napi_get_value_string_utf8(env, args->at[at], out->data, len + 1, &out->len) == napi_ok)
		return true;
	free(out->data);
	out->data = NULL;
	sbn_throw_napi(env);
	return false;
}
