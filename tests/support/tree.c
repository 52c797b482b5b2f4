/* SPDX-License-Identifier: MIT */
#include "support/tree.h"

#include <inttypes.h>
#include <stdio.h>

#include "config/read_json.h"
#include "support/cmocka.h"

sb_config_tree *test_tree(test_host *t, const char *json)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree = NULL;

	if (sb_json_read_tree(&t->host, sb_slice_z(json), &tree, &err) != STEPBUS_OK)
		fail_msg("%s: %s", json, err.message);
	return tree;
}

static void write_node(const sb_config_node *node, FILE *stream)
{
	const sb_config_node *child = node->kind >= SB_NODE_ARRAY ? node->value.first : NULL;

	if (node->key.data != NULL)
		fprintf(stream, "%.*s:", (int)node->key.len, node->key.data);
	switch (node->kind) {
	case SB_NODE_NULL:
		fputs("~", stream);
		break;
	case SB_NODE_BOOLEAN:
		fputs(node->value.boolean ? "t" : "f", stream);
		break;
	case SB_NODE_INTEGER:
		fprintf(stream, "%" PRId64, node->value.integer);
		break;
	case SB_NODE_NUMBER:
		fprintf(stream, "%.17g", node->value.number);
		break;
	case SB_NODE_TEXT:
		fprintf(stream, "'%.*s'", (int)node->value.text.len, node->value.text.data);
		break;
	case SB_NODE_ARRAY:
	case SB_NODE_OBJECT:
		fputs(node->kind == SB_NODE_ARRAY ? "[" : "{", stream);
		for (; child != NULL; child = child->next) {
			write_node(child, stream);
			fputs(child->next != NULL ? "," : "", stream);
		}
		fputs(node->kind == SB_NODE_ARRAY ? "]" : "}", stream);
	}
}

void test_tree_write(const sb_config_tree *tree, char *text, size_t len)
{
	FILE *stream = fmemopen(text, len, "w");

	assert_non_null(stream);
	write_node(sb_config_tree_root(tree), stream);
	fclose(stream);
}
