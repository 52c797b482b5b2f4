/* SPDX-License-Identifier: MIT */
#include "store/sqlite_statement.h"

#include <errno.h>
#include <limits.h>

#include "store/sqlite_file.h"

static stepbus_status status_of_primary(int code)
{
	switch (code) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return STEPBUS_OK;
	case SQLITE_NOMEM:
		return STEPBUS_ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return STEPBUS_EBUSY;
	case SQLITE_FULL:
		return STEPBUS_ENOSPACE;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return STEPBUS_EREADONLY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return STEPBUS_ECORRUPT;
	case SQLITE_TOOBIG:
		return STEPBUS_ELIMIT;
	default:
		return STEPBUS_ESTORE;
	}
}

stepbus_status sb_sqlite_status(int code)
{
	if (code == SQLITE_IOERR_NOMEM)
		return STEPBUS_ENOMEM;
	return status_of_primary(code & 0xFF);
}

/* SQLite forgets what a write to the log failed of, but the log does not. */
static int reason_of(sqlite3 *db, int code)
{
	sqlite3_file *log = NULL;
	int reason = sqlite3_system_errno(db);

	if (reason == 0 && code == SQLITE_IOERR_WRITE &&
	    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
	    log != NULL && log->pMethods != NULL)
		(void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &reason);
	return reason;
}

/* Where SQLite cannot make a file, it tries to open it for reading, and the reason is lost. */
static bool is_without_inodes(const sb_connection *connection, int code)
{
	const char *path;

	if ((code & 0xFF) != SQLITE_CANTOPEN)
		return false;
	path = sqlite3_db_filename(connection->db,
				   connection->schema != NULL ? connection->schema : "main");
	return path != NULL && path[0] != '\0' && sb_sqlite_file_lacks_inodes(path);
}

stepbus_status sb_sqlite_status_on(const sb_connection *connection, int code)
{
	stepbus_status status = sb_sqlite_status(code);
	int reason;

	if (status == STEPBUS_OK)
		return STEPBUS_ESTORE;
	if (code != SQLITE_IOERR_WRITE && code != SQLITE_IOERR_SHMSIZE &&
	    (code & 0xFF) != SQLITE_CANTOPEN)
		return status;
	reason = reason_of(connection->db, code);
	if (reason == EDQUOT || reason == EFBIG || reason == ENOSPC)
		return STEPBUS_ENOSPACE;
	if (reason == EACCES || reason == EROFS || reason == EPERM)
		return STEPBUS_EREADONLY;
	return is_without_inodes(connection, code) ? STEPBUS_ENOSPACE : status;
}

static const char *advice_of(stepbus_status status)
{
	switch (status) {
	case STEPBUS_EBUSY:
		return "; another process holds it: try again, or look for a transaction left open";
	case STEPBUS_ENOSPACE:
		return "; nothing was changed: make room on the disk and try again";
	case STEPBUS_EREADONLY:
		return "; check the rights of the file and of its directory";
	case STEPBUS_ECORRUPT:
		return "; restore it from a copy";
	default:
		return "";
	}
}

/* What failed first is why all that follows fails. */
static void note_failure(sb_connection *connection, stepbus_status status)
{
	if (connection->failure == STEPBUS_OK)
		connection->failure = status;
}

stepbus_status sb_sqlite_fail(sb_connection *connection, int code, const char *purpose,
			      stepbus_error *err)
{
	stepbus_status status = sb_sqlite_status_on(connection, code);

	note_failure(connection, status);
	if (status == STEPBUS_ENOMEM)
		return sb_fail_memory(err, purpose);
	return sb_fail(err, status, "cannot %s in '%s': %s (SQLite's code %d)%s", purpose,
		       connection->path, sqlite3_errmsg(connection->db), code, advice_of(status));
}

