/* SPDX-License-Identifier: MIT */
#include "torture/reenter/matrix.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture/reenter/storm.h"
#include "torture/reenter/stormed.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

enum {
	HEADER_LEN_MAX = 256 * 1024,
	NAME_LEN_MAX = 64,
	CELL_PATIENCE_S = 20,
	CONTROL_PATIENCE_S = 4,
	TRY_COUNT = 3, /* of a cell that is slow: the machine may be */
	CALL_MAX_US = 1000000,
	STORM_WAIT_MS = 50,
	AT_ONCE = 4, /* cells */
};

/* A cell whose process runs. */
typedef struct running {
	const row *r;
	place where;
	const matrix_options *o;
	pid_t pid; /* 0: none */
	int try_count;
	world_board *board;
} running;

/* The rows against the header. */

static bool has_row(const char *name, size_t len)
{
	const row *r;

	for (size_t i = 0; (r = row_at(i)) != NULL; i++)
		if (strlen(r->function) == len && memcmp(r->function, name, len) == 0)
			return true;
	return false;
}

static size_t count_rows(void)
{
	size_t count = 0;

	while (row_at(count) != NULL)
		count++;
	return count;
}

/* The name before the first parenthesis behind STEPBUS_API. */
static size_t name_before(const char *end, const char **name)
{
	size_t len = 0;

	while (len < NAME_LEN_MAX && strchr(" *\n\t", end[-1 - (ptrdiff_t)len]) == NULL)
		len++;
	*name = end - len;
	return len;
}

void matrix_check_rows(tally *t)
{
	static char text[HEADER_LEN_MAX];
	FILE *file = fopen("include/stepbus.h", "r");
	size_t declared = 0, len;

	len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file != NULL)
		(void)fclose(file);
	if (len < 1000)
		tally_find(t, "include/stepbus.h cannot be read: run this from the root of the "
			      "tree");
	for (const char *at = text; (at = strstr(at, "\nSTEPBUS_API ")) != NULL; at++) {
		const char *name;
		size_t name_len = name_before(strchr(at, '('), &name);

		declared++;
		if (!has_row(name, name_len))
			tally_find(t, "%.*s has no row in the matrix", (int)name_len, name);
	}
	if (count_rows() != declared)
		tally_find(t, "the matrix has %zu rows for %zu functions", count_rows(), declared);
	tally_note(t, count_rows() == declared);
}

/* A cell's process. */

static void end_cell(world *w, const row *r, place where)
{
	if (w->engine != NULL && (r->flags & ROW_SPOILS) == 0 && where != PLACE_BESIDE_STOP &&
	    where != PLACE_STOPPED)
		world_check_alive(w);
	world_end(w);
#if defined(__SANITIZE_ADDRESS__)
	if (!place_is_forked(where) && __lsan_do_recoverable_leak_check() != 0)
		world_fail(w, "a leak", 0);
#endif
}

static void run_cell(const running *c)
{
	static world w;

	world_deadline(c->o->patience_s > 0 ? c->o->patience_s : CELL_PATIENCE_S);
	if (c->o->is_stormy)
		storm_begin(&c->board->signals);
	world_make(&w, c->board, c->o->is_in_memory);
	if (c->o->is_stormy)
		stormed_run(&w, c->r);
	else
		place_enter(&w, c->where, (c->r->flags & ROW_CONTEXT) != 0, c->r->call);
	end_cell(&w, c->r, c->where);
	_exit(0);
}

static void show_allowed(uint32_t allowed, char text[256])
{
	size_t len = 0;

	text[0] = '\0';
	for (int32_t i = 0; i < 32 && len < 200; i++)
		if ((allowed >> i & 1) != 0)
			len += (size_t)snprintf(text + len, 256 - len, "%s%s", len > 0 ? "|" : "",
						stepbus_status_name(i) + strlen("STEPBUS_"));
}

/* True where the cell did what the table says. */
static bool judge(tally *t, const running *c, int ended)
{
	const world_board *b = c->board;
	uint32_t allowed = row_allowed(c->r, c->where);
	int32_t status = atomic_load(&b->status);
	char text[256];

	show_allowed(allowed, text);
	if (WIFSIGNALED(ended))
		tally_find(t, "%s in %s: %s, %s (it answered %d, %s)", c->r->function,
			   place_name(c->where),
			   WTERMSIG(ended) == SIGVTALRM ? "hangs" : strsignal(WTERMSIG(ended)),
			   b->stage, status, b->failure);
	else if (WEXITSTATUS(ended) != 0)
		tally_find(t, "%s in %s: %s, %s (exit %d, it answered %d)", c->r->function,
			   place_name(c->where), b->stage, b->failure, WEXITSTATUS(ended), status);
	else if (c->o->is_stormy ? atomic_load(&b->call_count) == 0 :
				   atomic_load(&b->call_count) != 1)
		tally_find(t, "%s in %s: was called %u times", c->r->function, place_name(c->where),
			   atomic_load(&b->call_count));
	else if (status < 0 || status > 31 || (allowed >> status & 1) == 0)
		tally_find(t, "%s in %s: %s, and the table says %s", c->r->function,
			   place_name(c->where),
			   status == WORLD_WRONG ? "a wrong answer" : stepbus_status_name(status),
			   text);
	else if (atomic_load(&b->call_us) > (int64_t)CALL_MAX_US * world_slowness())
		tally_find(t, "%s in %s: took %lld us", c->r->function, place_name(c->where),
			   (long long)atomic_load(&b->call_us));
	else if (c->o->is_stormy && atomic_load(&b->signals.inside) == 0)
		tally_find(t, "%s was called %u times, and no signal came meanwhile",
			   c->r->function, atomic_load(&b->call_count));
	else
		return true;
	return false;
}

