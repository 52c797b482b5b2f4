/* SPDX-License-Identifier: MIT */
/*
 * Errors. The lowest layer that knows what went wrong writes the message; nobody above overwrites
 * it. A message says what could not be done, to what, and what to do about it.
 */
#ifndef SB_BASE_ERROR_H
#define SB_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#include "include/stepbus.h"

/* Writes code and message where there is room for them, and returns the code. err may be NULL. */
__attribute__((format(printf, 3, 4))) stepbus_status
sb_fail(stepbus_error *err, stepbus_status code, const char *format, ...);
/* "cannot <what>: out of memory". */
stepbus_status sb_fail_memory(stepbus_error *err, const char *what);

/* Puts a text in front of a message that a lower layer wrote, for what only the caller knows. */
__attribute__((format(printf, 2, 3))) void sb_fail_where(stepbus_error *err, const char *format,
							 ...);

/* A breach of our own promises: better to stop the process here than to go on with broken state. */
#define sb_assert(condition)              \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#define sb_likely(condition) __builtin_expect(!!(condition), 1)
#define sb_unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
