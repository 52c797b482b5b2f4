/* SPDX-License-Identifier: MIT */
#include "store/sqlite_wal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "store/sqlite_file.h"
#include "store/sqlite_statement.h"

enum {
	/* The locks of a log's index, as SQLite's file format numbers them; from 3 on, readers'. */
	LOCK_WRITE = 0,
	LOCK_READERS = 3,
	/* So many pages are worth a checkpoint: 4 MiB. More make it rarer, and each wait longer. */
	CHECKPOINT_PAGES = 1000,
	FRAME_LEN = 4096 + 24,
	HEADER_LEN = 32,
	READER_WAIT_US = 2000,
	PAUSE_MIN_US = 50,
	PAUSE_MAX_US = 2000,
	NS_PER_S = 1000000000,
};

static const int64_t file_len_max = INT64_C(64) << 20;

/*
 * Stands in front of SQLite's own: notes which lock was refused, so that the busy handler, which is
 * not told, knows what it waits for; and refuses itself when the checkpoint must do nothing.
 */
static int lock_shared_memory(sqlite3_file *file, int offset, int count, int flags)
{
	sb_wal *wal = &((const sb_wal_methods *)file->pMethods)->store->wal;
	int code = SQLITE_BUSY;

	if (!wal->is_refusing || offset < LOCK_READERS ||
	    flags != (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE))
		code = wal->methods_real->xShmLock(file, offset, count, flags);
	if (code == SQLITE_BUSY)
		wal->refused_offset = offset;
	return code;
}

void sb_sqlite_wal_pause(int64_t time_us)
{
	struct timespec until;

	/* Up to a time, not for a while: to begin anew after each signal takes longer, too. */
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)time_us * 1000;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_sec++;
		until.tv_nsec -= NS_PER_S;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int64_t patience_us(const sb_sqlite_store *store)
{
	if (store->wal.wait == SB_WAIT_CHECKPOINT && store->wal.refused_offset >= LOCK_READERS)
		return READER_WAIT_US;
	return store->busy_timeout_us;
}

static int be_busy(void *context, int count)
{
	sb_sqlite_store *store = context;
	sb_wal *wal = &store->wal;
	int64_t time_us = count < 8 ? PAUSE_MIN_US : PAUSE_MIN_US * (int64_t)(count - 6);

	if (count == 0)
		wal->waited_us = 0;
	if (count == 0 && wal->wait == SB_WAIT_LOCK)
		atomic_fetch_add_explicit(&store->busy_count, 1, memory_order_relaxed);
	if (wal->waited_us >= patience_us(store)) {
		if (wal->wait == SB_WAIT_CHECKPOINT && wal->refused_offset < LOCK_READERS)
			wal->is_refusing = true;
		return 0;
	}
	if (time_us > PAUSE_MAX_US)
		time_us = PAUSE_MAX_US;
	sb_sqlite_wal_pause(time_us);
	wal->waited_us += time_us;
	return 1;
}

int sb_sqlite_wal_wait(void *context, int count)
{
	const sb_sqlite_store *store = context;

	if (count * (int64_t)PAUSE_MAX_US >= store->busy_timeout_us)
		return 0;
	sb_sqlite_wal_pause(PAUSE_MAX_US);
	return 1;
}

static int note_pages(void *context, sqlite3 *db, const char *schema, int page_count)
{
	sb_sqlite_store *store = context;

	(void)db;
	if (strcmp(schema, "main") == 0)
		store->wal.page_count = page_count;
	return SQLITE_OK;
}

