/* SPDX-License-Identifier: MIT */
/*
 * The cases of the registry benchmark: look-ups in tables of three sizes, names chosen by an enemy,
 * and one whole step in memory, of which a look-up is a part.
 */
#include "bench/keys.h"

enum { INSERT_COUNT = 20000, INSERT_ROUND_COUNT = 9 };

static const bench_peer *const peers[] = {
	&peer_uthash,    &peer_uthash_rwlock,
#ifdef BENCH_HAS_GLIB
	&peer_ghash,
#endif
	&peer_unordered, &peer_unordered_composed,
};

static void run_resolve(const char *case_name, uint32_t count, double goal_ns)
{
	const key_plan plan = { .count = count };
	bench_group group;
	bench_entry *plain = NULL;

	bench_group_init(&group, "registry", "ns/resolve", 0);
	bench_group_add(&group, case_name, &peer_stepbus_resolve, &plan)->goal_ns = goal_ns;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		bench_entry *entry = bench_group_add(&group, case_name, peers[i], &plan);

		plain = peers[i] == &peer_uthash ? entry : plain;
	}
	for (size_t i = 0; i < group.entry_count; i++)
		group.entries[i].baseline = plain;
	bench_group_run(&group);
}

/*
 * Random names are compared with plain uthash; crafted ones with what random ones cost the same
 * table.
 */
static void run_insert(void)
{
	const key_plan random = { .count = INSERT_COUNT };
	const key_plan crafted = { .count = INSERT_COUNT, .is_crafted = 1 };
	bench_group group;
	bench_entry *entries = group.entries;

	bench_group_init(&group, "registry", "ns/insert", INSERT_ROUND_COUNT);
	bench_group_add(&group, "insert_20000_random", &peer_stepbus_insert, &random);
	bench_group_add(&group, "insert_20000_random", &peer_uthash_insert, &random);
	bench_group_add(&group, "insert_20000_crafted", &peer_stepbus_insert, &crafted);
	bench_group_add(&group, "insert_20000_crafted", &peer_uthash_insert, &crafted);
	for (size_t i = 0; i < group.entry_count; i++)
		entries[i].iterations = INSERT_COUNT;
	entries[0].baseline = &entries[1];
	entries[1].baseline = &entries[1];
	entries[2].baseline = &entries[0];
	entries[3].baseline = &entries[1];
	bench_group_run(&group);
}

static void run_flow(void)
{
	bench_group group;

	bench_group_init(&group, "registry", "ns/step", 0);
	bench_group_add(&group, "flow_memory", &peer_stepbus_flow, NULL)->goal_ns = 200;
	bench_group_run(&group);
}

int main(void)
{
	bench_cpu_init();
	run_resolve("resolve_10", 10, 25);
	run_resolve("resolve_1000", 1000, 35);
	run_resolve("resolve_100000", 100000, 200);
	run_insert();
	run_flow();
	return 0;
}
