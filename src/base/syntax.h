/* SPDX-License-Identifier: MIT */
/*
 * Whether bytes are JSON (RFC 8259), strictly: UTF-8, no NUL, nesting of at most 64, no escaped
 * lone surrogates. Needs no memory, so that "not JSON" and "out of memory" stay two answers. Pure.
 */
#ifndef SB_BASE_SYNTAX_H
#define SB_BASE_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

enum { SB_SYNTAX_DEPTH_MAX = 64 };

/* True: one JSON document. False: fault_offset (may be NULL) is where it stops being one. */
bool sb_syntax_is_json(const char *text, size_t len, size_t *fault_offset);

#endif
