/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

/* The texts of a row, in the order in which they stand behind a step. */
#define TEXTS_OF(row)                                                                              \
	{                                                                                          \
		&(row)->input, &(row)->content_type, &(row)->step_name, &(row)->step_config,       \
			&(row)->correlation_id, &(row)->traceparent, &(row)->caller, &(row)->tags, \
			&(row)->concurrency_key, &(row)->idempotency_key, &(row)->unique_key       \
	}

static stepbus_status fail_no_step(stepbus_error *err, int64_t id)
{
	return sb_fail(err, STEPBUS_ENOTFOUND, "cannot read step %lld: there is none",
		       (long long)id);
}

static sb_memory_share *ensure_share(sb_memory_store *store, int64_t concurrency_key)
{
	const sb_order_key key = { concurrency_key, 0, 0 };
	sb_order_node *node = sb_order_from(&store->shares, &key);
	sb_memory_share *share = NULL;

	if (node != NULL && node->key.first == concurrency_key)
		return SB_ORDER_OWNER(node, sb_memory_share, node);
	share = sb_alloc(store->base.host, sizeof *share);
	if (share == NULL)
		return NULL;
	share->node.key = key;
	sb_order_add(&store->shares, &share->node);
	return share;
}

static void leave_share(sb_memory_store *store, sb_memory_share *share)
{
	if (share == NULL || --share->step_count > 0)
		return;
	sb_order_remove(&store->shares, &share->node);
	sb_release(store->base.host, share);
}

/* False: out of memory. */
static bool join_share(sb_memory_store *store, sb_memory_step *step)
{
	if (step->status.concurrency_key == 0)
		return true;
	step->share = ensure_share(store, step->status.concurrency_key);
	if (step->share == NULL)
		return false;
	step->share->step_count++;
	return true;
}

/* Frees a step that is in no index. */
void sb_memory_step_free(sb_memory_store *store, sb_memory_step *step)
{
	sb_memory_table_remove(store, step);
	sb_memory_step_rows_free(store, step);
	leave_share(store, step->share);
	sb_release(store->base.host, step);
}

static void write_numbers(sb_memory_step *step, const sb_step_row *row)
{
	step->task_id = row->task_id;
	step->created_at_us = row->created_at_us;
	step->run_at_us = row->run_at_us;
	step->wait_timeout_us = row->wait_timeout_us;
	step->attempt_timeout_us = row->attempt_timeout_us;
	step->total_timeout_us = row->total_timeout_us;
	step->retry_base_us = row->retry_base_us;
	step->retry_cap_us = row->retry_cap_us;
	step->retry_kind = row->retry_kind;
	step->attempt_count_max = row->attempt_count_max;
	step->jitter_percent = row->jitter_percent;
}

static void read_numbers(const sb_memory_step *step, sb_step_row *out)
{
	out->id = step->status.id;
	out->task_id = step->task_id;
	out->queue_id = step->status.queue_id;
	out->handler_id = step->status.handler_id;
	out->created_at_us = step->created_at_us;
	out->run_at_us = step->run_at_us;
	out->wait_timeout_us = step->wait_timeout_us;
	out->attempt_timeout_us = step->attempt_timeout_us;
	out->total_timeout_us = step->total_timeout_us;
	out->retry_base_us = step->retry_base_us;
	out->retry_cap_us = step->retry_cap_us;
	out->priority = step->status.priority;
	out->retry_kind = step->retry_kind;
	out->attempt_count_max = step->attempt_count_max;
	out->jitter_percent = step->jitter_percent;
}

void sb_memory_step_row(const sb_memory_step *step, sb_step_row *out)
{
	sb_slice *const texts[SB_MEMORY_TEXT_COUNT] = TEXTS_OF(out);
	const char *next = step->texts;

	read_numbers(step, out);
	for (size_t i = 0; i < SB_MEMORY_TEXT_COUNT; i++) {
		*texts[i] = sb_slice_of(next, step->text_lens[i]);
		next += step->text_lens[i];
	}
}

static sb_memory_step *make_step(sb_memory_store *store, const sb_step_row *row)
{
	const sb_slice *const texts[SB_MEMORY_TEXT_COUNT] = TEXTS_OF(row);
	sb_memory_step *step = sb_memory_block(store, sizeof *step, texts, SB_MEMORY_TEXT_COUNT);
	char *next;

	if (step == NULL)
		return NULL;
	write_numbers(step, row);
	next = step->texts;
	for (size_t i = 0; i < SB_MEMORY_TEXT_COUNT; i++) {
		if (texts[i]->len > 0)
			memcpy(next, texts[i]->data, texts[i]->len);
		step->text_lens[i] = (uint32_t)texts[i]->len;
		next += texts[i]->len;
	}
	return step;
}

static bool are_texts_too_long(const sb_step_row *row)
{
	const sb_slice *const texts[SB_MEMORY_TEXT_COUNT] = TEXTS_OF(row);
	size_t together = 0;

	for (size_t i = 0; i < SB_MEMORY_TEXT_COUNT; i++)
		together |= texts[i]->len;
	return together > UINT32_MAX;
}

