/* SPDX-License-Identifier: MIT */
/*
 * The system's files for SQLite, but that one operation, or all from one on, fails as a disk, a full
 * disk or another process makes it fail. A write may come through in part before it fails. It counts
 * what was asked of it, so that who tries again and again is found out by counting, not by measuring
 * time. Installed once in a process, it is what SQLite opens files with, on any thread.
 */
#ifndef TESTS_TORTURE_BROKEN_VFS_H
#define TESTS_TORTURE_BROKEN_VFS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum broken_kind {
	BROKEN_OPEN,
	BROKEN_READ,
	BROKEN_WRITE,
	BROKEN_SYNC,
	BROKEN_TRUNCATE,
	BROKEN_SIZE,
	BROKEN_LOCK,
	BROKEN_SHM_MAP,
	BROKEN_SHM_LOCK,
	BROKEN_DELETE,
	BROKEN_ACCESS,
	BROKEN_KIND_COUNT
} broken_kind;

/* How an operation fails. */
typedef struct broken_way {
	broken_kind kind;
	int code;        /* of SQLite */
	bool is_partial; /* half of it is done before */
	bool is_passing; /* what does not keep a store from going on when it is over */
	const char *name;
} broken_way;

extern const broken_way broken_ways[];
extern const int broken_way_count;

bool broken_install(void);
/* From now on the nth operation of the way's kind fails; where is_lasting, all after it too. */
void broken_plan(const broken_way *way, int nth, bool is_lasting);
/* Nothing fails any more. */
void broken_mend(void);
/* What is written to the log of a database is thrown away, and said to be written: a disk that lies. */
void broken_lie(bool is_lying);

/* Since the plan was made: operations that failed, and whether one of them was a sync. */
uint32_t broken_failure_count(void);
bool broken_has_sync_failed(void);
/* Since the process began: operations of a kind that were asked for, and files that are open. */
uint32_t broken_asked_count(broken_kind kind);
int broken_open_count(void);

#endif
