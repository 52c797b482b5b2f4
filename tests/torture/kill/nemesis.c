/* SPDX-License-Identifier: MIT */
#include "torture/kill/nemesis.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/flat_directory.h"
#include "torture/history/observer.h"
#include "torture/kill/guest.h"
#include "torture/kill/roles.h"

enum {
	PAUSE_MAX_US = 25000,
	POINT_WAIT_US = 30000, /* for a child to come by its point */
	GUEST_WAIT_US = 400000,
	GUEST_POINTS = 6,
	END_WAIT_US = 60000,
	END_MAX_US = 120000000, /* four times busy_timeout_ms */
	OPENING_MAX = 400,      /* about as many calls as opening makes */
	ENDING_MAX = 64,
	LEASE_US = 1000000,
	TICK_US = 2000,
};

uint32_t nemesis_draw(nemesis *n, uint32_t count)
{
	n->random ^= n->random << 13;
	n->random ^= n->random >> 17;
	n->random ^= n->random << 5;
	return n->random % count;
}

bool nemesis_open(nemesis *n, const char *program, uint32_t seed)
{
	const char *parent = getenv("TMPDIR");
	char page[NEMESIS_PATH_LEN + 16];
	sigset_t end;

	*n = (nemesis){ .program = program,
			.random = seed * 2654435761U | 1,
			.pause_max_us = PAUSE_MAX_US };
	(void)snprintf(n->directory, sizeof n->directory, "%s/stepbus-kill-XXXXXX",
		       parent != NULL && *parent != '\0' ? parent : "/tmp");
	if (mkdtemp(n->directory) == NULL) {
		(void)fprintf(stderr, "%s: %s\n", n->directory, strerror(errno));
		return false;
	}
	(void)snprintf(n->database, sizeof n->database, "%s/jobs.db", n->directory);
	(void)snprintf(n->log, sizeof n->log, "%s/log", n->directory);
	(void)snprintf(n->records, sizeof n->records, "%s/points", n->directory);
	(void)snprintf(page, sizeof page, "%s/page", n->directory);
	n->page = points_make(page);
	observer_open(n->log, 0);
	/* The children inherit it, and ask for it by sigwait. */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &end, NULL);
	return true;
}

void nemesis_add(nemesis *n, const char *role, int count)
{
	for (; count > 0 && n->child_count < NEMESIS_CHILD_MAX; count--) {
		n->children[n->child_count++].role = role;
		n->guest_count += guest_language_of(role) != GUEST_NONE;
		n->player_count++;
	}
}

void nemesis_clear(const nemesis *n)
{
	if (!test_directory_clear(n->directory))
		(void)printf("left over: %s: %s\n", n->directory, strerror(errno));
}

static point_place *place_of(nemesis *n, const child *c)
{
	return &n->page[c - n->children];
}

static void arm(nemesis *n, child *c, int signal, int countdown)
{
	/* What is written decides what is left, so that is where most of them die. */
	static const uint32_t kinds[] = {
		1 << POINT_WRITE,
		1 << POINT_WRITE,
		1 << POINT_SYNC | 1 << POINT_TRUNCATE,
		1 << POINT_LOCK,
		1 << POINT_MAP | 1 << POINT_UNLINK | 1 << POINT_OPEN | 1 << POINT_CLOSE,
		1 << POINT_FUTEX,
	};
	uint32_t kind = nemesis_draw(n, 8);
	point_place *place = place_of(n, c);

	atomic_store(&place->signal, signal);
	atomic_store(&place->calls,
		     kind < sizeof kinds / sizeof *kinds ? kinds[kind] : POINT_ANY_CALL);
	atomic_store(&place->countdown, countdown);
	atomic_store(&place->is_armed, 1);
}

/* Small numbers as often as great ones. */
static int draw_countdown(nemesis *n)
{
	return 1 + (int)nemesis_draw(n, 1U << nemesis_draw(n, 10));
}

static void start(nemesis *n, child *c)
{
	char process[16], number[16];

	memset(place_of(n, c), 0, sizeof(point_place));
	if (c->is_armed_at_start)
		arm(n, c, SIGKILL, 1 + (int)nemesis_draw(n, OPENING_MAX));
	c->is_armed_at_start = false;
	c->is_stopped = false;
	c->process = ++n->next_process;
	(void)snprintf(process, sizeof process, "%d", c->process);
	(void)snprintf(number, sizeof number, "%d", (int)(c - n->children));
	c->pid = fork();
	if (c->pid == 0) {
		(void)execl(n->program, n->program, c->role, n->directory, process, number,
			    (char *)NULL);
		_exit(127);
	}
}

