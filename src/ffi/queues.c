/* SPDX-License-Identifier: MIT */
/* The exported functions that change queues. */
#include "ffi/queues.h"

#include "config/queue_config.h"
#include "config/read_json.h"
#include "ffi/arguments.h"
#include "handlers/queue_settings.h"

/* Lays what a document says over what a queue has. */
static void change(void *context, sb_queue_row *row)
{
	sb_queue_config config = {
		.concurrency_max = row->concurrency_max,
		.key_concurrency_max = row->key_concurrency_max,
		.rate_count = row->rate_count,
		.rate_period_ms = row->rate_period_us > 0 ?
					  row->rate_period_us / 1000 :
					  sb_queue_config_default().rate_period_ms,
		.is_paused = row->paused_at_us != 0,
	};

	/* It was held against the schema before, which does not depend on what the queue has. */
	if (sb_queue_config_change(context, &config, NULL) != STEPBUS_OK)
		return;
	row->concurrency_max = config.concurrency_max;
	row->key_concurrency_max = config.key_concurrency_max;
	row->rate_count = config.rate_count;
	row->rate_period_us = config.rate_period_ms * 1000;
	if (config.is_paused)
		sb_queue_settings_pause(NULL, row);
	else
		sb_queue_settings_resume(NULL, row);
}

static sb_queue_change change_of(sb_slice name, const sb_config_node *node)
{
	sb_queue_change c = { .name = name, .change = change };

	/* change only reads it. */
	memcpy(&c.context, &node, sizeof c.context);
	return c;
}

stepbus_status sb_queues_configure(stepbus *engine, const sb_config_list *queues,
				   stepbus_error *err)
{
	sb_queue_change *changes;
	size_t count = 0;
	stepbus_status status;

	if (queues->count == 0)
		return STEPBUS_OK;
	changes = sb_alloc_array(&engine->host, queues->count, sizeof *changes);
	if (changes == NULL)
		return sb_fail_memory(err, "set up the queues of an engine");
	for (const sb_config_node *node = queues->first; node != NULL; node = node->next)
		changes[count++] = change_of(node->key, node);
	status = sb_queue_settings_change(engine, changes, count, err);
	sb_release(&engine->host, changes);
	return status;
}

static stepbus_status check(const stepbus *engine, const char *name, size_t name_len,
			    stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(name, "name", err);
	if (status == STEPBUS_OK)
		status = sb_definition_check_name(sb_slice_of(name, name_len), "the queue's name",
						  err);
	return status == STEPBUS_OK ? sb_engine_check(engine, true, err) : status;
}

stepbus_status stepbus_queue_set(stepbus *engine, const char *name, size_t name_len,
				 const char *settings, size_t settings_len, stepbus_error *err)
{
	SB_UNCANCELLED;
	sb_queue_config checked = sb_queue_config_default();
	sb_config_tree *tree = NULL;
	const sb_config_node *root;
	sb_queue_change c;
	stepbus_status status = check(engine, name, name_len, err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(settings, "settings", err);
	if (status == STEPBUS_OK)
		status = sb_json_read_tree(&engine->host, sb_slice_of(settings, settings_len),
					   &tree, err);
	if (status != STEPBUS_OK)
		return status;
	root = sb_config_tree_root(tree);
	c = change_of(sb_slice_of(name, name_len), root);
	status = sb_queue_config_change(root, &checked, err);
	if (status == STEPBUS_OK)
		status = sb_queue_settings_change(engine, &c, 1, err);
	sb_config_tree_free(tree);
	return status;
}

stepbus_status stepbus_queue_pause(stepbus *engine, const char *name, size_t len,
				   stepbus_error *err)
{
	SB_UNCANCELLED;
	const sb_queue_change c = { .name = { name, len }, .change = sb_queue_settings_pause };
	stepbus_status status = check(engine, name, len, err);

	return status == STEPBUS_OK ? sb_queue_settings_change(engine, &c, 1, err) : status;
}

stepbus_status stepbus_queue_resume(stepbus *engine, const char *name, size_t len,
				    stepbus_error *err)
{
	SB_UNCANCELLED;
	const sb_queue_change c = { .name = { name, len }, .change = sb_queue_settings_resume };
	stepbus_status status = check(engine, name, len, err);

	return status == STEPBUS_OK ? sb_queue_settings_change(engine, &c, 1, err) : status;
}
