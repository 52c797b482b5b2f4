/* SPDX-License-Identifier: MIT */
#include "torture/faults/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/slowness.h"
#include "torture/faults/scene.h"
#include "torture/faults/score.h"

enum {
	MANY = 2000,
	NOBODY = 65534,
	PATIENCE_MS = 3000,
	NOTICE_US = 1000000 / LIFE_TIME_FACTOR, /* a second of the host's */
};

static void open_or_complain(scene *s)
{
	if (!life_open(&s->life))
		record_complain(s->record, "opening: %.300s", s->life.err.message);
}

/* number: MiB of the disk. What was taken stays, what is refused leaves no trace, and room is enough. */
static bool play_full_disk(scene *s, int number)
{
	char options[32];

	(void)snprintf(options, sizeof options, "size=%dm", number);
	if (!scene_mount(s, options))
		return false;
	s->is_judged = true;
	open_or_complain(s);
	if (s->life.engine == NULL)
		return true;
	scene_expect(s, "a full disk", scene_fill(s, MANY), STEPBUS_ENOSPACE, STEPBUS_ENOSPACE);
	/* What is small may still fit in; what fits in is kept. */
	while (life_enqueue(&s->life, "pull", 1) == STEPBUS_OK)
		;
	scene_check_refusing(s, 20);
	if (!scene_remount(s, "size=64m"))
		record_complain(s->record, "the disk cannot be made larger");
	scene_check_well(s);
	return true;
}

/* number: KiB of the disk. Opening works or says why, and works when there is room. */
static bool play_full_from_the_start(scene *s, int number)
{
	char options[32];

	(void)snprintf(options, sizeof options, "size=%dk", number * 16);
	if (!scene_mount(s, options))
		return false;
	s->is_judged = true;
	if (!life_open(&s->life)) {
		scene_expect(s, "opening on a full disk", s->life.status, STEPBUS_ENOSPACE,
			     STEPBUS_ENOSPACE);
		if (!scene_remount(s, "size=64m"))
			record_complain(s->record, "the disk cannot be made larger");
		open_or_complain(s);
	} else {
		(void)scene_fill(s, 50);
		(void)scene_remount(s, "size=64m");
	}
	if (s->life.engine != NULL)
		scene_check_well(s);
	return true;
}

/* number: how many inodes there are. */
static bool play_no_inodes(scene *s, int number)
{
	char options[32];

	(void)snprintf(options, sizeof options, "nr_inodes=%d", number);
	if (!scene_mount(s, options))
		return false;
	s->is_judged = true;
	if (!life_open(&s->life)) {
		scene_expect(s, "opening without inodes", s->life.status, STEPBUS_ENOSPACE,
			     STEPBUS_ENOSPACE);
		if (!scene_remount(s, "nr_inodes=1000"))
			record_complain(s->record, "there cannot be more inodes");
		open_or_complain(s);
	} else {
		for (int i = 0; i < 30; i++)
			life_act(&s->life);
		(void)scene_remount(s, "nr_inodes=1000");
	}
	if (s->life.engine != NULL)
		scene_check_well(s);
	return true;
}

