/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

static sb_memory_worker *find_worker(const sb_memory_store *store, int64_t id)
{
	const sb_order_key key = { id, 0, 0 };
	sb_order_node *node = sb_order_from(&store->workers, &key);

	return node != NULL && node->key.first == id ?
		       SB_ORDER_OWNER(node, sb_memory_worker, node) :
		       NULL;
}

static void free_worker(sb_memory_store *store, sb_memory_worker *worker)
{
	sb_release(store->base.host, worker->served);
	sb_release(store->base.host, worker);
}

static sb_memory_worker *make_worker(sb_memory_store *store, const sb_worker_row *row)
{
	const sb_slice *const texts[] = { &row->name, &row->strategy, &row->queues,
					  &row->capabilities };
	sb_memory_worker *worker = sb_memory_block(store, sizeof *worker, texts, 4);
	char *next;

	if (worker == NULL)
		return NULL;
	worker->row = *row;
	next = sb_memory_move_text(worker->texts, &worker->row.name);
	next = sb_memory_move_text(next, &worker->row.strategy);
	next = sb_memory_move_text(next, &worker->row.queues);
	sb_memory_move_text(next, &worker->row.capabilities);
	return worker;
}

static void undo_worker_insert(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_worker *worker = change->object;

	sb_order_remove(&store->workers, &worker->node);
	free_worker(store, worker);
}

stepbus_status sb_memory_worker_insert(sb_store *base, sb_worker_row *row, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_worker *worker = change != NULL ? make_worker(store, row) : NULL;

	if (worker == NULL)
		return sb_fail_memory(err, "add a worker");
	row->id = ++store->last_worker_id;
	worker->row.id = row->id;
	worker->node.key.first = row->id;
	sb_order_add(&store->workers, &worker->node);
	change->undo = undo_worker_insert;
	change->keep = NULL;
	change->object = worker;
	sb_memory_change_note(store, change);
	return STEPBUS_OK;
}

static void write_worker(sb_worker_row *to, const sb_worker_row *from)
{
	to->heartbeat_at_us = from->heartbeat_at_us;
	to->lease_until_ns = from->lease_until_ns;
	to->stopped_at_us = from->stopped_at_us;
	to->completed_count = from->completed_count;
	to->failed_count = from->failed_count;
	to->active_count = from->active_count;
}

static void keep_before(sb_memory_store *store, sb_memory_change *change)
{
	sb_release(store->base.host, change->before);
}

static void undo_worker_update(sb_memory_store *store, sb_memory_change *change)
{
	write_worker(&((sb_memory_worker *)change->object)->row, change->before);
	sb_release(store->base.host, change->before);
}

stepbus_status sb_memory_worker_update(sb_store *base, const sb_worker_row *row, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_worker *worker = find_worker(store, row->id);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_worker_row *before;

	if (worker == NULL || worker->row.stopped_at_us != 0)
		return sb_fail(err, STEPBUS_ENOTFOUND, "worker %lld is stopped, or gone",
			       (long long)row->id);
	before = change != NULL ? sb_alloc(base->host, sizeof *before) : NULL;
	if (before == NULL)
		return sb_fail_memory(err, "write down a worker's heartbeat");
	*before = worker->row;
	change->undo = undo_worker_update;
	change->keep = keep_before;
	change->object = worker;
	change->before = before;
	sb_memory_change_note(store, change);
	write_worker(&worker->row, row);
	return STEPBUS_OK;
}

static void undo_worker_delete(sb_memory_store *store, sb_memory_change *change)
{
	sb_order_add(&store->workers, &((sb_memory_worker *)change->object)->node);
}

static void keep_worker_delete(sb_memory_store *store, sb_memory_change *change)
{
	free_worker(store, change->object);
}

stepbus_status sb_memory_worker_delete(sb_store *base, int64_t id, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_worker *worker = find_worker(store, id);
	sb_memory_change *change = sb_memory_change_room(store);

	if (worker == NULL)
		return STEPBUS_OK;
	if (change == NULL)
		return sb_fail_memory(err, "remove a worker");
	sb_order_remove(&store->workers, &worker->node);
	change->undo = undo_worker_delete;
	change->keep = keep_worker_delete;
	change->object = worker;
	sb_memory_change_note(store, change);
	return STEPBUS_OK;
}

stepbus_status sb_memory_worker_list(sb_store *base, sb_worker_visit visit, void *context,
				     stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);
	sb_order_node *node = sb_order_first(&store->workers);

	(void)err;
	while (node != NULL && visit(context, &SB_ORDER_OWNER(node, sb_memory_worker, node)->row))
		node = sb_order_next(node);
	sb_memory_read_end(store, is_locked);
	return STEPBUS_OK;
}

/* False where that is more than can be. */
static bool add_served_len(const sb_served_row *row, size_t *len)
{
	const size_t lens[] = { sizeof *row, row->handler_namespace.len, row->name.len,
				row->version.len };

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		if (lens[i] > SIZE_MAX - *len)
			return false;
		*len += lens[i];
	}
	return true;
}

static sb_memory_served *make_served(sb_memory_store *store, int64_t worker_id,
				     const sb_served_row *rows, size_t count)
{
	size_t len = sizeof(sb_memory_served);
	sb_memory_served *served;
	char *next;

	for (size_t i = 0; i < count; i++)
		if (!add_served_len(&rows[i], &len))
			return NULL;
	served = sb_alloc(store->base.host, len);
	if (served == NULL)
		return NULL;
	served->count = count;
	next = (char *)(served->rows + count);
	for (size_t i = 0; i < count; i++) {
		served->rows[i] = rows[i];
		served->rows[i].worker_id = worker_id;
		next = sb_memory_move_text(next, &served->rows[i].handler_namespace);
		next = sb_memory_move_text(next, &served->rows[i].name);
		next = sb_memory_move_text(next, &served->rows[i].version);
	}
	return served;
}

