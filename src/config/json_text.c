/* SPDX-License-Identifier: MIT */
#include "config/json_text.h"

#include <stdint.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind "\u"; -1 where they are not four. */
static int32_t code_at(const char *next, const char *end)
{
	int32_t code = 0;

	if (end - next < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value(next[i]);

		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

static bool is_high(int32_t code)
{
	return code >= 0xD800 && code <= 0xDBFF;
}

static bool is_low(int32_t code)
{
	return code >= 0xDC00 && code <= 0xDFFF;
}

static bool has_low_at(const char *next, const char *end)
{
	return end - next >= 6 && next[0] == '\\' && next[1] == 'u' &&
	       is_low(code_at(next + 2, end));
}

/* How many bytes the escape that begins here takes; 0: none, and fault says why. */
static size_t escape_len(const char *next, const char *end, const char **fault)
{
	int32_t code;

	if (end - next >= 2 && next[1] != 'u') {
		*fault = "no such escape: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX";
		return next[1] != '\0' && strchr("\"\\/bfnrt", next[1]) != NULL ? 2 : 0;
	}
	code = end - next >= 2 ? code_at(next + 2, end) : -1;
	if (code < 0) {
		*fault = "expected four hexadecimal digits behind \\u";
		return 0;
	}
	if (code == 0) {
		*fault = "a text cannot hold \\u0000";
		return 0;
	}
	*fault = "half of a surrogate pair: a character beyond \\uFFFF takes both halves";
	if (is_high(code))
		return has_low_at(next + 6, end) ? 12 : 0;
	return is_low(code) ? 0 : 6;
}

bool sb_json_text_scan(sb_json_text *text)
{
	const char *start = text->next;

	while (text->next < text->end && *text->next != '"') {
		size_t len = 1;

		if ((unsigned char)*text->next < 0x20) {
			text->fault = "a text cannot hold a control character: write it as an "
				      "escape, a line break as \\n";
			return false;
		}
		if (*text->next == '\\') {
			text->has_escape = true;
			/* Cut off inside of an escape, it is the closing quote that misses. */
			if (text->end - text->next < 2)
				break;
			len = escape_len(text->next, text->end, &text->fault);
			if (len == 0)
				return false;
		}
		text->next += len;
	}
	text->written = sb_slice_of(start, (size_t)(text->next - start));
	text->is_unclosed = text->next == text->end || *text->next != '"';
	if (text->is_unclosed) {
		text->fault = "the text that begins here has no closing quote";
		text->next = text->end;
	}
	return !text->is_unclosed;
}

static size_t put_utf8(char *bytes, uint32_t code)
{
	if (code < 0x80) {
		bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		bytes[0] = (char)(0xC0 | code >> 6);
		bytes[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		bytes[0] = (char)(0xE0 | code >> 12);
		bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
		bytes[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	bytes[0] = (char)(0xF0 | code >> 18);
	bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
	bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
	bytes[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static char escaped(char letter)
{
	switch (letter) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return letter;
	}
}

/* The character behind a "\u" that was scanned; goes on behind it. */
static uint32_t take_code(const char **next, const char *end)
{
	uint32_t code = (uint32_t)code_at(*next + 2, end);

	*next += 6;
	if (!is_high((int32_t)code))
		return code;
	code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)code_at(*next + 2, end) - 0xDC00);
	*next += 6;
	return code;
}

size_t sb_json_text_unescape(sb_slice written, char *bytes)
{
	const char *next = written.data, *end = written.data + written.len;
	size_t len = 0;

	while (next < end) {
		if (*next != '\\') {
			bytes[len++] = *next++;
		} else if (next[1] == 'u') {
			len += put_utf8(bytes + len, take_code(&next, end));
		} else {
			bytes[len++] = escaped(next[1]);
			next += 2;
		}
	}
	return len;
}
