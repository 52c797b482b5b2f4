/* SPDX-License-Identifier: MIT */
#include "torture/power/pages.h"

#include <stdio.h>
#include <string.h>

#include "torture/power/image_vfs.h"

enum { PAGE_COUNT_MAX = 1 << 16 };

static void tell(sqlite3 *db, const char *what, char *message, size_t room)
{
	(void)snprintf(message, room, "%s: %s (%d)", what,
		       db != NULL ? sqlite3_errmsg(db) : "no memory",
		       db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM);
}

sqlite3 *pages_open(image *i, char *message, size_t room)
{
	sqlite3 *db = NULL;

	image_vfs_show(i);
	if (sqlite3_open_v2(IMAGE_VFS_PATH, &db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    IMAGE_VFS_NAME) == SQLITE_OK) {
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
		return db;
	}
	tell(db, "open", message, room);
	pages_close(db);
	return NULL;
}

void pages_close(sqlite3 *db)
{
	(void)sqlite3_close(db);
}

static uint32_t page_number(const image_file *log, uint32_t frame)
{
	const uint8_t *b = log->bytes + LOG_HEAD_LEN + (int64_t)(frame - 1) * FRAME_LEN;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t hash_shown(image *i)
{
	static uint32_t frames[PAGE_COUNT_MAX];
	image_log_index index = image_vfs_log_index();
	int64_t count = i->files[FILE_DATABASE].len / PAGE_LEN;
	uint64_t sum = 0;

	if (index.is_there && index.frame_count > 0)
		count = index.page_count;
	else
		index.frame_count = 0;
	if (count >= PAGE_COUNT_MAX)
		return 0;
	memset(frames, 0, (size_t)(count + 1) * sizeof *frames);
	for (uint32_t f = 1; f <= index.frame_count; f++) {
		uint32_t page = page_number(&i->files[FILE_LOG], f);

		if (page <= count)
			frames[page] = f;
	}
	for (int64_t page = 1; page <= count; page++) {
		uint64_t hash = frames[page] != 0 ? image_page_hash(i, FILE_LOG, frames[page] - 1) :
						    image_page_hash(i, FILE_DATABASE, page - 1);

		sum += image_mix(hash, (uint64_t)page);
	}
	return sum;
}

bool pages_hash(image *i, uint64_t *out, char *message, size_t room)
{
	sqlite3 *db = pages_open(i, message, room);
	sqlite3_stmt *statement = NULL;
	bool is_read = false;

	if (db == NULL)
		return false;
	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW) {
		*out = hash_shown(i);
		is_read = true;
	} else {
		tell(db, "read", message, room);
	}
	(void)sqlite3_finalize(statement);
	pages_close(db);
	return is_read;
}

bool pages_check(sqlite3 *db, bool is_thorough, char *message, size_t room)
{
	sqlite3_stmt *statement = NULL;
	bool is_ok = false;

	if (sqlite3_prepare_v2(db, is_thorough ? "PRAGMA integrity_check" : "PRAGMA quick_check",
			       -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW) {
		const char *answer = (const char *)sqlite3_column_text(statement, 0);

		is_ok = answer != NULL && strcmp(answer, "ok") == 0;
		(void)snprintf(message, room, "%s", answer != NULL ? answer : "");
	} else {
		tell(db, "check", message, room);
	}
	(void)sqlite3_finalize(statement);
	return is_ok;
}