static void undo_insert(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_unlink(store, change->object);
	sb_memory_step_free(store, change->object);
}

static stepbus_status check_names(sb_memory_store *store, const sb_step_row *row,
				  stepbus_error *err)
{
	if (sb_memory_queue_of(store, row->queue_id) == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND, "cannot add a step: there is no queue %lld",
			       (long long)row->queue_id);
	if (sb_memory_handler_of(store, row->handler_id) == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "cannot add a step: there is no handler %lld",
			       (long long)row->handler_id);
	if (are_texts_too_long(row))
		return sb_fail(err, STEPBUS_ELIMIT,
			       "cannot add a step: a text of it is over 4 GiB");
	return STEPBUS_OK;
}

/* Puts a new step where it is found, once it is complete. False: out of memory. */
static bool place_step(sb_memory_store *store, sb_memory_step *step)
{
	sb_memory_change *change = sb_memory_change_room(store);

	if (change == NULL || !join_share(store, step))
		return false;
	if (!sb_memory_table_add(store, step)) {
		leave_share(store, step->share);
		return false;
	}
	sb_memory_link(store, step);
	change->undo = undo_insert;
	change->keep = NULL;
	change->object = step;
	sb_memory_change_note(store, change);
	return true;
}

stepbus_status sb_memory_step_insert(sb_store *base, sb_step_row *row, const sb_step_status *status,
				     stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	stepbus_status checked = check_names(store, row, err);
	sb_memory_step *step;

	if (checked != STEPBUS_OK)
		return checked;
	step = make_step(store, row);
	if (step == NULL)
		return sb_fail_memory(err, "add a step");
	step->status = *status;
	step->status.id = store->last_step_id + 1;
	step->status.queue_id = row->queue_id;
	step->status.handler_id = row->handler_id;
	step->status.priority = row->priority;
	sb_assert(sb_step_state_name((int)status->state) != NULL);
	step->queue = sb_memory_queue_of(store, row->queue_id);
	if (!place_step(store, step)) {
		sb_release(base->host, step);
		return sb_fail_memory(err, "add a step");
	}
	row->id = ++store->last_step_id;
	return STEPBUS_OK;
}

stepbus_status sb_memory_step_row_read(sb_store *base, int64_t id, sb_step_row *out,
				       stepbus_error *err)
{
	const sb_memory_step *step = sb_memory_find(sb_memory_of(base), id);

	if (step == NULL)
		return sb_fail(err, STEPBUS_ECORRUPT, "there is no step %lld, but a state of it",
			       (long long)id);
	sb_memory_step_row(step, out);
	return STEPBUS_OK;
}

stepbus_status sb_memory_step_status_read(sb_store *base, int64_t id, sb_step_status *out,
					  stepbus_error *err)
{
	const sb_memory_step *step = sb_memory_find(sb_memory_of(base), id);

	if (step == NULL)
		return fail_no_step(err, id);
	*out = step->status;
	return STEPBUS_OK;
}

static void undo_move(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_relink(store, change->object, &change->status);
}

/* False: out of memory. */
static bool move_one(sb_memory_store *store, sb_step_move *move)
{
	sb_memory_step *step = sb_memory_find(store, move->to.id);
	sb_step_status status = move->to;
	sb_memory_change *change;

	move->is_done = step != NULL && step->status.state == move->from &&
			step->status.token == move->from_token;
	if (!move->is_done)
		return true;
	change = sb_memory_change_room(store);
	if (change == NULL)
		return false;
	sb_assert(sb_step_state_name((int)status.state) != NULL);
	change->undo = undo_move;
	change->keep = NULL;
	change->object = step;
	change->status = step->status;
	sb_memory_change_note(store, change);
	status.queue_id = step->status.queue_id;
	status.handler_id = step->status.handler_id;
	status.priority = step->status.priority;
	status.concurrency_key = step->status.concurrency_key;
	if (sb_step_state_is_final(status.state))
		status.deadline_at_us = 0;
	sb_memory_relink(store, step, &status);
	return true;
}

stepbus_status sb_memory_step_move(sb_store *base, sb_step_move *moves, size_t count,
				   stepbus_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!move_one(sb_memory_of(base), &moves[i]))
			return sb_fail_memory(err, "change the state of a step");
	return STEPBUS_OK;
}

static void undo_delete(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_step *step = change->object;

	step->is_deleted = false;
	sb_memory_link(store, step);
}

static void keep_delete(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_step_free(store, change->object);
}

stepbus_status sb_memory_step_delete(sb_store *base, const int64_t *ids, size_t count,
				     stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);

	for (size_t i = 0; i < count; i++) {
		sb_memory_step *step = sb_memory_find(store, ids[i]);
		sb_memory_change *change = step != NULL ? sb_memory_change_room(store) : NULL;

		if (step == NULL)
			continue;
		if (change == NULL)
			return sb_fail_memory(err, "remove a step");
		change->undo = undo_delete;
		change->keep = keep_delete;
		change->object = step;
		sb_memory_change_note(store, change);
		sb_memory_unlink(store, step);
		step->is_deleted = true;
	}
	return STEPBUS_OK;
}
