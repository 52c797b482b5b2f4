/* SPDX-License-Identifier: MIT */
#include "base/syntax.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

typedef struct reader {
	const char *next;
	const char *end;
	uint64_t objects; /* bit d: the container at depth d is an object, not an array */
	uint32_t depth;
} reader;

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

	if ((size_t)(r->end - r->next) < len || memcmp(r->next, word, len) != 0)
		return false;
	r->next += len;
	return true;
}

static bool take_digits(reader *r)
{
	const char *start = r->next;

	while (r->next < r->end && *r->next >= '0' && *r->next <= '9')
		r->next++;
	return r->next > start;
}

static bool take_number(reader *r)
{
	take(r, '-');
	if (!take(r, '0') && !take_digits(r))
		return false;
	if (take(r, '.') && !take_digits(r))
		return false;
	if (take(r, 'e') || take(r, 'E')) {
		if (!take(r, '+'))
			take(r, '-');
		return take_digits(r);
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind "\u"; -1 where they are none, or the NUL that no text of ours may hold. */
static int32_t take_code(reader *r)
{
	int32_t code = 0;

	for (int i = 0; i < 4; i++) {
		int digit = r->next < r->end ? hex_value(*r->next) : -1;

		if (digit < 0)
			return -1;
		code = code * 16 + digit;
		r->next++;
	}
	return code > 0 ? code : -1;
}

static bool take_escape(reader *r)
{
	int32_t code;

	if (r->next == r->end)
		return false;
	if (*r->next != 'u')
		return memchr("\"\\/bfnrt", *r->next++, 8) != NULL;
	r->next++;
	code = take_code(r);
	if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF))
		return false;
	if (code < 0xD800 || code > 0xDBFF)
		return true;
	if (!take_word(r, "\\u"))
		return false;
	code = take_code(r);
	return code >= 0xDC00 && code <= 0xDFFF;
}

static bool take_string(reader *r)
{
	if (!take(r, '"'))
		return false;
	while (r->next < r->end) {
		char c = *r->next;

		if ((unsigned char)c < 0x20)
			return false;
		r->next++;
		if (c == '"')
			return true;
		if (c == '\\' && !take_escape(r))
			return false;
	}
	return false;
}

static bool take_key(reader *r)
{
	skip_space(r);
	if (!take_string(r))
		return false;
	skip_space(r);
	return take(r, ':');
}

static bool is_in_object(const reader *r)
{
	return (r->objects >> (r->depth - 1) & 1) != 0;
}

/*
 * Takes the value that begins here or, where it is a container with something in it, only its
 * start.
 */
static bool take_value(reader *r, bool *is_open)
{
	bool is_object;

	*is_open = false;
	if (r->next == r->end)
		return false;
	is_object = *r->next == '{';
	switch (*r->next) {
	case '{':
	case '[':
		if (r->depth == SB_SYNTAX_DEPTH_MAX)
			return false;
		r->next++;
		skip_space(r);
		if (take(r, is_object ? '}' : ']'))
			return true;
		r->objects &= ~(UINT64_C(1) << r->depth);
		r->objects |= (uint64_t)is_object << r->depth;
		r->depth++;
		*is_open = true;
		return !is_object || take_key(r);
	case '"':
		return take_string(r);
	case 't':
		return take_word(r, "true");
	case 'f':
		return take_word(r, "false");
	case 'n':
		return take_word(r, "null");
	default:
		return take_number(r);
	}
}

/* Behind a value: closes what ends here, up to the comma that announces another value. */
static bool take_ends(reader *r)
{
	while (r->depth > 0) {
		skip_space(r);
		if (take(r, ','))
			return !is_in_object(r) || take_key(r);
		if (!take(r, is_in_object(r) ? '}' : ']'))
			return false;
		r->depth--;
	}
	return true;
}

static bool take_document(reader *r)
{
	do {
		bool is_open;

		skip_space(r);
		if (!take_value(r, &is_open))
			return false;
		if (is_open)
			continue;
		if (!take_ends(r))
			return false;
	} while (r->depth > 0);
	skip_space(r);
	return r->next == r->end;
}

bool sb_syntax_is_json(const char *text, size_t len, size_t *fault_offset)
{
	/* Past the last byte that is UTF-8 there is nothing to read. */
	size_t valid_len = text != NULL ? sb_utf8_valid_len(text, len) : 0;
	reader r = { text, text != NULL ? text + valid_len : NULL, 0, 0 };
	bool is_json = text != NULL && take_document(&r) && valid_len == len;

	if (fault_offset != NULL)
		*fault_offset = text != NULL ? (size_t)(r.next - text) : 0;
	return is_json;
}
