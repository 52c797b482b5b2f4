/* SPDX-License-Identifier: MIT */
/* GHashTable with GLib's own functions for text keys. Without a lock. */
#include "bench/keys.h"

#include <glib.h>

typedef struct ghash {
	key_set keys;
	GHashTable *table;
	uint32_t position;
} ghash;

static void *ghash_open(const void *plan)
{
	ghash *state = bench_alloc(1, sizeof(*state));

	key_set_init(&state->keys, plan);
	state->table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (uint32_t i = 0; i < state->keys.count; i++) {
		uint64_t *value = g_new(uint64_t, 1);

		*value = 1;
		g_hash_table_insert(state->table, g_strdup(state->keys.stored[i].text), value);
	}
	return state;
}

static uint64_t ghash_run(void *opened, uint64_t iterations)
{
	ghash *state = opened;
	const key_set *keys = &state->keys;
	uint32_t position = state->position;
	uint64_t hits = 0;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		const uint64_t *value =
			g_hash_table_lookup(state->table, keys->asked[keys->order[position]].text);

		hits += value != NULL ? *value : 0;
		position = position + 1 == keys->order_count ? 0 : position + 1;
	}
	start = bench_now_ns() - start;
	state->position = position;
	bench_work_add(hits);
	return start;
}

static void ghash_close(void *opened)
{
	ghash *state = opened;

	g_hash_table_destroy(state->table);
	key_set_free(&state->keys);
	free(state);
}

const bench_peer peer_ghash = { "GHashTable", ghash_open, ghash_run, ghash_close, NULL };
