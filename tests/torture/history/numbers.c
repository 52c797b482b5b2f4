/* SPDX-License-Identifier: MIT */
#include "torture/history/numbers.h"

#include <stdlib.h>

enum { ROOM_MIN = 256 };

static size_t place_of(const numbers *n, int64_t key)
{
	uint64_t hash = (uint64_t)key * UINT64_C(0x9E3779B97F4A7C15);
	size_t at = (size_t)(hash >> 20) & (n->room - 1);

	while (n->slots[at].value != 0 && n->slots[at].key != key)
		at = (at + 1) & (n->room - 1);
	return at;
}

uint32_t numbers_find(const numbers *n, int64_t key)
{
	return n->room == 0 ? 0 : n->slots[place_of(n, key)].value;
}

static void grow(numbers *n)
{
	numbers grown = { .room = n->room == 0 ? ROOM_MIN : 4 * n->room, .count = n->count };

	grown.slots = calloc(grown.room, sizeof *grown.slots);
	if (grown.slots == NULL)
		abort();
	for (size_t i = 0; i < n->room; i++)
		if (n->slots[i].value != 0)
			grown.slots[place_of(&grown, n->slots[i].key)] = n->slots[i];
	free(n->slots);
	*n = grown;
}

uint32_t numbers_claim(numbers *n, int64_t key, uint32_t value)
{
	size_t at;

	if (2 * n->count >= n->room)
		grow(n);
	at = place_of(n, key);
	if (n->slots[at].value == 0) {
		n->slots[at].key = key;
		n->slots[at].value = value;
		n->count++;
	}
	return n->slots[at].value;
}

void numbers_free(numbers *n)
{
	free(n->slots);
}
