/* SPDX-License-Identifier: MIT */
#include "config/retry_config.h"

#include <inttypes.h>

enum { DAY_MS = 86400000 };

static const sb_config_choice kinds[] = {
	{ "none", STEPBUS_RETRY_NONE },           { "fixed", STEPBUS_RETRY_FIXED },
	{ "linear", STEPBUS_RETRY_LINEAR },       { "exponential", STEPBUS_RETRY_EXPONENTIAL },
	{ "fibonacci", STEPBUS_RETRY_FIBONACCI }, { NULL, 0 },
};

static const sb_config_field fields[] = {
	{ .name = "kind",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = kinds,
	  .initial = STEPBUS_RETRY_EXPONENTIAL,
	  SB_CONFIG_MEMBER(sb_retry_config, kind) },
	{ .name = "base_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = DAY_MS,
	  .initial = 1000,
	  SB_CONFIG_MEMBER(sb_retry_config, base_ms) },
	{ .name = "cap_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = INT64_C(30) * DAY_MS,
	  .initial = 300000,
	  SB_CONFIG_MEMBER(sb_retry_config, cap_ms) },
	{ .name = "jitter_percent",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 100,
	  .initial = 10,
	  SB_CONFIG_MEMBER(sb_retry_config, jitter_percent) },
	{ .name = "attempt_count_max",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 1000,
	  .initial = 3,
	  SB_CONFIG_MEMBER(sb_retry_config, attempt_count_max) },
};

static const sb_config_field step_fields[] = {
	{ .name = "kind",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = kinds,
	  .initial = STEPBUS_RETRY_DEFAULT,
	  SB_CONFIG_MEMBER(sb_retry_config, kind) },
	{ .name = "base_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = DAY_MS,
	  SB_CONFIG_MEMBER(sb_retry_config, base_ms) },
	{ .name = "cap_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = INT64_C(30) * DAY_MS,
	  SB_CONFIG_MEMBER(sb_retry_config, cap_ms) },
	{ .name = "jitter_percent",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 100,
	  SB_CONFIG_MEMBER(sb_retry_config, jitter_percent) },
	{ .name = "attempt_count_max",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 1000,
	  SB_CONFIG_MEMBER(sb_retry_config, attempt_count_max) },
};

const sb_config_table sb_retry_config_table = { fields, sizeof fields / sizeof *fields };
const sb_config_table sb_step_retry_config_table = { step_fields,
						     sizeof step_fields / sizeof *step_fields };

stepbus_status sb_retry_config_check(const sb_retry_config *retry, const sb_config_node *node,
				     stepbus_error *err)
{
	const sb_config_node *given;

	if (retry->cap_ms == 0 || retry->base_ms <= retry->cap_ms)
		return STEPBUS_OK;
	/* Whatever was not given fits the default of the other. */
	given = sb_config_node_find(node, "base_ms");
	if (given == NULL)
		given = sb_config_node_find(node, "cap_ms");
	return sb_config_fail(err, &given->place,
			      "base_ms is %" PRId64
			      ": it must be at most cap_ms, which is %" PRId64,
			      retry->base_ms, retry->cap_ms);
}
