/* SPDX-License-Identifier: MIT */
#include "registry/introspect.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "base/words.h"
#include "registry/version.h"

static int compare_text(const char *a, const char *b)
{
	/* Names hold no NUL, and a handler's texts end in one. */
	return strcmp(a, b);
}

static int compare_handlers(const void *a, const void *b)
{
	const stepbus_handler_spec *left = &(*(stepbus_handler *const *)a)->facts->spec;
	const stepbus_handler_spec *right = &(*(stepbus_handler *const *)b)->facts->spec;
	int order = compare_text(left->handler_namespace, right->handler_namespace);

	if (order == 0)
		order = compare_text(left->name, right->name);
	if (order == 0)
		order = sb_version_compare(sb_slice_of(left->version, left->version_len),
					   sb_slice_of(right->version, right->version_len));
	return order;
}

static stepbus_status hold_sorted(stepbus_registry *registry, stepbus_handler ***out, size_t *count,
				  stepbus_error *err)
{
	stepbus_status status = sb_registry_check(registry, err);

	if (status == STEPBUS_OK)
		status = sb_registry_hold_all(registry, out, count, err);
	if (status == STEPBUS_OK && *count > 1)
		qsort(*out, *count, sizeof **out, compare_handlers);
	return status;
}

static bool is_wanted(const stepbus_handler_spec *spec, const sb_handler_wish *wish)
{
	if (wish->handler_namespace.len > 0 &&
	    !sb_slice_is_equal(wish->handler_namespace,
			       sb_slice_of(spec->handler_namespace, spec->handler_namespace_len)))
		return false;
	if (wish->domain.len > 0 &&
	    !sb_slice_is_equal(wish->domain, sb_slice_of(spec->domain, spec->domain_len)))
		return false;
	return wish->capability.len == 0 ||
	       sb_words_has(sb_slice_of(spec->capabilities, spec->capabilities_len),
			    wish->capability);
}

static const char *retry_name(uint32_t retry_kind)
{
	static const char *const names[] = { "default", "none",        "fixed",
					     "linear",  "exponential", "fibonacci" };

	return names[retry_kind];
}

static bool add_policy(sb_json *json, const stepbus_handler_spec *spec)
{
	sb_json *timeouts = sb_json_object_new();
	sb_json *retry = sb_json_object_new();
	sb_json *limits = sb_json_object_new();
	bool is_complete =
		sb_json_add_int(timeouts, "wait_ms", spec->wait_timeout_ms) &&
		sb_json_add_int(timeouts, "attempt_ms", spec->attempt_timeout_ms) &&
		sb_json_add_int(timeouts, "total_ms", spec->total_timeout_ms) &&
		sb_json_add_text(retry, "kind", sb_slice_z(retry_name(spec->retry_kind))) &&
		sb_json_add_int(retry, "attempt_count_max", spec->attempt_count_max) &&
		sb_json_add_int(retry, "base_ms", spec->retry_base_ms) &&
		sb_json_add_int(retry, "cap_ms", spec->retry_cap_ms) &&
		sb_json_add_int(retry, "jitter_percent", spec->jitter_percent) &&
		sb_json_add_int(limits, "concurrency_max", spec->concurrency_max) &&
		sb_json_add_int(limits, "rate_per_minute", spec->rate_per_minute);

	is_complete = sb_json_add_part_take(json, "timeouts", timeouts) && is_complete;
	is_complete = sb_json_add_part_take(json, "retry", retry) && is_complete;
	return sb_json_add_part_take(json, "limits", limits) && is_complete;
}

static bool add_permissions(sb_json *json, const stepbus_handler_spec *spec)
{
	sb_json *part = sb_json_object_new();
	bool is_complete = sb_json_add_words(part, "queues",
					     sb_slice_of(spec->permitted_queues,
							 spec->permitted_queues_len)) &&
			   sb_json_add_words(part, "callers",
					     sb_slice_of(spec->permitted_callers,
							 spec->permitted_callers_len));

	return sb_json_add_part_take(json, "permissions", part) && is_complete;
}

static bool add_runs(sb_json *json, const stepbus_handler *handler)
{
	int64_t runs =
		(int64_t)atomic_load_explicit(&handler->facts->run_count, memory_order_relaxed);
	int64_t total_us = atomic_load_explicit(&handler->facts->total_us, memory_order_relaxed);
	sb_json *part = sb_json_object_new();
	bool is_complete =
		sb_json_add_int(part, "runs", runs) &&
		sb_json_add_int(part, "failures",
				(int64_t)atomic_load_explicit(&handler->facts->failure_count,
							      memory_order_relaxed)) &&
		sb_json_add_int(part, "total_us", total_us) &&
		sb_json_add_int(part, "mean_us", runs > 0 ? total_us / runs : 0) &&
		sb_json_add_int(
			part, "longest_us",
			atomic_load_explicit(&handler->facts->longest_us, memory_order_relaxed));

	return sb_json_add_part_take(json, "stats", part) && is_complete;
}

