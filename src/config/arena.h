/* SPDX-License-Identifier: MIT */
/* Memory that is given back all at once, in blocks that grow. Zeroed to begin with. */
#ifndef SB_CONFIG_ARENA_H
#define SB_CONFIG_ARENA_H

#include <stddef.h>

#include "include/stepbus.h"

typedef struct sb_config_arena {
	const stepbus_host *host; /* outlives the arena */
	struct sb_config_arena_block *newest;
} sb_config_arena;

/* Zeroed, fit for any type; NULL: out of memory. */
void *sb_config_arena_alloc(sb_config_arena *arena, size_t len);
void sb_config_arena_end(sb_config_arena *arena);

#endif
