/* SPDX-License-Identifier: MIT */
/* The exported functions of the engine and its workers: opening, stopping, closing. */
#include "handlers/engine.h"

#include <stdio.h>
#include <unistd.h>

#include "base/host.h"
#include "config/engine_config.h"
#include "config/read_json.h"
#include "config/worker_config.h"
#include "ffi/arguments.h"
#include "ffi/cron_step.h"
#include "ffi/queues.h"
#include "handlers/worker.h"

enum { PATH_LEN_MAX = 4000, WORKER_NAME_LEN = 64 };

static int64_t us_of_keep(int64_t keep_ms)
{
	return keep_ms < 0 ? -1 : keep_ms * 1000;
}

static void translate(const sb_engine_config *config, const char *path, sb_engine_options *out)
{
	*out = (sb_engine_options){
		.is_in_memory = config->store_path.len == 0,
		.path = path,
		.durability = (sb_durability)config->durability,
		.busy_timeout_ms = config->busy_timeout_ms,
		.is_network_allowed = config->is_network_allowed,
		.wal_alarm_bytes = (int64_t)config->wal_alarm_mib << 20,
		.payload_len_max = config->payload_len_max,
		.is_strict = config->is_strict,
		.lease_ms = config->lease_ms,
		.heartbeat_ms = config->heartbeat_ms,
		.poll_ms = config->poll_ms,
		.group_count_max = config->group_count_max,
		.waiting_count_max = config->queue_count_max,
		.keep_completed_us = us_of_keep(config->retention.completed_ms),
		.keep_failed_us = us_of_keep(config->retention.failed_ms),
		.keep_cancelled_us = us_of_keep(config->retention.cancelled_ms),
		.sweep_count_max = config->retention.sweep_count_max,
		.crash_count_max = config->crash_count_max,
		.retry = { config->retry.kind, config->retry.attempt_count_max,
			   config->retry.base_ms * 1000, config->retry.cap_ms * 1000,
			   config->retry.jitter_percent },
		.breaker_failure_count = config->breaker.failure_count,
		.breaker_open_ms = config->breaker.open_ms,
		.cron_reader = &sb_cron_step_reader,
	};
}

static stepbus_status open_configured(const sb_engine_config *config, const stepbus_host *host,
				      stepbus_registry *registry, stepbus **out, stepbus_error *err)
{
	char path[PATH_LEN_MAX + 1];
	sb_engine_options options;
	stepbus_status status;

	if (config->store_path.len > PATH_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the path of the store has %zu bytes: at most %d are allowed",
			       config->store_path.len, PATH_LEN_MAX);
	if (config->store_path.len > 0)
		memcpy(path, config->store_path.data, config->store_path.len);
	path[config->store_path.len] = '\0';
	translate(config, path, &options);
	status = sb_engine_open(&options, host, registry, out, err);
	if (status != STEPBUS_OK)
		return status;
	status = sb_queues_configure(*out, &config->queues, err);
	if (status != STEPBUS_OK) {
		sb_engine_close(*out);
		*out = NULL;
	}
	return status;
}

stepbus_status stepbus_open(const stepbus_options *options, stepbus **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_options known;
	stepbus_host host;
	sb_config_tree *tree = NULL;
	sb_engine_config config;
	stepbus_status status =
		sb_struct_take(&known, sizeof known, options, "stepbus_options", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check_flags(known.flags, 0, "stepbus_options", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(known.config, "config", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK)
		status = sb_host_fill(known.host, &host, err);
	if (status == STEPBUS_OK)
		status = sb_json_read_tree(&host, sb_slice_of(known.config, known.config_len),
					   &tree, err);
	if (status != STEPBUS_OK)
		return status;
	status = sb_engine_config_read(sb_config_tree_root(tree), &config, err);
	if (status == STEPBUS_OK)
		status = open_configured(&config, &host, known.registry, out, err);
	sb_config_tree_free(tree);
	return status;
}

stepbus_status stepbus_stop(stepbus *engine, int64_t timeout_ms, stepbus_text **unfinished,
			    stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK && timeout_ms < -1)
		return sb_fail(err, STEPBUS_EINVAL, "timeout_ms is %lld: -1 waits for ever",
			       (long long)timeout_ms);
	if (unfinished != NULL)
		*unfinished = NULL;
	if (status == STEPBUS_OK)
		status = sb_engine_stop(engine, timeout_ms, err);
	if (status == STEPBUS_ETIMEDOUT && unfinished != NULL)
		(void)sb_worker_unfinished(engine, NULL, unfinished, NULL);
	return status;
}

void stepbus_close(stepbus *engine)
{
	SB_UNCANCELLED;
	sb_engine_close(engine);
}

stepbus_bridge *stepbus_engine_bridge(stepbus *engine)
{
	return engine != NULL ? engine->bridge : NULL;
}

stepbus_registry *stepbus_engine_registry(stepbus *engine)
{
	return engine != NULL ? engine->registry : NULL;
}

stepbus_status stepbus_engine_wake(stepbus *engine, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, false, err);
	if (status == STEPBUS_OK)
		sb_engine_wake(engine);
	return status;
}

