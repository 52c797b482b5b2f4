/* SPDX-License-Identifier: MIT */
/* The exported functions of the registry: check, translate, delegate. */
#include "registry/registry.h"

#include "base/json.h"
#include "bridge/publish.h"
#include "ffi/arguments.h"
#include "registry/introspect.h"

enum { HANDLER_COUNT_MAX = 1048576 };

stepbus_status stepbus_registry_new(const stepbus_registry_options *options, stepbus_registry **out,
				    stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_registry_options known = { .size = sizeof known };
	stepbus_status status = sb_argument_check(out, "out", err);

	if (status == STEPBUS_OK && options != NULL)
		status = sb_struct_take(&known, sizeof known, options, "stepbus_registry_options",
					err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_flags(known.flags | known.reserved, 0,
						 "stepbus_registry_options", err);
	if (status != STEPBUS_OK)
		return status;
	if (known.handler_count_max == 0)
		known.handler_count_max = HANDLER_COUNT_MAX;
	if (known.handler_count_max > HANDLER_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "handler_count_max is %u: 1 to %d is allowed",
			       known.handler_count_max, HANDLER_COUNT_MAX);
	return sb_registry_new(&known, out, err);
}

void stepbus_registry_free(stepbus_registry *registry)
{
	SB_UNCANCELLED;
	sb_registry_free(registry);
}

static bool add_name(sb_json *json, const stepbus_handler_spec *spec)
{
	return sb_json_add_text(
		       json, "namespace",
		       sb_slice_of(spec->handler_namespace, spec->handler_namespace_len)) &&
	       sb_json_add_text(json, "name", sb_slice_of(spec->name, spec->name_len)) &&
	       sb_json_add_text(json, "version", sb_slice_of(spec->version, spec->version_len)) &&
	       sb_json_add_text(json, "domain", sb_slice_of(spec->domain, spec->domain_len));
}

/*
 * The registry's observer: the change has been made, so a bridge that refuses the news changes
 * nothing.
 */
static void publish_change(void *user_data, const stepbus_handler_spec *spec, bool is_registered)
{
	stepbus_bridge *bridge = user_data;
	const char *event = is_registered ? STEPBUS_EVENT_HANDLER_REGISTERED :
					    STEPBUS_EVENT_HANDLER_UNREGISTERED;
	stepbus_text *text = NULL;
	sb_json *json = sb_json_object_new();
	bool is_complete = add_name(json, spec);

	if (sb_json_print_take(json, is_complete, &bridge->host, &text, NULL) == STEPBUS_OK)
		stepbus_bridge_publish_name(bridge, event, strlen(event), sb_text_data(text),
					    sb_text_len(text), NULL);
	sb_text_free(text);
}

stepbus_status stepbus_registry_attach(stepbus_registry *registry, stepbus_bridge *bridge,
				       stepbus_error *err)
{
	SB_UNCANCELLED;
	const sb_registry_observer none = { NULL, NULL };
	const sb_registry_observer observer = { publish_change, bridge };
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK)
		status = sb_registry_check(registry, err);
	if (status == STEPBUS_OK && bridge != NULL)
		status = sb_bridge_check(bridge, err);
	if (status == STEPBUS_OK)
		sb_registry_observe(registry, bridge != NULL ? &observer : &none);
	return status;
}

static stepbus_status read_spec(const stepbus_handler_spec *given, stepbus_handler_spec *spec,
				stepbus_error *err)
{
	return sb_struct_take(spec, sizeof *spec, given, "stepbus_handler_spec", err);
}

static stepbus_status check_spec(stepbus_handler_spec *spec, stepbus_error *err)
{
	stepbus_status status = sb_definition_check(spec, err);

	if (status == STEPBUS_OK)
		sb_definition_fill(spec);
	return status;
}

stepbus_status stepbus_registry_register(stepbus_registry *registry,
					 const stepbus_handler_spec *given, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_handler_spec spec;
	stepbus_status status = read_spec(given, &spec, err);

	/* Of a struct that cannot be read nothing is known, not even its destroy. */
	if (status != STEPBUS_OK)
		return status;
	status = sb_argument_check(registry, "registry", err);
	if (status == STEPBUS_OK)
		status = check_spec(&spec, err);
	if (status == STEPBUS_OK)
		status = sb_registry_register(registry, &spec, 1, err);
	if (status != STEPBUS_OK && spec.destroy != NULL)
		spec.destroy(spec.user_data);
	return status;
}

/*
 * The spec at an index of a host's array, whose elements have the size that the first one states.
 */
static const stepbus_handler_spec *spec_at(const stepbus_handler_spec *specs, size_t index)
{
	return (const stepbus_handler_spec *)(const void *)((const char *)specs +
							    index * specs->size);
}

