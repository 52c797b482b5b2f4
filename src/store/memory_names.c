/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

static void *name_at(const sb_memory_names *names, int64_t id)
{
	return id > 0 && (uint64_t)id <= names->count ? names->array[id - 1] : NULL;
}

sb_memory_queue *sb_memory_queue_of(const sb_memory_store *store, int64_t id)
{
	return name_at(&store->queues, id);
}

sb_memory_handler *sb_memory_handler_of(const sb_memory_store *store, int64_t id)
{
	return name_at(&store->handlers, id);
}

/* Makes room for one more. False: out of memory. */
static bool make_room(sb_memory_store *store, sb_memory_names *names)
{
	size_t room = names->room > 0 ? names->room * 2 : 16;
	void **array;

	if (names->count < names->room)
		return true;
	array = sb_alloc_array(store->base.host, room, sizeof *array);
	if (array == NULL)
		return false;
	if (names->count > 0)
		memcpy(array, names->array, names->count * sizeof *array);
	sb_release(store->base.host, names->array);
	names->array = array;
	names->room = room;
	return true;
}

static void undo_queue(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_queue *queue = change->object;

	sb_map_remove(&store->queue_map, &queue->node);
	store->queues.array[queue->row.id - 1] = NULL;
	sb_release(store->base.host, queue);
}

static sb_memory_queue *find_queue(const sb_memory_store *store, sb_slice name)
{
	return (sb_memory_queue *)(void *)sb_map_find(&store->queue_map, name.data, name.len);
}

static sb_memory_queue *add_queue(sb_memory_store *store, sb_slice name)
{
	sb_memory_change *change = sb_memory_change_room(store);
	const sb_slice *const texts[] = { &name };
	sb_memory_queue *queue;

	if (change == NULL || !make_room(store, &store->queues))
		return NULL;
	queue = sb_memory_block(store, sizeof *queue, texts, 1);
	if (queue == NULL)
		return NULL;
	queue->row.name = name;
	sb_memory_move_text(queue->name, &queue->row.name);
	if (!sb_map_add(&store->queue_map, &queue->node, queue->name, name.len)) {
		sb_release(store->base.host, queue);
		return NULL;
	}
	store->queues.array[store->queues.count++] = queue;
	queue->row.id = (int64_t)store->queues.count;
	change->undo = undo_queue;
	change->keep = NULL;
	change->object = queue;
	sb_memory_change_note(store, change);
	return queue;
}

stepbus_status sb_memory_queue_intern(sb_store *base, sb_slice name, int64_t *id,
				      stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_queue *queue = find_queue(store, name);

	if (queue == NULL)
		queue = add_queue(store, name);
	if (queue == NULL)
		return sb_fail_memory(err, "add a queue");
	*id = queue->row.id;
	return STEPBUS_OK;
}

static stepbus_status fail_no_queue(stepbus_error *err, int64_t id)
{
	return sb_fail(err, STEPBUS_ENOTFOUND, "there is no queue %lld", (long long)id);
}

stepbus_status sb_memory_queue_read(sb_store *base, int64_t id, sb_queue_row *out,
				    stepbus_error *err)
{
	const sb_memory_queue *queue = sb_memory_queue_of(sb_memory_of(base), id);

	if (queue == NULL)
		return fail_no_queue(err, id);
	*out = queue->row;
	return STEPBUS_OK;
}

static void undo_queue_write(sb_memory_store *store, sb_memory_change *change)
{
	(void)store;
	((sb_memory_queue *)change->object)->row = change->queue;
}

stepbus_status sb_memory_queue_write(sb_store *base, const sb_queue_row *row, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_queue *queue = sb_memory_queue_of(store, row->id);
	sb_memory_change *change = sb_memory_change_room(store);
	sb_slice name;

	if (queue == NULL)
		return fail_no_queue(err, row->id);
	if (change == NULL)
		return sb_fail_memory(err, "change a queue");
	change->undo = undo_queue_write;
	change->keep = NULL;
	change->object = queue;
	change->queue = queue->row;
	sb_memory_change_note(store, change);
	name = queue->row.name;
	queue->row = *row;
	queue->row.name = name;
	return STEPBUS_OK;
}

