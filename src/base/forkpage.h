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
 * len bytes, zeroed, at most one page; from the host's allocator where its memory can be marked so,
 * which keeps the page within what a leak checker looks at, else from the system.
 */
stepbus_status sb_forkpage_new(const stepbus_host *host, size_t len, void **out,
			       stepbus_error *err);
void sb_forkpage_free(const stepbus_host *host, void *page);

#endif