static stepbus_status read_domain_spec(const stepbus_handler_spec *specs, size_t index,
				       sb_slice domain, stepbus_handler_spec *spec,
				       stepbus_error *err)
{
	const stepbus_handler_spec *given = spec_at(specs, index);
	stepbus_status status;

	if (given->size != specs->size)
		return sb_fail(err, STEPBUS_EINVAL,
			       "it has size %u, the first one %u: set all to "
			       "sizeof(stepbus_handler_spec)",
			       given->size, specs->size);
	status = read_spec(given, spec, err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(spec->domain, spec->domain_len, "domain", err);
	if (status != STEPBUS_OK)
		return status;
	if (spec->domain_len > 0 &&
	    !sb_slice_is_equal(sb_slice_of(spec->domain, spec->domain_len), domain))
		return sb_fail(err, STEPBUS_EINVAL, "it names another domain");
	spec->domain = domain.data;
	spec->domain_len = domain.len;
	return STEPBUS_OK;
}

/* Where the group is refused, each handler in it that can be read is given back once. */
static void destroy_all(const stepbus_handler_spec *specs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		stepbus_handler_spec spec;

		if (spec_at(specs, i)->size == specs->size &&
		    read_spec(spec_at(specs, i), &spec, NULL) == STEPBUS_OK && spec.destroy != NULL)
			spec.destroy(spec.user_data);
	}
}

static stepbus_status register_domain(stepbus_registry *registry, sb_slice domain,
				      const stepbus_handler_spec *specs, size_t count,
				      stepbus_error *err)
{
	stepbus_status status = sb_definition_check_name(domain, "domain", err);
	stepbus_handler_spec *known;

	if (status == STEPBUS_OK)
		status = sb_registry_check(registry, err);
	if (status != STEPBUS_OK)
		return status;
	known = sb_alloc_array(&registry->host, count, sizeof *known);
	if (known == NULL)
		return sb_fail_memory(err, "register a domain");
	for (size_t i = 0; status == STEPBUS_OK && i < count; i++) {
		status = read_domain_spec(specs, i, domain, &known[i], err);
		if (status == STEPBUS_OK)
			status = check_spec(&known[i], err);
		if (status != STEPBUS_OK)
			sb_fail_where(err, "handler %zu of the domain: ", i);
	}
	if (status == STEPBUS_OK)
		status = sb_registry_register(registry, known, count, err);
	sb_release(&registry->host, known);
	return status;
}

stepbus_status stepbus_registry_register_domain(stepbus_registry *registry, const char *domain,
						size_t domain_len,
						const stepbus_handler_spec *specs, size_t count,
						stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_handler_spec first;
	stepbus_status status = read_spec(specs, &first, err);

	if (status != STEPBUS_OK)
		return status;
	if (specs->size % _Alignof(stepbus_handler_spec) != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_handler_spec has size %u, which no array of it could have",
			       specs->size);
	if (count == 0 || count > HANDLER_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "count is %zu: 1 to %d is allowed", count,
			       HANDLER_COUNT_MAX);
	status = sb_argument_check(registry, "registry", err);
	if (status == STEPBUS_OK)
		status = register_domain(registry, sb_slice_of(domain, domain_len), specs, count,
					 err);
	if (status != STEPBUS_OK)
		destroy_all(specs, count);
	return status;
}

/* A key of another header's size. */
static __attribute__((noinline)) stepbus_status
take_key(const stepbus_handler_key *given, stepbus_handler_key *key, stepbus_error *err)
{
	return sb_struct_take(key, sizeof *key, given, "stepbus_handler_key", err);
}

/* Resolving is a hot path: a key of the size that we know is read where it is. */
static inline stepbus_status read_key(const stepbus_handler_key *given, uint32_t *flags,
				      sb_handler_name *name, stepbus_error *err)
{
	const stepbus_handler_key *key = given;
	stepbus_handler_key taken;
	stepbus_status status;

	if (sb_unlikely(given == NULL || given->size != sizeof *given)) {
		status = take_key(given, &taken, err);
		if (status != STEPBUS_OK)
			return status;
		key = &taken;
	}
	*flags = key->flags;
	if (sb_unlikely((*flags & ~(uint32_t)STEPBUS_KEY_EXACT) != 0))
		return sb_argument_check_flags(*flags, STEPBUS_KEY_EXACT, "stepbus_handler_key",
					       err);
	status = sb_definition_read_key(key, name, err);
	if (sb_unlikely(status == STEPBUS_OK && *flags != 0 && name->version.len == 0))
		return sb_fail(
			err, STEPBUS_EINVAL,
			"STEPBUS_KEY_EXACT without a version: say which one, or leave it out");
	return status;
}

