/* SPDX-License-Identifier: MIT */
#include "config/read_json.h"

#include <stdio.h>

#include "base/error.h"
#include "base/utf8.h"
#include "config/builder.h"
#include "config/json_text.h"
#include "config/number.h"

typedef struct reader {
	sb_config_builder builder;
	sb_slice source;
	const char *next;
	const char *end; /* of what is UTF-8; past it there is nothing to read */
	sb_config_place place;
	stepbus_error *err;
} reader;

/* Places are asked for from front to back, so that all of them together cost one pass. */
static const sb_config_place *place_of(reader *r, const char *at)
{
	sb_config_place_move(&r->place, r->source, (size_t)(at - r->source.data));
	return &r->place;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

typedef struct found {
	char text[64];
} found;

/* What stands where something else was expected. */
static const char *describe(const reader *r, found *shown)
{
	int len = 0;

	if (r->next == r->end)
		return r->end < r->source.data + r->source.len ?
			       "found a NUL or bytes that are not UTF-8" :
			       "the document ends";
	while (len < 20 && r->next + len < r->end && is_word_byte(r->next[len]))
		len++;
	if (len == 0 && *r->next > 0x20 && *r->next < 0x7F)
		len = 1;
	if (len > 0)
		(void)snprintf(shown->text, sizeof shown->text, "found '%.*s'", len, r->next);
	else
		(void)snprintf(shown->text, sizeof shown->text, "found the byte 0x%02x",
			       (unsigned char)*r->next);
	return shown->text;
}

static stepbus_status fail_expected(reader *r, const char *what)
{
	found shown;

	return sb_config_fail(r->err, place_of(r, r->next), "expected %s, but %s", what,
			      describe(r, &shown));
}

static void skip_space(reader *r)
{
	while (r->next < r->end &&
	       (*r->next == ' ' || *r->next == '\t' || *r->next == '\r' || *r->next == '\n'))
		r->next++;
}

static bool take(reader *r, char wanted)
{
	if (r->next == r->end || *r->next != wanted)
		return false;
	r->next++;
	return true;
}

static bool take_word(reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->next) < len || memcmp(r->next, word, len) != 0 ||
	    (r->next + len < r->end && is_word_byte(r->next[len])))
		return false;
	r->next += len;
	return true;
}

/* Where the text begins here; *out lies in the source, or beside it where escapes say otherwise. */
static stepbus_status take_text(reader *r, sb_slice *out)
{
	sb_json_text text = { .next = r->next + 1, .end = r->end };
	char *bytes;

	if (!sb_json_text_scan(&text)) {
		const char *at = text.is_unclosed && r->end == r->source.data + r->source.len ?
					 r->next :
					 text.next;

		return sb_config_fail(r->err, place_of(r, at), "%s",
				      at == r->end ? "found a NUL or bytes that are not UTF-8" :
						     text.fault);
	}
	r->next = text.next + 1;
	*out = text.written;
	if (!text.has_escape)
		return STEPBUS_OK;
	bytes = sb_config_builder_text(&r->builder, text.written.len);
	if (bytes == NULL)
		return sb_fail_memory(r->err, "read the configuration");
	*out = sb_slice_of(bytes, sb_json_text_unescape(text.written, bytes));
	return STEPBUS_OK;
}

static stepbus_status take_key(reader *r, const char *expected)
{
	sb_config_place place;
	sb_slice key = { NULL, 0 };
	stepbus_status status;

	skip_space(r);
	if (r->next == r->end || *r->next != '"')
		return fail_expected(r, expected);
	place = *place_of(r, r->next);
	status = take_text(r, &key);
	if (status != STEPBUS_OK)
		return status;
	sb_config_builder_key(&r->builder, key, &place);
	skip_space(r);
	return take(r, ':') ? STEPBUS_OK : fail_expected(r, "':' after the key");
}

static bool take_digits(reader *r)
{
	const char *start = r->next;

	while (r->next < r->end && *r->next >= '0' && *r->next <= '9')
		r->next++;
	return r->next > start;
}

static stepbus_status take_number_text(reader *r)
{
	take(r, '-');
	if (take(r, '0')) {
		if (r->next < r->end && *r->next >= '0' && *r->next <= '9')
			return sb_config_fail(r->err, place_of(r, r->next - 1),
					      "a number cannot begin with 0");
	} else if (!take_digits(r)) {
		return fail_expected(r, "a digit");
	}
	if (take(r, '.') && !take_digits(r))
		return fail_expected(r, "a digit behind the point");
	if (take(r, 'e') || take(r, 'E')) {
		if (!take(r, '+'))
			take(r, '-');
		if (!take_digits(r))
			return fail_expected(r, "a digit of the exponent");
	}
	return STEPBUS_OK;
}

