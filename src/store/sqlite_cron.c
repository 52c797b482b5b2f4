/* SPDX-License-Identifier: MIT */
#include "store/sqlite_cron.h"

#include "store/sqlite_statement.h"

static sb_connection *writer_of(sb_store *store)
{
	return &sb_sqlite_store_of(store)->writer;
}

stepbus_status sb_sqlite_cron_put(sb_store *store, const sb_cron_row *row, stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(writer_of(store), SB_SQL_CRON_PUT, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_name(&query, 1, row->name);
	sb_query_bind_text(&query, 2, row->expression);
	sb_query_bind_text(&query, 3, row->zone);
	sb_query_bind_text(&query, 4, row->step);
	sb_query_bind_text(&query, 5, row->catch_up);
	sb_query_bind_optional(&query, 6, row->next_at_us);
	sb_query_bind_optional(&query, 7, row->last_at_us);
	sb_query_bind_optional(&query, 8, row->paused_at_us);
	sb_query_bind_optional(&query, 9, row->created_at_us);
	return sb_query_run(&query, err);
}

stepbus_status sb_sqlite_cron_delete(sb_store *store, sb_slice name, stepbus_error *err)
{
	sb_connection *writer = writer_of(store);
	sb_query query;
	stepbus_status status = sb_query_open(writer, SB_SQL_CRON_DELETE, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_name(&query, 1, name);
	status = sb_query_run(&query, err);
	if (status == STEPBUS_OK && sqlite3_changes(writer->db) == 0)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "cannot remove the schedule '%.*s': there is none of that name",
			       (int)name.len, name.len > 0 ? name.data : "");
	return status;
}

typedef struct cron_walk {
	sb_cron_visit visit;
	void *context;
} cron_walk;

static bool visit_cron(void *context, const sb_query *query)
{
	const cron_walk *walk = context;
	sb_cron_row row = {
		.name = sb_query_slice(query, 0),
		.expression = sb_query_slice(query, 1),
		.zone = sb_query_slice(query, 2),
		.step = sb_query_slice(query, 3),
		.catch_up = sb_query_slice(query, 4),
		.next_at_us = sb_query_int(query, 5),
		.last_at_us = sb_query_int(query, 6),
		.paused_at_us = sb_query_int(query, 7),
		.created_at_us = sb_query_int(query, 8),
	};

	return sb_query_is_whole(query) && walk->visit(walk->context, &row);
}

stepbus_status sb_sqlite_cron_list(sb_store *store, sb_cron_visit visit, void *context,
				   stepbus_error *err)
{
	cron_walk walk = { visit, context };

	return sb_query_list(sb_sqlite_store_of(store), SB_SQL_CRON_LIST, visit_cron, &walk, err);
}
