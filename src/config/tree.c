/* SPDX-License-Identifier: MIT */
#include "config/tree.h"

#include "base/memory.h"
#include "config/tree_insides.h"

const sb_config_node *sb_config_tree_root(const sb_config_tree *tree)
{
	return tree->root;
}

void sb_config_tree_free(sb_config_tree *tree)
{
	if (tree == NULL)
		return;
	sb_config_arena_end(&tree->arena);
	sb_release(tree->arena.host, tree);
}

const sb_config_node *sb_config_node_find(const sb_config_node *node, const char *key)
{
	const sb_slice wanted = sb_slice_z(key);

	if (node == NULL || node->kind != SB_NODE_OBJECT)
		return NULL;
	for (const sb_config_node *member = node->value.first; member != NULL;
	     member = member->next)
		if (sb_slice_is_equal(member->key, wanted))
			return member;
	return NULL;
}

const char *sb_config_node_kind_name(sb_config_node_kind kind)
{
	switch (kind) {
	case SB_NODE_NULL:
		return "null";
	case SB_NODE_BOOLEAN:
		return "a boolean";
	case SB_NODE_INTEGER:
		return "a whole number";
	case SB_NODE_NUMBER:
		return "a number";
	case SB_NODE_TEXT:
		return "a text";
	case SB_NODE_ARRAY:
		return "an array";
	case SB_NODE_OBJECT:
		return "an object";
	}
	return "nothing";
}
