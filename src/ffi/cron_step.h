/* SPDX-License-Identifier: MIT */
/* The step of a cron entry, from its JSON to a spec as hosts enqueue them. */
#ifndef SB_FFI_CRON_STEP_H
#define SB_FFI_CRON_STEP_H

#include "config/cron_config.h"
#include "handlers/engine.h"

/* What engines are opened with. */
extern const sb_cron_reader sb_cron_step_reader;

#endif
