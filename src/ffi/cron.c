/* SPDX-License-Identifier: MIT */
/* The exported functions of cron entries. */
#include "config/cron_config.h"

#include "config/read_json.h"
#include "ffi/arguments.h"
#include "ffi/cron_step.h"
#include "handlers/cron_schedule.h"
#include "handlers/enqueue.h"
#include "handlers/timetable.h"

static const char *catch_up_name(uint32_t catch_up)
{
	switch (catch_up) {
	case SB_CATCH_UP_NONE:
		return sb_cron_catch_up_name(SB_CRON_CATCH_UP_NONE);
	case SB_CATCH_UP_ALL:
		return sb_cron_catch_up_name(SB_CRON_CATCH_UP_ALL);
	default:
		return sb_cron_catch_up_name(SB_CRON_CATCH_UP_ONE);
	}
}

/* What would refuse the step when the entry fires refuses the entry now. */
static stepbus_status check_step(const stepbus *engine, sb_slice json, stepbus_error *err)
{
	stepbus_step_spec spec;
	void *memory = NULL;
	stepbus_status status = sb_cron_step_reader.read(&engine->host, json, &spec, &memory, err);

	if (status != STEPBUS_OK)
		return status;
	status = sb_step_spec_check(&spec, engine->options.payload_len_max, err);
	if (status != STEPBUS_OK)
		sb_fail_where(err, "step: ");
	sb_cron_step_reader.free(memory);
	return status;
}

static stepbus_status set_entry(stepbus *engine, const sb_cron_config *config, stepbus_error *err)
{
	const sb_timetable_entry entry = {
		.name = config->name,
		.expression = config->expression,
		.zone = config->zone,
		.step = config->step_json,
		.catch_up = sb_slice_z(catch_up_name(config->catch_up)),
		.is_paused = config->is_paused,
	};
	stepbus_status status = check_step(engine, config->step_json, err);

	return status == STEPBUS_OK ? sb_timetable_set(engine, &entry, err) : status;
}

static stepbus_status check(const stepbus *engine, const char *text, size_t len, const char *name,
			    stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(text, name, err);
	if (status == STEPBUS_OK && len == 0)
		return sb_fail(err, STEPBUS_EINVAL, "%s is empty", name);
	return status == STEPBUS_OK ? sb_engine_check(engine, true, err) : status;
}

stepbus_status stepbus_cron_set(stepbus *engine, const char *entry, size_t len, stepbus_error *err)
{
	SB_UNCANCELLED;
	sb_config_tree *tree = NULL;
	sb_cron_config config;
	stepbus_status status = check(engine, entry, len, "entry", err);

	if (status == STEPBUS_OK)
		status = sb_json_read_tree(&engine->host, sb_slice_of(entry, len), &tree, err);
	if (status != STEPBUS_OK)
		return status;
	status = sb_cron_config_read(sb_config_tree_root(tree), &config, err);
	if (status == STEPBUS_OK)
		status = set_entry(engine, &config, err);
	sb_config_tree_free(tree);
	return status;
}

stepbus_status stepbus_cron_remove(stepbus *engine, const char *name, size_t len,
				   stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, name, len, "name", err);

	if (status == STEPBUS_OK && len > SB_CONFIG_NAME_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "name has %zu bytes: at most %d are allowed",
			       len, SB_CONFIG_NAME_LEN_MAX);

	return status == STEPBUS_OK ? sb_timetable_remove(engine, sb_slice_of(name, len), err) :
				      status;
}

stepbus_status stepbus_cron_list(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, false, err);
	return status == STEPBUS_OK ? sb_timetable_list(engine, out, err) : status;
}
