/* SPDX-License-Identifier: MIT */
/*
 * Memory that reads as zero in a forked child: the cheapest way to notice a fork, since a hot path
 * that must read a state word anyway needs no further check.
 */
#ifndef SB_BASE_FORKPAGE_H
#define SB_BASE_FORKPAGE_H

#include <stddef.h>

#include "include/stepbus.h"

/*
 * len bytes, zeroed, at most one page. *out NULL and STEPBUS_ESYSTEM where the system has none to
 * give.
 */
stepbus_status sb_forkpage_new(size_t len, void **out, stepbus_error *err);
void sb_forkpage_free(void *page);

#endif
