/* SPDX-License-Identifier: MIT */
/*
 * A document as a tree of values, in whichever language it was written. A tree owns a copy of the
 * document and everything in it, and does not change: any thread may read it, and everything that
 * points into it lives as long as it does. It is made by a reader (read_json.h) through builder.h.
 *
 * Texts and keys are UTF-8 without NUL. No object has a key twice.
 */
#ifndef SB_CONFIG_TREE_H
#define SB_CONFIG_TREE_H

#include "config/place.h"

/* What a document may be at most; each is far beyond what a configuration needs. */
enum {
	SB_CONFIG_LEN_MAX = 1024 * 1024,
	SB_CONFIG_DEPTH_MAX = 32,
	SB_CONFIG_NODE_COUNT_MAX = 65536,
};

typedef enum sb_config_node_kind {
	SB_NODE_NULL = 1,
	SB_NODE_BOOLEAN,
	SB_NODE_INTEGER, /* a number that int64_t holds exactly, however it is written: 1000, 1e3 */
	SB_NODE_NUMBER,  /* any other; infinite where it is beyond double */
	SB_NODE_TEXT,
	SB_NODE_ARRAY,
	SB_NODE_OBJECT,
} sb_config_node_kind;

typedef struct sb_config_node {
	sb_config_node_kind kind;
	uint32_t count; /* of members or elements */
	sb_config_place place;
	sb_config_place key_place;
	sb_slice key; /* of a member of an object; data is NULL elsewhere */
	sb_slice raw; /* the value as it stands in the document */
	union {
		bool boolean;
		int64_t integer;
		double number;
		sb_slice text;
		const struct sb_config_node *first; /* member or element; NULL: empty */
	} value;
	const struct sb_config_node *next; /* in the same object or array; NULL: the last */
} sb_config_node;

typedef struct sb_config_tree sb_config_tree;

const sb_config_node *sb_config_tree_root(const sb_config_tree *tree);
void sb_config_tree_free(sb_config_tree *tree);

/* NULL where the node is no object (or NULL), or has no such member. */
const sb_config_node *sb_config_node_find(const sb_config_node *node, const char *key);
/* "a text", "an object", … */
const char *sb_config_node_kind_name(sb_config_node_kind kind);

#endif
