/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *sb_memory_system(void *user_data, void *block, size_t len)
{
	(void)user_data;
	if (len == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, len);
}

void *sb_alloc(const stepbus_host *host, size_t len)
{
	/* A length of 0 means "free" to the allocator, so an empty block still has one byte. */
	size_t real_len = len > 0 ? len : 1;
	void *block = host->allocate(host->user_data, NULL, real_len);

	if (block != NULL)
		memset(block, 0, real_len);
	return block;
}

void *sb_alloc_array(const stepbus_host *host, size_t count, size_t len)
{
	if (len != 0 && count > SIZE_MAX / len)
		return NULL;
	return sb_alloc(host, count * len);
}

char *sb_alloc_copy(const stepbus_host *host, const void *data, size_t len)
{
	char *copy = len < SIZE_MAX ? host->allocate(host->user_data, NULL, len + 1) : NULL;

	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

void sb_release(const stepbus_host *host, void *block)
{
	if (block != NULL)
		host->allocate(host->user_data, block, 0);
}
