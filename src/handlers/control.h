/* SPDX-License-Identifier: MIT */
/*
 * What a host does to steps that are there: calling them off, and having them run again. Each is one
 * operation of the writer, so that it meets claims and completions of this process in one order, and
 * those of others under the guard of the move.
 */
#ifndef SB_HANDLERS_CONTROL_H
#define SB_HANDLERS_CONTROL_H

#include "base/ids.h"
#include "handlers/engine.h"

/* How many steps one transaction redrives at most. */
enum { SB_CONTROL_COUNT_MAX = 1000 };

/* STEPBUS_EALREADY where it is final. */
stepbus_status sb_control_cancel(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				 stepbus_error *err);
/* STEPBUS_EALREADY where it is open, or completed. */
stepbus_status sb_control_redrive(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				  stepbus_error *err);
/*
 * Redrives those of the rows that can be; what has moved or is gone is left out. count is at most
 * SB_CONTROL_COUNT_MAX.
 */
stepbus_status sb_control_redrive_rows(stepbus *engine, const int64_t *ids, size_t count,
				       size_t *redriven_count, stepbus_error *err);

#endif