stepbus_status sb_memory_queue_list(sb_store *base, sb_queue_visit visit, void *context,
				    stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);

	(void)err;
	for (size_t i = 0; i < store->queues.count; i++) {
		const sb_memory_queue *queue = store->queues.array[i];

		if (queue != NULL && !visit(context, &queue->row))
			break;
	}
	sb_memory_read_end(store, is_locked);
	return STEPBUS_OK;
}

stepbus_status sb_memory_queue_find(sb_store *base, sb_slice name, int64_t *id, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);
	const sb_memory_queue *queue = find_queue(store, name);

	if (queue != NULL)
		*id = queue->row.id;
	sb_memory_read_end(store, is_locked);
	if (queue == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no queue '%.*s'",
			       (int)(name.len < 200 ? name.len : 200), name.data);
	return STEPBUS_OK;
}

/* A family's key is the length of its namespace, the namespace and the name. */
static size_t family_len(const sb_handler_row *handler)
{
	return sizeof(size_t) + handler->handler_namespace.len + handler->name.len;
}

static void write_family_key(char *to, const sb_handler_row *handler)
{
	sb_slice texts[] = { handler->handler_namespace, handler->name };

	memcpy(to, &texts[0].len, sizeof texts[0].len);
	to = sb_memory_move_text(to + sizeof texts[0].len, &texts[0]);
	sb_memory_move_text(to, &texts[1]);
}

static bool is_family(const char *bytes, const void *wanted)
{
	const sb_handler_row *handler = wanted;
	size_t namespace_len;

	memcpy(&namespace_len, bytes, sizeof namespace_len);
	bytes += sizeof namespace_len;
	return namespace_len == handler->handler_namespace.len &&
	       sb_slice_is_equal(sb_slice_of(bytes, namespace_len), handler->handler_namespace) &&
	       sb_slice_is_equal(sb_slice_of(bytes + namespace_len, handler->name.len),
				 handler->name);
}

static uint64_t family_hash(const sb_memory_store *store, const sb_handler_row *handler)
{
	const sb_hash_key *key = &store->family_map.key;
	uint64_t state = sb_hash_part(key, 0, handler->handler_namespace.data,
				      handler->handler_namespace.len) ^
			 sb_hash_part(key, 1, handler->name.data, handler->name.len);

	return sb_hash_end(key, state, handler->handler_namespace.len);
}

static sb_memory_family *find_family(const sb_memory_store *store, const sb_handler_row *handler)
{
	return (sb_memory_family *)(void *)sb_map_find_match(
		&store->family_map, family_hash(store, handler), family_len(handler), is_family,
		handler);
}

static sb_memory_family *ensure_family(sb_memory_store *store, const sb_handler_row *handler)
{
	sb_memory_family *family = find_family(store, handler);
	size_t len = family_len(handler);

	if (family != NULL)
		return family;
	family = sb_alloc(store->base.host, sizeof *family + len);
	if (family == NULL)
		return NULL;
	write_family_key(family->key, handler);
	if (sb_map_add_hashed(&store->family_map, &family->node, family->key, len,
			      family_hash(store, handler)))
		return family;
	sb_release(store->base.host, family);
	return NULL;
}

static void drop_family_if_empty(sb_memory_store *store, sb_memory_family *family)
{
	if (family == NULL || family->handlers != NULL)
		return;
	sb_map_remove(&store->family_map, &family->node);
	sb_release(store->base.host, family);
}

static void undo_handler(sb_memory_store *store, sb_memory_change *change)
{
	sb_memory_handler *handler = change->object;
	sb_memory_handler **place = &handler->family->handlers;

	while (*place != handler)
		place = &(*place)->next;
	*place = handler->next;
	store->handlers.array[handler->row.id - 1] = NULL;
	drop_family_if_empty(store, handler->family);
	sb_release(store->base.host, handler);
}

static sb_memory_handler *make_handler(sb_memory_store *store, const sb_handler_row *row)
{
	const sb_slice *const texts[] = { &row->handler_namespace, &row->name, &row->version };
	sb_memory_handler *handler = sb_memory_block(store, sizeof *handler, texts, 3);
	char *next;

	if (handler == NULL)
		return NULL;
	handler->row = *row;
	handler->row.recorded_at_us = 0;
	next = sb_memory_move_text(handler->texts, &handler->row.handler_namespace);
	next = sb_memory_move_text(next, &handler->row.name);
	sb_memory_move_text(next, &handler->row.version);
	return handler;
}

