/* SPDX-License-Identifier: MIT */
/* Queues as a configuration sets them. */
#ifndef SB_FFI_QUEUES_H
#define SB_FFI_QUEUES_H

#include "config/schema.h"
#include "handlers/engine.h"

/* Applies the settings of each named queue; they were found right before. */
stepbus_status sb_queues_configure(stepbus *engine, const sb_config_list *queues,
				   stepbus_error *err);

#endif
