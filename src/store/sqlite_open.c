/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing. Everything that can be wrong with a file is found out here, before the first
 * step is taken: where it lies, whose it is, of which version, whether it can be read and written.
 */
#include "store/sqlite_open.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/sqlite_file.h"
#include "store/sqlite_fork.h"
#include "store/sqlite_frames.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_statement.h"
#include "store/sqlite_transaction.h"
#include "store/sqlite_wal.h"

enum { PAUSE_US = 1000 };

/* For a store's own connections; a borrowed one stays as its owner set it. */
static void harden(sqlite3 *db)
{
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

static stepbus_status configure(sb_connection *connection, const char *text, stepbus_error *err)
{
	int code = sqlite3_exec(connection->db, text, NULL, NULL, NULL);

	if (code != SQLITE_OK)
		return sb_sqlite_fail(connection, code, "set up a connection", err);
	return STEPBUS_OK;
}

static stepbus_status connect(sb_sqlite_store *store, sb_connection *connection, int flags,
			      stepbus_error *err)
{
	int code = sqlite3_open_v2(store->path, &connection->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (connection->db == NULL)
		return sb_fail_memory(err, "open a store");
	if (code != SQLITE_OK)
		return sb_sqlite_fail(connection, code, "open the file", err);
	harden(connection->db);
	return STEPBUS_OK;
}

/* From here on a change of the working directory does no harm. */
static stepbus_status make_path_absolute(sb_sqlite_store *store, stepbus_error *err)
{
	const char *absolute = sqlite3_db_filename(store->writer.db, "main");
	char *copy = sb_alloc_copy(store->base.host, absolute, strlen(absolute));

	if (copy == NULL)
		return sb_fail_memory(err, "open a store");
	sb_release(store->base.host, store->path);
	store->path = copy;
	store->writer.path = copy;
	store->reader.path = copy;
	return STEPBUS_OK;
}

/* Turning on the log needs the file alone, and SQLite does not always wait for that itself. */
static stepbus_status turn_on_log(sb_sqlite_store *store, stepbus_error *err)
{
	const char *text =
		store->is_logged ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE";
	sqlite3_stmt *statement = NULL;
	int code = SQLITE_BUSY, ended;
	bool is_on = false;

	for (int64_t waited_us = 0; (code & 0xFF) == SQLITE_BUSY; waited_us += PAUSE_US) {
		if (waited_us > 0)
			sb_sqlite_wal_pause(PAUSE_US);
		code = sqlite3_prepare_v2(store->writer.db, text, -1, &statement, NULL);
		if (code == SQLITE_OK)
			code = sqlite3_step(statement);
		if (code == SQLITE_ROW)
			is_on = !store->is_logged ||
				sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0),
						"wal") == 0;
		/* Only here is the change written. */
		ended = sqlite3_finalize(statement);
		if (code == SQLITE_ROW && ended != SQLITE_OK)
			code = ended;
		if (waited_us >= store->busy_timeout_us)
			break;
	}
	if (code != SQLITE_ROW)
		return sb_sqlite_fail(&store->writer, code, "set the journal mode", err);
	if (!is_on)
		return sb_fail(err, STEPBUS_ESTORE,
			       "cannot open '%s': its file system has no shared memory, which a "
			       "write-ahead log needs; give a path on a local disk",
			       store->path);
	return STEPBUS_OK;
}

static stepbus_status write_tag(sb_sqlite_store *store, stepbus_error *err)
{
	uint8_t id[SB_ID_LEN] = { 0 };
	sb_query query;
	stepbus_status status =
		sb_random_fill(store->base.host, store->base.tag, SB_STORE_TAG_LEN, err);

	if (status != STEPBUS_OK)
		return status;
	/* As it stands in ids: with the version and the variant. */
	sb_id_of_row(1, store->base.tag, id);
	memcpy(store->base.tag, id + SB_ID_LEN - SB_STORE_TAG_LEN, SB_STORE_TAG_LEN);
	status = sb_query_open(&store->writer, SB_SQL_META_WRITE, &query, err);
	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_text(&query, 1, sb_slice_z("tag"));
	sb_query_bind_bytes(&query, 2,
			    sb_slice_of((const char *)store->base.tag, SB_STORE_TAG_LEN));
	return sb_query_run(&query, err);
}

