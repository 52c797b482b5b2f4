/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <stdio.h>

#include "base/error.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "config/value.h"

/* A container that is being walked. */
typedef struct frame {
	const sb_config_table *table; /* of an object; NULL for a list or map */
	const sb_config_field *list;  /* the list or map */
	const sb_config_node *node;   /* NULL: an object that is not given has its defaults */
	const sb_config_node *next;   /* still to be looked at */
	const sb_config_node *child;  /* being looked at */
	size_t index;                 /* of the child; in the end, of the next field to default */
	uint64_t given;               /* bits: fields that were given */
	char *out;                    /* NULL: nothing is filled */
} frame;

/* Depth first, with frames instead of recursion. */
typedef struct walk {
	frame frames[2 * SB_CONFIG_TABLE_DEPTH_MAX];
	size_t depth;
	size_t error_count;
	bool has_defaults; /* else what is not given stays as it is, and nothing is required */
	stepbus_error first;
} walk;

enum { PATH_LEN = 200, NAMES_LEN = 600 };

static frame *innermost(walk *w)
{
	return &w->frames[w->depth - 1];
}

/* "retry.base_ms", "queues[2].name": the child that is being looked at. */
static void write_path(const walk *w, char path[PATH_LEN])
{
	size_t len = 0;

	for (size_t i = 0; i < w->depth && len < PATH_LEN; i++) {
		const frame *f = &w->frames[i];
		sb_shown shown;
		int added;

		if (f->child->key.data == NULL)
			added = snprintf(path + len, PATH_LEN - len, "[%zu]", f->index);
		else
			added = snprintf(path + len, PATH_LEN - len, "%s%s", i > 0 ? "." : "",
					 sb_show(&shown, f->child->key.data, f->child->key.len));
		len += (size_t)added;
	}
}

/* Counts an error; only the first is put into words, since a hostile document may have thousands. */
static bool is_to_be_told(walk *w)
{
	return w->error_count++ == 0;
}

static const char *show_given(const sb_config_node *node, sb_shown *shown)
{
	if (node->kind == SB_NODE_ARRAY || node->kind == SB_NODE_OBJECT || node->raw.len == 0)
		return sb_config_node_kind_name(node->kind);
	return sb_show(shown, node->raw.data, node->raw.len);
}

static void complain_value(walk *w, const sb_config_field *field, const sb_config_node *node)
{
	char path[PATH_LEN], allowed[SB_CONFIG_ALLOWED_LEN];
	sb_shown shown;

	if (!is_to_be_told(w))
		return;
	write_path(w, path);
	sb_config_value_allowed(field, allowed);
	(void)sb_config_fail(&w->first, &node->place, "%s is %s: it must be %s", path,
			     show_given(node, &shown), allowed);
}

static void write_names(const sb_config_table *table, char names[NAMES_LEN])
{
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < table->count && len < NAMES_LEN; i++)
		len += (size_t)snprintf(names + len, NAMES_LEN - len, "%s%s", i > 0 ? ", " : "",
					table->fields[i].name);
}

static void complain_unknown(walk *w, const sb_config_table *table, const sb_config_node *node)
{
	sb_nearest nearest = sb_nearest_to(node->key);
	char path[PATH_LEN], names[NAMES_LEN];

	if (!is_to_be_told(w))
		return;
	for (size_t i = 0; i < table->count; i++)
		sb_nearest_offer(&nearest, sb_slice_z(table->fields[i].name));
	write_path(w, path);
	write_names(table, names);
	(void)sb_config_fail(&w->first, &node->key_place,
			     "there is no key %s%s%.*s%s; the keys here are %s", path,
			     nearest.best.len > 0 ? " (did you mean " : "", (int)nearest.best.len,
			     nearest.best.len > 0 ? nearest.best.data : "",
			     nearest.best.len > 0 ? "?)" : "", names);
}

static void complain_missing(walk *w, const frame *f, const sb_config_field *field)
{
	char path[PATH_LEN] = "", allowed[SB_CONFIG_ALLOWED_LEN];

	if (!is_to_be_told(w))
		return;
	/* The frame's own path: that of the child of the frame around it. */
	w->depth--;
	write_path(w, path);
	w->depth++;
	sb_config_value_allowed(field, allowed);
	(void)sb_config_fail(&w->first, &f->node->place, "the key %s%s%s is missing: it must be %s",
			     path, path[0] != '\0' ? "." : "", field->name, allowed);
}

