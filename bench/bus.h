/* SPDX-License-Identifier: MIT */
/*
 * What the bus benchmarks have in common: 64 events exist, each with the same number of
 * subscribers, and a publisher goes through the first few of them in turn. Every delivery adds the
 * payload, 1, to a counter.
 */
#ifndef BENCH_BUS_H
#define BENCH_BUS_H

#include "bench/harness.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BUS_EVENT_COUNT = 64, BUS_ROTATION_MAX = 8, BUS_NAME_LEN_MAX = 32 };

/**
 * subscriber_count  of each event, up to BENCH_COUNTER_COUNT.
 * rotation          how many events are published in turn: a power of two, up to BUS_ROTATION_MAX.
 * is_by_name        publish by name instead of by id.
 * is_local          each thread counts for itself.
 */
typedef struct bus_plan {
	uint32_t subscriber_count;
	uint32_t rotation;
	uint32_t is_by_name;
	uint32_t is_local;
} bus_plan;

/**
 * Writes the name of an event: "bench.rotation.event_07". GObject allows no dots, so it says '-'.
 */
static inline size_t bus_event_name(char *name, uint32_t index, char separator)
{
	return (size_t)snprintf(name, BUS_NAME_LEN_MAX, "bench%crotation%cevent_%02u", separator,
				separator, index);
}

extern const bench_peer peer_stepbus_bridge;
extern const bench_peer peer_bare;
extern const bench_peer peer_gsignal;
extern const bench_peer peer_signals2;
extern const bench_peer peer_signals2_unlocked;
extern const bench_peer peer_sigc;
extern const bench_peer peer_emitter;
extern const bench_peer peer_pyee;

#ifdef __cplusplus
}
#endif

#endif
