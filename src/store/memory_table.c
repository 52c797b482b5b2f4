/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

static sb_memory_chunk **cache_place(sb_memory_store *store, int64_t number)
{
	return &store->chunk_cache[(uint64_t)number % SB_MEMORY_CHUNK_CACHE_LEN];
}

static sb_memory_chunk *chunk_from(const sb_memory_store *store, int64_t number)
{
	const sb_order_key key = { number, 0, 0 };
	sb_order_node *node = sb_order_from(&store->chunks, &key);

	return node != NULL ? SB_ORDER_OWNER(node, sb_memory_chunk, node) : NULL;
}

static sb_memory_chunk *chunk_of(sb_memory_store *store, int64_t number)
{
	sb_memory_chunk **place = cache_place(store, number);
	sb_memory_chunk *chunk = *place;

	if (sb_likely(chunk != NULL && chunk->node.key.first == number))
		return chunk;
	chunk = chunk_from(store, number);
	if (chunk == NULL || chunk->node.key.first != number)
		return NULL;
	*place = chunk;
	return chunk;
}

sb_memory_step *sb_memory_find(sb_memory_store *store, int64_t id)
{
	sb_memory_chunk *chunk = id > 0 ? chunk_of(store, id / SB_MEMORY_CHUNK_LEN) : NULL;
	sb_memory_step *step = chunk != NULL ? chunk->steps[id % SB_MEMORY_CHUNK_LEN] : NULL;

	return step != NULL && !step->is_deleted ? step : NULL;
}

static sb_memory_step *next_above(const sb_memory_store *store, int64_t id)
{
	sb_memory_chunk *chunk;
	sb_order_node *node;
	size_t i;

	if (id == INT64_MAX)
		return NULL;
	id = id < 0 ? 0 : id + 1;
	chunk = chunk_from(store, id / SB_MEMORY_CHUNK_LEN);
	if (chunk == NULL)
		return NULL;
	i = chunk->node.key.first == id / SB_MEMORY_CHUNK_LEN ? (size_t)(id % SB_MEMORY_CHUNK_LEN) :
								0;
	for (node = &chunk->node; node != NULL; node = sb_order_next(node), i = 0) {
		chunk = SB_ORDER_OWNER(node, sb_memory_chunk, node);
		for (; i < SB_MEMORY_CHUNK_LEN; i++)
			if (chunk->steps[i] != NULL && !chunk->steps[i]->is_deleted)
				return chunk->steps[i];
	}
	return NULL;
}

sb_memory_step *sb_memory_peek(const sb_memory_store *store, int64_t id)
{
	sb_memory_step *step = id > 0 ? next_above(store, id - 1) : NULL;

	return step != NULL && step->status.id == id ? step : NULL;
}

static sb_memory_step *next_below(const sb_memory_store *store, int64_t id)
{
	const sb_order_key key = { id > 0 ? (id - 1) / SB_MEMORY_CHUNK_LEN + 1 : 0, 0, 0 };
	sb_order_node *node = sb_order_below(&store->chunks, &key);
	size_t count = SB_MEMORY_CHUNK_LEN;

	if (node != NULL && node->key.first == key.first - 1)
		count = (size_t)((id - 1) % SB_MEMORY_CHUNK_LEN) + 1;
	for (; node != NULL; node = sb_order_previous(node), count = SB_MEMORY_CHUNK_LEN) {
		sb_memory_chunk *chunk = SB_ORDER_OWNER(node, sb_memory_chunk, node);

		for (; count > 0; count--)
			if (chunk->steps[count - 1] != NULL && !chunk->steps[count - 1]->is_deleted)
				return chunk->steps[count - 1];
	}
	return NULL;
}

sb_memory_step *sb_memory_next_step(const sb_memory_store *store, int64_t id, bool is_descending)
{
	return is_descending ? next_below(store, id) : next_above(store, id);
}

static sb_memory_chunk *make_chunk(sb_memory_store *store, int64_t number)
{
	sb_memory_chunk *chunk = sb_alloc(store->base.host, sizeof *chunk);

	if (chunk == NULL)
		return NULL;
	chunk->node.key.first = number;
	sb_order_add(&store->chunks, &chunk->node);
	*cache_place(store, number) = chunk;
	return chunk;
}

bool sb_memory_table_add(sb_memory_store *store, sb_memory_step *step)
{
	int64_t number = step->status.id / SB_MEMORY_CHUNK_LEN;
	sb_memory_chunk *chunk = chunk_of(store, number);

	if (chunk == NULL)
		chunk = make_chunk(store, number);
	if (chunk == NULL)
		return false;
	chunk->steps[step->status.id % SB_MEMORY_CHUNK_LEN] = step;
	chunk->count++;
	return true;
}

