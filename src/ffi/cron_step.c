/* SPDX-License-Identifier: MIT */
#include "ffi/cron_step.h"

#include "base/memory.h"
#include "config/read_json.h"

/* What the texts of a spec point into. */
typedef struct reading {
	const stepbus_host *host;
	sb_config_tree *tree;
	char tags[];
} reading;

static size_t tags_len(const sb_config_list *tags)
{
	size_t len = 0;

	for (const sb_config_node *node = tags->first; node != NULL; node = node->next)
		len += node->value.text.len + 1;
	return len;
}

static size_t join_tags(const sb_config_list *tags, char *text)
{
	size_t len = 0;

	for (const sb_config_node *node = tags->first; node != NULL; node = node->next) {
		if (len > 0)
			text[len++] = ',';
		memcpy(text + len, node->value.text.data, node->value.text.len);
		len += node->value.text.len;
	}
	return len;
}

static void translate(const sb_step_config *config, sb_slice tags, stepbus_step_spec *out)
{
	*out = (stepbus_step_spec){
		.size = sizeof *out,
		.handler_name = config->handler.data,
		.handler_name_len = config->handler.len,
		.handler_namespace = config->handler_namespace.data,
		.handler_namespace_len = config->handler_namespace.len,
		.handler_version = config->handler_version.data,
		.handler_version_len = config->handler_version.len,
		.queue = config->queue.data,
		.queue_len = config->queue.len,
		.input = config->input.data,
		.input_len = config->input.len,
		.step_name = config->step_name.data,
		.step_name_len = config->step_name.len,
		.step_config = config->step_config.data,
		.step_config_len = config->step_config.len,
		.correlation_id = config->correlation_id.data,
		.correlation_id_len = config->correlation_id.len,
		.caller = config->caller.data,
		.caller_len = config->caller.len,
		.tags = tags.data,
		.tags_len = tags.len,
		.concurrency_key = config->concurrency_key.data,
		.concurrency_key_len = config->concurrency_key.len,
		.wait_timeout_ms = config->wait_timeout_ms,
		.attempt_timeout_ms = config->attempt_timeout_ms,
		.total_timeout_ms = config->total_timeout_ms,
		.retry_base_ms = config->retry.base_ms,
		.retry_cap_ms = config->retry.cap_ms,
		.retry_kind = config->retry.kind,
		.attempt_count_max = config->retry.attempt_count_max,
		.jitter_percent = config->retry.jitter_percent,
		.priority = config->priority,
	};
}

static void free_reading(void *memory)
{
	reading *r = memory;

	if (r == NULL)
		return;
	sb_config_tree_free(r->tree);
	sb_release(r->host, r);
}

static stepbus_status read_step(const stepbus_host *host, sb_slice json, stepbus_step_spec *spec,
				void **memory, stepbus_error *err)
{
	sb_config_tree *tree = NULL;
	sb_step_config config;
	reading *r = NULL;
	stepbus_status status = sb_json_read_tree(host, json, &tree, err);

	if (status != STEPBUS_OK)
		return status;
	status = sb_step_config_read(sb_config_tree_root(tree), &config, err);
	if (status == STEPBUS_OK) {
		r = sb_alloc(host, sizeof *r + tags_len(&config.tags));
		if (r == NULL)
			status = sb_fail_memory(err, "read the step of a cron entry");
	}
	if (r == NULL) {
		sb_config_tree_free(tree);
		return status;
	}
	r->host = host;
	r->tree = tree;
	translate(&config, sb_slice_of(r->tags, join_tags(&config.tags, r->tags)), spec);
	*memory = r;
	return STEPBUS_OK;
}

const sb_cron_reader sb_cron_step_reader = { read_step, free_reading };
