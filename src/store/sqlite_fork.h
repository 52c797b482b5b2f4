/* SPDX-License-Identifier: MIT */
/*
 * Whether SQLite can be used in this process. It cannot where a fork made the process while stores were
 * open: SQLite's own mutexes may be held by threads that are not there any more, and it believes to
 * have file locks that a child does not inherit, so that parent and child would write at once.
 *
 * Any thread. Takes no lock, which a fork could leave locked.
 */
#ifndef SB_STORE_SQLITE_FORK_H
#define SB_STORE_SQLITE_FORK_H

#include "base/error.h"

/* Before a store is opened; STEPBUS_EFORKED where it must not be. */
stepbus_status sb_sqlite_fork_enter(const char *path, stepbus_error *err);
/* When it is closed, or could not be opened. Not in a forked child, where nothing is closed. */
void sb_sqlite_fork_leave(void);

#endif
