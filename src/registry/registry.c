/* SPDX-License-Identifier: MIT */
#include "registry/registry.h"

#include "base/clock.h"
#include "base/forkpage.h"
#include "base/log.h"
#include "registry/key.h"
#include "registry/missing.h"

stepbus_status sb_registry_fail_forked(stepbus_error *err)
{
	return sb_fail(err, STEPBUS_EFORKED,
		       "the registry belongs to the parent of this process: make a new one after "
		       "fork");
}

static void dispose(stepbus_registry *registry)
{
	stepbus_host host = registry->host;

	pthread_mutex_destroy(&registry->lock);
	sb_gate_free(&registry->gate);
	sb_pool_close(registry->pool);
	sb_forkpage_free(&host, registry->head);
	sb_release(&host, registry);
}

stepbus_status sb_registry_new(const stepbus_registry_options *options, stepbus_registry **out,
			       stepbus_error *err)
{
	stepbus_host host;
	stepbus_registry *registry;
	void *head = NULL;
	stepbus_status status = sb_host_fill(options->host, &host, err);

	if (status != STEPBUS_OK)
		return status;
	registry = sb_alloc(&host, sizeof *registry);
	if (registry == NULL)
		return sb_fail_memory(err, "make a registry");
	registry->host = host;
	registry->table.host = &registry->host;
	registry->handler_count_max = options->handler_count_max;
	registry->created_at_us = sb_clock_now_us(&host);
	sb_gate_init(&registry->gate);
	sb_assert(pthread_mutex_init(&registry->lock, NULL) == 0);
	status = sb_forkpage_new(&registry->host, sizeof *registry->head, &head, err);
	registry->head = head;
	if (status == STEPBUS_OK)
		status = sb_map_init(&registry->table.handlers, &registry->host, err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&registry->table.families, &registry->host, err);
	registry->pool = status == STEPBUS_OK ? sb_handler_pool_new(&registry->host) : NULL;
	if (status == STEPBUS_OK && registry->pool == NULL)
		status = sb_fail_memory(err, "make a registry");
	if (status != STEPBUS_OK) {
		dispose(registry);
		return status;
	}
	atomic_store(&registry->head->mode, SB_REGISTRY_OPEN);
	*out = registry;
	return STEPBUS_OK;
}

void sb_registry_observe(stepbus_registry *registry, const sb_registry_observer *observer)
{
	pthread_mutex_lock(&registry->lock);
	registry->observer = *observer;
	pthread_mutex_unlock(&registry->lock);
	/* From inside the observer itself there is nothing to wait for but ourselves. */
	if (!sb_guard_is_held_here(&registry->observer))
		sb_guard_wait(&registry->observer);
}

/*
 * Tells the observer. It is read anew each time, and named in a frame meanwhile, so that who takes
 * it away can wait until it is not being told anything. Without a frame to have, the news is not
 * told.
 */
static void tell_observer(stepbus_registry *registry, const stepbus_handler *handler,
			  bool is_registered)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_registry_observer observer;
	sb_guard_frame *frame;

	if (thread == NULL || sb_guard_is_full(thread))
		return;
	frame = sb_guard_push(thread);
	pthread_mutex_lock(&registry->lock);
	observer = registry->observer;
	sb_guard_hold(&frame->item, &registry->observer);
	pthread_mutex_unlock(&registry->lock);
	if (observer.changed != NULL)
		observer.changed(observer.user_data, &handler->facts->spec, is_registered);
	sb_guard_pop(thread, frame);
}

static void log_change(stepbus_registry *registry, const stepbus_handler *handler,
		       bool is_registered)
{
	const sb_handler_name name = sb_handler_name_of(handler);
	char entity_id[SB_KEY_LEN_MAX + 1];
	size_t len = name.handler_namespace.len;

	memcpy(entity_id, name.handler_namespace.data, len);
	entity_id[len++] = '/';
	memcpy(entity_id + len, name.name.data, name.name.len);
	len += name.name.len;
	entity_id[len++] = '/';
	/* With the NUL behind the version. */
	memcpy(entity_id + len, name.version.data, name.version.len + 1);
	sb_log(&registry->host,
	       &(sb_log_record){ .level = STEPBUS_LOG_INFO,
				 .component = "registry",
				 .message = is_registered ? "a handler was registered" :
							    "a handler was unregistered",
				 .event_type = is_registered ? "registered" : "unregistered",
				 .entity_type = "handler",
				 .entity_id = sb_slice_of(entity_id, len + name.version.len) });
}

