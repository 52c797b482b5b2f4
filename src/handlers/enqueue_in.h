/* SPDX-License-Identifier: MIT */
/*
 * Enqueueing inside a transaction of the host's, on the host's connection: what it inserts becomes
 * steps when the host commits. Nothing of the engine is touched but its settings, so any number of
 * threads do this at once, beside the writer. Nobody is told: whether and when the host commits is
 * not for us to know, so the steps are found by the next poll.
 */
#ifndef SB_HANDLERS_ENQUEUE_IN_H
#define SB_HANDLERS_ENQUEUE_IN_H

#include "handlers/engine.h"

/* A list of specs that were checked. */
typedef struct sb_enqueue_in {
	struct sqlite3 *connection;
	const char *schema; /* ends in NUL */
	const stepbus_step_spec *specs;
	size_t count;
	stepbus_enqueued *out; /* count of them, or NULL */
} sb_enqueue_in;

/* All or none; after an error the host's transaction is as it was before. */
stepbus_status sb_enqueue_in_perform(stepbus *engine, const sb_enqueue_in *wish,
				     stepbus_error *err);

#endif