static bool add_identity(sb_json *json, const stepbus_handler_spec *spec)
{
	return sb_json_add_text(json, "name", sb_slice_of(spec->name, spec->name_len)) &&
	       sb_json_add_text(
		       json, "namespace",
		       sb_slice_of(spec->handler_namespace, spec->handler_namespace_len)) &&
	       sb_json_add_text(json, "version", sb_slice_of(spec->version, spec->version_len));
}

static const char *kind_of(const stepbus_handler_spec *spec)
{
	if ((spec->flags & STEPBUS_HANDLER_PULLED) != 0)
		return "pulled";
	return spec->create != NULL ? "factory" : "function";
}

static sb_json *handler_json(const stepbus_handler *handler, bool *is_complete)
{
	const stepbus_handler_spec *spec = &handler->facts->spec;
	bool is_per_worker = spec->instance_scope == STEPBUS_SCOPE_WORKER;
	sb_json *json = sb_json_object_new();

	*is_complete =
		add_identity(json, spec) &&
		sb_json_add_text(json, "domain", sb_slice_of(spec->domain, spec->domain_len)) &&
		sb_json_add_text(json, "description",
				 sb_slice_of(spec->description, spec->description_len)) &&
		sb_json_add_words(json, "capabilities",
				  sb_slice_of(spec->capabilities, spec->capabilities_len)) &&
		sb_json_add_raw(json, "config_schema",
				sb_slice_of(spec->config_schema, spec->config_schema_len)) &&
		sb_json_add_text(json, "kind", sb_slice_z(kind_of(spec))) &&
		sb_json_add_text(json, "instance_scope",
				 sb_slice_z(is_per_worker ? "worker" : "step")) &&
		sb_json_add_bool(json, "is_default",
				 (spec->flags & STEPBUS_HANDLER_DEFAULT) != 0) &&
		sb_json_add_bool(json, "has_health", spec->health != NULL) &&
		add_permissions(json, spec) && add_policy(json, spec) &&
		sb_json_add_time(json, "registered_at", handler->facts->registered_at_us) &&
		add_runs(json, handler) && *is_complete;
	return json;
}

stepbus_status sb_introspect_list(stepbus_registry *registry, const sb_handler_wish *wish,
				  stepbus_text **out, stepbus_error *err)
{
	stepbus_handler **handlers = NULL;
	size_t count = 0;
	bool is_complete = true;
	sb_json *json;
	stepbus_status status = hold_sorted(registry, &handlers, &count, err);

	if (status != STEPBUS_OK)
		return status;
	json = sb_json_array_new();
	for (size_t i = 0; i < count; i++) {
		sb_json *part;

		if (!is_wanted(&handlers[i]->facts->spec, wish))
			continue;
		part = handler_json(handlers[i], &is_complete);
		is_complete = sb_json_add_part_take(json, NULL, part) && is_complete;
	}
	sb_registry_release_all(registry, handlers, count);
	return sb_json_print_take(json, is_complete, &registry->host, out, err);
}

stepbus_status sb_introspect_info(stepbus_registry *registry, const stepbus_handler *handler,
				  stepbus_text **out, stepbus_error *err)
{
	bool is_complete = true;
	sb_json *json = handler_json(handler, &is_complete);

	return sb_json_print_take(json, is_complete, &registry->host, out, err);
}

stepbus_status sb_introspect_each(stepbus_registry *registry, stepbus_handler_each_fn visit,
				  void *user_data, stepbus_error *err)
{
	stepbus_handler **handlers = NULL;
	size_t count = 0;
	stepbus_status status = hold_sorted(registry, &handlers, &count, err);
	int32_t answer = 0;

	if (status != STEPBUS_OK)
		return status;
	for (size_t i = 0; i < count && answer == 0; i++)
		answer = visit(user_data, &handlers[i]->facts->spec);
	sb_registry_release_all(registry, handlers, count);
	return answer == 0 ?
		       STEPBUS_OK :
		       sb_fail(err, answer, "the walk was ended by its visitor with %d", answer);
}

/*
 * Adds a word to a sorted array once; equal ones come one after the other where the handlers are
 * sorted by it.
 */
static bool add_distinct(sb_json *list, const char **last, const char *word)
{
	if (word == NULL || (*last != NULL && strcmp(*last, word) == 0))
		return true;
	*last = word;
	return sb_json_add_text(list, NULL, sb_slice_z(word));
}

static int compare_by_version(const void *a, const void *b)
{
	const stepbus_handler_spec *left = &(*(stepbus_handler *const *)a)->facts->spec;
	const stepbus_handler_spec *right = &(*(stepbus_handler *const *)b)->facts->spec;

	return sb_version_compare(sb_slice_of(left->version, left->version_len),
				  sb_slice_of(right->version, right->version_len));
}

static int compare_by_domain(const void *a, const void *b)
{
	const char *left = (*(stepbus_handler *const *)a)->facts->spec.domain;
	const char *right = (*(stepbus_handler *const *)b)->facts->spec.domain;

	return compare_text(left != NULL ? left : "", right != NULL ? right : "");
}

