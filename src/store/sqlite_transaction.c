/* SPDX-License-Identifier: MIT */
#include "store/sqlite_transaction.h"

#include "store/sqlite_file.h"
#include "store/sqlite_statement.h"
#include "store/sqlite_wal.h"

static uintptr_t self(void)
{
	return (uintptr_t)pthread_self();
}

static bool is_inside(sb_sqlite_store *store)
{
	return atomic_load_explicit(&store->leader, memory_order_relaxed) == self();
}

sb_connection *sb_sqlite_enter_reader(sb_sqlite_store *store)
{
	if (store->is_borrowed) {
		if (!is_inside(store))
			store->writer.failure = STEPBUS_OK;
		return &store->writer;
	}
	(void)pthread_mutex_lock(&store->reader_lock);
	store->reader.failure = STEPBUS_OK;
	return &store->reader;
}

sb_connection *sb_sqlite_enter(sb_sqlite_store *store)
{
	return is_inside(store) ? &store->writer : sb_sqlite_enter_reader(store);
}

void sb_sqlite_leave(sb_sqlite_store *store, sb_connection *connection)
{
	if (connection == &store->reader)
		(void)pthread_mutex_unlock(&store->reader_lock);
}

static stepbus_status execute(sb_connection *connection, sb_sql sql, stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(connection, sql, &query, err);

	return status == STEPBUS_OK ? sb_query_run(&query, err) : status;
}

static stepbus_status fail_dead(const sb_sqlite_store *store, stepbus_error *err)
{
	return sb_fail(err, STEPBUS_ESTORE,
		       "cannot go on with '%s': a write to it failed, or its file was removed, and "
		       "nobody can say what is on the disk; open it anew",
		       store->path);
}

stepbus_status sb_sqlite_transaction_lock(sb_sqlite_store *store, stepbus_error *err)
{
	return execute(&store->writer, SB_SQL_LOCK, err);
}

/* What is looked after between transactions, before the next one of a store's own. */
static stepbus_status prepare(sb_sqlite_store *store, stepbus_error *err)
{
	stepbus_status status;

	if (sb_unlikely(store->is_dead))
		return fail_dead(store, err);
	status = sb_sqlite_file_check_place(store, err);
	if (status != STEPBUS_OK || !store->is_logged)
		return status;
	/* Not behind the commit, whose callers are waiting to hear of it. */
	sb_sqlite_wal_tend(store);
	return sb_unlikely(store->is_dead) ? fail_dead(store, err) : STEPBUS_OK;
}

/* Has what ends a transaction at hand before it begins: ending it must not fail for memory. */
static stepbus_status start(sb_sqlite_store *store, stepbus_error *err)
{
	sb_connection *writer = &store->writer;
	sb_query ready;
	stepbus_status status = sb_query_open(
		writer, store->is_borrowed ? SB_SQL_ROLLBACK_TO : SB_SQL_ROLLBACK, &ready, err);

	if (status == STEPBUS_OK)
		status = sb_query_open(writer, store->is_borrowed ? SB_SQL_RELEASE : SB_SQL_COMMIT,
				       &ready, err);
	if (status != STEPBUS_OK)
		return status;
	/* What could not be rolled back for want of memory is there still. */
	if (sb_unlikely(!store->is_borrowed && !sqlite3_get_autocommit(writer->db)))
		status = execute(writer, SB_SQL_ROLLBACK, err);
	if (status != STEPBUS_OK)
		return status;
	if (!store->is_borrowed)
		return execute(writer, SB_SQL_BEGIN, err);
	status = execute(writer, SB_SQL_SAVEPOINT, err);
	if (status != STEPBUS_OK)
		return status;
	/* What is read before there is the right to write could be old by then. */
	status = sb_sqlite_transaction_lock(store, err);
	if (status != STEPBUS_OK)
		sb_sqlite_transaction_rollback(&store->base);
	return status;
}

stepbus_status sb_sqlite_transaction_begin(sb_store *base, stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	stepbus_status status = store->is_borrowed ? STEPBUS_OK : prepare(store, err);

	if (status != STEPBUS_OK)
		return status;
	store->writer.failure = STEPBUS_OK;
	store->confirming_version = -1;
	status = start(store, err);
	if (status == STEPBUS_OK)
		atomic_store_explicit(&store->leader, self(), memory_order_relaxed);
	return status;
}

