/* SPDX-License-Identifier: MIT */
/*
 * Children of a process whose engine is busy on all its threads: they call what is the parent's, make
 * engines of their own, exit with all that runs at an exit, execute programs, or come back out of a
 * handler into the library. The parent must not notice, nor its store, nor the locks on it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process_counts.h"
#include "torture/reenter/parts.h"
#include "torture/reenter/rows.h"

enum {
	FORKER_COUNT = 2,
	BYSTANDER_COUNT = 2,
	CHILD_PATIENCE_S = 20, /* of a machine that does other things */
	HANDLER_EVERY = 10,    /* forks between two in a handler */
	TEXT_LEN = 16,
};

typedef enum mode { MODE_CALL, MODE_EXIT, MODE_EXECUTE, MODE_ENGINE, MODE_COUNT } mode;

static struct {
	world w;
	tally *t;
	uint32_t count; /* of each forker */
	uint32_t seed;
	size_t row_count;
	size_t inherited; /* descriptors of the host's own that programs get */
	_Atomic(uint32_t) is_over;
	_Atomic(uint32_t) done[MODE_COUNT];
	_Atomic(uint32_t) handler_count;
	_Atomic(uint32_t) bad_count;
	_Atomic(uint64_t) enqueued;
} forks;

static void tell_descriptors(void)
{
	DIR *stream = opendir("/proc/self/fd");
	struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		char path[300], name[300] = "";

		if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == dirfd(stream))
			continue;
		(void)snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, name, sizeof name - 1) > 0)
			(void)printf("a program gets descriptor %s, %s\n", entry->d_name, name);
	}
	(void)closedir(stream);
}

/* In a program that was executed: 0 where it got what it was to get. */
static int check_descriptors(size_t expected)
{
	size_t count = process_descriptor_count();

	if (count != expected)
		tell_descriptors();
	return count != expected;
}

/* Another program must find the store's locks held: else it could change the kind of the journal. */
static int check_locks(const char *path)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open(path, &db);

	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	(void)sqlite3_close(db);
	return code != SQLITE_BUSY;
}

int forks_executed(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "descriptors") == 0)
		return check_descriptors(strtoul(argv[2], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "locks") == 0)
		return check_locks(argv[2]);
	return -1;
}

static void execute(const char *what, const char *argument)
{
	char program[4096];
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);

	if (len > 0) {
		program[len] = '\0';
		(void)execl(program, "reenter", what, argument, (char *)NULL);
	}
	_exit(127);
}

static int call_something(uint32_t random)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const row *r;
	uint32_t allowed;
	stepbus_status status;

	do {
		r = row_at(part_draw(&random, (uint32_t)forks.row_count));
		allowed = row_allowed(r, PLACE_FORKED);
	} while (allowed == 0);
	status = r->call(&forks.w, &err);
	if (status >= 0 && (allowed >> status & 1) != 0)
		return 0;
	(void)fprintf(stderr, "%s in a child answers %s\n", r->function,
		      stepbus_status_name(status));
	return 1;
}

static int32_t succeed(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	return stepbus_result_success(result, "ok", 2, NULL) != STEPBUS_OK;
}

/* One of its own, with threads. */
static int use_engine(void)
{
	const stepbus_options options = { .size = sizeof options,
					  .config = "{\"store\":\"memory:\"}",
					  .config_len = 19 };
	const stepbus_handler_spec handler = {
		.size = sizeof handler, .name = "own", .name_len = 3, .call = succeed
	};
	const stepbus_step_spec step = { .size = sizeof step,
					 .handler_name = "own",
					 .handler_name_len = 3 };
	stepbus_enqueued out = { .size = sizeof out };
	stepbus_outcome *outcome = NULL;
	stepbus_worker *worker = NULL;
	stepbus *engine = NULL;
	stepbus_status status = stepbus_open(&options, &engine, NULL);

	if (status == STEPBUS_OK)
		status = stepbus_registry_register(stepbus_engine_registry(engine), &handler, NULL);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(engine, NULL, 0, &worker, NULL);
	if (status == STEPBUS_OK)
		status = stepbus_step_enqueue(engine, &step, 1, &out, NULL);
	if (status == STEPBUS_OK)
		status = stepbus_step_await(engine, out.step_id, -1, &outcome, NULL);
	stepbus_outcome_free(outcome);
	stepbus_close(engine);
	return status != STEPBUS_OK;
}

