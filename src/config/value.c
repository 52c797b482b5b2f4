/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"

static void put(void *member, const void *value, size_t len)
{
	if (member != NULL)
		memcpy(member, value, len);
}

/* A field's min and max keep the value within the member's width, whichever its sign. */
static void put_integer(const sb_config_field *field, int64_t value, void *member)
{
	const uint8_t in8 = (uint8_t)value;
	const uint16_t in16 = (uint16_t)value;
	const uint32_t in32 = (uint32_t)value;

	switch (field->width) {
	case sizeof in8:
		put(member, &in8, sizeof in8);
		break;
	case sizeof in16:
		put(member, &in16, sizeof in16);
		break;
	case sizeof in32:
		put(member, &in32, sizeof in32);
		break;
	default:
		sb_assert(field->width == sizeof value);
		put(member, &value, sizeof value);
	}
}

static void put_list(const sb_config_node *node, void *member)
{
	const sb_config_list list = { node->value.first, node->count };

	put(member, &list, sizeof list);
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_made_of(sb_slice text, const char *signs)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_alphanumeric(text.data[i]) && strchr(signs, text.data[i]) == NULL)
			return false;
	return true;
}

bool sb_config_value_is_key(const sb_config_field *map, sb_slice key)
{
	return map->signs == NULL ||
	       (key.len >= 1 && key.len <= SB_CONFIG_NAME_LEN_MAX && is_made_of(key, map->signs));
}

static bool is_within(const sb_config_field *field, int64_t value)
{
	return value >= field->min && value <= field->max;
}

static bool take_boolean(const sb_config_node *node, void *member)
{
	if (node->kind != SB_NODE_BOOLEAN)
		return false;
	put(member, &node->value.boolean, sizeof node->value.boolean);
	return true;
}

static bool take_integer(const sb_config_field *field, const sb_config_node *node, void *member)
{
	if (node->kind != SB_NODE_INTEGER || !is_within(field, node->value.integer))
		return false;
	put_integer(field, node->value.integer, member);
	return true;
}

static bool take_text(const sb_config_field *field, const sb_config_node *node, void *member)
{
	if (node->kind != SB_NODE_TEXT || !is_within(field, (int64_t)node->value.text.len))
		return false;
	if (field->signs != NULL && !is_made_of(node->value.text, field->signs))
		return false;
	put(member, &node->value.text, sizeof node->value.text);
	return true;
}

static bool take_time(const sb_config_field *field, const sb_config_node *node, void *member)
{
	int64_t time_us = 0;

	if (node->kind == SB_NODE_INTEGER)
		time_us = node->value.integer;
	else if (node->kind != SB_NODE_TEXT ||
		 !sb_clock_parse(node->value.text.data, node->value.text.len, &time_us))
		return false;
	if (!is_within(field, time_us))
		return false;
	put(member, &time_us, sizeof time_us);
	return true;
}

static const sb_config_choice *choice_of(const sb_config_field *field, const sb_config_node *node)
{
	if (node->kind != SB_NODE_TEXT)
		return NULL;
	for (const sb_config_choice *choice = field->choices; choice->name != NULL; choice++)
		if (sb_slice_is_equal(node->value.text, sb_slice_z(choice->name)))
			return choice;
	return NULL;
}

static bool take_choice(const sb_config_field *field, const sb_config_node *node, void *member)
{
	const sb_config_choice *choice = choice_of(field, node);

	if (choice == NULL)
		return false;
	put_integer(field, choice->value, member);
	return true;
}

static bool take_choices(const sb_config_field *field, const sb_config_node *node, void *member)
{
	const bool is_array = node->kind == SB_NODE_ARRAY;
	const sb_config_node *one = is_array ? node->value.first : node;
	uint32_t bits = 0;

	for (; one != NULL; one = is_array ? one->next : NULL) {
		const sb_config_choice *choice = choice_of(field, one);

		if (choice == NULL)
			return false;
		bits |= UINT32_C(1) << choice->value;
	}
	/* No names at all would stand for every name as well as for none. */
	if (bits == 0)
		return false;
	put(member, &bits, sizeof bits);
	return true;
}

static bool take_raw(const sb_config_field *field, const sb_config_node *node, void *member)
{
	if (!is_within(field, (int64_t)node->raw.len))
		return false;
	put(member, &node->raw, sizeof node->raw);
	return true;
}

static bool take_container(const sb_config_field *field, const sb_config_node *node, void *member)
{
	const sb_config_node_kind kind =
		field->kind == SB_CONFIG_LIST ? SB_NODE_ARRAY : SB_NODE_OBJECT;

	if (node->kind != kind)
		return false;
	if (field->kind == SB_CONFIG_OBJECT)
		return true;
	if (!is_within(field, node->count))
		return false;
	put_list(node, member);
	return true;
}

