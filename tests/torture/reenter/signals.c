/* SPDX-License-Identifier: MIT */
/*
 * Signals, and what else of the host's an engine leaves as it was. Calls that wait for somebody else wait
 * as long as they say, however often they are woken; and nothing that the system refuses because a signal
 * came is handed on.
 */
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/process_counts.h"
#include "torture/reenter/parts.h"
#include "torture/reenter/storm.h"

enum {
	FIERCE_NS = 50000,
	BUSY_MS = 500,
	SIGNAL_COUNT = 65,
	STDIO_COUNT = 3,
	NAME_LEN = 32,
	LOOKS_MAX = 5000
};

static stepbus *open_patient(world *w)
{
	char config[512];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"busy_timeout_ms\":%d}", w->path, BUSY_MS);
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len };
	stepbus *engine = NULL;

	WORLD_OK(w, stepbus_open(&options, &engine, NULL));
	return engine;
}

/* Workers come and go while system calls are interrupted 20,000 times a second. */
static uint32_t start_workers(tally *t, world *w, uint32_t count)
{
	uint32_t refused = 0;

	for (uint32_t i = 0; i < count; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		stepbus_worker *worker = NULL;
		stepbus_status status;

		storm_enter();
		status = stepbus_worker_start(w->engine,
					      STEPBUS_TEXT("{\"pool_size\":1,\"block_size\":1000}"),
					      &worker, &err);
		storm_leave();
		if (status != STEPBUS_OK && refused++ == 0)
			tally_find(t, "a signal made a worker's start fail: %s, %s",
				   stepbus_status_name(status), err.message);
		storm_enter();
		stepbus_worker_free(worker);
		storm_leave();
	}
	return refused;
}

/* Somebody else writes for longer than the engine waits. */
static int64_t wait_busy(tally *t, world *w)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "quick",
					 .handler_name_len = 5 };
	stepbus *engine = open_patient(w);
	stepbus_status status;
	int64_t begun_us, gone_us;

	/* Its waits end sooner for each signal. */
	while (sqlite3_exec(w->connection, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_BUSY)
		;
	begun_us = world_now_us();
	status = stepbus_step_enqueue(engine, &spec, 1, NULL, NULL);
	gone_us = world_now_us() - begun_us;
	(void)sqlite3_exec(w->connection, "ROLLBACK", NULL, NULL, NULL);
	if (status != STEPBUS_EBUSY)
		tally_find(t, "an enqueue beside a foreign transaction answers %s",
			   stepbus_status_name(status));
	else if (gone_us < (int64_t)BUSY_MS * 1000 * 9 / 10)
		tally_find(t, "signals made busy_timeout_ms %d end after %lld ms", BUSY_MS,
			   (long long)gone_us / 1000);
	stepbus_close(engine);
	return gone_us;
}

void signals_run(tally *t, uint32_t count, uint32_t seed)
{
	static world_board board;
	static world w;
	uint32_t refused;
	int64_t waited_us;

	(void)seed;
	world_make(&w, &board, false);
	storm_begin_fierce(&board.signals, FIERCE_NS);
	refused = start_workers(t, &w, count);
	waited_us = wait_busy(t, &w);
	world_check_alive(&w);
	world_end(&w);
	(void)printf("proof: reenter: %u workers started and ended while %u signals (20 kHz) came "
		     "inside of these calls, %u of which ended a system call with EINTR: %u "
		     "refused; a call that may wait %d ms for another process waited %lld ms\n",
		     count, atomic_load(&board.signals.inside),
		     atomic_load(&board.signals.interrupting), refused, BUSY_MS,
		     (long long)waited_us / 1000);
}

/* What belongs to the host. */
typedef struct manners {
	void (*handlers[SIGNAL_COUNT])(int);
	int flags[SIGNAL_COUNT];
	unsigned long masks[SIGNAL_COUNT]; /* the system writes no more of a sigset_t */
	sigset_t mask;
	char directory[4096];
	char locale[64];
	mode_t mask_of_files;
	int stdio_flags[STDIO_COUNT];
	uint64_t environment;
	int cancel_state;
	int cancel_type;
} manners;

extern char **environ;

static uint64_t sum_environment(void)
{
	uint64_t sum = 1;

	for (char **each = environ; *each != NULL; each++)
		for (const char *at = *each; *at != '\0'; at++)
			sum = sum * 31 + (uint8_t)*at;
	return sum;
}

static void look(manners *m)
{
	memset(m, 0, sizeof *m);
	for (int i = 1; i < SIGNAL_COUNT; i++) {
		struct sigaction action;

		memset(&action, 0, sizeof action);
		(void)sigaction(i, NULL, &action);
		m->handlers[i] = action.sa_handler;
		m->flags[i] = action.sa_flags;
		memcpy(&m->masks[i], &action.sa_mask, sizeof m->masks[i]);
	}
	(void)pthread_sigmask(SIG_SETMASK, NULL, &m->mask);
	(void)!getcwd(m->directory, sizeof m->directory);
	(void)snprintf(m->locale, sizeof m->locale, "%s", setlocale(LC_ALL, NULL));
	m->mask_of_files = umask(0);
	(void)umask(m->mask_of_files);
	for (int i = 0; i < STDIO_COUNT; i++)
		m->stdio_flags[i] = fcntl(i, F_GETFL);
	m->environment = sum_environment();
	(void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &m->cancel_state);
	(void)pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &m->cancel_type);
}

