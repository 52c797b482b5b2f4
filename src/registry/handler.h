/* SPDX-License-Identifier: MIT */
/*
 * One registered handler: its definition, its references, and what it has done. The registry holds
 * one reference while it is registered, everyone who resolved it one more; the last to let go
 * destroys it, on its own thread and under no lock.
 */
#ifndef SB_REGISTRY_HANDLER_H
#define SB_REGISTRY_HANDLER_H

#include <stdatomic.h>

#include "base/host.h"
#include "registry/definition.h"

struct stepbus_handler {
	_Atomic(uint64_t) ref_count;
	_Atomic(uint32_t) is_removed;
	stepbus_handler_spec spec; /* texts point into texts[], each with a NUL behind it */
	stepbus_host host;
	int64_t registered_at_us;
	_Atomic(uint64_t) run_count;
	_Atomic(uint64_t) failure_count;
	_Atomic(int64_t) total_us;
	_Atomic(int64_t) longest_us;
	char texts[];
};

/*
 * Copies a definition that was checked and filled. One reference, the caller's. NULL: out of
 * memory.
 */
stepbus_handler *sb_handler_new(const stepbus_host *host, const stepbus_handler_spec *spec);
/* Frees a handler that was never registered, without its destroy. */
void sb_handler_abandon(stepbus_handler *handler);

static inline void sb_handler_ref(stepbus_handler *handler)
{
	atomic_fetch_add_explicit(&handler->ref_count, 1, memory_order_relaxed);
}

void sb_handler_unref(stepbus_handler *handler);

/* Counts one run. Any thread. */
void sb_handler_count_run(stepbus_handler *handler, bool is_success, int64_t duration_us);

static inline sb_handler_name sb_handler_name_of(const stepbus_handler *handler)
{
	const stepbus_handler_spec *spec = &handler->spec;

	return (sb_handler_name){ sb_slice_of(spec->handler_namespace, spec->handler_namespace_len),
				  sb_slice_of(spec->name, spec->name_len),
				  sb_slice_of(spec->version, spec->version_len) };
}

#endif