static sb_memory_handler *add_handler(sb_memory_store *store, const sb_handler_row *row)
{
	sb_memory_change *change = sb_memory_change_room(store);
	sb_memory_family *family = NULL;
	sb_memory_handler *handler = NULL;

	if (change != NULL && make_room(store, &store->handlers))
		handler = make_handler(store, row);
	if (handler != NULL)
		family = ensure_family(store, row);
	if (family == NULL) {
		sb_release(store->base.host, handler);
		return NULL;
	}
	handler->family = family;
	handler->next = family->handlers;
	family->handlers = handler;
	store->handlers.array[store->handlers.count++] = handler;
	handler->row.id = (int64_t)store->handlers.count;
	change->undo = undo_handler;
	change->keep = NULL;
	change->object = handler;
	sb_memory_change_note(store, change);
	return handler;
}

static sb_memory_handler *ensure_handler(sb_memory_store *store, const sb_handler_row *row)
{
	const sb_memory_family *family = find_family(store, row);
	sb_memory_handler *handler = family != NULL ? family->handlers : NULL;

	while (handler != NULL && !sb_slice_is_equal(handler->row.version, row->version))
		handler = handler->next;
	return handler != NULL ? handler : add_handler(store, row);
}

stepbus_status sb_memory_handler_intern(sb_store *base, const sb_handler_row *row, int64_t *id,
					stepbus_error *err)
{
	const sb_memory_handler *handler = ensure_handler(sb_memory_of(base), row);

	if (handler == NULL)
		return sb_fail_memory(err, "add a handler");
	*id = handler->row.id;
	return STEPBUS_OK;
}

stepbus_status sb_memory_handler_read(sb_store *base, int64_t id, sb_handler_row *out,
				      stepbus_error *err)
{
	const sb_memory_handler *handler = sb_memory_handler_of(sb_memory_of(base), id);

	if (handler == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no handler %lld", (long long)id);
	*out = handler->row;
	return STEPBUS_OK;
}

static void undo_record(sb_memory_store *store, sb_memory_change *change)
{
	(void)store;
	((sb_memory_handler *)change->object)->row.recorded_at_us = 0;
}

stepbus_status sb_memory_handler_record(sb_store *base, const sb_handler_row *row,
					stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	sb_memory_handler *handler = ensure_handler(store, row);
	sb_memory_change *change = handler != NULL ? sb_memory_change_room(store) : NULL;

	if (change == NULL)
		return sb_fail_memory(err, "record a handler");
	if (handler->row.recorded_at_us != 0)
		return STEPBUS_OK;
	handler->row.recorded_at_us = row->recorded_at_us;
	change->undo = undo_record;
	change->keep = NULL;
	change->object = handler;
	sb_memory_change_note(store, change);
	return STEPBUS_OK;
}

stepbus_status sb_memory_handler_is_recorded(sb_store *base, const sb_handler_row *row, bool *out,
					     stepbus_error *err)
{
	const sb_memory_family *family = find_family(sb_memory_of(base), row);
	const sb_memory_handler *handler = family != NULL ? family->handlers : NULL;

	(void)err;
	while (handler != NULL && handler->row.recorded_at_us == 0)
		handler = handler->next;
	*out = handler != NULL;
	return STEPBUS_OK;
}

void sb_memory_names_free(sb_memory_store *store)
{
	for (size_t i = store->queues.count; i > 0; i--)
		if (store->queues.array[i - 1] != NULL)
			undo_queue(store,
				   &(sb_memory_change){ .object = store->queues.array[i - 1] });
	for (size_t i = store->handlers.count; i > 0; i--)
		if (store->handlers.array[i - 1] != NULL)
			undo_handler(store,
				     &(sb_memory_change){ .object = store->handlers.array[i - 1] });
	sb_release(store->base.host, store->queues.array);
	sb_release(store->base.host, store->handlers.array);
}
