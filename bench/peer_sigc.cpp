/* SPDX-License-Identifier: MIT */
/*
 * libsigc++ 2. Tuned: the slots hold a small function object, no return value and so no
 * accumulator. It is not thread-safe. Publishing by name goes through an unordered_map with a ready
 * std::string as the key.
 */
#include "bench/bus.h"
#include "bench/counters.h"

#include <sigc++/sigc++.h>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

using bus_signal = sigc::signal<void, uint32_t, const void *, size_t>;

struct count {
	uint64_t *counter;
	void operator()(uint32_t, const void *payload, size_t) const
	{
		*counter += *static_cast<const uint64_t *>(payload);
	}
};

struct signal_bus {
	bus_plan plan;
	std::vector<bus_signal> signals;
	std::unordered_map<std::string, bus_signal *> by_name;
	std::vector<std::string> names;
};

void *bus_open(const void *plan)
{
	auto *bus = new signal_bus;

	bus->plan = *static_cast<const bus_plan *>(plan);
	bus->signals.resize(BUS_EVENT_COUNT);
	for (uint32_t event = 0; event < BUS_EVENT_COUNT; event++) {
		char name[BUS_NAME_LEN_MAX];

		bus_event_name(name, event, '.');
		bus->names.emplace_back(name);
		bus->by_name[name] = &bus->signals[event];
		for (uint32_t i = 0; i < bus->plan.subscriber_count; i++)
			bus->signals[event].connect(
				count{ static_cast<uint64_t *>(bench_counter(i)) });
	}
	return bus;
}

uint64_t bus_run(void *state, uint64_t iterations)
{
	auto &bus = *static_cast<signal_bus *>(state);
	const uint32_t mask = bus.plan.rotation - 1;
	const uint64_t payload = 1;
	uint64_t start = bench_now_ns();

	if (bus.plan.is_by_name) {
		for (uint64_t i = 0; i < iterations; i++) {
			auto &signal = *bus.by_name.find(bus.names[i & mask])->second;
			signal.emit(static_cast<uint32_t>(i & mask), &payload, sizeof(payload));
		}
	} else {
		for (uint64_t i = 0; i < iterations; i++)
			bus.signals[i & mask].emit(static_cast<uint32_t>(i & mask), &payload,
						   sizeof(payload));
	}
	return bench_now_ns() - start;
}

void bus_close(void *state)
{
	delete static_cast<signal_bus *>(state);
}

} // namespace

const bench_peer peer_sigc = { "sigc++", bus_open, bus_run, bus_close, nullptr };
