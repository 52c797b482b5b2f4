/* SPDX-License-Identifier: MIT */
/*
 * Memory, through the allocator that the host lends. The only place, with guard.c, that calls
 * malloc. Blocks are zeroed. Any call may answer NULL, and every caller passes that on as
 * STEPBUS_ENOMEM.
 */
#ifndef SB_BASE_MEMORY_H
#define SB_BASE_MEMORY_H

#include <stddef.h>

#include "include/stepbus.h"

void *sb_alloc(const stepbus_host *host, size_t len);
/* A zeroed array; NULL also where count * len would overflow. */
void *sb_alloc_array(const stepbus_host *host, size_t count, size_t len);
/* A copy of len bytes with a NUL behind them. */
char *sb_alloc_copy(const stepbus_host *host, const void *data, size_t len);
void sb_release(const stepbus_host *host, void *block);

/* What stands in for a host's allocate. */
void *sb_memory_system(void *user_data, void *block, size_t len);

#endif
