/* SPDX-License-Identifier: MIT */
#include "support/other_program.h"

#include <sqlite3.h>

#include "support/cmocka.h"

enum { PATIENCE_MS = 30000 };

void test_other_program(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	/* An engine that is still open may be writing, too. */
	(void)sqlite3_busy_timeout(db, PATIENCE_MS);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
