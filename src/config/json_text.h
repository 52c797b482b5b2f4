/* SPDX-License-Identifier: MIT */
/* What stands between the quotes of JSON: finding its end, and undoing its escapes. Pure. */
#ifndef SB_CONFIG_JSON_TEXT_H
#define SB_CONFIG_JSON_TEXT_H

#include "base/text.h"

typedef struct sb_json_text {
	const char *next;  /* in: behind the opening quote; out: at the closing one, or the fault */
	const char *end;   /* of what is known to be UTF-8 */
	const char *fault; /* out: what is wrong at next */
	sb_slice written;  /* out: what stands between the quotes */
	bool has_escape;
	bool is_unclosed; /* the fault is that end came first */
} sb_json_text;

/* false: fault says why. */
bool sb_json_text_scan(sb_json_text *text);
/* Writes what a scanned text means to bytes, as long as written; answers how many it took. */
size_t sb_json_text_unescape(sb_slice written, char *bytes);

#endif
