/* SPDX-License-Identifier: MIT */
#include "config/tree.h"

#include <string.h>

#include "config/arena.h"
#include "config/builder.h"
#include "support/cmocka.h"
#include "support/host.h"
#include "support/tree.h"

static const char json[] = "{\n"
			   "  \"store\" : \"sqlite:a.db\",\n"
			   "  \"\xc3\xa4\": [ 1, {\"x\": null} ], \"y\" :-2.50\n"
			   "}\n";

typedef struct place_row {
	const char *key;
	sb_config_place key_place;
	sb_config_place place;
	const char *raw;
} place_row;

static void every_value_knows_where_it_stands(void **state)
{
	static const place_row rows[] = {
		{ "store", { 4, 2, 3 }, { 14, 2, 13 }, "\"sqlite:a.db\"" },
		{ "\xc3\xa4", { 31, 3, 3 }, { 37, 3, 8 }, "[ 1, {\"x\": null} ]" },
		{ "y", { 57, 3, 28 }, { 62, 3, 33 }, "-2.50" },
	};
	const sb_config_node *node;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, json);
	node = sb_config_tree_root(tree);
	assert_int_equal(node->kind, SB_NODE_OBJECT);
	assert_int_equal(node->count, 3);
	assert_int_equal(node->place.line, 1);
	assert_int_equal(node->place.column, 1);
	assert_null(node->key.data);
	assert_int_equal(node->raw.len, strlen(json) - 1);
	node = node->value.first;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, node = node->next) {
		assert_non_null(node);
		assert_true(sb_slice_is_equal(node->key, sb_slice_z(rows[i].key)));
		assert_true(sb_slice_is_equal(node->raw, sb_slice_z(rows[i].raw)));
		assert_int_equal(node->key_place.offset, rows[i].key_place.offset);
		assert_int_equal(node->key_place.line, rows[i].key_place.line);
		assert_int_equal(node->key_place.column, rows[i].key_place.column);
		assert_int_equal(node->place.offset, rows[i].place.offset);
		assert_int_equal(node->place.line, rows[i].place.line);
		assert_int_equal(node->place.column, rows[i].place.column);
	}
	assert_null(node);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void values_inside_of_values_know_it_too(void **state)
{
	const sb_config_node *array, *inner;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, json);
	array = sb_config_node_find(sb_config_tree_root(tree), "\xc3\xa4");
	assert_non_null(array);
	assert_int_equal(array->count, 2);
	assert_null(array->value.first->key.data);
	inner = sb_config_node_find(array->value.first->next, "x");
	assert_non_null(inner);
	assert_int_equal(inner->kind, SB_NODE_NULL);
	assert_int_equal(inner->place.line, 3);
	assert_int_equal(inner->place.column, 19);
	assert_int_equal(inner->key_place.column, 14);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void members_are_found_by_their_whole_key(void **state)
{
	const sb_config_node *root;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, "{\"ab\":1,\"a\":2,\"\":3}");
	root = sb_config_tree_root(tree);
	assert_int_equal(sb_config_node_find(root, "ab")->value.integer, 1);
	assert_int_equal(sb_config_node_find(root, "a")->value.integer, 2);
	assert_int_equal(sb_config_node_find(root, "")->value.integer, 3);
	assert_null(sb_config_node_find(root, "abc"));
	assert_null(sb_config_node_find(root, "A"));
	assert_null(sb_config_node_find(root->value.first, "ab"));
	assert_null(sb_config_node_find(NULL, "ab"));
	sb_config_tree_free(tree);
	sb_config_tree_free(NULL);
	test_host_end(&t);
}

static void a_tree_does_not_need_the_document(void **state)
{
	char document[] = "{\"key\":\"value\",\"raw\":[1]}";
	sb_config_tree *tree;
	char text[64] = "";
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, document);
	memset(document, '?', sizeof document - 1);
	test_tree_write(tree, text, sizeof text);
	assert_string_equal(text, "{key:'value',raw:[1]}");
	assert_memory_equal(sb_config_node_find(sb_config_tree_root(tree), "raw")->raw.data, "[1]",
			    3);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

