/* SPDX-License-Identifier: MIT */
/*
 * What the handlers that are registered here say of retries: the middle one of the three that
 * sb_retry_policy_resolve asks. Where the attempt began, its settlement knows; who ends it for
 * another one (its lease was lost, it is completed through another engine) asks here. A handler that is
 * not registered here says nothing: then the step's own policy and the configuration decide.
 */
#ifndef SB_HANDLERS_POLICY_H
#define SB_HANDLERS_POLICY_H

#include "handlers/engine.h"
#include "handlers/retry.h"

/* Pure. */
sb_retry_policy sb_policy_of_spec(const stepbus_handler_spec *spec);
/* Inside a transaction. The handler is that which would run the step now. */
stepbus_status sb_policy_of_handler(stepbus *engine, sb_store *store, int64_t handler_id,
				    sb_retry_policy *out, stepbus_error *err);

#endif
