/* SPDX-License-Identifier: MIT */
#include "registry/missing.h"

#include <stdio.h>

#include "base/error.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "registry/registry.h"

enum { SHOWN_COUNT_MAX = 12, LIST_LEN = 640, HINT_LEN = 192, SEEN_COUNT_MAX = 2000 };

/* The first few names of the registry in sorted order. */
typedef struct listing {
	sb_slice names[SHOWN_COUNT_MAX];
	size_t count;
	size_t total;  /* how many were seen */
	bool has_more; /* than were looked at */
} listing;

static int compare(sb_slice a, sb_slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.data, b.data, len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Keeps the list sorted and at its length: what falls off the end is only counted. */
static void insert(listing *l, sb_slice name)
{
	size_t place = l->count;

	while (place > 0 && compare(name, l->names[place - 1]) < 0)
		place--;
	if ((place > 0 && sb_slice_is_equal(name, l->names[place - 1])) || place == SHOWN_COUNT_MAX)
		return;
	if (l->count < SHOWN_COUNT_MAX)
		l->count++;
	memmove(&l->names[place + 1], &l->names[place], (l->count - 1 - place) * sizeof *l->names);
	l->names[place] = name;
}

static void write_list(const listing *l, char text[LIST_LEN])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < l->count && len < LIST_LEN; i++)
		len += (size_t)snprintf(text + len, LIST_LEN - len, "%s'%.*s'", i > 0 ? ", " : "",
					(int)l->names[i].len, l->names[i].data);
	if (l->has_more && len < LIST_LEN)
		(void)snprintf(text + len, LIST_LEN - len, ", and many more");
	else if (l->total > l->count && len < LIST_LEN)
		(void)snprintf(text + len, LIST_LEN - len, ", and %zu more", l->total - l->count);
}

static void write_versions(const sb_family *family, char text[LIST_LEN])
{
	size_t len = 0;

	text[0] = '\0';
	for (const stepbus_handler *handler = family->versions; handler != NULL && len < LIST_LEN;
	     handler = handler->facts->lower)
		len += (size_t)snprintf(text + len, LIST_LEN - len, "%s'%s'", len > 0 ? ", " : "",
					handler->facts->spec.version);
}

/* The name is there, in other versions. */
static stepbus_status fail_version(const sb_family *family, const sb_handler_name *name,
				   stepbus_error *err)
{
	char versions[LIST_LEN];
	sb_shown shown_name, shown_version;

	write_versions(family, versions);
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "no version '%s' of handler '%s' is available. Registered versions: [%s]. "
		       "Register it, or mark "
		       "one of these as the default",
		       sb_show(&shown_version, name->version.data, name->version.len),
		       sb_show(&shown_name, name->name.data, name->name.len), versions);
}

/* A key is name NUL namespace; names are text, so the first NUL ends the name. */
static sb_slice name_of(const sb_family *family)
{
	return sb_slice_z(family->key);
}

static sb_slice namespace_of(const sb_family *family)
{
	size_t name_len = name_of(family).len;

	return sb_slice_of(family->key + name_len + 1, family->key_len - name_len - 1);
}

/*
 * Goes through what is registered: the names of the namespace, and who has the name elsewhere. Only
 * so far, since it is the registry's lock under which a miss of a large one would take its time.
 */
static const sb_family *look_around(const sb_map *families, const sb_handler_name *name, listing *l,
				    sb_nearest *nearest)
{
	const sb_family *elsewhere = NULL;
	size_t seen_count = 0;

	for (sb_map_node *node = sb_map_first(families);
	     node != NULL && seen_count < SEEN_COUNT_MAX; node = sb_map_next(node)) {
		const sb_family *family = (const sb_family *)(const void *)node;

		seen_count++;
		if (sb_slice_is_equal(namespace_of(family), name->handler_namespace)) {
			insert(l, name_of(family));
			sb_nearest_offer(nearest, name_of(family));
			l->total++;
		} else if (sb_slice_is_equal(name_of(family), name->name)) {
			elsewhere = family;
		}
	}
	l->has_more = seen_count < sb_map_count(families);
	return elsewhere;
}

static void write_hint(const sb_family *elsewhere, sb_slice nearest, char text[HINT_LEN])
{
	text[0] = '\0';
	if (elsewhere != NULL)
		(void)snprintf(text, HINT_LEN, " (namespace '%.*s' has one)",
			       (int)namespace_of(elsewhere).len, namespace_of(elsewhere).data);
	else if (nearest.len > 0)
		(void)snprintf(text, HINT_LEN, " (did you mean '%.*s'?)", (int)nearest.len,
			       nearest.data);
}

stepbus_status sb_missing_fail(const sb_table *table, const sb_handler_name *name,
			       stepbus_error *err)
{
	const sb_family *family = sb_table_find_family(table, name);
	sb_nearest nearest = sb_nearest_to(name->name);
	listing l = { .count = 0 };
	sb_shown shown_name, shown_namespace;
	char list[LIST_LEN], hint[HINT_LEN];

	if (err == NULL)
		return STEPBUS_ENOTFOUND;
	if (family != NULL)
		return fail_version(family, name, err);
	write_hint(look_around(&table->families, name, &l, &nearest), nearest.best, hint);
	write_list(&l, list);
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "no handler registered for '%s' in namespace '%s'%s. Registered handlers: "
		       "[%s]. Register it before its steps run",
		       sb_show(&shown_name, name->name.data, name->name.len),
		       sb_show(&shown_namespace, name->handler_namespace.data,
			       name->handler_namespace.len),
		       hint, list);
}
