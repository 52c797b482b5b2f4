/* SPDX-License-Identifier: MIT */
#include "store/sqlite_names.h"

static sb_connection *writer_of(sb_store *store)
{
	return &sb_sqlite_store_of(store)->writer;
}

static void get_queue(const sb_query *query, sb_queue_row *out)
{
	out->id = sb_query_int(query, 0);
	out->name = sb_query_slice(query, 1);
	out->paused_at_us = sb_query_int(query, 2);
	out->concurrency_max = sb_query_uint32(query, 3);
	out->key_concurrency_max = sb_query_uint32(query, 4);
	out->rate_count = sb_query_uint32(query, 5);
	out->rate_period_us = sb_query_int(query, 6);
	out->rate_room_micro = sb_query_int(query, 7);
	out->rate_at_us = sb_query_int(query, 8);
}

void sb_sqlite_names_handler_get(const sb_query *query, int column, sb_handler_row *out)
{
	out->id = sb_query_int(query, column);
	out->handler_namespace = sb_query_slice(query, column + 1);
	out->name = sb_query_slice(query, column + 2);
	out->version = sb_query_slice(query, column + 3);
	out->recorded_at_us = sb_query_int(query, column + 4);
}

static void bind_handler(sb_query *query, const sb_handler_row *handler)
{
	sb_query_bind_name(query, 1, handler->handler_namespace);
	sb_query_bind_name(query, 2, handler->name);
	sb_query_bind_name(query, 3, handler->version);
}

/* The number in the first row, or 0 where there is none. */
static stepbus_status read_id(sb_query *query, int64_t *id, stepbus_error *err)
{
	bool has_row;
	stepbus_status status = sb_query_step(query, &has_row, err);

	*id = 0;
	if (status != STEPBUS_OK || !has_row)
		return status;
	*id = sb_query_int(query, 0);
	sb_query_close(query);
	return STEPBUS_OK;
}

static stepbus_status find_queue(sb_connection *connection, sb_slice name, int64_t *id,
				 stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(connection, SB_SQL_QUEUE_FIND, &query, err);

	*id = 0;
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_name(&query, 1, name);
	return read_id(&query, id, err);
}

stepbus_status sb_sqlite_names_queue_intern(sb_store *store, sb_slice name, int64_t *id,
					    stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = find_queue(writer, name, id, err);

	if (status != STEPBUS_OK || *id != 0)
		return status;
	status = sb_query_open(writer, SB_SQL_QUEUE_INSERT, &query, err);
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_name(&query, 1, name);
	status = sb_query_run(&query, err);
	if (status == STEPBUS_OK)
		*id = sqlite3_last_insert_rowid(writer->db);
	return status;
}

stepbus_status sb_sqlite_names_handler_intern(sb_store *store, const sb_handler_row *handler,
					      int64_t *id, stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_HANDLER_FIND, &query, err);

	*id = 0;
	if (status != STEPBUS_OK)
		return status;
	bind_handler(&query, handler);
	status = read_id(&query, id, err);
	if (status != STEPBUS_OK || *id != 0)
		return status;
	status = sb_query_open(writer, SB_SQL_HANDLER_INSERT, &query, err);
	if (status != STEPBUS_OK)
		return status;
	bind_handler(&query, handler);
	status = sb_query_run(&query, err);
	if (status == STEPBUS_OK)
		*id = sqlite3_last_insert_rowid(writer->db);
	return status;
}

stepbus_status sb_sqlite_names_queue_read(sb_store *store, int64_t id, sb_queue_row *out,
					  stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_QUEUE_READ, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, id);
	status = sb_query_find(&query, "queue", id, err);
	if (status != STEPBUS_OK)
		return status;
	get_queue(&query, out);
	return sb_query_keep(&query, err);
}

stepbus_status sb_sqlite_names_handler_read(sb_store *store, int64_t id, sb_handler_row *out,
					    stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_HANDLER_READ, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, id);
	status = sb_query_find(&query, "handler", id, err);
	if (status != STEPBUS_OK)
		return status;
	sb_sqlite_names_handler_get(&query, 0, out);
	return sb_query_keep(&query, err);
}

stepbus_status sb_sqlite_names_handler_record(sb_store *store, const sb_handler_row *handler,
					      stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_HANDLER_RECORD, &query, err);

	if (status != STEPBUS_OK)
		return status;
	bind_handler(&query, handler);
	sb_query_bind_optional(&query, 4, handler->recorded_at_us);
	return sb_query_run(&query, err);
}

stepbus_status sb_sqlite_names_handler_is_recorded(sb_store *store, const sb_handler_row *handler,
						   bool *out, stepbus_error *err)
{
	int64_t is_there = 0;
	sb_query query;
	stepbus_status status =
		sb_query_open(writer_of(store), SB_SQL_HANDLER_IS_RECORDED, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_name(&query, 1, handler->handler_namespace);
	sb_query_bind_name(&query, 2, handler->name);
	status = read_id(&query, &is_there, err);
	*out = is_there != 0;
	return status;
}

stepbus_status sb_sqlite_names_queue_write(sb_store *store, const sb_queue_row *row,
					   stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_QUEUE_WRITE, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, row->id);
	sb_query_bind_optional(&query, 2, row->paused_at_us);
	sb_query_bind_optional(&query, 3, row->concurrency_max);
	sb_query_bind_optional(&query, 4, row->key_concurrency_max);
	sb_query_bind_optional(&query, 5, row->rate_count);
	sb_query_bind_optional(&query, 6, row->rate_period_us);
	sb_query_bind_optional(&query, 7, row->rate_room_micro);
	sb_query_bind_optional(&query, 8, row->rate_at_us);
	status = sb_query_run(&query, err);
	if (status == STEPBUS_OK && sqlite3_changes(writer->db) == 0)
		return sb_fail(err, STEPBUS_ENOTFOUND, "cannot change queue %lld: there is none",
			       (long long)row->id);
	return status;
}

typedef struct queue_walk {
	sb_queue_visit visit;
	void *context;
} queue_walk;

static bool visit_queue(void *context, const sb_query *query)
{
	const queue_walk *walk = context;
	sb_queue_row row;

	get_queue(query, &row);
	return sb_query_is_whole(query) && walk->visit(walk->context, &row);
}

stepbus_status sb_sqlite_names_queue_list(sb_store *store, sb_queue_visit visit, void *context,
					  stepbus_error *err)
{
	queue_walk walk = { visit, context };

	return sb_query_list(sb_sqlite_store_of(store), SB_SQL_QUEUE_LIST, visit_queue, &walk, err);
}

stepbus_status sb_sqlite_names_queue_find(sb_store *base, sb_slice name, int64_t *id,
					  stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	sb_connection *connection = sb_sqlite_enter_reader(store);
	stepbus_status status = find_queue(connection, name, id, err);

	sb_sqlite_leave(store, connection);
	if (status == STEPBUS_OK && *id == 0)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no queue '%.*s'", (int)name.len,
			       name.len > 0 ? name.data : "");
	return status;
}