/* The words of a list, joined by commas. They were found right before. */
static sb_slice join(const sb_config_list *list, char *text)
{
	size_t len = 0;

	for (const sb_config_node *node = list->first; node != NULL; node = node->next) {
		if (len > 0)
			text[len++] = ',';
		memcpy(text + len, node->value.text.data, node->value.text.len);
		len += node->value.text.len;
	}
	return sb_slice_of(text, len);
}

static size_t joined_len(const sb_config_list *list)
{
	size_t len = 1;

	for (const sb_config_node *node = list->first; node != NULL; node = node->next)
		len += node->value.text.len + 1;
	return len;
}

static sb_claim_strategy strategy_of(uint32_t strategy)
{
	switch (strategy) {
	case SB_STRATEGY_FIFO:
		return SB_CLAIM_FIFO;
	case SB_STRATEGY_LIFO:
		return SB_CLAIM_LIFO;
	case SB_STRATEGY_WEIGHTED_RANDOM:
		return SB_CLAIM_WEIGHTED_RANDOM;
	default:
		return SB_CLAIM_PRIORITY;
	}
}

/* "host-less" name for a worker that was given none: no other one has it at this time. */
static sb_slice make_name(stepbus *engine, char text[WORKER_NAME_LEN])
{
	int len = snprintf(text, WORKER_NAME_LEN, "worker-%ld-%llx", (long)getpid(),
			   (unsigned long long)sb_clock_now_us(&engine->host));

	return sb_slice_of(text, (size_t)len);
}

static stepbus_status start_worker(stepbus *engine, const sb_worker_config *config,
				   stepbus_worker **out, stepbus_error *err)
{
	size_t queues_len = joined_len(&config->queues);
	size_t len = queues_len + joined_len(&config->capabilities);
	char name[WORKER_NAME_LEN];
	sb_worker_options options = {
		.name = config->id,
		.strategy = strategy_of(config->strategy),
		.block_size = config->block_size,
		.pool_size = config->is_pull ? 0 : config->pool_size,
		.age_percent = config->age_share_percent,
		.is_pull = config->is_pull,
		.silence_timeout_ms = config->silence_timeout_ms,
		.starvation_ms = config->starvation_ms,
		.metrics_period_ms = config->metrics_period_ms,
	};
	char *texts = sb_alloc(&engine->host, len);
	stepbus_status status;

	if (texts == NULL)
		return sb_fail_memory(err, "start a worker");
	if (options.name.len == 0)
		options.name = make_name(engine, name);
	options.queues = join(&config->queues, texts);
	options.capabilities = join(&config->capabilities, texts + queues_len);
	status = sb_worker_start(engine, &options, out, err);
	sb_release(&engine->host, texts);
	return status;
}

stepbus_status stepbus_worker_start(stepbus *engine, const char *config, size_t len,
				    stepbus_worker **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	sb_slice text = len > 0 ? sb_slice_of(config, len) : sb_slice_z("{}");
	sb_config_tree *tree = NULL;
	sb_worker_config known;
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check_text(config, len, "config", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, true, err);
	if (status == STEPBUS_OK)
		status = sb_json_read_tree(&engine->host, text, &tree, err);
	if (status != STEPBUS_OK)
		return status;
	status = sb_worker_config_read(sb_config_tree_root(tree), &known, err);
	if (status == STEPBUS_OK)
		status = start_worker(engine, &known, out, err);
	sb_config_tree_free(tree);
	return status;
}

stepbus_status stepbus_worker_stop(stepbus_worker *worker, int64_t timeout_ms,
				   stepbus_text **unfinished, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(worker, "worker", err);

	if (unfinished != NULL)
		*unfinished = NULL;
	if (status == STEPBUS_OK && timeout_ms < -1)
		return sb_fail(err, STEPBUS_EINVAL, "timeout_ms is %lld: -1 waits for ever",
			       (long long)timeout_ms);
	if (status == STEPBUS_OK)
		status = sb_worker_stop(worker, timeout_ms, err);
	if (status == STEPBUS_ETIMEDOUT && unfinished != NULL)
		(void)sb_worker_unfinished(worker->engine, worker, unfinished, NULL);
	return status;
}

void stepbus_worker_free(stepbus_worker *worker)
{
	SB_UNCANCELLED;
	sb_worker_free(worker);
}
