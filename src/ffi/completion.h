/* SPDX-License-Identifier: MIT */
/*
 * The narrow completion API: the only door through which results come in, whoever ran the step. For
 * now its sink is a function of the host's; a durable one takes the same place.
 */
#ifndef SB_FFI_COMPLETION_H
#define SB_FFI_COMPLETION_H

#include "handlers/execution.h"

/* What every completion must be, from whatever language it comes. */
stepbus_status sb_completion_check(const stepbus_completion *completion, stepbus_error *err);
/* What a store takes, of one that was checked. */
stepbus_status sb_completion_check_limits(const stepbus_completion *completion,
					  size_t payload_len_max, stepbus_error *err);

/* A door that ends in the host's complete. Out of memory: destroy is not called. */
stepbus_status sb_completion_door_new(const stepbus_host *host,
				      const stepbus_execution_options *options,
				      sb_completion_door *out, stepbus_error *err);
/* Closes a door that nobody took over, without the host's destroy. */
void sb_completion_door_abandon(const stepbus_host *host, sb_completion_door *door);

#endif
