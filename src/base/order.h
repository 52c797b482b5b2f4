/* SPDX-License-Identifier: MIT */
/*
 * An ordered set of nodes that are embedded in their owners, by three numbers: the first one counts
 * first. Nothing is allocated, so nothing can fail. Adding behind the last node and removing the
 * first one take constant time, as a queue does; all else takes the logarithm of the count.
 *
 * It is a treap: each node draws a weight when it is added, and no node weighs more than its parent.
 * Pure, but for the state of its own drawing. Not locked.
 */
#ifndef SB_BASE_ORDER_H
#define SB_BASE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sb_order_key {
	int64_t first;
	int64_t second;
	int64_t third;
} sb_order_key;

/* Zeroed to begin with. The key is set before the node is added, and stays until it is removed. */
typedef struct sb_order_node {
	struct sb_order_node *left;
	struct sb_order_node *right;
	struct sb_order_node *parent;
	sb_order_key key;
	uint32_t weight; /* 0: in no set */
} sb_order_node;

/* Zeroed to begin with. */
typedef struct sb_order {
	sb_order_node *root;
	sb_order_node *first;
	sb_order_node *last;
	uint64_t drawn;
} sb_order;

/* No two nodes of a set have the same key. */
void sb_order_add(sb_order *order, sb_order_node *node);
/*
 * As add, in constant time where the node belongs right behind near, a node of the set: the last
 * one of its group, for example. NULL is accepted.
 */
void sb_order_add_behind(sb_order *order, sb_order_node *near, sb_order_node *node);
void sb_order_remove(sb_order *order, sb_order_node *node);

static inline bool sb_order_has(const sb_order_node *node)
{
	return node->weight != 0;
}

static inline sb_order_node *sb_order_first(const sb_order *order)
{
	return order->first;
}

static inline sb_order_node *sb_order_last(const sb_order *order)
{
	return order->last;
}

/* NULL at the end. */
sb_order_node *sb_order_next(const sb_order_node *node);
sb_order_node *sb_order_previous(const sb_order_node *node);

/* The first node whose key is not below this one. */
sb_order_node *sb_order_from(const sb_order *order, const sb_order_key *key);
/* The last node whose key is below this one. */
sb_order_node *sb_order_below(const sb_order *order, const sb_order_key *key);

/* What a node is embedded in. */
#define SB_ORDER_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
