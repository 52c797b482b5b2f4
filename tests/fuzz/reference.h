/* SPDX-License-Identifier: MIT */
/*
 * A second, slow and simple reading of what the library reads fast: UTF-8 by code points, JSON by
 * recursion into a tree of decoded values. Written from the standards, not from src/, so that a mistake
 * in the one is no mistake in the other.
 */
#ifndef TESTS_FUZZ_REFERENCE_H
#define TESTS_FUZZ_REFERENCE_H

#include "base/text.h"

/* How many bytes the character at the front has; 0 where none is (NUL is none either). */
size_t fuzz_utf8_step(const char *text, size_t len);
bool fuzz_utf8_is_valid(sb_slice text);

typedef enum fuzz_json_kind {
	FUZZ_JSON_NULL,
	FUZZ_JSON_FALSE,
	FUZZ_JSON_TRUE,
	FUZZ_JSON_NUMBER,
	FUZZ_JSON_TEXT,
	FUZZ_JSON_ARRAY,
	FUZZ_JSON_OBJECT,
} fuzz_json_kind;

typedef struct fuzz_json {
	fuzz_json_kind kind;
	sb_slice raw; /* as it stands in the document */
	char *text;   /* decoded */
	size_t text_len;
	char *key; /* decoded; NULL but for members */
	size_t key_len;
	struct fuzz_json *first; /* of members or elements */
	struct fuzz_json *next;
} fuzz_json;

/* NULL: it is no document, or nests deeper than so many containers. Freed with fuzz_json_free. */
fuzz_json *fuzz_json_parse(sb_slice document, unsigned depth_max);
void fuzz_json_free(fuzz_json *json);
/* The first member of that name; NULL where there is none. */
const fuzz_json *fuzz_json_find(const fuzz_json *json, sb_slice key);
/* A document that the library wrote; fails where it is none. */
fuzz_json *fuzz_json_own(const stepbus_text *text);
/* How many values there are, itself included. */
size_t fuzz_json_count(const fuzz_json *json);
bool fuzz_json_has_twins(const fuzz_json *json);

#endif