stepbus_status sb_sqlite_open_tag_read(sb_sqlite_store *store, stepbus_error *err)
{
	sb_query query;
	bool has_row = false;
	sb_slice tag = { NULL, 0 };
	stepbus_status status = sb_query_open(&store->writer, SB_SQL_META_READ, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind_text(&query, 1, sb_slice_z("tag"));
	status = sb_query_step(&query, &has_row, err);
	if (status != STEPBUS_OK)
		return status;
	if (has_row)
		tag = sb_query_slice(&query, 0);
	if (tag.len == SB_STORE_TAG_LEN)
		memcpy(store->base.tag, tag.data, SB_STORE_TAG_LEN);
	if (has_row)
		sb_query_close(&query);
	if (tag.len != SB_STORE_TAG_LEN)
		return sb_fail(err, STEPBUS_ECORRUPT,
			       "cannot open '%s': the tag of its ids is missing; restore it from a "
			       "copy",
			       store->path);
	return STEPBUS_OK;
}

/* Inside a transaction, since another process may be doing the same right now. */
static stepbus_status adopt(sb_sqlite_store *store, bool *has_written, stepbus_error *err)
{
	sb_sqlite_schema_mark mark = { 0 };
	stepbus_status status = sb_sqlite_schema_mark_read(&store->writer, &mark, err);

	if (status == STEPBUS_OK)
		status = sb_sqlite_schema_mark_check(&mark, store->path, err);
	if (status != STEPBUS_OK)
		return status;
	*has_written = mark.version < SB_SCHEMA_VERSION;
	if (*has_written)
		status = sb_sqlite_schema_migrate(&store->writer, mark.version, err);
	if (status == STEPBUS_OK && mark.version == 0)
		status = write_tag(store, err);
	else if (status == STEPBUS_OK)
		status = sb_sqlite_open_tag_read(store, err);
	return status;
}

static stepbus_status prepare_file(sb_sqlite_store *store, stepbus_error *err)
{
	bool has_written = false;
	stepbus_status status = sb_sqlite_transaction_begin(&store->base, err);

	if (status != STEPBUS_OK)
		return status;
	if (store->is_logged)
		status = sb_sqlite_frames_renew(store, err);
	if (status == STEPBUS_OK)
		status = adopt(store, &has_written, err);
	if (status == STEPBUS_OK && has_written)
		return sb_sqlite_transaction_commit(&store->base, err);
	sb_sqlite_transaction_rollback(&store->base);
	return status;
}

/* Whose it is, before anything of it is changed; in one transaction, so that it is of one moment. */
static stepbus_status check_owner(sb_sqlite_store *store, stepbus_error *err)
{
	sb_sqlite_schema_mark mark = { 0 };
	stepbus_status status = configure(&store->writer, "BEGIN", err);

	if (status == STEPBUS_OK)
		status = sb_sqlite_schema_mark_read(&store->writer, &mark, err);
	if (status == STEPBUS_OK)
		status = sb_sqlite_schema_mark_check(&mark, store->path, err);
	if (sqlite3_get_autocommit(store->writer.db))
		return status;
	return status == STEPBUS_OK ? configure(&store->writer, "COMMIT", err) : status;
}

/*
 * Without a log each level takes one step more of care. A transaction ends when its journal is
 * deleted, and FULL does not wait for that: the journal could be there again after a power cut, and
 * undo what was acknowledged; EXTRA waits. And NORMAL may leave a journal whose head is on the disk
 * and whose pages are not, which SQLite then puts into the database; FULL does not.
 */
static const char *durability_text(const sb_sqlite_store *store, sb_durability durability)
{
	if (durability == SB_DURABILITY_DISK)
		return store->is_logged ? "PRAGMA synchronous = FULL" :
					  "PRAGMA synchronous = EXTRA";
	return store->is_logged ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL";
}

static stepbus_status open_writer(sb_sqlite_store *store, const sb_store_options *options,
				  stepbus_error *err)
{
	sb_connection *writer = &store->writer;
	stepbus_status status = connect(store, writer, SQLITE_OPEN_READWRITE, err);

	if (status == STEPBUS_OK)
		status = make_path_absolute(store, err);
	if (status == STEPBUS_OK)
		status = sb_sqlite_wal_attach(store, err);
	/* Before it is read: the log and its index would be made with its rights, and stay so. */
	if (status == STEPBUS_OK && sqlite3_db_readonly(writer->db, "main") == 1)
		status = sb_fail(err, STEPBUS_EREADONLY,
				 "cannot open '%s': it is read-only; check the rights of the file "
				 "and of its directory",
				 store->path);
	if (status == STEPBUS_OK)
		status = check_owner(store, err);
	if (status == STEPBUS_OK)
		status = configure(writer,
				   "PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE;"
				   "PRAGMA temp_store = MEMORY",
				   err);
	if (status == STEPBUS_OK)
		status = turn_on_log(store, err);
	if (status == STEPBUS_OK)
		status = configure(writer, durability_text(store, options->durability), err);
	if (status == STEPBUS_OK)
		status = configure(writer,
				   "PRAGMA cache_size = -16384; PRAGMA secure_delete = FAST", err);
	return status == STEPBUS_OK ? prepare_file(store, err) : status;
}

static stepbus_status open_reader(sb_sqlite_store *store, stepbus_error *err)
{
	stepbus_status status = connect(store, &store->reader, SQLITE_OPEN_READONLY, err);

	if (status != STEPBUS_OK)
		return status;
	(void)sqlite3_busy_handler(store->reader.db, sb_sqlite_wal_wait, store);
	return configure(&store->reader,
			 "PRAGMA query_only = 1; PRAGMA temp_store = MEMORY;"
			 "PRAGMA cache_size = -4096",
			 err);
}

/* The end of each great table, so that a file that was cut off or written over is found out. */
static stepbus_status check_pages(sb_sqlite_store *store, stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(&store->writer, SB_SQL_PAGES_READ, &query, err);

	return status == STEPBUS_OK ? sb_query_run(&query, err) : status;
}

static bool has_race(int version)
{
	if (version >= 3051003 || (version >= 3050007 && version < 3051000))
		return false;
	return !(version >= 3044006 && version < 3045000);
}

static void log_version(const sb_sqlite_store *store)
{
	bool is_racy = has_race(sqlite3_libversion_number());
	char message[160];

	(void)snprintf(message, sizeof message, "opened with SQLite %s%s", sqlite3_libversion(),
		       is_racy ? ", which has the WAL-reset race: checkpoints hold the right to "
				 "write, which keeps clear of it" :
				 "");
	sb_log(store->base.host, &(sb_log_record){ .level = STEPBUS_LOG_INFO,
						   .component = "store",
						   .message = message });
}

/* A path that SQLite cannot take for anything else, as ":memory:" or "file:...". */
static char *plain_path(const stepbus_host *host, const char *path)
{
	size_t len = strlen(path);
	size_t front = path[0] == '/' ? 0 : 2;
	char *copy = sb_alloc(host, front + len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, "./", front);
	memcpy(copy + front, path, len + 1);
	return copy;
}

sb_sqlite_store *sb_sqlite_open_new(const stepbus_host *host)
{
	sb_sqlite_store *store = sb_alloc(host, sizeof *store);

	if (store == NULL)
		return NULL;
	store->base.type = &sb_sqlite_store_type;
	store->base.host = host;
	store->confirmed_version = -1;
	store->writer.host = host;
	store->reader.host = host;
	(void)pthread_mutex_init(&store->reader_lock, NULL);
	return store;
}

void sb_sqlite_open_destroy(sb_sqlite_store *store)
{
	const stepbus_host *host = store->base.host;

	sb_connection_finalize(&store->reader);
	sb_connection_finalize(&store->writer);
	sb_sqlite_wal_detach(store);
	(void)sqlite3_close(store->reader.db);
	if (!store->is_borrowed)
		(void)sqlite3_close(store->writer.db);
	(void)pthread_mutex_destroy(&store->reader_lock);
	sb_release(host, store->schema);
	sb_release(host, store->path);
	sb_release(host, store);
}

void sb_sqlite_open_close(sb_store *base)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	bool is_borrowed = store->is_borrowed;

	if (!is_borrowed && store->is_logged && !store->is_dead)
		sb_sqlite_wal_finish(store);
	sb_sqlite_open_destroy(store);
	if (!is_borrowed)
		sb_sqlite_fork_leave();
}

