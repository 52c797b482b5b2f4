/* SPDX-License-Identifier: MIT */
/*
 * JSON in both of the library's readings, beside the reference: the check of payloads (base/syntax.h)
 * accepts what the reference does; the tree of configurations (config/read_json.h) what it does within
 * the tree's limits, with the same values; the look into a payload finds what the reference finds.
 * The first line of an input is the field that is looked for, the rest the document.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/syntax.h"
#include "config/read_json.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"

static void compare_number(const fuzz_json *wanted, const sb_config_node *node)
{
	char *text = strndup(wanted->raw.data, wanted->raw.len);
	const double number = strtod(text, NULL);
	char written[32];

	if (node->kind == SB_NODE_NUMBER) {
		fuzz_check(node->value.number == number);
		free(text);
		return;
	}
	fuzz_check(node->kind == SB_NODE_INTEGER);
	fuzz_check((double)node->value.integer == number);
	/* Where it is written plainly, to the last digit. */
	(void)snprintf(written, sizeof written, "%lld", (long long)node->value.integer);
	if (strpbrk(text, ".eE") == NULL && strcmp(text, "-0") != 0)
		fuzz_check(strcmp(written, text) == 0);
	free(text);
}

static void compare_tree(const fuzz_json *wanted, const sb_config_node *node)
{
	static const sb_config_node_kind kinds[] = { SB_NODE_NULL,    SB_NODE_BOOLEAN,
						     SB_NODE_BOOLEAN, SB_NODE_NUMBER,
						     SB_NODE_TEXT,    SB_NODE_ARRAY,
						     SB_NODE_OBJECT };
	const sb_config_node *child;
	uint32_t count = 0;

	fuzz_check(sb_slice_is_equal(node->raw, wanted->raw));
	if (wanted->kind == FUZZ_JSON_NUMBER) {
		compare_number(wanted, node);
		return;
	}
	fuzz_check(node->kind == kinds[wanted->kind]);
	if (node->kind == SB_NODE_BOOLEAN)
		fuzz_check(node->value.boolean == (wanted->kind == FUZZ_JSON_TRUE));
	if (node->kind == SB_NODE_TEXT)
		fuzz_check(sb_slice_is_equal(node->value.text,
					     sb_slice_of(wanted->text, wanted->text_len)));
	if (node->kind != SB_NODE_ARRAY && node->kind != SB_NODE_OBJECT)
		return;
	child = node->value.first;
	for (wanted = wanted->first; wanted != NULL; wanted = wanted->next, child = child->next) {
		fuzz_check(child != NULL);
		fuzz_check(
			sb_slice_is_equal(child->key, sb_slice_of(wanted->key, wanted->key_len)));
		compare_tree(wanted, child);
		count++;
	}
	fuzz_check(child == NULL && count == node->count);
}

static void check_tree(sb_slice document)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	fuzz_json *wanted = fuzz_json_parse(document, SB_CONFIG_DEPTH_MAX);
	sb_config_tree *tree = NULL;
	const stepbus_status status = sb_json_read_tree(fuzz_host(), document, &tree, &err);
	const bool is_allowed = wanted != NULL && document.len <= SB_CONFIG_LEN_MAX &&
				fuzz_json_count(wanted) <= SB_CONFIG_NODE_COUNT_MAX &&
				!fuzz_json_has_twins(wanted);

	if ((status == STEPBUS_OK) != is_allowed)
		fuzz_fail(__FILE__, __LINE__, "the tree says %d (%s), the reference %d", status,
			  err.message, is_allowed);
	fuzz_check(status == STEPBUS_OK || (status == STEPBUS_EINVAL && err.code == status));
	fuzz_check(fuzz_utf8_is_valid(sb_slice_z(err.message)));
	if (status == STEPBUS_OK)
		compare_tree(wanted, sb_config_tree_root(tree));
	sb_config_tree_free(tree);
	fuzz_json_free(wanted);
}

static void check_field_of(const fuzz_json *document, sb_slice json, sb_slice field)
{
	const fuzz_json *wanted = fuzz_json_find(document, field);
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *text = NULL;
	int64_t number = 77;
	stepbus_status status =
		stepbus_payload_text(json.data, json.len, field.data, field.len, &text, &err);
	const bool is_text = wanted != NULL && wanted->kind == FUZZ_JSON_TEXT;

	if ((status == STEPBUS_OK) != is_text)
		fuzz_fail(__FILE__, __LINE__, "text: %d (%s)", status, err.message);
	if (is_text)
		fuzz_check(sb_slice_is_equal(
			sb_slice_of(stepbus_text_data(text), stepbus_text_len(text)),
			sb_slice_of(wanted->text, wanted->text_len)));
	stepbus_text_free(text);
	status = stepbus_payload_int(json.data, json.len, field.data, field.len, &number, &err);
	if (status != STEPBUS_OK) {
		fuzz_check(number == 77);
		return;
	}
	fuzz_check(wanted != NULL && wanted->kind == FUZZ_JSON_NUMBER);
	fuzz_check(number > -(INT64_C(1) << 53) && number < INT64_C(1) << 53);
	compare_number(wanted,
		       &(sb_config_node){ .kind = SB_NODE_INTEGER, .value.integer = number });
}

static void check_syntax(sb_slice document, sb_slice field)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	fuzz_json *wanted = fuzz_json_parse(document, SB_SYNTAX_DEPTH_MAX);
	const bool is_object = wanted != NULL && wanted->kind == FUZZ_JSON_OBJECT;
	size_t offset = SIZE_MAX;

	if (sb_syntax_is_json(document.data, document.len, &offset) != (wanted != NULL))
		fuzz_fail(__FILE__, __LINE__, "the check says %d at %zu", wanted == NULL, offset);
	fuzz_check(offset <= document.len);
	fuzz_check((sb_json_check(document, false, "it", &err) == STEPBUS_OK) == (wanted != NULL));
	fuzz_check((sb_json_check(document, true, "it", &err) == STEPBUS_OK) == is_object);
	/* A field that is named by what is no UTF-8, or has a NUL, is nobody's. */
	check_field_of(is_object ? wanted : NULL, document, field);
	fuzz_json_free(wanted);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	fuzz_feed feed;
	sb_slice field, document;

	fuzz_feed_begin(&feed, bytes, len);
	field = fuzz_feed_line(&feed);
	document = fuzz_feed_rest(&feed);
	check_syntax(document, field);
	check_tree(document);
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
