/* SPDX-License-Identifier: MIT */
/*
 * The table of the matrix: what each function of the header may answer in each group of places. A
 * status that is not written down is a violation, and a group without one is left out, since to call
 * the function there is a mistake of the host's that the header warns of; `why` says which.
 */
#ifndef TESTS_TORTURE_REENTER_ROWS_H
#define TESTS_TORTURE_REENTER_ROWS_H

#include "torture/reenter/places.h"

typedef enum row_group {
	GROUP_OUTSIDE, /* in callbacks that are not the engine's */
	GROUP_INSIDE,  /* in those that are */
	GROUP_ENDING,  /* while stepbus_stop or stepbus_close waits for a handler */
	GROUP_STOPPED,
	GROUP_CLOSED, /* beside and after stepbus_close, where the engine is not the caller's any more */
	GROUP_FORKED,
	GROUP_COUNT,
} row_group;

enum {
	ROW_PURE = 1,    /* may be called in hooks too */
	ROW_CONTEXT = 2, /* of what is valid during a handler's call */
	ROW_SPOILS = 4,  /* steps may not run as before behind it */
	ROW_WORKER = 8,  /* of a worker, which stepbus_close ends */
};

enum { ROW_EXCEPTION_COUNT = 4 };

typedef struct row {
	const char *function;
	place_call call;
	uint32_t flags;
	uint32_t allowed[GROUP_COUNT]; /* bits 1 << STEPBUS_…; 0: left out */
	struct row_exception {
		place where;
		uint32_t allowed;
	} exceptions[ROW_EXCEPTION_COUNT];
	const char *why;
} row;

typedef struct row_table {
	const row *rows;
	size_t count;
} row_table;

extern const row_table rows_library;
extern const row_table rows_bridge;
extern const row_table rows_registry;
extern const row_table rows_handler;
extern const row_table rows_engine;
extern const row_table rows_control;
extern const row_table rows_pull;

/* All of them, one after the other; NULL behind the last. */
const row *row_at(size_t index);
/* What it may answer there; 0: left out. */
uint32_t row_allowed(const row *r, place where);

#define ROW_IS(status) (UINT32_C(1) << (status))
#define ROW_OK ROW_IS(STEPBUS_OK)
#define ROW_OK_OR(status) (ROW_OK | ROW_IS(status))
#define ROW_GONE ROW_IS(STEPBUS_EFORKED)
#define ROW_OVER ROW_IS(STEPBUS_ESHUTDOWN)

/* The usual rows of the table: outside, inside, ending, stopped, closed, forked. */
#define ROW_ANYWHERE                                           \
	{                                                      \
		ROW_OK, ROW_OK, ROW_OK, ROW_OK, ROW_OK, ROW_OK \
	}
/* Of the host's own objects. */
#define ROW_OWN                                                  \
	{                                                        \
		ROW_OK, ROW_OK, ROW_OK, ROW_OK, ROW_OK, ROW_GONE \
	}
/* Of an engine, for those who look; and for those who bring new work. */
#define ROW_READ                                            \
	{                                                   \
		ROW_OK, ROW_OK, ROW_OK, ROW_OK, 0, ROW_GONE \
	}
#define ROW_WRITE                                               \
	{                                                       \
		ROW_OK, ROW_OK, ROW_OVER, ROW_OVER, 0, ROW_GONE \
	}
#define ROW_HANDLER                                  \
	{                                            \
		ROW_OK, ROW_OK, ROW_OK, 0, 0, ROW_OK \
	}

#define CALL(name) static stepbus_status name(world *w, stepbus_error *err)

/* For functions that answer no status: whether the answer was right. */
stepbus_status row_verdict(bool is_right);
/* Frees what a call wrote, and hands its status on. */
stepbus_status row_take_text(stepbus_text *text, stepbus_status status);

#endif
