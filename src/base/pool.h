/* SPDX-License-Identifier: MIT */
/*
 * Objects of one size, side by side in few pages: what is touched often is then not spread among
 * what is not. Taken and given back from any thread. Blocks are kept for reuse; they go when the
 * owner has closed the pool and the last object has come back, so objects may outlive the owner.
 */
#ifndef SB_BASE_POOL_H
#define SB_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "include/stepbus.h"

typedef struct sb_pool sb_pool;

/* object_len is best a multiple of a cache line, and at least of 16. NULL: out of memory. */
sb_pool *sb_pool_new(const stepbus_host *host, size_t object_len);
/* Zeroed. NULL: out of memory. */
void *sb_pool_take(sb_pool *pool);
void sb_pool_give(sb_pool *pool, void *object);
/* False in a forked child of the process that made it; asks the system, so not for hot paths. */
bool sb_pool_is_ours(const sb_pool *pool);
/* NULL is accepted. */
void sb_pool_close(sb_pool *pool);

#endif
