/* SPDX-License-Identifier: MIT */
/*
 * What a running handler may ask about its step. Lives on the stack of the subscriber that runs it.
 */
#ifndef SB_HANDLERS_CONTEXT_H
#define SB_HANDLERS_CONTEXT_H

#include <stdatomic.h>

#include "base/text.h"

struct stepbus_context {
	const stepbus_step_event *step;
	_Atomic(int32_t) *interruption; /* why to stop; NULL: nobody will ask */
};

stepbus_status sb_context_dependency(const stepbus_context *context, sb_slice step_name,
				     const stepbus_dependency **out, stepbus_error *err);

#endif
