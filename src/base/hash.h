/* SPDX-License-Identifier: MIT */
/*
 * A keyed 64-bit hash for short names: each 16 bytes are two words, hidden under secrets,
 * multiplied and folded; the products do not wait for each other. All constants are secret and
 * drawn per table: with fixed ones an outsider could pick names that make a factor zero whatever
 * the seed, and so collide. Pure.
 *
 * Reads overlap rather than loop; none goes beyond the bytes it was given.
 */
#ifndef SB_BASE_HASH_H
#define SB_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Each part of a name that is hashed takes four secrets of its own; the last one goes on top. */
enum { SB_HASH_PART_COUNT = 3, SB_HASH_PART_LEN = 4, SB_HASH_SECRET_COUNT = 13 };

typedef struct sb_hash_key {
	uint64_t secrets[SB_HASH_SECRET_COUNT];
} sb_hash_key;

__extension__ typedef unsigned __int128 sb_uint128;

static inline uint64_t sb_hash_fold(uint64_t a, uint64_t b)
{
	sb_uint128 product = (sb_uint128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t sb_bytes_read8(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

static inline uint64_t sb_bytes_read4(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

/* Reads 0 to 16 bytes as two words. */
static inline void sb_bytes_read_short(const uint8_t *bytes, size_t len, uint64_t *a, uint64_t *b)
{
	if (len >= 8) {
		*a = sb_bytes_read8(bytes);
		*b = sb_bytes_read8(bytes + len - 8);
	} else if (len >= 4) {
		*a = sb_bytes_read4(bytes);
		*b = sb_bytes_read4(bytes + len - 4);
	} else if (len > 0) {
		*a = (uint64_t)bytes[0] << 16 | (uint64_t)bytes[len / 2] << 8 | bytes[len - 1];
		*b = 0;
	} else {
		*a = *b = 0;
	}
}

static inline uint64_t sb_hash_part_long(const uint64_t *secrets, const uint8_t *bytes, size_t len)
{
	const uint8_t *last = bytes + len - 16;
	uint64_t state = secrets[0];

	for (; bytes < last; bytes += 16)
		state = sb_hash_fold(sb_bytes_read8(bytes) ^ state,
				     sb_bytes_read8(bytes + 8) ^ secrets[1]);
	return state ^ sb_hash_fold(sb_bytes_read8(last) ^ secrets[2],
				    sb_bytes_read8(last + 8) ^ secrets[3]);
}

/* One part, under its own secrets; parts are joined with ^, and closed with sb_hash_end. */
static inline __attribute__((always_inline)) uint64_t
sb_hash_part(const sb_hash_key *key, uint32_t part, const void *data, size_t len)
{
	const uint64_t *secrets = key->secrets + (size_t)part * SB_HASH_PART_LEN;
	uint64_t a, b;

	if (len > 16)
		return sb_hash_part_long(secrets, data, len);
	sb_bytes_read_short(data, len, &a, &b);
	return sb_hash_fold(a ^ secrets[0], b ^ secrets[1]);
}

/* lens tells apart what only differs in how long its parts are. */
static inline uint64_t sb_hash_end(const sb_hash_key *key, uint64_t state, uint64_t lens)
{
	return sb_hash_fold(state, lens ^ key->secrets[SB_HASH_SECRET_COUNT - 1]);
}

static inline uint64_t sb_hash(const sb_hash_key *key, const void *data, size_t len)
{
	return sb_hash_end(key, sb_hash_part(key, 0, data, len), len);
}

static inline bool sb_bytes_differ_long(const uint8_t *left, const uint8_t *right, size_t len)
{
	uint64_t difference = 0;

	for (size_t i = 0; i + 8 < len; i += 8)
		difference |= sb_bytes_read8(left + i) ^ sb_bytes_read8(right + i);
	return (difference | (sb_bytes_read8(left + len - 8) ^ sb_bytes_read8(right + len - 8))) !=
	       0;
}

/* memcmp for equality of short texts, without the call. */
static inline __attribute__((always_inline)) bool sb_bytes_differ(const void *a, const void *b,
								  size_t len)
{
	uint64_t left[2], right[2];

	if (len > 16)
		return sb_bytes_differ_long(a, b, len);
	sb_bytes_read_short(a, len, &left[0], &left[1]);
	sb_bytes_read_short(b, len, &right[0], &right[1]);
	return ((left[0] ^ right[0]) | (left[1] ^ right[1])) != 0;
}

#endif
