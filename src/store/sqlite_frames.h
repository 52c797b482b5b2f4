/* SPDX-License-Identifier: MIT */
/*
 * The frames of the write-ahead log, as SQLite's file format describes them, and what an opening does
 * so that it may trust them.
 *
 * SQLite takes what it reads of the log for what is on the disk. Behind a sync that failed, of whoever
 * had the file open before, that is not so: the system may show pages that it failed to write, and
 * believe that nothing of them is left to be written. Then the next syncs would succeed, and behind a
 * power cut the log would end in front of all that they had confirmed. What is written again, the
 * next sync has to keep, or to fail.
 */
#ifndef SB_STORE_SQLITE_FRAMES_H
#define SB_STORE_SQLITE_FRAMES_H

#include "store/sqlite_store.h"

/*
 * Inside the transaction that opens the store: writes each frame that counts over itself. Nothing is synced
 * here: the first sync of the log, which comes before anything is acknowledged and before any page
 * is taken from it into the database, keeps these too. STEPBUS_ESTORE where the log is not what
 * those who have the file open believe it to be.
 */
stepbus_status sb_sqlite_frames_renew(sb_sqlite_store *store, stepbus_error *err);

#endif
