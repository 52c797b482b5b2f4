/* SPDX-License-Identifier: MIT */
#include "torture/famine/handlers.h"

#include <stdlib.h>
#include <string.h>

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

static size_t note_run(famine_world *w, const stepbus_step_event *step)
{
	size_t at = atomic_fetch_add(&w->run_count, 1);
	size_t before = 0;

	if (at >= FAMINE_RUN_MAX)
		return at;
	memcpy(w->runs[at].step_id, step->step_id, 16);
	w->runs[at].token = step->token;
	for (size_t i = 0; i < at; i++)
		before += memcmp(w->runs[i].step_id, step->step_id, 16) == 0;
	return before;
}

static int32_t succeed(const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const stepbus_dependency *dependency;

	(void)stepbus_context_is_retry(context);
	(void)stepbus_context_check(context);
	(void)stepbus_context_dependency(context, STEPBUS_TEXT("none"), &dependency, NULL);
	/* What cannot be said is left out; the result itself fails the step. */
	(void)stepbus_result_set_content_type(result, STEPBUS_TEXT("text/plain"), NULL);
	(void)stepbus_result_set_metadata(result, STEPBUS_TEXT("{\"a\":[1,2,3]}"), NULL);
	(void)stepbus_result_success(result, step->input, step->input_len, NULL);
	return 0;
}

static int32_t echo(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)note_run(instance, stepbus_context_step(context));
	return succeed(context, result);
}

static int32_t fail(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = 1,
					  .retry_after_ms = -1,
					  .message = "not yet",
					  .message_len = 7,
					  .error_code = "E1",
					  .error_code_len = 2,
					  .backtrace = "here\nthere",
					  .backtrace_len = 10 };

	if (note_run(instance, stepbus_context_step(context)) > 0)
		return succeed(context, result);
	(void)stepbus_result_failure(result, &failure, NULL);
	return 0;
}

static int32_t snooze(void *instance, const stepbus_context *context, stepbus_result *result)
{
	if (note_run(instance, stepbus_context_step(context)) > 0)
		return succeed(context, result);
	(void)stepbus_result_snooze(result, 10, NULL);
	return 0;
}

static int32_t checkpoint(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_checkpoint_spec spec = { .size = sizeof spec,
					       .items_processed = 3,
					       .cursor = "c",
					       .cursor_len = 1,
					       .partial_result = "p",
					       .partial_result_len = 1 };

	if (note_run(instance, stepbus_context_step(context)) > 0)
		return succeed(context, result);
	(void)stepbus_result_checkpoint(result, &spec, NULL);
	return 0;
}

static int32_t create(void *user_data, void **instance, stepbus_error *err)
{
	(void)err;
	*instance = user_data;
	atomic_fetch_add(&((famine_world *)user_data)->given, 1);
	return 0;
}

static void discard(void *user_data, void *instance)
{
	(void)instance;
	famine_destroy(user_data);
}

static int32_t complain(void *user_data, stepbus_error *err)
{
	(void)user_data;
	if (err != NULL)
		err->message[0] = '\0';
	return 1;
}

static const struct {
	const char *name;
	stepbus_handler_fn call;
} functions[] = {
	{ "echo", echo }, { "fail", fail }, { "snooze", snooze }, { "checkpoint", checkpoint },
	{ "shy", echo },
};

stepbus_handler_spec famine_handler(famine_world *w, const char *name, uint32_t flags)
{
	stepbus_handler_spec spec = { .size = sizeof spec,
				      .flags = flags,
				      .name = name,
				      .name_len = strlen(name),
				      .domain = "torture",
				      .domain_len = 7,
				      .description = "runs without memory",
				      .description_len = 19,
				      .capabilities = "eat,drink",
				      .capabilities_len = 9,
				      .user_data = w,
				      .destroy = famine_destroy };

	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (strcmp(functions[i].name, name) == 0)
			spec.call = functions[i].call;
	if (spec.call == NULL && !(flags & STEPBUS_HANDLER_PULLED))
		spec.call = echo;
	if (strcmp(name, "shy") == 0) {
		spec.create = create;
		spec.discard = discard;
		spec.health = complain;
	}
	return spec;
}

stepbus_status famine_register(famine_world *w, stepbus_registry *registry, const char *name,
			       uint32_t flags)
{
	const stepbus_handler_spec spec = famine_handler(w, name, flags);

	/* destroy runs also where this fails. */
	atomic_fetch_add(&w->given, 1);
	return stepbus_registry_register(registry, &spec, &w->err);
}