static bool run_command(const char *format, const char *a, const char *b)
{
	char command[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(command, sizeof command, format, a, b);
#pragma GCC diagnostic pop
	return system(command) == 0;
}

/* An ext4 of its own, of 8 MiB, in a file beside the directory. */
static bool mount_image(const scene *s)
{
	return s->can_mount &&
	       run_command("f='%s.img' && truncate -s 8M \"$f\" && mkfs.ext4 -q -F \"$f\" && "
			   "mount -o loop,errors=remount-ro \"$f\" '%s' && rm \"$f\"",
			   s->directory, s->directory);
}

/* As the kernel does it when the disk below fails: nobody is asked, and open files stay open. */
static bool turn_read_only(const scene *s)
{
	return run_command("d=$(findmnt -n -o SOURCE '%s') && "
			   "echo x > /sys/fs/ext4/${d#/dev/}/trigger_fs_error%s",
			   s->directory, "");
}

static void unmount(const scene *s)
{
	(void)run_command("umount -l '%s'%s", s->directory, "");
}

/* The running engine fails, says so, and ends; a new one says that it cannot write. */
static bool play_turns_read_only(scene *s, int number)
{
	stepbus_status status;

	if (!mount_image(s))
		return false;
	open_or_complain(s);
	for (int i = 0; s->life.engine != NULL && i < 10 * number; i++)
		life_act(&s->life);
	if (s->life.engine == NULL || !turn_read_only(s)) {
		unmount(s);
		return false;
	}
	status = life_enqueue(&s->life, "pull", 1);
	scene_expect(s, "a disk that turned read-only", status, STEPBUS_ESTORE, STEPBUS_EREADONLY);
	scene_check_refusing(s, 20);
	life_close(&s->life);
	if (life_open(&s->life))
		record_complain(s->record, "a store that cannot be written was opened");
	scene_expect(s, "opening on a read-only disk", s->life.status, STEPBUS_EREADONLY,
		     STEPBUS_EREADONLY);
	unmount(s);
	return true;
}

/* A disk with blocks that are given late, as real ones. */
static bool play_full_ext4(scene *s, int number)
{
	(void)number;
	if (!mount_image(s))
		return false;
	open_or_complain(s);
	(void)run_command("head -c 4M /dev/zero > '%s/filler'%s", s->directory, "");
	if (s->life.engine != NULL)
		scene_expect(s, "a full ext4", scene_fill(s, MANY), STEPBUS_ENOSPACE,
			     STEPBUS_ENOSPACE);
	while (s->life.engine != NULL && life_enqueue(&s->life, "pull", 1) == STEPBUS_OK)
		;
	if (s->life.engine != NULL)
		scene_check_refusing(s, 20);
	(void)run_command("rm '%s/filler'%s", s->directory, "");
	if (s->life.engine != NULL) {
		scene_check_well(s);
		life_close(&s->life);
	}
	(void)record_judge(s->record, s->path);
	unmount(s);
	return true;
}

static void move_away(const scene *s, int number)
{
	char other[SCENE_PATH_LEN + 32];

	(void)snprintf(other, sizeof other, "%s/other.db", s->directory);
	if (number == 1)
		(void)unlink(s->path);
	else if (number == 2)
		(void)rename(s->path, other);
	else if (life_make_store(other))
		(void)rename(other, s->path);
}

/* number: 1 the file is unlinked, 2 renamed, 3 another one is put in its place. */
static bool play_taken_away(scene *s, int number)
{
	int64_t begun_us = 0, moved_us;
	stepbus_status status = STEPBUS_OK;

	open_or_complain(s);
	for (int i = 0; s->life.engine != NULL && i < 20; i++)
		life_act(&s->life);
	if (s->life.engine == NULL)
		return true;
	move_away(s, number);
	moved_us = life_elapsed_us();
	while (status == STEPBUS_OK && begun_us <= moved_us + NOTICE_US) {
		(void)poll(NULL, 0, 2);
		begun_us = life_elapsed_us();
		status = life_enqueue(&s->life, "pull", 1);
	}
	/* By the clock that the engine has, however slow the machine is. */
	scene_expect(s, "a file that was taken away", status, STEPBUS_ESTORE, STEPBUS_ESTORE);
	scene_check_refusing(s, 20);
	life_close(&s->life);
	return true;
}

/* number: the mode that the file gets; the process is nobody's. */
static bool play_modes(scene *s, int number)
{
	stepbus_status wanted = (number & 4) != 0 ? STEPBUS_EREADONLY : STEPBUS_ESTORE;

	if (chmod(s->directory, 0777) != 0 || chmod(score_directory(), 0711) != 0 ||
	    (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0))
		return false;
	s->is_judged = true;
	open_or_complain(s);
	for (int i = 0; s->life.engine != NULL && i < 10; i++)
		life_act(&s->life);
	if (s->life.engine == NULL || chmod(s->path, (mode_t)number * 0100) != 0)
		return true;
	/* What is open stays open. */
	scene_check_well(s);
	life_close(&s->life);
	if (life_open(&s->life) && (number & 6) != 6)
		record_complain(s->record, "a file of mode %03o was opened",
				(unsigned)number * 0100);
	if ((number & 6) != 6)
		scene_expect(s, "opening it", s->life.status, wanted, STEPBUS_EREADONLY);
	(void)chmod(s->path, 0600);
	if (s->life.engine == NULL)
		open_or_complain(s);
	if (s->life.engine != NULL)
		scene_check_well(s);
	return true;
}

/* number: what is wrong with the path. */
static bool play_paths(scene *s, int number)
{
	char path[SCENE_PATH_LEN + 64];
	int fd;

	(void)snprintf(path, sizeof path, "%s/missing/jobs.db", s->directory);
	if (number == 2)
		(void)snprintf(path, sizeof path, "%s", s->directory);
	if (number == 3) {
		(void)snprintf(path, sizeof path, "%s/file", s->directory);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		(void)close(fd);
		(void)snprintf(path, sizeof path, "%s/file/jobs.db", s->directory);
	}
	if (number == 4) {
		(void)snprintf(path, sizeof path, "%s/pipe", s->directory);
		(void)mkfifo(path, 0600);
	}
	if (number == 5) {
		(void)snprintf(path, sizeof path, "%s/loop", s->directory);
		if (symlink(path, path) != 0)
			return false;
	}
	s->life.path = path;
	if (life_open(&s->life))
		record_complain(s->record, "'%s' was opened", path);
	scene_expect(s, "such a path", s->life.status, STEPBUS_EINVAL, STEPBUS_ESTORE);
	return true;
}

typedef struct async_answers {
	_Atomic(uint32_t) ok_count, full_count, other_count;
} async_answers;

static void hear(void *user_data, stepbus_status status, const stepbus_enqueued *results,
		 size_t count, const stepbus_error *err)
{
	async_answers *a = user_data;

	(void)results;
	(void)count;
	(void)err;
	atomic_fetch_add(status == STEPBUS_OK       ? &a->ok_count :
			 status == STEPBUS_ENOSPACE ? &a->full_count :
						      &a->other_count,
			 1);
}

static void enqueue_async(scene *s, async_answers *answers)
{
	static char bytes[20000];
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = "pulled",
				   .handler_name_len = 6,
				   .input = bytes,
				   .input_len = sizeof bytes };

	(void)stepbus_step_enqueue_async(s->life.engine, &spec, 1, hear, answers, &s->life.err);
}