/* A guest that was told to end before its interpreter listens dies of it. */
static bool is_end_as_told(const child *c, int status)
{
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	       (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM &&
		guest_language_of(c->role) != GUEST_NONE);
}

static void note_end(nemesis *n, child *c, int status)
{
	uint32_t cause = atomic_load(&place_of(n, c)->cause);

	if (c->is_stopped)
		observer_note_stall(c->process, 0, 0);
	observer_note_of(c->process, LOG_KILLED,
			 cause == POINT_CAUSE_HANDLER ? END_OWN :
			 WIFSIGNALED(status)          ? END_KILLED :
							END_TOLD);
	if (cause == POINT_CAUSE_HANDLER) {
		n->handler_kills++;
	} else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		n->kills += cause == POINT_CAUSE_NONE;
		n->point_kills += cause == POINT_CAUSE_POINT;
		n->stalled_kills += c->is_stopped;
	} else if (is_end_as_told(c, status)) {
		n->ends++;
	} else {
		observer_fail("a process ended by itself", status, c->role);
	}
	c->pid = 0;
	c->is_stopped = false;
}

/* 1.2 to 5 times the lease, and rather the less. */
static void note_stop(nemesis *n, child *c)
{
	int64_t share = nemesis_draw(n, 1000);
	bool is_at_point = atomic_load(&place_of(n, c)->signal) == SIGSTOP;

	atomic_store(&place_of(n, c)->signal, 0);
	observer_note_stall(c->process, 1, is_at_point);
	n->stalls++;
	n->point_stalls += is_at_point;
	c->is_stopped = true;
	c->until_us = observer_now_us() + LEASE_US * 6 / 5 +
		      LEASE_US * 38 / 10 * share / 1000 * share / 1000;
}

static void reap(nemesis *n)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
		for (int i = 0; i < n->child_count; i++) {
			if (n->children[i].pid != pid)
				continue;
			if (WIFSTOPPED(status))
				note_stop(n, &n->children[i]);
			else
				note_end(n, &n->children[i], status);
			break;
		}
}

/* True where that process is gone. */
static bool wait_for(nemesis *n, const child *c, long time_us)
{
	int32_t process = c->process;
	int64_t until_us = observer_now_us() + time_us;

	reap(n);
	while (c->pid != 0 && c->process == process && observer_now_us() < until_us) {
		role_pause_us(200);
		reap(n);
	}
	return c->pid == 0 || c->process != process;
}

/* One that neither ends nor dies is given up: true where it ended by itself. */
static bool await_end(nemesis *n, child *c)
{
	if (wait_for(n, c, END_MAX_US))
		return true;
	(void)fprintf(stderr, "a %s, process %d, did not end for %d s\n", c->role, c->process,
		      END_MAX_US / 1000000);
	n->is_stuck = true;
	(void)kill(c->pid, SIGKILL);
	if (!wait_for(n, c, END_MAX_US))
		c->pid = 0;
	return false;
}

static void end_child(nemesis *n, child *c, int number)
{
	if (c->pid == 0)
		return;
	(void)kill(c->pid, number);
	if (number != SIGKILL)
		(void)kill(c->pid, SIGCONT);
	await_end(n, c);
}

void nemesis_keep_alive(nemesis *n)
{
	reap(n);
	for (int i = 0; i < n->child_count; i++)
		if (n->children[i].pid == 0 && n->children[i].role != NULL)
			start(n, &n->children[i]);
}

/* Guests are begun slowly, and mostly die of their own handlers: they are looked for twice. */
static child *pick(nemesis *n)
{
	child *c = &n->children[nemesis_draw(n, (uint32_t)n->child_count)];

	if (n->guest_count > 0 && guest_language_of(c->role) == GUEST_NONE)
		c = &n->children[nemesis_draw(n, (uint32_t)n->child_count)];
	return c;
}

/* A guest takes its time to begin, and to go on: there is little to learn from its death before. */
static bool is_spared(nemesis *n, const child *c)
{
	return (c->is_stopped || atomic_load(&place_of(n, c)->phase) == POINT_OPENING) &&
	       nemesis_draw(n, 4) != 0;
}

/* Mostly at a point, or when it was told to end; how: 0 to 9. */
static void disturb_guest(nemesis *n, child *c, uint32_t how)
{
	if (how < 7) {
		arm(n, c, SIGKILL, 1 + (int)nemesis_draw(n, GUEST_POINTS));
		(void)wait_for(n, c, GUEST_WAIT_US);
	} else if (how < 8) {
		(void)kill(c->pid, SIGTERM);
		(void)wait_for(n, c, END_WAIT_US);
	}
}

