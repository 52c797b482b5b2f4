/* SPDX-License-Identifier: MIT */
#include "registry/table.h"

#include "registry/version.h"

/* name NUL namespace, and for one version another NUL and the version. */
static size_t write_family_key(const sb_handler_name *name, char key[SB_TABLE_KEY_LEN_MAX])
{
	memcpy(key, name->name.data, name->name.len);
	key[name->name.len] = '\0';
	memcpy(key + name->name.len + 1, name->handler_namespace.data, name->handler_namespace.len);
	return name->name.len + 1 + name->handler_namespace.len;
}

static size_t write_entry_key(const sb_handler_name *name, char key[SB_TABLE_KEY_LEN_MAX])
{
	size_t len = write_family_key(name, key);

	key[len] = '\0';
	memcpy(key + len + 1, name->version.data, name->version.len);
	return len + 1 + name->version.len;
}

sb_entry *sb_table_find(const sb_table *table, const sb_handler_name *name)
{
	char key[SB_TABLE_KEY_LEN_MAX];
	size_t len = write_entry_key(name, key);

	return (sb_entry *)(void *)sb_map_find(&table->entries, key, len);
}

sb_family *sb_table_find_family(const sb_table *table, const sb_handler_name *name)
{
	char key[SB_TABLE_KEY_LEN_MAX];
	size_t len = write_family_key(name, key);

	return (sb_family *)(void *)sb_map_find(&table->families, key, len);
}

/* The family of a name, made where there is none. */
static sb_family *ensure_family(sb_table *table, const sb_handler_name *name)
{
	sb_family *family = sb_table_find_family(table, name);
	char key[SB_TABLE_KEY_LEN_MAX];
	size_t len;

	if (family != NULL)
		return family;
	len = write_family_key(name, key);
	family = sb_alloc(table->host, sizeof *family + len);
	if (family == NULL)
		return NULL;
	memcpy(family->key, key, len);
	family->key_len = len;
	if (sb_map_add(&table->families, &family->node, family->key, len))
		return family;
	sb_release(table->host, family);
	return NULL;
}

static void drop_family_if_empty(sb_table *table, sb_family *family)
{
	if (family->versions != NULL)
		return;
	sb_map_remove(&table->families, &family->node);
	sb_release(table->host, family);
}

static void link_version(sb_family *family, sb_entry *entry)
{
	sb_entry **place = &family->versions;
	sb_slice version = sb_handler_name_of(entry->handler).version;

	while (*place != NULL &&
	       sb_version_compare(sb_handler_name_of((*place)->handler).version, version) > 0)
		place = &(*place)->lower;
	entry->family = family;
	entry->lower = *place;
	*place = entry;
}

sb_entry *sb_table_add(sb_table *table, stepbus_handler *handler)
{
	const sb_handler_name name = sb_handler_name_of(handler);
	sb_family *family = ensure_family(table, &name);
	sb_entry *entry = NULL;
	char key[SB_TABLE_KEY_LEN_MAX];
	size_t len = write_entry_key(&name, key);

	if (family == NULL)
		return NULL;
	entry = sb_alloc(table->host, sizeof *entry + len);
	if (entry != NULL) {
		memcpy(entry->key, key, len);
		entry->key_len = len;
		entry->handler = handler;
	}
	if (entry == NULL || !sb_map_add(&table->entries, &entry->node, entry->key, len)) {
		sb_release(table->host, entry);
		drop_family_if_empty(table, family);
		return NULL;
	}
	link_version(family, entry);
	return entry;
}

stepbus_handler *sb_table_remove(sb_table *table, sb_entry *entry)
{
	stepbus_handler *handler = entry->handler;
	sb_entry **place = &entry->family->versions;

	while (*place != entry)
		place = &(*place)->lower;
	*place = entry->lower;
	sb_map_remove(&table->entries, &entry->node);
	drop_family_if_empty(table, entry->family);
	sb_release(table->host, entry);
	return handler;
}

static sb_entry *find_default(const sb_family *family)
{
	sb_entry *entry = family->versions;

	while (entry != NULL && (entry->handler->spec.flags & STEPBUS_HANDLER_DEFAULT) == 0)
		entry = entry->lower;
	return entry;
}

sb_entry *sb_table_fall_back(const sb_table *table, const sb_handler_name *name)
{
	const sb_family *family = sb_table_find_family(table, name);
	sb_entry *entry = family != NULL ? family->versions : NULL;
	sb_entry *marked = family != NULL ? find_default(family) : NULL;

	if (name->version.len == 0)
		return marked != NULL ? marked : entry;
	while (entry != NULL &&
	       sb_version_compare(sb_handler_name_of(entry->handler).version, name->version) > 0)
		entry = entry->lower;
	return entry != NULL ? entry : marked;
}
