/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

static stepbus_status fail_no_step(stepbus_error *err, const char *what, int64_t step_id)
{
	return sb_fail(err, STEPBUS_ENOTFOUND, "cannot keep %s of step %lld: there is no such step",
		       what, (long long)step_id);
}

/* The place in a step's list of the attempt with a token, or where it belongs. */
static sb_memory_attempt **attempt_place(sb_memory_step *step, int64_t token)
{
	sb_memory_attempt **place = &step->attempts;

	while (*place != NULL && (*place)->row.token < token)
		place = &(*place)->next;
	return place;
}

static void undo_attempt(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_attempt *attempt = change->object;
	sb_memory_attempt *before = change->before;
	sb_memory_attempt **place =
		attempt_place(sb_memory_find(store, attempt->row.step_id), attempt->row.token);

	if (before != NULL)
		before->next = attempt->next;
	*place = before != NULL ? before : attempt->next;
	sb_release(store->base.host, attempt);
}

static void keep_replaced(sb_memory_store *store, sb_memory_change *change)
{
	sb_release(store->base.host, change->before);
}

static sb_memory_attempt *make_attempt(sb_memory_store *store, const sb_attempt_row *row)
{
	const sb_slice *const texts[] = { &row->error_type, &row->message, &row->error_code,
					  &row->backtrace, &row->metadata };
	sb_memory_attempt *attempt = sb_memory_block(store, sizeof *attempt, texts, 5);
	char *next;

	if (attempt == NULL)
		return NULL;
	attempt->row = *row;
	next = sb_memory_move_text(attempt->texts, &attempt->row.error_type);
	next = sb_memory_move_text(next, &attempt->row.message);
	next = sb_memory_move_text(next, &attempt->row.error_code);
	next = sb_memory_move_text(next, &attempt->row.backtrace);
	sb_memory_move_text(next, &attempt->row.metadata);
	return attempt;
}

stepbus_status sb_memory_attempt_put(sb_store *base, const sb_attempt_row *row, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_step *step = sb_memory_find(store, row->step_id);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_attempt *attempt, *before;
	sb_memory_attempt **place;

	if (step == NULL)
		return fail_no_step(err, "an attempt", row->step_id);
	attempt = change != NULL ? make_attempt(store, row) : NULL;
	if (attempt == NULL)
		return sb_fail_memory(err, "keep an attempt");
	place = attempt_place(step, row->token);
	before = *place != NULL && (*place)->row.token == row->token ? *place : NULL;
	attempt->next = before != NULL ? before->next : *place;
	*place = attempt;
	change->undo = undo_attempt;
	change->keep = before != NULL ? keep_replaced : NULL;
	change->object = attempt;
	change->before = before;
	sb_memory_change_note(store, change);
	return STEPBUS_OK;
}

static void undo_result(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_step *step = change->object;

	sb_release(store->base.host, step->result);
	step->result = change->before;
}

static sb_memory_result *make_result(sb_memory_store *store, const sb_result_row *row)
{
	const sb_slice *const texts[] = { &row->bytes, &row->content_type, &row->metadata };
	sb_memory_result *result = sb_memory_block(store, sizeof *result, texts, 3);
	char *next;

	if (result == NULL)
		return NULL;
	result->row = *row;
	next = sb_memory_move_text(result->texts, &result->row.bytes);
	next = sb_memory_move_text(next, &result->row.content_type);
	sb_memory_move_text(next, &result->row.metadata);
	return result;
}

stepbus_status sb_memory_result_put(sb_store *base, const sb_result_row *row, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_step *step = sb_memory_find(store, row->step_id);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_result *result;

	if (step == NULL)
		return fail_no_step(err, "the result", row->step_id);
	result = change != NULL ? make_result(store, row) : NULL;
	if (result == NULL)
		return sb_fail_memory(err, "keep a result");
	change->undo = undo_result;
	change->keep = step->result != NULL ? keep_replaced : NULL;
	change->object = step;
	change->before = step->result;
	sb_memory_change_note(store, change);
	step->result = result;
	return STEPBUS_OK;
}

static void undo_checkpoint(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_step *step = change->object;

	sb_release(store->base.host, step->checkpoint);
	step->checkpoint = change->before;
}

/* NULL takes the one that is there away. */
static void set_checkpoint(sb_memory_store *store, sb_memory_change *change, sb_memory_step *step,
			   sb_memory_checkpoint *checkpoint)
{
	change->undo = undo_checkpoint;
	change->keep = step->checkpoint != NULL ? keep_replaced : NULL;
	change->object = step;
	change->before = step->checkpoint;
	sb_memory_change_note(store, change);
	step->checkpoint = checkpoint;
}

static sb_memory_checkpoint *make_checkpoint(sb_memory_store *store, const sb_checkpoint_row *row)
{
	const sb_slice *const texts[] = { &row->cursor, &row->partial_result };
	sb_memory_checkpoint *checkpoint = sb_memory_block(store, sizeof *checkpoint, texts, 2);
	char *next;

	if (checkpoint == NULL)
		return NULL;
	checkpoint->row = *row;
	next = sb_memory_move_text(checkpoint->texts, &checkpoint->row.cursor);
	sb_memory_move_text(next, &checkpoint->row.partial_result);
	return checkpoint;
}

