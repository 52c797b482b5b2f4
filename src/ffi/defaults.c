/* SPDX-License-Identifier: MIT */
/*
 * The process-wide bridge and registry: the only writable data of the library that a host can reach
 * without holding an object. No lock, so that a forked child finds none held; of two threads that
 * make one at once, the later frees its own.
 */
#include <stdatomic.h>

#include "bridge/bridge.h"
#include "ffi/arguments.h"
#include "registry/registry.h"

static _Atomic(stepbus_bridge *) default_bridge;
static _Atomic(stepbus_registry *) default_registry;

static stepbus_status make_bridge(stepbus_bridge **out, stepbus_error *err)
{
	stepbus_status status = stepbus_bridge_new(NULL, out, err);

	return status == STEPBUS_OK ? sb_bridge_start(*out, err) : status;
}

stepbus_status stepbus_bridge_default(stepbus_bridge **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(out, "out", err);
	stepbus_bridge *made = NULL, *present;

	if (status != STEPBUS_OK)
		return status;
	present = atomic_load(&default_bridge);
	if (present == NULL) {
		status = make_bridge(&made, err);
		if (status != STEPBUS_OK)
			return status;
		if (atomic_compare_exchange_strong(&default_bridge, &present, made))
			present = made;
		else
			sb_bridge_free(made);
	}
	*out = present;
	return STEPBUS_OK;
}

void stepbus_bridge_default_reset(void)
{
	SB_UNCANCELLED;
	sb_bridge_free(atomic_exchange(&default_bridge, NULL));
}

stepbus_status stepbus_registry_default(stepbus_registry **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(out, "out", err);
	stepbus_registry *made = NULL, *present;

	if (status != STEPBUS_OK)
		return status;
	present = atomic_load(&default_registry);
	if (present == NULL) {
		status = stepbus_registry_new(NULL, &made, err);
		if (status != STEPBUS_OK)
			return status;
		if (atomic_compare_exchange_strong(&default_registry, &present, made))
			present = made;
		else
			sb_registry_free(made);
	}
	*out = present;
	return STEPBUS_OK;
}

void stepbus_registry_default_reset(void)
{
	SB_UNCANCELLED;
	sb_registry_free(atomic_exchange(&default_registry, NULL));
}
