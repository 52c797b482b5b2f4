/* SPDX-License-Identifier: MIT */
/*
 * The write-ahead log: how long it grows, and when what it holds goes into the database file.
 *
 * SQLite up to 3.51.2 (but for 3.50.7 and 3.44.6) may lose a commit where a passive checkpoint
 * meets a writer that begins the log anew. So no checkpoint here is passive: each holds the right
 * to write. SQLite makes one passive of its own accord when it cannot get that right; the busy
 * handler therefore waits for it as long as begin would, and where even that is in vain, the
 * checkpoint gets no lock of a reader either, without which it copies nothing.
 *
 * Readers are not waited for: what they still need stays in the log, and a later checkpoint has it.
 */
#ifndef SB_STORE_SQLITE_WAL_H
#define SB_STORE_SQLITE_WAL_H

#include "store/sqlite_store.h"

/* Takes over the busy handler, the log's hook and the lock function of the writing connection. */
stepbus_status sb_sqlite_wal_attach(sb_sqlite_store *store, stepbus_error *err);
/* After a commit: an alarm where the log is too long. */
void sb_sqlite_wal_watch(sb_sqlite_store *store);
/* Between transactions: a checkpoint where the log has grown enough. */
void sb_sqlite_wal_tend(sb_sqlite_store *store);
/* Before the end: everything into the file, as far as readers let it. */
void sb_sqlite_wal_finish(sb_sqlite_store *store);
void sb_sqlite_wal_detach(sb_sqlite_store *store);

/*
 * Sleeps so long, less than a second, whatever signals come: by real time, not by a host's clock,
 * since what is waited for is another process. SQLite's own waits end sooner for each signal, and
 * would give up too early.
 */
void sb_sqlite_wal_pause(int64_t time_us);
/* A busy handler for other connections of a store, which is its context: as long as begin would. */
int sb_sqlite_wal_wait(void *context, int count);

#endif