/* What a change leaves to say, once nothing is locked. */
static void announce(stepbus_registry *registry, const stepbus_handler *handler, bool is_registered)
{
	log_change(registry, handler, is_registered);
	tell_observer(registry, handler, is_registered);
}

/* Lets go of handlers that were taken out, and tells of each. handlers is an array of count. */
static void part_with(stepbus_registry *registry, stepbus_handler **handlers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (handlers[i] == NULL)
			continue;
		announce(registry, handlers[i], false);
		sb_handler_unref_slowly(handlers[i]);
	}
}

static uint32_t mode_of(const stepbus_registry *registry)
{
	return atomic_load_explicit(&registry->head->mode, memory_order_acquire);
}

static stepbus_status check_change(const stepbus_registry *registry, stepbus_error *err)
{
	stepbus_status status = sb_registry_check(registry, err);

	if (status == STEPBUS_OK && mode_of(registry) == SB_REGISTRY_CLOSING)
		return sb_fail(err, STEPBUS_ESHUTDOWN, "the registry is being freed");
	if (status == STEPBUS_OK && sb_registry_is_sealed(registry))
		return sb_fail(err, STEPBUS_ESEALED,
			       "the registry is sealed: register handlers before sealing it");
	return status;
}

/* Under the lock, the gate closed. The caller gets the table's reference. */
static stepbus_handler *take(stepbus_registry *registry, stepbus_handler *handler)
{
	sb_table_remove(&registry->table, handler);
	return handler;
}

/*
 * What cannot be resolved any more: its loans become references, all for the price of one barrier.
 * Holes are skipped. Under the lock, the gate open again: nobody can borrow what is not in the
 * table.
 */
static void end_handlers(stepbus_registry *registry, stepbus_handler **handlers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (handlers[i] == NULL)
			continue;
		atomic_store_explicit(&handlers[i]->facts->is_removed, 1, memory_order_release);
		handlers[i]->facts->is_ending = sb_guard_call_in_begin(&handlers[i]->loan_state);
	}
	sb_guard_barrier();
	for (size_t i = 0; i < count; i++)
		if (handlers[i] != NULL && handlers[i]->facts->is_ending)
			sb_guard_call_in_end(handlers[i], &handlers[i]->loan_state,
					     &handlers[i]->ref_count);
	atomic_fetch_add_explicit(&registry->removal_count, 1, memory_order_release);
}

/* A group that is being registered: what comes in and, at the same index, what it replaces. */
typedef struct group {
	stepbus_handler **added;
	stepbus_handler **replaced;
	size_t count;
} group;

static void free_group(stepbus_registry *registry, group *g)
{
	sb_release(&registry->host, g->added);
	sb_release(&registry->host, g->replaced);
}

static void abandon_group(stepbus_registry *registry, group *g)
{
	for (size_t i = 0; g->added != NULL && i < g->count; i++)
		sb_handler_abandon(g->added[i]);
	free_group(registry, g);
}

static stepbus_status new_group(stepbus_registry *registry, const stepbus_handler_spec *specs,
				size_t count, group *g, stepbus_error *err)
{
	bool is_complete;

	g->count = count;
	g->added = sb_alloc_array(&registry->host, count, sizeof *g->added);
	g->replaced = sb_alloc_array(&registry->host, count, sizeof *g->replaced);
	is_complete = g->added != NULL && g->replaced != NULL;
	for (size_t i = 0; is_complete && i < count; i++) {
		g->added[i] =
			sb_handler_new(registry->pool, &registry->gate, &registry->host, &specs[i]);
		is_complete = g->added[i] != NULL;
	}
	if (is_complete)
		return STEPBUS_OK;
	abandon_group(registry, g);
	return sb_fail_memory(err, "register a handler");
}

