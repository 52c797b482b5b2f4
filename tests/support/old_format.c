/* SPDX-License-Identifier: MIT */
#include "support/old_format.h"

#include <sqlite3.h>
#include <stddef.h>

/* What version 1 left: the tables of this one, without what the second migration brings. */
bool test_old_format_make(const char *path)
{
	static const char back[] = "DROP TABLE checkpoint;"
				   "ALTER TABLE state DROP COLUMN checkpoint_count;"
				   "PRAGMA user_version = 1";
	sqlite3 *db = NULL;
	bool is_made = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		       sqlite3_exec(db, back, NULL, NULL, NULL) == SQLITE_OK;

	(void)sqlite3_close(db);
	return is_made;
}