static void complain_key(walk *w, const sb_config_field *map, const sb_config_node *node)
{
	char path[PATH_LEN];

	if (!is_to_be_told(w))
		return;
	write_path(w, path);
	(void)sb_config_fail(&w->first, &node->key_place,
			     "%s is not allowed: a key here has 1 to %d of [A-Za-z0-9%s]", path,
			     SB_CONFIG_NAME_LEN_MAX, map->signs);
}

static void push(walk *w, const frame *added)
{
	sb_assert(w->depth < sizeof w->frames / sizeof *w->frames);
	w->frames[w->depth++] = *added;
}

static void *member_of(const frame *f, const sb_config_field *field)
{
	return f->out != NULL ? f->out + field->offset : NULL;
}

static void look_at(walk *w, const sb_config_field *field, const sb_config_node *node, char *member)
{
	if (!sb_config_value_take(field, node, member)) {
		complain_value(w, field, node);
		return;
	}
	if (field->kind == SB_CONFIG_OBJECT)
		push(w, &(frame){ .table = field->table,
				  .node = node,
				  .next = node->value.first,
				  .out = member });
	else if (field->kind == SB_CONFIG_LIST || field->kind == SB_CONFIG_MAP)
		push(w, &(frame){ .list = field, .node = node, .next = node->value.first });
}

static void look_at_member(walk *w, frame *f, const sb_config_node *node)
{
	for (size_t i = 0; i < f->table->count; i++) {
		const sb_config_field *field = &f->table->fields[i];

		if (!sb_slice_is_equal(node->key, sb_slice_z(field->name)))
			continue;
		f->given |= UINT64_C(1) << i;
		look_at(w, field, node, member_of(f, field));
		return;
	}
	complain_unknown(w, f->table, node);
}

static void look_at_child(walk *w)
{
	frame *f = innermost(w);

	f->index = f->child != NULL ? f->index + 1 : 0;
	f->child = f->next;
	f->next = f->child->next;
	if (f->table != NULL) {
		look_at_member(w, f, f->child);
		return;
	}
	sb_assert(f->list != NULL);
	if (f->list->kind == SB_CONFIG_MAP && !sb_config_value_is_key(f->list, f->child->key))
		complain_key(w, f->list, f->child);
	look_at(w, f->list->element, f->child, NULL);
}

/* Behind the last member: what was not given. Ends early where a table inside has to be walked. */
static void complete(walk *w)
{
	frame *f = innermost(w);

	if (f->child != NULL) {
		f->child = NULL;
		f->index = 0;
	}
	while (w->has_defaults && f->table != NULL && f->index < f->table->count) {
		const sb_config_field *field = &f->table->fields[f->index];
		bool is_given = (f->given >> f->index & 1) != 0;

		f->index++;
		if (is_given)
			continue;
		if (f->node != NULL && (field->flags & SB_CONFIG_REQUIRED) != 0) {
			complain_missing(w, f, field);
			continue;
		}
		sb_config_value_default(field, member_of(f, field));
		if (field->kind == SB_CONFIG_OBJECT) {
			push(w, &(frame){ .table = field->table, .out = member_of(f, field) });
			return;
		}
	}
	w->depth--;
}

static void walk_all(walk *w, const sb_config_table *table, const sb_config_node *root, void *out)
{
	push(w, &(frame){ .table = table, .node = root, .next = root->value.first, .out = out });
	while (w->depth > 0) {
		if (innermost(w)->next != NULL)
			look_at_child(w);
		else
			complete(w);
	}
}

static stepbus_status check_and_fill(bool has_defaults, const sb_config_table *table,
				     const sb_config_node *node, void *out, stepbus_error *err)
{
	walk checked = { .has_defaults = has_defaults, .first = STEPBUS_ERROR_INIT };
	walk filled = { .has_defaults = has_defaults };
	sb_shown shown;

	if (node->kind != SB_NODE_OBJECT)
		return sb_config_fail(err, &node->place,
				      "the configuration is %s: it must be an object",
				      show_given(node, &shown));
	walk_all(&checked, table, node, NULL);
	if (checked.error_count == 1)
		return sb_fail(err, STEPBUS_EINVAL, "%s", checked.first.message);
	if (checked.error_count > 1)
		return sb_fail(err, STEPBUS_EINVAL, "%s (and %zu more)", checked.first.message,
			       checked.error_count - 1);
	walk_all(&filled, table, node, out);
	return STEPBUS_OK;
}

stepbus_status sb_config_apply(const sb_config_table *table, const sb_config_node *node, void *out,
			       stepbus_error *err)
{
	return check_and_fill(true, table, node, out, err);
}

stepbus_status sb_config_change(const sb_config_table *table, const sb_config_node *node, void *out,
				stepbus_error *err)
{
	return check_and_fill(false, table, node, out, err);
}
