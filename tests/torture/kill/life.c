/* SPDX-License-Identifier: MIT */
#include "torture/kill/life.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/flat_directory.h"
#include "support/old_format.h"
#include "torture/history/observer.h"
#include "torture/history/rules.h"
#include "torture/kill/points.h"
#include "torture/kill/report.h"
#include "torture/kill/roles.h"

enum {
	GAME_MAX = 48,
	PATH_LEN = 256,
	SURVIVED_ENOUGH = 3,
	GAME_MAX_US = 90000000,
	FAILED_MAX = 10,
	CALLS_MAX = 100000
};

/* What few lives have something to say about together: that one ends while a handler runs is rare. */
static const rule_set wanted =
	RULE_BIT(RULE_Q1_NOTHING_IS_LOST) | RULE_BIT(RULE_Q2_NOTHING_IS_INVENTED) |
	RULE_BIT(RULE_Q3_ONE_STEP_OF_A_KEY) | RULE_BIT(RULE_Q4_ONE_COMPLETION) |
	RULE_BIT(RULE_Q5_ACCEPTED_IS_DURABLE) | RULE_BIT(RULE_Q6_TOKENS_GROW) |
	RULE_BIT(RULE_Q7_STALE_IS_REFUSED) | RULE_BIT(RULE_Q8_ATTEMPTS_ARE_BOUNDED) |
	RULE_BIT(RULE_Q13_FINAL_IS_FINAL) | RULE_BIT(RULE_Q14_ALL_ENDS) |
	RULE_BIT(RULE_Q15_ALL_IS_ON_RECORD) | RULE_BIT(RULE_Q20_NO_BYTES_CHANGE) |
	RULE_BIT(RULE_PROGRESS_IS_KEPT) | RULE_BIT(RULE_NO_ERRORS) | RULE_BIT(RULE_FILE_IS_SOUND);

/* What the store is like that a life begins with. */
typedef enum beginning { NEW_STORE, OLD_FORMAT, USED_STORE, BEGINNING_COUNT } beginning;

static const char *const beginning_names[] = { "a store that is not there",
					       "a store of an older format",
					       "a store that was used" };

/* Two processes on one store, one behind the other. */
typedef struct game {
	char directory[PATH_LEN];
	pid_t pid; /* 0: this place is free */
	int process;
	int countdown;
	int64_t begun_us;
} game;

typedef struct lives {
	const char *program;
	char directory[PATH_LEN];
	beginning beginning;
	int stride;
	int next;     /* countdown */
	int survived; /* first processes that came through, in a row */
	int playing;
	long deaths;
	int last; /* countdown at which one died */
	int passed;
	int failed;
	verdict seen; /* of all games */
	game games[GAME_MAX];
} lives;

static void join(char *path, const char *directory, const char *name)
{
	(void)snprintf(path, (size_t)2 * PATH_LEN, "%s/%s", directory, name);
}

static void start(const lives *l, game *g, int countdown)
{
	char page[2 * PATH_LEN], process[16];
	point_place *place;

	join(page, g->directory, "page");
	place = points_make(page);
	memset(place, 0, sizeof *place);
	if (countdown > 0) {
		atomic_store(&place->signal, SIGKILL);
		atomic_store(&place->calls, POINT_ANY_CALL);
		atomic_store(&place->countdown, countdown);
		atomic_store(&place->is_armed, 1);
	}
	points_leave(place);
	(void)snprintf(process, sizeof process, "%d", ++g->process);
	g->pid = fork();
	if (g->pid == 0) {
		(void)execl(l->program, l->program, "life", g->directory, process, "0",
			    (char *)NULL);
		_exit(127);
	}
}

/* Of a game's log, which is not that of this process. */
static void note_end(const game *g)
{
	char path[2 * PATH_LEN], line[OBSERVER_LINE_LEN];
	int len = snprintf(line, sizeof line, "%c %ld %d 0 0 0 0\n", LOG_KILLED, observer_now_us(),
			   g->process);
	int fd;

	join(path, g->directory, "log");
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)len) != len)
		abort();
	(void)close(fd);
}

static void fail(lives *l, const game *g, const char *what)
{
	l->failed++;
	(void)printf("%s, call %d: %s; kept: %s\n", beginning_names[l->beginning], g->countdown,
		     what, g->directory);
}

static void add_up(verdict *sum, const verdict *v)
{
	for (int i = 0; i < RULE_COUNT; i++) {
		sum->looked[i] += v->looked[i];
		sum->violations[i] += v->violations[i];
	}
}

static void judge(lives *l, const game *g)
{
	char log[2 * PATH_LEN], database[2 * PATH_LEN], points[2 * PATH_LEN], all[2 * PATH_LEN];
	verdict v = { .is_quiet = true };
	history h;

	join(log, g->directory, "log");
	join(database, g->directory, "jobs.db");
	join(points, g->directory, "points");
	join(all, l->directory, "points");
	test_file_append(points, all);
	if (!history_read(&h, log, database)) {
		fail(l, g, "there is nothing to judge");
		return;
	}
	rules_judge(&h, &v);
	add_up(&l->seen, &v);
	history_free(&h);
	if (rules_violations(&v) > 0) {
		fail(l, g, v.first);
		return;
	}
	l->passed++;
	(void)test_directory_clear(g->directory);
}