static stepbus_status fail_existing(const stepbus_handler *handler, stepbus_error *err)
{
	const stepbus_handler_spec *spec = &handler->facts->spec;

	return sb_fail(err, STEPBUS_EEXISTS,
		       "handler '%s' is already registered in namespace '%s', version '%s': use "
		       "STEPBUS_HANDLER_OVERRIDE to replace it, or another version",
		       spec->name, spec->handler_namespace, spec->version);
}

/* Puts one in; undone by take_back. Under the lock, the gate closed. */
static stepbus_status put_in(stepbus_registry *registry, group *g, size_t i, stepbus_error *err)
{
	stepbus_handler *handler = g->added[i];
	const sb_handler_name name = sb_handler_name_of(handler);
	stepbus_handler *present = sb_table_find(&registry->table, &name);

	if (present != NULL && (handler->facts->spec.flags & STEPBUS_HANDLER_OVERRIDE) == 0)
		return fail_existing(handler, err);
	if (present != NULL) {
		g->replaced[i] = present;
		sb_table_swap(&registry->table, present, handler);
		return STEPBUS_OK;
	}
	if (sb_map_count(&registry->table.handlers) >= registry->handler_count_max)
		return sb_fail(err, STEPBUS_ELIMIT,
			       "the registry has %u handlers: raise handler_count_max",
			       registry->handler_count_max);
	return sb_table_add(&registry->table, handler) ? STEPBUS_OK :
							 sb_fail_memory(err, "register a handler");
}

/*
 * Under the lock, the gate closed. Last in, first out, so that one that replaced its own sibling is
 * undone too.
 */
static void take_back(stepbus_registry *registry, group *g, size_t count)
{
	while (count-- > 0) {
		if (g->replaced[count] != NULL)
			sb_table_swap(&registry->table, g->added[count], g->replaced[count]);
		else
			take(registry, g->added[count]);
	}
}

static stepbus_status put_all_in(stepbus_registry *registry, group *g, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;
	size_t count = 0;

	sb_gate_close(&registry->gate);
	while (status == STEPBUS_OK && count < g->count)
		status = put_in(registry, g, count++, err);
	if (status != STEPBUS_OK)
		take_back(registry, g, count - 1);
	for (size_t i = 0; status == STEPBUS_OK && i < g->count; i++) {
		/* For the announcement: as soon as the lock is free it may be unregistered. */
		sb_handler_ref(g->added[i]);
	}
	sb_gate_open(&registry->gate);
	if (status != STEPBUS_OK)
		return status;
	end_handlers(registry, g->replaced, g->count);
	registry->last_registration_us = sb_clock_now_us(&registry->host);
	return STEPBUS_OK;
}

stepbus_status sb_registry_register(stepbus_registry *registry, const stepbus_handler_spec *specs,
				    size_t count, stepbus_error *err)
{
	group g = { 0 };
	stepbus_status status = check_change(registry, err);

	if (status == STEPBUS_OK)
		status = new_group(registry, specs, count, &g, err);
	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&registry->lock);
	/* Again: it may have been sealed in between. */
	status = check_change(registry, err);
	if (status == STEPBUS_OK)
		status = put_all_in(registry, &g, err);
	pthread_mutex_unlock(&registry->lock);
	if (status != STEPBUS_OK) {
		abandon_group(registry, &g);
		return status;
	}
	part_with(registry, g.replaced, count);
	for (size_t i = 0; i < count; i++) {
		announce(registry, g.added[i], true);
		sb_handler_unref_slowly(g.added[i]);
	}
	free_group(registry, &g);
	return STEPBUS_OK;
}

static size_t count_versions(const sb_family *family)
{
	size_t count = 0;

	for (const stepbus_handler *handler = family != NULL ? family->versions : NULL;
	     handler != NULL; handler = handler->facts->lower)
		count++;
	return count;
}

