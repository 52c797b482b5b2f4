/* SPDX-License-Identifier: MIT */
/*
 * A store over somebody else's connection. Nothing of the connection is changed: no pragma, no
 * handler, no limit; and nothing stays prepared after the close.
 */
#include <string.h>

#include "base/memory.h"
#include "store/sqlite_open.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_transaction.h"

/*
 * Inside a transaction of the host's that has read nothing yet, the first look would fix what it sees:
 * the right to write comes before it. Where there is no such table, the mark says why.
 */
static stepbus_status lock_first(sb_sqlite_store *store, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	if (!sqlite3_get_autocommit(store->writer.db))
		status = sb_sqlite_transaction_lock(store, err);
	store->writer.failure = STEPBUS_OK;
	return status == STEPBUS_ESTORE ? STEPBUS_OK : status;
}

static stepbus_status check_mark(sb_sqlite_store *store, stepbus_error *err)
{
	sb_sqlite_schema_mark mark = { 0 };
	stepbus_status status = sb_sqlite_schema_mark_read(&store->writer, &mark, err);

	if (status != STEPBUS_OK)
		return status;
	if (mark.application_id != SB_SCHEMA_APPLICATION_ID || mark.version != SB_SCHEMA_VERSION)
		return sb_fail(err, STEPBUS_EVERSION,
			       "cannot use the database '%s' of this connection: it is not a store "
			       "of stepbus's format %d; open it as a store once",
			       store->writer.path, SB_SCHEMA_VERSION);
	return sb_sqlite_open_tag_read(store, err);
}

stepbus_status sb_sqlite_store_borrow(const stepbus_host *host, struct sqlite3 *connection,
				      const char *schema, sb_store **out, stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_open_new(host);
	stepbus_status status;

	if (store == NULL)
		return sb_fail_memory(err, "use a connection as a store");
	store->is_borrowed = true;
	store->writer.db = connection;
	store->schema = sb_alloc_copy(host, schema, strlen(schema));
	store->writer.path = store->schema;
	if (store->schema == NULL) {
		sb_sqlite_open_destroy(store);
		return sb_fail_memory(err, "use a connection as a store");
	}
	if (strcmp(schema, "main") != 0)
		store->writer.schema = store->schema;
	status = lock_first(store, err);
	if (status == STEPBUS_OK)
		status = check_mark(store, err);
	if (status != STEPBUS_OK) {
		sb_sqlite_open_destroy(store);
		return status;
	}
	*out = &store->base;
	return STEPBUS_OK;
}
