/* SPDX-License-Identifier: MIT */
#include "handlers/tally.h"

typedef struct queue_tally {
	sb_map_node node; /* by name */
	int64_t counts[SB_STEP_STATE_MAX + 1];
	char name[];
} queue_tally;

static queue_tally *find(const sb_tally *tally, sb_slice queue)
{
	return (queue_tally *)(void *)sb_map_find(&tally->queues, queue.data, queue.len);
}

static queue_tally *add(sb_tally *tally, sb_slice queue)
{
	queue_tally *made = sb_alloc(tally->queues.host, sizeof *made + queue.len);

	if (made == NULL)
		return NULL;
	if (queue.len > 0)
		memcpy(made->name, queue.data, queue.len);
	if (sb_map_add(&tally->queues, &made->node, made->name, queue.len))
		return made;
	sb_release(tally->queues.host, made);
	return NULL;
}

static bool take(void *context, sb_slice queue, sb_step_state state, int64_t count)
{
	sb_tally *tally = context;
	queue_tally *mine = find(tally, queue);

	if ((int)state < SB_STEP_STATE_MIN || (int)state > SB_STEP_STATE_MAX)
		return true;
	if (mine == NULL)
		mine = add(tally, queue);
	if (mine == NULL)
		return tally->is_complete = false;
	mine->counts[state] += count;
	tally->counts[state] += count;
	return true;
}

stepbus_status sb_tally_read(sb_tally *tally, sb_store *store, stepbus_error *err)
{
	stepbus_status status;

	*tally = (sb_tally){ .is_complete = true };
	status = sb_map_init(&tally->queues, store->host, err);
	if (status == STEPBUS_OK)
		status = store->type->tally(store, take, tally, err);
	if (status == STEPBUS_OK && !tally->is_complete)
		return sb_fail_memory(err, "count the steps of each queue");
	return status;
}

void sb_tally_free(sb_tally *tally)
{
	sb_map_node *node;

	while ((node = sb_map_first(&tally->queues)) != NULL) {
		sb_map_remove(&tally->queues, node);
		sb_release(tally->queues.host, node);
	}
}

const int64_t *sb_tally_of(const sb_tally *tally, sb_slice queue)
{
	static const int64_t none[SB_STEP_STATE_MAX + 1];
	const queue_tally *mine = find(tally, queue);

	return mine != NULL ? mine->counts : none;
}

bool sb_tally_add(sb_json *json, const char *name, const int64_t counts[SB_STEP_STATE_MAX + 1])
{
	sb_json *states = sb_json_object_new();
	bool is_complete = true;

	for (int state = SB_STEP_STATE_MIN; state <= SB_STEP_STATE_MAX; state++)
		is_complete = sb_json_add_int(states, sb_step_state_name(state), counts[state]) &&
			      is_complete;
	return sb_json_add_part_take(json, name, states) && is_complete;
}
