/* SPDX-License-Identifier: MIT */
#include "handlers/names.h"

enum { HANDLER_KEY_LEN_MAX = 3 * 128 + 2 };

/* One name, in two maps: by its bytes and by its number. node is first, as maps want it. */
typedef struct sb_name_node {
	sb_map_node by_name;
	struct number_node {
		sb_map_node node;
		struct sb_name_node *owner;
	} by_id;
	struct sb_name_node *next_fresh;
	bool is_handler;
	sb_known_handler handler; /* of a queue only the id is used */
	size_t key_len;
	char key[]; /* a queue's name; or namespace NUL name NUL version */
} name_node;

stepbus_status sb_names_init(sb_names *names, const stepbus_host *host, stepbus_error *err)
{
	stepbus_status status = sb_map_init(&names->queues, host, err);

	names->host = host;
	names->fresh = NULL;
	if (status == STEPBUS_OK)
		status = sb_map_init(&names->queues_by_id, host, err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&names->handlers, host, err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&names->handlers_by_id, host, err);
	return status;
}

static sb_map *map_by_name(sb_names *names, const name_node *node)
{
	return node->is_handler ? &names->handlers : &names->queues;
}

static sb_map *map_by_id(sb_names *names, const name_node *node)
{
	return node->is_handler ? &names->handlers_by_id : &names->queues_by_id;
}

static void drop(sb_names *names, name_node *node)
{
	sb_map_remove(map_by_name(names, node), &node->by_name);
	sb_map_remove(map_by_id(names, node), &node->by_id.node);
	sb_release(names->host, node);
}

static void drop_all(sb_names *names, sb_map *map)
{
	sb_map_node *node;

	while ((node = sb_map_first(map)) != NULL)
		drop(names, (name_node *)(void *)node);
}

void sb_names_free(sb_names *names)
{
	drop_all(names, &names->queues);
	drop_all(names, &names->handlers);
}

void sb_names_keep(sb_names *names)
{
	names->fresh = NULL;
}

void sb_names_forget(sb_names *names)
{
	while (names->fresh != NULL) {
		name_node *node = names->fresh;

		names->fresh = node->next_fresh;
		drop(names, node);
	}
}

/* Puts a name with its number into both maps. NULL: out of memory. */
static name_node *learn(sb_names *names, bool is_handler, sb_slice key, int64_t id)
{
	name_node *node = sb_alloc(names->host, sizeof *node + key.len + 1);

	if (node == NULL)
		return NULL;
	node->is_handler = is_handler;
	node->handler.id = id;
	node->by_id.owner = node;
	node->key_len = key.len;
	memcpy(node->key, key.data, key.len);
	if (!sb_map_add(map_by_name(names, node), &node->by_name, node->key, key.len)) {
		sb_release(names->host, node);
		return NULL;
	}
	if (!sb_map_add(map_by_id(names, node), &node->by_id.node, &node->handler.id, sizeof id)) {
		sb_map_remove(map_by_name(names, node), &node->by_name);
		sb_release(names->host, node);
		return NULL;
	}
	node->next_fresh = names->fresh;
	names->fresh = node;
	return node;
}

static name_node *find_by_id(const sb_map *map, int64_t id)
{
	sb_map_node *found = sb_map_find(map, &id, sizeof id);

	return found != NULL ? ((struct number_node *)(void *)found)->owner : NULL;
}

static stepbus_status fail_memory(stepbus_error *err)
{
	return sb_fail_memory(err, "remember a name");
}

stepbus_status sb_names_queue(sb_names *names, sb_store *store, sb_slice name, int64_t *id,
			      stepbus_error *err)
{
	const name_node *node =
		(const name_node *)(const void *)sb_map_find(&names->queues, name.data, name.len);
	stepbus_status status = STEPBUS_OK;

	if (node == NULL) {
		status = store->type->queue_intern(store, name, id, err);
		if (status != STEPBUS_OK)
			return status;
		node = learn(names, false, name, *id);
	}
	if (node == NULL)
		return fail_memory(err);
	*id = node->handler.id;
	return STEPBUS_OK;
}