bool sb_config_value_take(const sb_config_field *field, const sb_config_node *node, void *member)
{
	if (node->kind == SB_NODE_NULL && (field->flags & SB_CONFIG_NULLABLE) != 0) {
		put_integer(field, field->null, member);
		return true;
	}
	switch (field->kind) {
	case SB_CONFIG_BOOLEAN:
		return take_boolean(node, member);
	case SB_CONFIG_INTEGER:
		return take_integer(field, node, member);
	case SB_CONFIG_TEXT:
		return take_text(field, node, member);
	case SB_CONFIG_TIME:
		return take_time(field, node, member);
	case SB_CONFIG_CHOICE:
		return take_choice(field, node, member);
	case SB_CONFIG_CHOICES:
		return take_choices(field, node, member);
	case SB_CONFIG_RAW:
		return take_raw(field, node, member);
	case SB_CONFIG_OBJECT:
	case SB_CONFIG_LIST:
	case SB_CONFIG_MAP:
		return take_container(field, node, member);
	}
	return false;
}

void sb_config_value_default(const sb_config_field *field, void *member)
{
	const sb_slice text = field->initial_text != NULL ? sb_slice_z(field->initial_text) :
							    sb_slice_of(NULL, 0);
	const sb_config_list list = { NULL, 0 };

	switch (field->kind) {
	case SB_CONFIG_TEXT:
	case SB_CONFIG_RAW:
		put(member, &text, sizeof text);
		break;
	case SB_CONFIG_LIST:
	case SB_CONFIG_MAP:
		put(member, &list, sizeof list);
		break;
	case SB_CONFIG_OBJECT:
		break;
	case SB_CONFIG_BOOLEAN:
	case SB_CONFIG_INTEGER:
	case SB_CONFIG_TIME:
	case SB_CONFIG_CHOICE:
	case SB_CONFIG_CHOICES:
		put_integer(field, field->initial, member);
		break;
	}
}

static void describe_text(const sb_config_field *field, char allowed[SB_CONFIG_ALLOWED_LEN])
{
	(void)snprintf(allowed, SB_CONFIG_ALLOWED_LEN,
		       "a text of %" PRId64 " to %" PRId64 " %s%s%s", field->min, field->max,
		       field->signs != NULL ? "of [A-Za-z0-9" : "bytes",
		       field->signs != NULL ? field->signs : "", field->signs != NULL ? "]" : "");
}

static void describe_choices(const sb_config_field *field, char allowed[SB_CONFIG_ALLOWED_LEN])
{
	size_t len = 0;

	for (const sb_config_choice *choice = field->choices; choice->name != NULL; choice++) {
		const char *before = len > 0                          ? ", " :
				     field->kind == SB_CONFIG_CHOICES ? "one or an array of " :
									"one of ";
		int added = snprintf(allowed + len, SB_CONFIG_ALLOWED_LEN - len, "%s%s", before,
				     choice->name);

		sb_assert(added > 0 && (size_t)added < SB_CONFIG_ALLOWED_LEN - len);
		len += (size_t)added;
	}
}

static void describe_range(const sb_config_field *field, const char *what, const char *unit,
			   char allowed[SB_CONFIG_ALLOWED_LEN])
{
	(void)snprintf(allowed, SB_CONFIG_ALLOWED_LEN, "%s %" PRId64 " to %" PRId64 "%s", what,
		       field->min, field->max, unit);
}

static void describe(const sb_config_field *field, char allowed[SB_CONFIG_ALLOWED_LEN])
{
	switch (field->kind) {
	case SB_CONFIG_BOOLEAN:
		(void)snprintf(allowed, SB_CONFIG_ALLOWED_LEN, "true or false");
		break;
	case SB_CONFIG_INTEGER:
		describe_range(field, "a whole number from", "", allowed);
		break;
	case SB_CONFIG_TEXT:
		describe_text(field, allowed);
		break;
	case SB_CONFIG_TIME:
		describe_range(field, "a time such as 2026-11-21T10:30:45Z, or from",
			       " microseconds since 1970", allowed);
		break;
	case SB_CONFIG_CHOICE:
	case SB_CONFIG_CHOICES:
		describe_choices(field, allowed);
		break;
	case SB_CONFIG_RAW:
		describe_range(field, "any value of", " bytes", allowed);
		break;
	case SB_CONFIG_OBJECT:
		(void)snprintf(allowed, SB_CONFIG_ALLOWED_LEN, "an object");
		break;
	case SB_CONFIG_LIST:
		describe_range(field, "an array of", " elements", allowed);
		break;
	case SB_CONFIG_MAP:
		describe_range(field, "an object of", " members", allowed);
		break;
	}
}

void sb_config_value_allowed(const sb_config_field *field, char allowed[SB_CONFIG_ALLOWED_LEN])
{
	size_t len;

	describe(field, allowed);
	len = strlen(allowed);
	if ((field->flags & SB_CONFIG_NULLABLE) != 0)
		(void)snprintf(allowed + len, SB_CONFIG_ALLOWED_LEN - len, ", or null");
}
