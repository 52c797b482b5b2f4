/* SPDX-License-Identifier: MIT */
/*
 * The system's files for SQLite, with a record of what is done to one database: every write,
 * truncation, sync, creation and deletion of the file, its log and its journal, and every sync of
 * their directory, which SQLite does by itself inside other calls and which is seen where it opens
 * the directory. Other databases are passed through. Installed, it is what SQLite opens files with.
 *
 * Syncs are passed on, so that the directory's are seen; in memory they cost nothing.
 */
#ifndef TESTS_TORTURE_POWER_RECORDER_H
#define TESTS_TORTURE_POWER_RECORDER_H

#include "torture/power/record.h"

enum {
	RECORDER_DEAF = 1, /* for controls: syncs are swallowed, as by a disk that lies */
};

void recorder_install(void);
/* From now on what is done to this database goes to that record, which takes in what lies there. */
void recorder_begin(record *to, const char *path, unsigned flags);
void recorder_end(void);
/* The nth sync of a file from now on fails; 0: none. */
void recorder_fail_sync(int nth);
/* Whether it has. */
bool recorder_has_failed(void);

#endif
