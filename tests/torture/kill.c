/* SPDX-License-Identifier: MIT */
/*
 * Workers and enqueuers share a database and are killed at random moments, over and over; then all
 * that is left is worked off in peace, and the checker reads what was seen:
 *
 *   kill KILLS [SEED]       a run in a directory of its own
 *   kill worker|enqueuer …  the roles, by which it starts itself
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "torture/history/damage.h"
#include "torture/history/observer.h"
#include "torture/kill/roles.h"
#include "torture/history/rules.h"

enum {
	WORKER_COUNT = 4,
	ENQUEUER_COUNT = 2,
	CHILD_COUNT = WORKER_COUNT + ENQUEUER_COUNT,
	PATH_LEN = 256,
	PAUSE_MIN_US = 5000,
	PAUSE_MAX_US = 50000,
	QUIET_MAX_S = 60,
};

typedef struct run {
	const char *program;
	char directory[PATH_LEN];
	char database[PATH_LEN + 16];
	char log[PATH_LEN + 16];
	int32_t next_process;
	uint32_t random;
	struct child {
		const char *role;
		pid_t pid; /* 0: none */
		int32_t process;
	} children[CHILD_COUNT];
} run;

static uint32_t draw(run *r, uint32_t count)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 17;
	r->random ^= r->random << 5;
	return r->random % count;
}

static void pause_us(uint32_t time_us)
{
	const struct timespec time = { time_us / 1000000, (long)(time_us % 1000000) * 1000 };

	(void)ppoll(NULL, 0, &time, NULL);
}

static void start(run *r, struct child *child)
{
	char process[16];

	child->process = ++r->next_process;
	(void)snprintf(process, sizeof process, "%d", child->process);
	child->pid = fork();
	if (child->pid == 0) {
		(void)execl(r->program, r->program, child->role, r->database, r->log, process,
			    (char *)NULL);
		_exit(127);
	}
}

/* Notes which children are gone; true where one of them ended as it must not. */
static void reap(run *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < CHILD_COUNT; i++) {
			struct child *child = &r->children[i];

			if (child->pid != pid)
				continue;
			observer_note_of(child->process, LOG_KILLED);
			if (WIFEXITED(status) ? WEXITSTATUS(status) != 0 :
						WTERMSIG(status) != SIGKILL)
				observer_fail("a process ended by itself", status, child->role);
			child->pid = 0;
		}
}

static void end_child(run *r, struct child *child, int number)
{
	pid_t pid = child->pid;

	if (pid == 0)
		return;
	(void)kill(pid, number);
	while (child->pid == pid) {
		reap(r);
		if (child->pid == pid)
			pause_us(200);
	}
}

/* One in eight is asked to end first, so that ends in good order are cut off too. */
static void strike(run *r)
{
	struct child *child = &r->children[draw(r, CHILD_COUNT)];

	if (child->pid != 0 && draw(r, 8) == 0) {
		(void)kill(child->pid, SIGTERM);
		pause_us(draw(r, 10000));
	}
	end_child(r, child, SIGKILL);
}

static void keep_alive(run *r, int child_count)
{
	reap(r);
	for (int i = 0; i < child_count; i++)
		if (r->children[i].pid == 0)
			start(r, &r->children[i]);
}

static void rage(run *r, long kills)
{
	for (long i = 0; i < kills; i++) {
		keep_alive(r, CHILD_COUNT);
		pause_us(PAUSE_MIN_US + draw(r, PAUSE_MAX_US - PAUSE_MIN_US));
		strike(r);
		if (kills >= 1000 && (i + 1) % 1000 == 0)
			(void)fprintf(stderr, "%ld kills\n", i + 1);
	}
}

