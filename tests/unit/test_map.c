/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/cmocka.h"
#include "support/collide.h"
#include "support/host.h"

enum { NODE_COUNT = 5000, CROWD_COUNT = 20000, KEY_LEN = 16 };

/* An owner: the node comes first, as map.h wants it. */
typedef struct item {
	sb_map_node node;
	size_t index;
	char key[KEY_LEN];
} item;

static size_t write_key(size_t index, char key[KEY_LEN])
{
	return (size_t)snprintf(key, KEY_LEN, "name.%zu", index);
}

static bool add(sb_map *map, item *it, size_t index)
{
	it->index = index;
	return sb_map_add(map, &it->node, it->key, write_key(index, it->key));
}

static item *find(const sb_map *map, size_t index)
{
	char key[KEY_LEN];
	size_t len = write_key(index, key);

	return (item *)(void *)sb_map_find(map, key, len);
}

static void what_was_added_is_found_and_nothing_else(void **state)
{
	item *items = calloc(NODE_COUNT, sizeof *items);
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (size_t i = 0; i < NODE_COUNT; i++)
		assert_true(add(&map, &items[i], i));
	assert_int_equal(sb_map_count(&map), NODE_COUNT);
	for (size_t i = 0; i < NODE_COUNT; i++)
		assert_ptr_equal(find(&map, i), &items[i]);
	assert_null(find(&map, NODE_COUNT));
	for (size_t i = 0; i < NODE_COUNT; i++)
		sb_map_remove(&map, &items[i].node);
	test_host_end(&t);
	free(items);
}

static void what_was_removed_is_not_found_and_the_rest_is(void **state)
{
	item *items = calloc(NODE_COUNT, sizeof *items);
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (size_t i = 0; i < NODE_COUNT; i++)
		assert_true(add(&map, &items[i], i));
	for (size_t i = 0; i < NODE_COUNT; i += 3)
		sb_map_remove(&map, &items[i].node);
	for (size_t i = 0; i < NODE_COUNT; i++)
		assert_ptr_equal(find(&map, i), i % 3 == 0 ? NULL : &items[i]);
	for (size_t i = 0; i < NODE_COUNT; i++)
		if (i % 3 != 0)
			sb_map_remove(&map, &items[i].node);
	assert_int_equal(sb_map_count(&map), 0);
	test_host_end(&t);
	free(items);
}

static void an_empty_map_finds_nothing(void **state)
{
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	assert_null(sb_map_find(&map, "a", 1));
	assert_null(sb_map_first(&map));
	assert_int_equal(sb_map_count(&map), 0);
	test_host_end(&t);
}

static void keys_differ_by_length_and_by_every_byte(void **state)
{
	static const char *const keys[] = { "a", "ab", "ab\0", "abc", "aBc", "abd", "", "b" };
	static const size_t lens[] = { 1, 2, 3, 3, 3, 3, 0, 1 };
	item items[8];
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (size_t i = 0; i < 8; i++)
		assert_true(sb_map_add(&map, &items[i].node, keys[i], lens[i]));
	for (size_t i = 0; i < 8; i++)
		assert_ptr_equal(sb_map_find(&map, keys[i], lens[i]), &items[i].node);
	for (size_t i = 0; i < 8; i++)
		sb_map_remove(&map, &items[i].node);
	test_host_end(&t);
}

static void a_walk_goes_in_the_order_of_adding(void **state)
{
	item items[100];
	sb_map_node *node;
	test_host t;
	sb_map map;
	size_t count = 0;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (size_t i = 0; i < 100; i++)
		assert_true(add(&map, &items[i], i));
	for (node = sb_map_first(&map); node != NULL; node = sb_map_next(node))
		assert_int_equal(((item *)(void *)node)->index, count++);
	assert_int_equal(count, 100);
	while ((node = sb_map_first(&map)) != NULL)
		sb_map_remove(&map, node);
	test_host_end(&t);
}

/*
 * Adds with the nth allocation failing, adds again what was refused, and looks at all of it. Returns
 * whether an allocation failed.
 */
static bool add_with_failure(size_t n, item *items, size_t count)
{
	size_t refused_count = 0;
	bool has_failed;
	test_host t;
	sb_map map;

	test_host_init(&t);
	t.fail_at = n;
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (size_t i = 0; i < count; i++) {
		if (add(&map, &items[i], i))
			continue;
		refused_count++;
		assert_null(find(&map, i));
		assert_int_equal(sb_map_count(&map), i);
		for (size_t j = 0; j < i; j++)
			assert_ptr_equal(find(&map, j), &items[j]);
		assert_true(add(&map, &items[i], i));
	}
	has_failed = t.failed_count > 0;
	/* What a failure may cost is speed, or the one that was to be added. */
	assert_true(refused_count <= t.failed_count);
	for (size_t i = 0; i < count; i++)
		assert_ptr_equal(find(&map, i), &items[i]);
	for (size_t i = 0; i < count; i++)
		sb_map_remove(&map, &items[i].node);
	test_host_end(&t);
	return has_failed;
}

static void a_map_stays_whole_whichever_allocation_fails(void **state)
{
	item *items = calloc(600, sizeof *items);
	size_t n = 1;

	(void)state;
	while (add_with_failure(n, items, 600))
		n++;
	/* The table, its first buckets, and more than one expansion. */
	assert_true(n > 4);
	free(items);
}

static void no_random_numbers_mean_no_map(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	t.has_random = false;
	assert_int_equal(sb_map_init(&map, &t.host, &err), STEPBUS_ESYSTEM);
	assert_true(err.message[0] != '\0');
	test_host_end(&t);
}

