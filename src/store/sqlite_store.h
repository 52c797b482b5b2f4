/* SPDX-License-Identifier: MIT */
/*
 * The inside of the SQLite store, shared by the sqlite_*.c files and by nobody else.
 *
 * Two connections: one writes and checkpoints, and is used by one thread at a time (inside calls);
 * the other only reads, under reader_lock, so that readers neither wait for the writer nor make it
 * wait. A borrowed store has one connection, its host's, for both.
 *
 * A statement that is open keeps the log from being reused, so every call resets what it used; only
 * the statement behind the slices of the last read call stays open, until the next call.
 */
#ifndef SB_STORE_SQLITE_STORE_H
#define SB_STORE_SQLITE_STORE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "store/sqlite_sql.h"
#include "store/store.h"

typedef struct sb_connection {
	sqlite3 *db;
	const stepbus_host *host;
	const char *path;       /* for messages */
	const char *schema;     /* NULL: "main", which is how the statements are written */
	sqlite3_stmt *kept;     /* whose slices the caller still reads */
	stepbus_status failure; /* the first one: the transaction can only be rolled back */
	sqlite3_stmt *statements[SB_SQL_COUNT];
} sb_connection;

/* What the busy handler waits for. */
typedef enum sb_wait {
	SB_WAIT_LOCK,       /* another process's transaction: as long as the options say */
	SB_WAIT_CHECKPOINT, /* readers only briefly */
} sb_wait;

/* What a file's methods are exchanged for, and the way from there to its store. */
typedef struct sb_wal_methods {
	sqlite3_io_methods methods; /* the file's own, but for xShmLock */
	struct sb_sqlite_store *store;
} sb_wal_methods;

/* What the checkpoint needs to know; see sqlite_wal.c. */
typedef struct sb_wal {
	sqlite3_file *file; /* of the database */
	const sqlite3_io_methods *methods_real;
	sb_wal_methods own;
	char *path; /* of the log */
	sb_wait wait;
	_Atomic(int) refused_offset; /* of the lock that was last refused */
	bool is_refusing;            /* the checkpoint may not lock readers out any more */
	int64_t waited_us;
	int page_count;      /* of the log, after the last commit */
	int page_count_next; /* at which to try the next checkpoint */
	bool is_alarmed;
} sb_wal;

typedef struct sb_sqlite_store {
	sb_store base;
	sb_connection writer;
	sb_connection reader;
	pthread_mutex_t reader_lock;
	_Atomic(uintptr_t) leader; /* the thread inside a transaction; 0: none */
	bool is_borrowed;
	bool is_logged; /* the journal is a write-ahead log */
	bool is_dead;
	bool is_asked; /* has_changed was asked before */
	int64_t data_version;
	bool is_on_disk; /* commits promise to be: what others left in the log may not be yet */
	int64_t confirmed_version;  /* so much of others' work is; -1: none is known to be */
	int64_t confirming_version; /* and will be with this transaction; -1: no more than that */
	dev_t device;               /* of the file, when it was opened */
	ino_t inode;
	int64_t checked_at_ns;
	int64_t busy_timeout_us;
	int64_t wal_alarm_bytes;
	sb_wal wal;
	char *path;
	char *schema;
	_Atomic(uint64_t) commit_count;
	_Atomic(uint64_t) busy_count;
	_Atomic(uint64_t) checkpoint_count;
	_Atomic(uint64_t) checkpoint_short_count;
	_Atomic(uint64_t) wal_alarm_count;
} sb_sqlite_store;

extern const sb_store_type sb_sqlite_store_type;

static inline sb_sqlite_store *sb_sqlite_store_of(sb_store *store)
{
	return (sb_sqlite_store *)store;
}

/* Where an "inside and reader" call reads: NULL on failure. Give it back with leave. */
sb_connection *sb_sqlite_enter(sb_sqlite_store *store);
/* Where a "reader" call reads. */
sb_connection *sb_sqlite_enter_reader(sb_sqlite_store *store);
void sb_sqlite_leave(sb_sqlite_store *store, sb_connection *connection);

#endif
