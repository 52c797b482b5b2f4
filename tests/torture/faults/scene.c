/* SPDX-License-Identifier: MIT */
#include "torture/faults/scene.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/slowness.h"
#include "torture/faults/score.h"

enum {
	SKIPPED = 77,
	SHORT_SPAN = 4,
	PATIENCE_MS = 5000,
	PLAY_MAX_S = 60,
	WATCH_MS = 500,
	LOGGED_MAX = 5, /* in that time: ten a second */
	/* A tenth: it takes 1 to 2, and what else runs on the machine is counted as ours now and then. */
	CPU_MAX_MS = 50,
};

bool scene_mount(scene *s, const char *options)
{
	return s->can_mount && mount("none", s->directory, "tmpfs", 0, options) == 0;
}

bool scene_remount(scene *s, const char *options)
{
	return mount("none", s->directory, "tmpfs", MS_REMOUNT, options) == 0;
}

stepbus_status scene_fill(scene *s, uint32_t count_max)
{
	stepbus_status status = STEPBUS_OK;

	s->life.is_big = true;
	for (uint32_t i = 0; i < count_max && status == STEPBUS_OK; i++)
		status = life_enqueue(&s->life, "pull", 1);
	s->life.is_big = false;
	return status;
}

void scene_check_well(scene *s)
{
	int64_t until_us = life_elapsed_us() + (int64_t)PATIENCE_MS * 1000 * test_slowness();
	stepbus_status status = STEPBUS_EBUSY;

	while (status != STEPBUS_OK && life_elapsed_us() < until_us) {
		status = life_enqueue(&s->life, "pull", 1);
		if (status != STEPBUS_OK)
			(void)poll(NULL, 0, 5);
	}
	if (status != STEPBUS_OK)
		record_complain(s->record, "not well again: %.300s", s->life.err.message);
	else if (life_drain(&s->life, PATIENCE_MS * test_slowness()) == 0)
		record_complain(s->record, "no step can be completed: %.300s", s->life.err.message);
}

static int64_t cpu_us(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

void scene_check_refusing(scene *s, uint32_t count)
{
	uint32_t logged;
	int64_t used_us, watched_us;

	for (uint32_t i = 0; i < count; i++) {
		int64_t begun_us = life_elapsed_us();

		if (life_enqueue(&s->life, "pull", 1) == STEPBUS_OK)
			record_complain(s->record, "a step was taken that cannot be kept");
		if (life_elapsed_us() - begun_us > (int64_t)PATIENCE_MS * 1000 * test_slowness())
			record_complain(s->record, "a refusal took longer than %d ms", PATIENCE_MS);
	}
	logged = atomic_load(&s->record->log_count);
	used_us = cpu_us();
	watched_us = life_elapsed_us();
	(void)poll(NULL, 0, WATCH_MS);
	used_us = cpu_us() - used_us;
	logged = atomic_load(&s->record->log_count) - logged;
	/* A busy machine wakes who watches late. */
	watched_us = life_elapsed_us() - watched_us;
	if ((int64_t)logged * WATCH_MS * 1000 > LOGGED_MAX * watched_us)
		record_complain(s->record, "%u records were logged in %d ms", logged,
				(int)(watched_us / 1000));
	if (used_us * WATCH_MS > CPU_MAX_MS * watched_us * test_slowness())
		record_complain(s->record, "%d ms of processor were used in %d ms",
				(int)(used_us / 1000), (int)(watched_us / 1000));
}

void scene_expect(scene *s, const char *what, stepbus_status status, stepbus_status wanted,
		  stepbus_status wanted_too)
{
	if (status != wanted && status != wanted_too)
		record_complain(s->record, "%s answered %s: %.300s", what,
				stepbus_status_name(status), s->life.err.message);
}

static void play(const scene_entry *entry, scene *s, int number)
{
	bool was_played;

	s->can_mount = unshare(CLONE_NEWNS) == 0 &&
		       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	s->life.path = s->path;
	s->life.record = s->record;
	s->life.draw.state = (uint64_t)number;
	(void)alarm((unsigned)(PLAY_MAX_S * test_slowness()));
	was_played = entry->play(s, number);
	if (s->life.engine != NULL)
		life_close(&s->life);
	if (was_played && s->is_judged)
		(void)record_judge(s->record, s->path);
	_exit(was_played ? 0 : SKIPPED);
}

/* False: it was skipped. */
static bool play_one(const scene_entry *entry, scene *s, int number)
{
	int status = -1;
	pid_t pid;

	(void)snprintf(s->directory, sizeof s->directory, "%s/scene", score_directory());
	(void)snprintf(s->path, sizeof s->path, "%s/jobs.db", s->directory);
	(void)mkdir(s->directory, 0700);
	record_clear(s->record);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		play(entry, s, number);
	(void)waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		return false;
	if (status != 0)
		record_complain(s->record, "the process ended with status %d", status);
	return true;
}

static void play_and_score(const scene_entry *entry, scene *s, int number, scene_sums *sums)
{
	if (!play_one(entry, s, number)) {
		sums->skipped_count++;
		score_skip("%s %d: this process may not do what it needs", entry->name, number);
		return;
	}
	sums->played_count++;
	if (!score(atomic_load(&s->record->has_trouble) == 0, "%s %d: %s", entry->name, number,
		   s->record->trouble))
		sums->wrong_count++;
}

static void clean(const scene *s)
{
	char command[SCENE_PATH_LEN + 16];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", s->directory);
	if (system(command) != 0)
		score_say("left over: %s", s->directory);
}

void scene_play_all(const scene_entry *entries, int count, bool is_short, scene_sums *sums)
{
	scene s = { .record = record_new() };

	for (int i = 0; s.record != NULL && i < count; i++)
		for (int number = entries[i].first, span = entries[i].last - number;
		     number <= entries[i].last;
		     number += is_short && span >= SHORT_SPAN ? span / SHORT_SPAN : 1) {
			s = (scene){ .record = s.record };
			play_and_score(&entries[i], &s, number, sums);
			clean(&s);
		}
}

bool scene_is_wrong(const scene_entry *entry)
{
	scene s = { .record = record_new() };
	bool is_wrong = s.record != NULL && play_one(entry, &s, entry->first) &&
			atomic_load(&s.record->has_trouble) != 0;

	if (is_wrong)
		score_say("  found: %s", s.record->trouble);
	clean(&s);
	return is_wrong;
}