stepbus_status sb_sqlite_wal_attach(sb_sqlite_store *store, stepbus_error *err)
{
	sqlite3 *db = store->writer.db;
	sb_wal *wal = &store->wal;
	size_t len = strlen(store->path);
	int code;

	wal->page_count_next = CHECKPOINT_PAGES;
	wal->path = sb_alloc(store->base.host, len + sizeof "-wal");
	if (wal->path == NULL)
		return sb_fail_memory(err, "open a store");
	memcpy(wal->path, store->path, len);
	memcpy(wal->path + len, "-wal", sizeof "-wal");
	code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &wal->file);
	if (code != SQLITE_OK || wal->file == NULL || wal->file->pMethods == NULL ||
	    wal->file->pMethods->iVersion < 2)
		return sb_fail(err, STEPBUS_ESTORE,
			       "cannot open '%s': this SQLite's files have no shared memory",
			       store->path);
	wal->methods_real = wal->file->pMethods;
	wal->own = (sb_wal_methods){ *wal->methods_real, store };
	wal->own.methods.xShmLock = lock_shared_memory;
	wal->file->pMethods = &wal->own.methods;
	(void)sqlite3_busy_handler(db, be_busy, store);
	(void)sqlite3_wal_hook(db, note_pages, store);
	return STEPBUS_OK;
}

void sb_sqlite_wal_detach(sb_sqlite_store *store)
{
	if (store->wal.file != NULL && store->wal.file->pMethods == &store->wal.own.methods)
		store->wal.file->pMethods = store->wal.methods_real;
	store->wal.file = NULL;
	sb_release(store->base.host, store->wal.path);
	store->wal.path = NULL;
}

/* True where all of the log is in the file, and the next commit begins it anew. */
static bool checkpoint(sb_sqlite_store *store, int mode)
{
	sb_wal *wal = &store->wal;
	int code;

	wal->wait = SB_WAIT_CHECKPOINT;
	code = sqlite3_wal_checkpoint_v2(store->writer.db, "main", mode, NULL, NULL);
	wal->wait = SB_WAIT_LOCK;
	wal->is_refusing = false;
	atomic_fetch_add_explicit(&store->checkpoint_count, 1, memory_order_relaxed);
	if (code == SQLITE_OK)
		return true;
	atomic_fetch_add_explicit(&store->checkpoint_short_count, 1, memory_order_relaxed);
	/*
	 * What the disk has of the file now nobody can say; the commits themselves are in the log, which
	 * was synced before, and stays: only behind the sync of the file does SQLite count its pages
	 * as copied. So whoever opens it next reads them from the log, and copies, and so writes, all
	 * of them once more.
	 */
	if ((code & 0xFF) == SQLITE_IOERR &&
	    sb_sqlite_status_on(&store->writer, code) == STEPBUS_ESTORE)
		store->is_dead = true;
	return false;
}

void sb_sqlite_wal_watch(sb_sqlite_store *store)
{
	sb_wal *wal = &store->wal;
	int64_t len = HEADER_LEN + (int64_t)wal->page_count * FRAME_LEN;
	bool is_over = store->wal_alarm_bytes > 0 && len > store->wal_alarm_bytes;

	if (is_over && !wal->is_alarmed)
		atomic_fetch_add_explicit(&store->wal_alarm_count, 1, memory_order_relaxed);
	wal->is_alarmed = is_over;
}

void sb_sqlite_wal_tend(sb_sqlite_store *store)
{
	sb_wal *wal = &store->wal;

	if (wal->page_count < wal->page_count_next) {
		/* Another process may have begun the log anew. */
		if (wal->page_count < CHECKPOINT_PAGES)
			wal->page_count_next = CHECKPOINT_PAGES;
		return;
	}
	if (!checkpoint(store, SQLITE_CHECKPOINT_RESTART)) {
		wal->page_count_next = wal->page_count + CHECKPOINT_PAGES;
		return;
	}
	wal->page_count = 0;
	wal->page_count_next = CHECKPOINT_PAGES;
	/* A log that is written over costs less to sync than one that grows: only a huge one is cut. */
	if (sb_sqlite_file_size(wal->path) > file_len_max)
		(void)checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE);
}

void sb_sqlite_wal_finish(sb_sqlite_store *store)
{
	(void)checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE);
}
