/* SPDX-License-Identifier: MIT */
#include "config/cron_config.h"

enum { VERSION_LEN_MAX = 64, TAG_COUNT_MAX = 64, KEY_LEN_MAX = 256 };

#define TEN_YEARS_MS (INT64_C(3653) * 86400000)

static const sb_config_choice catch_ups[] = {
	{ "none", SB_CATCH_UP_NONE },
	{ "one", SB_CATCH_UP_ONE },
	{ "all", SB_CATCH_UP_ALL },
	{ NULL, 0 },
};

#define NAME_FIELD(text, member_name)                                                    \
	.name = (text), .kind = SB_CONFIG_TEXT, .min = 1, .max = SB_CONFIG_NAME_LEN_MAX, \
	.signs = SB_CONFIG_NAME_SIGNS, SB_CONFIG_MEMBER(sb_step_config, member_name)

static const sb_config_field tag_element = { .kind = SB_CONFIG_TEXT,
					     .min = 1,
					     .max = SB_CONFIG_NAME_LEN_MAX,
					     .signs = SB_CONFIG_NAME_SIGNS,
					     .width = sizeof(sb_slice) };

static const sb_config_field step_fields[] = {
	{ NAME_FIELD("handler", handler), .flags = SB_CONFIG_REQUIRED },
	{ NAME_FIELD("handler_namespace", handler_namespace), .initial_text = "default" },
	{ .name = "handler_version",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = VERSION_LEN_MAX,
	  .signs = "_.+-",
	  SB_CONFIG_MEMBER(sb_step_config, handler_version) },
	{ NAME_FIELD("queue", queue), .initial_text = "default" },
	{ .name = "priority",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 10000,
	  .initial = 100,
	  SB_CONFIG_MEMBER(sb_step_config, priority) },
	{ .name = "input",
	  .kind = SB_CONFIG_RAW,
	  .max = SB_CONFIG_LEN_MAX,
	  .initial_text = "{}",
	  SB_CONFIG_MEMBER(sb_step_config, input) },
	{ NAME_FIELD("step_name", step_name) },
	{ .name = "step_config",
	  .kind = SB_CONFIG_RAW,
	  .max = SB_CONFIG_LEN_MAX,
	  SB_CONFIG_MEMBER(sb_step_config, step_config) },
	{ .name = "correlation_id",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = KEY_LEN_MAX,
	  SB_CONFIG_MEMBER(sb_step_config, correlation_id) },
	{ NAME_FIELD("caller", caller) },
	{ .name = "concurrency_key",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = KEY_LEN_MAX,
	  SB_CONFIG_MEMBER(sb_step_config, concurrency_key) },
	{ .name = "tags",
	  .kind = SB_CONFIG_LIST,
	  .max = TAG_COUNT_MAX,
	  .element = &tag_element,
	  SB_CONFIG_MEMBER(sb_step_config, tags) },
	{ .name = "wait_timeout_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .max = TEN_YEARS_MS,
	  SB_CONFIG_MEMBER(sb_step_config, wait_timeout_ms) },
	{ .name = "attempt_timeout_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .max = TEN_YEARS_MS,
	  SB_CONFIG_MEMBER(sb_step_config, attempt_timeout_ms) },
	{ .name = "total_timeout_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .max = TEN_YEARS_MS,
	  SB_CONFIG_MEMBER(sb_step_config, total_timeout_ms) },
	{ .name = "retry",
	  .kind = SB_CONFIG_OBJECT,
	  .table = &sb_step_retry_config_table,
	  SB_CONFIG_MEMBER(sb_step_config, retry) },
};

const sb_config_table sb_step_config_table = { step_fields,
					       sizeof step_fields / sizeof *step_fields };

static const sb_config_field fields[] = {
	{ .name = "name",
	  .kind = SB_CONFIG_TEXT,
	  .flags = SB_CONFIG_REQUIRED,
	  .min = 1,
	  .max = SB_CONFIG_NAME_LEN_MAX,
	  .signs = SB_CONFIG_NAME_SIGNS,
	  SB_CONFIG_MEMBER(sb_cron_config, name) },
	{ .name = "expression",
	  .kind = SB_CONFIG_TEXT,
	  .flags = SB_CONFIG_REQUIRED,
	  .min = 1,
	  .max = 256,
	  SB_CONFIG_MEMBER(sb_cron_config, expression) },
	{ .name = "zone",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = 64,
	  .initial_text = "UTC",
	  .signs = "_/+-",
	  SB_CONFIG_MEMBER(sb_cron_config, zone) },
	{ .name = "catch_up",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = catch_ups,
	  .initial = SB_CATCH_UP_ONE,
	  SB_CONFIG_MEMBER(sb_cron_config, catch_up) },
	{ .name = "paused",
	  .kind = SB_CONFIG_BOOLEAN,
	  SB_CONFIG_MEMBER(sb_cron_config, is_paused) },
	{ .name = "step",
	  .kind = SB_CONFIG_OBJECT,
	  .flags = SB_CONFIG_REQUIRED,
	  .table = &sb_step_config_table,
	  SB_CONFIG_MEMBER(sb_cron_config, step) },
};

const sb_config_table sb_cron_config_table = { fields, sizeof fields / sizeof *fields };

stepbus_status sb_cron_config_read(const sb_config_node *root, sb_cron_config *out,
				   stepbus_error *err)
{
	stepbus_status status = sb_config_apply(&sb_cron_config_table, root, out, err);
	const sb_config_node *step = sb_config_node_find(root, "step");

	if (status != STEPBUS_OK)
		return status;
	out->step_json = step->raw;
	return sb_retry_config_check(&out->step.retry, sb_config_node_find(step, "retry"), err);
}

stepbus_status sb_step_config_read(const sb_config_node *root, sb_step_config *out,
				   stepbus_error *err)
{
	stepbus_status status = sb_config_apply(&sb_step_config_table, root, out, err);

	if (status != STEPBUS_OK)
		return status;
	return sb_retry_config_check(&out->retry, sb_config_node_find(root, "retry"), err);
}