/* A process has ended: the next one follows, or the game is over. */
static void go_on(lives *l, game *g, int status)
{
	bool is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool is_first = g->process == 2;

	g->pid = 0;
	note_end(g);
	if (is_first && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		l->survived = 0;
		l->deaths++;
		l->last = g->countdown > l->last ? g->countdown : l->last;
		start(l, g, 0);
		return;
	}
	l->playing--;
	l->survived += is_first && is_well;
	if (!is_well)
		fail(l, g, is_first ? "it ended in another way" : "the next one did not end well");
	else
		judge(l, g);
}

static void reap(lives *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < GAME_MAX; i++)
			if (l->games[i].pid == pid) {
				go_on(l, &l->games[i], status);
				break;
			}
	for (int i = 0; i < GAME_MAX; i++)
		if (l->games[i].pid != 0 && observer_now_us() - l->games[i].begun_us > GAME_MAX_US)
			(void)kill(l->games[i].pid, SIGABRT);
}

static void begin(lives *l, game *g)
{
	char from[2 * PATH_LEN], to[2 * PATH_LEN];

	*g = (game){ .process = 1, .countdown = l->next, .begun_us = observer_now_us() };
	l->next += l->stride;
	(void)snprintf(g->directory, sizeof g->directory, "%.200s/life-%d-%d", l->directory,
		       (int)l->beginning, g->countdown);
	if (mkdir(g->directory, 0700) != 0)
		abort();
	if (l->beginning != NEW_STORE) {
		join(from, l->directory,
		     l->beginning == OLD_FORMAT ? "old/jobs.db" : "used/jobs.db");
		join(to, g->directory, "jobs.db");
		test_file_append(from, to);
		join(from, l->directory, "used/log");
		join(to, g->directory, "log");
		test_file_append(from, to);
	}
	l->playing++;
	start(l, g, g->countdown);
}

static bool is_played(const game *g)
{
	int64_t until_us = observer_now_us() + GAME_MAX_US;
	int status = 1;
	pid_t pid;

	while ((pid = waitpid(g->pid, &status, WNOHANG)) == 0 && observer_now_us() < until_us)
		role_pause_us(1000);
	if (pid == 0) {
		(void)kill(g->pid, SIGKILL);
		(void)waitpid(g->pid, &status, 0);
	}
	return pid == g->pid && status == 0;
}

/* A whole life, whose store the others begin with. */
static bool make_stores(lives *l)
{
	game g = { .process = 0 };
	char from[2 * PATH_LEN], to[2 * PATH_LEN];

	(void)snprintf(g.directory, sizeof g.directory, "%.200s/used", l->directory);
	join(to, l->directory, "old");
	if (mkdir(g.directory, 0700) != 0 || mkdir(to, 0700) != 0)
		return false;
	start(l, &g, 0);
	if (!is_played(&g))
		return false;
	note_end(&g);
	join(from, g.directory, "jobs.db");
	join(to, l->directory, "old/jobs.db");
	test_file_append(from, to);
	return test_old_format_make(to);
}

/* Until some came through in a row; where too much fails, or no life is that long, none will. */
static bool goes_on_beginning(const lives *l)
{
	return l->survived < SURVIVED_ENOUGH && l->failed < FAILED_MAX && l->next < CALLS_MAX;
}

static void play(lives *l)
{
	l->next = 1;
	l->survived = 0;
	l->deaths = 0;
	l->last = 0;
	while (goes_on_beginning(l) || l->playing > 0) {
		for (int i = 0; i < GAME_MAX && goes_on_beginning(l); i++)
			if (l->games[i].pid == 0)
				begin(l, &l->games[i]);
		role_pause_us(1000);
		reap(l);
	}
	if (l->survived < SURVIVED_ENOUGH) {
		l->failed++;
		(void)printf("%s: given up at call %d, none came through\n",
			     beginning_names[l->beginning], l->next);
	}
	(void)printf("%-28s %ld deaths, the last before or behind call %d\n",
		     beginning_names[l->beginning], l->deaths, (l->last + 1) / 2);
}

int life_run(const char *program, int stride, int *passed)
{
	const char *parent = getenv("TMPDIR");
	static lives l;
	char points[2 * PATH_LEN], path[2 * PATH_LEN];
	char rules[RULES_TEXT_LEN];
	long deaths = 0;
	size_t distinct_count, count;

	l.program = program;
	l.stride = stride;
	(void)snprintf(l.directory, sizeof l.directory, "%.200s/stepbus-life-XXXXXX",
		       parent != NULL && *parent != '\0' ? parent : "/tmp");
	if (mkdtemp(l.directory) == NULL || !make_stores(&l)) {
		(void)fprintf(stderr, "there is no store to begin with: %s\n", strerror(errno));
		return 1;
	}
	for (l.beginning = NEW_STORE; l.beginning < BEGINNING_COUNT; l.beginning++) {
		play(&l);
		deaths += l.deaths;
	}
	join(points, l.directory, "points");
	distinct_count = report_points(points, SIGKILL, &count);
	rules_tell(&l.seen, rules, sizeof rules);
	(void)printf(
		"proof: life: %ld processes ended before or behind their nth system call, from "
		"making, migrating or opening a store to closing it (%zu distinct points): %d "
		"left something that the next one could not put right; %s\n",
		deaths, distinct_count, l.failed, rules);
	rules_print(&l.seen, wanted, passed, &l.failed);
	*passed += l.passed;
	join(path, l.directory, "used");
	(void)test_directory_clear(path);
	join(path, l.directory, "old");
	(void)test_directory_clear(path);
	if (l.failed == 0)
		(void)test_directory_clear(l.directory);
	return l.failed;
}
