/* SPDX-License-Identifier: MIT */
/*
 * Statements: prepared once for each connection, at their first use, and bound, stepped and reset
 * here, so that one place translates what SQLite answers into a status and a message.
 *
 * The first failure of a binding is remembered and told by the next step.
 */
#ifndef SB_STORE_SQLITE_STATEMENT_H
#define SB_STORE_SQLITE_STATEMENT_H

#include "store/sqlite_store.h"

typedef struct sb_query {
	sb_connection *connection;
	sqlite3_stmt *statement;
	const char *purpose; /* "add a step" */
	int code;            /* the first failure of a binding */
} sb_query;

/* What an answer of SQLite means. Pure. */
stepbus_status sb_sqlite_status(int code);
/* The same, right after it was answered: what SQLite's code leaves open, the system's says. */
stepbus_status sb_sqlite_status_on(const sb_connection *connection, int code);
/* Says that something could not be done, and why: the code as given, the words from SQLite. */
stepbus_status sb_sqlite_fail(sb_connection *connection, int code, const char *purpose,
			      stepbus_error *err);

/* With all bindings NULL. */
stepbus_status sb_query_open(sb_connection *connection, sb_sql sql, sb_query *query,
			     stepbus_error *err);
void sb_query_bind(sb_query *query, int place, int64_t value);
/* 0 becomes NULL. */
void sb_query_bind_optional(sb_query *query, int place, int64_t value);
/* The bytes stay where they are until the query is closed; none become NULL. */
void sb_query_bind_text(sb_query *query, int place, sb_slice text);
void sb_query_bind_bytes(sb_query *query, int place, sb_slice bytes);
/* As text or bytes, but none stay empty. */
void sb_query_bind_name(sb_query *query, int place, sb_slice text);

/* The next row; where there is none, or on failure, the query is closed. */
stepbus_status sb_query_step(sb_query *query, bool *has_row, stepbus_error *err);
/* Runs it to its end and closes it. */
stepbus_status sb_query_run(sb_query *query, stepbus_error *err);
/* The first row, or STEPBUS_ENOTFOUND with what (the thing) and id in the message. */
stepbus_status sb_query_find(sb_query *query, const char *thing, int64_t id, stepbus_error *err);
/* The number in the first row of a statement without parameters; 0 where there is none. */
stepbus_status sb_query_number(sb_connection *connection, sb_sql sql, int64_t *out,
			       stepbus_error *err);
void sb_query_close(sb_query *query);
/* False where memory did not suffice for a slice of the row: then the row is not to be used. */
bool sb_query_is_whole(const sb_query *query);
/* Leaves the row where it is until the next call: its slices go to the caller. */
stepbus_status sb_query_keep(sb_query *query, stepbus_error *err);
typedef bool (*sb_query_visit)(void *context, const sb_query *query);
/* Gives each row to a visitor, until it says false, and closes the query. */
stepbus_status sb_query_walk(sb_query *query, sb_query_visit visit, void *context,
			     stepbus_error *err);
/* Walks a statement without parameters where an "inside and reader" call reads. */
stepbus_status sb_query_list(sb_sqlite_store *store, sb_sql sql, sb_query_visit visit,
			     void *context, stepbus_error *err);
/* Closes what was kept. */
void sb_connection_settle(sb_connection *connection);
/* Ends all statements. */
void sb_connection_finalize(sb_connection *connection);

static inline int64_t sb_query_int(const sb_query *query, int column)
{
	return sqlite3_column_int64(query->statement, column);
}

sb_slice sb_query_slice(const sb_query *query, int column);
/* As sb_query_int, cut to what fits. */
int32_t sb_query_int32(const sb_query *query, int column);
uint32_t sb_query_uint32(const sb_query *query, int column);

/* Opens and runs a statement whose one parameter is an id. */
stepbus_status sb_query_run_id(sb_connection *connection, sb_sql sql, int64_t id,
			       stepbus_error *err);

#endif
