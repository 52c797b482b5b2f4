/* SPDX-License-Identifier: MIT */
/*
 * The negative control: a process that does to the store, by plain SQL, what must never happen, while
 * the others work and die. The judge has to find it.
 */
#include "torture/kill/roles.h"

#include <sqlite3.h>
#include <stdio.h>

#include "torture/history/observer.h"

enum { PAUSE_US = 100000 };

/* An acknowledged step goes; a result is another's; a final step is open again. */
static const char *const deeds[] = {
	"DELETE FROM state WHERE id = (SELECT id FROM state WHERE state = 6 ORDER BY random() "
	"LIMIT 1)",
	"UPDATE result SET bytes = CAST('n1 t1' AS BLOB) WHERE step_id ="
	" (SELECT step_id FROM result ORDER BY random() LIMIT 1)",
	"UPDATE state SET state = 2, place = -1, rank = 1 WHERE id ="
	" (SELECT id FROM state WHERE state = 6 ORDER BY random() LIMIT 1)",
};

int role_saboteur(const role_options *options)
{
	uint32_t random = (uint32_t)options->process;
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(options->database_path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return 1;
	(void)sqlite3_busy_timeout(db, 5000);
	(void)sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL);
	while (!role_is_ended()) {
		role_pause_us(PAUSE_US);
		(void)sqlite3_exec(db, deeds[role_draw(&random, sizeof deeds / sizeof *deeds)],
				   NULL, NULL, NULL);
	}
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(db);
	return 0;
}
