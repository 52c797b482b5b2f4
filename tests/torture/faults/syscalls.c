/* SPDX-License-Identifier: MIT */
#include "torture/faults/syscalls.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/slowness.h"
#include "torture/faults/life.h"
#include "torture/faults/score.h"

enum {
	PATH_LEN = 256,
	PROCESS_COUNT = 2,
	ACT_COUNT = 14,
	RUN_MAX_MS = 20000, /* a run that takes longer hangs */
	TRACER_MAX_MS = 5000,
	VIOLATION_MAX = 20,
	SHORT_COUNT = 5000, /* what is less is a quick look */
};

/*
 * What fails, and how. Two are not here, since strace cannot tell what may fail from what no system lets
 * fail: futex, where the C library ends a process that cannot wake its threads, and fcntl, where SQLite
 * takes a lock that it could not give back for one that is still held. Locks that are refused are in T4.
 * Writes are those of eventfds: one that fails must not matter, but for no system do they fail for long.
 */
static const struct fault {
	const char *call;
	const char *result; /* as strace says it */
	bool can_last; /* else a host could not go on either, or the C library ends the process */
	bool is_sync;
	bool is_single; /* only ever once */
} faults[] = {
	{ "pwrite64", "error=EIO", true, false, false },
	{ "pwrite64", "error=ENOSPC", true, false, false },
	{ "pwrite64", "error=EINTR", false, false, false },
	{ "pwrite64", "error=EROFS", true, false, false },
	{ "pwrite64", "retval=0", true, false, false }, /* nothing of it was written */
	{ "pread64", "error=EIO", true, false, false },
	{ "pread64", "error=EINTR", false, false, false },
	{ "fdatasync", "error=EIO", true, true, false },
	{ "fdatasync", "error=ENOSPC", true, true, false },
	{ "fsync", "error=EIO", true, false, false },
	{ "openat", "error=EMFILE", true, false, false },
	{ "openat", "error=ENFILE", true, false, false },
	{ "openat", "error=EACCES", true, false, false },
	{ "openat", "error=EINTR", false, false, false },
	{ "openat", "error=ENOMEM", true, false, false },
	{ "ftruncate", "error=EIO", true, false, false },
	{ "ftruncate", "error=ENOSPC", true, false, false },
	{ "newfstatat", "error=EIO", true, false, false },
	{ "newfstatat", "error=ENOENT", true, false, false },
	{ "statfs", "error=EIO", true, false, false },
	{ "mknodat", "error=ENOSPC", true, false, false },
	{ "mknod", "error=ENOSPC", true, false, false },
	{ "unlink", "error=EIO", true, false, false },
	{ "mmap", "error=ENOMEM", false, false, false },
	{ "clone3", "error=EAGAIN", true, false, false },
	{ "epoll_create1", "error=EMFILE", true, false, false },
	{ "epoll_ctl", "error=ENOMEM", true, false, false },
	{ "epoll_wait", "error=EINTR", false, false, false },
	{ "epoll_wait", "error=EIO", false, false, false },
	{ "eventfd2", "error=EMFILE", true, false, false },
	{ "inotify_init1", "error=EMFILE", true, false, false },
	{ "inotify_add_watch", "error=ENOSPC", true, false, false },
	{ "read", "error=EINTR", false, false, false },
	{ "read", "error=EAGAIN", true, false, false },
	{ "read", "error=EIO", true, false, false },
	{ "write", "error=EINTR", false, false, false },
	{ "write", "error=EIO", false, false, true },
	{ "getrandom", "error=EINTR", false, false, false },
	{ "getrandom", "error=EAGAIN", true, false, false },
};

enum { FAULT_COUNT = sizeof faults / sizeof *faults };

/* Of one run; in memory that the processes share. */
typedef struct stage {
	_Atomic(uint32_t) is_begun; /* strace has the process */
	_Atomic(uint32_t) is_over;  /* it came to its end by itself */
	record record;
} stage;

typedef struct sums {
	_Atomic(uint32_t) run_count;
	_Atomic(uint32_t) hit_count; /* runs in which something was injected */
	_Atomic(uint64_t) injected_count;
	_Atomic(uint64_t) injected[FAULT_COUNT];
	_Atomic(uint32_t) acknowledged_count, refused_count, unopened_count, sync_count;
	_Atomic(uint32_t) told_behind_count; /* runs with a success behind a failed sync */
	_Atomic(uint32_t) violation_count;
	uint64_t wanted_count;
} sums;