static const char *namespace_of(const stepbus_handler_spec *spec)
{
	return spec->handler_namespace;
}

static const char *version_of(const stepbus_handler_spec *spec)
{
	return spec->version;
}

static const char *domain_of(const stepbus_handler_spec *spec)
{
	return spec->domain;
}

static bool add_distincts(sb_json *json, const char *name, stepbus_handler **handlers, size_t count,
			  const char *(*word_of)(const stepbus_handler_spec *spec))
{
	sb_json *list = sb_json_array_new();
	const char *last = NULL;
	bool is_complete = true;

	for (size_t i = 0; i < count; i++)
		is_complete = add_distinct(list, &last, word_of(&handlers[i]->facts->spec)) &&
			      is_complete;
	return sb_json_add_part_take(json, name, list) && is_complete;
}

static bool add_sums(sb_json *json, stepbus_handler **handlers, size_t count)
{
	int64_t runs = 0, failures = 0;

	for (size_t i = 0; i < count; i++) {
		runs += (int64_t)atomic_load_explicit(&handlers[i]->facts->run_count,
						      memory_order_relaxed);
		failures += (int64_t)atomic_load_explicit(&handlers[i]->facts->failure_count,
							  memory_order_relaxed);
	}
	return sb_json_add_int(json, "runs", runs) && sb_json_add_int(json, "failures", failures);
}

stepbus_status sb_introspect_stats(stepbus_registry *registry, stepbus_text **out,
				   stepbus_error *err)
{
	stepbus_handler **handlers = NULL;
	size_t count = 0;
	int64_t last_us;
	bool is_complete;
	sb_json *json;
	stepbus_status status = hold_sorted(registry, &handlers, &count, err);

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&registry->lock);
	last_us = registry->last_registration_us;
	pthread_mutex_unlock(&registry->lock);
	json = sb_json_object_new();
	is_complete = sb_json_add_int(json, "total_handlers", (int64_t)count) &&
		      add_distincts(json, "namespaces", handlers, count, namespace_of);
	if (count > 1)
		qsort(handlers, count, sizeof *handlers, compare_by_version);
	is_complete = add_distincts(json, "versions", handlers, count, version_of) && is_complete;
	if (count > 1)
		qsort(handlers, count, sizeof *handlers, compare_by_domain);
	is_complete = add_distincts(json, "domains", handlers, count, domain_of) && is_complete &&
		      sb_json_add_bool(json, "sealed", sb_registry_is_sealed(registry)) &&
		      sb_json_add_bool(json, "thread_safe", true) &&
		      sb_json_add_time(json, "created_at", registry->created_at_us) &&
		      (last_us != 0 ?
			       sb_json_add_time(json, "last_registration", last_us) :
			       sb_json_add_text(json, "last_registration", sb_slice_of(NULL, 0))) &&
		      add_sums(json, handlers, count);
	sb_registry_release_all(registry, handlers, count);
	return sb_json_print_take(json, is_complete, &registry->host, out, err);
}

static bool add_health(sb_json *list, const stepbus_handler *handler, bool *is_healthy)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	bool is_well = handler->facts->spec.health(handler->facts->spec.user_data, &err) == 0;
	sb_json *json = sb_json_object_new();
	bool is_complete;

	/* A host may have filled the message to its last byte, with anything. */
	err.message[sizeof err.message - 1] = '\0';
	err.message[sb_utf8_is_valid(err.message, strlen(err.message)) ? strlen(err.message) : 0] =
		'\0';
	is_complete =
		add_identity(json, &handler->facts->spec) &&
		sb_json_add_text(json, "status", sb_slice_z(is_well ? "healthy" : "unhealthy")) &&
		sb_json_add_text(json, "message",
				 is_well ? sb_slice_of(NULL, 0) : sb_slice_z(err.message));
	*is_healthy = *is_healthy && is_well;
	return sb_json_add_part_take(list, NULL, json) && is_complete;
}

stepbus_status sb_introspect_health(stepbus_registry *registry, stepbus_text **out,
				    stepbus_error *err)
{
	stepbus_handler **handlers = NULL;
	size_t count = 0;
	bool is_healthy = true, is_complete = true;
	sb_json *json, *list;
	stepbus_status status = hold_sorted(registry, &handlers, &count, err);

	if (status != STEPBUS_OK)
		return status;
	json = sb_json_object_new();
	list = sb_json_array_new();
	for (size_t i = 0; i < count; i++)
		if (handlers[i]->facts->spec.health != NULL)
			is_complete = add_health(list, handlers[i], &is_healthy) && is_complete;
	is_complete = sb_json_add_text(json, "status",
				       sb_slice_z(is_healthy ? "healthy" : "unhealthy")) &&
		      sb_json_add_int(json, "registry_size", (int64_t)count) && is_complete;
	is_complete = sb_json_add_part_take(json, "handlers", list) && is_complete;
	sb_registry_release_all(registry, handlers, count);
	return sb_json_print_take(json, is_complete, &registry->host, out, err);
}
