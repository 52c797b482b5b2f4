/* SPDX-License-Identifier: MIT */
#include "support/spec.h"

#include <string.h>

stepbus_handler_spec test_spec(const char *name, const char *version)
{
	return (stepbus_handler_spec){ .size = sizeof(stepbus_handler_spec),
				       .name = name,
				       .name_len = strlen(name),
				       .version = version,
				       .version_len = version != NULL ? strlen(version) : 0,
				       .call = test_succeed };
}

stepbus_handler_spec test_counted_spec(const char *name, const char *version,
				       _Atomic(int) *destroyed)
{
	stepbus_handler_spec spec = test_spec(name, version);

	spec.user_data = destroyed;
	spec.destroy = test_count;
	return spec;
}

stepbus_handler_key test_key(const char *name, const char *version)
{
	return (stepbus_handler_key){ .size = sizeof(stepbus_handler_key),
				      .name = name,
				      .name_len = strlen(name),
				      .version = version,
				      .version_len = version != NULL ? strlen(version) : 0 };
}

stepbus_step_event test_step(const char *handler_name)
{
	static const char input[] = "{\"n\":1}";

	return (stepbus_step_event){ .size = sizeof(stepbus_step_event),
				     .step_id = { 1, 2, 3 },
				     .token = 7,
				     .max_retries = 3,
				     .handler_name = handler_name,
				     .handler_name_len = strlen(handler_name),
				     .input = input,
				     .input_len = sizeof input - 1 };
}

int32_t test_succeed(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	stepbus_result_success(result, STEPBUS_TEXT("ok"), NULL);
	return 0;
}

void test_count(void *user_data)
{
	atomic_fetch_add((_Atomic(int) *)user_data, 1);
}

const char *test_resolved_version(stepbus_registry *registry, const stepbus_handler_key *key)
{
	stepbus_handler *handler = NULL;
	const char *version;

	if (stepbus_registry_resolve(registry, key, &handler, NULL) != STEPBUS_OK)
		return NULL;
	version = stepbus_handler_definition(handler)->version;
	stepbus_handler_unref(handler);
	return version;
}
