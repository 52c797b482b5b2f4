/* SPDX-License-Identifier: MIT */
/*
 * A subscriber object: one object's routes, subscribed and ended together. Each running
 * subscription holds a reference, so the object outlives its last callback, also when it is freed
 * from inside one.
 */
#ifndef SB_BRIDGE_ROUTES_H
#define SB_BRIDGE_ROUTES_H

#include "bridge/bridge.h"

/* Routes and options were checked. destroy is not called where this fails. */
stepbus_status sb_routes_new(stepbus_bridge *bridge, const stepbus_subscriber_options *options,
			     stepbus_subscriber **out, stepbus_error *err);
stepbus_status sb_routes_start(stepbus_subscriber *subscriber, stepbus_error *err);
stepbus_status sb_routes_stop(stepbus_subscriber *subscriber, stepbus_error *err);
void sb_routes_free(stepbus_subscriber *subscriber);

#endif