static void undo_served(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_worker *worker = change->object;

	sb_release(store->base.host, worker->served);
	worker->served = change->before;
}

stepbus_status sb_memory_served_put(sb_store *base, int64_t worker_id, const sb_served_row *rows,
				    size_t count, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_worker *worker = find_worker(store, worker_id);
	sb_memory_change *change;
	sb_memory_served *served;

	if (worker == NULL)
		return STEPBUS_OK;
	change = sb_memory_change_room(store);
	served = change != NULL ? make_served(store, worker_id, rows, count) : NULL;
	if (served == NULL)
		return sb_fail_memory(err, "write down what a worker serves");
	change->undo = undo_served;
	change->keep = keep_before;
	change->object = worker;
	change->before = worker->served;
	sb_memory_change_note(store, change);
	worker->served = served;
	return STEPBUS_OK;
}

static bool visit_served(const sb_memory_worker *worker, sb_served_visit visit, void *context)
{
	const sb_memory_served *served = worker->row.stopped_at_us == 0 ? worker->served : NULL;

	for (size_t i = 0; served != NULL && i < served->count; i++)
		if (!visit(context, &served->rows[i]))
			return false;
	return true;
}

stepbus_status sb_memory_served_list(sb_store *base, sb_served_visit visit, void *context,
				     stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);
	sb_order_node *node = sb_order_first(&store->workers);

	(void)err;
	while (node != NULL &&
	       visit_served(SB_ORDER_OWNER(node, sb_memory_worker, node), visit, context))
		node = sb_order_next(node);
	sb_memory_read_end(store, is_locked);
	return STEPBUS_OK;
}

static int compare_names(sb_slice a, sb_slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The place of a cron's name, or where it belongs. */
static sb_memory_cron **cron_place(sb_memory_store *store, sb_slice name, bool *is_there)
{
	sb_memory_cron **place = &store->crons;
	int order = 1;

	while (*place != NULL && (order = compare_names(name, (*place)->row.name)) > 0)
		place = &(*place)->next;
	*is_there = *place != NULL && order == 0;
	return place;
}

/* Puts one in the place of another of that name; either may be NULL. */
static void swap_crons(sb_memory_store *store, sb_slice name, sb_memory_cron *after)
{
	bool is_there;
	sb_memory_cron **place = cron_place(store, name, &is_there);
	sb_memory_cron *next = is_there ? (*place)->next : *place;

	if (after != NULL)
		after->next = next;
	*place = after != NULL ? after : next;
}

static void undo_cron_put(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_cron *cron = change->object;

	swap_crons(store, cron->row.name, change->before);
	sb_release(store->base.host, cron);
}

static void undo_cron_delete(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_cron *cron = change->before;

	swap_crons(store, cron->row.name, cron);
}

static sb_memory_cron *make_cron(sb_memory_store *store, const sb_cron_row *row)
{
	const sb_slice *const texts[] = { &row->name, &row->expression, &row->zone, &row->step,
					  &row->catch_up };
	sb_memory_cron *cron = sb_memory_block(store, sizeof *cron, texts, 5);
	char *next;

	if (cron == NULL)
		return NULL;
	cron->row = *row;
	next = sb_memory_move_text(cron->texts, &cron->row.name);
	next = sb_memory_move_text(next, &cron->row.expression);
	next = sb_memory_move_text(next, &cron->row.zone);
	next = sb_memory_move_text(next, &cron->row.step);
	sb_memory_move_text(next, &cron->row.catch_up);
	return cron;
}

stepbus_status sb_memory_cron_put(sb_store *base, const sb_cron_row *row, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_cron *cron = change != NULL ? make_cron(store, row) : NULL;
	sb_memory_cron *before;
	bool is_there;

	if (cron == NULL)
		return sb_fail_memory(err, "keep a cron");
	before = *cron_place(store, row->name, &is_there);
	change->undo = undo_cron_put;
	change->keep = keep_before;
	change->object = cron;
	change->before = is_there ? before : NULL;
	sb_memory_change_note(store, change);
	swap_crons(store, row->name, cron);
	return STEPBUS_OK;
}

stepbus_status sb_memory_cron_delete(sb_store *base, sb_slice name, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_cron *cron;
	bool is_there;

	cron = *cron_place(store, name, &is_there);
	if (!is_there)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no cron '%.*s'",
			       (int)(name.len < 200 ? name.len : 200), name.data);
	if (change == NULL)
		return sb_fail_memory(err, "remove a cron");
	change->undo = undo_cron_delete;
	change->keep = keep_before;
	change->before = cron;
	sb_memory_change_note(store, change);
	swap_crons(store, name, NULL);
	return STEPBUS_OK;
}

stepbus_status sb_memory_cron_list(sb_store *base, sb_cron_visit visit, void *context,
				   stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);
	const sb_memory_cron *cron = store->crons;

	(void)err;
	while (cron != NULL && visit(context, &cron->row))
		cron = cron->next;
	sb_memory_read_end(store, is_locked);
	return STEPBUS_OK;
}

void sb_memory_workers_free(sb_memory_store *store)
{
	sb_order_node *node;

	while ((node = sb_order_first(&store->workers)) != NULL)
		undo_worker_insert(
			store, &(sb_memory_change){
				       .object = SB_ORDER_OWNER(node, sb_memory_worker, node) });
	while (store->crons != NULL) {
		sb_memory_cron *next = store->crons->next;

		sb_release(store->base.host, store->crons);
		store->crons = next;
	}
}
