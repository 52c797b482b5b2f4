/* SPDX-License-Identifier: MIT */
/*
 * boost::signals2, thread-safe as it comes, and with dummy_mutex. Tuned: the slots are small
 * function objects that hold the counter themselves, so that a delivery is one indirect call; no
 * return value, so no combiner. Publishing by name goes through an unordered_map with a ready
 * std::string as the key.
 */
#include "bench/bus.h"
#include "bench/counters.h"

#include <boost/signals2.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

using signature = void(uint32_t, const void *, size_t);

struct count {
	uint64_t *counter;
	void operator()(uint32_t, const void *payload, size_t) const
	{
		*counter += *static_cast<const uint64_t *>(payload);
	}
};

struct count_local {
	void operator()(uint32_t event_id, const void *payload, size_t len) const
	{
		bench_count_local(nullptr, event_id, payload, len);
	}
};

template <typename Mutex>
using signal_of =
	typename boost::signals2::signal_type<signature,
					      boost::signals2::keywords::mutex_type<Mutex>>::type;

template <typename Signal> struct signal_bus {
	bus_plan plan;
	std::vector<Signal> signals;
	std::unordered_map<std::string, Signal *> by_name;
	std::vector<std::string> names;

	explicit signal_bus(const bus_plan &wanted) : plan(wanted), signals(BUS_EVENT_COUNT)
	{
		for (uint32_t event = 0; event < BUS_EVENT_COUNT; event++) {
			char name[BUS_NAME_LEN_MAX];

			bus_event_name(name, event, '.');
			names.emplace_back(name);
			by_name[name] = &signals[event];
			for (uint32_t i = 0; i < plan.subscriber_count; i++)
				connect(signals[event], i);
		}
	}

	void connect(Signal &signal, uint32_t subscriber)
	{
		if (plan.is_local)
			signal.connect(count_local{});
		else
			signal.connect(count{ static_cast<uint64_t *>(bench_counter(subscriber)) });
	}
};

template <typename Signal> void *bus_open(const void *plan)
{
	return new signal_bus<Signal>(*static_cast<const bus_plan *>(plan));
}

template <typename Signal> uint64_t bus_run(void *state, uint64_t iterations)
{
	auto &bus = *static_cast<signal_bus<Signal> *>(state);
	const uint32_t mask = bus.plan.rotation - 1;
	const uint64_t payload = 1;
	uint64_t start = bench_now_ns();

	if (bus.plan.is_by_name) {
		for (uint64_t i = 0; i < iterations; i++) {
			auto &signal = *bus.by_name.find(bus.names[i & mask])->second;
			signal(static_cast<uint32_t>(i & mask), &payload, sizeof(payload));
		}
	} else {
		for (uint64_t i = 0; i < iterations; i++)
			bus.signals[i & mask](static_cast<uint32_t>(i & mask), &payload,
					      sizeof(payload));
	}
	return bench_now_ns() - start;
}

template <typename Signal> void bus_close(void *state)
{
	delete static_cast<signal_bus<Signal> *>(state);
}

using locked = signal_of<boost::signals2::mutex>;
using unlocked = signal_of<boost::signals2::dummy_mutex>;

} // namespace

const bench_peer peer_signals2 = { "signals2", bus_open<locked>, bus_run<locked>, bus_close<locked>,
				   nullptr };
const bench_peer peer_signals2_unlocked = { "signals2_dummy_mutex", bus_open<unlocked>,
					    bus_run<unlocked>, bus_close<unlocked>, nullptr };
