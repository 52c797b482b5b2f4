/* SPDX-License-Identifier: MIT */
/*
 * std::unordered_map<std::string, …> without a lock. Tuned: room for all keys is reserved. Two ways
 * to ask: with ready std::string objects, so that a look-up makes no string, and with the three parts
 * that stepbus gets, composed into one std::string that is used again and again.
 */
#include "bench/keys.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace
{

struct unordered {
	key_set keys;
	std::vector<std::string> asked;
	std::unordered_map<std::string, uint64_t> table;
	uint32_t position;
};

void *unordered_open(const void *plan)
{
	auto *state = new unordered{};

	key_set_init(&state->keys, static_cast<const key_plan *>(plan));
	state->table.reserve(state->keys.count);
	for (uint32_t i = 0; i < state->keys.count; i++)
		state->table.emplace(state->keys.stored[i].text, 1);
	for (uint32_t i = 0; i < state->keys.count; i++)
		state->asked.emplace_back(state->keys.asked[i].text);
	return state;
}

uint64_t unordered_run(void *opened, uint64_t iterations)
{
	auto &state = *static_cast<unordered *>(opened);
	const key_set &keys = state.keys;
	uint32_t position = state.position;
	uint64_t hits = 0;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		auto found = state.table.find(state.asked[keys.order[position]]);

		hits += found != state.table.end() ? found->second : 0;
		position = position + 1 == keys.order_count ? 0 : position + 1;
	}
	start = bench_now_ns() - start;
	state.position = position;
	bench_work_add(hits);
	return start;
}

uint64_t unordered_run_composed(void *opened, uint64_t iterations)
{
	auto &state = *static_cast<unordered *>(opened);
	const key_set &keys = state.keys;
	uint32_t position = state.position;
	std::string text;
	uint64_t hits = 0;
	uint64_t start;

	text.reserve(KEY_TEXT_LEN + 1);
	start = bench_now_ns();
	for (uint64_t i = 0; i < iterations; i++) {
		text.assign(KEY_NAMESPACE, sizeof(KEY_NAMESPACE) - 1);
		text.push_back('/');
		text.append(key_name(&keys.asked[keys.order[position]]), KEY_NAME_LEN);
		text.push_back('/');
		text.append(KEY_VERSION, sizeof(KEY_VERSION) - 1);

		auto found = state.table.find(text);

		hits += found != state.table.end() ? found->second : 0;
		position = position + 1 == keys.order_count ? 0 : position + 1;
	}
	start = bench_now_ns() - start;
	state.position = position;
	bench_work_add(hits);
	return start;
}

void unordered_close(void *opened)
{
	auto *state = static_cast<unordered *>(opened);

	key_set_free(&state->keys);
	delete state;
}

} // namespace

const bench_peer peer_unordered = { "std::unordered_map", unordered_open, unordered_run,
				    unordered_close, nullptr };
const bench_peer peer_unordered_composed = { "std::unordered_map, 3 parts", unordered_open,
					     unordered_run_composed, unordered_close, nullptr };
