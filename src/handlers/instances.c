/* SPDX-License-Identifier: MIT */
#include "handlers/instances.h"

/* Guarded by the lock of its table. Holds a reference to its handler. */
typedef struct sb_shared_instance {
	sb_map_node node;
	stepbus_handler *handler; /* the key */
	void *object;
	uint32_t use_count;
	bool is_doomed; /* out of the table, to be discarded by its last user */
	struct sb_shared_instance *next;
} sb_shared_instance;

stepbus_status sb_instances_init(sb_instances *instances, const stepbus_host *host,
				 stepbus_error *err)
{
	instances->host = *host;
	sb_assert(pthread_mutex_init(&instances->lock, NULL) == 0);
	return sb_map_init(&instances->by_handler, &instances->host, err);
}

void sb_instances_free(sb_instances *instances)
{
	sb_instances_clear(instances);
	pthread_mutex_destroy(&instances->lock);
}

static void discard(const stepbus_handler *handler, void *object)
{
	if (handler->facts->spec.discard != NULL)
		handler->facts->spec.discard(handler->facts->spec.user_data, object);
}

static void discard_shared(sb_instances *instances, sb_shared_instance *shared)
{
	discard(shared->handler, shared->object);
	sb_handler_unref_slowly(shared->handler);
	sb_release(&instances->host, shared);
}

static void discard_chain(sb_instances *instances, sb_shared_instance *chain)
{
	while (chain != NULL) {
		sb_shared_instance *next = chain->next;

		discard_shared(instances, chain);
		chain = next;
	}
}

static stepbus_status create(const stepbus_handler *handler, void **object, stepbus_error *err)
{
	stepbus_error cause = STEPBUS_ERROR_INIT;

	*object = NULL;
	if (handler->facts->spec.create(handler->facts->spec.user_data, object, &cause) ==
	    STEPBUS_OK)
		return STEPBUS_OK;
	cause.message[sizeof cause.message - 1] = '\0';
	return sb_fail(err, STEPBUS_EHANDLER, "the factory of handler '%s' failed: %s",
		       handler->facts->spec.name,
		       cause.message[0] != '\0' ? cause.message : "it did not say why");
}

static sb_shared_instance *find(const sb_instances *instances, stepbus_handler *handler)
{
	return (sb_shared_instance *)(void *)sb_map_find(&instances->by_handler, &handler,
							 sizeof(void *));
}

/* Uses what is in the table. */
static sb_shared_instance *share(sb_instances *instances, stepbus_handler *handler)
{
	sb_shared_instance *shared;

	pthread_mutex_lock(&instances->lock);
	shared = find(instances, handler);
	if (shared != NULL)
		shared->use_count++;
	pthread_mutex_unlock(&instances->lock);
	return shared;
}

/*
 * Puts a new one into the table, or uses the one that another thread put there first. NULL: out of
 * memory.
 */
static sb_shared_instance *put_in(sb_instances *instances, sb_shared_instance *made)
{
	sb_shared_instance *shared;

	pthread_mutex_lock(&instances->lock);
	shared = find(instances, made->handler);
	if (shared == NULL &&
	    sb_map_add(&instances->by_handler, &made->node, &made->handler, sizeof(void *)))
		shared = made;
	if (shared != NULL)
		shared->use_count++;
	pthread_mutex_unlock(&instances->lock);
	return shared;
}

static stepbus_status acquire_shared(sb_instances *instances, stepbus_handler *handler,
				     sb_shared_instance **out, stepbus_error *err)
{
	sb_shared_instance *made;
	stepbus_status status;

	*out = share(instances, handler);
	if (*out != NULL)
		return STEPBUS_OK;
	made = sb_alloc(&instances->host, sizeof *made);
	if (made == NULL)
		return sb_fail_memory(err, "make an instance");
	status = create(handler, &made->object, err);
	if (status != STEPBUS_OK) {
		sb_release(&instances->host, made);
		return status;
	}
	made->handler = handler;
	sb_handler_ref(handler);
	*out = put_in(instances, made);
	if (*out != made)
		discard_shared(instances, made);
	return *out != NULL ? STEPBUS_OK : sb_fail_memory(err, "make an instance");
}

stepbus_status sb_instances_acquire(sb_instances *instances, stepbus_handler *handler,
				    sb_instance *out, stepbus_error *err)
{
	stepbus_status status;

	*out = (sb_instance){ handler->facts->spec.user_data, NULL };
	if (handler->facts->spec.create == NULL)
		return STEPBUS_OK;
	if (handler->facts->spec.instance_scope == STEPBUS_SCOPE_STEP)
		return create(handler, &out->object, err);
	status = acquire_shared(instances, handler, &out->shared, err);
	if (status == STEPBUS_OK)
		out->object = out->shared->object;
	return status;
}

static void release_shared(sb_instances *instances, sb_shared_instance *shared)
{
	bool is_last;

	pthread_mutex_lock(&instances->lock);
	/* Its handler may have left while the factory ran, and the sweep have passed by then. */
	if (!shared->is_doomed && sb_handler_is_removed(shared->handler)) {
		sb_map_remove(&instances->by_handler, &shared->node);
		shared->is_doomed = true;
	}
	is_last = --shared->use_count == 0 && shared->is_doomed;
	pthread_mutex_unlock(&instances->lock);
	if (is_last)
		discard_shared(instances, shared);
}

void sb_instances_release(sb_instances *instances, stepbus_handler *handler, sb_instance *instance)
{
	if (instance->shared != NULL)
		release_shared(instances, instance->shared);
	else if (handler->facts->spec.create != NULL)
		discard(handler, instance->object);
}

static sb_shared_instance *take_out(sb_instances *instances, bool is_all)
{
	sb_map_node *node = sb_map_first(&instances->by_handler);
	sb_shared_instance *chain = NULL;

	while (node != NULL) {
		sb_shared_instance *shared = (sb_shared_instance *)(void *)node;

		node = sb_map_next(node);
		if (!is_all && !sb_handler_is_removed(shared->handler))
			continue;
		sb_map_remove(&instances->by_handler, &shared->node);
		shared->is_doomed = true;
		if (shared->use_count > 0)
			continue;
		shared->next = chain;
		chain = shared;
	}
	return chain;
}

static void discard_unused(sb_instances *instances, bool is_all)
{
	sb_shared_instance *chain;

	pthread_mutex_lock(&instances->lock);
	chain = take_out(instances, is_all);
	pthread_mutex_unlock(&instances->lock);
	discard_chain(instances, chain);
}

void sb_instances_sweep(sb_instances *instances, const stepbus_registry *registry)
{
	uint64_t count = atomic_load_explicit(&registry->removal_count, memory_order_acquire);

	if (sb_likely(atomic_load_explicit(&instances->seen_removal_count, memory_order_relaxed) ==
		      count))
		return;
	atomic_store_explicit(&instances->seen_removal_count, count, memory_order_relaxed);
	discard_unused(instances, false);
}

void sb_instances_clear(sb_instances *instances)
{
	discard_unused(instances, true);
}
