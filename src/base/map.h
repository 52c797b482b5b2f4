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

#include "base/error.h"
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
#define HASH_KEYCMP(a, b, len) sb_bytes_differ((a), (b), (len))
#include <uthash.h>
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

/* NOLINTBEGIN(readability-function-size, clang-analyzer-core.NullDereference): uthash is macros */

/* What uthash keeps of a hash. */
static inline unsigned sb_map_fold(uint64_t hash)
{
	return (unsigned)(hash ^ (hash >> 32));
}

static inline sb_map_node *sb_map_find(const sb_map *map, const void *key, size_t len)
{
	unsigned hash = sb_map_fold(sb_hash(&map->key, key, len));
	sb_map_node *found;

	HASH_FIND_BYHASHVALUE(hh, map->head, key, len, hash, found);
	return found;
}

/*
 * For keys that the caller hashes and compares in parts: is_match says whether the bytes that a
 * node is kept under, of the same length, are what is wanted.
 */
static inline __attribute__((always_inline)) sb_map_node *
sb_map_find_match(const sb_map *map, uint64_t wide_hash, size_t len,
		  bool (*is_match)(const char *bytes, const void *wanted), const void *wanted)
{
	unsigned hash = sb_map_fold(wide_hash);
	UT_hash_handle *handle;
	unsigned bucket;

	if (map->head == NULL)
		return NULL;
	HASH_TO_BKT(hash, map->head->hh.tbl->num_buckets, bucket);
	handle = map->head->hh.tbl->buckets[bucket].hh_head;
	for (; handle != NULL; handle = handle->hh_next) {
		/*
		 * In large tables neither line is near: fetch the key's while the node's is read.
		 */
		__builtin_prefetch((const char *)handle + 64);
		if (sb_likely(handle->hashv == hash) && handle->keylen == len &&
		    is_match(handle->key, wanted))
			return (sb_map_node *)(void *)handle;
	}
	return NULL;
}

/*
 * uthash lets chains grow to ten before it doubles its buckets, so that most look-ups take a turn
 * that the processor did not foresee. We double at one node to two buckets. False: out of memory.
 */
static inline bool sb_map_make_room(sb_map *map)
{
	UT_hash_table *table = map->head != NULL ? map->head->hh.tbl : NULL;
	int is_out_of_memory = 0;

	if (table != NULL && table->num_items >= table->num_buckets / 2)
		HASH_EXPAND_BUCKETS(hh, table, is_out_of_memory);
	return is_out_of_memory == 0;
}

/* Adds a node under a key that is not in the map, kept by the owner. False: out of memory. */
static inline bool sb_map_add_hashed(sb_map *map, sb_map_node *node, const void *key, size_t len,
				     uint64_t wide_hash)
{
	unsigned hash = sb_map_fold(wide_hash);
	bool is_added = sb_map_make_room(map);

	if (is_added)
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, map->head, key, len, hash, node);
	return is_added;
}

static inline bool sb_map_add(sb_map *map, sb_map_node *node, const void *key, size_t len)
{
	return sb_map_add_hashed(map, node, key, len, sb_hash(&map->key, key, len));
}

/*
 * Puts a node in the place of another with the same key bytes (kept by the new owner at key), in
 * the bucket and in the order of adding. uthash has no such thing: its replace removes and adds,
 * and so may run out of memory in between.
 */
static inline void sb_map_swap(sb_map *map, sb_map_node *before, sb_map_node *after, void *key)
{
	UT_hash_table *table = map->head->hh.tbl;
	unsigned bucket;

	after->hh = before->hh;
	after->hh.key = key;
	HASH_TO_BKT(after->hh.hashv, table->num_buckets, bucket);
	if (after->hh.hh_prev != NULL)
		after->hh.hh_prev->hh_next = &after->hh;
	else
		table->buckets[bucket].hh_head = &after->hh;
	if (after->hh.hh_next != NULL)
		after->hh.hh_next->hh_prev = &after->hh;
	if (after->hh.prev != NULL)
		((sb_map_node *)after->hh.prev)->hh.next = after;
	else
		map->head = after;
	if (after->hh.next != NULL)
		((sb_map_node *)after->hh.next)->hh.prev = after;
	else
		table->tail = &after->hh;
}

static inline void sb_map_remove(sb_map *map, sb_map_node *node)
{
	HASH_DELETE(hh, map->head, node);
}

/* NOLINTEND(readability-function-size, clang-analyzer-core.NullDereference) */

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
