/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <stdbool.h>
#include <stdlib.h>

#include "support/cmocka.h"

enum { LEN_MAX = 64 };

enum { SECRET_COUNT = sizeof(sb_hash_key) / sizeof(uint64_t) };

static sb_hash_key key;

static int draw_key(void **state)
{
	uint64_t random = 88172645463325252;

	(void)state;
	for (size_t i = 0; i < SECRET_COUNT; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		key.secrets[i] = random;
	}
	return 0;
}

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

static bool has_secret_an_effect(size_t secret, const char *bytes, size_t len)
{
	sb_hash_key other = key;

	other.secrets[secret] ^= UINT64_C(1) << 40;
	return hash_exactly(&other, bytes, len) != hash_exactly(&key, bytes, len);
}

/* A name is hidden under two secrets, a long one under four, and any hash under the last one. */
static void secrets_count_at_every_length(void **state)
{
	char bytes[LEN_MAX];

	(void)state;
	memset(bytes, 'n', sizeof bytes);
	for (size_t len = 0; len <= LEN_MAX; len++) {
		size_t count = len > 16 ? 4 : 2;

		for (size_t i = 0; i < count; i++)
			if (!has_secret_an_effect(i, bytes, len))
				fail_msg("secret %zu does not count at length %zu", i, len);
		assert_true(has_secret_an_effect(SECRET_COUNT - 1, bytes, len));
	}
}

static void keys_of_other_draws_give_other_hashes(void **state)
{
	sb_hash_key other = { { 1, 2, 3 } };

	(void)state;
	assert_true(sb_hash(&key, "step.done", 9) != sb_hash(&other, "step.done", 9));
}

static void parts_have_secrets_of_their_own(void **state)
{
	char bytes[LEN_MAX];

	(void)state;
	memset(bytes, 'p', sizeof bytes);
	for (size_t len = 0; len <= LEN_MAX; len++)
		for (uint32_t part = 1; part < SB_HASH_PART_COUNT; part++)
			for (uint32_t before = 0; before < part; before++)
				assert_true(sb_hash_part(&key, part, bytes, len) !=
					    sb_hash_part(&key, before, bytes, len));
}

static void a_whole_is_one_part_with_its_length(void **state)
{
	(void)state;
	assert_true(sb_hash(&key, "step.done", 9) ==
		    sb_hash_end(&key, sb_hash_part(&key, 0, "step.done", 9), 9));
	assert_true(sb_hash_end(&key, 1, 9) != sb_hash_end(&key, 1, 10));
}

/* Both from blocks of exactly their length. */
static bool do_differ(const char *left, const char *right, size_t len)
{
	char *blocks[2] = { malloc(len + 1), malloc(len + 1) };
	bool is_different;

	memcpy(blocks[0] + 1, left, len);
	memcpy(blocks[1] + 1, right, len);
	is_different = sb_bytes_differ(blocks[0] + 1, blocks[1] + 1, len);
	free(blocks[0]);
	free(blocks[1]);
	return is_different;
}

static void bytes_differ_where_one_of_them_does(void **state)
{
	(void)state;
	for (size_t len = 0; len <= LEN_MAX; len++) {
		char left[LEN_MAX], right[LEN_MAX];

		memset(left, 'a', sizeof left);
		memset(right, 'a', sizeof right);
		assert_false(do_differ(left, right, len));
		for (size_t at = 0; at < len; at++)
			for (int bit = 0; bit < 8; bit++) {
				right[at] = (char)(left[at] ^ 1 << bit);
				if (!do_differ(left, right, len))
					fail_msg("byte %zu of %zu does not count", at, len);
				right[at] = left[at];
			}
	}
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
		cmocka_unit_test(secrets_count_at_every_length),
		cmocka_unit_test(keys_of_other_draws_give_other_hashes),
		cmocka_unit_test(parts_have_secrets_of_their_own),
		cmocka_unit_test(a_whole_is_one_part_with_its_length),
		cmocka_unit_test(bytes_differ_where_one_of_them_does),
		cmocka_unit_test(a_hundred_thousand_names_do_not_collide),
		cmocka_unit_test(low_bits_turn_with_every_bit_of_the_key),
	};

	return cmocka_run_group_tests(tests, draw_key, NULL);
}
