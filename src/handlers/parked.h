/* SPDX-License-Identifier: MIT */
/*
 * Steps that are parked because their concurrency key was at its limit. Whoever gives up a place
 * releases the next one; this goes over all of them, key by key, and releases what there is room
 * for: after a limit was changed, and now and then, in case a place was given up by someone who
 * ended before he could say so.
 */
#ifndef SB_HANDLERS_PARKED_H
#define SB_HANDLERS_PARKED_H

#include "handlers/engine.h"

/* What one transaction looks at, or releases, at most. */
enum { SB_PARKED_COUNT_MAX = 1000 };

/* How far a walk has come. */
typedef struct sb_parked_walk {
	int64_t park_key; /* done with all keys up to this one */
	int64_t next_key; /* where it stands when the transaction is kept */
	int64_t count_max;
	bool is_over; /* no key is left */
} sb_parked_walk;

void sb_parked_walk_begin(sb_parked_walk *walk, int64_t count_max);
/* The transaction was kept. */
void sb_parked_walk_advance(sb_parked_walk *walk);
/* Inside. Goes on where the walk stands, for at most count_max keys and steps. */
stepbus_status sb_parked_release(stepbus *engine, sb_store *store, sb_parked_walk *walk,
				 stepbus_error *err);

#endif
