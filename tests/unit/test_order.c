/* SPDX-License-Identifier: MIT */
#include "base/order.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

enum { NODE_COUNT = 600, ROUND_COUNT = 60000 };

/* A set under test, and the same set as a sorted array. */
typedef struct world {
	sb_order order;
	sb_order_node nodes[NODE_COUNT];
	sb_order_node *sorted[NODE_COUNT];
	size_t count;
	uint32_t random;
} world;

static uint32_t draw(world *w, uint32_t below)
{
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 8) % below;
}

static int compare(const sb_order_key *a, const sb_order_key *b)
{
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->second != b->second)
		return a->second < b->second ? -1 : 1;
	return (a->third > b->third) - (a->third < b->third);
}

/* How many of the sorted nodes are below a key. */
static size_t rank_of(const world *w, const sb_order_key *key)
{
	size_t rank = 0;

	while (rank < w->count && compare(&w->sorted[rank]->key, key) < 0)
		rank++;
	return rank;
}

static sb_order_node *sorted_at(const world *w, size_t i)
{
	return i < w->count ? w->sorted[i] : NULL;
}

static void add_sorted(world *w, sb_order_node *node)
{
	size_t rank = rank_of(w, &node->key);

	memmove(w->sorted + rank + 1, w->sorted + rank, (w->count - rank) * sizeof *w->sorted);
	w->sorted[rank] = node;
	w->count++;
}

static void remove_sorted(world *w, const sb_order_node *node)
{
	size_t rank = rank_of(w, &node->key);

	w->count--;
	memmove(w->sorted + rank, w->sorted + rank + 1, (w->count - rank) * sizeof *w->sorted);
}

static sb_order_key draw_key(world *w)
{
	static const int64_t extremes[] = { INT64_MIN, -1, 0, 1, INT64_MAX };

	return (sb_order_key){ extremes[draw(w, 5)], (int64_t)draw(w, 4) - 2,
			       (int64_t)draw(w, 4000) };
}

static void add_or_remove(world *w)
{
	sb_order_node *node = &w->nodes[draw(w, NODE_COUNT)];
	size_t rank;

	if (sb_order_has(node)) {
		sb_order_remove(&w->order, node);
		remove_sorted(w, node);
		return;
	}
	node->key = draw_key(w);
	rank = rank_of(w, &node->key);
	if (rank < w->count && compare(&w->sorted[rank]->key, &node->key) == 0)
		return;
	/* Behind the right one, any other one, or none. */
	if (draw(w, 2) == 0)
		sb_order_add(&w->order, node);
	else if (draw(w, 2) == 0)
		sb_order_add_behind(&w->order, rank > 0 ? w->sorted[rank - 1] : NULL, node);
	else
		sb_order_add_behind(&w->order, sorted_at(w, draw(w, NODE_COUNT)), node);
	add_sorted(w, node);
}

static void check_heap(const sb_order_node *node)
{
	if (node == NULL)
		return;
	if (node->left != NULL) {
		assert_ptr_equal(node->left->parent, node);
		assert_true(node->left->weight <= node->weight);
	}
	if (node->right != NULL) {
		assert_ptr_equal(node->right->parent, node);
		assert_true(node->right->weight <= node->weight);
	}
	check_heap(node->left);
	check_heap(node->right);
}

static void check_walks(const world *w)
{
	const sb_order_node *node = sb_order_first(&w->order);

	for (size_t i = 0; i < w->count; i++, node = sb_order_next(node))
		assert_ptr_equal(node, w->sorted[i]);
	assert_null(node);
	node = sb_order_last(&w->order);
	for (size_t i = w->count; i > 0; i--, node = sb_order_previous(node))
		assert_ptr_equal(node, w->sorted[i - 1]);
	assert_null(node);
	check_heap(w->order.root);
}

static void check_search(world *w)
{
	sb_order_key key = draw_key(w);
	size_t rank = rank_of(w, &key);

	assert_ptr_equal(sb_order_from(&w->order, &key), sorted_at(w, rank));
	assert_ptr_equal(sb_order_below(&w->order, &key), rank > 0 ? w->sorted[rank - 1] : NULL);
}

static void a_set_does_as_a_sorted_array_does(void **state)
{
	world *w = calloc(1, sizeof *w);

	(void)state;
	assert_non_null(w);
	w->random = 7;
	for (size_t round = 0; round < ROUND_COUNT; round++) {
		add_or_remove(w);
		check_search(w);
		if (round % 512 == 0)
			check_walks(w);
	}
	while (w->count > 0) {
		sb_order_remove(&w->order, w->sorted[draw(w, (uint32_t)w->count)]);
		w->count = 0;
		for (sb_order_node *node = sb_order_first(&w->order); node != NULL;
		     node = sb_order_next(node))
			w->sorted[w->count++] = node;
		check_heap(w->order.root);
	}
	assert_null(w->order.root);
	free(w);
}

static void an_empty_set_has_nothing(void **state)
{
	const sb_order_key key = { 0, 0, 0 };
	sb_order order = { 0 };

	(void)state;
	assert_null(sb_order_first(&order));
	assert_null(sb_order_last(&order));
	assert_null(sb_order_from(&order, &key));
	assert_null(sb_order_below(&order, &key));
}

static size_t depth_of(const sb_order_node *node)
{
	size_t left = node != NULL ? depth_of(node->left) : 0;
	size_t right = node != NULL ? depth_of(node->right) : 0;

	return node == NULL ? 0 : 1 + (left > right ? left : right);
}

static void a_set_that_grows_at_its_end_stays_shallow(void **state)
{
	enum { COUNT = 100000 };
	sb_order_node *nodes = calloc(COUNT, sizeof *nodes);
	sb_order order = { 0 };

	(void)state;
	assert_non_null(nodes);
	for (size_t i = 0; i < COUNT; i++) {
		nodes[i].key.first = (int64_t)i;
		sb_order_add(&order, &nodes[i]);
	}
	assert_in_range(depth_of(order.root), 17, 80);
	for (size_t i = 0; i < COUNT; i++) {
		assert_ptr_equal(sb_order_first(&order), &nodes[i]);
		sb_order_remove(&order, &nodes[i]);
		assert_false(sb_order_has(&nodes[i]));
	}
	assert_null(order.root);
	assert_null(order.last);
	free(nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_does_as_a_sorted_array_does),
		cmocka_unit_test(an_empty_set_has_nothing),
		cmocka_unit_test(a_set_that_grows_at_its_end_stays_shallow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
