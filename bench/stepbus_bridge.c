/* SPDX-License-Identifier: MIT */
/*
 * The bridge as a contestant, used as a host would: through include/stepbus.h only, every status
 * looked at.
 */
#include "bench/bus.h"
#include "bench/counters.h"

#include "include/stepbus.h"

#include <stdlib.h>

typedef struct bridge_bus {
	bus_plan plan;
	stepbus_bridge *bridge;
	uint32_t ids[BUS_EVENT_COUNT];
	char names[BUS_EVENT_COUNT][BUS_NAME_LEN_MAX];
	size_t name_lens[BUS_EVENT_COUNT];
} bridge_bus;

static void must(stepbus_status status, const char *what, const stepbus_error *err)
{
	if (status != STEPBUS_OK)
		bench_die("stepbus cannot %s: %s: %s", what, stepbus_status_name(status),
			  err->message);
}

static void add_event(bridge_bus *bus, uint32_t event)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_event_info info = { .size = sizeof(info) };

	bus->name_lens[event] = bus_event_name(bus->names[event], event, '.');
	info.name = bus->names[event];
	info.name_len = bus->name_lens[event];
	info.description = info.name;
	info.description_len = info.name_len;
	must(stepbus_bridge_declare(bus->bridge, &info, &bus->ids[event], &err), "declare", &err);
	for (uint32_t i = 0; i < bus->plan.subscriber_count; i++) {
		stepbus_subscription wish = { .size = sizeof(wish) };

		wish.deliver = bus->plan.is_local ? bench_count_local : bench_count_function(i);
		wish.user_data = bench_counter(i);
		must(stepbus_bridge_subscribe(bus->bridge, bus->names[event], bus->name_lens[event],
					      &wish, NULL, &err),
		     "subscribe", &err);
	}
}

static void *bridge_open(const void *plan)
{
	bridge_bus *bus = bench_alloc(1, sizeof(*bus));
	stepbus_error err = STEPBUS_ERROR_INIT;

	bus->plan = *(const bus_plan *)plan;
	must(stepbus_bridge_new(NULL, &bus->bridge, &err), "make a bridge", &err);
	must(stepbus_bridge_start(bus->bridge, &err), "start", &err);
	for (uint32_t event = 0; event < BUS_EVENT_COUNT; event++)
		add_event(bus, event);
	return bus;
}

static uint64_t run_by_id(const bridge_bus *bus, uint64_t iterations)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const uint32_t mask = bus->plan.rotation - 1;
	const uint64_t payload = 1;
	stepbus_status failed = STEPBUS_OK;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++)
		failed |= stepbus_bridge_publish(bus->bridge, bus->ids[i & mask], &payload,
						 sizeof(payload), &err);
	start = bench_now_ns() - start;
	must(failed, "publish", &err);
	return start;
}

static uint64_t run_by_name(const bridge_bus *bus, uint64_t iterations)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const uint32_t mask = bus->plan.rotation - 1;
	const uint64_t payload = 1;
	stepbus_status failed = STEPBUS_OK;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++)
		failed |= stepbus_bridge_publish_name(bus->bridge, bus->names[i & mask],
						      bus->name_lens[i & mask], &payload,
						      sizeof(payload), &err);
	start = bench_now_ns() - start;
	must(failed, "publish", &err);
	return start;
}

static uint64_t bridge_run(void *state, uint64_t iterations)
{
	const bridge_bus *bus = state;

	return bus->plan.is_by_name ? run_by_name(bus, iterations) : run_by_id(bus, iterations);
}

static void bridge_close(void *state)
{
	bridge_bus *bus = state;

	stepbus_bridge_free(bus->bridge);
	free(bus);
}

const bench_peer peer_stepbus_bridge = { "stepbus", bridge_open, bridge_run, bridge_close, NULL };