void sb_memory_table_remove(sb_memory_store *store, sb_memory_step *step)
{
	int64_t number = step->status.id / SB_MEMORY_CHUNK_LEN;
	sb_memory_chunk *chunk = chunk_of(store, number);

	chunk->steps[step->status.id % SB_MEMORY_CHUNK_LEN] = NULL;
	if (--chunk->count > 0)
		return;
	sb_order_remove(&store->chunks, &chunk->node);
	*cache_place(store, number) = NULL;
	sb_release(store->base.host, chunk);
}

/* Where the last ready step of a lane is known; NULL for priorities that are not common. */
static sb_order_node **lane_last_of(sb_memory_step *step)
{
	int32_t priority = step->status.priority;

	return priority >= 0 && priority < SB_MEMORY_LANE_COUNT ?
		       &step->queue->lane_last[priority] :
		       NULL;
}

static void add_ready(sb_memory_store *store, sb_memory_step *step)
{
	sb_order_node **last = lane_last_of(step);

	step->place.key =
		(sb_order_key){ step->status.queue_id, step->status.priority, step->status.id };
	sb_order_add_behind(&store->ready, last != NULL ? *last : NULL, &step->place);
	if (last != NULL && (*last == NULL || (*last)->key.third < step->status.id))
		*last = &step->place;
}

static void remove_ready(sb_memory_store *store, sb_memory_step *step)
{
	sb_order_node **last = lane_last_of(step);

	if (last != NULL && *last == &step->place) {
		sb_order_node *before = sb_order_previous(&step->place);
		bool is_same_lane = before != NULL && before->key.first == step->status.queue_id &&
				    before->key.second == step->status.priority;

		*last = is_same_lane ? before : NULL;
	}
	sb_order_remove(&store->ready, &step->place);
}

/* The index of a state that is ordered by one number and the id; NULL for the others. */
static sb_order *index_of(sb_memory_store *store, const sb_step_status *status, int64_t *number)
{
	if (status->state == SB_STEP_RUNNING) {
		*number = status->worker_id;
		return &store->running;
	}
	if (status->state == SB_STEP_SCHEDULED) {
		*number = status->due_at_us;
		return &store->due;
	}
	*number = status->park_key;
	return status->state == SB_STEP_PARKED ? &store->parked : NULL;
}

static void add_place(sb_memory_store *store, sb_memory_step *step)
{
	int64_t number;
	sb_order *index;

	if (step->status.state == SB_STEP_READY) {
		add_ready(store, step);
		return;
	}
	index = index_of(store, &step->status, &number);
	if (index == NULL)
		return;
	step->place.key = (sb_order_key){ number, step->status.id, 0 };
	sb_order_add(index, &step->place);
}

static void remove_place(sb_memory_store *store, sb_memory_step *step)
{
	int64_t number;

	if (step->status.state == SB_STEP_READY)
		remove_ready(store, step);
	else if (sb_order_has(&step->place))
		sb_order_remove(index_of(store, &step->status, &number), &step->place);
}

static void count(sb_memory_step *step, int64_t difference)
{
	step->queue->tally[step->status.state] += difference;
	if (step->share != NULL && step->status.state == SB_STEP_RUNNING)
		step->share->running_count += difference;
}

static int64_t deadline_of(const sb_step_status *status)
{
	return status->deadline_at_us > 0 && !sb_step_state_is_final(status->state) ?
		       status->deadline_at_us :
		       0;
}

static void set_deadline(sb_memory_store *store, sb_memory_step *step, int64_t deadline)
{
	int64_t before = sb_order_has(&step->deadline) ? step->deadline.key.first : 0;

	if (before == deadline)
		return;
	if (before != 0)
		sb_order_remove(&store->overdue, &step->deadline);
	step->deadline.key = (sb_order_key){ deadline, step->status.id, 0 };
	if (deadline != 0)
		sb_order_add(&store->overdue, &step->deadline);
}

void sb_memory_link(sb_memory_store *store, sb_memory_step *step)
{
	add_place(store, step);
	set_deadline(store, step, deadline_of(&step->status));
	count(step, 1);
}

void sb_memory_unlink(sb_memory_store *store, sb_memory_step *step)
{
	remove_place(store, step);
	set_deadline(store, step, 0);
	count(step, -1);
}

void sb_memory_relink(sb_memory_store *store, sb_memory_step *step, const sb_step_status *status)
{
	remove_place(store, step);
	count(step, -1);
	step->status = *status;
	add_place(store, step);
	set_deadline(store, step, deadline_of(status));
	count(step, 1);
}
