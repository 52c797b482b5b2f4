/* SPDX-License-Identifier: MIT */
#include "torture/faults/limits.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "torture/faults/scene.h"
#include "torture/faults/score.h"

enum { NOBODY = 65534, WATCH_MS = 300, LOGGED_MAX = 3, KIB = 1024 };

/* How many entries a directory of /proc has. */
static int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	while (directory != NULL && readdir(directory) != NULL)
		count++;
	if (directory != NULL)
		(void)closedir(directory);
	return count;
}

static void set_limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit limit;

	(void)getrlimit(resource, &limit);
	limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
	(void)setrlimit(resource, &limit);
}

/* A thread that has been joined may be in the list for a moment. */
static int settle_threads(int wanted)
{
	int count = count_entries("/proc/self/task");

	for (int i = 0; i < 200 && count > wanted; i++) {
		(void)poll(NULL, 0, 5);
		count = count_entries("/proc/self/task");
	}
	return count;
}

typedef struct belongings {
	int files, threads;
} belongings;

static belongings count_belongings(void)
{
	return (belongings){ count_entries("/proc/self/fd"), count_entries("/proc/self/task") };
}

static void check_belongings(scene *s, belongings before, const char *when)
{
	int threads = settle_threads(before.threads), files = count_entries("/proc/self/fd");

	if (files != before.files)
		record_complain(s->record, "%d descriptors %s, %d before", files, when,
				before.files);
	if (threads != before.threads)
		record_complain(s->record, "%d threads %s, %d before", threads, when,
				before.threads);
}

static void check_log_rate(scene *s)
{
	uint32_t logged = atomic_load(&s->record->log_count);
	int64_t watched_us = life_elapsed_us();

	(void)poll(NULL, 0, WATCH_MS);
	logged = atomic_load(&s->record->log_count) - logged;
	watched_us = life_elapsed_us() - watched_us;
	if ((int64_t)logged * WATCH_MS * 1000 > LOGGED_MAX * watched_us)
		record_complain(s->record, "%u records were logged in %d ms", logged,
				(int)(watched_us / 1000));
}

/* Under a limit from before the opening: works or refuses, and works when it is lifted. */
static void play_from_the_start(scene *s, __rlimit_resource_t resource, rlim_t value)
{
	belongings before;

	/* What a process has for good from its first engine on is not of the limit. */
	if (!life_make_store(s->path))
		record_complain(s->record, "a store cannot even be made");
	before = count_belongings();
	s->is_judged = true;
	s->life.has_pool = true;
	set_limit(resource, value);
	if (life_open(&s->life)) {
		for (int i = 0; i < 30; i++)
			life_act(&s->life);
		check_log_rate(s);
	}
	set_limit(resource, RLIM_INFINITY);
	if (s->life.engine != NULL)
		life_close(&s->life);
	check_belongings(s, before, "after the end");
	if (!life_open(&s->life))
		record_complain(s->record, "opening without a limit: %.300s", s->life.err.message);
	if (s->life.engine != NULL) {
		scene_check_well(s);
		life_close(&s->life);
	}
	check_belongings(s, before, "after a second engine");
}

/* Under a limit that comes while it runs. */
static void play_later(scene *s, __rlimit_resource_t resource, rlim_t value)
{
	int32_t fd = -1;

	s->is_judged = true;
	if (!life_open(&s->life))
		record_complain(s->record, "opening: %.300s", s->life.err.message);
	if (s->life.engine == NULL)
		return;
	for (int i = 0; i < 10; i++)
		life_act(&s->life);
	s->life.has_pool = true;
	set_limit(resource, value);
	for (int i = 0; i < 30; i++)
		life_act(&s->life);
	if (s->life.puller != NULL)
		(void)stepbus_wake_fd(s->life.puller, STEPBUS_WAKE_EVENTFD, &fd, &s->life.err);
	check_log_rate(s);
	set_limit(resource, RLIM_INFINITY);
	scene_check_well(s);
}

