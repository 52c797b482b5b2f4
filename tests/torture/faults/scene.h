/* SPDX-License-Identifier: MIT */
/*
 * Scenes: each is played by a process of its own, in a directory and a name space of mounts of its
 * own, so that what it does to the system (mounts, limits, another user) ends with it. A scene that
 * finds something wrong complains on its record; one that may not do what it must first is skipped.
 */
#ifndef TESTS_TORTURE_SCENE_H
#define TESTS_TORTURE_SCENE_H

#include "torture/faults/life.h"

enum { SCENE_PATH_LEN = 256 };

typedef struct scene {
	char directory[SCENE_PATH_LEN];
	char path[SCENE_PATH_LEN + 16]; /* of the database */
	bool can_mount;
	bool is_judged; /* the file is to be read at the end: not where it was taken away */
	record *record;
	life life;                     /* its path and record are set */
	_Atomic(uint32_t) *step_count; /* of what a scene counts */
} scene;

/* False: it was skipped. */
typedef bool (*scene_play)(scene *s, int number);

typedef struct scene_entry {
	const char *name;
	scene_play play;
	int first, last; /* the numbers that it is played with */
} scene_entry;

/* How many were played and skipped; the wrong ones are scored as failures, as are skips that are not allowed. */
typedef struct scene_sums {
	uint32_t played_count, skipped_count, wrong_count;
} scene_sums;

/* is_short: only some of the numbers of each. */
void scene_play_all(const scene_entry *entries, int count, bool is_short, scene_sums *sums);

/* Plays it once; whether it complained. For controls. */
bool scene_is_wrong(const scene_entry *entry);

/* Mounts a file system of these options on the scene's directory. */
bool scene_mount(scene *s, const char *options);
bool scene_remount(scene *s, const char *options);

/* Enqueues until it is refused, or so many were taken; what it was refused with. */
stepbus_status scene_fill(scene *s, uint32_t count_max);
/* Within some seconds a step is taken, and another one completed: all is well again. */
void scene_check_well(scene *s);
/* All of so many calls are refused, none too slowly, and nobody spins or floods the log. */
void scene_check_refusing(scene *s, uint32_t count);
/* Complains where status is not wanted, or wanted_too. */
void scene_expect(scene *s, const char *what, stepbus_status status, stepbus_status wanted,
		  stepbus_status wanted_too);

#endif