/* Takes out one version, or all where none is said. Under the lock. */
static stepbus_status take_out(stepbus_registry *registry, const sb_handler_name *name,
			       stepbus_handler ***out, size_t *count, stepbus_error *err)
{
	size_t handlers_count;
	sb_family *family = sb_table_find_family(&registry->table, name);
	stepbus_handler *one = name->version.len > 0 ? sb_table_find(&registry->table, name) : NULL;
	stepbus_handler **handlers;

	if (family == NULL || (name->version.len > 0 && one == NULL))
		return sb_missing_fail(&registry->table, name, err);
	handlers_count = one != NULL ? 1 : count_versions(family);
	handlers = sb_alloc_array(&registry->host, handlers_count, sizeof *handlers);
	if (handlers == NULL)
		return sb_fail_memory(err, "unregister a handler");
	sb_gate_close(&registry->gate);
	if (one != NULL)
		handlers[0] = take(registry, one);
	/* The family goes with its last version. */
	for (size_t i = 0; one == NULL && i < handlers_count; i++)
		handlers[i] = take(registry, family->versions);
	sb_gate_open(&registry->gate);
	end_handlers(registry, handlers, handlers_count);
	*out = handlers;
	*count = handlers_count;
	return STEPBUS_OK;
}

stepbus_status sb_registry_unregister(stepbus_registry *registry, const sb_handler_name *name,
				      stepbus_error *err)
{
	stepbus_handler **handlers = NULL;
	size_t count = 0;
	stepbus_status status = sb_registry_check(registry, err);

	/* Before the lock, which in a forked child may be held by nobody who could open it. */
	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&registry->lock);
	status = check_change(registry, err);
	if (status == STEPBUS_OK)
		status = take_out(registry, name, &handlers, &count, err);
	pthread_mutex_unlock(&registry->lock);
	part_with(registry, handlers, count);
	sb_release(&registry->host, handlers);
	return status;
}

/* Empties the table; the handlers come back linked by lower. Under the lock. */
static stepbus_handler *empty_locked(stepbus_registry *registry)
{
	stepbus_handler *chain = NULL;
	sb_map_node *node;

	sb_gate_close(&registry->gate);
	while ((node = sb_map_first(&registry->table.handlers)) != NULL) {
		stepbus_handler *handler = take(registry, (stepbus_handler *)(void *)node);

		handler->facts->lower = chain;
		chain = handler;
	}
	sb_gate_open(&registry->gate);
	for (stepbus_handler *handler = chain; handler != NULL; handler = handler->facts->lower) {
		atomic_store_explicit(&handler->facts->is_removed, 1, memory_order_release);
		handler->facts->is_ending = sb_guard_call_in_begin(&handler->loan_state);
	}
	sb_guard_barrier();
	for (stepbus_handler *handler = chain; handler != NULL; handler = handler->facts->lower)
		if (handler->facts->is_ending)
			sb_guard_call_in_end(handler, &handler->loan_state, &handler->ref_count);
	atomic_fetch_add_explicit(&registry->removal_count, 1, memory_order_release);
	return chain;
}

static void part_with_chain(stepbus_registry *registry, stepbus_handler *chain)
{
	while (chain != NULL) {
		stepbus_handler *next = chain->facts->lower;

		part_with(registry, &chain, 1);
		chain = next;
	}
}

stepbus_status sb_registry_clear(stepbus_registry *registry, stepbus_error *err)
{
	stepbus_status status = sb_registry_check(registry, err);
	stepbus_handler *chain = NULL;

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&registry->lock);
	status = check_change(registry, err);
	if (status == STEPBUS_OK)
		chain = empty_locked(registry);
	pthread_mutex_unlock(&registry->lock);
	part_with_chain(registry, chain);
	return status;
}

void sb_registry_free(stepbus_registry *registry)
{
	stepbus_handler *chain;

	if (registry == NULL || sb_registry_check(registry, NULL) != STEPBUS_OK)
		return;
	pthread_mutex_lock(&registry->lock);
	atomic_store(&registry->head->mode, SB_REGISTRY_CLOSING);
	chain = empty_locked(registry);
	pthread_mutex_unlock(&registry->lock);
	part_with_chain(registry, chain);
	/* Somebody may be calling in a loan, on the way to giving it back. */
	sb_guard_wait(sb_gate_keeper(&registry->gate));
	dispose(registry);
}