void sb_sqlite_transaction_rollback(sb_store *base)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);

	sb_connection_settle(&store->writer);
	store->writer.failure = STEPBUS_OK;
	/* Some failures have rolled it back already. */
	if (store->is_borrowed) {
		(void)execute(&store->writer, SB_SQL_ROLLBACK_TO, NULL);
		store->writer.failure = STEPBUS_OK;
		(void)execute(&store->writer, SB_SQL_RELEASE, NULL);
	} else if (!sqlite3_get_autocommit(store->writer.db)) {
		(void)execute(&store->writer, SB_SQL_ROLLBACK, NULL);
	}
	atomic_store_explicit(&store->leader, 0, memory_order_relaxed);
}

/* Whether a failed commit may be on the disk all the same, or come back after a crash. */
static bool is_doubtful(stepbus_status status)
{
	return status != STEPBUS_EBUSY && status != STEPBUS_ENOSPACE && status != STEPBUS_ENOMEM &&
	       status != STEPBUS_EREADONLY;
}

/*
 * The log may have the transaction while its index has not: it is not there, but is after a crash. The
 * index grows last, so no memory for it is found out behind the frames; where a COMMIT found none before
 * them, it says the same. As an ENOMEM it would be told to change nothing, and be done again.
 */
static bool is_index_torn(const sb_sqlite_store *store)
{
	int code = sqlite3_extended_errcode(store->writer.db);

	return code == SQLITE_IOERR_SHMSIZE ||
	       (store->is_logged && (code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM));
}

stepbus_status sb_sqlite_transaction_commit(sb_store *base, stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	bool is_failed = store->writer.failure != STEPBUS_OK;
	stepbus_status status =
		execute(&store->writer, store->is_borrowed ? SB_SQL_RELEASE : SB_SQL_COMMIT, err);

	if (sb_unlikely(status != STEPBUS_OK)) {
		bool is_torn = !is_failed && !store->is_borrowed && is_index_torn(store);

		if (!is_failed && !store->is_borrowed && (is_torn || is_doubtful(status)))
			store->is_dead = true;
		if (is_torn)
			status = fail_dead(store, err);
		sb_sqlite_transaction_rollback(base);
		return status;
	}
	if (store->confirming_version >= 0)
		store->confirmed_version = store->confirming_version;
	atomic_store_explicit(&store->leader, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&store->commit_count, 1, memory_order_relaxed);
	if (store->is_logged)
		sb_sqlite_wal_watch(store);
	return STEPBUS_OK;
}

/* A number that the commits of others change. */
static stepbus_status data_version(sb_sqlite_store *store, int64_t *version, stepbus_error *err)
{
	return sb_query_number(&store->writer, SB_SQL_DATA_VERSION, version, err);
}

stepbus_status sb_sqlite_transaction_confirm(sb_store *base, stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	stepbus_status status;

	if (!store->is_on_disk || store->is_borrowed)
		return STEPBUS_OK;
	status = data_version(store, &store->confirming_version, err);
	if (status != STEPBUS_OK || store->confirming_version == store->confirmed_version)
		return status;
	/* A transaction that writes something syncs all of the log that is before it. */
	return execute(&store->writer, SB_SQL_TOUCH, err);
}

bool sb_sqlite_transaction_is_dead(const sb_store *base)
{
	return ((const sb_sqlite_store *)(const void *)base)->is_dead;
}

bool sb_sqlite_transaction_has_changed(sb_store *base)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	bool was_asked = store->is_asked;
	int64_t version;

	/* What the owner of a borrowed connection does on it no version tells. */
	if (store->is_borrowed)
		return true;
	/* As if others had; the transaction has failed, which its next call answers. */
	if (data_version(store, &version, NULL) != STEPBUS_OK)
		return true;
	store->is_asked = true;
	if (was_asked && version == store->data_version)
		return false;
	store->data_version = version;
	return true;
}

static uint64_t count(_Atomic(uint64_t) *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void sb_sqlite_transaction_stats(sb_store *base, sb_store_stats *out)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);

	*out = (sb_store_stats){
		.commit_count = count(&store->commit_count),
		.busy_count = count(&store->busy_count),
		.checkpoint_count = count(&store->checkpoint_count),
		.checkpoint_short_count = count(&store->checkpoint_short_count),
		.wal_alarm_count = count(&store->wal_alarm_count),
		.wal_bytes = store->wal.path != NULL ? sb_sqlite_file_size(store->wal.path) : 0,
		.file_bytes = store->path != NULL ? sb_sqlite_file_size(store->path) : 0,
	};
}