static size_t longest_chain(const sb_map *map)
{
	const UT_hash_table *table = map->head->hh.tbl;
	size_t longest = 0;

	for (unsigned i = 0; i < table->num_buckets; i++)
		if (table->buckets[i].count > longest)
			longest = table->buckets[i].count;
	return longest;
}

static void keys_that_collide_under_the_default_hash_are_spread(void **state)
{
	item *items = calloc(CROWD_COUNT, sizeof *items);
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (uint32_t i = 0; i < CROWD_COUNT; i++) {
		uint8_t key[TEST_COLLIDE_KEY_LEN];

		test_collide_key(i, key);
		assert_int_equal(test_collide_hash(key, sizeof key), 0x12345678);
		memcpy(items[i].key, key, sizeof key);
		assert_true(sb_map_add(&map, &items[i].node, items[i].key, sizeof key));
	}
	assert_int_equal(sb_map_count(&map), CROWD_COUNT);
	assert_in_range(longest_chain(&map), 1, 12);
	for (uint32_t i = 0; i < CROWD_COUNT; i++)
		assert_ptr_equal(sb_map_find(&map, items[i].key, TEST_COLLIDE_KEY_LEN),
				 &items[i].node);
	for (uint32_t i = 0; i < CROWD_COUNT; i++)
		sb_map_remove(&map, &items[i].node);
	test_host_end(&t);
	free(items);
}

static void ordinary_names_are_spread(void **state)
{
	item *items = calloc(CROWD_COUNT, sizeof *items);
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (size_t i = 0; i < CROWD_COUNT; i++)
		assert_true(add(&map, &items[i], i));
	assert_in_range(longest_chain(&map), 1, 12);
	for (size_t i = 0; i < CROWD_COUNT; i++)
		sb_map_remove(&map, &items[i].node);
	test_host_end(&t);
	free(items);
}

static void maps_draw_secrets_of_their_own(void **state)
{
	static const stepbus_host system = { .allocate = sb_memory_system,
					     .random = sb_random_system };
	sb_map one, other;

	(void)state;
	assert_int_equal(sb_map_init(&one, &system, NULL), STEPBUS_OK);
	assert_int_equal(sb_map_init(&other, &system, NULL), STEPBUS_OK);
	assert_memory_not_equal(&one.key, &other.key, sizeof one.key);
}

static bool is_same_name(const char *bytes, const void *wanted)
{
	return strcmp(bytes, wanted) == 0;
}

static void a_key_may_be_hashed_and_compared_by_the_caller(void **state)
{
	item items[100];
	test_host t;
	sb_map map;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	assert_null(sb_map_find_match(&map, 7, 6, is_same_name, "name.0"));
	/* All under one hash, so that only the comparison tells them apart. */
	for (size_t i = 0; i < 100; i++) {
		size_t len = write_key(i, items[i].key);

		assert_true(sb_map_add_hashed(&map, &items[i].node, items[i].key, len, 7));
	}
	assert_ptr_equal(sb_map_find_match(&map, 7, 6, is_same_name, "name.3"), &items[3]);
	assert_ptr_equal(sb_map_find_match(&map, 7, 7, is_same_name, "name.99"), &items[99]);
	assert_null(sb_map_find_match(&map, 7, 7, is_same_name, "name.3"));
	assert_null(sb_map_find_match(&map, 8, 6, is_same_name, "name.3"));
	for (size_t i = 0; i < 100; i++)
		sb_map_remove(&map, &items[i].node);
	test_host_end(&t);
}

/* Swaps one of a crowd of a size and looks at all of it. */
static void swap_one(size_t count, size_t index)
{
	item items[40], other;
	sb_map_node *node;
	test_host t;
	sb_map map;
	size_t i = 0;

	test_host_init(&t);
	assert_int_equal(sb_map_init(&map, &t.host, NULL), STEPBUS_OK);
	for (; i < count; i++)
		assert_true(add(&map, &items[i], i));
	other.index = index;
	write_key(index, other.key);
	sb_map_swap(&map, &items[index].node, &other.node, other.key);
	memset(&items[index], 0xFF, sizeof items[index]);
	assert_int_equal(sb_map_count(&map), count);
	for (i = 0; i < count; i++)
		assert_ptr_equal(find(&map, i), i == index ? &other : &items[i]);
	i = 0;
	for (node = sb_map_first(&map); node != NULL; node = sb_map_next(node))
		assert_int_equal(((item *)(void *)node)->index, i++);
	assert_int_equal(i, count);
	for (i = 0; i < count; i++)
		sb_map_remove(&map, i == index ? &other.node : &items[i].node);
	assert_int_equal(sb_map_count(&map), 0);
	test_host_end(&t);
}

static void a_node_that_is_swapped_in_takes_the_place_of_the_other(void **state)
{
	static const size_t counts[] = { 1, 2, 3, 40 };

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		for (size_t index = 0; index < counts[i]; index++)
			swap_one(counts[i], index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_and_nothing_else),
		cmocka_unit_test(what_was_removed_is_not_found_and_the_rest_is),
		cmocka_unit_test(an_empty_map_finds_nothing),
		cmocka_unit_test(keys_differ_by_length_and_by_every_byte),
		cmocka_unit_test(a_walk_goes_in_the_order_of_adding),
		cmocka_unit_test(a_map_stays_whole_whichever_allocation_fails),
		cmocka_unit_test(no_random_numbers_mean_no_map),
		cmocka_unit_test(keys_that_collide_under_the_default_hash_are_spread),
		cmocka_unit_test(ordinary_names_are_spread),
		cmocka_unit_test(maps_draw_secrets_of_their_own),
		cmocka_unit_test(a_key_may_be_hashed_and_compared_by_the_caller),
		cmocka_unit_test(a_node_that_is_swapped_in_takes_the_place_of_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
