/* SPDX-License-Identifier: MIT */
/*
 * The tables, indexes and views of a SQLite store, and how a file of an older version becomes one
 * of this version. docs/STORE.md describes them for people who read the file with other tools.
 */
#ifndef SB_STORE_SQLITE_SCHEMA_H
#define SB_STORE_SQLITE_SCHEMA_H

#include "store/sqlite_store.h"

enum {
	SB_SCHEMA_APPLICATION_ID = 0x73627573, /* "sbus" */
	SB_SCHEMA_VERSION = 2,
};

/* What the head of a file says it is. */
typedef struct sb_sqlite_schema_mark {
	int64_t application_id;
	int64_t version;
	int64_t object_count; /* tables, indexes, views, triggers */
} sb_sqlite_schema_mark;

stepbus_status sb_sqlite_schema_mark_read(sb_connection *connection, sb_sqlite_schema_mark *mark,
					  stepbus_error *err);
/*
 * STEPBUS_OK where the file is ours, or empty: what may be opened. STEPBUS_ECORRUPT where it is
 * another program's, STEPBUS_EVERSION where a newer version wrote it. Pure.
 */
stepbus_status sb_sqlite_schema_mark_check(const sb_sqlite_schema_mark *mark, const char *path,
					   stepbus_error *err);
/* Inside a transaction: brings the file from its version to this one. */
stepbus_status sb_sqlite_schema_migrate(sb_connection *connection, int64_t version,
					stepbus_error *err);

#endif
