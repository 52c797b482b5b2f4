/* SPDX-License-Identifier: MIT */
#include "store/sqlite_workers.h"

#include <string.h>

#include "store/sqlite_statement.h"

static sb_connection *writer_of(sb_store *store)
{
	return &sb_sqlite_store_of(store)->writer;
}

stepbus_status sb_sqlite_workers_insert(sb_store *store, sb_worker_row *row, stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_WORKER_INSERT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_text(&query, 1, row->name);
	sb_query_bind_text(&query, 2, row->strategy);
	sb_query_bind_text(&query, 3, row->queues);
	sb_query_bind_text(&query, 4, row->capabilities);
	sb_query_bind_bytes(&query, 5, sb_slice_of((const char *)row->boot_id, SB_BOOT_ID_LEN));
	sb_query_bind_optional(&query, 6, row->pid);
	sb_query_bind_optional(&query, 7, row->started_at_us);
	sb_query_bind_optional(&query, 8, row->heartbeat_at_us);
	sb_query_bind_optional(&query, 9, row->lease_until_ns);
	sb_query_bind_optional(&query, 10, row->stopped_at_us);
	sb_query_bind_optional(&query, 11, row->block_size);
	sb_query_bind_optional(&query, 12, row->pool_size);
	sb_query_bind_optional(&query, 13, row->completed_count);
	sb_query_bind_optional(&query, 14, row->failed_count);
	sb_query_bind_optional(&query, 15, row->active_count);
	status = sb_query_run(&query, err);
	if (status == STEPBUS_OK)
		row->id = sqlite3_last_insert_rowid(writer->db);
	return status;
}

stepbus_status sb_sqlite_workers_update(sb_store *store, const sb_worker_row *row,
					stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_WORKER_UPDATE, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, row->id);
	sb_query_bind_optional(&query, 2, row->heartbeat_at_us);
	sb_query_bind_optional(&query, 3, row->lease_until_ns);
	sb_query_bind_optional(&query, 4, row->stopped_at_us);
	sb_query_bind_optional(&query, 5, row->completed_count);
	sb_query_bind_optional(&query, 6, row->failed_count);
	sb_query_bind_optional(&query, 7, row->active_count);
	status = sb_query_run(&query, err);
	if (status == STEPBUS_OK && sqlite3_changes(writer->db) == 0)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "cannot update worker %lld: it is stopped, or gone",
			       (long long)row->id);
	return status;
}

stepbus_status sb_sqlite_workers_delete(sb_store *store, int64_t id, stepbus_error *err)
{
	stepbus_status status = sb_query_run_id(writer_of(store), SB_SQL_SERVED_DELETE, id, err);

	return status == STEPBUS_OK ?
		       sb_query_run_id(writer_of(store), SB_SQL_WORKER_DELETE, id, err) :
		       status;
}

static void get_worker(const sb_query *query, sb_worker_row *out)
{
	sb_slice boot_id = sb_query_slice(query, 5);

	*out = (sb_worker_row){
		.id = sb_query_int(query, 0),
		.name = sb_query_slice(query, 1),
		.strategy = sb_query_slice(query, 2),
		.queues = sb_query_slice(query, 3),
		.capabilities = sb_query_slice(query, 4),
		.pid = sb_query_int(query, 6),
		.started_at_us = sb_query_int(query, 7),
		.heartbeat_at_us = sb_query_int(query, 8),
		.lease_until_ns = sb_query_int(query, 9),
		.stopped_at_us = sb_query_int(query, 10),
		.block_size = sb_query_int(query, 11),
		.pool_size = sb_query_int(query, 12),
		.completed_count = sb_query_int(query, 13),
		.failed_count = sb_query_int(query, 14),
		.active_count = sb_query_int(query, 15),
	};
	if (boot_id.len == SB_BOOT_ID_LEN)
		memcpy(out->boot_id, boot_id.data, SB_BOOT_ID_LEN);
}

typedef struct worker_walk {
	sb_worker_visit visit;
	void *context;
} worker_walk;

static bool visit_worker(void *context, const sb_query *query)
{
	const worker_walk *walk = context;
	sb_worker_row row;

	get_worker(query, &row);
	return sb_query_is_whole(query) && walk->visit(walk->context, &row);
}

stepbus_status sb_sqlite_workers_list(sb_store *store, sb_worker_visit visit, void *context,
				      stepbus_error *err)
{
	worker_walk walk = { visit, context };

	return sb_query_list(sb_sqlite_store_of(store), SB_SQL_WORKER_LIST, visit_worker, &walk,
			     err);
}

static stepbus_status insert_served(sb_connection *writer, int64_t worker_id,
				    const sb_served_row *row, stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_SERVED_INSERT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, worker_id);
	sb_query_bind_name(&query, 2, row->handler_namespace);
	sb_query_bind_name(&query, 3, row->name);
	sb_query_bind_name(&query, 4, row->version);
	return sb_query_run(&query, err);
}

stepbus_status sb_sqlite_workers_served_put(sb_store *store, int64_t worker_id,
					    const sb_served_row *rows, size_t count,
					    stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	stepbus_status status = sb_query_run_id(writer, SB_SQL_SERVED_DELETE, worker_id, err);

	for (size_t i = 0; i < count && status == STEPBUS_OK; i++)
		status = insert_served(writer, worker_id, &rows[i], err);
	return status;
}

typedef struct served_walk {
	sb_served_visit visit;
	void *context;
} served_walk;

static bool visit_served(void *context, const sb_query *query)
{
	const served_walk *walk = context;
	sb_served_row row = { sb_query_int(query, 0), sb_query_slice(query, 1),
			      sb_query_slice(query, 2), sb_query_slice(query, 3) };

	return sb_query_is_whole(query) && walk->visit(walk->context, &row);
}

stepbus_status sb_sqlite_workers_served_list(sb_store *store, sb_served_visit visit, void *context,
					     stepbus_error *err)
{
	served_walk walk = { visit, context };

	return sb_query_list(sb_sqlite_store_of(store), SB_SQL_SERVED_LIST, visit_served, &walk,
			     err);
}
