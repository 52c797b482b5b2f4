/* SPDX-License-Identifier: MIT */
/* Of registries, handlers, and the execution subscriber. */
#include <string.h>

#include "torture/reenter/rows.h"

static const stepbus_handler_key quick = { .size = sizeof quick, .name = "quick", .name_len = 5 };

static int32_t do_nothing(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	return 0;
}

CALL(registry_new)
{
	stepbus_registry *registry = NULL;
	stepbus_status status = stepbus_registry_new(NULL, &registry, err);

	(void)w;
	stepbus_registry_free(registry);
	return status;
}

/* One that nobody uses: the engine's must outlive it. */
CALL(registry_free)
{
	(void)err;
	stepbus_registry_free(w->spare_registry);
	w->spare_registry = NULL;
	return STEPBUS_OK;
}

CALL(registry_default)
{
	stepbus_registry *registry = NULL;

	(void)w;
	return stepbus_registry_default(&registry, err);
}

CALL(registry_default_reset)
{
	stepbus_registry *registry = NULL;
	stepbus_status status = stepbus_registry_default(&registry, err);

	(void)w;
	stepbus_registry_default_reset();
	return status;
}

CALL(registry_attach)
{
	stepbus_status status = stepbus_registry_attach(w->registry, w->own, err);

	return status == STEPBUS_OK ? stepbus_registry_attach(w->registry, NULL, err) : status;
}

CALL(registry_register)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "reentered", .name_len = 9, .call = do_nothing
	};

	return stepbus_registry_register(w->registry, &spec, err);
}

CALL(registry_register_domain)
{
	const stepbus_handler_spec specs[2] = {
		{ .size = sizeof *specs, .name = "r1", .name_len = 2, .call = do_nothing },
		{ .size = sizeof *specs, .name = "r2", .name_len = 2, .call = do_nothing },
	};

	return stepbus_registry_register_domain(w->registry, "d", 1, specs, 2, err);
}

CALL(registry_unregister)
{
	return stepbus_registry_unregister(w->registry, &quick, err);
}

CALL(registry_clear)
{
	return stepbus_registry_clear(w->registry, err);
}

CALL(registry_resolve)
{
	stepbus_handler *handler = NULL;
	stepbus_status status = stepbus_registry_resolve(w->registry, &quick, &handler, err);

	stepbus_handler_unref(handler);
	return status;
}

CALL(handler_ref)
{
	(void)err;
	stepbus_handler_ref(w->handler);
	stepbus_handler_unref(w->handler);
	return STEPBUS_OK;
}

CALL(handler_unref)
{
	(void)err;
	stepbus_handler_unref(w->handler);
	w->handler = NULL;
	return STEPBUS_OK;
}

CALL(handler_definition)
{
	(void)err;
	return row_verdict(strcmp(stepbus_handler_definition(w->handler)->name, "quick") == 0);
}

CALL(registry_is_registered)
{
	int32_t is_registered = stepbus_registry_is_registered(w->registry, &quick);

	(void)err;
	return row_verdict(is_registered == 0 || is_registered == 1);
}

CALL(registry_count)
{
	(void)err;
	return row_verdict(stepbus_registry_count(w->registry) < 100);
}

CALL(registry_seal)
{
	return stepbus_registry_seal(w->registry, err);
}

CALL(registry_is_sealed)
{
	(void)err;
	return row_verdict(stepbus_registry_is_sealed(w->registry) == 0);
}

CALL(registry_list)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_registry_list(w->registry, NULL, &text, err);

	return row_take_text(text, status);
}

CALL(registry_info)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_registry_info(w->registry, &quick, &text, err);

	return row_take_text(text, status);
}

static int32_t look(void *user_data, const stepbus_handler_spec *definition)
{
	(void)user_data;
	return definition->name_len == 0;
}

CALL(registry_each)
{
	return stepbus_registry_each(w->registry, look, NULL, err);
}

CALL(registry_stats)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_registry_stats(w->registry, &text, err);

	return row_take_text(text, status);
}

CALL(registry_health)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_registry_health(w->registry, &text, err);

	return row_take_text(text, status);
}

static int32_t complete(void *user_data, const stepbus_completion *completion, stepbus_error *err)
{
	(void)user_data;
	(void)completion;
	(void)err;
	return 0;
}

CALL(execution_new)
{
	const stepbus_execution_options options = {
		.size = sizeof options, .worker_id = "x", .worker_id_len = 1, .complete = complete
	};
	stepbus_execution_subscriber *executor = NULL;
	stepbus_status status =
		stepbus_execution_subscriber_new(w->own, w->registry, &options, &executor, err);

	stepbus_execution_subscriber_free(executor);
	return status;
}

CALL(execution_start)
{
	return stepbus_execution_subscriber_start(w->executor, err);
}

CALL(execution_stop)
{
	return stepbus_execution_subscriber_stop(w->executor, err);
}

CALL(execution_is_active)
{
	int32_t is_active = stepbus_execution_subscriber_is_active(w->executor);

	(void)err;
	return row_verdict(is_active == 0 || is_active == 1);
}

CALL(execution_free)
{
	(void)err;
	stepbus_execution_subscriber_free(w->executor);
	w->executor = NULL;
	return STEPBUS_OK;
}

static const row rows[] = {
	{ "stepbus_registry_new", registry_new, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_registry_free", registry_free, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_registry_default", registry_default, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_registry_default_reset",
	  registry_default_reset,
	  0,
	  ROW_ANYWHERE,
	  { { 0 } },
	  NULL },
	{ "stepbus_registry_attach", registry_attach, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_registry_register", registry_register, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_registry_register_domain",
	  registry_register_domain,
	  0,
	  ROW_OWN,
	  { { 0 } },
	  NULL },
	{ "stepbus_registry_unregister",
	  registry_unregister,
	  ROW_SPOILS,
	  ROW_OWN,
	  { { 0 } },
	  NULL },
	{ "stepbus_registry_clear", registry_clear, ROW_SPOILS, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_registry_resolve", registry_resolve, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_handler_ref", handler_ref, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_handler_unref", handler_unref, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_handler_definition",
	  handler_definition,
	  ROW_PURE,
	  ROW_ANYWHERE,
	  { { 0 } },
	  NULL },
	{ "stepbus_registry_is_registered",
	  registry_is_registered,
	  0,
	  ROW_ANYWHERE,
	  { { 0 } },
	  NULL },
	{ "stepbus_registry_count", registry_count, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_registry_seal",
	  registry_seal,
	  0,
	  ROW_OWN,
	  { { PLACE_DESTROY_HANDLER, ROW_OK } },
	  NULL },
	{ "stepbus_registry_is_sealed", registry_is_sealed, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_registry_list", registry_list, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_registry_info", registry_info, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_registry_each", registry_each, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_registry_stats", registry_stats, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_registry_health", registry_health, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_execution_subscriber_new", execution_new, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_execution_subscriber_start", execution_start, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_execution_subscriber_stop", execution_stop, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_execution_subscriber_is_active",
	  execution_is_active,
	  0,
	  ROW_ANYWHERE,
	  { { 0 } },
	  NULL },
	{ "stepbus_execution_subscriber_free", execution_free, 0, ROW_ANYWHERE, { { 0 } }, NULL },
};

const row_table rows_registry = { rows, sizeof rows / sizeof *rows };
