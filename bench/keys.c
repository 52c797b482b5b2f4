/* SPDX-License-Identifier: MIT */
/* Makes the key sets: random names, and names crafted against an unkeyed hash. */
#include "bench/keys.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { ORDER_COUNT_MIN = 16384 };

/* xorshift64*: the sets are the same in each run, so that results can be compared. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545F4914F6CDD1Du;
}

static void write_digits(char *text, size_t len, uint64_t value)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";

	for (size_t i = 0; i < len; i++) {
		text[i] = digits[value & 31];
		value >>= 5;
	}
}

/* "default/job.xxxxxxxx.yyyyyyyyyyy/1.0.0"; serial makes it unlike all others. */
static void write_key(bench_key *key, uint64_t serial, uint64_t random)
{
	char *name = key->text + sizeof(KEY_NAMESPACE);

	memset(key, 0, sizeof(*key));
	memcpy(key->text, KEY_NAMESPACE "/", sizeof(KEY_NAMESPACE));
	memcpy(name, "job.", 4);
	write_digits(name + 4, 8, serial);
	name[12] = '.';
	write_digits(name + 13, 11, random);
	memcpy(name + KEY_NAME_LEN, "/" KEY_VERSION, sizeof(KEY_VERSION));
}

static int is_in_first_bucket(const bench_key *key)
{
	unsigned hash = 0;

	HASH_JEN(key->text, KEY_TEXT_LEN, hash);
	return (hash & (CRAFTED_BUCKET_COUNT - 1)) == 0;
}

static void fill_stored(key_set *set, int is_crafted)
{
	uint64_t random = 0x9E3779B97F4A7C15u;
	uint64_t serial = 0;

	for (uint32_t i = 0; i < set->count; i++) {
		do {
			write_key(&set->stored[i], serial++, next_random(&random));
		} while (is_crafted && !is_in_first_bucket(&set->stored[i]));
	}
}

static void shuffle_asked(key_set *set)
{
	uint64_t random = 0xD1B54A32D192ED03u;

	memcpy(set->asked, set->stored, set->count * sizeof(bench_key));
	for (uint32_t i = set->count - 1; i > 0; i--) {
		uint32_t other = (uint32_t)(next_random(&random) % (i + 1u));
		bench_key swapped = set->asked[i];

		set->asked[i] = set->asked[other];
		set->asked[other] = swapped;
	}
}

static void fill_order(key_set *set)
{
	uint64_t random = 0xA0761D6478BD642Fu;
	int is_large = set->count >= ORDER_COUNT_MIN;

	set->order_count = is_large ? set->count : ORDER_COUNT_MIN;
	set->order = bench_alloc(set->order_count, sizeof(uint32_t));
	for (uint32_t i = 0; i < set->order_count; i++)
		set->order[i] =
			is_large ? i : (uint32_t)((next_random(&random) >> 32) % set->count);
}

void key_set_init(key_set *set, const key_plan *plan)
{
	set->count = plan->count;
	set->stored = bench_alloc(plan->count, sizeof(bench_key));
	set->asked = bench_alloc(plan->count, sizeof(bench_key));
	fill_stored(set, plan->is_crafted != 0);
	shuffle_asked(set);
	fill_order(set);
}

void key_set_free(key_set *set)
{
	free(set->stored);
	free(set->asked);
	free(set->order);
}