stepbus_status sb_memory_checkpoint_put(sb_store *base, const sb_checkpoint_row *row,
					stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_step *step = sb_memory_find(store, row->step_id);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_checkpoint *checkpoint;

	if (step == NULL)
		return fail_no_step(err, "a checkpoint", row->step_id);
	checkpoint = change != NULL ? make_checkpoint(store, row) : NULL;
	if (checkpoint == NULL)
		return sb_fail_memory(err, "keep a checkpoint");
	set_checkpoint(store, change, step, checkpoint);
	return STEPBUS_OK;
}

stepbus_status sb_memory_checkpoint_read(sb_store *base, int64_t step_id, sb_checkpoint_row *out,
					 stepbus_error *err)
{
	const sb_memory_step *step = sb_memory_find(sb_memory_of(base), step_id);

	if (step == NULL || step->checkpoint == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND, "step %lld has no checkpoint",
			       (long long)step_id);
	*out = step->checkpoint->row;
	return STEPBUS_OK;
}

stepbus_status sb_memory_checkpoint_delete(sb_store *base, int64_t step_id, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_step *step = sb_memory_find(store, step_id);
	sb_memory_change *change;

	if (step == NULL || step->checkpoint == NULL)
		return STEPBUS_OK;
	change = sb_memory_change_room(store);
	if (change == NULL)
		return sb_fail_memory(err, "remove a step's checkpoint");
	set_checkpoint(store, change, step, NULL);
	return STEPBUS_OK;
}

static sb_memory_key *find_key(const sb_memory_store *store, sb_slice key)
{
	return (sb_memory_key *)(void *)sb_map_find(&store->key_map, key.data, key.len);
}

stepbus_status sb_memory_unique_find(sb_store *base, sb_slice key, int64_t *step_id,
				     stepbus_error *err)
{
	const sb_memory_key *found = find_key(sb_memory_of(base), key);

	(void)err;
	*step_id = found != NULL && !found->owner->is_deleted ? found->owner->status.id : 0;
	return STEPBUS_OK;
}

static void give_key(sb_memory_key *key, sb_memory_step *step)
{
	key->owner = step;
	key->next = step->keys;
	step->keys = key;
}

static void take_key(sb_memory_key *key)
{
	sb_memory_key **place = &key->owner->keys;

	while (*place != key)
		place = &(*place)->next;
	*place = key->next;
}

static void drop_key(sb_memory_store *store, sb_memory_key *key)
{
	take_key(key);
	sb_map_remove(&store->key_map, &key->node);
	sb_release(store->base.host, key);
}

static void undo_key_add(sb_memory_store *store, sb_memory_change *change)
{
	drop_key(store, change->object);
}

/* The key of a step that is removed stays with it until the commit: so it can go back. */
static void undo_key_move(sb_memory_store *store, sb_memory_change *change)
{
	(void)store;
	take_key(change->object);
	give_key(change->object, change->before);
}

/* NULL: out of memory. */
static sb_memory_key *add_key(sb_memory_store *store, sb_slice bytes)
{
	const sb_slice *const texts[] = { &bytes };
	sb_memory_key *key = sb_memory_block(store, sizeof *key, texts, 1);

	if (key == NULL)
		return NULL;
	key->len = bytes.len;
	sb_memory_move_text(key->bytes, &bytes);
	if (sb_map_add(&store->key_map, &key->node, key->bytes, key->len))
		return key;
	sb_release(store->base.host, key);
	return NULL;
}

stepbus_status sb_memory_unique_put(sb_store *base, sb_slice bytes, int64_t step_id,
				    stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_step *step = sb_memory_find(store, step_id);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_key *key = find_key(store, bytes);
	bool is_new = key == NULL;

	if (step == NULL)
		return fail_no_step(err, "a unique key", step_id);
	if (change != NULL && is_new)
		key = add_key(store, bytes);
	if (change == NULL || key == NULL)
		return sb_fail_memory(err, "keep a unique key");
	change->undo = is_new ? undo_key_add : undo_key_move;
	change->keep = NULL;
	change->object = key;
	change->before = is_new ? NULL : key->owner;
	sb_memory_change_note(store, change);
	if (!is_new)
		take_key(key);
	give_key(key, step);
	return STEPBUS_OK;
}

void sb_memory_step_rows_free(sb_memory_store *store, sb_memory_step *step)
{
	while (step->attempts != NULL) {
		sb_memory_attempt *next = step->attempts->next;

		sb_release(store->base.host, step->attempts);
		step->attempts = next;
	}
	sb_release(store->base.host, step->result);
	sb_release(store->base.host, step->checkpoint);
	while (step->keys != NULL)
		drop_key(store, step->keys);
}
