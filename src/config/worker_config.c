/* SPDX-License-Identifier: MIT */
#include "config/worker_config.h"

static const sb_config_choice strategies[] = {
	{ "fifo", SB_STRATEGY_FIFO },
	{ "lifo", SB_STRATEGY_LIFO },
	{ "priority", SB_STRATEGY_PRIORITY },
	{ "weighted_random", SB_STRATEGY_WEIGHTED_RANDOM },
	{ NULL, 0 },
};

static const sb_config_field name_element = { .kind = SB_CONFIG_TEXT,
					      .min = 1,
					      .max = SB_CONFIG_NAME_LEN_MAX,
					      .signs = SB_CONFIG_NAME_SIGNS,
					      .width = sizeof(sb_slice) };

static const sb_config_field fields[] = {
	{ .name = "id",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = SB_CONFIG_NAME_LEN_MAX,
	  SB_CONFIG_MEMBER(sb_worker_config, id) },
	{ .name = "strategy",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = strategies,
	  .initial = SB_STRATEGY_PRIORITY,
	  SB_CONFIG_MEMBER(sb_worker_config, strategy) },
	{ .name = "queues",
	  .kind = SB_CONFIG_LIST,
	  .max = 256,
	  .element = &name_element,
	  SB_CONFIG_MEMBER(sb_worker_config, queues) },
	{ .name = "capabilities",
	  .kind = SB_CONFIG_LIST,
	  .max = 64,
	  .element = &name_element,
	  SB_CONFIG_MEMBER(sb_worker_config, capabilities) },
	{ .name = "block_size",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 10000,
	  .initial = 256,
	  SB_CONFIG_MEMBER(sb_worker_config, block_size) },
	{ .name = "pool_size",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 256,
	  .initial = 2,
	  SB_CONFIG_MEMBER(sb_worker_config, pool_size) },
	{ .name = "age_share_percent",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 100,
	  .initial = 10,
	  SB_CONFIG_MEMBER(sb_worker_config, age_share_percent) },
};

const sb_config_table sb_worker_config_table = { fields, sizeof fields / sizeof *fields };

stepbus_status sb_worker_config_read(const sb_config_node *root, sb_worker_config *out,
				     stepbus_error *err)
{
	return sb_config_apply(&sb_worker_config_table, root, out, err);
}