static void be_child(mode how, uint32_t random)
{
	char text[TEXT_LEN];

	world_deadline(CHILD_PATIENCE_S);
	(void)snprintf(text, sizeof text, "%zu", forks.inherited);
	if (how == MODE_EXECUTE)
		execute("descriptors", text);
	else if (how == MODE_CALL)
		_exit(call_something(random));
	else if (how == MODE_ENGINE)
		_exit(use_engine());
#if defined(__SANITIZE_ADDRESS__)
	_exit(0); /* what is the parent's would count as leaked */
#else
	exit(0);
#endif
}

static void await_child(pid_t child, const char *what)
{
	int ended = 0;

	while (waitpid(child, &ended, 0) < 0 && errno == EINTR)
		;
	if (child > 0 && ended == 0)
		return;
	if (atomic_fetch_add(&forks.bad_count, 1) == 0)
		(void)printf("FOUND: a child that %s ended with 0x%x%s\n", what, (unsigned)ended,
			     WIFSIGNALED(ended) && WTERMSIG(ended) == SIGVTALRM ? ": it hangs" :
										  "");
	/* Else children would print it again when they exit. */
	(void)fflush(stdout);
}

static const char *const what_it_does[MODE_COUNT] = {
	[MODE_CALL] = "calls a function",
	[MODE_EXIT] = "exits",
	[MODE_EXECUTE] = "executes a program",
	[MODE_ENGINE] = "opens an engine in memory",
};

static mode draw_mode(uint32_t *random)
{
	mode how = (mode)part_draw(random, MODE_COUNT);

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	/*
	 * The one knows no threads of a child whose parent had some; the other's allocator has locks that a
	 * fork does not mind, and a thread that held one is not in the child.
	 */
	if (how == MODE_ENGINE)
		how = MODE_CALL;
#endif
	return how;
}

static void *fork_over_and_over(void *user_data)
{
	uint32_t random = *(const uint32_t *)user_data | 1;

	for (uint32_t i = 0; i < forks.count; i++) {
		mode how = draw_mode(&random);
		uint32_t drawn = part_draw(&random, UINT32_MAX);
		pid_t child;

		if (i % HANDLER_EVERY == 0)
			world_enqueue(&forks.w, "forking", NULL);
		child = fork();
		if (child == 0)
			be_child(how, drawn | 1);
		await_child(child, what_it_does[how]);
		atomic_fetch_add(&forks.done[how], 1);
	}
	return NULL;
}

/* The child comes back into the library, which must let its thread, its only one, end. */
static int32_t fork_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	pid_t child = fork();

	(void)instance;
	(void)context;
	if (child == 0) {
		world_deadline(CHILD_PATIENCE_S);
#if defined(__SANITIZE_ADDRESS__)
		_exit(0);
#endif
		return 0;
	}
	await_child(child, "comes back out of a handler");
	atomic_fetch_add(&forks.handler_count, 1);
	return stepbus_result_success(result, NULL, 0, NULL) != STEPBUS_OK;
}

