/* SPDX-License-Identifier: MIT */
/*
 * An image as SQLite shows it: opened like any file, with the log or the journal that it has, and
 * the pages of the database that then counts. What SQLite decided about the log is read from its
 * index; which pages that makes is reckoned here. One thread.
 */
#ifndef TESTS_TORTURE_POWER_PAGES_H
#define TESTS_TORTURE_POWER_PAGES_H

#include <sqlite3.h>

#include "torture/power/image.h"

/* NULL, with a message, where it cannot be. A database that is not there is opened as an empty one. */
sqlite3 *pages_open(image *i, char *message, size_t room);
void pages_close(sqlite3 *db);
/* The hash of all pages; false, with a message, where SQLite does not read the file. */
bool pages_hash(image *i, uint64_t *out, char *message, size_t room);
/* What PRAGMA integrity_check or quick_check says: true for "ok". */
bool pages_check(sqlite3 *db, bool is_thorough, char *message, size_t room);

#endif