/* Where the parts of a handler's key lie in it. */
static void point_into_key(name_node *node, size_t namespace_len, size_t name_len)
{
	sb_handler_row *row = &node->handler.row;

	row->id = node->handler.id;
	row->handler_namespace = sb_slice_of(node->key, namespace_len);
	row->name = sb_slice_of(node->key + namespace_len + 1, name_len);
	row->version = sb_slice_of(node->key + namespace_len + name_len + 2,
				   node->key_len - namespace_len - name_len - 2);
}

static name_node *learn_handler(sb_names *names, const sb_handler_row *row, sb_slice key,
				int64_t id)
{
	name_node *node = learn(names, true, key, id);

	if (node != NULL)
		point_into_key(node, row->handler_namespace.len, row->name.len);
	return node;
}

static bool append(char *key, size_t *len, sb_slice part)
{
	if (part.len > HANDLER_KEY_LEN_MAX - *len)
		return false;
	if (part.len > 0)
		memcpy(key + *len, part.data, part.len);
	*len += part.len;
	return true;
}

static bool compose(const sb_handler_row *row, char key[HANDLER_KEY_LEN_MAX], size_t *len)
{
	static const sb_slice separator = { "", 1 };

	*len = 0;
	return append(key, len, row->handler_namespace) && append(key, len, separator) &&
	       append(key, len, row->name) && append(key, len, separator) &&
	       append(key, len, row->version);
}

stepbus_status sb_names_handler(sb_names *names, sb_store *store, const sb_handler_row *row,
				int64_t *id, stepbus_error *err)
{
	char key[HANDLER_KEY_LEN_MAX];
	size_t len;
	const name_node *node;
	stepbus_status status;

	if (!compose(row, key, &len))
		return sb_fail(err, STEPBUS_EINVAL, "the name of the handler is too long");
	node = (const name_node *)(const void *)sb_map_find(&names->handlers, key, len);
	if (node == NULL) {
		status = store->type->handler_intern(store, row, id, err);
		if (status != STEPBUS_OK)
			return status;
		node = learn_handler(names, row, sb_slice_of(key, len), *id);
	}
	if (node == NULL)
		return fail_memory(err);
	*id = node->handler.id;
	return STEPBUS_OK;
}

stepbus_status sb_names_queue_of(sb_names *names, sb_store *store, int64_t id, sb_slice *name,
				 stepbus_error *err)
{
	const name_node *node = find_by_id(&names->queues_by_id, id);
	sb_queue_row row;
	stepbus_status status;

	if (node == NULL) {
		status = store->type->queue_read(store, id, &row, err);
		if (status != STEPBUS_OK)
			return status;
		node = learn(names, false, row.name, id);
	}
	if (node == NULL)
		return fail_memory(err);
	*name = sb_slice_of(node->key, node->key_len);
	return STEPBUS_OK;
}

stepbus_status sb_names_handler_of(sb_names *names, sb_store *store, int64_t id,
				   sb_known_handler **out, stepbus_error *err)
{
	char key[HANDLER_KEY_LEN_MAX];
	name_node *node = find_by_id(&names->handlers_by_id, id);
	sb_handler_row row;
	size_t len;
	stepbus_status status;

	if (node == NULL) {
		status = store->type->handler_read(store, id, &row, err);
		if (status != STEPBUS_OK)
			return status;
		if (!compose(&row, key, &len))
			return sb_fail(err, STEPBUS_ECORRUPT,
				       "handler %lld of the store has a name that is too long",
				       (long long)id);
		node = learn_handler(names, &row, sb_slice_of(key, len), id);
	}
	if (node == NULL)
		return fail_memory(err);
	*out = &node->handler;
	return STEPBUS_OK;
}