stepbus_status stepbus_registry_unregister(stepbus_registry *registry,
					   const stepbus_handler_key *key, stepbus_error *err)
{
	SB_UNCANCELLED;
	uint32_t flags = 0;
	sb_handler_name name;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK)
		status = read_key(key, &flags, &name, err);
	return status == STEPBUS_OK ? sb_registry_unregister(registry, &name, err) : status;
}

stepbus_status stepbus_registry_clear(stepbus_registry *registry, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	return status == STEPBUS_OK ? sb_registry_clear(registry, err) : status;
}

static inline stepbus_status resolve(stepbus_registry *registry, const stepbus_handler_key *key,
				     stepbus_handler **out, stepbus_error *err)
{
	uint32_t flags = 0;
	sb_handler_name name;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK)
		status = read_key(key, &flags, &name, err);
	if (status == STEPBUS_OK)
		status = sb_registry_check(registry, err);
	if (status != STEPBUS_OK)
		return status;
	return sb_registry_resolve(registry, &name, (flags & STEPBUS_KEY_EXACT) != 0, out, err);
}

stepbus_status stepbus_registry_resolve(stepbus_registry *registry, const stepbus_handler_key *key,
					stepbus_handler **out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(out, "out", err);

	return status == STEPBUS_OK ? resolve(registry, key, out, err) : status;
}

void stepbus_handler_ref(stepbus_handler *handler)
{
	if (handler != NULL)
		sb_handler_ref(handler);
}

void stepbus_handler_unref(stepbus_handler *handler)
{
	sb_handler_unref(handler);
}

const stepbus_handler_spec *stepbus_handler_definition(const stepbus_handler *handler)
{
	return handler != NULL ? &handler->facts->spec : NULL;
}

int32_t stepbus_registry_is_registered(stepbus_registry *registry, const stepbus_handler_key *key)
{
	uint32_t flags = 0;
	sb_handler_name name;

	return registry != NULL && read_key(key, &flags, &name, NULL) == STEPBUS_OK &&
	       sb_registry_check(registry, NULL) == STEPBUS_OK &&
	       sb_registry_is_registered(registry, &name);
}

size_t stepbus_registry_count(stepbus_registry *registry)
{
	size_t count;

	if (registry == NULL || sb_registry_check(registry, NULL) != STEPBUS_OK)
		return 0;
	pthread_mutex_lock(&registry->lock);
	count = sb_map_count(&registry->table.handlers);
	pthread_mutex_unlock(&registry->lock);
	return count;
}

stepbus_status stepbus_registry_seal(stepbus_registry *registry, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK)
		status = sb_registry_check(registry, err);
	if (status == STEPBUS_OK)
		sb_registry_seal(registry);
	return status;
}

int32_t stepbus_registry_is_sealed(const stepbus_registry *registry)
{
	return registry != NULL && sb_registry_is_sealed(registry);
}

stepbus_status stepbus_registry_list(stepbus_registry *registry,
				     const stepbus_handler_filter *filter, stepbus_text **out,
				     stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_handler_filter known = { .size = sizeof known };
	sb_handler_wish wish;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK && filter != NULL)
		status =
			sb_struct_take(&known, sizeof known, filter, "stepbus_handler_filter", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_flags(known.flags, 0, "stepbus_handler_filter", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(known.handler_namespace,
						known.handler_namespace_len, "namespace", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(known.domain, known.domain_len, "domain", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_text(known.capability, known.capability_len,
						"capability", err);
	if (status != STEPBUS_OK)
		return status;
	wish = (sb_handler_wish){ sb_slice_of(known.handler_namespace, known.handler_namespace_len),
				  sb_slice_of(known.domain, known.domain_len),
				  sb_slice_of(known.capability, known.capability_len) };
	return sb_introspect_list(registry, &wish, out, err);
}

stepbus_status stepbus_registry_info(stepbus_registry *registry, const stepbus_handler_key *key,
				     stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_handler *handler = NULL;
	stepbus_status status = sb_argument_check(out, "out", err);

	if (status == STEPBUS_OK)
		status = resolve(registry, key, &handler, err);
	if (status == STEPBUS_OK)
		status = sb_introspect_info(registry, handler, out, err);
	sb_handler_unref(handler);
	return status;
}

stepbus_status stepbus_registry_each(stepbus_registry *registry, stepbus_handler_each_fn visit,
				     void *user_data, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK && visit == NULL)
		return sb_fail(err, STEPBUS_EINVAL, "visit is NULL");
	return status == STEPBUS_OK ? sb_introspect_each(registry, visit, user_data, err) : status;
}

stepbus_status stepbus_registry_stats(stepbus_registry *registry, stepbus_text **out,
				      stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	return status == STEPBUS_OK ? sb_introspect_stats(registry, out, err) : status;
}

stepbus_status stepbus_registry_health(stepbus_registry *registry, stepbus_text **out,
				       stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(registry, "registry", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	return status == STEPBUS_OK ? sb_introspect_health(registry, out, err) : status;
}
