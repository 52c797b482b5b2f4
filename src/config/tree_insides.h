/* SPDX-License-Identifier: MIT */
/* What a tree is made of, for the two files that make and end one: builder.c and tree.c. */
#ifndef SB_CONFIG_TREE_INSIDES_H
#define SB_CONFIG_TREE_INSIDES_H

#include "config/arena.h"
#include "config/tree.h"

struct sb_config_tree {
	sb_config_arena arena;
	const sb_config_node *root;
	size_t len;
	char source[]; /* len bytes and a NUL */
};

#endif
