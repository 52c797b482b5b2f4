/* SPDX-License-Identifier: MIT */
#include "registry/key.h"

static void put(char *bytes, sb_slice part)
{
	if (part.len > 0)
		memcpy(bytes, part.data, part.len);
}

void sb_key_write_family(char *bytes, const sb_handler_name *name)
{
	put(bytes, name->name);
	bytes[name->name.len] = '\0';
	put(bytes + name->name.len + 1, name->handler_namespace);
}

void sb_key_write(char *bytes, const sb_handler_name *name)
{
	size_t family_len = sb_key_family_len(name);

	sb_key_write_family(bytes, name);
	bytes[family_len] = '\0';
	put(bytes + family_len + 1, name->version);
}
