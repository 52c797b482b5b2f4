/* SPDX-License-Identifier: MIT */
/*
 * What an engine has, as JSON: its queues, the workers of all processes, and how the store and the
 * writer do. Any thread.
 */
#ifndef SB_HANDLERS_OVERVIEW_H
#define SB_HANDLERS_OVERVIEW_H

#include "handlers/engine.h"

stepbus_status sb_overview_queues(stepbus *engine, stepbus_text **out, stepbus_error *err);
stepbus_status sb_overview_workers(stepbus *engine, stepbus_text **out, stepbus_error *err);
stepbus_status sb_overview_stats(stepbus *engine, stepbus_text **out, stepbus_error *err);

/* Whether a worker's lease is not over, as far as this machine can tell. Pure. */
bool sb_overview_is_active(const sb_worker_row *row, const uint8_t boot_id[SB_BOOT_ID_LEN],
			   int64_t elapsed_ns);

#endif
