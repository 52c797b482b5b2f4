/* SPDX-License-Identifier: MIT */
/*
 * A keyed 64-bit hash for short names: two multiplications fold up to 16 bytes, one more for each
 * further 16. All constants are secret and drawn per table: with fixed ones an outsider could pick
 * names that make a factor zero whatever the seed, and so collide. Pure.
 */
#ifndef SB_BASE_HASH_H
#define SB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct sb_hash_key {
	uint64_t secrets[3];
} sb_hash_key;

__extension__ typedef unsigned __int128 sb_uint128;

static inline uint64_t sb_hash_fold(uint64_t a, uint64_t b)
{
	sb_uint128 product = (sb_uint128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t sb_hash_read8(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

static inline uint64_t sb_hash_read4(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

/* Reads 1 to 16 bytes as two words; the reads overlap rather than loop. */
static inline void sb_hash_read_short(const uint8_t *bytes, size_t len, uint64_t *a, uint64_t *b)
{
	if (len >= 8) {
		*a = sb_hash_read8(bytes);
		*b = sb_hash_read8(bytes + len - 8);
	} else if (len >= 4) {
		*a = sb_hash_read4(bytes);
		*b = sb_hash_read4(bytes + len - 4);
	} else if (len > 0) {
		*a = (uint64_t)bytes[0] << 16 | (uint64_t)bytes[len / 2] << 8 | bytes[len - 1];
		*b = 0;
	} else {
		*a = *b = 0;
	}
}

static inline uint64_t sb_hash(const sb_hash_key *key, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t state = key->secrets[0];
	size_t left = len;
	uint64_t a, b;

	while (left > 16) {
		state = sb_hash_fold(sb_hash_read8(bytes) ^ key->secrets[1],
				     sb_hash_read8(bytes + 8) ^ state);
		bytes += 16;
		left -= 16;
	}
	sb_hash_read_short(bytes, left, &a, &b);
	state = sb_hash_fold(a ^ key->secrets[1], b ^ state);
	return sb_hash_fold(state ^ key->secrets[2], len ^ key->secrets[1]);
}

#endif
