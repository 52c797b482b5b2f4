/* SPDX-License-Identifier: MIT */
/*
 * Named points: places at which a process can be told to die or to stop, each just before or just
 * behind a system call that SQLite or the library makes. The program defines these calls itself
 * (points_calls.c), so that the library under test needs no hook: every call passes by here, and
 * goes on to the C library.
 *
 * The nemesis and its children share a page of places, one for each child. The nemesis arms a place;
 * the child counts its calls down, and at 0 writes its call stack to a file and gives itself the
 * signal. Any thread; what is not armed costs one load.
 */
#ifndef TESTS_TORTURE_KILL_POINTS_H
#define TESTS_TORTURE_KILL_POINTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POINT_PLACE_COUNT = 64, POINT_FRAMES_MAX = 24 };

typedef enum point_call {
	POINT_OPEN,
	POINT_CLOSE,
	POINT_READ,
	POINT_WRITE,
	POINT_SYNC,
	POINT_TRUNCATE,
	POINT_LOCK,
	POINT_MAP,
	POINT_UNLINK,
	POINT_FUTEX,
	POINT_CALL_COUNT
} point_call;

/* Which file, by the end of its name. */
typedef enum point_file {
	POINT_NO_FILE,
	POINT_DATABASE,
	POINT_WAL,
	POINT_SHM,
	POINT_WAKE,
	POINT_STARTED,
	POINT_OTHER,
	POINT_FILE_COUNT
} point_file;

enum { POINT_ANY_CALL = (1 << POINT_CALL_COUNT) - 1 };

typedef struct point_place {
	_Atomic(uint32_t) is_armed;
	_Atomic(int32_t) countdown; /* calls until it strikes */
	_Atomic(uint32_t) calls;    /* bits of point_call */
	_Atomic(int32_t) signal;
	_Atomic(uint32_t) passed; /* calls that the child has made, of whatever kind */
	_Atomic(uint32_t) phase;  /* what the child is about: POINT_OPENING, … */
	_Atomic(uint32_t) cause;  /* of its end, where it is its own doing */
} point_place;

/* The causes; none of these: the nemesis killed it, or it ended as it was told to. */
enum { POINT_CAUSE_NONE, POINT_CAUSE_POINT, POINT_CAUSE_HANDLER };

enum { POINT_OPENING, POINT_SERVING, POINT_ENDING };

/* The nemesis: makes the page and the file of records. */
point_place *points_make(const char *page_path);
void points_leave(point_place *page);
/* A child: its place in the page, and the file that it appends its record to. */
void points_join(const char *page_path, const char *record_path, int place);
void points_enter(uint32_t phase);
/* The child is about to end itself. */
void points_blame(uint32_t cause);

/* From the calls. Those on the observer's log do not count. */
void points_pass(point_call call, int fd, bool is_done);
void points_note_opened(int fd, const char *path);
void points_note_closed(int fd);

#endif