/* The statements are written for "main"; on a borrowed connection the schema may be another. */
static char *text_for(const sb_connection *connection, const char *text)
{
	static const char written[] = "main.";
	sqlite3_str *out = sqlite3_str_new(connection->db);
	const char *next;

	while ((next = strstr(text, written)) != NULL) {
		sqlite3_str_append(out, text, (int)(next - text));
		sqlite3_str_appendf(out, "\"%w\".", connection->schema);
		text = next + sizeof written - 1;
	}
	sqlite3_str_appendall(out, text);
	return sqlite3_str_finish(out);
}

static int prepare(sb_connection *connection, const char *text, sqlite3_stmt **out)
{
	char *own = NULL;
	int code;

	if (connection->schema != NULL) {
		own = text_for(connection, text);
		if (own == NULL)
			return SQLITE_NOMEM;
		text = own;
	}
	code = sqlite3_prepare_v3(connection->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	sqlite3_free(own);
	return code;
}

stepbus_status sb_query_open(sb_connection *connection, sb_sql sql, sb_query *query,
			     stepbus_error *err)
{
	sqlite3_stmt *statement = connection->statements[sql];
	const char *purpose = sb_sql_table[sql].purpose;

	*query = (sb_query){ connection, statement, purpose, SQLITE_OK };
	sb_connection_settle(connection);
	if (sb_unlikely(connection->failure != STEPBUS_OK))
		return sb_fail(err, connection->failure,
			       "cannot %s in '%s': the transaction has failed before; roll it back",
			       purpose, connection->path);
	if (sb_unlikely(statement == NULL)) {
		int code = prepare(connection, sb_sql_table[sql].text, &statement);

		/* Our own text is right: then a table or a column is missing. */
		if (code == SQLITE_ERROR)
			code = SQLITE_CORRUPT;
		if (code != SQLITE_OK)
			return sb_sqlite_fail(connection, code, purpose, err);
		connection->statements[sql] = statement;
		query->statement = statement;
	}
	return STEPBUS_OK;
}

static void note(sb_query *query, int code)
{
	if (sb_unlikely(code != SQLITE_OK) && query->code == SQLITE_OK)
		query->code = code;
}

void sb_query_bind(sb_query *query, int place, int64_t value)
{
	note(query, sqlite3_bind_int64(query->statement, place, value));
}

void sb_query_bind_optional(sb_query *query, int place, int64_t value)
{
	if (value != 0)
		sb_query_bind(query, place, value);
}

void sb_query_bind_name(sb_query *query, int place, sb_slice text)
{
	note(query, sqlite3_bind_text64(query->statement, place, text.len > 0 ? text.data : "",
					text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void sb_query_bind_text(sb_query *query, int place, sb_slice text)
{
	if (text.len > 0)
		sb_query_bind_name(query, place, text);
}

void sb_query_bind_bytes(sb_query *query, int place, sb_slice bytes)
{
	if (bytes.len > 0)
		note(query, sqlite3_bind_blob64(query->statement, place, bytes.data, bytes.len,
						SQLITE_STATIC));
}

void sb_query_close(sb_query *query)
{
	(void)sqlite3_reset(query->statement);
	(void)sqlite3_clear_bindings(query->statement);
}

stepbus_status sb_query_step(sb_query *query, bool *has_row, stepbus_error *err)
{
	int code = query->code != SQLITE_OK ? query->code : sqlite3_step(query->statement);
	stepbus_status status = STEPBUS_OK;

	*has_row = code == SQLITE_ROW;
	if (code == SQLITE_ROW)
		return STEPBUS_OK;
	/* The words of the failure are lost by the reset. */
	if (sb_unlikely(code != SQLITE_DONE))
		status = sb_sqlite_fail(query->connection, code, query->purpose, err);
	sb_query_close(query);
	return status;
}

stepbus_status sb_query_run(sb_query *query, stepbus_error *err)
{
	bool has_row;
	stepbus_status status = sb_query_step(query, &has_row, err);

	if (has_row)
		sb_query_close(query);
	return status;
}

stepbus_status sb_query_find(sb_query *query, const char *thing, int64_t id, stepbus_error *err)
{
	bool has_row;
	stepbus_status status = sb_query_step(query, &has_row, err);

	if (status == STEPBUS_OK && !has_row)
		return sb_fail(err, STEPBUS_ENOTFOUND, "cannot %s: there is no %s %lld in '%s'",
			       query->purpose, thing, (long long)id, query->connection->path);
	return status;
}

stepbus_status sb_query_number(sb_connection *connection, sb_sql sql, int64_t *out,
			       stepbus_error *err)
{
	sb_query query;
	bool has_row = false;
	stepbus_status status = sb_query_open(connection, sql, &query, err);

	*out = 0;
	if (status == STEPBUS_OK)
		status = sb_query_step(&query, &has_row, err);
	if (status != STEPBUS_OK || !has_row)
		return status;
	*out = sb_query_int(&query, 0);
	sb_query_close(&query);
	return STEPBUS_OK;
}

stepbus_status sb_query_walk(sb_query *query, sb_query_visit visit, void *context,
			     stepbus_error *err)
{
	bool has_row = true;

	do {
		stepbus_status status = sb_query_step(query, &has_row, err);

		if (status != STEPBUS_OK || !has_row)
			return status;
	} while (visit(context, query));
	sb_query_close(query);
	return sb_query_is_whole(query) ? STEPBUS_OK : sb_fail_memory(err, query->purpose);
}

stepbus_status sb_query_list(sb_sqlite_store *store, sb_sql sql, sb_query_visit visit,
			     void *context, stepbus_error *err)
{
	sb_connection *connection = sb_sqlite_enter(store);
	sb_query query;
	stepbus_status status = sb_query_open(connection, sql, &query, err);

	if (status == STEPBUS_OK)
		status = sb_query_walk(&query, visit, context, err);
	sb_sqlite_leave(store, connection);
	return status;
}

bool sb_query_is_whole(const sb_query *query)
{
	return query->connection->failure == STEPBUS_OK;
}

stepbus_status sb_query_keep(sb_query *query, stepbus_error *err)
{
	query->connection->kept = query->statement;
	return sb_query_is_whole(query) ? STEPBUS_OK : sb_fail_memory(err, query->purpose);
}

void sb_connection_settle(sb_connection *connection)
{
	if (connection->kept == NULL)
		return;
	(void)sqlite3_reset(connection->kept);
	(void)sqlite3_clear_bindings(connection->kept);
	connection->kept = NULL;
}

void sb_connection_finalize(sb_connection *connection)
{
	connection->kept = NULL;
	for (size_t i = 0; i < SB_SQL_COUNT; i++) {
		(void)sqlite3_finalize(connection->statements[i]);
		connection->statements[i] = NULL;
	}
}

sb_slice sb_query_slice(const sb_query *query, int column)
{
	/* The length after the bytes, as SQLite wants it. */
	const char *data = sqlite3_column_blob(query->statement, column);
	int len = sqlite3_column_bytes(query->statement, column);

	if (data != NULL)
		return sb_slice_of(data, len > 0 ? (size_t)len : 0);
	/* Nothing was there, or no memory to give it. */
	if (sqlite3_errcode(query->connection->db) == SQLITE_NOMEM)
		note_failure(query->connection, STEPBUS_ENOMEM);
	return sb_slice_of(NULL, 0);
}

int32_t sb_query_int32(const sb_query *query, int column)
{
	int64_t value = sb_query_int(query, column);

	if (value > INT32_MAX)
		return INT32_MAX;
	return value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

uint32_t sb_query_uint32(const sb_query *query, int column)
{
	int64_t value = sb_query_int(query, column);

	if (value < 0)
		return 0;
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

stepbus_status sb_query_run_id(sb_connection *connection, sb_sql sql, int64_t id,
			       stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(connection, sql, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, id);
	return sb_query_run(&query, err);
}
