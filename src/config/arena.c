/* SPDX-License-Identifier: MIT */
#include "config/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "base/memory.h"

enum { BLOCK_LEN_MIN = 1024, BLOCK_LEN_MAX = 64 * 1024 };

typedef struct sb_config_arena_block {
	struct sb_config_arena_block *older;
	size_t len;
	size_t used;
	alignas(max_align_t) char bytes[];
} block;

/* Each twice as long as the one before, so that a small document costs little and a large one few. */
static block *add_block(sb_config_arena *arena, size_t needed)
{
	size_t len = arena->newest != NULL ? 2 * arena->newest->len : BLOCK_LEN_MIN;
	block *added;

	if (len > BLOCK_LEN_MAX)
		len = BLOCK_LEN_MAX;
	if (len < needed)
		len = needed;
	added = sb_alloc(arena->host, sizeof *added + len);
	if (added == NULL)
		return NULL;
	added->older = arena->newest;
	added->len = len;
	arena->newest = added;
	return added;
}

void *sb_config_arena_alloc(sb_config_arena *arena, size_t len)
{
	const size_t unit = alignof(max_align_t);
	block *from = arena->newest;
	void *given;

	if (len > SIZE_MAX / 2)
		return NULL;
	len = (len + unit - 1) / unit * unit;
	if (from == NULL || from->len - from->used < len)
		from = add_block(arena, len);
	if (from == NULL)
		return NULL;
	given = from->bytes + from->used;
	from->used += len;
	return given;
}

void sb_config_arena_end(sb_config_arena *arena)
{
	while (arena->newest != NULL) {
		block *last = arena->newest;

		arena->newest = last->older;
		sb_release(arena->host, last);
	}
}
