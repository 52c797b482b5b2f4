/* SPDX-License-Identifier: MIT */
#include "registry/table.h"

#include "registry/version.h"

static bool is_family(const char *bytes, const void *wanted)
{
	return sb_key_is_family(bytes, wanted);
}

sb_family *sb_table_find_family(const sb_table *table, const sb_handler_name *name)
{
	return (sb_family *)(void *)sb_map_find_match(
		&table->families, sb_key_hash_family(&table->families.key, name),
		sb_key_family_len(name), is_family, name);
}

/* The family of a name, made where there is none. */
static sb_family *ensure_family(sb_table *table, const sb_handler_name *name)
{
	sb_family *family = sb_table_find_family(table, name);
	size_t len = sb_key_family_len(name);

	if (family != NULL)
		return family;
	family = sb_alloc(table->host, sizeof *family + len);
	if (family == NULL)
		return NULL;
	sb_key_write_family(family->key, name);
	family->key_len = len;
	if (sb_map_add_hashed(&table->families, &family->node, family->key, len,
			      sb_key_hash_family(&table->families.key, name)))
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

static void link_version(sb_family *family, stepbus_handler *handler)
{
	stepbus_handler **place = &family->versions;
	sb_slice version = sb_handler_name_of(handler).version;

	while (*place != NULL &&
	       sb_version_compare(sb_handler_name_of(*place).version, version) > 0)
		place = &(*place)->facts->lower;
	handler->facts->lower = *place;
	*place = handler;
}

static stepbus_handler **place_of(sb_family *family, const stepbus_handler *handler)
{
	stepbus_handler **place = &family->versions;

	while (*place != handler)
		place = &(*place)->facts->lower;
	return place;
}

bool sb_table_add(sb_table *table, stepbus_handler *handler)
{
	const sb_handler_name name = sb_handler_name_of(handler);
	sb_family *family = ensure_family(table, &name);

	if (family == NULL)
		return false;
	if (!sb_map_add_hashed(&table->handlers, &handler->node, sb_handler_key(handler),
			       handler->key_len, sb_key_hash(&table->handlers.key, &name))) {
		drop_family_if_empty(table, family);
		return false;
	}
	link_version(family, handler);
	return true;
}

void sb_table_remove(sb_table *table, stepbus_handler *handler)
{
	const sb_handler_name name = sb_handler_name_of(handler);
	sb_family *family = sb_table_find_family(table, &name);

	*place_of(family, handler) = handler->facts->lower;
	handler->facts->lower = NULL;
	sb_map_remove(&table->handlers, &handler->node);
	drop_family_if_empty(table, family);
}

void sb_table_swap(sb_table *table, stepbus_handler *before, stepbus_handler *after)
{
	const sb_handler_name name = sb_handler_name_of(before);

	*place_of(sb_table_find_family(table, &name), before) = after;
	after->facts->lower = before->facts->lower;
	before->facts->lower = NULL;
	sb_map_swap(&table->handlers, &before->node, &after->node, sb_handler_key(after));
}

static stepbus_handler *find_default(const sb_family *family)
{
	stepbus_handler *handler = family->versions;

	while (handler != NULL && (handler->facts->spec.flags & STEPBUS_HANDLER_DEFAULT) == 0)
		handler = handler->facts->lower;
	return handler;
}

stepbus_handler *sb_table_fall_back(const sb_table *table, const sb_handler_name *name)
{
	const sb_family *family = sb_table_find_family(table, name);
	stepbus_handler *handler = family != NULL ? family->versions : NULL;
	stepbus_handler *marked = family != NULL ? find_default(family) : NULL;

	if (name->version.len == 0)
		return marked != NULL ? marked : handler;
	while (handler != NULL &&
	       sb_version_order(sb_handler_name_of(handler).version, name->version) > 0)
		handler = handler->facts->lower;
	return handler != NULL ? handler : marked;
}