static stepbus_status check_options(const sb_store_options *options, stepbus_error *err)
{
	if (options->path == NULL || options->path[0] == '\0')
		return sb_fail(err, STEPBUS_EINVAL, "cannot open a store: it has no path");
	if (sqlite3_threadsafe() == 0)
		return sb_fail(err, STEPBUS_ESTORE,
			       "cannot open '%s': this SQLite was built for one thread",
			       options->path);
	return STEPBUS_OK;
}

static stepbus_status open_all(sb_sqlite_store *store, const sb_store_options *options,
			       stepbus_error *err)
{
	stepbus_status status = sb_sqlite_file_check_local(store->path, err);

	store->is_logged = status == STEPBUS_OK;
	if (status == STEPBUS_ENETWORK && options->is_network_allowed)
		status = STEPBUS_OK;
	if (status == STEPBUS_OK)
		status = sb_sqlite_file_create(store->path, err);
	if (status == STEPBUS_OK)
		status = sb_sqlite_file_identify(store, err);
	if (status == STEPBUS_OK)
		status = open_writer(store, options, err);
	if (status == STEPBUS_OK)
		status = check_pages(store, err);
	if (status == STEPBUS_OK)
		status = open_reader(store, err);
	return status;
}

static stepbus_status open_new(const sb_store_options *options, sb_sqlite_store **out,
			       stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_open_new(options->host);
	stepbus_status status;

	if (store == NULL)
		return sb_fail_memory(err, "open a store");
	store->path = plain_path(options->host, options->path);
	store->writer.path = store->path;
	store->reader.path = store->path;
	store->busy_timeout_us = options->busy_timeout_ms < INT64_MAX / 1000 ?
					 options->busy_timeout_ms * 1000 :
					 INT64_MAX;
	store->wal_alarm_bytes = options->wal_alarm_bytes;
	store->is_on_disk = options->durability == SB_DURABILITY_DISK;
	status = store->path != NULL ? open_all(store, options, err) :
				       sb_fail_memory(err, "open a store");
	if (status != STEPBUS_OK) {
		sb_sqlite_open_destroy(store);
		return status;
	}
	*out = store;
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_store_open(const sb_store_options *options, sb_store **out,
				    stepbus_error *err)
{
	sb_sqlite_store *store = NULL;
	stepbus_status status = check_options(options, err);

	if (status == STEPBUS_OK)
		status = sb_sqlite_fork_enter(options->path, err);
	if (status != STEPBUS_OK)
		return status;
	status = open_new(options, &store, err);
	if (status != STEPBUS_OK) {
		sb_sqlite_fork_leave();
		return status;
	}
	sb_assert(store != NULL);
	log_version(store);
	*out = &store->base;
	return STEPBUS_OK;
}