static stepbus_status take_number(reader *r, sb_config_node *node)
{
	const char *start = r->next;
	stepbus_status status = take_number_text(r);
	sb_slice text = sb_slice_of(start, (size_t)(r->next - start));

	if (status != STEPBUS_OK)
		return status;
	node->kind = SB_NODE_INTEGER;
	if (sb_number_is_integer(text, &node->value.integer))
		return STEPBUS_OK;
	node->kind = SB_NODE_NUMBER;
	return sb_number_to_double(text, &node->value.number) ?
		       STEPBUS_OK :
		       sb_fail_memory(r->err, "read the configuration");
}

static stepbus_status take_scalar_value(reader *r, sb_config_node *node)
{
	if (*r->next == '"') {
		node->kind = SB_NODE_TEXT;
		return take_text(r, &node->value.text);
	}
	if (*r->next == '-' || (*r->next >= '0' && *r->next <= '9'))
		return take_number(r, node);
	node->kind = SB_NODE_BOOLEAN;
	node->value.boolean = *r->next == 't';
	if (take_word(r, "true") || take_word(r, "false"))
		return STEPBUS_OK;
	node->kind = SB_NODE_NULL;
	return take_word(r, "null") ? STEPBUS_OK : fail_expected(r, "a value");
}

static stepbus_status take_scalar(reader *r)
{
	sb_config_node node = { .place = *place_of(r, r->next) };
	const char *start = r->next;
	stepbus_status status = take_scalar_value(r, &node);

	if (status != STEPBUS_OK)
		return status;
	node.raw = sb_slice_of(start, (size_t)(r->next - start));
	return sb_config_builder_add(&r->builder, &node, r->err);
}

static stepbus_status close_container(reader *r)
{
	return sb_config_builder_close(&r->builder, (size_t)(r->next - r->source.data), r->err);
}

/*
 * Takes the value that begins here or, where it is a container with something in it, only its
 * start.
 */
static stepbus_status take_value(reader *r, bool *is_open)
{
	bool is_object;
	stepbus_status status;

	*is_open = false;
	skip_space(r);
	if (r->next == r->end)
		return fail_expected(r, "a value");
	if (*r->next != '{' && *r->next != '[')
		return take_scalar(r);
	is_object = *r->next == '{';
	status = sb_config_builder_open(&r->builder, is_object ? SB_NODE_OBJECT : SB_NODE_ARRAY,
					place_of(r, r->next), r->err);
	if (status != STEPBUS_OK)
		return status;
	r->next++;
	skip_space(r);
	if (take(r, is_object ? '}' : ']'))
		return close_container(r);
	*is_open = true;
	return is_object ? take_key(r, "a key in double quotes or '}'") : STEPBUS_OK;
}

/* Behind a value: closes what ends here, up to the comma that announces another value. */
static stepbus_status take_ends(reader *r)
{
	while (r->builder.depth > 0) {
		bool is_object = sb_config_builder_is_in_object(&r->builder);
		stepbus_status status;

		skip_space(r);
		if (take(r, ','))
			return is_object ? take_key(r, "another key in double quotes behind ','") :
					   STEPBUS_OK;
		if (!take(r, is_object ? '}' : ']'))
			return fail_expected(r, is_object ? "',' or '}'" : "',' or ']'");
		status = close_container(r);
		if (status != STEPBUS_OK)
			return status;
	}
	return STEPBUS_OK;
}

static stepbus_status take_document(reader *r)
{
	static const char mark[] = "\xEF\xBB\xBF";
	stepbus_status status;

	if (r->end - r->next >= 3 && memcmp(r->next, mark, 3) == 0)
		return sb_config_fail(r->err, &r->place,
				      "found a byte order mark: write the document without one");
	do {
		bool is_open;

		status = take_value(r, &is_open);
		if (status == STEPBUS_OK && !is_open)
			status = take_ends(r);
	} while (status == STEPBUS_OK && r->builder.depth > 0);
	if (status != STEPBUS_OK)
		return status;
	skip_space(r);
	return r->next == r->source.data + r->source.len ?
		       STEPBUS_OK :
		       fail_expected(r, "the end of the document");
}

stepbus_status sb_json_read_tree(const stepbus_host *host, sb_slice text, sb_config_tree **out,
				 stepbus_error *err)
{
	reader r = { .place = sb_config_place_first(), .err = err };
	stepbus_status status = sb_config_builder_begin(&r.builder, host, text, err);

	if (status != STEPBUS_OK)
		return status;
	r.source = sb_config_builder_source(&r.builder);
	r.next = r.source.data;
	r.end = r.source.data + sb_utf8_valid_len(r.source.data, r.source.len);
	status = take_document(&r);
	if (status == STEPBUS_OK)
		*out = sb_config_builder_take(&r.builder);
	else
		sb_config_builder_abandon(&r.builder);
	return status;
}
