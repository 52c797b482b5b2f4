/* SPDX-License-Identifier: MIT */
/* Which steps a host means, from its JSON to what stores look by. */
#ifndef SB_FFI_STEP_CHOICE_H
#define SB_FFI_STEP_CHOICE_H

#include "config/tree.h"
#include "handlers/engine.h"

typedef struct sb_step_choice {
	sb_config_tree *tree; /* what the filter's texts point into */
	sb_step_filter filter;
	bool is_none; /* it names a queue that there is not: nothing matches */
} sb_step_choice;

/* To be freed where it answers STEPBUS_OK. json may be empty. */
stepbus_status sb_step_choice_read(stepbus *engine, sb_slice json, sb_step_choice *out,
				   stepbus_error *err);
void sb_step_choice_free(sb_step_choice *choice);

#endif
