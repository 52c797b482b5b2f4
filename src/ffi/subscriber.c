/* SPDX-License-Identifier: MIT */
/* The exported functions of subscriber objects. */
#include "bridge/routes.h"
#include "bridge/topic.h"
#include "ffi/arguments.h"

enum { ROUTE_COUNT_MAX = 1024 };

static stepbus_status check_routes(const stepbus_subscriber_options *options, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(options->routes, "routes", err);

	if (status != STEPBUS_OK)
		return status;
	if (options->route_count < 1 || options->route_count > ROUTE_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "route_count is %u: 1 to %d is allowed",
			       options->route_count, ROUTE_COUNT_MAX);
	for (uint32_t i = 0; status == STEPBUS_OK && i < options->route_count; i++) {
		const stepbus_route *route = &options->routes[i];

		/*
		 * An array has one stride: elements of another header's size cannot be stepped over
		 * yet.
		 */
		if (route->size != sizeof *route)
			return sb_fail(err, STEPBUS_EINVAL,
				       "route %u has size %u: set it to sizeof(stepbus_route)", i,
				       route->size);
		if (route->deliver == NULL)
			return sb_fail(err, STEPBUS_EINVAL, "route %u has no deliver", i);
		status = sb_topic_check_pattern(sb_slice_of(route->pattern, route->pattern_len),
						err);
	}
	return status;
}

stepbus_status stepbus_subscriber_new(stepbus_bridge *bridge,
				      const stepbus_subscriber_options *options,
				      stepbus_subscriber **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_subscriber_options known;
	stepbus_status status =
		sb_struct_take(&known, sizeof known, options, "stepbus_subscriber_options", err);

	if (status != STEPBUS_OK)
		return status;
	status = sb_argument_check(bridge, "bridge", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK)
		status = check_routes(&known, err);
	if (status == STEPBUS_OK)
		status = sb_routes_new(bridge, &known, out, err);
	if (status != STEPBUS_OK && known.destroy != NULL)
		known.destroy(known.user_data);
	return status;
}

stepbus_status stepbus_subscriber_start(stepbus_subscriber *subscriber, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(subscriber, "subscriber", err);

	return status == STEPBUS_OK ? sb_routes_start(subscriber, err) : status;
}

stepbus_status stepbus_subscriber_stop(stepbus_subscriber *subscriber, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(subscriber, "subscriber", err);

	return status == STEPBUS_OK ? sb_routes_stop(subscriber, err) : status;
}

void stepbus_subscriber_free(stepbus_subscriber *subscriber)
{
	SB_UNCANCELLED;
	sb_routes_free(subscriber);
}
