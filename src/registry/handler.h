/* SPDX-License-Identifier: MIT */
/*
 * One registered handler: its definition, its references, and what it has done. The registry holds
 * one reference while it is registered, everyone who resolved it one more; the last to let go
 * destroys it, on its own thread and under no lock.
 */
#ifndef SB_REGISTRY_HANDLER_H
#define SB_REGISTRY_HANDLER_H

#include <stdatomic.h>

#include "base/gate.h"
#include "base/host.h"
#include "base/map.h"
#include "base/pool.h"
#include "registry/definition.h"

/* Makes a handler two cache lines long. */
enum { SB_HANDLER_KEY_SHORT = 48 };

/* What is known of a handler. */
typedef struct sb_handler_facts {
	stepbus_handler_spec spec; /* texts point into texts[], each with a NUL behind it */
	stepbus_host host;
	sb_pool *pool; /* where the handler itself came from */
	sb_gate *gate; /* behind which it is resolved, as long as it is registered */
	_Atomic(uint32_t) is_removed;
	bool is_ending;         /* under the lock of the registry that takes it out */
	stepbus_handler *lower; /* the table's: the next lower version */
	int64_t registered_at_us;
	_Atomic(uint64_t) run_count;
	_Atomic(uint64_t) failure_count;
	_Atomic(int64_t) total_us;
	_Atomic(int64_t) longest_us;
	char *key; /* behind the texts; used where it is not short */
	char texts[];
} sb_handler_facts;

/*
 * What a look-up touches, and little else: with a hundred thousand handlers, what costs is how many
 * cache lines and pages that is.
 */
struct stepbus_handler {
	sb_map_node node;
	_Atomic(uint64_t) ref_count;  /* beside the loans of threads, see base/guard.h */
	_Atomic(uint32_t) loan_state; /* see there; while it is LENDING, it is registered */
	uint32_t key_len;
	sb_handler_facts *facts;
	char key_short[SB_HANDLER_KEY_SHORT]; /* a longer one is in the facts */
};

/* A pool of handlers. NULL: out of memory. */
static inline sb_pool *sb_handler_pool_new(const stepbus_host *host)
{
	return sb_pool_new(host, sizeof(stepbus_handler));
}

/* Copies a definition that was checked and filled. One reference, the caller's. NULL: memory. */
stepbus_handler *sb_handler_new(sb_pool *pool, sb_gate *gate, const stepbus_host *host,
				const stepbus_handler_spec *spec);
/* Frees a handler that was never registered, without its destroy. */
void sb_handler_abandon(stepbus_handler *handler);

static inline void sb_handler_ref(stepbus_handler *handler)
{
	atomic_fetch_add_explicit(&handler->ref_count, 1, memory_order_relaxed);
}

static inline char *sb_handler_key(stepbus_handler *handler)
{
	return handler->key_len <= SB_HANDLER_KEY_SHORT ? handler->key_short : handler->facts->key;
}

/* Of a reference that was counted, or that is no loan of the calling thread. */
void sb_handler_unref_slowly(stepbus_handler *handler);

static inline void sb_handler_unref(stepbus_handler *handler)
{
	if (handler != NULL && !sb_guard_give_back(handler, &handler->loan_state))
		sb_handler_unref_slowly(handler);
}

static inline bool sb_handler_is_removed(const stepbus_handler *handler)
{
	return atomic_load_explicit(&handler->facts->is_removed, memory_order_acquire) != 0;
}

/* Counts one run. Any thread. */
void sb_handler_count_run(stepbus_handler *handler, bool is_success, int64_t duration_us);

static inline sb_handler_name sb_handler_name_of(const stepbus_handler *handler)
{
	const stepbus_handler_spec *spec = &handler->facts->spec;

	return (sb_handler_name){ sb_slice_of(spec->handler_namespace, spec->handler_namespace_len),
				  sb_slice_of(spec->name, spec->name_len),
				  sb_slice_of(spec->version, spec->version_len) };
}

#endif
