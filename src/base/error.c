/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { MESSAGE_OFFSET = offsetof(stepbus_error, message), MESSAGE_LEN_MAX = 64 * 1024 };

stepbus_status sb_fail(stepbus_error *err, stepbus_status code, const char *format, ...)
{
	va_list arguments;
	size_t room;
	int needed;

	if (err == NULL || err->size <= MESSAGE_OFFSET)
		return code;
	room = err->size - MESSAGE_OFFSET;
	if (room > MESSAGE_LEN_MAX)
		room = MESSAGE_LEN_MAX;
	err->code = code;
	va_start(arguments, format);
	/*
	 * The caller's block may be larger or smaller than the struct: size says so, the type
	 * cannot.
	 */
	needed = vsnprintf((char *)err + MESSAGE_OFFSET, room, format, arguments);
	va_end(arguments);
	if (needed >= 0 && (size_t)needed >= room) {
		char *message = (char *)err + MESSAGE_OFFSET;

		message[sb_utf8_cut(message, strlen(message))] = '\0';
	}
	return code;
}

stepbus_status sb_fail_memory(stepbus_error *err, const char *what)
{
	return sb_fail(err, STEPBUS_ENOMEM, "cannot %s: out of memory", what);
}
