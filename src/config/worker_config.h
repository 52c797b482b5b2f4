/* SPDX-License-Identifier: MIT */
/* What a worker is started with. Pure. */
#ifndef SB_CONFIG_WORKER_CONFIG_H
#define SB_CONFIG_WORKER_CONFIG_H

#include "config/schema.h"

typedef enum sb_worker_strategy {
	SB_STRATEGY_FIFO = 1,
	SB_STRATEGY_LIFO = 2,
	SB_STRATEGY_PRIORITY = 3,
	SB_STRATEGY_WEIGHTED_RANDOM = 4,
} sb_worker_strategy;

typedef struct sb_worker_config {
	sb_slice id; /* empty: the caller makes one */
	uint32_t strategy;
	uint32_t block_size;
	uint32_t pool_size;
	uint32_t age_share_percent;
	bool is_pull;
	int64_t silence_timeout_ms;  /* 0: none */
	int64_t starvation_ms;       /* 0: never */
	int64_t metrics_period_ms;   /* 0: never */
	sb_config_list queues;       /* names; empty: all */
	sb_config_list capabilities; /* words */
} sb_worker_config;

extern const sb_config_table sb_worker_config_table;

/* The tree of root must outlive *out. errors: STEPBUS_EINVAL. */
stepbus_status sb_worker_config_read(const sb_config_node *root, sb_worker_config *out,
				     stepbus_error *err);

#endif
