/* SPDX-License-Identifier: MIT */
/*
 * Public structs that grow: copying one in from a host that was built with another header. Pure.
 */
#ifndef SB_BASE_STRUCTS_H
#define SB_BASE_STRUCTS_H

#include <stddef.h>

#include "include/stepbus.h"

/*
 * Copies given (whose first field says how long it is) into known, which has known_len bytes. What
 * given lacks becomes zero; fields that we do not know must be zero. known's size becomes
 * known_len.
 */
stepbus_status sb_struct_take(void *known, size_t known_len, const void *given, const char *name,
			      stepbus_error *err);

#endif
