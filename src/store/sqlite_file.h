/* SPDX-License-Identifier: MIT */
/*
 * The file of a SQLite store, as far as it is looked at beside SQLite: by its path only, never by
 * opening it, since closing any descriptor of a file drops all locks that the process has on it.
 */
#ifndef SB_STORE_SQLITE_FILE_H
#define SB_STORE_SQLITE_FILE_H

#include "store/sqlite_store.h"

/*
 * What a file system of this type (statfs's f_type) is called where it lies on another machine or
 * is run by a program, so that locks and shared memory cannot be counted on; NULL: a local one.
 * Pure.
 */
const char *sb_sqlite_file_network_name(uint64_t type);

/* STEPBUS_ENETWORK where the file, or the directory it will be in, is on such a file system. */
stepbus_status sb_sqlite_file_check_local(const char *path, stepbus_error *err);
/* Makes an empty file for its owner alone, whatever the umask; a file that is there stays. */
stepbus_status sb_sqlite_file_create(const char *path, stepbus_error *err);
/* Which file it is: to notice when another one takes its place. */
stepbus_status sb_sqlite_file_identify(sb_sqlite_store *store, stepbus_error *err);
/* STEPBUS_ESTORE where the file that was opened is no longer at its path. */
stepbus_status sb_sqlite_file_check_place(sb_sqlite_store *store, stepbus_error *err);
/* True where no file can be made beside it any more, however much room there is. */
bool sb_sqlite_file_lacks_inodes(const char *path);
/* 0 where there is none. */
int64_t sb_sqlite_file_size(const char *path);

#endif
