/* SPDX-License-Identifier: MIT */
#include "config/queue_config.h"

static const sb_config_field fields[] = {
	{ .name = "concurrency_max",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 1000000,
	  SB_CONFIG_MEMBER(sb_queue_config, concurrency_max) },
	{ .name = "key_concurrency_max",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 1000000,
	  SB_CONFIG_MEMBER(sb_queue_config, key_concurrency_max) },
	{ .name = "rate_count",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 1000000000,
	  SB_CONFIG_MEMBER(sb_queue_config, rate_count) },
	{ .name = "rate_period_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 86400000,
	  .initial = 1000,
	  SB_CONFIG_MEMBER(sb_queue_config, rate_period_ms) },
	{ .name = "paused",
	  .kind = SB_CONFIG_BOOLEAN,
	  SB_CONFIG_MEMBER(sb_queue_config, is_paused) },
};

const sb_config_table sb_queue_config_table = { fields, sizeof fields / sizeof *fields };

stepbus_status sb_queue_config_change(const sb_config_node *node, sb_queue_config *inout,
				      stepbus_error *err)
{
	return sb_config_change(&sb_queue_config_table, node, inout, err);
}

sb_queue_config sb_queue_config_default(void)
{
	return (sb_queue_config){ .rate_period_ms = 1000 };
}
