/* SPDX-License-Identifier: MIT */
/*
 * Linked into an addon with --wrap for each name that is in a line here: the addon's calls of Node-API and
 * of libuv come here first, and are refused when preload.h says so. Never refused is what takes away, what
 * cannot fail (napi_get_undefined), and what tells of a failure (throw, reject, resolve, the state of
 * exceptions): nothing could be done about that.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <uv.h>

#include "bindings/starve/preload.h"

/* NOLINTBEGIN(bugprone-macro-parentheses, bugprone-reserved-identifier): names that the linker makes */
#define WRAP(name, refused, type, parameters, arguments)                            \
	type __real_##name parameters;                                              \
	type __wrap_##name parameters;                                              \
	type __wrap_##name parameters                                               \
	{                                                                           \
		return starve_refuses_call() ? (refused) : __real_##name arguments; \
	}
#define NAPI(name, parameters, arguments) \
	WRAP(name, napi_generic_failure, napi_status, parameters, arguments)
/* NOLINTEND(bugprone-macro-parentheses, bugprone-reserved-identifier) */

/* As Node does it where there is no memory for a buffer. */
static napi_status fail_with_exception(napi_env env)
{
	(void)napi_throw_error(env, "ERR_MEMORY_ALLOCATION_FAILED", "planted: no memory");
	return napi_pending_exception;
}
#define THROWING(name, parameters, arguments) \
	WRAP(name, fail_with_exception(env), napi_status, parameters, arguments)

THROWING(napi_create_buffer, (napi_env env, size_t len, void **data, napi_value *out),
	 (env, len, data, out))
THROWING(napi_create_arraybuffer, (napi_env env, size_t len, void **data, napi_value *out),
	 (env, len, data, out))
NAPI(napi_add_async_cleanup_hook,
     (napi_env env, napi_async_cleanup_hook hook, void *data, napi_async_cleanup_hook_handle *out),
     (env, hook, data, out))
NAPI(napi_async_init, (napi_env env, napi_value of, napi_value name, napi_async_context *out),
     (env, of, name, out))
NAPI(napi_call_function,
     (napi_env env, napi_value of, napi_value function, size_t count, const napi_value *each,
      napi_value *out),
     (env, of, function, count, each, out))
NAPI(napi_call_threadsafe_function,
     (napi_threadsafe_function function, void *data, napi_threadsafe_function_call_mode mode),
     (function, data, mode))
NAPI(napi_create_array, (napi_env env, napi_value *out), (env, out))
NAPI(napi_create_array_with_length, (napi_env env, size_t len, napi_value *out), (env, len, out))
NAPI(napi_create_async_work,
     (napi_env env, napi_value of, napi_value name, napi_async_execute_callback run,
      napi_async_complete_callback done, void *data, napi_async_work *out),
     (env, of, name, run, done, data, out))
NAPI(napi_create_double, (napi_env env, double value, napi_value *out), (env, value, out))
NAPI(napi_create_error, (napi_env env, napi_value code, napi_value text, napi_value *out),
     (env, code, text, out))
NAPI(napi_create_function,
     (napi_env env, const char *name, size_t len, napi_callback call, void *data, napi_value *out),
     (env, name, len, call, data, out))
NAPI(napi_create_int32, (napi_env env, int32_t value, napi_value *out), (env, value, out))
NAPI(napi_create_int64, (napi_env env, int64_t value, napi_value *out), (env, value, out))
NAPI(napi_create_object, (napi_env env, napi_value *out), (env, out))
NAPI(napi_create_promise, (napi_env env, napi_deferred *deferred, napi_value *out),
     (env, deferred, out))
NAPI(napi_create_reference, (napi_env env, napi_value value, uint32_t count, napi_ref *out),
     (env, value, count, out))
NAPI(napi_create_string_latin1, (napi_env env, const char *text, size_t len, napi_value *out),
     (env, text, len, out))
NAPI(napi_create_string_utf8, (napi_env env, const char *text, size_t len, napi_value *out),
     (env, text, len, out))
NAPI(napi_create_threadsafe_function,
     (napi_env env, napi_value function, napi_value of, napi_value name, size_t waiting_max,
      size_t threads, void *data, napi_finalize end, void *context,
      napi_threadsafe_function_call_js call, napi_threadsafe_function *out),
     (env, function, of, name, waiting_max, threads, data, end, context, call, out))
NAPI(napi_create_typedarray,
     (napi_env env, napi_typedarray_type type, size_t len, napi_value buffer, size_t at,
      napi_value *out),
     (env, type, len, buffer, at, out))
NAPI(napi_create_uint32, (napi_env env, uint32_t value, napi_value *out), (env, value, out))
NAPI(napi_get_cb_info,
     (napi_env env, napi_callback_info call, size_t *count, napi_value *each, napi_value *of,
      void **data),
     (env, call, count, each, of, data))
NAPI(napi_get_global, (napi_env env, napi_value *out), (env, out))
NAPI(napi_get_instance_data, (napi_env env, void **out), (env, out))
NAPI(napi_get_reference_value, (napi_env env, napi_ref reference, napi_value *out),
     (env, reference, out))
NAPI(napi_get_typedarray_info,
     (napi_env env, napi_value array, napi_typedarray_type *type, size_t *len, void **data,
      napi_value *buffer, size_t *at),
     (env, array, type, len, data, buffer, at))
NAPI(napi_get_uv_event_loop, (napi_env env, struct uv_loop_s **out), (env, out))
NAPI(napi_get_value_bool, (napi_env env, napi_value value, bool *out), (env, value, out))
NAPI(napi_get_value_double, (napi_env env, napi_value value, double *out), (env, value, out))
NAPI(napi_get_value_string_utf8,
     (napi_env env, napi_value value, char *text, size_t size, size_t *len),
     (env, value, text, size, len))
NAPI(napi_is_typedarray, (napi_env env, napi_value value, bool *out), (env, value, out))
NAPI(napi_make_callback,
     (napi_env env, napi_async_context context, napi_value of, napi_value function, size_t count,
      const napi_value *each, napi_value *out),
     (env, context, of, function, count, each, out))
NAPI(napi_open_handle_scope, (napi_env env, napi_handle_scope *out), (env, out))
NAPI(napi_queue_async_work, (napi_env env, napi_async_work work), (env, work))
NAPI(napi_set_element, (napi_env env, napi_value of, uint32_t at, napi_value value),
     (env, of, at, value))
NAPI(napi_set_instance_data, (napi_env env, void *data, napi_finalize end, void *hint),
     (env, data, end, hint))
NAPI(napi_set_named_property, (napi_env env, napi_value of, const char *name, napi_value value),
     (env, of, name, value))
NAPI(napi_typeof, (napi_env env, napi_value value, napi_valuetype *out), (env, value, out))
WRAP(uv_poll_init, UV_ENOMEM, int, (uv_loop_t * loop, uv_poll_t *poll, int fd), (loop, poll, fd))
WRAP(uv_poll_start, UV_ENOMEM, int, (uv_poll_t * poll, int events, uv_poll_cb call),
     (poll, events, call))
WRAP(uv_poll_stop, UV_ENOMEM, int, (uv_poll_t * poll), (poll))
