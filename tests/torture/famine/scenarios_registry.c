/* SPDX-License-Identifier: MIT */
/* The registry, and running what is registered for steps that a bridge announces. */
#include <string.h>

#include "torture/famine/handlers.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

static const stepbus_handler_key echo_key = { .size = sizeof echo_key,
					      .name = "echo",
					      .name_len = 4 };

static stepbus_status make_registry(famine_world *w)
{
	stepbus_registry *registry = NULL;
	stepbus_status status = stepbus_registry_new(NULL, &registry, &w->err);

	stepbus_registry_free(registry);
	return status;
}

static stepbus_status use_default_registry(famine_world *w)
{
	stepbus_registry *registry = NULL;
	stepbus_status status = stepbus_registry_default(&registry, &w->err);

	if (status == STEPBUS_OK)
		status = stepbus_registry_default(&registry, &w->err);
	stepbus_registry_default_reset();
	return status;
}

static stepbus_status register_more(famine_world *w)
{
	FAMINE_TRY(famine_register(w, w->registry, "first", STEPBUS_HANDLER_OVERRIDE));
	FAMINE_TRY(famine_register(w, w->registry, "second", STEPBUS_HANDLER_OVERRIDE));
	return famine_register(w, w->registry, "echo", STEPBUS_HANDLER_OVERRIDE);
}

static void has_four(famine_world *w)
{
	if (stepbus_registry_count(w->registry) != 4)
		famine_breach(w, "%zu handlers instead of 4", stepbus_registry_count(w->registry));
}

static stepbus_status register_domain(famine_world *w)
{
	const stepbus_handler_spec specs[2] = { famine_handler(w, "first", 0),
						famine_handler(w, "second", 0) };
	stepbus_status status;

	atomic_fetch_add(&w->given, 2);
	status = stepbus_registry_register_domain(w->registry, STEPBUS_TEXT("torture"), specs, 2,
						  &w->err);
	if (status != STEPBUS_OK && stepbus_registry_count(w->registry) != 2)
		famine_breach(w, "half a domain is registered");
	return status;
}

static stepbus_status unregister(famine_world *w)
{
	return stepbus_registry_unregister(w->registry, &echo_key, &w->err);
}

static stepbus_status clear(famine_world *w)
{
	return stepbus_registry_clear(w->registry, &w->err);
}

static stepbus_status resolve(famine_world *w)
{
	stepbus_handler *handler = NULL;
	stepbus_status status = stepbus_registry_resolve(w->registry, &echo_key, &handler, &w->err);

	if (status != STEPBUS_OK)
		return status;
	stepbus_handler_ref(handler);
	if (stepbus_handler_definition(handler)->name_len != 4)
		famine_breach(w, "a handler is another");
	stepbus_handler_unref(handler);
	stepbus_handler_unref(handler);
	return STEPBUS_OK;
}

static stepbus_status resolve_unknown(famine_world *w)
{
	const stepbus_handler_key key = { .size = sizeof key, .name = "ecco", .name_len = 4 };
	stepbus_handler *handler = NULL;
	stepbus_status status = stepbus_registry_resolve(w->registry, &key, &handler, &w->err);

	if (status == STEPBUS_OK)
		famine_breach(w, "who is unknown was found");
	return status == STEPBUS_ENOTFOUND ? STEPBUS_OK : status;
}

static stepbus_status list_handlers(famine_world *w)
{
	const stepbus_handler_filter filter = { .size = sizeof filter,
						.capability = "eat",
						.capability_len = 3 };
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_registry_list(w->registry, &filter, &text, &w->err));
}

static stepbus_status describe_handler(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_registry_info(w->registry, &echo_key, &text, &w->err));
}

static int32_t visit(void *user_data, const stepbus_handler_spec *definition)
{
	(void)definition;
	++*(int *)user_data;
	return 0;
}

static stepbus_status visit_each(famine_world *w)
{
	int count = 0;
	stepbus_status status = stepbus_registry_each(w->registry, visit, &count, &w->err);

	if (status == STEPBUS_OK && count != 2)
		famine_breach(w, "%d handlers were visited", count);
	return status;
}

static stepbus_status describe_registry(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_registry_stats(w->registry, &text, &w->err));
}

static stepbus_status ask_health(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_registry_health(w->registry, &text, &w->err));
}

static stepbus_status seal(famine_world *w)
{
	FAMINE_TRY(stepbus_registry_seal(w->registry, &w->err));
	if (!stepbus_registry_is_sealed(w->registry) ||
	    !stepbus_registry_is_registered(w->registry, &echo_key) ||
	    stepbus_registry_count(w->registry) != 2)
		famine_breach(w, "a sealed registry is another");
	return STEPBUS_OK;
}

static stepbus_status attach(famine_world *w)
{
	FAMINE_TRY(stepbus_registry_attach(w->registry, w->bridge, &w->err));
	FAMINE_TRY(register_more(w));
	return stepbus_registry_attach(w->registry, NULL, &w->err);
}

