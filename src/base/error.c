/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { MESSAGE_OFFSET = offsetof(stepbus_error, message), MESSAGE_LEN_MAX = 64 * 1024 };

/* The caller's block may be larger or smaller than the struct: size says so, the type cannot. */
static char *message_of(stepbus_error *err, size_t *room)
{
	if (err == NULL || err->size <= MESSAGE_OFFSET)
		return NULL;
	*room = err->size - MESSAGE_OFFSET;
	if (*room > MESSAGE_LEN_MAX)
		*room = MESSAGE_LEN_MAX;
	return (char *)err + MESSAGE_OFFSET;
}

/* What SQLite says may quote the names in a file that anybody wrote. */
static void tidy(char *message, size_t room, int needed)
{
	if (needed >= 0 && (size_t)needed >= room)
		message[sb_utf8_cut(message, strlen(message))] = '\0';
	sb_utf8_repair(message, strlen(message));
}

stepbus_status sb_fail(stepbus_error *err, stepbus_status code, const char *format, ...)
{
	va_list arguments;
	size_t room;
	char *message = message_of(err, &room);

	if (message == NULL)
		return code;
	err->code = code;
	va_start(arguments, format);
	tidy(message, room, vsnprintf(message, room, format, arguments));
	va_end(arguments);
	return code;
}

void sb_fail_where(stepbus_error *err, const char *format, ...)
{
	char below[sizeof err->message];
	va_list arguments;
	size_t room;
	char *message = message_of(err, &room);
	int len;

	if (message == NULL)
		return;
	(void)snprintf(below, sizeof below, "%s", message);
	va_start(arguments, format);
	len = vsnprintf(message, room, format, arguments);
	va_end(arguments);
	if (len >= 0 && (size_t)len < room)
		tidy(message + len, room - (size_t)len,
		     snprintf(message + len, room - (size_t)len, "%s", below));
	sb_utf8_repair(message, strlen(message));
}

stepbus_status sb_fail_memory(stepbus_error *err, const char *what)
{
	return sb_fail(err, STEPBUS_ENOMEM, "cannot %s: out of memory", what);
}
