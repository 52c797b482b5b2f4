/* SPDX-License-Identifier: MIT */
/*
 * The table behind the registry: handlers by namespace, name and version, and the versions of each
 * name in order. Not locked: its owner lets finding run beside finding, and changing alone.
 */
#ifndef SB_REGISTRY_TABLE_H
#define SB_REGISTRY_TABLE_H

#include "base/map.h"
#include "registry/handler.h"

enum { SB_TABLE_KEY_LEN_MAX = 2 * SB_NAME_LEN_MAX + SB_VERSION_LEN_MAX + 2 };

/* All versions of one name, highest first. */
typedef struct sb_family {
	sb_map_node node;
	struct sb_entry *versions;
	size_t key_len;
	char key[];
} sb_family;

/* One version of one name. Overriding it swaps the handler and allocates nothing. */
typedef struct sb_entry {
	sb_map_node node;
	stepbus_handler *handler;
	sb_family *family;
	struct sb_entry *lower;
	struct sb_entry *next_new; /* while a group is being registered */
	size_t key_len;
	char key[];
} sb_entry;

typedef struct sb_table {
	const stepbus_host *host;
	sb_map entries;
	sb_map families;
} sb_table;

sb_entry *sb_table_find(const sb_table *table, const sb_handler_name *name);
sb_family *sb_table_find_family(const sb_table *table, const sb_handler_name *name);
/* The way to a version that is not there, or was not asked for; NULL: there is none. */
sb_entry *sb_table_fall_back(const sb_table *table, const sb_handler_name *name);

/*
 * Adds a handler whose name is not there, with the caller's reference to it. NULL: out of memory.
 */
sb_entry *sb_table_add(sb_table *table, stepbus_handler *handler);
/* Takes an entry out. The caller gets its reference to the handler. */
stepbus_handler *sb_table_remove(sb_table *table, sb_entry *entry);

#endif
