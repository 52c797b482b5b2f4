/* SPDX-License-Identifier: MIT */
/*
 * The judge: the versions that a database has had, one for each commit, and what a state of the
 * disk must be in their light.
 *
 * Each version is read once in full: PRAGMA integrity_check, all rows, and that it may follow the
 * one before it (steps do not vanish or change unless they may, tokens and ids only grow). Each
 * acknowledgement is given the version that it is in.
 *
 * Each state is opened by SQLite, which recovers what it finds; the database that it then shows
 * must be, page for page (or, behind a journal, row for row), one of the versions, and not an older
 * one than any acknowledgement at level disk that was heard before the cut. Of some states all rows are read again, and the pages
 * checked by SQLite, so that the comparison of pages is not taken at its word.
 */
#ifndef TESTS_TORTURE_POWER_VERDICTS_H
#define TESTS_TORTURE_POWER_VERDICTS_H

#include "torture/power/disk.h"
#include "torture/power/facts.h"

enum { DURABILITY_DISK = 3 };

typedef enum fault {
	FAULT_NONE,
	FAULT_UNREADABLE, /* SQLite does not open it, or finds it damaged */
	FAULT_TORN,       /* it opens, as no commit left it */
	FAULT_LOST,       /* an acknowledged step, or what became of one, is gone */
	FAULT_UNFOUNDED,  /* acknowledged before it was committed */
	FAULT_ILLEGAL,    /* a commit did what it must not: a change that no rule allows */
	FAULT_ROWS,       /* the pages are those of a version, the rows are not */
	FAULT_COUNT
} fault;

const char *fault_name(fault f);

typedef struct version {
	uint64_t pages; /* hash of all of them */
	size_t at;      /* operations done when it was first to be seen */
	facts facts;
} version;

typedef struct judge {
	record *record;
	version *versions;
	size_t version_count, version_room;
	size_t acks_seen;
	int needed;        /* the version that must be there */
	char message[256]; /* what was wrong */
} judge;

void judge_open(judge *j, record *r);
void judge_close(judge *j);
/*
 * Looks at what programs see now, for a new version, and takes in the acknowledgements that came.
 * live may be NULL: it is as it was.
 */
fault judge_advance(judge *j, image *live, size_t at);
/* One state of the disk at that moment. index: its version, -1 where it is none. */
fault judge_state(judge *j, image *state, int *index);
/* The same, row by row; where is_thorough with integrity_check instead of quick_check. */
fault judge_rows(judge *j, image *state, int index, bool is_thorough);
/* How many acknowledgements at level disk a version lacks. */
size_t judge_count_lost(const judge *j, size_t at, int index);

#endif
