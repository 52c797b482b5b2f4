/* SPDX-License-Identifier: MIT */
/*
 * The descriptor that tells a host's event loop to poll: an eventfd, or one end of a socket pair for
 * runtimes that refuse those. It is readable while somebody has signalled and nobody has drained it.
 * Made when it is first asked for; before that, signalling it does nothing.
 *
 * All calls are made under the worker's lock but sb_wake_alert, which any thread may make as long as
 * the worker lives.
 */
#ifndef SB_HANDLERS_WAKE_H
#define SB_HANDLERS_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

typedef struct sb_wake {
	int32_t kind;                /* a STEPBUS_WAKE_…; 0: not made */
	int read_fd;                 /* the host's */
	_Atomic(int) write_fd;       /* -1: not made */
	bool is_signalled;           /* by sb_wake_signal, and not drained since */
	_Atomic(uint64_t) put_count; /* written, or about to be, and not read */
} sb_wake;

void sb_wake_init(sb_wake *wake);
void sb_wake_free(sb_wake *wake);
/* STEPBUS_EINVAL where it is of another kind already. */
stepbus_status sb_wake_open(sb_wake *wake, int32_t kind, int32_t *fd, stepbus_error *err);
/* Makes it readable, or not. */
void sb_wake_signal(sb_wake *wake);
void sb_wake_drain(sb_wake *wake);
/* Makes it readable until it is drained. Takes no lock. */
void sb_wake_alert(sb_wake *wake);

#endif
