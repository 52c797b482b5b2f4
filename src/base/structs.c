/* SPDX-License-Identifier: MIT */
#include "base/structs.h"

#include <string.h>

#include "base/error.h"

enum { SIZE_MIN = 8, SIZE_MAX_SANE = 4096 };

stepbus_status sb_struct_take(void *known, size_t known_len, const void *given, const char *name,
			      stepbus_error *err)
{
	const uint8_t *bytes = given;
	uint32_t known_size = (uint32_t)known_len;
	uint32_t size;

	if (given == NULL)
		return sb_fail(err, STEPBUS_EINVAL, "%s is NULL", name);
	memcpy(&size, given, sizeof size);
	if (size < SIZE_MIN || size > SIZE_MAX_SANE)
		return sb_fail(err, STEPBUS_EINVAL, "%s has size %u: set it to sizeof(%s)", name,
			       size, name);
	for (size_t i = known_len; i < size; i++)
		if (bytes[i] != 0)
			return sb_fail(
				err, STEPBUS_EINVAL,
				"%s has a field at byte %zu that library version %s does not know",
				name, i, STEPBUS_VERSION);
	memset(known, 0, known_len);
	memcpy(known, given, size < known_len ? size : known_len);
	memcpy(known, &known_size, sizeof known_size);
	return STEPBUS_OK;
}
