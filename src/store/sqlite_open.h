/* SPDX-License-Identifier: MIT */
/* The beginning and the end of SQLite stores, those over a borrowed connection included. */
#ifndef SB_STORE_SQLITE_OPEN_H
#define SB_STORE_SQLITE_OPEN_H

#include "store/sqlite_store.h"

/* An empty one; NULL: out of memory. */
sb_sqlite_store *sb_sqlite_open_new(const stepbus_host *host);
/* Gives back all it has, but no connection that it borrowed. */
void sb_sqlite_open_destroy(sb_sqlite_store *store);
stepbus_status sb_sqlite_open_tag_read(sb_sqlite_store *store, stepbus_error *err);
/* The function of sb_store_type. */
void sb_sqlite_open_close(sb_store *base);

#endif
