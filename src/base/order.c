/* SPDX-License-Identifier: MIT */
#include "base/order.h"

static bool is_below(const sb_order_key *a, const sb_order_key *b)
{
	if (a->first != b->first)
		return a->first < b->first;
	if (a->second != b->second)
		return a->second < b->second;
	return a->third < b->third;
}

/* Weyl's sequence, mixed: even enough for weights, and nobody outside chooses what is drawn. */
static uint32_t draw_weight(sb_order *order)
{
	uint64_t word = order->drawn += UINT64_C(0x9E3779B97F4A7C15);

	word = (word ^ (word >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
	word ^= word >> 32;
	return (uint32_t)word | 1;
}

static void put_in_place(sb_order *order, const sb_order_node *before, sb_order_node *after)
{
	sb_order_node *parent = before->parent;

	if (parent == NULL)
		order->root = after;
	else if (parent->left == before)
		parent->left = after;
	else
		parent->right = after;
	if (after != NULL)
		after->parent = parent;
}

/* The node rises above its parent. */
static void rotate_up(sb_order *order, sb_order_node *node)
{
	sb_order_node *parent = node->parent;
	bool is_left = parent->left == node;
	sb_order_node *moved = is_left ? node->right : node->left;

	put_in_place(order, parent, node);
	parent->parent = node;
	if (is_left) {
		parent->left = moved;
		node->right = parent;
	} else {
		parent->right = moved;
		node->left = parent;
	}
	if (moved != NULL)
		moved->parent = parent;
}

/* Hangs a node under a parent that has no child there, or makes it the root. */
static void hang(sb_order *order, sb_order_node *parent, bool is_left, sb_order_node *node)
{
	node->left = node->right = NULL;
	node->parent = parent;
	node->weight = draw_weight(order);
	if (parent == NULL)
		order->root = node;
	else if (is_left)
		parent->left = node;
	else
		parent->right = node;
	if (parent == NULL || (is_left && order->first == parent))
		order->first = node;
	if (parent == NULL || (!is_left && order->last == parent))
		order->last = node;
	while (node->parent != NULL && node->parent->weight < node->weight)
		rotate_up(order, node);
}

void sb_order_add(sb_order *order, sb_order_node *node)
{
	sb_order_node *parent = order->last;
	bool is_left = false;

	if (parent != NULL && is_below(&node->key, &parent->key))
		for (sb_order_node *next = order->root; next != NULL;) {
			parent = next;
			is_left = is_below(&node->key, &parent->key);
			next = is_left ? parent->left : parent->right;
		}
	hang(order, parent, is_left, node);
}

void sb_order_add_behind(sb_order *order, sb_order_node *near, sb_order_node *node)
{
	sb_order_node *next;

	if (near == NULL || is_below(&node->key, &near->key)) {
		sb_order_add(order, node);
		return;
	}
	next = sb_order_next(near);
	if (next != NULL && !is_below(&node->key, &next->key))
		sb_order_add(order, node);
	else if (near->right == NULL)
		hang(order, near, false, node);
	else
		hang(order, next, true, node);
}

void sb_order_remove(sb_order *order, sb_order_node *node)
{
	if (order->first == node)
		order->first = sb_order_next(node);
	if (order->last == node)
		order->last = sb_order_previous(node);
	while (node->left != NULL && node->right != NULL)
		rotate_up(order,
			  node->left->weight > node->right->weight ? node->left : node->right);
	put_in_place(order, node, node->left != NULL ? node->left : node->right);
	node->left = node->right = node->parent = NULL;
	node->weight = 0;
}

sb_order_node *sb_order_next(const sb_order_node *node)
{
	sb_order_node *next = node->right;

	if (next != NULL) {
		while (next->left != NULL)
			next = next->left;
		return next;
	}
	for (next = node->parent; next != NULL && next->right == node; next = next->parent)
		node = next;
	return next;
}

sb_order_node *sb_order_previous(const sb_order_node *node)
{
	sb_order_node *next = node->left;

	if (next != NULL) {
		while (next->right != NULL)
			next = next->right;
		return next;
	}
	for (next = node->parent; next != NULL && next->left == node; next = next->parent)
		node = next;
	return next;
}

sb_order_node *sb_order_from(const sb_order *order, const sb_order_key *key)
{
	sb_order_node *next = order->root;
	sb_order_node *found = NULL;

	/* Queues are mostly asked for their head. */
	if (next == NULL || !is_below(&order->first->key, key))
		return order->first;
	while (next != NULL)
		if (is_below(&next->key, key)) {
			next = next->right;
		} else {
			found = next;
			next = next->left;
		}
	return found;
}

sb_order_node *sb_order_below(const sb_order *order, const sb_order_key *key)
{
	sb_order_node *next = order->root;
	sb_order_node *found = NULL;

	while (next != NULL)
		if (is_below(&next->key, key)) {
			found = next;
			next = next->right;
		} else {
			next = next->left;
		}
	return found;
}
