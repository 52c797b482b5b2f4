/* SPDX-License-Identifier: MIT */
/*
 * The numbers that a store gives to names of queues and handlers, kept at hand: they never change
 * once they are committed. Used by who leads the writer, inside a transaction; what was learnt in
 * one that is rolled back is forgotten with it.
 */
#ifndef SB_HANDLERS_NAMES_H
#define SB_HANDLERS_NAMES_H

#include <stdatomic.h>

#include "base/map.h"
#include "store/store.h"

/* A handler as steps ask for it. Lives as long as the cache. */
typedef struct sb_known_handler {
	int64_t id;
	sb_handler_row row;                /* texts are its own, each with a NUL behind it */
	uint64_t judged_at;                /* the cache generation that `serving` is of */
	uint32_t serving;                  /* an sb_serving, see serving.h */
	bool is_pulled;                    /* what is registered here is for pull workers */
	_Atomic(uint32_t) concurrency_max; /* of the one that is registered here; 0: no limit */
	_Atomic(uint32_t) active_count;    /* its claimed steps of this process */
	sb_queue_row rate;                 /* only what belongs to its rate */
} sb_known_handler;

typedef struct sb_names {
	const stepbus_host *host;
	sb_map queues; /* by name */
	sb_map queues_by_id;
	sb_map handlers; /* by namespace, name and version */
	sb_map handlers_by_id;
	struct sb_name_node *fresh; /* learnt in this transaction */
} sb_names;

stepbus_status sb_names_init(sb_names *names, const stepbus_host *host, stepbus_error *err);
void sb_names_free(sb_names *names);

/* Inside a transaction. */
stepbus_status sb_names_queue(sb_names *names, sb_store *store, sb_slice name, int64_t *id,
			      stepbus_error *err);
stepbus_status sb_names_handler(sb_names *names, sb_store *store, const sb_handler_row *row,
				int64_t *id, stepbus_error *err);
/* By their numbers; what comes out lives until the transaction is rolled back. */
stepbus_status sb_names_queue_of(sb_names *names, sb_store *store, int64_t id, sb_slice *name,
				 stepbus_error *err);
stepbus_status sb_names_handler_of(sb_names *names, sb_store *store, int64_t id,
				   sb_known_handler **out, stepbus_error *err);

/* How a transaction ended. */
void sb_names_keep(sb_names *names);
void sb_names_forget(sb_names *names);

#endif
