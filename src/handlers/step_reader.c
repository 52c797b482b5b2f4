/* SPDX-License-Identifier: MIT */
#include "handlers/step_reader.h"

#include "handlers/step_document.h"

/* A document that grows while the store is walked. */
typedef struct reading {
	const sb_store *store;
	sb_json *json;
	bool is_complete;
	uint32_t count;
	uint32_t count_max;
	int64_t last_id;
	bool has_more;
} reading;

stepbus_status sb_step_reader_row(const stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				  int64_t *row_id, stepbus_error *err)
{
	char text[SB_ID_TEXT_LEN + 1];

	*row_id = sb_id_to_row(step_id, engine->store->tag);
	if (*row_id != 0)
		return STEPBUS_OK;
	sb_id_format(step_id, text);
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "there is no step %s: its id was not given by this store", text);
}

static bool take_full(void *context, const sb_step_view *view)
{
	reading *r = context;

	r->json = sb_step_document(r->store, view, SB_STEP_IN_FULL, &r->is_complete);
	return false;
}

/* Says which step it was in the words of who asked. */
static stepbus_status finish(reading *r, stepbus_status status, const uint8_t step_id[SB_ID_LEN],
			     stepbus_text **out, stepbus_error *err)
{
	char text[SB_ID_TEXT_LEN + 1];

	if (status == STEPBUS_OK)
		return sb_json_print_take(r->json, r->is_complete, r->store->host, out, err);
	sb_json_free(r->json);
	if (status == STEPBUS_ENOTFOUND) {
		sb_id_format(step_id, text);
		sb_fail_where(err, "%s: ", text);
	}
	return status;
}

stepbus_status sb_step_reader_info(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				   stepbus_text **out, stepbus_error *err)
{
	reading r = { .store = engine->store };
	int64_t row_id;
	stepbus_status status = sb_step_reader_row(engine, step_id, &row_id, err);

	if (status != STEPBUS_OK)
		return status;
	status = engine->store->type->step_view(engine->store, row_id, take_full, &r, err);
	return finish(&r, status, step_id, out, err);
}

static bool take_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	reading *r = context;
	bool is_complete;
	sb_json *json = sb_attempt_document(r->store, row, worker, &is_complete);

	r->is_complete = sb_json_add_part_take(r->json, NULL, json) && is_complete;
	return r->is_complete;
}

stepbus_status sb_step_reader_attempts(stepbus *engine, const uint8_t step_id[SB_ID_LEN],
				       stepbus_text **out, stepbus_error *err)
{
	reading r = { .store = engine->store, .is_complete = true };
	int64_t row_id;
	stepbus_status status = sb_step_reader_row(engine, step_id, &row_id, err);

	if (status != STEPBUS_OK)
		return status;
	r.json = sb_json_array_new();
	status = engine->store->type->attempt_list(engine->store, row_id, take_attempt, &r, err);
	return finish(&r, status, step_id, out, err);
}

/* One more than the page holds is asked for: so it is known whether there is another page. */
static bool take_listed(void *context, const sb_step_view *view)
{
	reading *r = context;
	bool is_complete;
	sb_json *json;

	if (r->count == r->count_max) {
		r->has_more = true;
		return false;
	}
	json = sb_step_document(r->store, view, SB_STEP_IN_LIST, &is_complete);
	r->is_complete = sb_json_add_part_take(r->json, NULL, json) && is_complete;
	r->last_id = view->status.id;
	r->count++;
	return r->is_complete;
}

static bool add_cursor(sb_json *json, const reading *r)
{
	uint8_t id[SB_ID_LEN];
	char text[SB_ID_TEXT_LEN + 1];

	if (!r->has_more)
		return sb_json_add_null(json, "cursor");
	sb_id_of_row(r->last_id, r->store->tag, id);
	sb_id_format(id, text);
	return sb_json_add_text(json, "cursor", sb_slice_z(text));
}

stepbus_status sb_step_reader_list(stepbus *engine, const sb_step_filter *filter,
				   stepbus_text **out, stepbus_error *err)
{
	reading r = { .store = engine->store, .is_complete = true };
	stepbus_status status = STEPBUS_OK;
	sb_step_filter wanted;
	sb_json *page;

	r.json = sb_json_array_new();
	if (filter != NULL) {
		wanted = *filter;
		r.count_max = filter->count_max;
		wanted.count_max = filter->count_max + 1;
		status = engine->store->type->step_list(engine->store, &wanted, take_listed, &r,
							err);
	}
	if (status != STEPBUS_OK) {
		sb_json_free(r.json);
		return status;
	}
	page = sb_json_object_new();
	r.is_complete = sb_json_add_part_take(page, "steps", r.json) && r.is_complete &&
			add_cursor(page, &r);
	return sb_json_print_take(page, r.is_complete, &engine->host, out, err);
}
