/* SPDX-License-Identifier: MIT */
/* What is said when a handler is not there: what is registered, and what may have been meant. */
#ifndef SB_REGISTRY_MISSING_H
#define SB_REGISTRY_MISSING_H

#include "base/map.h"
#include "registry/definition.h"

/* STEPBUS_ENOTFOUND with a message. families is the registry's, under its lock. */
stepbus_status sb_missing_fail(const sb_map *families, const sb_handler_name *name,
			       stepbus_error *err);

#endif