void sb_registry_seal(stepbus_registry *registry)
{
	/* Under the lock, so that a change that has begun is over when this returns. */
	pthread_mutex_lock(&registry->lock);
	atomic_store(&registry->head->mode, SB_REGISTRY_SEALED);
	pthread_mutex_unlock(&registry->lock);
}

bool sb_registry_is_sealed(const stepbus_registry *registry)
{
	return atomic_load_explicit(&registry->head->mode, memory_order_acquire) ==
	       SB_REGISTRY_SEALED;
}

static stepbus_status fail_missing(stepbus_registry *registry, const sb_handler_name *name,
				   stepbus_error *err)
{
	pthread_mutex_lock(&registry->lock);
	sb_missing_fail(&registry->table, name, err);
	pthread_mutex_unlock(&registry->lock);
	return STEPBUS_ENOTFOUND;
}

stepbus_status sb_registry_resolve(stepbus_registry *registry, const sb_handler_name *name,
				   bool is_exact, stepbus_handler **out, stepbus_error *err)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	stepbus_handler *handler = NULL;

	if (sb_unlikely(thread == NULL))
		return sb_fail_memory(err, "resolve a handler");
	sb_gate_enter(&registry->gate, thread);
	if (name->version.len > 0)
		handler = sb_table_find(&registry->table, name);
	if (sb_unlikely(handler == NULL) && !is_exact)
		handler = sb_table_fall_back(&registry->table, name);
	/* Inside the gate, where nobody can let go of the last reference. */
	if (handler != NULL && !sb_guard_borrow(thread, handler, &handler->loan_state))
		sb_handler_ref(handler);
	sb_gate_leave(thread);
	if (sb_unlikely(handler == NULL))
		return fail_missing(registry, name, err);
	*out = handler;
	return STEPBUS_OK;
}

bool sb_registry_is_registered(stepbus_registry *registry, const sb_handler_name *name)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	bool is_there;

	if (thread == NULL)
		return false;
	sb_gate_enter(&registry->gate, thread);
	is_there = name->version.len > 0 ? sb_table_find(&registry->table, name) != NULL :
					   sb_table_find_family(&registry->table, name) != NULL;
	sb_gate_leave(thread);
	return is_there;
}

bool sb_registry_peek(stepbus_registry *registry, const sb_handler_name *name,
		      void (*visit)(void *context, const stepbus_handler_spec *spec), void *context)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	const stepbus_handler *handler = NULL;

	if (thread == NULL)
		return false;
	sb_gate_enter(&registry->gate, thread);
	if (name->version.len > 0)
		handler = sb_table_find(&registry->table, name);
	if (handler == NULL)
		handler = sb_table_fall_back(&registry->table, name);
	if (handler != NULL)
		visit(context, &handler->facts->spec);
	sb_gate_leave(thread);
	return handler != NULL;
}

stepbus_status sb_registry_hold_all(stepbus_registry *registry, stepbus_handler ***out,
				    size_t *count, stepbus_error *err)
{
	stepbus_handler **handlers;

	*count = 0;
	pthread_mutex_lock(&registry->lock);
	handlers = sb_alloc_array(&registry->host, sb_map_count(&registry->table.handlers),
				  sizeof *handlers);
	for (sb_map_node *node = sb_map_first(&registry->table.handlers);
	     handlers != NULL && node != NULL; node = sb_map_next(node)) {
		stepbus_handler *handler = (stepbus_handler *)(void *)node;

		sb_handler_ref(handler);
		handlers[(*count)++] = handler;
	}
	pthread_mutex_unlock(&registry->lock);
	*out = handlers;
	return handlers != NULL ? STEPBUS_OK : sb_fail_memory(err, "list the handlers");
}

void sb_registry_release_all(stepbus_registry *registry, stepbus_handler **handlers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sb_handler_unref_slowly(handlers[i]);
	sb_release(&registry->host, handlers);
}