/* The first line of a file that begins with this, as a number in base 16; 0: none does. */
static unsigned long long read_mask(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long long mask = 0;
	char line[256];

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "SigBlk: %llx", &mask) == 1)
			break;
	if (file != NULL)
		(void)fclose(file);
	return mask;
}

/* While a thread begins, the C library blocks whatever can be blocked: so it is looked at again. */
static unsigned long long read_lasting_mask(const char *path)
{
	const unsigned long long while_beginning = 0xfffffffffffbfeffULL;
	unsigned long long mask = read_mask(path);

	for (int i = 0; i < LOOKS_MAX && mask == while_beginning; i++) {
		part_pause_us(1000);
		mask = read_mask(path);
	}
	return mask;
}

static void read_name(const char *task, char name[NAME_LEN])
{
	char path[300];
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", task);
	file = fopen(path, "r");
	name[0] = '\0';
	if (file != NULL) {
		(void)!fgets(name, NAME_LEN, file);
		(void)fclose(file);
	}
}

/* The bits of signals that a thread brings upon itself: those are its host's (src/base/signals.h). */
static unsigned long long own_faults(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	unsigned long long bits = 0;

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		bits |= 1ULL << (numbers[i] - 1);
	return bits;
}

/* All that can be blocked, but the two that the C library keeps for itself, and those; they not. */
static size_t check_threads(tally *t)
{
	const unsigned long long all = 0xfffffffe7ffbfeffULL & ~own_faults();
	DIR *stream = opendir("/proc/self/task");
	struct dirent *entry;
	size_t count = 0;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		char path[300], name[NAME_LEN];
		unsigned long long mask;

		if (entry->d_name[0] == '.')
			continue;
		read_name(entry->d_name, name);
		if (strncmp(name, "stepbus", 7) != 0)
			continue;
		(void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
		count++;
		mask = read_lasting_mask(path);
		if ((mask & (all | own_faults())) != all)
			tally_find(t, "thread %s lets signals in: it blocks %llx", name, mask);
	}
	(void)closedir(stream);
	return count;
}

/* What is mapped to be executed, as a sum of the names. */
static uint64_t sum_code(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	uint64_t sum = 0;
	char line[4400];

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		char rights[8] = "", path[4200] = "";
		uint64_t one = 1;

		if (sscanf(line, "%*s %7s %*s %*s %*s %4199s", rights, path) != 2 ||
		    rights[2] != 'x')
			continue;
		for (const char *at = path; *at != '\0'; at++)
			one = one * 31 + (uint8_t)*at;
		sum += one;
	}
	if (file != NULL)
		(void)fclose(file);
	return sum;
}

static void compare(tally *t, const manners *before, const manners *after)
{
	const struct {
		const char *name;
		bool is_same;
	} parts[] = {
		{ "dispositions of signals",
		  memcmp(before->handlers, after->handlers, sizeof before->handlers) == 0 &&
			  memcmp(before->flags, after->flags, sizeof before->flags) == 0 &&
			  memcmp(before->masks, after->masks, sizeof before->masks) == 0 },
		{ "the mask of signals",
		  memcmp(&before->mask, &after->mask, sizeof before->mask) == 0 },
		{ "the working directory", strcmp(before->directory, after->directory) == 0 },
		{ "the locale", strcmp(before->locale, after->locale) == 0 },
		{ "the umask", before->mask_of_files == after->mask_of_files },
		{ "the flags of stdio", memcmp(before->stdio_flags, after->stdio_flags,
					       sizeof before->stdio_flags) == 0 },
		{ "the environment", before->environment == after->environment },
		{ "whether threads can be cancelled",
		  before->cancel_state == after->cancel_state &&
			  before->cancel_type == after->cancel_type },
	};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!parts[i].is_same)
			tally_find(t, "an engine changed %s", parts[i].name);
		tally_note(t, parts[i].is_same);
	}
}

static void hold_on(int number)
{
	(void)number;
}

/* As a host may have them. */
static void have_habits(void)
{
	const struct sigaction own = { .sa_handler = hold_on, .sa_flags = SA_NODEFER };
	sigset_t some;

	(void)sigaction(SIGUSR1, &own, NULL);
	(void)sigaction(SIGHUP, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	sigaddset(&some, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &some, NULL);
	(void)umask(0027);
}

void manners_run(tally *t, uint32_t count, uint32_t seed)
{
	static manners before, after;
	size_t descriptors = 0, threads = 0;
	uint64_t code;

	(void)seed;
	have_habits();
	look(&before);
	code = sum_code();
	for (uint32_t i = 0; i < count; i++) {
		static world_board board;
		static world w;
		int32_t fd = -1;

		world_make(&w, &board, i % 2 == 1);
		WORLD_OK(&w, stepbus_wake_fd(w.pull, STEPBUS_WAKE_SOCKET, &fd, NULL));
		world_check_alive(&w);
		threads += check_threads(t);
		world_end(&w);
		if (i == 0)
			descriptors = process_descriptor_count();
	}
	look(&after);
	compare(t, &before, &after);
	if (process_descriptor_count() != descriptors)
		tally_find(t, "descriptors are left open");
	if (sum_code() != code)
		tally_find(t, "other files are mapped to be executed than before the first open");
	if (threads == 0)
		tally_find(t, "no thread of the library was found");
	(void)printf("proof: reenter: %u engines opened, used and closed: signals' 64 dispositions "
		     "and mask, directory, umask, locale, environment, stdio, descriptors and "
		     "executable mappings as before; %zu threads looked at, which let no signal "
		     "in: %d differences\n",
		     count, threads, t->failed);
}
