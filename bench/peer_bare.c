/* SPDX-License-Identifier: MIT */
/*
 * The floor: an indirect call for each subscriber, and nothing else. The table of functions is
 * filled at run time and the functions live in another object file, so the compiler cannot turn the
 * calls into anything cheaper. No look-up by name, no guard against unsubscribing, no check of the
 * event id.
 */
#include "bench/bus.h"
#include "bench/counters.h"

#include <stdlib.h>

typedef struct bare_call {
	bench_count_fn call;
	void *user_data;
} bare_call;

typedef struct bare_bus {
	bus_plan plan;
	bare_call *calls[BUS_EVENT_COUNT];
} bare_bus;

static void *bare_open(const void *plan)
{
	bare_bus *bus = bench_alloc(1, sizeof(*bus));

	bus->plan = *(const bus_plan *)plan;
	for (uint32_t event = 0; event < BUS_EVENT_COUNT; event++) {
		bus->calls[event] = bench_alloc(bus->plan.subscriber_count, sizeof(bare_call));
		for (uint32_t i = 0; i < bus->plan.subscriber_count; i++) {
			bare_call *call = &bus->calls[event][i];

			call->call =
				bus->plan.is_local ? bench_count_local : bench_count_function(i);
			call->user_data = bench_counter(i);
		}
	}
	return bus;
}

/* One subscriber needs no inner loop: the floor must not pay for one. */
static uint64_t run_single(const bare_bus *bus, uint64_t iterations)
{
	const uint32_t mask = bus->plan.rotation - 1;
	const uint64_t payload = 1;
	int32_t refused = 0;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		uint32_t event = (uint32_t)i & mask;
		const bare_call *call = bus->calls[event];

		refused |= call->call(call->user_data, event, &payload, sizeof(payload));
	}
	start = bench_now_ns() - start;
	if (refused != 0)
		bench_die("a counter refused an event");
	return start;
}

static uint64_t run_several(const bare_bus *bus, uint64_t iterations)
{
	const uint32_t mask = bus->plan.rotation - 1;
	const uint32_t count = bus->plan.subscriber_count;
	const uint64_t payload = 1;
	int32_t refused = 0;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		uint32_t event = (uint32_t)i & mask;
		const bare_call *calls = bus->calls[event];

		for (uint32_t s = 0; s < count; s++)
			refused |=
				calls[s].call(calls[s].user_data, event, &payload, sizeof(payload));
	}
	start = bench_now_ns() - start;
	if (refused != 0)
		bench_die("a counter refused an event");
	return start;
}

static uint64_t bare_run(void *state, uint64_t iterations)
{
	const bare_bus *bus = state;

	if (bus->plan.subscriber_count == 1)
		return run_single(bus, iterations);
	return run_several(bus, iterations);
}

static void bare_close(void *state)
{
	bare_bus *bus = state;

	for (uint32_t event = 0; event < BUS_EVENT_COUNT; event++)
		free(bus->calls[event]);
	free(bus);
}

const bench_peer peer_bare = { "bare_call", bare_open, bare_run, bare_close, NULL };
