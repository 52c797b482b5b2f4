/* SPDX-License-Identifier: MIT */
#include "torture/soak/counted.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { HEAD_LEN = sizeof(size_t) }; /* of a block, which the allocator counts too */

static _Atomic(int64_t) engine_bytes, sqlite_bytes;

static int64_t len_of(void *block)
{
	return block != NULL ? (int64_t)malloc_usable_size(block) + HEAD_LEN : 0;
}

static void *resize(_Atomic(int64_t) *bytes, void *block, size_t len)
{
	int64_t before = len_of(block);
	void *moved = NULL;

	if (len == 0)
		free(block);
	else
		moved = realloc(block, len);
	if (len == 0 || moved != NULL)
		atomic_fetch_add(bytes, len_of(moved) - before);
	return moved;
}

static void *resize_engines(void *user_data, void *block, size_t len)
{
	(void)user_data;
	return resize(&engine_bytes, block, len);
}

static void *sqlite_malloc(int len)
{
	return resize(&sqlite_bytes, NULL, (size_t)len);
}

static void sqlite_free(void *block)
{
	(void)resize(&sqlite_bytes, block, 0);
}

static void *sqlite_realloc(void *block, int len)
{
	return resize(&sqlite_bytes, block, (size_t)len);
}

static int sqlite_size(void *block)
{
	return block != NULL ? (int)malloc_usable_size(block) : 0;
}

static int sqlite_roundup(int len)
{
	return (len + 7) & ~7;
}

static int sqlite_init(void *context)
{
	(void)context;
	return SQLITE_OK;
}

static void sqlite_shutdown(void *context)
{
	(void)context;
}

void counted_begin(void)
{
	static const sqlite3_mem_methods methods = { sqlite_malloc,   sqlite_free,
						     sqlite_realloc,  sqlite_size,
						     sqlite_roundup,  sqlite_init,
						     sqlite_shutdown, NULL };

	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

stepbus_host counted_host(void)
{
	return (stepbus_host){ .size = sizeof(stepbus_host), .allocate = resize_engines };
}

int64_t counted_engine_bytes(void)
{
	return atomic_load(&engine_bytes);
}

int64_t counted_sqlite_bytes(void)
{
	return atomic_load(&sqlite_bytes);
}