typedef struct trial {
	sums *sums;
	stage *stage;
	char path[PATH_LEN], log_path[PATH_LEN];
	const char *template_path;
	const struct fault *fault;
	char when[32];
	uint64_t seed; /* of the life */
	draw draw;
	bool is_lying; /* the control */
	bool was_stopped;
	uint32_t injected_count;
	int64_t sync_failed_us; /* when the first sync of a store's file failed; 0: none did */
} trial;

/* The process whose calls fail: it lives a life, and ends without a word. */
static void suffer(trial *t)
{
	life l = { .path = t->path, .record = &t->stage->record, .draw = { t->seed } };

	l.has_pool = t->seed % 2 == 0;
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	while (atomic_load(&t->stage->is_begun) == 0)
		(void)sched_yield();
	if (life_open(&l)) {
		for (int i = 0; i < ACT_COUNT; i++)
			life_act(&l);
		life_check_idle(&l);
	}
	if (l.engine != NULL)
		life_close(&l);
	else
		atomic_fetch_add(&t->sums->unopened_count, 1);
	atomic_store(&t->stage->is_over, 1);
	_exit(0);
}

static pid_t start_tracer(const trial *t, pid_t pid, int *messages)
{
	int ends[2];
	char target[16], trace[64], inject[160];
	pid_t tracer;

	if (pipe(ends) != 0)
		return -1;
	(void)snprintf(target, sizeof target, "%d", (int)pid);
	(void)snprintf(trace, sizeof trace, "trace=%s", t->fault->call);
	(void)snprintf(inject, sizeof inject, "inject=%s:%s:when=%s", t->fault->call,
		       t->fault->result, t->when);
	tracer = fork();
	if (tracer == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		(void)close(ends[0]);
		(void)execlp("strace", "strace", "-f", "-y", "-ttt", "-e", trace, "-e", inject,
			     "-o", t->log_path, "-p", target, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	*messages = ends[0];
	return tracer;
}

/* Until strace says that it has the process. */
static bool is_attached(int messages)
{
	struct pollfd from = { .fd = messages, .events = POLLIN };
	char text[256] = "";
	size_t len = 0;
	ssize_t more;

	while (strstr(text, "attached") == NULL) {
		if (len >= sizeof text - 1 || poll(&from, 1, TRACER_MAX_MS * test_slowness()) <= 0)
			return false;
		more = read(messages, text + len, sizeof text - 1 - len);
		if (more <= 0)
			return false;
		len += (size_t)more;
		text[len] = '\0';
	}
	return true;
}

static void read_log(trial *t)
{
	char line[1024];
	FILE *log = fopen(t->log_path, "re");

	t->injected_count = 0;
	t->sync_failed_us = 0;
	while (log != NULL && fgets(line, sizeof line, log) != NULL) {
		double at_s = 0;

		if (strstr(line, "INJECTED") == NULL)
			continue;
		t->injected_count++;
		/* "pid seconds call(…"; a sync of the directory is none of the store's. */
		if (t->fault->is_sync && t->sync_failed_us == 0 && strstr(line, ".db") != NULL &&
		    sscanf(line, "%*d %lf", &at_s) == 1)
			t->sync_failed_us = (int64_t)(at_s * 1e6);
	}
	if (log != NULL)
		(void)fclose(log);
}

/* How it ended; kills what does not. */
static int wait_for_end(pid_t pid)
{
	int64_t until_us = life_elapsed_us() + (int64_t)RUN_MAX_MS * 1000 * test_slowness();
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (life_elapsed_us() > until_us) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
			return -1;
		}
		(void)poll(NULL, 0, 1);
	}
	return status;
}

static void judge(trial *t, int status)
{
	record *r = &t->stage->record;
	pid_t pid;

	if (status == -1)
		record_complain(r, "it hangs");
	else if (status != 0)
		record_complain(r, "the process ended with status %d", status);
	if (t->sync_failed_us != 0 && atomic_load(&r->ok_begun_us) > t->sync_failed_us) {
		atomic_fetch_add(&t->sums->told_behind_count, 1);
		record_complain(r, "a success was told behind a failed sync");
	}
	/* By another process, on which nothing of this one can have rubbed off. */
	pid = fork();
	if (pid == 0)
		_exit(record_judge(r, t->path) ? 0 : 1);
	(void)waitpid(pid, &status, 0);
	if (status != 0)
		record_complain(r, "the judge ended with status %d", status);
}

