/* SPDX-License-Identifier: MIT */
#include "torture/reenter/tally.h"

#include <stdarg.h>
#include <stdio.h>

void tally_note(tally *t, bool is_right)
{
	if (is_right)
		t->passed++;
	else
		t->failed++;
}

void tally_find(tally *t, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)fputs(t->is_control ? "control: " : "FOUND: ", stdout);
	(void)vprintf(format, arguments);
	(void)fputs("\n", stdout);
	va_end(arguments);
	(void)fflush(stdout);
	t->failed++;
}