static const famine_scenario registry[] = {
	{ "make a registry", FAMINE_COLD, 0, make_registry, NULL, NULL },
	{ "make another registry", 0, 0, make_registry, NULL, NULL },
	{ "default registry", FAMINE_COLD, 0, use_default_registry, NULL, NULL },
	{ "register handlers", FAMINE_REGISTRY, 0, register_more, NULL, has_four },
	{ "register a domain", FAMINE_REGISTRY, 0, register_domain, NULL, has_four },
	{ "unregister a handler", FAMINE_REGISTRY, 0, unregister, NULL, NULL },
	{ "clear a registry", FAMINE_REGISTRY, 0, clear, NULL, NULL },
	{ "resolve a handler", FAMINE_REGISTRY, 0, resolve, NULL, NULL },
	{ "resolve an unknown handler", FAMINE_REGISTRY, 0, resolve_unknown, NULL, NULL },
	{ "list handlers", FAMINE_REGISTRY, 0, list_handlers, NULL, NULL },
	{ "describe a handler", FAMINE_REGISTRY, 0, describe_handler, NULL, NULL },
	{ "visit each handler", FAMINE_REGISTRY, 0, visit_each, NULL, NULL },
	{ "describe a registry", FAMINE_REGISTRY, 0, describe_registry, NULL, NULL },
	{ "ask for health", FAMINE_REGISTRY, 0, ask_health, NULL, NULL },
	{ "seal a registry", FAMINE_REGISTRY, 0, seal, NULL, NULL },
	{ "attach a registry", FAMINE_REGISTRY | FAMINE_BRIDGE, 0, attach, NULL, has_four },
};
FAMINE_SCENARIOS(famine_registry, registry);

/* Takes what an execution subscriber hands in, as long as there is memory for a copy. */
static int32_t complete(void *user_data, const stepbus_completion *completion, stepbus_error *err)
{
	famine_world *w = user_data;

	(void)err;
	if (completion->outcome == STEPBUS_OUTCOME_SUCCESS)
		atomic_fetch_add(&w->delivered, 1);
	return STEPBUS_OK;
}

static stepbus_status execute(famine_world *w, const char *handler)
{
	const stepbus_step_event event = { .size = sizeof event,
					   .step_id = { 1 },
					   .token = (uint64_t)w->turn,
					   .handler_name = handler,
					   .handler_name_len = strlen(handler),
					   .input = "bytes",
					   .input_len = 5 };
	uint32_t id = 0;

	FAMINE_TRY(stepbus_bridge_event(
		w->bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED), &id, &w->err));
	return stepbus_bridge_publish(w->bridge, id, &event, sizeof event, &w->err);
}

static stepbus_status start_executor(famine_world *w)
{
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "w",
						    .worker_id_len = 1,
						    .complete = complete,
						    .user_data = w,
						    .destroy = famine_destroy };

	if (w->executor == NULL) {
		atomic_fetch_add(&w->given, 1);
		FAMINE_TRY(stepbus_execution_subscriber_new(w->bridge, w->registry, &options,
							    &w->executor, &w->err));
	}
	FAMINE_TRY(stepbus_execution_subscriber_start(w->executor, &w->err));
	if (!stepbus_execution_subscriber_is_active(w->executor))
		famine_breach(w, "an executor that was started is not active");
	return STEPBUS_OK;
}

static stepbus_status start_and_stop_executor(famine_world *w)
{
	FAMINE_TRY(start_executor(w));
	return stepbus_execution_subscriber_stop(w->executor, &w->err);
}

static void have_executor(famine_world *w)
{
	if (start_executor(w) != STEPBUS_OK)
		famine_breach(w, "no executor");
}

static stepbus_status execute_echo(famine_world *w)
{
	return execute(w, "echo");
}

static stepbus_status execute_shy(famine_world *w)
{
	return execute(w, "shy");
}

static stepbus_status execute_unknown(famine_world *w)
{
	return execute(w, "ecco");
}

/* With memory a step that failed for want of it runs well. */
static void runs_well(famine_world *w)
{
	int before = atomic_load(&w->delivered);

	w->turn++;
	if (execute(w, "echo") != STEPBUS_OK || atomic_load(&w->delivered) != before + 1)
		famine_breach(w, "a step does not run any more: %s", w->err.message);
}

enum { EXECUTES = FAMINE_BRIDGE | FAMINE_REGISTRY, REFUSED = 1 << STEPBUS_EDELIVERY };

static const famine_scenario execution[] = {
	{ "start and stop an executor", EXECUTES, 0, start_and_stop_executor, NULL, NULL },
	{ "execute a step", EXECUTES, REFUSED, execute_echo, have_executor, runs_well },
	{ "execute with a factory", EXECUTES, REFUSED, execute_shy, have_executor, runs_well },
	{ "execute the unknown", EXECUTES, REFUSED, execute_unknown, have_executor, runs_well },
};
FAMINE_SCENARIOS(famine_execution, execution);