static void start(running *c)
{
	memset(c->board, 0, sizeof *c->board);
	atomic_store(&c->board->status, WORLD_UNANSWERED);
	c->try_count++;
	(void)fflush(stdout);
	c->pid = fork();
	if (c->pid == 0)
		run_cell(c);
}

static bool is_slow(const running *c, int ended)
{
	return ended == 0 &&
	       atomic_load(&c->board->call_us) > (int64_t)CALL_MAX_US * world_slowness();
}

/* Of all cells. */
typedef struct matrix_sum {
	size_t count, right;
	size_t misuse_count;   /* left out, since the table says so */
	size_t homeless_count; /* since there is no context of a handler's to call on */
	size_t fileless_count; /* since the store has no file */
	uint64_t places;       /* bits */
	size_t function_count;
	stormed_sum stormed;
} matrix_sum;

/* Waits for one of them, and gives its place; one that was slow is tried again. */
static size_t finish_one(tally *t, running cells[AT_ONCE], matrix_sum *sum)
{
	for (;;) {
		int ended = 0;
		pid_t pid = waitpid(-1, &ended, 0);
		size_t i = 0;

		while (i < AT_ONCE && (cells[i].pid != pid || pid <= 0))
			i++;
		if (i == AT_ONCE)
			return i;
		if (is_slow(&cells[i], ended) && cells[i].try_count < TRY_COUNT) {
			start(&cells[i]);
			continue;
		}
		sum->right += judge(t, &cells[i], ended);
		stormed_add(&sum->stormed, cells[i].r, cells[i].board);
		cells[i].pid = 0;
		return i;
	}
}

static void begin(running *c, const row *r, place where, const matrix_options *o)
{
	*c = (running){ .r = r, .where = where, .board = c->board, .o = o };
	start(c);
}

static void make_boards(running cells[AT_ONCE])
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		void *board = mmap(NULL, sizeof(world_board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		cells[i] = (running){ .board = board };
		if (board == MAP_FAILED)
			exit(1);
	}
}

/* No connection leads to a store in memory, and another one may be opened after a fork. */
static bool needs_file(const row *r, place where)
{
	return strcmp(r->function, "stepbus_step_enqueue_in") == 0 ||
	       (place_is_forked(where) && strcmp(r->function, "stepbus_open") == 0);
}

static bool is_wanted(const matrix_options *o, const row *r, place where, matrix_sum *sum)
{
	if ((r->flags & ROW_CONTEXT) != 0 && !place_has_context(where))
		sum->homeless_count++;
	else if (row_allowed(r, where) == 0)
		sum->misuse_count++;
	else if (o->is_in_memory && needs_file(r, where))
		sum->fileless_count++;
	else
		return true;
	return false;
}

static bool is_chosen(const matrix_options *o, const row *r, place where)
{
	if (o->is_stormy != (where == PLACE_PLAIN))
		return false;
	return (o->function == NULL || strcmp(o->function, r->function) == 0) &&
	       (o->where == PLACE_NONE || o->where == where);
}

static void report_storm(const matrix_sum *sum, const char *store)
{
	const stormed_sum *s = &sum->stormed;

	(void)printf(
		"proof: reenter: %zu functions called %llu times, each until signals that resume "
		"nothing (SIGALRM, 20 kHz; SIGCHLD, 1 kHz) had come while it was under way: %llu "
		"came inside of calls, %llu of them ended a system call with EINTR, in %zu of the "
		"functions (%s), store %s; %zu functions of a handler's context left out, since "
		"the "
		"library's threads take no signals: %zu functions answered otherwise than in "
		"peace, "
		"or were not hit\n",
		s->function_count, (unsigned long long)s->call_count,
		(unsigned long long)s->inside_count, (unsigned long long)s->interrupting_count,
		s->interrupted_count, s->interrupted, store, sum->homeless_count,
		sum->count - sum->right);
}

