/* SPDX-License-Identifier: MIT */
#include "config/builder.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "config/tree_insides.h"

/* A node, and the link by which the members of an object are sorted to find a key that is twice. */
typedef struct sb_config_member {
	sb_config_node node;
	struct sb_config_member *sorted;
} member;

/* A sorted run has twice the members of the one before: this many hold all that a tree may. */
enum { RUN_COUNT = 17 };
_Static_assert(SB_CONFIG_NODE_COUNT_MAX < 1 << RUN_COUNT, "more members than runs can hold");

stepbus_status sb_config_builder_begin(sb_config_builder *builder, const stepbus_host *host,
				       sb_slice document, stepbus_error *err)
{
	sb_config_tree *tree;

	*builder = (sb_config_builder){ 0 };
	if (document.data == NULL && document.len > 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the configuration is NULL but has a length of %zu", document.len);
	if (document.len > SB_CONFIG_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the configuration has %zu bytes: at most %d are allowed",
			       document.len, SB_CONFIG_LEN_MAX);
	tree = sb_alloc(host, sizeof *tree + document.len + 1);
	if (tree == NULL)
		return sb_fail_memory(err, "read the configuration");
	tree->arena.host = host;
	tree->len = document.len;
	if (document.len > 0)
		memcpy(tree->source, document.data, document.len);
	builder->tree = tree;
	return STEPBUS_OK;
}

sb_slice sb_config_builder_source(const sb_config_builder *builder)
{
	return sb_slice_of(builder->tree->source, builder->tree->len);
}

char *sb_config_builder_text(sb_config_builder *builder, size_t len)
{
	return sb_config_arena_alloc(&builder->tree->arena, len);
}

void sb_config_builder_key(sb_config_builder *builder, sb_slice key, const sb_config_place *place)
{
	builder->key = key;
	builder->key_place = *place;
}

bool sb_config_builder_is_in_object(const sb_config_builder *builder)
{
	return builder->depth > 0 &&
	       builder->open[builder->depth - 1].container->node.kind == SB_NODE_OBJECT;
}

/* Hangs a node behind the last one of the innermost container that is open. */
static void hang(sb_config_builder *builder, member *added)
{
	member *container, *last;

	if (builder->depth == 0) {
		builder->tree->root = &added->node;
		return;
	}
	container = builder->open[builder->depth - 1].container;
	last = builder->open[builder->depth - 1].last;
	if (last != NULL) {
		last->node.next = &added->node;
		last->sorted = added;
	} else {
		container->node.value.first = &added->node;
		builder->open[builder->depth - 1].first = added;
	}
	builder->open[builder->depth - 1].last = added;
	container->node.count++;
}

static stepbus_status add(sb_config_builder *builder, const sb_config_node *node, member **out,
			  stepbus_error *err)
{
	member *added;

	if (builder->node_count == SB_CONFIG_NODE_COUNT_MAX)
		return sb_config_fail(err, &node->place, "there are more than %d values",
				      SB_CONFIG_NODE_COUNT_MAX);
	added = sb_config_arena_alloc(&builder->tree->arena, sizeof *added);
	if (added == NULL)
		return sb_fail_memory(err, "read the configuration");
	builder->node_count++;
	added->node = *node;
	if (sb_config_builder_is_in_object(builder)) {
		added->node.key = builder->key;
		added->node.key_place = builder->key_place;
	}
	hang(builder, added);
	*out = added;
	return STEPBUS_OK;
}

stepbus_status sb_config_builder_add(sb_config_builder *builder, const sb_config_node *node,
				     stepbus_error *err)
{
	member *added = NULL;

	return add(builder, node, &added, err);
}

stepbus_status sb_config_builder_open(sb_config_builder *builder, sb_config_node_kind kind,
				      const sb_config_place *place, stepbus_error *err)
{
	const sb_config_node node = { .kind = kind, .place = *place };
	member *added = NULL;
	stepbus_status status;

	if (builder->depth == SB_CONFIG_DEPTH_MAX)
		return sb_config_fail(err, place, "nested deeper than %d", SB_CONFIG_DEPTH_MAX);
	status = add(builder, &node, &added, err);
	if (status != STEPBUS_OK)
		return status;
	builder->open[builder->depth].container = added;
	builder->open[builder->depth].first = NULL;
	builder->open[builder->depth].last = NULL;
	builder->depth++;
	return STEPBUS_OK;
}

static int compare_keys(sb_slice a, sb_slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Equal keys stay in the order of the document: all of older stand before all of newer. */
static member *merge(member *older, member *newer)
{
	member *first = NULL;
	member **end = &first;

	while (older != NULL && newer != NULL) {
		member **least =
			compare_keys(older->node.key, newer->node.key) <= 0 ? &older : &newer;

		*end = *least;
		end = &(*least)->sorted;
		*least = *end;
	}
	*end = older != NULL ? older : newer;
	return first;
}

static member *sort(member *list)
{
	member *runs[RUN_COUNT] = { NULL };
	member *sorted = NULL;

	while (list != NULL) {
		member *run = list;
		size_t i = 0;

		list = list->sorted;
		run->sorted = NULL;
		for (; runs[i] != NULL; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (size_t i = 0; i < RUN_COUNT; i++)
		sorted = merge(runs[i], sorted);
	return sorted;
}

/*
 * By sorting, since comparing all keys with all others would let a document of a megabyte take
 * minutes.
 */
static stepbus_status check_keys(member *first, stepbus_error *err)
{
	const sb_config_node *original = NULL, *repeated = NULL;
	sb_shown shown;

	for (member *m = sort(first); m != NULL && m->sorted != NULL; m = m->sorted) {
		const sb_config_node *next = &m->sorted->node;

		if (compare_keys(m->node.key, next->key) != 0 ||
		    (repeated != NULL && repeated->key_place.offset < next->key_place.offset))
			continue;
		original = &m->node;
		repeated = next;
	}
	if (repeated == NULL)
		return STEPBUS_OK;
	return sb_config_fail(err, &repeated->key_place,
			      "the key '%s' is given twice; first in line %u, column %u",
			      sb_show(&shown, repeated->key.data, repeated->key.len),
			      original->key_place.line, original->key_place.column);
}

stepbus_status sb_config_builder_close(sb_config_builder *builder, size_t end_offset,
				       stepbus_error *err)
{
	sb_config_node *container = &builder->open[builder->depth - 1].container->node;

	builder->depth--;
	container->raw = sb_slice_of(builder->tree->source + container->place.offset,
				     end_offset - container->place.offset);
	if (container->kind != SB_NODE_OBJECT || container->count < 2)
		return STEPBUS_OK;
	return check_keys(builder->open[builder->depth].first, err);
}

sb_config_tree *sb_config_builder_take(sb_config_builder *builder)
{
	sb_config_tree *tree = builder->tree;

	builder->tree = NULL;
	return tree;
}

void sb_config_builder_abandon(sb_config_builder *builder)
{
	sb_config_tree_free(builder->tree);
	builder->tree = NULL;
}