static void note(trial *t)
{
	const record *r = &t->stage->record;
	sums *s = t->sums;

	atomic_fetch_add(&s->run_count, 1);
	atomic_fetch_add(&s->hit_count, t->injected_count > 0);
	atomic_fetch_add(&s->injected_count, t->injected_count);
	if (!t->is_lying)
		atomic_fetch_add(&s->injected[t->fault - faults], t->injected_count);
	atomic_fetch_add(&s->acknowledged_count, atomic_load(&r->acknowledged_count));
	atomic_fetch_add(&s->refused_count, atomic_load(&r->failed_count));
	atomic_fetch_add(&s->sync_count, t->sync_failed_us != 0);
}

/* False where strace is of no use here. */
static bool run(trial *t)
{
	int status, messages = -1;
	pid_t pid, tracer;
	bool is_traced;

	record_clear(&t->stage->record);
	atomic_store(&t->stage->is_begun, 0);
	score_remove_store(t->path);
	(void)score_copy(t->template_path, t->path);
	pid = fork();
	if (pid == 0)
		suffer(t);
	tracer = start_tracer(t, pid, &messages);
	is_traced = tracer > 0 && is_attached(messages);
	if (!is_traced)
		(void)kill(pid, SIGKILL);
	atomic_store(&t->stage->is_begun, 1);
	status = wait_for_end(pid);
	(void)close(messages);
	(void)waitpid(tracer, NULL, 0);
	if (!is_traced)
		return false;
	read_log(t);
	judge(t, status);
	note(t);
	return true;
}

static void tell_violation(trial *t)
{
	if (atomic_load(&t->stage->record.has_trouble) == 0)
		return;
	atomic_fetch_add(&t->sums->violation_count, 1);
	score_say("VIOLATION: life %" PRIu64 ", inject=%s:%s:when=%s (%u injected): %s", t->seed,
		  t->fault->call, t->fault->result, t->when, t->injected_count,
		  t->stage->record.trouble);
}

static bool is_enough(const sums *s)
{
	return atomic_load(&s->injected_count) >= s->wanted_count ||
	       atomic_load(&s->violation_count) >= VIOLATION_MAX;
}

/* Whether something was injected: else there are not so many calls. */
static bool run_form(trial *t, const char *behind, int nth)
{
	(void)snprintf(t->when, sizeof t->when, "%d%s", nth, behind);
	if (!run(t)) {
		t->was_stopped = true;
		return false;
	}
	tell_violation(t);
	return t->injected_count > 0 && atomic_load(&t->sums->violation_count) < VIOLATION_MAX;
}

/*
 * Each place that there is, once (in a short run the first, second, fourth, …); each third from one
 * of the first three on; and all from some on.
 */
static void run_fault(trial *t, uint32_t round)
{
	bool is_short = t->sums->wanted_count < SHORT_COUNT;

	for (int nth = 1; run_form(t, "", nth);)
		nth += is_short ? nth : 1;
	if (t->was_stopped)
		return;
	if (!t->fault->is_single)
		(void)run_form(t, "+3", 1 + (int)(round % 3));
	for (int i = 0; t->fault->can_last && i < (is_short ? 1 : 5); i++)
		(void)run_form(t, "+", 1 + (int)draw_below(&t->draw, 1U << (2 * i)));
}

static void run_all(trial *t, uint32_t part)
{
	for (uint32_t round = 0; !is_enough(t->sums) && !t->was_stopped; round++) {
		t->seed += PROCESS_COUNT;
		for (uint32_t i = part; i < FAULT_COUNT && !t->was_stopped; i += PROCESS_COUNT) {
			if (round > 0 && is_enough(t->sums))
				break;
			t->fault = &faults[i];
			run_fault(t, round);
		}
	}
}

