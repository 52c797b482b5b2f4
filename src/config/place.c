/* SPDX-License-Identifier: MIT */
#include "config/place.h"

#include <stdio.h>

#include "base/error.h"

sb_config_place sb_config_place_first(void)
{
	return (sb_config_place){ 0, 1, 1 };
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

void sb_config_place_move(sb_config_place *place, sb_slice source, size_t offset)
{
	sb_config_place at = *place;

	for (size_t i = at.offset; i < offset; i++) {
		if (source.data[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if (!is_continuation(source.data[i])) {
			at.column++;
		}
	}
	at.offset = (uint32_t)offset;
	*place = at;
}

stepbus_status sb_config_fail(stepbus_error *err, const sb_config_place *place, const char *format,
			      ...)
{
	char message[sizeof err->message];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	return sb_fail(err, STEPBUS_EINVAL, "line %u, column %u: %s", place->line, place->column,
		       message);
}
