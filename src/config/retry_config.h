/* SPDX-License-Identifier: MIT */
/* How failed steps are tried again: for all steps of an engine, or for one. Pure. */
#ifndef SB_CONFIG_RETRY_CONFIG_H
#define SB_CONFIG_RETRY_CONFIG_H

#include "config/schema.h"

typedef struct sb_retry_config {
	int64_t base_ms;
	int64_t cap_ms;
	uint32_t kind; /* STEPBUS_RETRY_… */
	uint32_t jitter_percent;
	uint32_t attempt_count_max;
} sb_retry_config;

/* Of an engine: everything has a value. */
extern const sb_config_table sb_retry_config_table;
/* Of one step: what is not given is STEPBUS_RETRY_DEFAULT or 0, and its handler or engine says it. */
extern const sb_config_table sb_step_retry_config_table;

/* node is that of the retry settings, or NULL where none were given. errors: STEPBUS_EINVAL. */
stepbus_status sb_retry_config_check(const sb_retry_config *retry, const sb_config_node *node,
				     stepbus_error *err);

#endif
