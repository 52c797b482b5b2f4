/* SPDX-License-Identifier: MIT */
/*
 * One point: a world is made, a scenario's act runs with the nth allocation failing, and everything that
 * must hold is checked; at most one finding comes of it.
 */
#ifndef TORTURE_FAMINE_POINT_H
#define TORTURE_FAMINE_POINT_H

#include "torture/famine/world.h"

enum { FAMINE_MODE_COUNT = 6, FAMINE_POINT_LIMIT_S = 10 };

typedef struct famine_mode {
	const char *name;
	bool is_sticky;     /* the nth and all behind it */
	bool is_own;        /* only what the calling thread asks for */
	bool is_end_hungry; /* memory stays out until all is stopped and closed */
} famine_mode;

extern const famine_mode famine_modes[FAMINE_MODE_COUNT];
/* The mode in which each point is to be taken: one allocation fails, whoever asks. */
bool famine_is_whole(const famine_mode *mode);

typedef enum famine_finding {
	FAMINE_NOTHING,
	FAMINE_CRASH,
	FAMINE_HANG,
	FAMINE_LEAK,
	FAMINE_ANSWER, /* a status that it may not answer, or no message */
	FAMINE_PROMISE /* broken: lost, doubled, damaged, not to be done again, … */
} famine_finding;

typedef struct famine_point {
	const famine_scenario *scenario;
	bool is_on_disk;
	const famine_mode *mode;
	uint64_t n;           /* 0: nothing fails */
	size_t left_over_max; /* blocks that a first use of the library may keep */
	const char *directory;
} famine_point;

typedef struct famine_report {
	famine_finding finding;
	uint64_t asked_count;
	uint64_t failed_count;
	size_t left_over_count;
	stepbus_status status; /* of act */
	char words[2 * FAMINE_TEXT_LEN];
} famine_report;

void famine_point_run(const famine_point *point, famine_report *report);

#endif