/*
 * Files may not grow, and the signal that the system sends then ends a process, unless it is blocked
 * as in the library's own threads. number: KiB that the log may still grow by.
 */
static bool play_length_limit(scene *s, int number)
{
	static async_answers answers;
	struct rlimit limit = { (rlim_t)number * 1024, RLIM_INFINITY };
	int64_t until_us = life_elapsed_us() + (int64_t)PATIENCE_MS * 1000 * test_slowness();

	(void)signal(SIGXFSZ, SIG_DFL);
	open_or_complain(s);
	if (s->life.engine == NULL)
		return true;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return false;
	for (int i = 0; i < 30; i++)
		enqueue_async(s, &answers);
	while (atomic_load(&answers.full_count) == 0 && life_elapsed_us() < until_us)
		(void)poll(NULL, 0, 5);
	limit.rlim_cur = RLIM_INFINITY;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	if (atomic_load(&answers.full_count) == 0)
		record_complain(s->record, "no answer said that there is no room");
	if (atomic_load(&answers.other_count) > 0)
		record_complain(s->record, "an answer said something else than that");
	for (until_us += (int64_t)PATIENCE_MS * 1000 * test_slowness();
	     life_elapsed_us() < until_us;) {
		if (life_enqueue(&s->life, "side", 1) == STEPBUS_OK)
			return true;
		(void)poll(NULL, 0, 5);
	}
	record_complain(s->record, "not well again: %.300s", s->life.err.message);
	return true;
}

static const scene_entry entries[] = {
	{ "a full tmpfs of MiB", play_full_disk, 1, 3 },
	{ "a full tmpfs from the start, of 16 KiB times", play_full_from_the_start, 1, 20 },
	{ "a tmpfs with inodes for", play_no_inodes, 1, 8 },
	{ "a full ext4", play_full_ext4, 1, 1 },
	{ "an ext4 that turns read-only after acts times ten", play_turns_read_only, 1, 3 },
	{ "a file taken away (1 unlinked, 2 renamed, 3 replaced)", play_taken_away, 1, 3 },
	{ "a file of mode", play_modes, 0, 6 },
	{ "a path (1 missing, 2 directory, 3 below a file, 4 pipe, 5 loop)", play_paths, 1, 5 },
	{ "RLIMIT_FSIZE, SIGXFSZ as the system has it, KiB", play_length_limit, 150, 153 },
};

void files_torture(bool is_short)
{
	scene_sums sums = { 0 };

	scene_play_all(entries, sizeof entries / sizeof *entries, is_short, &sums);
	score_proof("%u scenes of file systems that are full, read-only, without inodes, of files "
		    "taken "
		    "away, of modes, paths and RLIMIT_FSIZE: %u wrong, %u skipped",
		    sums.played_count, sums.wrong_count, sums.skipped_count);
}

/* A disk that is not full must not pass for one that is. */
static bool play_sound_disk(scene *s, int number)
{
	(void)number;
	open_or_complain(s);
	if (s->life.engine != NULL)
		scene_check_refusing(s, 3);
	return true;
}

void files_control(void)
{
	static const scene_entry entry = { "control", play_sound_disk, 1, 1 };
	bool is_found = scene_is_wrong(&entry);

	(void)score(is_found, "a store that takes steps on a full disk was not found out");
	score_proof("control: a store that takes what a full disk cannot keep: %s",
		    is_found ? "found out" : "NOT FOUND");
}
