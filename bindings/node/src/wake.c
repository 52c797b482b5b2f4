/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/wake.h"

#include <stdlib.h>
#include <uv.h>

#include "bindings/node/src/trouble.h"

/* The handle is first, so that both have one address. */
struct sbn_wake {
	uv_poll_t poll;
	napi_env env;
	napi_ref callback;
	napi_async_context context;
	napi_async_cleanup_hook_handle hook;
};

static void call(sbn_wake *wake)
{
	napi_env env = wake->env;
	napi_value callback;
	napi_value receiver;
	napi_value error;
	bool is_pending = false;

	if (napi_get_reference_value(env, wake->callback, &callback) != napi_ok ||
	    napi_get_global(env, &receiver) != napi_ok ||
	    napi_make_callback(env, wake->context, receiver, callback, 0, NULL, NULL) == napi_ok)
		return;
	if (napi_is_exception_pending(env, &is_pending) == napi_ok && is_pending &&
	    napi_get_and_clear_last_exception(env, &error) == napi_ok)
		napi_fatal_exception(env, error);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	sbn_wake *wake = (sbn_wake *)poll;
	napi_env env = wake->env;
	napi_handle_scope scope;

	(void)status;
	(void)events;
	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	call(wake);
	napi_close_handle_scope(env, scope);
}

static void release(sbn_wake *wake)
{
	if (wake->callback != NULL)
		napi_delete_reference(wake->env, wake->callback);
	if (wake->context != NULL)
		napi_async_destroy(wake->env, wake->context);
	free(wake);
}

static void on_closed(uv_handle_t *handle)
{
	sbn_wake *wake = (sbn_wake *)handle;
	napi_async_cleanup_hook_handle hook = wake->hook;
	napi_env env = wake->env;
	napi_handle_scope scope;
	bool is_open = napi_open_handle_scope(env, &scope) == napi_ok;

	/* Without a scope the context is left to the environment. */
	if (!is_open)
		wake->context = NULL;
	release(wake);
	if (is_open)
		napi_close_handle_scope(env, scope);
	napi_remove_async_cleanup_hook(hook);
}

/* The environment waits for the hook to be removed, and so for on_closed. */
static void clean_up(napi_async_cleanup_hook_handle hook, void *data)
{
	(void)hook;
	sbn_wake_free(data);
}

static bool prepare(sbn_wake *wake, napi_value callback)
{
	napi_value name;

	return napi_create_reference(wake->env, callback, 1, &wake->callback) == napi_ok &&
	       napi_create_string_utf8(wake->env, "stepbus.wake", NAPI_AUTO_LENGTH, &name) ==
		       napi_ok &&
	       napi_async_init(wake->env, NULL, name, &wake->context) == napi_ok;
}

sbn_wake *sbn_wake_new(napi_env env, int32_t fd, napi_value callback)
{
	sbn_wake *wake = calloc(1, sizeof *wake);
	uv_loop_t *loop = NULL;

	if (wake == NULL) {
		sbn_throw_memory(env);
		return NULL;
	}
	wake->env = env;
	if (!prepare(wake, callback) || napi_get_uv_event_loop(env, &loop) != napi_ok ||
	    napi_add_async_cleanup_hook(env, clean_up, wake, &wake->hook) != napi_ok) {
		release(wake);
		sbn_throw_napi(env);
		return NULL;
	}
	if (uv_poll_init(loop, &wake->poll, fd) == 0)
		return wake;
	napi_remove_async_cleanup_hook(wake->hook);
	release(wake);
	sbn_throw(env, STEPBUS_ESYSTEM, "the event loop refuses to watch the worker's descriptor");
	return NULL;
}

bool sbn_wake_watch(sbn_wake *wake, bool is_watched)
{
	if (uv_is_closing((const uv_handle_t *)&wake->poll))
		return true;
	return (is_watched ? uv_poll_start(&wake->poll, UV_READABLE, on_readable) :
			     uv_poll_stop(&wake->poll)) == 0;
}

void sbn_wake_free(sbn_wake *wake)
{
	if (wake != NULL && !uv_is_closing((uv_handle_t *)&wake->poll))
		uv_close((uv_handle_t *)&wake->poll, on_closed);
}
