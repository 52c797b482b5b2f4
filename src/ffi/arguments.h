/* SPDX-License-Identifier: MIT */
/* Checks of what a host hands in, before anything else looks at it. Pure. */
#ifndef SB_FFI_ARGUMENTS_H
#define SB_FFI_ARGUMENTS_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/structs.h"
#include "base/text.h"

static inline stepbus_status sb_argument_check(const void *pointer, const char *name,
					       stepbus_error *err)
{
	if (sb_likely(pointer != NULL))
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL, "%s is NULL", name);
}

/* A text that may be left out. */
static inline stepbus_status sb_argument_check_text(const void *data, size_t len, const char *name,
						    stepbus_error *err)
{
	if (sb_likely(data != NULL || len == 0))
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL, "%s is NULL but has a length of %zu", name, len);
}

static inline stepbus_status sb_argument_check_flags(uint32_t flags, uint32_t known,
						     const char *name, stepbus_error *err)
{
	if ((flags & ~known) == 0)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL, "%s has unknown flags 0x%x", name, flags & ~known);
}

#endif
