/* SPDX-License-Identifier: MIT */
/* What a worker leaves running when it is told to stop, as JSON. */
#include "base/json.h"
#include "handlers/worker.h"

#include <stdio.h>

#include "base/ids.h"

typedef struct listing {
	const stepbus_worker *worker; /* NULL: all */
	sb_json *list;
	int64_t now_ns;
	bool is_complete;
} listing;

static sb_json *describe(const sb_claimed *claimed, int64_t now_ns, bool *is_complete)
{
	const stepbus_step_event *event = &claimed->event;
	int64_t started_ns = atomic_load(&claimed->started_ns);
	sb_json *json = sb_json_object_new();
	char id[SB_ID_TEXT_LEN + 1], token[24];

	sb_id_format(event->step_id, id);
	(void)snprintf(token, sizeof token, "%llu", (unsigned long long)event->token);
	*is_complete =
		sb_json_add_text(json, "step_id", sb_slice_z(id)) &&
		sb_json_add_text(json, "token", sb_slice_z(token)) &&
		sb_json_add_foreign(json, "handler",
				    sb_slice_of(event->handler_name, event->handler_name_len)) &&
		sb_json_add_int(json, "running_ms",
				started_ns == 0 ? 0 : (now_ns - started_ns) / 1000000);
	return json;
}

static bool list_one(void *context, sb_claimed *claimed)
{
	listing *l = context;
	bool is_complete = false;

	if (l->worker != NULL && claimed->worker != l->worker)
		return true;
	l->is_complete =
		sb_json_add_part_take(l->list, NULL, describe(claimed, l->now_ns, &is_complete)) &&
		is_complete && l->is_complete;
	return l->is_complete;
}

stepbus_status sb_worker_unfinished(stepbus *engine, const stepbus_worker *worker,
				    stepbus_text **out, stepbus_error *err)
{
	listing l = { .worker = worker,
		      .list = sb_json_array_new(),
		      .now_ns = sb_clock_elapsed_ns(&engine->host),
		      .is_complete = true };

	sb_claimed_table_each(&engine->claimed, list_one, &l);
	return sb_json_print_take(l.list, l.is_complete, &engine->host, out, err);
}
