/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* The bytes that a character takes, judged by its first one; 0 where none may begin so. */
static size_t character_len(uint8_t first)
{
	if (first >= 0x01 && first <= 0x7F)
		return 1;
	if (first >= 0xC2 && first <= 0xDF)
		return 2;
	if (first >= 0xE0 && first <= 0xEF)
		return 3;
	return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

/*
 * The second byte carries the rules against overlong forms, surrogates and the far end of the code.
 */
static bool is_second_allowed(uint8_t first, uint8_t second)
{
	switch (first) {
	case 0xE0:
		return second >= 0xA0 && second <= 0xBF;
	case 0xED:
		return second >= 0x80 && second <= 0x9F;
	case 0xF0:
		return second >= 0x90 && second <= 0xBF;
	case 0xF4:
		return second >= 0x80 && second <= 0x8F;
	default:
		return second >= 0x80 && second <= 0xBF;
	}
}

/* The length of the character at the start of bytes; 0 where none is. */
static size_t valid_len(const uint8_t *bytes, size_t len)
{
	size_t width = character_len(bytes[0]);

	if (width == 0 || width > len)
		return 0;
	if (width > 1 && !is_second_allowed(bytes[0], bytes[1]))
		return 0;
	for (size_t i = 2; i < width; i++)
		if ((bytes[i] & 0xC0) != 0x80)
			return 0;
	return width;
}

size_t sb_utf8_valid_len(const char *text, size_t len)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t i = 0;

	while (i < len) {
		size_t width = valid_len(bytes + i, len - i);

		if (width == 0)
			break;
		i += width;
	}
	return i;
}

bool sb_utf8_is_valid(const char *text, size_t len)
{
	return sb_utf8_valid_len(text, len) == len;
}

void sb_utf8_repair(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t width = valid_len((const uint8_t *)text + i, len - i);

		if (width == 0)
			text[i] = '?';
		i += width > 0 ? width : 1;
	}
}

size_t sb_utf8_cut(const char *text, size_t len)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t start = len;

	while (start > 0 && len - start < 4 && (bytes[start - 1] & 0xC0) == 0x80)
		start--;
	if (start == 0)
		return len;
	/* bytes[start - 1] begins the last character: keep it only where all of it is there. */
	if (character_len(bytes[start - 1]) > len - start + 1)
		return start - 1;
	return len;
}

const char *sb_show(sb_shown *shown, const char *text, size_t len)
{
	const size_t room = SB_SHOWN_LEN - 4;
	size_t kept = len < room ? len : room;

	if (text == NULL)
		kept = len = 0;
	for (size_t i = 0; i < kept; i++)
		shown->text[i] = text[i] >= 0x20 && text[i] < 0x7F ? text[i] : '?';
	memcpy(shown->text + kept, len > kept ? "..." : "", len > kept ? 4 : 1);
	return shown->text;
}
