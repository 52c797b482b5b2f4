/* SPDX-License-Identifier: MIT */
/*
 * Looking at steps: what is committed, beside whoever writes. Any thread. Nothing here waits for the
 * writer.
 */
#ifndef SB_HANDLERS_STEP_READER_H
#define SB_HANDLERS_STEP_READER_H

#include "base/ids.h"
#include "handlers/engine.h"

/* The row of a step by the id that a host has; STEPBUS_ENOTFOUND where it is of another store. */
stepbus_status sb_step_reader_row(const stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				  int64_t *row_id, stepbus_error *err);

/* Each as JSON, for the caller to free. STEPBUS_ENOTFOUND where there is no such step. */
stepbus_status sb_step_reader_info(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				   stepbus_text **out, stepbus_error *err);
stepbus_status sb_step_reader_attempts(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				       stepbus_text **out, stepbus_error *err);
/* A page of at most filter->count_max. filter NULL: one that nothing matches. */
stepbus_status sb_step_reader_list(stepbus *engine, const sb_step_filter *filter,
				   stepbus_text **out, stepbus_error *err);

#endif
