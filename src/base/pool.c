/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

/* Two lines, since processors like to fetch them in pairs. */
enum { BLOCK_OBJECT_COUNT = 32, ALIGNMENT = 128 };

typedef struct block {
	struct block *next;
	char room[]; /* objects begin at the first multiple of a cache line in it */
} block;

typedef struct free_object {
	struct free_object *next;
} free_object;

struct sb_pool {
	stepbus_host host;
	size_t object_len;
	pid_t owner;
	pthread_mutex_t lock; /* guards what follows */
	block *blocks;
	free_object *free;
	size_t taken_count;
	bool is_closed;
};

sb_pool *sb_pool_new(const stepbus_host *host, size_t object_len)
{
	sb_pool *pool = sb_alloc(host, sizeof *pool);

	if (pool == NULL)
		return NULL;
	pool->host = *host;
	pool->object_len = object_len;
	pool->owner = getpid();
	sb_assert(pthread_mutex_init(&pool->lock, NULL) == 0);
	return pool;
}

bool sb_pool_is_ours(const sb_pool *pool)
{
	return pool->owner == getpid();
}

static bool grow(sb_pool *pool)
{
	block *b = sb_alloc(&pool->host,
			    sizeof *b + ALIGNMENT + BLOCK_OBJECT_COUNT * pool->object_len);
	char *objects;

	if (b == NULL)
		return false;
	objects = b->room + (ALIGNMENT - (uintptr_t)b->room % ALIGNMENT);
	b->next = pool->blocks;
	pool->blocks = b;
	/* From the last to the first, so that objects are taken in the order of their addresses. */
	for (size_t i = BLOCK_OBJECT_COUNT; i-- > 0;) {
		free_object *object = (void *)(objects + i * pool->object_len);

		object->next = pool->free;
		pool->free = object;
	}
	return true;
}

void *sb_pool_take(sb_pool *pool)
{
	free_object *object = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->free != NULL || grow(pool)) {
		object = pool->free;
		pool->free = object->next;
		pool->taken_count++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (object != NULL)
		memset(object, 0, pool->object_len);
	return object;
}

static void dispose(sb_pool *pool)
{
	stepbus_host host = pool->host;

	while (pool->blocks != NULL) {
		block *next = pool->blocks->next;

		sb_release(&host, pool->blocks);
		pool->blocks = next;
	}
	pthread_mutex_destroy(&pool->lock);
	sb_release(&host, pool);
}

void sb_pool_give(sb_pool *pool, void *object)
{
	free_object *freed = object;
	bool is_last;

	pthread_mutex_lock(&pool->lock);
	freed->next = pool->free;
	pool->free = freed;
	pool->taken_count--;
	is_last = pool->is_closed && pool->taken_count == 0;
	pthread_mutex_unlock(&pool->lock);
	if (is_last)
		dispose(pool);
}

void sb_pool_close(sb_pool *pool)
{
	bool is_last;

	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->is_closed = true;
	is_last = pool->taken_count == 0;
	pthread_mutex_unlock(&pool->lock);
	if (is_last)
		dispose(pool);
}