/* As a reader of another language would: values that do not stand in the document as they are. */
static void another_reader_may_build_a_tree(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_place place = sb_config_place_first();
	sb_config_node node = { .kind = SB_NODE_BOOLEAN, .value.boolean = true };
	sb_config_builder builder;
	sb_config_tree *tree;
	char text[64] = "";
	char *key;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_config_builder_begin(&builder, &t.host, sb_slice_z("yes: ON"), &err),
			 0);
	assert_false(sb_config_builder_is_in_object(&builder));
	assert_int_equal(sb_config_builder_open(&builder, SB_NODE_OBJECT, &place, &err), 0);
	assert_true(sb_config_builder_is_in_object(&builder));
	key = sb_config_builder_text(&builder, 3);
	assert_non_null(key);
	memcpy(key, "yes", 3);
	sb_config_builder_key(&builder, sb_slice_of(key, 3), &place);
	sb_config_place_move(&place, sb_config_builder_source(&builder), 5);
	node.place = place;
	assert_int_equal(sb_config_builder_add(&builder, &node, &err), 0);
	assert_int_equal(sb_config_builder_close(&builder, 7, &err), 0);
	tree = sb_config_builder_take(&builder);
	test_tree_write(tree, text, sizeof text);
	assert_string_equal(text, "{yes:t}");
	assert_int_equal(sb_config_tree_root(tree)->value.first->place.column, 6);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void an_abandoned_tree_gives_everything_back(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_place place = sb_config_place_first();
	sb_config_builder builder;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_config_builder_begin(&builder, &t.host, sb_slice_z("[["), &err), 0);
	assert_int_equal(sb_config_builder_open(&builder, SB_NODE_ARRAY, &place, &err), 0);
	assert_int_equal(sb_config_builder_open(&builder, SB_NODE_ARRAY, &place, &err), 0);
	sb_config_builder_abandon(&builder);
	test_host_end(&t);
}

static void an_arena_gives_zeroed_room_that_does_not_overlap(void **state)
{
	static const size_t lens[] = { 1, 7, 64, 1000, 3000, 0, 100000, 16, 65536, 1 };
	unsigned char *given[sizeof lens / sizeof *lens];
	sb_config_arena arena;
	test_host t;

	(void)state;
	test_host_init(&t);
	arena = (sb_config_arena){ .host = &t.host };
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		given[i] = sb_config_arena_alloc(&arena, lens[i]);
		assert_non_null(given[i]);
		assert_int_equal((uintptr_t)given[i] % 16, 0);
		for (size_t k = 0; k < lens[i]; k++)
			assert_int_equal(given[i][k], 0);
		memset(given[i], (int)i + 1, lens[i]);
	}
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		for (size_t k = 0; k < lens[i]; k++)
			assert_int_equal(given[i][k], i + 1);
	assert_null(sb_config_arena_alloc(&arena, SIZE_MAX));
	assert_null(sb_config_arena_alloc(&arena, SIZE_MAX - 8));
	sb_config_arena_end(&arena);
	sb_config_arena_end(&arena);
	test_host_end(&t);
}

static void small_values_share_blocks_of_memory(void **state)
{
	sb_config_arena arena;
	test_host t;

	(void)state;
	test_host_init(&t);
	arena = (sb_config_arena){ .host = &t.host };
	for (int i = 0; i < 10000; i++)
		assert_non_null(sb_config_arena_alloc(&arena, 100));
	assert_true(t.allocation_count < 30);
	sb_config_arena_end(&arena);
	test_host_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_knows_where_it_stands),
		cmocka_unit_test(values_inside_of_values_know_it_too),
		cmocka_unit_test(members_are_found_by_their_whole_key),
		cmocka_unit_test(a_tree_does_not_need_the_document),
		cmocka_unit_test(another_reader_may_build_a_tree),
		cmocka_unit_test(an_abandoned_tree_gives_everything_back),
		cmocka_unit_test(an_arena_gives_zeroed_room_that_does_not_overlap),
		cmocka_unit_test(small_values_share_blocks_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
