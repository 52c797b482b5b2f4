/* SPDX-License-Identifier: MIT */
/*
 * The table of handlers, by namespace, name and version. Resolving walks through a gate and so
 * never waits for other readers; changing closes the gate for the few instructions that relink the
 * table. Observers, destroy functions and logs are called with nothing locked.
 */
#ifndef SB_REGISTRY_REGISTRY_H
#define SB_REGISTRY_REGISTRY_H

#include <pthread.h>

#include "base/gate.h"
#include "registry/table.h"

/* Zero comes from the fork page: in a forked child every registry reads as FORKED. */
enum {
	SB_REGISTRY_FORKED = 0,
	SB_REGISTRY_OPEN = 1,
	SB_REGISTRY_SEALED = 2,
	SB_REGISTRY_CLOSING = 3,
};

typedef struct sb_registry_head {
	_Atomic(uint32_t) mode;
} sb_registry_head;

/* Hears of each change, after it was made. */
typedef struct sb_registry_observer {
	void (*changed)(void *user_data, const stepbus_handler_spec *definition,
			bool is_registered);
	void *user_data;
} sb_registry_observer;

struct stepbus_registry {
	sb_registry_head *head; /* on a fork page */
	stepbus_host host;
	sb_pool *pool; /* of the handlers */
	sb_gate gate;
	_Atomic(uint64_t) removal_count; /* rises with each handler that leaves */
	int64_t created_at_us;
	uint32_t handler_count_max;

	/* One change at a time; guards what follows, but for reading the table through the gate. */
	pthread_mutex_t lock;

	sb_table table;
	int64_t last_registration_us;
	sb_registry_observer observer;
};

/* options has all defaults filled in. */
stepbus_status sb_registry_new(const stepbus_registry_options *options, stepbus_registry **out,
			       stepbus_error *err);
void sb_registry_free(stepbus_registry *registry);
stepbus_status sb_registry_fail_forked(stepbus_error *err);

/* STEPBUS_EFORKED in a forked child. */
static inline stepbus_status sb_registry_check(const stepbus_registry *registry, stepbus_error *err)
{
	if (sb_unlikely(atomic_load_explicit(&registry->head->mode, memory_order_acquire) ==
			SB_REGISTRY_FORKED))
		return sb_registry_fail_forked(err);
	return STEPBUS_OK;
}
void sb_registry_observe(stepbus_registry *registry, const sb_registry_observer *observer);

/* Registers all or none. specs were checked and filled. destroy is not called where this fails. */
stepbus_status sb_registry_register(stepbus_registry *registry, const stepbus_handler_spec *specs,
				    size_t count, stepbus_error *err);
/* Without a version: all of that name. */
stepbus_status sb_registry_unregister(stepbus_registry *registry, const sb_handler_name *name,
				      stepbus_error *err);
stepbus_status sb_registry_clear(stepbus_registry *registry, stepbus_error *err);
void sb_registry_seal(stepbus_registry *registry);
bool sb_registry_is_sealed(const stepbus_registry *registry);

/* name was checked. One reference in *out. */
stepbus_status sb_registry_resolve(stepbus_registry *registry, const sb_handler_name *name,
				   bool is_exact, stepbus_handler **out, stepbus_error *err);
bool sb_registry_is_registered(stepbus_registry *registry, const sb_handler_name *name);
/*
 * Shows what would be resolved, without a reference whose return could call the host: for callers
 * that hold a lock. visit must not wait, nor call out. False: there is none, or no memory.
 */
bool sb_registry_peek(stepbus_registry *registry, const sb_handler_name *name,
		      void (*visit)(void *context, const stepbus_handler_spec *spec),
		      void *context);

/*
 * References to all handlers, in no order; an array of *count to free with sb_registry_release_all.
 */
stepbus_status sb_registry_hold_all(stepbus_registry *registry, stepbus_handler ***out,
				    size_t *count, stepbus_error *err);
void sb_registry_release_all(stepbus_registry *registry, stepbus_handler **handlers, size_t count);

#endif