/* How many steps are not final yet; -1: nobody knows. */
static int64_t count_open(const run *r)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t count = -1;

	if (sqlite3_open_v2(r->database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "SELECT count(*) FROM state WHERE state NOT IN (6, 7, 8, 9)", -1,
			       &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		count = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(db);
	return count;
}

static void drain(run *r)
{
	int64_t until_us = observer_now_us() + (int64_t)QUIET_MAX_S * 1000000;
	int64_t open = -1;

	for (int i = WORKER_COUNT; i < CHILD_COUNT; i++)
		end_child(r, &r->children[i], SIGTERM);
	while (open != 0 && observer_now_us() < until_us) {
		keep_alive(r, WORKER_COUNT);
		pause_us(50000);
		open = count_open(r);
	}
	for (int i = 0; i < WORKER_COUNT; i++)
		end_child(r, &r->children[i], SIGTERM);
	if (open != 0)
		(void)fprintf(stderr, "%ld steps are still open\n", open);
}

static void tell(const history *h, const verdict *v)
{
	size_t kills = 0, starts = 0, acknowledged = 0, lost = 0, losses = 0;

	for (size_t i = 0; i < h->event_count; i++) {
		kills += h->events[i].kind == LOG_KILLED;
		starts += h->events[i].kind == LOG_STARTED;
		acknowledged += h->events[i].kind == LOG_ENQUEUED;
		lost += h->events[i].kind == LOG_LOST;
	}
	for (size_t i = 0; i < h->attempt_count; i++)
		losses += strcmp(h->attempts[i].outcome, "lost") == 0;
	(void)printf("%zu processes ended; %zu steps, %zu acknowledgements, %zu starts; %zu "
		     "attempts lost (%zu before their first line), %zu leases\n",
		     kills, h->step_count, acknowledged, starts, losses, v->unstarted_losses, lost);
}

static int judge(const run *r)
{
	int passed = 0, failed = 0;
	verdict v = { 0 };
	history h;

	if (!history_read(&h, r->log, r->database)) {
		(void)printf("0 passed, 1 failed\n");
		return 1;
	}
	rules_judge(&h, &v);
	tell(&h, &v);
	rules_print(&v, &passed, &failed);
	damage_all(&h, &passed, &failed);
	history_free(&h);
	(void)printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}

static void clear(const run *r)
{
	char command_path[PATH_LEN + 32];
	static const char *const ends[] = { "", "-wal", "-shm", "-wake" };

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(command_path, sizeof command_path, "%s%s", r->database, ends[i]);
		(void)unlink(command_path);
	}
	(void)unlink(r->log);
	if (rmdir(r->directory) != 0)
		(void)printf("left over: %s: %s\n", r->directory, strerror(errno));
}

static int torture(const char *program, long kills, uint32_t seed)
{
	run r = { .program = program, .random = seed | 1 };
	sigset_t end;
	int status;

	for (int i = 0; i < CHILD_COUNT; i++)
		r.children[i].role = i < WORKER_COUNT ? "worker" : "enqueuer";
	(void)snprintf(r.directory, sizeof r.directory, "/tmp/stepbus-torture-XXXXXX");
	if (mkdtemp(r.directory) == NULL)
		return 1;
	(void)snprintf(r.database, sizeof r.database, "%s/jobs.db", r.directory);
	(void)snprintf(r.log, sizeof r.log, "%s/log", r.directory);
	(void)printf("%ld kills, seed %u, in %s\n", kills, seed, r.directory);
	(void)fflush(stdout);
	/* The children inherit it, and wait for it by sigwait. */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &end, NULL);
	observer_open(r.log, 0);
	rage(&r, kills);
	drain(&r);
	status = judge(&r);
	if (status == 0)
		clear(&r);
	return status;
}

int main(int argc, char **argv)
{
	if (argc == 5) {
		const role_options options = { .database_path = argv[2],
					       .process = (int32_t)strtol(argv[4], NULL, 10) };

		observer_open(argv[3], options.process);
		return strcmp(argv[1], "worker") == 0 ? role_worker(&options) :
							role_enqueuer(&options);
	}
	if (argc < 2 || argc > 3) {
		(void)fprintf(stderr, "usage: kill KILLS [SEED]\n");
		return 2;
	}
	return torture(argv[0], strtol(argv[1], NULL, 10),
		       argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : (uint32_t)getpid());
}