static bool play_files(scene *s, int number)
{
	play_from_the_start(s, RLIMIT_NOFILE, (rlim_t)number);
	return true;
}

static bool play_files_later(scene *s, int number)
{
	play_later(s, RLIMIT_NOFILE, (rlim_t)number);
	return true;
}

/* As somebody for whom such limits hold. */
static bool become_nobody(void)
{
	return chmod(score_directory(), 0711) == 0 && geteuid() == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static bool play_threads(scene *s, int number)
{
	if (chmod(s->directory, 0777) != 0 || !become_nobody())
		return false;
	play_from_the_start(s, RLIMIT_NPROC, (rlim_t)number);
	return true;
}

static bool play_threads_later(scene *s, int number)
{
	if (chmod(s->directory, 0777) != 0 || !become_nobody())
		return false;
	play_later(s, RLIMIT_NPROC, (rlim_t)number);
	return true;
}

static rlim_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (file == NULL || fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	if (file != NULL)
		(void)fclose(file);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static bool play_memory(scene *s, int number)
{
	/* A first engine leaves arenas behind, in which a second one could live. */
	play_from_the_start(s, RLIMIT_AS, address_space() + (rlim_t)number * 512 * KIB);
	return true;
}

static bool play_memory_later(scene *s, int number)
{
	play_later(s, RLIMIT_AS, address_space() + (rlim_t)number * 512 * KIB);
	return true;
}

/* The stacks of threads that are made without a size of their own, as RLIMIT_STACK sets it. */
static bool play_stacks(scene *s, int number)
{
	pthread_attr_t attributes;

	(void)pthread_getattr_default_np(&attributes);
	if (pthread_attr_setstacksize(&attributes, (size_t)number * 64 * KIB) != 0 ||
	    pthread_setattr_default_np(&attributes) != 0)
		return false;
	s->is_judged = true;
	s->life.has_pool = true;
	if (!life_open(&s->life))
		record_complain(s->record, "opening: %.300s", s->life.err.message);
	for (int i = 0; s->life.engine != NULL && i < 60; i++)
		life_act(&s->life);
	if (s->life.engine != NULL)
		scene_check_well(s);
	return true;
}

static const scene_entry entries[] = {
	{ "RLIMIT_NOFILE at the opening,", play_files, 4, 40 },
	{ "RLIMIT_NOFILE later,", play_files_later, 4, 40 },
	{ "RLIMIT_NPROC at the opening,", play_threads, 1, 10 },
	{ "RLIMIT_NPROC later,", play_threads_later, 1, 10 },
	{ "RLIMIT_AS at the opening, 512 KiB times", play_memory, 0, 60 },
	{ "RLIMIT_AS later, 512 KiB times", play_memory_later, 0, 10 },
	{ "stacks of 64 KiB times", play_stacks, 1, 4 },
};

void limits_torture(bool is_short)
{
	scene_sums sums = { 0 };

	scene_play_all(entries, sizeof entries / sizeof *entries, is_short, &sums);
	score_proof(
		"%u scenes with limits of descriptors, threads, memory and stacks: %u wrong "
		"(crashes, "
		"descriptors or threads left behind, not well when the limit was lifted, more than "
		"10 records a second), %u skipped",
		sums.played_count, sums.wrong_count, sums.skipped_count);
}

/* A descriptor that is left behind must be found out. */
static bool play_leak(scene *s, int number)
{
	belongings before = count_belongings();

	(void)number;
	if (dup(STDOUT_FILENO) < 0)
		return false;
	check_belongings(s, before, "after the end");
	return true;
}

void limits_control(void)
{
	static const scene_entry entry = { "control", play_leak, 1, 1 };
	bool is_found = scene_is_wrong(&entry);

	(void)score(is_found, "a descriptor that was left behind was not found out");
	score_proof("control: a descriptor that is left behind: %s",
		    is_found ? "found out" : "NOT FOUND");
}
