/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <stdbool.h>
#include <stdlib.h>

#include "support/cmocka.h"

enum { LEN_MAX = 64 };

static const sb_hash_key key = { { UINT64_C(0x9ae16a3b2f90404f), UINT64_C(0xc949c7defebfffa5),
				   UINT64_C(0x3c6ef372fe94f82b) } };

/* Hashes from a block of exactly len bytes, so that AddressSanitizer sees a read outside. */
static uint64_t hash_exactly(const sb_hash_key *with, const char *bytes, size_t len)
{
	char *block = malloc(len > 0 ? len : 1);
	/* Where there is nothing to read, even the block's only byte is out of bounds. */
	const char *data = len > 0 ? block : block + 1;
	uint64_t hash;

	assert_non_null(block);
	memcpy(block, bytes, len);
	hash = sb_hash(with, data, len);
	free(block);
	return hash;
}

static void a_hash_depends_on_the_bytes_alone(void **state)
{
	char bytes[LEN_MAX];

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	for (size_t len = 0; len <= LEN_MAX; len++) {
		char shifted[LEN_MAX + 8];

		for (size_t shift = 1; shift < 8; shift++) {
			memcpy(shifted + shift, bytes, len);
			assert_true(sb_hash(&key, shifted + shift, len) ==
				    hash_exactly(&key, bytes, len));
		}
	}
}

static void every_byte_of_every_length_counts(void **state)
{
	(void)state;
	for (size_t len = 1; len <= LEN_MAX; len++)
		for (size_t at = 0; at < len; at++) {
			char bytes[LEN_MAX];
			uint64_t before;

			memset(bytes, 'a', sizeof bytes);
			before = hash_exactly(&key, bytes, len);
			bytes[at] = 'b';
			if (hash_exactly(&key, bytes, len) == before)
				fail_msg("byte %zu of %zu does not count", at, len);
		}
}

static void the_length_counts_where_all_bytes_are_equal(void **state)
{
	uint64_t hashes[LEN_MAX + 1];
	char bytes[LEN_MAX] = { 0 };

	(void)state;
	for (size_t len = 0; len <= LEN_MAX; len++) {
		hashes[len] = hash_exactly(&key, bytes, len);
		for (size_t shorter = 0; shorter < len; shorter++)
			assert_true(hashes[shorter] != hashes[len]);
	}
}

static void every_secret_counts_at_every_length(void **state)
{
	char bytes[LEN_MAX];

	(void)state;
	memset(bytes, 'n', sizeof bytes);
	for (size_t len = 0; len <= LEN_MAX; len++)
		for (size_t i = 0; i < 3; i++) {
			sb_hash_key other = key;

			other.secrets[i] ^= UINT64_C(1) << 40;
			if (hash_exactly(&other, bytes, len) == hash_exactly(&key, bytes, len))
				fail_msg("secret %zu does not count at length %zu", i, len);
		}
}

static void keys_of_other_draws_give_other_hashes(void **state)
{
	sb_hash_key other = { { 1, 2, 3 } };

	(void)state;
	assert_true(sb_hash(&key, "step.done", 9) != sb_hash(&other, "step.done", 9));
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void a_hundred_thousand_names_do_not_collide(void **state)
{
	const size_t count = 100000;
	uint64_t *hashes = calloc(count, sizeof *hashes);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		char name[8];

		for (size_t j = 0; j < sizeof name; j++)
			name[j] = (char)('a' + (i >> (3 * j)) % 8);
		hashes[i] = sb_hash(&key, name, sizeof name);
	}
	qsort(hashes, count, sizeof *hashes, compare);
	for (size_t i = 1; i < count; i++)
		assert_true(hashes[i] != hashes[i - 1]);
	free(hashes);
}

/* Tables use the low bits: half of them should turn when one bit of the key does. */
static void low_bits_turn_with_every_bit_of_the_key(void **state)
{
	char bytes[24] = "handler.registered.soon";
	uint64_t before = sb_hash(&key, bytes, sizeof bytes);
	int turned_count = 0;

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
		turned_count += __builtin_popcountll((sb_hash(&key, bytes, sizeof bytes) ^ before) &
						     0xFFFF);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
	}
	assert_in_range(turned_count, 24 * 8 * 7, 24 * 8 * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_depends_on_the_bytes_alone),
		cmocka_unit_test(every_byte_of_every_length_counts),
		cmocka_unit_test(the_length_counts_where_all_bytes_are_equal),
		cmocka_unit_test(every_secret_counts_at_every_length),
		cmocka_unit_test(keys_of_other_draws_give_other_hashes),
		cmocka_unit_test(a_hundred_thousand_names_do_not_collide),
		cmocka_unit_test(low_bits_turn_with_every_bit_of_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
