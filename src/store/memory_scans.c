/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

/* Where the filling of a scan's rows stands. */
typedef struct scan_rows {
	sb_step_status *out;
	size_t max;
	size_t count;
} scan_rows;

static sb_memory_step *step_at(sb_order_node *node)
{
	return SB_ORDER_OWNER(node, sb_memory_step, place);
}

static bool take(scan_rows *rows, const sb_memory_step *step)
{
	rows->out[rows->count] = step->status;
	rows->count++;
	return rows->count < rows->max;
}

static void scan_ready_up(const sb_memory_store *store, const sb_scan *scan, scan_rows *rows)
{
	const sb_order_key after = { scan->queue_id, scan->priority,
				     scan->after_id < INT64_MAX ? scan->after_id + 1 : INT64_MAX };
	sb_order_node *node = sb_order_from(&store->ready, &after);

	for (; node != NULL; node = sb_order_next(node))
		if (node->key.first != scan->queue_id || node->key.second != scan->priority ||
		    !take(rows, step_at(node)))
			return;
}

static void scan_ready_down(const sb_memory_store *store, const sb_scan *scan, scan_rows *rows)
{
	const sb_order_key before = { scan->queue_id, scan->priority,
				      scan->after_id != 0 ? scan->after_id : INT64_MAX };
	sb_order_node *node = sb_order_below(&store->ready, &before);

	for (; node != NULL; node = sb_order_previous(node))
		if (node->key.first != scan->queue_id || node->key.second != scan->priority ||
		    !take(rows, step_at(node)))
			return;
}

/* Of an index by a number and the id. */
static void scan_group(const sb_order *index, int64_t number, int64_t after_id, scan_rows *rows)
{
	const sb_order_key after = { number, after_id, 1 };
	sb_order_node *node = sb_order_from(index, &after);

	for (; node != NULL; node = sb_order_next(node))
		if (node->key.first != number || !take(rows, step_at(node)))
			return;
}

static void scan_due(const sb_memory_store *store, int64_t at_us, scan_rows *rows)
{
	sb_order_node *node = sb_order_first(&store->due);

	for (; node != NULL && node->key.first <= at_us; node = sb_order_next(node))
		if (!take(rows, step_at(node)))
			return;
}

static void scan_overdue(const sb_memory_store *store, int64_t at_us, scan_rows *rows)
{
	sb_order_node *node = sb_order_first(&store->overdue);

	for (; node != NULL && node->key.first <= at_us; node = sb_order_next(node))
		if (!take(rows, SB_ORDER_OWNER(node, sb_memory_step, deadline)))
			return;
}

static void scan_all(const sb_memory_store *store, int64_t after_id, scan_rows *rows)
{
	const sb_memory_step *step = sb_memory_next_step(store, after_id, false);

	while (step != NULL && take(rows, step))
		step = sb_memory_next_step(store, step->status.id, false);
}

static void scan_kind(const sb_memory_store *store, const sb_scan *scan, scan_rows *rows)
{
	switch (scan->kind) {
	case SB_SCAN_READY:
		if (scan->is_descending)
			scan_ready_down(store, scan, rows);
		else
			scan_ready_up(store, scan, rows);
		break;
	case SB_SCAN_PARKED:
		scan_group(&store->parked, scan->park_key, scan->after_id, rows);
		break;
	case SB_SCAN_DUE:
		scan_due(store, scan->at_us, rows);
		break;
	case SB_SCAN_OVERDUE:
		scan_overdue(store, scan->at_us, rows);
		break;
	case SB_SCAN_RUNNING:
		scan_group(&store->running, scan->worker_id, scan->after_id, rows);
		break;
	case SB_SCAN_ALL:
		scan_all(store, scan->after_id, rows);
		break;
	}
}

stepbus_status sb_memory_step_scan(sb_store *base, const sb_scan *scan, sb_step_status *out,
				   size_t max, size_t *count, stepbus_error *err)
{
	scan_rows rows = { .out = out, .max = max };

	(void)err;
	if (max > 0)
		scan_kind(sb_memory_of(base), scan, &rows);
	*count = rows.count;
	return STEPBUS_OK;
}

stepbus_status sb_memory_lane_next(sb_store *base, bool is_descending, sb_lane *lane, bool *found,
				   stepbus_error *err)
{
	const sb_memory_store *store = sb_memory_of(base);
	const sb_order_key after = { lane->queue_id, (int64_t)lane->priority + 1, INT64_MIN };
	const sb_order_node *head = sb_order_from(&store->ready, &after);
	sb_order_key behind;

	(void)err;
	*found = head != NULL;
	if (head == NULL)
		return STEPBUS_OK;
	if (is_descending) {
		behind = (sb_order_key){ head->key.first, head->key.second + 1, INT64_MIN };
		head = sb_order_below(&store->ready, &behind);
	}
	*lane = (sb_lane){ .queue_id = head->key.first,
			   .head_id = head->key.third,
			   .priority = (int32_t)head->key.second };
	return STEPBUS_OK;
}

stepbus_status sb_memory_park_next(sb_store *base, int64_t *park_key, bool *found,
				   stepbus_error *err)
{
	const sb_order_key after = { *park_key, INT64_MAX, 1 };
	const sb_order_node *node = sb_order_from(&sb_memory_of(base)->parked, &after);

	(void)err;
	*found = node != NULL;
	if (node != NULL)
		*park_key = node->key.first;
	return STEPBUS_OK;
}

stepbus_status sb_memory_due_next(sb_store *base, int64_t *due_at_us, stepbus_error *err)
{
	const sb_order_node *node = sb_order_first(&sb_memory_of(base)->due);

	(void)err;
	*due_at_us = node != NULL ? node->key.first : 0;
	return STEPBUS_OK;
}

stepbus_status sb_memory_running_count(sb_store *base, int64_t queue_id, int64_t concurrency_key,
				       int64_t max, int64_t *count, stepbus_error *err)
{
	const sb_memory_store *store = sb_memory_of(base);
	const sb_order_key key = { concurrency_key, 0, 0 };
	sb_order_node *node = sb_order_from(&store->shares, &key);
	const sb_memory_queue *queue = sb_memory_queue_of(store, queue_id);
	int64_t running = 0;

	(void)err;
	if (concurrency_key == 0)
		running = queue != NULL ? queue->tally[SB_STEP_RUNNING] : 0;
	else if (node != NULL && node->key.first == concurrency_key)
		running = SB_ORDER_OWNER(node, sb_memory_share, node)->running_count;
	*count = running < max ? running : max;
	return STEPBUS_OK;
}
