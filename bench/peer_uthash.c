/* SPDX-License-Identifier: MIT */
/*
 * Plain uthash, as its manual shows it: default hash, default bucket size, HASH_FIND_STR. Alone and
 * behind a pthread_rwlock, which is the usual way to let several threads look up. Inserting looks
 * for the key first, as a registry must that refuses a name twice.
 */
#include "bench/keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

typedef struct uthash_item {
	uint64_t value;
	char text[KEY_TEXT_LEN + 2];
	UT_hash_handle hh;
} uthash_item;

typedef struct uthash_table {
	key_set keys;
	uthash_item *items;
	pthread_rwlock_t lock;
	uint32_t position;
} uthash_table;

static uthash_item *find(uthash_item *items, const char *text)
{
	uthash_item *found = NULL;

	HASH_FIND_STR(items, text, found);
	return found;
}

static void insert(uthash_item **items, const bench_key *key)
{
	uthash_item *item = NULL;

	if (find(*items, key->text) != NULL)
		return;
	item = bench_alloc(1, sizeof(*item));
	item->value = 1;
	memcpy(item->text, key->text, sizeof(item->text));
	HASH_ADD_STR(*items, text, item);
}

static void clear(uthash_item **items)
{
	uthash_item *item = NULL;
	uthash_item *next = NULL;

	HASH_ITER(hh, *items, item, next)
	{
		HASH_DEL(*items, item);
		free(item);
	}
}

static void *open_empty(const void *plan)
{
	uthash_table *table = bench_alloc(1, sizeof(*table));

	key_set_init(&table->keys, plan);
	pthread_rwlock_init(&table->lock, NULL);
	return table;
}

static void *open_filled(const void *plan)
{
	uthash_table *table = open_empty(plan);

	for (uint32_t i = 0; i < table->keys.count; i++)
		insert(&table->items, &table->keys.stored[i]);
	return table;
}

static uint64_t run_find(void *state, uint64_t iterations)
{
	uthash_table *table = state;
	const key_set *keys = &table->keys;
	uint32_t position = table->position;
	uint64_t hits = 0;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		const uthash_item *item =
			find(table->items, keys->asked[keys->order[position]].text);

		hits += item != NULL ? item->value : 0;
		position = position + 1 == keys->order_count ? 0 : position + 1;
	}
	start = bench_now_ns() - start;
	table->position = position;
	bench_work_add(hits);
	return start;
}

static uint64_t run_find_locked(void *state, uint64_t iterations)
{
	uthash_table *table = state;
	const key_set *keys = &table->keys;
	uint32_t position = table->position;
	uint64_t hits = 0;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		const uthash_item *item = NULL;

		pthread_rwlock_rdlock(&table->lock);
		item = find(table->items, keys->asked[keys->order[position]].text);
		hits += item != NULL ? item->value : 0;
		pthread_rwlock_unlock(&table->lock);
		position = position + 1 == keys->order_count ? 0 : position + 1;
	}
	start = bench_now_ns() - start;
	table->position = position;
	bench_work_add(hits);
	return start;
}

/*
 * One slice fills one fresh table: the cost of an insert is that of the whole way up to the last
 * one.
 */
static uint64_t run_insert(void *state, uint64_t iterations)
{
	uthash_table *table = state;
	uthash_item *items = NULL;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++)
		insert(&items, &table->keys.stored[i]);
	start = bench_now_ns() - start;
	bench_work_add(HASH_COUNT(items));
	clear(&items);
	return start;
}

static void close_table(void *state)
{
	uthash_table *table = state;

	clear(&table->items);
	pthread_rwlock_destroy(&table->lock);
	key_set_free(&table->keys);
	free(table);
}

const bench_peer peer_uthash = { "uthash", open_filled, run_find, close_table, NULL };
const bench_peer peer_uthash_rwlock = { "uthash_rwlock", open_filled, run_find_locked, close_table,
					NULL };
const bench_peer peer_uthash_insert = { "uthash", open_empty, run_insert, close_table, NULL };