static void report(const matrix_options *o, const matrix_sum *sum)
{
	const char *store = o->is_in_memory ? "memory" : "sqlite";

	if (o->is_stormy) {
		report_storm(sum, store);
		return;
	}
	(void)printf("proof: reenter: %zu calls of %zu functions in %d places: inside callbacks, "
		     "beside ends and in forked children, store %s (left out: %zu as documented "
		     "misuse, %zu without a handler's context to call on, %zu that need a store "
		     "with a file): %zu other answers than documented, hangs, crashes or calls of "
		     "more than a second\n",
		     sum->count, sum->function_count, __builtin_popcountll(sum->places), store,
		     sum->misuse_count, sum->homeless_count, sum->fileless_count,
		     sum->count - sum->right);
}

void matrix_run(tally *t, const matrix_options *o)
{
	running cells[AT_ONCE];
	matrix_sum sum = { 0 };
	size_t running_count = 0, next = 0;
	const row *r;

	make_boards(cells);
	for (size_t i = 0; (r = row_at(i)) != NULL; i++) {
		size_t before = sum.count;

		for (place where = 1; where < PLACE_COUNT; where++) {
			if (!is_chosen(o, r, where) || !is_wanted(o, r, where, &sum))
				continue;
			if (running_count == AT_ONCE)
				next = finish_one(t, cells, &sum);
			else
				next = running_count++;
			begin(&cells[next], r, where, o);
			sum.count++;
			sum.places |= UINT64_C(1) << where;
		}
		sum.function_count += sum.count > before;
	}
	while (running_count-- > 0)
		(void)finish_one(t, cells, &sum);
	tally_note(t, sum.right == sum.count && sum.count > 0);
	report(o, &sum);
}

/* Rows that must be reported. */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static int32_t wait_for_itself(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	(void)pthread_mutex_lock(&held);
	(void)pthread_mutex_unlock(&held);
	return 0;
}

CALL(deadlock)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = wait_for_itself };

	(void)stepbus_bridge_subscribe(w->bridge, "reenter.probe", 13, &subscription, NULL, NULL);
	(void)pthread_mutex_lock(&held);
	return stepbus_bridge_publish_name(w->bridge, "reenter.probe", 13, "x", 1, err);
}

CALL(crash)
{
	(void)w;
	(void)err;
	(void)raise(SIGSEGV);
	return STEPBUS_OK;
}

CALL(lie)
{
	(void)w;
	(void)err;
	return STEPBUS_EFULL;
}

CALL(dawdle)
{
	int64_t until_us = world_now_us() + 2 * (int64_t)CALL_MAX_US * world_slowness();

	(void)w;
	(void)err;
	while (world_now_us() < until_us)
		(void)sched_yield();
	return STEPBUS_OK;
}

/* As code does that does not expect signals. */
CALL(give_up)
{
	(void)w;
	(void)err;
	return poll(NULL, 0, STORM_WAIT_MS) < 0 ? STEPBUS_ESYSTEM : STEPBUS_OK;
}

void matrix_control(tally *t)
{
	static const row bad[] = {
		{ "a callback that waits for itself", deadlock, 0, ROW_ANYWHERE, { { 0 } }, NULL },
		{ "a crash", crash, 0, ROW_ANYWHERE, { { 0 } }, NULL },
		{ "a status that is not in the table", lie, 0, ROW_ANYWHERE, { { 0 } }, NULL },
		{ "a call of two seconds", dawdle, 0, ROW_ANYWHERE, { { 0 } }, NULL },
		{ "a call that a signal ends", give_up, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	};
	running cells[AT_ONCE];
	const matrix_options calm = { .patience_s = CONTROL_PATIENCE_S };
	const matrix_options stormy = { .patience_s = CONTROL_PATIENCE_S, .is_stormy = true };
	tally found = { .is_control = true };
	size_t count = sizeof bad / sizeof *bad;
	matrix_sum sum = { 0 };

	make_boards(cells);
	for (size_t i = 0; i < count; i++) {
		bool is_stormy = bad[i].call == give_up;

		begin(&cells[0], &bad[i], is_stormy ? PLACE_PLAIN : PLACE_OWN_SUBSCRIBER,
		      is_stormy ? &stormy : &calm);
		(void)finish_one(&found, cells, &sum);
	}
	tally_note(t, found.failed == (int)count && sum.right == 0);
	(void)printf("proof: reenter: %zu faults put in on purpose (a callback that waits for "
		     "itself, a crash, a wrong status, a slow call, one that hands EINTR on): %d "
		     "found\n",
		     count, found.failed);
}

void matrix_print(void)
{
	const row *r;

	for (size_t i = 0; (r = row_at(i)) != NULL; i++) {
		(void)printf("%s%s%s\n", r->function, r->why != NULL ? ": " : "",
			     r->why != NULL ? r->why : "");
		for (place where = 1; where < PLACE_COUNT; where++) {
			char text[256];

			show_allowed(row_allowed(r, where), text);
			(void)printf("  %-28s %s\n", place_name(where),
				     text[0] != '\0' ? text : "left out");
		}
	}
}
