/* SPDX-License-Identifier: MIT */
/*
 * What factories made: an instance for each step, or one for each worker that its threads share.
 * Factories run with nothing locked; of two threads that make the same instance at once, one
 * discards its own.
 */
#ifndef SB_HANDLERS_INSTANCES_H
#define SB_HANDLERS_INSTANCES_H

#include <pthread.h>

#include "base/map.h"
#include "registry/registry.h"

typedef struct sb_instances {
	stepbus_host host;
	pthread_mutex_t lock;
	sb_map by_handler;
	_Atomic(uint64_t) seen_removal_count;
} sb_instances;

/* What a step runs with; ended by sb_instances_release. */
typedef struct sb_instance {
	void *object;
	struct sb_shared_instance *shared; /* NULL: made for this step alone */
} sb_instance;

stepbus_status sb_instances_init(sb_instances *instances, const stepbus_host *host,
				 stepbus_error *err);
/* Nobody holds one any more. */
void sb_instances_free(sb_instances *instances);

/* STEPBUS_EHANDLER, with what the factory said, where it fails. */
stepbus_status sb_instances_acquire(sb_instances *instances, stepbus_handler *handler,
				    sb_instance *out, stepbus_error *err);
void sb_instances_release(sb_instances *instances, stepbus_handler *handler, sb_instance *instance);

/* Discards the instances of handlers that left the registry, as soon as no step runs with them. */
void sb_instances_sweep(sb_instances *instances, const stepbus_registry *registry);
/* Discards all, likewise. */
void sb_instances_clear(sb_instances *instances);

#endif
