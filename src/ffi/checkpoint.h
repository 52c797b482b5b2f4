/* SPDX-License-Identifier: MIT */
/* What a host says of how far a step has come, before anything else looks at it. Pure. */
#ifndef SB_FFI_CHECKPOINT_H
#define SB_FFI_CHECKPOINT_H

#include "base/error.h"

/* Reads a struct of any size that it can have into the one that is known. */
stepbus_status sb_checkpoint_take(const stepbus_checkpoint_spec *given,
				  stepbus_checkpoint_spec *known, stepbus_error *err);

#endif
