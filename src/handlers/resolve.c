/* SPDX-License-Identifier: MIT */
#include "handlers/resolve.h"

#include "base/json.h"

typedef struct versioning {
	stepbus_registry *registry;
	stepbus_handler **handler;
} versioning;

/* Where the step's version may stand in its input: only a version that is registered counts. */
static stepbus_status use_input_version(void *context, const sb_json_field *field,
					stepbus_error *err)
{
	const versioning *v = context;
	sb_handler_name name = sb_handler_name_of(*v->handler);
	stepbus_handler *versioned = NULL;

	(void)err;
	if (field->kind != SB_JSON_TEXT || field->text.len == 0 ||
	    field->text.len > SB_VERSION_LEN_MAX)
		return STEPBUS_OK;
	name.version = field->text;
	if (sb_registry_resolve(v->registry, &name, true, &versioned, NULL) != STEPBUS_OK)
		return STEPBUS_OK;
	sb_handler_unref(*v->handler);
	*v->handler = versioned;
	return STEPBUS_OK;
}

stepbus_status sb_resolve(stepbus_registry *registry, const stepbus_step_event *step,
			  stepbus_handler **out, stepbus_error *err)
{
	const stepbus_handler_key key = {
		.size = sizeof key,
		.name = step->handler_name,
		.name_len = step->handler_name_len,
		.handler_namespace = step->handler_namespace,
		.handler_namespace_len = step->handler_namespace_len,
		.version = step->handler_version,
		.version_len = step->handler_version_len,
	};
	versioning v = { .registry = registry, .handler = out };
	sb_handler_name name;
	stepbus_status status = sb_definition_read_key(&key, &name, err);

	if (status == STEPBUS_OK)
		status = sb_registry_resolve(registry, &name, false, out, err);
	if (status != STEPBUS_OK || name.version.len > 0 ||
	    ((*out)->facts->spec.flags & STEPBUS_HANDLER_VERSION_FROM_INPUT) == 0)
		return status;
	return sb_json_field_read(sb_slice_of(step->input, step->input_len), sb_slice_z("version"),
				  use_input_version, &v, err);
}
