/* SPDX-License-Identifier: MIT */
/* The exported functions that call steps off and have them run again. */
#include "handlers/control.h"

#include "config/read_json.h"
#include "config/step_query.h"
#include "ffi/arguments.h"

static stepbus_status check(const stepbus *engine, const uint8_t *step_id, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(step_id, "step_id", err);
	return status == STEPBUS_OK ? sb_engine_check(engine, true, err) : status;
}

stepbus_status stepbus_step_cancel(stepbus *engine, const uint8_t *step_id, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, step_id, err);

	return status == STEPBUS_OK ? sb_control_cancel(engine, step_id, err) : status;
}

stepbus_status stepbus_step_redrive(stepbus *engine, const uint8_t *step_id, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, step_id, err);

	return status == STEPBUS_OK ? sb_control_redrive(engine, step_id, err) : status;
}

/* One page of the steps that a filter finds, and how far it has come. */
typedef struct page {
	const sb_step_query *query;
	sb_step_filter filter;
	uint64_t left_count; /* how many may still be redriven */
	size_t seen_count;
	size_t id_count;
	int64_t ids[SB_CONTROL_COUNT_MAX];
} page;

static bool is_wanted_handler(const sb_step_query *query, const sb_handler_row *handler)
{
	return (query->handler.len == 0 || sb_slice_is_equal(query->handler, handler->name)) &&
	       (query->handler_namespace.len == 0 ||
		sb_slice_is_equal(query->handler_namespace, handler->handler_namespace));
}

static bool take_in(void *context, const sb_step_view *view)
{
	page *p = context;

	p->filter.after_id = view->status.id;
	p->seen_count++;
	if (is_wanted_handler(p->query, &view->handler))
		p->ids[p->id_count++] = view->status.id;
	return p->id_count < p->left_count;
}

static stepbus_status redrive_pages(stepbus *engine, page *p, uint64_t *count, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	p->seen_count = SB_CONTROL_COUNT_MAX;
	while (status == STEPBUS_OK && p->seen_count == SB_CONTROL_COUNT_MAX && p->left_count > 0) {
		size_t redriven_count = 0;

		p->seen_count = 0;
		p->id_count = 0;
		status = engine->store->type->step_list(engine->store, &p->filter, take_in, p, err);
		if (status == STEPBUS_OK && p->id_count > 0)
			status = sb_control_redrive_rows(engine, p->ids, p->id_count,
							 &redriven_count, err);
		*count += redriven_count;
		p->left_count -= redriven_count;
	}
	return status;
}

static uint32_t redrivable_states(uint32_t wanted)
{
	uint32_t states = 0;

	for (int state = SB_STEP_STATE_MIN; state <= SB_STEP_STATE_MAX; state++)
		if (sb_step_can_move(SB_STEP_REDRIVE, (sb_step_state)state, SB_STEP_READY))
			states |= 1U << state;
	return wanted == 0 ? states : states & wanted;
}

static stepbus_status redrive_query(stepbus *engine, const sb_step_query *query, bool is_limited,
				    uint64_t *count, stepbus_error *err)
{
	page p = { .query = query, .left_count = is_limited ? query->limit : UINT64_MAX };
	stepbus_status status = STEPBUS_OK;

	p.filter = (sb_step_filter){ .states = redrivable_states(query->states),
				     .created_from_us = query->created_from_us,
				     .created_to_us = query->created_to_us,
				     .correlation_id = query->correlation_id,
				     .tag = query->tag,
				     .is_ascending = true,
				     .count_max = SB_CONTROL_COUNT_MAX };
	if (p.filter.states == 0)
		return STEPBUS_OK;
	if (query->queue.len > 0)
		status = engine->store->type->queue_find(engine->store, query->queue,
							 &p.filter.queue_id, err);
	if (status == STEPBUS_ENOTFOUND)
		return STEPBUS_OK;
	return status == STEPBUS_OK ? redrive_pages(engine, &p, count, err) : status;
}

/* What says where a page of a list begins and ends has no meaning here. */
static stepbus_status check_query(const sb_config_node *root, stepbus_error *err)
{
	static const char *const strange[] = { "cursor", "order" };

	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
		if (sb_config_node_find(root, strange[i]) != NULL)
			return sb_fail(err, STEPBUS_EINVAL,
				       "%s cannot be said here: all steps that match are redriven, "
				       "oldest first",
				       strange[i]);
	return STEPBUS_OK;
}

stepbus_status stepbus_step_redrive_all(stepbus *engine, const char *filter, size_t len,
					uint64_t *count, stepbus_error *err)
{
	SB_UNCANCELLED;
	sb_slice text = len > 0 ? sb_slice_of(filter, len) : sb_slice_z("{}");
	sb_config_tree *tree = NULL;
	const sb_config_node *root;
	sb_step_query query;
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check_text(filter, len, "filter", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(count, "count", err);
	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, true, err);
	if (status != STEPBUS_OK)
		return status;
	*count = 0;
	status = sb_json_read_tree(&engine->host, text, &tree, err);
	if (status != STEPBUS_OK)
		return status;
	root = sb_config_tree_root(tree);
	status = sb_step_query_read(root, &query, err);
	if (status == STEPBUS_OK)
		status = check_query(root, err);
	if (status == STEPBUS_OK)
		status = redrive_query(engine, &query, sb_config_node_find(root, "limit") != NULL,
				       count, err);
	sb_config_tree_free(tree);
	return status;
}
