/* SPDX-License-Identifier: MIT */
/* The exported functions of the execution subscriber. */
#include "handlers/execution.h"

#include "base/utf8.h"
#include "ffi/arguments.h"
#include "ffi/completion.h"

enum { WORKER_ID_LEN_MAX = 128 };

static stepbus_status check_options(const stepbus_execution_options *options, stepbus_error *err)
{
	stepbus_status status =
		sb_argument_check_flags(options->flags, 0, "stepbus_execution_options", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(options->worker_id, "worker_id", err);
	if (status != STEPBUS_OK)
		return status;
	if (options->worker_id_len < 1 || options->worker_id_len > WORKER_ID_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "worker_id has %zu bytes: 1 to %d are allowed",
			       options->worker_id_len, WORKER_ID_LEN_MAX);
	if (!sb_utf8_is_valid(options->worker_id, options->worker_id_len))
		return sb_fail(err, STEPBUS_EINVAL, "worker_id is not UTF-8, or holds a NUL");
	if (options->complete == NULL)
		return sb_fail(err, STEPBUS_EINVAL,
			       "complete is NULL: results need somewhere to go");
	return STEPBUS_OK;
}

static stepbus_status make(stepbus_bridge *bridge, stepbus_registry *registry,
			   const stepbus_execution_options *options,
			   stepbus_execution_subscriber **out, stepbus_error *err)
{
	sb_completion_door door = { 0 };
	stepbus_status status = check_options(options, err);

	/* Before anything of them is used: in a forked child there is nothing to use. */
	if (status == STEPBUS_OK)
		status = sb_bridge_check(bridge, err);
	if (status == STEPBUS_OK)
		status = sb_registry_check(registry, err);
	if (status == STEPBUS_OK)
		status = sb_completion_door_new(&bridge->host, options, &door, err);
	if (status != STEPBUS_OK)
		return status;
	status = sb_execution_new(bridge, registry,
				  sb_slice_of(options->worker_id, options->worker_id_len), &door,
				  out, err);
	if (status != STEPBUS_OK)
		sb_completion_door_abandon(&bridge->host, &door);
	return status;
}

stepbus_status stepbus_execution_subscriber_new(stepbus_bridge *bridge, stepbus_registry *registry,
						const stepbus_execution_options *options,
						stepbus_execution_subscriber **out,
						stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_execution_options known;
	stepbus_status status =
		sb_struct_take(&known, sizeof known, options, "stepbus_execution_options", err);

	if (status != STEPBUS_OK)
		return status;
	status = sb_argument_check(bridge, "bridge", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(registry, "registry", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK)
		status = make(bridge, registry, &known, out, err);
	if (status != STEPBUS_OK && known.destroy != NULL)
		known.destroy(known.user_data);
	return status;
}

stepbus_status stepbus_execution_subscriber_start(stepbus_execution_subscriber *subscriber,
						  stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(subscriber, "subscriber", err);

	return status == STEPBUS_OK ? sb_execution_start(subscriber, err) : status;
}

stepbus_status stepbus_execution_subscriber_stop(stepbus_execution_subscriber *subscriber,
						 stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(subscriber, "subscriber", err);

	return status == STEPBUS_OK ? sb_execution_stop(subscriber, err) : status;
}

int32_t stepbus_execution_subscriber_is_active(const stepbus_execution_subscriber *subscriber)
{
	return subscriber != NULL && sb_execution_is_active(subscriber);
}

void stepbus_execution_subscriber_free(stepbus_execution_subscriber *subscriber)
{
	SB_UNCANCELLED;
	sb_execution_free(subscriber);
}
