/* SPDX-License-Identifier: MIT */
/*
 * The handlers of the registry benchmarks: names of 24 characters in namespace "default", version
 * "1.0.0".
 *
 * stepbus is asked with the three parts. The peers are asked with the ready text
 * "default/name/1.0.0", which is to their advantage: a real host would have to compose it for each
 * look-up.
 */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include "bench/harness.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KEY_NAME_LEN = 24, KEY_TEXT_LEN = 38 };

#define KEY_NAMESPACE "default"
#define KEY_VERSION "1.0.0"

/**
 * One handler: its composed text, with a NUL; the name is the part of it that begins at key_name().
 */
typedef struct bench_key {
	char text[KEY_TEXT_LEN + 2];
} bench_key;

static inline const char *key_name(const bench_key *key)
{
	return key->text + sizeof(KEY_NAMESPACE);
}

/**
 * A set of keys and the order in which they are looked up.
 *
 * stored   in the order of inserting.
 * asked    copies of them, shuffled: nobody finds by pointer, and reading them in order is cheap,
 *          as the name of a step that has just arrived is.
 * order    indexes into asked. For a small set random ones, long enough that no branch predictor
 *          learns them; for a large set each once.
 */
typedef struct key_set {
	uint32_t count;
	bench_key *stored;
	bench_key *asked;
	uint32_t order_count;
	uint32_t *order;
} key_set;

/**
 * How the set is made.
 *
 * is_crafted  all keys fall into one bucket of a table of up to CRAFTED_BUCKET_COUNT that uses
 *             uthash's default hash, as an attacker who knows that hash would choose them.
 */
typedef struct key_plan {
	uint32_t count;
	uint32_t is_crafted;
} key_plan;

enum { CRAFTED_BUCKET_COUNT = 1024 };

/** Makes the set of a plan, the same one each time. */
void key_set_init(key_set *set, const key_plan *plan);
void key_set_free(key_set *set);

extern const bench_peer peer_stepbus_resolve;
extern const bench_peer peer_stepbus_insert;
extern const bench_peer peer_stepbus_flow;
extern const bench_peer peer_uthash;
extern const bench_peer peer_uthash_rwlock;
extern const bench_peer peer_uthash_insert;
extern const bench_peer peer_ghash;
extern const bench_peer peer_unordered;
extern const bench_peer peer_unordered_composed;

#ifdef __cplusplus
}
#endif

#endif
