/* SPDX-License-Identifier: MIT */
/*
 * A table by name on uthash; the only header that sees it. Nodes are embedded in their owners as
 * the first member, keys belong to the owners too. The hash is keyed with secrets drawn per map;
 * running out of memory is an answer, never an exit. Not locked: finding is safe beside finding,
 * nothing else is.
 */
#ifndef SB_BASE_MAP_H
#define SB_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

/* Both names refer to locals of the functions below: the macros expand nowhere else. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(len) sb_alloc(map->host, (len))
#define uthash_free(block, len) sb_release(map->host, (block))
#define uthash_nonfatal_oom(node) (is_added = false)
/*
 * Finding by a hash that is at hand is all we do; the default function would be a second, unkeyed
 * one.
 */
#define HASH_FUNCTION(key, len, hash) ((hash) = 0)
#include <uthash.h>
/*
 * Shorter chains: 1,000 keys cost 1.5 instead of 2.2 times what 10 cost. Below 5 it may double for
 * ever.
 */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 5U

typedef struct sb_map_node {
	UT_hash_handle hh;
} sb_map_node;

typedef struct sb_map {
	sb_map_node *head;
	const stepbus_host *host;
	sb_hash_key key;
} sb_map;

static inline stepbus_status sb_map_init(sb_map *map, const stepbus_host *host, stepbus_error *err)
{
	map->head = NULL;
	map->host = host;
	return sb_random_fill(host, &map->key, sizeof map->key, err);
}

static inline unsigned sb_map_hash(const sb_map *map, const void *key, size_t len)
{
	uint64_t hash = sb_hash(&map->key, key, len);

	return (unsigned)(hash ^ (hash >> 32));
}

static inline sb_map_node *sb_map_find(const sb_map *map, const void *key, size_t len)
{
	sb_map_node *found;

	HASH_FIND_BYHASHVALUE(hh, map->head, key, len, sb_map_hash(map, key, len), found);
	return found;
}

/*
 * Adds a node whose key (len bytes at key, kept by the owner) is not in the map. False: out of
 * memory.
 */
static inline bool sb_map_add(sb_map *map, sb_map_node *node, const void *key, size_t len)
{
	bool is_added = true;

	HASH_ADD_KEYPTR_BYHASHVALUE(hh, map->head, key, len, sb_map_hash(map, key, len), node);
	return is_added;
}

static inline void sb_map_remove(sb_map *map, sb_map_node *node)
{
	HASH_DELETE(hh, map->head, node);
}

/* In the order of adding. */
static inline sb_map_node *sb_map_first(const sb_map *map)
{
	return map->head;
}

static inline sb_map_node *sb_map_next(const sb_map_node *node)
{
	return node->hh.next;
}

static inline size_t sb_map_count(const sb_map *map)
{
	return HASH_COUNT(map->head);
}

#define SB_MAP_LIBRARY_VERSION SB_MAP_TEXT(UTHASH_VERSION)
#define SB_MAP_TEXT(version) SB_MAP_TEXT_(version)
#define SB_MAP_TEXT_(version) #version

#endif
