/* SPDX-License-Identifier: MIT */
/* UTF-8: checking, cutting on a character, and showing hostile bytes in a message. Pure. */
#ifndef SB_BASE_UTF8_H
#define SB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are UTF-8 without NUL, overlong forms, surrogates or anything past U+10FFFF. */
bool sb_utf8_is_valid(const char *text, size_t len);
/* How many bytes at the front are valid. */
size_t sb_utf8_valid_len(const char *text, size_t len);
/* The greatest length <= len at which text does not end inside a character. */
size_t sb_utf8_cut(const char *text, size_t len);

/* Puts '?' where a byte is NUL or belongs to no character, so that what is left is valid. */
void sb_utf8_repair(char *text, size_t len);

enum { SB_SHOWN_LEN = 84 };

/*
 * Hostile bytes, fit for a message: printable ASCII stays, the rest becomes '?', "..." marks a cut.
 */
typedef struct sb_shown {
	char text[SB_SHOWN_LEN];
} sb_shown;

/* Fills shown and returns its text, for use inside a call of sb_fail. */
const char *sb_show(sb_shown *shown, const char *text, size_t len);

#endif