static void disturb(nemesis *n, child *c, uint32_t how)
{
	if (how < 4) {
		arm(n, c, SIGKILL, draw_countdown(n));
		(void)wait_for(n, c, POINT_WAIT_US);
	} else if (how < 5) {
		arm(n, c, SIGKILL, 1 + (int)nemesis_draw(n, ENDING_MAX));
		(void)kill(c->pid, SIGTERM);
		(void)wait_for(n, c, END_WAIT_US);
	} else if (how < 6) {
		c->is_armed_at_start = true;
	}
}

void nemesis_strike(nemesis *n)
{
	child *c = pick(n);
	bool is_guest = guest_language_of(c->role) != GUEST_NONE;
	uint32_t how = nemesis_draw(n, 10);

	role_pause_us(nemesis_draw(n, n->pause_max_us));
	reap(n);
	if (c->pid == 0 || (is_guest && is_spared(n, c)))
		return;
	if (is_guest)
		disturb_guest(n, c, how);
	else
		disturb(n, c, how);
	end_child(n, c, SIGKILL);
}

static void await_stop(nemesis *n, const child *c, long time_us)
{
	int64_t until_us = observer_now_us() + time_us;

	reap(n);
	while (c->pid != 0 && !c->is_stopped && observer_now_us() < until_us) {
		role_pause_us(200);
		reap(n);
	}
}

/* Half of them at a point; there the child stops itself. */
static void stop(nemesis *n, child *c)
{
	if (nemesis_draw(n, 2) == 0) {
		(void)kill(c->pid, SIGSTOP);
		return;
	}
	if (guest_language_of(c->role) != GUEST_NONE) {
		arm(n, c, SIGSTOP, 1 + (int)nemesis_draw(n, GUEST_POINTS));
		await_stop(n, c, GUEST_WAIT_US);
	} else {
		arm(n, c, SIGSTOP, draw_countdown(n));
		await_stop(n, c, POINT_WAIT_US);
	}
	if (c->pid != 0 && !c->is_stopped && atomic_exchange(&place_of(n, c)->is_armed, 0) != 0)
		atomic_store(&place_of(n, c)->signal, 0);
}

static void go_on(nemesis *n, child *c)
{
	if (nemesis_draw(n, 10) == 0) {
		end_child(n, c, SIGKILL);
		return;
	}
	observer_note_stall(c->process, 0, 0);
	c->is_stopped = false;
	(void)kill(c->pid, SIGCONT);
}

void nemesis_stall(nemesis *n, int stalled_max)
{
	child *c = &n->children[nemesis_draw(n, (uint32_t)n->child_count)];
	int stalled = 0;

	role_pause_us(TICK_US + nemesis_draw(n, PAUSE_MAX_US));
	reap(n);
	for (int i = 0; i < n->child_count; i++) {
		if (n->children[i].is_stopped && observer_now_us() >= n->children[i].until_us)
			go_on(n, &n->children[i]);
		stalled += n->children[i].is_stopped;
	}
	if (n->guest_count > 0 && guest_language_of(c->role) == GUEST_NONE)
		return;
	if (stalled < stalled_max && c->pid != 0 && !c->is_stopped)
		stop(n, c);
}

void nemesis_rest(nemesis *n)
{
	for (int i = 0; i < n->child_count; i++)
		atomic_store(&place_of(n, &n->children[i])->is_armed, 0);
	role_pause_us(POINT_WAIT_US);
	reap(n);
	for (int i = 0; i < n->child_count; i++) {
		child *c = &n->children[i];

		c->is_armed_at_start = false;
		if (!c->is_stopped)
			continue;
		observer_note_stall(c->process, 0, 0);
		c->is_stopped = false;
		(void)kill(c->pid, SIGCONT);
	}
}

void nemesis_dismiss(nemesis *n, const char *role)
{
	for (int i = 0; i < n->child_count; i++) {
		child *c = &n->children[i];

		if (c->role == NULL || (role != NULL && strcmp(c->role, role) != 0))
			continue;
		end_child(n, c, SIGTERM);
		c->role = NULL;
	}
}

bool nemesis_run(nemesis *n, const char *role)
{
	child *c = &n->children[n->child_count++];
	long ends = n->ends;
	bool is_ended;

	*c = (child){ .role = role };
	start(n, c);
	is_ended = await_end(n, c);
	c->role = NULL;
	return is_ended && n->ends == ends + 1;
}
