/* SPDX-License-Identifier: MIT */
/* The settings of a queue. Pure. */
#ifndef SB_CONFIG_QUEUE_CONFIG_H
#define SB_CONFIG_QUEUE_CONFIG_H

#include "config/schema.h"

typedef struct sb_queue_config {
	uint32_t concurrency_max;     /* running steps of the queue; 0: no limit */
	uint32_t key_concurrency_max; /* running steps of one concurrency key; 0: no limit */
	uint32_t rate_count;          /* starts in each period; 0: no limit */
	int64_t rate_period_ms;
	bool is_paused;
} sb_queue_config;

extern const sb_config_table sb_queue_config_table;

/* node is that of one queue; what is not given stays as it is. errors: STEPBUS_EINVAL. */
stepbus_status sb_queue_config_change(const sb_config_node *node, sb_queue_config *inout,
				      stepbus_error *err);
/* Those of a queue of which nothing is said. */
sb_queue_config sb_queue_config_default(void);

#endif
