/* SPDX-License-Identifier: MIT */
/*
 * What becomes of workers that are gone: the steps of one whose lease is over go on elsewhere, each
 * by what the worker noted of it, and rows of those that stopped long ago are removed. Bounded: what
 * one transaction does not do, the next one does. By the leader.
 */
#ifndef SB_HANDLERS_REAP_H
#define SB_HANDLERS_REAP_H

#include "handlers/engine.h"
#include "handlers/start_log.h"

enum { SB_REAP_MAX = 16 };

typedef struct sb_reap {
	stepbus *engine;
	size_t buried_count; /* workers whose start logs can go */
	sb_start_name buried[SB_REAP_MAX];
} sb_reap;

/* Inside. */
stepbus_status sb_reap_run(sb_reap *reap, sb_store *store, bool *is_unfinished, stepbus_error *err);
/* After the transaction. */
void sb_reap_done(sb_reap *reap, bool is_kept);

#endif
