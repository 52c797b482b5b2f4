/* SPDX-License-Identifier: MIT */
/*
 * The operation that renews the leases of an engine's own workers. It shares a transaction with no
 * sweep, so that nothing a sweep stumbles over takes the leases with it. One at a time, kept by the
 * clockwork, which asks again soon where it failed.
 */
#ifndef SB_HANDLERS_HEARTBEAT_H
#define SB_HANDLERS_HEARTBEAT_H

#include "handlers/engine.h"

typedef struct sb_heartbeat {
	sb_operation operation;
	stepbus *engine;
	_Atomic(uint32_t) is_waiting;
	_Atomic(uint32_t) has_failed; /* the last one */
} sb_heartbeat;

void sb_heartbeat_init(sb_heartbeat *heartbeat, stepbus *engine);
/* Leaves it to the writer. Only where none is waiting. */
void sb_heartbeat_submit(sb_heartbeat *heartbeat);

#endif
