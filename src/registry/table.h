/* SPDX-License-Identifier: MIT */
/*
 * The table behind the registry: handlers by namespace, name and version, and the versions of each
 * name in order. Holds the reference that its owner hands in. Not locked: its owner lets finding
 * run beside finding, and changing alone.
 */
#ifndef SB_REGISTRY_TABLE_H
#define SB_REGISTRY_TABLE_H

#include "base/map.h"
#include "registry/handler.h"
#include "registry/key.h"

/* All versions of one name, highest first. */
typedef struct sb_family {
	sb_map_node node;
	stepbus_handler *versions;
	size_t key_len;
	char key[];
} sb_family;

typedef struct sb_table {
	const stepbus_host *host;
	sb_map handlers;
	sb_map families;
} sb_table;

static inline __attribute__((always_inline)) bool sb_table_is_wanted(const char *bytes,
								     const void *wanted)
{
	return sb_key_is(bytes, wanted);
}

static inline __attribute__((always_inline)) stepbus_handler *
sb_table_find(const sb_table *table, const sb_handler_name *name)
{
	return (stepbus_handler *)(void *)sb_map_find_match(
		&table->handlers, sb_key_hash(&table->handlers.key, name), sb_key_len(name),
		sb_table_is_wanted, name);
}

sb_family *sb_table_find_family(const sb_table *table, const sb_handler_name *name);
/* The way to a version that is not there, or was not asked for; NULL: there is none. */
stepbus_handler *sb_table_fall_back(const sb_table *table, const sb_handler_name *name);

/* Adds a handler whose name is not there. False: out of memory. */
bool sb_table_add(sb_table *table, stepbus_handler *handler);
void sb_table_remove(sb_table *table, stepbus_handler *handler);
/* Puts another handler of the same name in the place of one; needs no memory. */
void sb_table_swap(sb_table *table, stepbus_handler *before, stepbus_handler *after);

#endif
