/* SPDX-License-Identifier: MIT */
#include "support/collide.h"

#include <uthash.h>

enum { COMMON_HASH = 0x12345678 };

typedef struct mix {
	uint32_t a, b, c;
} mix;

/* HASH_JEN_MIX backwards: each of its lines can be undone. */
static mix unmix(mix m)
{
	m.c ^= m.b >> 15;
	m.c += m.b;
	m.c += m.a;
	m.b ^= m.a << 10;
	m.b += m.a;
	m.b += m.c;
	m.a ^= m.c >> 3;
	m.a += m.c;
	m.a += m.b;
	m.c ^= m.b >> 5;
	m.c += m.b;
	m.c += m.a;
	m.b ^= m.a << 16;
	m.b += m.a;
	m.b += m.c;
	m.a ^= m.c >> 12;
	m.a += m.c;
	m.a += m.b;
	m.c ^= m.b >> 13;
	m.c += m.b;
	m.c += m.a;
	m.b ^= m.a << 8;
	m.b += m.a;
	m.b += m.c;
	m.a ^= m.c >> 13;
	m.a += m.c;
	m.a += m.b;
	return m;
}

static void write4(uint8_t *bytes, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(word >> (8 * i));
}

void test_collide_key(uint32_t index, uint8_t key[TEST_COLLIDE_KEY_LEN])
{
	/* From the end to the beginning: the last mix, the length, the mix of the only block. */
	mix m = unmix((mix){ index, ~index, COMMON_HASH });

	m.c -= TEST_COLLIDE_KEY_LEN;
	m = unmix(m);
	write4(key, m.a - 0x9e3779b9u);
	write4(key + 4, m.b - 0x9e3779b9u);
	write4(key + 8, m.c - 0xfeedbeefu);
}

uint32_t test_collide_hash(const uint8_t *key, size_t len)
{
	unsigned hash;

	HASH_JEN(key, len, hash);
	return hash;
}
