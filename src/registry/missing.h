/* SPDX-License-Identifier: MIT */
/* What is said when a handler is not there: what is registered, and what may have been meant. */
#ifndef SB_REGISTRY_MISSING_H
#define SB_REGISTRY_MISSING_H

#include "registry/table.h"

/* STEPBUS_ENOTFOUND with a message. Under the registry's lock. */
stepbus_status sb_missing_fail(const sb_table *table, const sb_handler_name *name,
			       stepbus_error *err);

#endif
