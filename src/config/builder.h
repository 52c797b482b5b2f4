/* SPDX-License-Identifier: MIT */
/*
 * How readers make a tree: value by value, in the order of the document. What every document must
 * keep to, in whichever language, is checked here: its length, depth and number of values, and that
 * no object has a key twice.
 *
 * A reader begins, announces keys and values, and takes the tree; after any failure it abandons it.
 * Slices that it hands in lie in sb_config_builder_source or in sb_config_builder_text.
 */
#ifndef SB_CONFIG_BUILDER_H
#define SB_CONFIG_BUILDER_H

#include "config/tree.h"

struct sb_config_member;

typedef struct sb_config_builder {
	sb_config_tree *tree;
	uint32_t node_count;
	uint32_t depth;
	sb_slice key; /* announced for the next value */
	sb_config_place key_place;
	struct {
		struct sb_config_member *container;
		struct sb_config_member *first;
		struct sb_config_member *last;
	} open[SB_CONFIG_DEPTH_MAX];
} sb_config_builder;

/* host outlives the tree. */
stepbus_status sb_config_builder_begin(sb_config_builder *builder, const stepbus_host *host,
				       sb_slice document, stepbus_error *err);
/* The tree's copy of the document, with a NUL behind it. */
sb_slice sb_config_builder_source(const sb_config_builder *builder);
/* Room for a text that differs from how it is written; NULL: out of memory. */
char *sb_config_builder_text(sb_config_builder *builder, size_t len);

void sb_config_builder_key(sb_config_builder *builder, sb_slice key, const sb_config_place *place);
/* A value that holds no others: its kind, place, raw and value are copied. */
stepbus_status sb_config_builder_add(sb_config_builder *builder, const sb_config_node *node,
				     stepbus_error *err);
stepbus_status sb_config_builder_open(sb_config_builder *builder, sb_config_node_kind kind,
				      const sb_config_place *place, stepbus_error *err);
/* Ends what was opened last; end_offset is that of the first byte behind it. */
stepbus_status sb_config_builder_close(sb_config_builder *builder, size_t end_offset,
				       stepbus_error *err);
bool sb_config_builder_is_in_object(const sb_config_builder *builder);

sb_config_tree *sb_config_builder_take(sb_config_builder *builder);
void sb_config_builder_abandon(sb_config_builder *builder);

#endif
