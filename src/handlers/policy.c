/* SPDX-License-Identifier: MIT */
#include "handlers/policy.h"

sb_retry_policy sb_policy_of_spec(const stepbus_handler_spec *spec)
{
	return (sb_retry_policy){ spec->retry_kind, spec->attempt_count_max,
				  spec->retry_base_ms * 1000, spec->retry_cap_ms * 1000,
				  spec->jitter_percent };
}

static void note_policy(void *context, const stepbus_handler_spec *spec)
{
	sb_retry_policy *policy = context;

	*policy = sb_policy_of_spec(spec);
}

stepbus_status sb_policy_of_handler(stepbus *engine, sb_store *store, int64_t handler_id,
				    sb_retry_policy *out, stepbus_error *err)
{
	sb_known_handler *handler = NULL;
	sb_handler_name name;
	stepbus_status status =
		sb_names_handler_of(&engine->names, store, handler_id, &handler, err);

	*out = (sb_retry_policy){ 0 };
	/* Whoever took its row away is not to keep the step from ending. */
	if (status == STEPBUS_ENOTFOUND)
		return STEPBUS_OK;
	if (status != STEPBUS_OK)
		return status;
	name = (sb_handler_name){ .handler_namespace = handler->row.handler_namespace,
				  .name = handler->row.name,
				  .version = handler->row.version };
	(void)sb_registry_peek(engine->registry, &name, note_policy, out);
	return STEPBUS_OK;
}