static bool prepare(trial *t, sums *s, const char *template_path, uint32_t part, uint64_t seed)
{
	void *memory = mmap(NULL, sizeof(stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	*t = (trial){ .sums = s,
		      .stage = memory,
		      .template_path = template_path,
		      .seed = seed,
		      .draw = { seed } };
	(void)snprintf(t->path, sizeof t->path, "%s/calls-%u.db", score_directory(), part);
	(void)snprintf(t->log_path, sizeof t->log_path, "%s/calls-%u.strace", score_directory(),
		       part);
	return memory != MAP_FAILED;
}

static pid_t start(sums *s, const char *template_path, uint32_t part, uint64_t seed)
{
	pid_t pid;
	trial t;

	(void)fflush(stdout);
	pid = fork();
	if (pid != 0)
		return pid;
	if (!prepare(&t, s, template_path, part, seed))
		_exit(2);
	run_all(&t, part);
	score_remove_store(t.path);
	_exit(t.was_stopped ? 3 : 0);
}

static void tell(const sums *s)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		score_say("  %-18s %-14s %" PRIu64 " injected", faults[i].call, faults[i].result,
			  atomic_load(&s->injected[i]));
	score_proof(
		"%" PRIu64 " injected errors of system calls in %u of %u runs (%u of them could "
		"not open), %u calls acknowledged: %u violations (lost, invented or doubled steps, "
		"damaged files, crashes, hangs)",
		atomic_load(&s->injected_count), atomic_load(&s->hit_count),
		atomic_load(&s->run_count), atomic_load(&s->unopened_count),
		atomic_load(&s->acknowledged_count), atomic_load(&s->violation_count));
	score_proof(
		"%u runs in which an fdatasync of the store failed: in %u of them a success was "
		"told behind it",
		atomic_load(&s->sync_count), atomic_load(&s->told_behind_count));
}

static sums *new_sums(uint64_t count)
{
	void *memory =
		mmap(NULL, sizeof(sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	((sums *)memory)->wanted_count = count;
	return memory;
}

static bool can_trace(void)
{
	return system("strace -qq -o /dev/null -e inject=getppid:error=EPERM true") == 0;
}

static bool is_skipped(void)
{
	if (can_trace())
		return false;
	score_skip("strace is not there, or may not trace: 0 errors were injected");
	score_proof("0 injected errors of system calls: SKIPPED, strace may not trace here");
	return true;
}

void syscalls_torture(uint32_t count, uint64_t seed)
{
	sums *s = new_sums(count);
	char template_path[PATH_LEN];
	uint32_t failed_count = 0;
	int status;

	if (is_skipped())
		return;
	(void)snprintf(template_path, sizeof template_path, "%s/template.db", score_directory());
	for (uint32_t i = 0; s != NULL && i < PROCESS_COUNT; i++)
		(void)start(s, template_path, i, seed + i);
	for (uint32_t i = 0; s != NULL && i < PROCESS_COUNT; i++)
		failed_count += wait(&status) < 0 || status != 0;
	if (!score(s != NULL, "there is no memory"))
		return;
	tell(s);
	(void)score(failed_count == 0, "%u processes could not go on", failed_count);
	(void)score(atomic_load(&s->violation_count) == 0, "%u violations",
		    atomic_load(&s->violation_count));
	(void)score(atomic_load(&s->injected_count) >= count, "too few errors were injected");
	(void)score(atomic_load(&s->sync_count) > 0, "no sync failed");
	(void)munmap(s, sizeof *s);
}

/* A page of the log is said to be written, and is not. */
void syscalls_control(void)
{
	static const struct fault lie = { "pwrite64", "retval=4096", true, false, false };
	sums *s = new_sums(1);
	char template_path[PATH_LEN];
	trial t;
	bool is_found;

	if (s == NULL || is_skipped())
		return;
	(void)snprintf(template_path, sizeof template_path, "%s/template.db", score_directory());
	if (!prepare(&t, s, template_path, 9, 4))
		return;
	t.fault = &lie;
	(void)snprintf(t.when, sizeof t.when, "9+");
	record_clear(&t.stage->record);
	t.is_lying = true;
	is_found = run(&t) && atomic_load(&t.stage->record.has_trouble) != 0;
	score_say("  found: %s", t.stage->record.trouble);
	score_remove_store(t.path);
	(void)score(is_found, "a system that does not write was not found out");
	score_proof("control: a system call that lies about what it wrote: %s",
		    is_found ? "found out" : "NOT FOUND");
}
