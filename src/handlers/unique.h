/* SPDX-License-Identifier: MIT */
/*
 * The keys under which a store remembers that a step is there: what hosts give as an idempotency key
 * or a unique key becomes bytes that no other input becomes. Each part has its length in front, and
 * each key says which parts it has. Pure; the bytes stand in databases, and never change.
 *
 *   idempotency   'i' key
 *   unique        'u' flags [queue] [namespace name] key [period, the number of it]
 */
#ifndef SB_HANDLERS_UNIQUE_H
#define SB_HANDLERS_UNIQUE_H

#include "base/text.h"

/* What a unique key is unique in, besides what it says itself. */
enum {
	SB_UNIQUE_QUEUE = 1,
	SB_UNIQUE_HANDLER = 2, /* namespace and name; all versions are one */
};

enum {
	SB_UNIQUE_KEY_LEN_MAX = 256,
	SB_UNIQUE_NAME_LEN_MAX = 128,
	/* The kind, the flags, four texts with two bytes of length each, and two numbers. */
	SB_UNIQUE_LEN_MAX = 2 + SB_UNIQUE_KEY_LEN_MAX + 3 * SB_UNIQUE_NAME_LEN_MAX + 4 * 2 + 2 * 8,
};

typedef struct sb_unique_bytes {
	char data[SB_UNIQUE_LEN_MAX];
	size_t len;
} sb_unique_bytes;

typedef struct sb_unique_scope {
	uint32_t flags; /* SB_UNIQUE_... */
	sb_slice queue;
	sb_slice handler_namespace;
	sb_slice name;
	int64_t period_us; /* 0: for ever; else the key is a new one in each period since 1970 */
	int64_t now_us;
} sb_unique_scope;

/* False where a part is longer than it may be: the caller has checked them. */
bool sb_unique_idempotency(sb_slice key, sb_unique_bytes *out);
bool sb_unique_compose(sb_slice key, const sb_unique_scope *scope, sb_unique_bytes *out);

/* The host's key in what one of these composed; empty where the bytes are none of them. */
sb_slice sb_unique_key_of(sb_slice composed);

static inline sb_slice sb_unique_slice(const sb_unique_bytes *bytes)
{
	return sb_slice_of(bytes->data, bytes->len);
}

#endif
