/* SPDX-License-Identifier: MIT */
/*
 * The nemesis: starts the processes of a run, ends them, stops them, and starts them anew. It opens
 * no engine itself, since a process that has one must not fork.
 *
 * A child dies at any moment, or at a named point (points.h) that is armed while it works, when it
 * was told to end, or before it is started; or it is stopped for longer than its lease, at any moment
 * or at a point, and goes on later.
 */
#ifndef TESTS_TORTURE_KILL_NEMESIS_H
#define TESTS_TORTURE_KILL_NEMESIS_H

#include <sys/types.h>

#include "torture/kill/points.h"

enum { NEMESIS_CHILD_MAX = 24, NEMESIS_PATH_LEN = 256 };

typedef struct child {
	const char *role;
	pid_t pid; /* 0: none */
	int32_t process;
	bool is_stopped;
	bool is_armed_at_start;
	int64_t until_us; /* when it goes on, where it is stopped */
} child;

typedef struct nemesis {
	const char *program;
	char directory[NEMESIS_PATH_LEN];
	char database[NEMESIS_PATH_LEN + 16];
	char log[NEMESIS_PATH_LEN + 16];
	char records[NEMESIS_PATH_LEN + 16];
	point_place *page;
	int32_t next_process;
	uint32_t random;
	uint32_t pause_max_us; /* between two strikes */
	int child_count;
	int guest_count; /* roles that are guests */
	child children[NEMESIS_CHILD_MAX];
	int player_count; /* that are kept alive while it rages */
	bool is_stuck;    /* it gave up waiting for something, and has said so */

	long kills;         /* at any moment */
	long point_kills;   /* at a named point */
	long handler_kills; /* by a handler, itself */
	long ends;          /* as they were told to */
	long stalls;        /* stopped for longer than a lease */
	long point_stalls;  /* of these, at a named point */
	long stalled_kills; /* killed while they were stopped */
} nemesis;

/* Makes the run's directory, from which the roles take all that they need. */
bool nemesis_open(nemesis *n, const char *program, uint32_t seed);
void nemesis_add(nemesis *n, const char *role, int count);
/* Removes the directory. */
void nemesis_clear(const nemesis *n);

/* Starts those that are not there. */
void nemesis_keep_alive(nemesis *n);
/* A process dies, somehow. */
void nemesis_strike(nemesis *n);
/* Some of the processes that work on steps are stopped, others go on; returns soon. */
void nemesis_stall(nemesis *n, int stalled_max);
/* Nobody is stopped or armed any more. */
void nemesis_rest(nemesis *n);
/* Tells all of a role to end, or all, for NULL; they are not started again. One that does not is killed. */
void nemesis_dismiss(nemesis *n, const char *role);
/* Starts one more, and waits for it; true where it ended well, and in time. */
bool nemesis_run(nemesis *n, const char *role);

uint32_t nemesis_draw(nemesis *n, uint32_t count);

#endif
