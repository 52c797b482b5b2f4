/* SPDX-License-Identifier: MIT */
#include "torture/reenter/rows.h"

static const row_table *const tables[] = {
	&rows_library, &rows_bridge,  &rows_registry, &rows_handler,
	&rows_engine,  &rows_control, &rows_pull,
};

const row *row_at(size_t index)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		if (index < tables[i]->count)
			return &tables[i]->rows[index];
		index -= tables[i]->count;
	}
	return NULL;
}

static row_group group_of(place where)
{
	if (place_is_forked(where))
		return GROUP_FORKED;
	switch ((int)where) {
	case PLACE_BESIDE_STOP:
	case PLACE_IN_CLOSE:
		return GROUP_ENDING;
	case PLACE_STOPPED:
		return GROUP_STOPPED;
	case PLACE_BESIDE_CLOSE:
	case PLACE_CLOSED:
		return GROUP_CLOSED;
	default:
		return place_is_in_engine(where) ? GROUP_INSIDE : GROUP_OUTSIDE;
	}
}

uint32_t row_allowed(const row *r, place where)
{
	if (place_is_hook(where) && (r->flags & ROW_PURE) == 0)
		return 0;
	if ((r->flags & ROW_CONTEXT) != 0 && !place_has_context(where))
		return 0;
	if ((r->flags & ROW_WORKER) != 0 && where == PLACE_IN_CLOSE)
		return 0;
	for (size_t i = 0; i < ROW_EXCEPTION_COUNT; i++)
		if (r->exceptions[i].where == where)
			return r->exceptions[i].allowed;
	return r->allowed[group_of(where)];
}

stepbus_status row_verdict(bool is_right)
{
	return is_right ? STEPBUS_OK : (stepbus_status)WORLD_WRONG;
}

stepbus_status row_take_text(stepbus_text *text, stepbus_status status)
{
	if ((text != NULL) != (status == STEPBUS_OK))
		status = WORLD_WRONG;
	stepbus_text_free(text);
	return status;
}
