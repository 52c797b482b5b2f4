/* SPDX-License-Identifier: MIT */
/* One value against one field of a schema: whether it fits, what it becomes, what would fit. Pure. */
#ifndef SB_CONFIG_VALUE_H
#define SB_CONFIG_VALUE_H

#include "config/schema.h"

/*
 * Writes the value to the member, which may be NULL; false where it does not fit. For an object,
 * list or map only its kind and count are looked at, and only a list or map is written.
 */
bool sb_config_value_take(const sb_config_field *field, const sb_config_node *node, void *member);
/* Whether a map may have a member of this key. */
bool sb_config_value_is_key(const sb_config_field *map, sb_slice key);
/* Writes the default; nothing for an object, whose fields have their own. */
void sb_config_value_default(const sb_config_field *field, void *member);

enum { SB_CONFIG_ALLOWED_LEN = 320 };

/* "a whole number from 1000 to 3600000": what the field takes. */
void sb_config_value_allowed(const sb_config_field *field, char allowed[SB_CONFIG_ALLOWED_LEN]);

#endif
