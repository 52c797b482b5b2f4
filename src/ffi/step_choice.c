/* SPDX-License-Identifier: MIT */
#include "ffi/step_choice.h"

#include "base/ids.h"
#include "base/utf8.h"
#include "config/read_json.h"
#include "config/step_query.h"

static stepbus_status read_cursor(const stepbus *engine, sb_slice cursor, int64_t *id,
				  stepbus_error *err)
{
	uint8_t step_id[SB_ID_LEN];
	sb_shown shown;

	*id = 0;
	if (cursor.len == 0)
		return STEPBUS_OK;
	if (sb_id_parse(cursor.data, cursor.len, step_id))
		*id = sb_id_to_row(step_id, engine->store->tag);
	if (*id != 0)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL,
		       "the cursor '%s' is none that a list of this store gave: begin without one",
		       sb_show(&shown, cursor.data, cursor.len));
}

static stepbus_status find_queue(stepbus *engine, sb_slice name, sb_step_choice *out,
				 stepbus_error *err)
{
	stepbus_error found = STEPBUS_ERROR_INIT;
	stepbus_status status;

	if (name.len == 0)
		return STEPBUS_OK;
	status =
		engine->store->type->queue_find(engine->store, name, &out->filter.queue_id, &found);
	if (status == STEPBUS_ENOTFOUND) {
		out->is_none = true;
		return STEPBUS_OK;
	}
	return status == STEPBUS_OK ? STEPBUS_OK : sb_fail(err, status, "%s", found.message);
}

static stepbus_status translate(stepbus *engine, const sb_step_query *query, sb_step_choice *out,
				stepbus_error *err)
{
	stepbus_status status;

	out->filter = (sb_step_filter){
		.states = query->states,
		.created_from_us = query->created_from_us,
		.created_to_us = query->created_to_us,
		.correlation_id = query->correlation_id,
		.tag = query->tag,
		.handler = query->handler,
		.handler_namespace = query->handler_namespace,
		.is_ascending = query->is_ascending,
		.count_max = query->limit,
	};
	status = read_cursor(engine, query->cursor, &out->filter.after_id, err);
	return status == STEPBUS_OK ? find_queue(engine, query->queue, out, err) : status;
}

stepbus_status sb_step_choice_read(stepbus *engine, sb_slice json, sb_step_choice *out,
				   stepbus_error *err)
{
	sb_step_query query;
	stepbus_status status;

	*out = (sb_step_choice){ 0 };
	status = sb_json_read_tree(&engine->host, json.len > 0 ? json : sb_slice_z("{}"),
				   &out->tree, err);
	if (status != STEPBUS_OK)
		return status;
	status = sb_step_query_read(sb_config_tree_root(out->tree), &query, err);
	if (status == STEPBUS_OK)
		status = translate(engine, &query, out, err);
	if (status != STEPBUS_OK)
		sb_step_choice_free(out);
	return status;
}

void sb_step_choice_free(sb_step_choice *choice)
{
	sb_config_tree_free(choice->tree);
	choice->tree = NULL;
}
