/* SPDX-License-Identifier: MIT */
/*
 * What a bridge tells of itself, as JSON: its subscriptions, its counters, and its catalog of
 * events.
 */
#ifndef SB_BRIDGE_DESCRIBE_H
#define SB_BRIDGE_DESCRIBE_H

#include "bridge/bridge.h"

/* name may be empty: all subscriptions. */
stepbus_status sb_describe_listeners(stepbus_bridge *bridge, sb_slice name, stepbus_text **out,
				     stepbus_error *err);
stepbus_status sb_describe_listener_count(stepbus_bridge *bridge, sb_slice name, uint32_t *count,
					  stepbus_error *err);
stepbus_status sb_describe_stats(stepbus_bridge *bridge, stepbus_text **out, stepbus_error *err);

/* category may be empty: all. */
stepbus_status sb_describe_catalog(stepbus_bridge *bridge, sb_slice category, stepbus_text **out,
				   stepbus_error *err);
stepbus_status sb_describe_search(stepbus_bridge *bridge, sb_slice wanted, stepbus_text **out,
				  stepbus_error *err);
stepbus_status sb_describe_event(stepbus_bridge *bridge, sb_slice name, stepbus_text **out,
				 stepbus_error *err);

#endif
