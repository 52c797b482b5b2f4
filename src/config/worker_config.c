/* SPDX-License-Identifier: MIT */
#include "config/worker_config.h"

#define TEN_YEARS_MS (INT64_C(3653) * 86400000)

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
	{ .name = "pull", .kind = SB_CONFIG_BOOLEAN, SB_CONFIG_MEMBER(sb_worker_config, is_pull) },
	{ .name = "silence_timeout_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .max = TEN_YEARS_MS,
	  SB_CONFIG_MEMBER(sb_worker_config, silence_timeout_ms) },
	{ .name = "starvation_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .max = TEN_YEARS_MS,
	  .initial = 10000,
	  SB_CONFIG_MEMBER(sb_worker_config, starvation_ms) },
	{ .name = "metrics_period_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 3600000,
	  .initial = 1000,
	  SB_CONFIG_MEMBER(sb_worker_config, metrics_period_ms) },
};

const sb_config_table sb_worker_config_table = { fields, sizeof fields / sizeof *fields };

stepbus_status sb_worker_config_read(const sb_config_node *root, sb_worker_config *out,
				     stepbus_error *err)
{
	/* What has no meaning for the one kind of worker is no wish that can be kept. */
	static const struct {
		const char *name;
		bool is_for_pull;
	} keys[] = {
		{ "pool_size", false },
		{ "silence_timeout_ms", true },
		{ "starvation_ms", true },
		{ "metrics_period_ms", true },
	};
	stepbus_status status = sb_config_apply(&sb_worker_config_table, root, out, err);

	for (size_t i = 0; status == STEPBUS_OK && i < sizeof keys / sizeof *keys; i++) {
		const sb_config_node *node = sb_config_node_find(root, keys[i].name);

		if (node != NULL && keys[i].is_for_pull != out->is_pull)
			return sb_config_fail(err, &node->place,
					      out->is_pull ?
						      "%s is for workers with a pool: this one "
						      "has \"pull\":true" :
						      "%s is for workers with \"pull\":true",
					      keys[i].name);
	}
	return status;
}
