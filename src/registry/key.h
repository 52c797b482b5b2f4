/* SPDX-License-Identifier: MIT */
/*
 * The key of a handler: name NUL namespace NUL version, or without the last part for all versions
 * together. Tables keep it in one piece; a look-up never puts it together, but hashes and compares
 * part by part, where the caller has them: reading back what was just written in other portions
 * costs more than the whole look-up. Pure.
 */
#ifndef SB_REGISTRY_KEY_H
#define SB_REGISTRY_KEY_H

#include "base/hash.h"
#include "registry/definition.h"

enum { SB_KEY_LEN_MAX = 2 * SB_NAME_LEN_MAX + SB_VERSION_LEN_MAX + 2 };

/* Lengths in one word: 16 bits are plenty for each. */
static inline uint64_t sb_key_lens(const sb_handler_name *name, size_t version_len)
{
	return name->name.len | name->handler_namespace.len << 16 | version_len << 32;
}

static inline __attribute__((always_inline)) uint64_t
sb_key_hash_family(const sb_hash_key *key, const sb_handler_name *name)
{
	uint64_t state =
		sb_hash_part(key, 0, name->name.data, name->name.len) ^
		sb_hash_part(key, 1, name->handler_namespace.data, name->handler_namespace.len);

	return sb_hash_end(key, state, sb_key_lens(name, 0));
}

static inline __attribute__((always_inline)) uint64_t sb_key_hash(const sb_hash_key *key,
								  const sb_handler_name *name)
{
	uint64_t state =
		sb_hash_part(key, 0, name->name.data, name->name.len) ^
		sb_hash_part(key, 1, name->handler_namespace.data, name->handler_namespace.len) ^
		sb_hash_part(key, 2, name->version.data, name->version.len);

	return sb_hash_end(key, state, sb_key_lens(name, name->version.len));
}

static inline size_t sb_key_family_len(const sb_handler_name *name)
{
	return name->name.len + 1 + name->handler_namespace.len;
}

static inline size_t sb_key_len(const sb_handler_name *name)
{
	return sb_key_family_len(name) + 1 + name->version.len;
}

/* Whether bytes, of as many as the key has, are the key of the name. */
static inline __attribute__((always_inline)) bool sb_key_is_family(const char *bytes,
								   const sb_handler_name *name)
{
	size_t name_len = name->name.len;

	return !sb_bytes_differ(bytes, name->name.data, name_len) && bytes[name_len] == '\0' &&
	       !sb_bytes_differ(bytes + name_len + 1, name->handler_namespace.data,
				name->handler_namespace.len);
}

static inline __attribute__((always_inline)) bool sb_key_is(const char *bytes,
							    const sb_handler_name *name)
{
	size_t family_len = sb_key_family_len(name);

	return sb_key_is_family(bytes, name) && bytes[family_len] == '\0' &&
	       !sb_bytes_differ(bytes + family_len + 1, name->version.data, name->version.len);
}

/* Writes the key, of sb_key_family_len and sb_key_len bytes. */
void sb_key_write_family(char *bytes, const sb_handler_name *name);
void sb_key_write(char *bytes, const sb_handler_name *name);

#endif
