/* SPDX-License-Identifier: MIT */
/*
 * What the subscribers do in every bus benchmark: add the payload's value to a counter.
 *
 * Sixteen functions with the same body, in an object file of their own that is compiled without
 * inlining and without folding equal functions: no contestant can see through a call, and the
 * branch predictor meets as many targets as in a real host. Each has the signature of a
 * stepbus_event_fn.
 */
#ifndef BENCH_COUNTERS_H
#define BENCH_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_COUNTER_COUNT = 16 };

typedef int32_t (*bench_count_fn)(void *user_data, uint32_t event_id, const void *payload,
				  size_t len);

/** The function of the subscriber with that index; each adds to the counter given as user_data. */
bench_count_fn bench_count_function(uint32_t index);

/** The counter of the subscriber with that index. */
void *bench_counter(uint32_t index);

/** Adds to a counter of the calling thread, so that two threads share no written memory. */
int32_t bench_count_local(void *user_data, uint32_t event_id, const void *payload, size_t len);

/** The same two bodies as GObject callbacks: (instance, payload, user_data). */
void bench_count_signal(void *instance, void *payload, void *user_data);
void bench_count_signal_local(void *instance, void *payload, void *user_data);

#ifdef __cplusplus
}
#endif

#endif