/* Keeps the writer in transactions, and readers in queries. */
static void *be_busy(void *user_data)
{
	world *w = &forks.w;

	(void)user_data;
	while (atomic_load(&forks.is_over) == 0) {
		const stepbus_step_spec spec = { .size = sizeof spec,
						 .handler_name = "quick",
						 .handler_name_len = 5 };
		stepbus_text *text = NULL;

		WORLD_OK(w, stepbus_step_enqueue(w->engine, &spec, 1, NULL, NULL));
		atomic_fetch_add(&forks.enqueued, 1);
		WORLD_OK(w,
			 stepbus_step_list(w->engine, STEPBUS_TEXT("{\"limit\":5}"), &text, NULL));
		stepbus_text_free(text);
		part_pause_us(500);
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t forkers[FORKER_COUNT], busy[BYSTANDER_COUNT];
	uint32_t seeds[FORKER_COUNT];

	for (int i = 0; i < BYSTANDER_COUNT; i++)
		(void)pthread_create(&busy[i], NULL, be_busy, NULL);
	for (int i = 0; i < FORKER_COUNT; i++) {
		seeds[i] = forks.seed + (uint32_t)i * 7919;
		(void)pthread_create(&forkers[i], NULL, fork_over_and_over, &seeds[i]);
	}
	for (int i = 0; i < FORKER_COUNT; i++)
		(void)pthread_join(forkers[i], NULL);
	atomic_store(&forks.is_over, 1);
	for (int i = 0; i < BYSTANDER_COUNT; i++)
		(void)pthread_join(busy[i], NULL);
}

static int64_t ask(const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(forks.w.connection, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return value;
}

static void check_store(tally *t)
{
	int64_t until_us = world_now_us() + INT64_C(20000000) * world_slowness();
	const char *open_count = "SELECT count(*) FROM state WHERE state NOT IN (6, 7, 8, 9)";
	pid_t child = fork();

	if (child == 0)
		execute("locks", forks.w.path);
	await_child(child, "looks whether the store's locks hold");
	/* But for the one that is polled, and the one that waits for an hour. */
	while (ask(open_count) != 2 && world_now_us() < until_us)
		part_pause_us(10000);
	if (ask(open_count) != 2)
		tally_find(t, "%lld steps were left open", (long long)ask(open_count));
	if (ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") != 0)
		tally_find(t, "the store is damaged");
	if (ask("SELECT count(*) FROM state WHERE state = 6") !=
	    (int64_t)atomic_load(&forks.enqueued) + atomic_load(&forks.handler_count) + 1)
		tally_find(t, "steps were lost, or failed: %lld completed, %llu enqueued",
			   (long long)ask("SELECT count(*) FROM state WHERE state = 6"),
			   (unsigned long long)atomic_load(&forks.enqueued));
	tally_note(t, atomic_load(&forks.bad_count) == 0);
}

/* A descriptor that every program gets must be reported. */
static void control(tally *t)
{
	char text[TEXT_LEN];
	int planted = open("/dev/null", O_RDONLY); /* NOLINT(android-cloexec-open) */
	int ended = 0;
	pid_t child = fork();

	(void)snprintf(text, sizeof text, "%zu", forks.inherited);
	if (child == 0)
		execute("descriptors", text);
	while (waitpid(child, &ended, 0) != child)
		;
	(void)close(planted);
	if (ended == 0)
		tally_find(t, "a descriptor that was left open on purpose went unseen");
	tally_note(t, ended != 0);
}

void forks_run(tally *t, uint32_t count, uint32_t seed)
{
	static world_board board;
	const stepbus_handler_spec forking = {
		.size = sizeof forking, .name = "forking", .name_len = 7, .call = fork_inside
	};

	forks.t = t;
	forks.count = count / FORKER_COUNT;
	forks.seed = seed;
	forks.inherited = process_descriptor_count();
	while (row_at(forks.row_count) != NULL)
		forks.row_count++;
	control(t);
	world_make(&forks.w, &board, false);
	WORLD_OK(&forks.w, stepbus_registry_register(forks.w.registry, &forking, NULL));
	run_threads();
	world_check_alive(&forks.w);
	atomic_fetch_add(&forks.enqueued, 1);
	check_store(t);
	world_end(&forks.w);
	(void)printf("proof: reenter: %u forks of a busy process (%u children called a function, "
		     "%u exited, %u executed a program, %u opened an engine in memory, %u came "
		     "back out of a handler): %u hung, crashed, answered otherwise or got a "
		     "descriptor; %llu steps of the parent completed, %s\n",
		     count / FORKER_COUNT * FORKER_COUNT + atomic_load(&forks.handler_count),
		     atomic_load(&forks.done[MODE_CALL]), atomic_load(&forks.done[MODE_EXIT]),
		     atomic_load(&forks.done[MODE_EXECUTE]), atomic_load(&forks.done[MODE_ENGINE]),
		     atomic_load(&forks.handler_count), atomic_load(&forks.bad_count),
		     (unsigned long long)atomic_load(&forks.enqueued),
		     t->failed == 0 ? "none lost, its locks held" : "FAILED");
}
