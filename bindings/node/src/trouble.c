/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/trouble.h"

napi_value sbn_throw(napi_env env, stepbus_status status, const char *message)
{
	bool is_pending = true;

	if (napi_is_exception_pending(env, &is_pending) == napi_ok && !is_pending)
		napi_throw_error(env, stepbus_status_name(status), message);
	return NULL;
}

napi_value sbn_throw_instead(napi_env env, stepbus_status status, const char *message)
{
	napi_value given_up;

	(void)napi_get_and_clear_last_exception(env, &given_up);
	return sbn_throw(env, status, message);
}

/* A status without a message still has its name. */
static const char *message_of(stepbus_status status, const stepbus_error *err)
{
	return err->message[0] != '\0' ? err->message : stepbus_status_name(status);
}

napi_value sbn_throw_error(napi_env env, stepbus_status status, const stepbus_error *err)
{
	return sbn_throw(env, status, message_of(status, err));
}

napi_value sbn_throw_memory(napi_env env)
{
	return sbn_throw(env, STEPBUS_ENOMEM, "memory ran out; nothing was changed");
}

napi_value sbn_throw_napi(napi_env env)
{
	const napi_extended_error_info *info = NULL;

	if (napi_get_last_error_info(env, &info) != napi_ok || info->error_message == NULL)
		return sbn_throw(env, STEPBUS_ESYSTEM, "Node-API refused a call");
	return sbn_throw(env, STEPBUS_ESYSTEM, info->error_message);
}

static napi_status make_error(napi_env env, stepbus_status status, const stepbus_error *err,
			      napi_value *out)
{
	napi_value code;
	napi_value message;
	napi_status made =
		napi_create_string_utf8(env, stepbus_status_name(status), NAPI_AUTO_LENGTH, &code);

	if (made == napi_ok)
		made = napi_create_string_utf8(env, message_of(status, err), NAPI_AUTO_LENGTH,
					       &message);
	return made == napi_ok ? napi_create_error(env, code, message, out) : made;
}

/* Where that is refused, one that is thrown and caught is the same. */
napi_status sbn_error_new(napi_env env, stepbus_status status, const stepbus_error *err,
			  napi_value *out)
{
	if (make_error(env, status, err, out) == napi_ok)
		return napi_ok;
	sbn_throw_instead(env, status, message_of(status, err));
	return napi_get_and_clear_last_exception(env, out);
}
