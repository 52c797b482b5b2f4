/* SPDX-License-Identifier: MIT */
/*
 * From the step that is to run to the definition of its handler: by namespace, name and version, and
 * where a handler wants that by the version that the step's input names.
 */
#ifndef SB_HANDLERS_RESOLVE_H
#define SB_HANDLERS_RESOLVE_H

#include "registry/registry.h"

/* One reference in *out, also where a version in the input could not be read. Any thread. */
stepbus_status sb_resolve(stepbus_registry *registry, const stepbus_step_event *step,
			  stepbus_handler **out, stepbus_error *err);

#endif
