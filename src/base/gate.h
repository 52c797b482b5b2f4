/* SPDX-License-Identifier: MIT */
/*
 * A door that many walk through at once and that one may close: readers of a table pass without
 * touching shared memory, a writer closes the door, waits until nobody is inside, and changes the
 * table in place. Inside there is no host code and no waiting, so a writer waits for nanoseconds.
 * Readers that meet a closed door wait for the writer.
 */
#ifndef SB_BASE_GATE_H
#define SB_BASE_GATE_H

#include <pthread.h>

#include "base/guard.h"

typedef struct sb_gate {
	_Atomic(uint32_t) is_closed;
	pthread_mutex_t lock;
} sb_gate;

void sb_gate_init(sb_gate *gate);
void sb_gate_free(sb_gate *gate);

/* One writer at a time; not from inside. */
void sb_gate_close(sb_gate *gate);
void sb_gate_open(sb_gate *gate);

/* What a frame names to keep the gate itself from going, without being inside. */
static inline const void *sb_gate_keeper(const sb_gate *gate)
{
	return &gate->lock;
}

/* Waits for the writer. For sb_gate_enter. */
void sb_gate_wait(sb_gate *gate);

/* Goes in. Nobody who is inside goes through another door. */
static inline void sb_gate_enter(sb_gate *gate, sb_guard_thread *thread)
{
	for (;;) {
		sb_guard_hold(&thread->gate, gate);
		if (sb_likely(atomic_load_explicit(&gate->is_closed, memory_order_acquire) == 0))
			return;
		atomic_store_explicit(&thread->gate, NULL, memory_order_release);
		sb_gate_wait(gate);
	}
}

static inline void sb_gate_leave(sb_guard_thread *thread)
{
	atomic_store_explicit(&thread->gate, NULL, memory_order_release);
}

#endif
