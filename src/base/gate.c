/* SPDX-License-Identifier: MIT */
#include "base/gate.h"

void sb_gate_init(sb_gate *gate)
{
	atomic_init(&gate->is_closed, 0);
	sb_assert(pthread_mutex_init(&gate->lock, NULL) == 0);
}

void sb_gate_free(sb_gate *gate)
{
	pthread_mutex_destroy(&gate->lock);
}

void sb_gate_close(sb_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	atomic_store_explicit(&gate->is_closed, 1, memory_order_seq_cst);
	sb_guard_wait(gate);
}

void sb_gate_open(sb_gate *gate)
{
	atomic_store_explicit(&gate->is_closed, 0, memory_order_release);
	pthread_mutex_unlock(&gate->lock);
}

void sb_gate_wait(sb_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	pthread_mutex_unlock(&gate->lock);
}
