/* SPDX-License-Identifier: MIT */
/*
 * What the system is asked for between the first open and the last close, by the word of strace: no program
 * and no library is looked for, and the database is opened by SQLite's connections alone, since any close of
 * it would drop the locks of the whole process.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture/reenter/parts.h"

/* Of the one engine that is opened: its writer and its reader; and the host's own connection. */
enum { CONNECTION_COUNT = 3, LINE_LEN = 8192, PATH_LEN = 4200 };

static const char begin_mark[] = "/reenter/begin", end_mark[] = "/reenter/end";

/* Not there: it is only to be seen. */
static void mark(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
}

/* The traced process: one engine's life. With a fault: it looks for a library, as a plugin loader does. */
static int live_quietly(bool is_faulty)
{
	static world_board board;
	static world w;

	mark(begin_mark);
	world_make(&w, &board, false);
	if (is_faulty)
		mark("/usr/lib/plugin.so");
	world_check_alive(&w);
	world_end(&w);
	mark(end_mark);
	return 0;
}

int loads_executed(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "quiet") == 0)
		return live_quietly(strcmp(argv[2], "faulty") == 0);
	return -1;
}

typedef struct trace {
	size_t call_count;
	size_t code_count;     /* programs and libraries */
	size_t database_count; /* the database itself */
	bool has_begun;
	bool has_ended;
} trace;

static void read_line(trace *t, const char *line, bool is_telling)
{
	if (strstr(line, begin_mark) != NULL)
		t->has_begun = true;
	else if (strstr(line, end_mark) != NULL)
		t->has_ended = true;
	else if (!t->has_begun || t->has_ended || strstr(line, "resumed>") != NULL)
		return;
	t->call_count++;
	if (strstr(line, "/jobs.db\"") != NULL)
		t->database_count++;
	if (strstr(line, "execve(") == NULL && strstr(line, ".so\"") == NULL &&
	    strstr(line, ".so.") == NULL)
		return;
	t->code_count++;
	if (is_telling)
		(void)printf("%s", line);
}

static bool read_trace(trace *t, const char *path, bool is_telling)
{
	static char line[LINE_LEN];
	FILE *file = fopen(path, "r");

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		read_line(t, line, is_telling);
	if (file != NULL)
		(void)fclose(file);
	return t->has_begun && t->has_ended;
}

/* False where it could not be traced. */
static bool run_traced(trace *t, const char *how)
{
	char program[PATH_LEN], path[] = "/tmp/stepbus-reenter-XXXXXX";
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
	int fd = mkstemp(path), ended = 0;
	pid_t child;
	bool is_read;

	if (len <= 0 || fd < 0)
		return false;
	program[len] = '\0';
	child = fork();
	if (child == 0) {
		(void)execlp("strace", "strace", "-f", "-qq", "-e", "trace=execve,openat,open",
			     "-o", path, program, "quiet", how, (char *)NULL);
		_exit(127);
	}
	while (waitpid(child, &ended, 0) != child)
		;
	is_read = read_trace(t, path, strcmp(how, "faulty") != 0);
	(void)close(fd);
	(void)unlink(path);
	return is_read && ended == 0;
}

void loads_run(tally *t, uint32_t count, uint32_t seed)
{
	trace quiet = { 0 }, faulty = { 0 };

	(void)count;
	(void)seed;
	if (!run_traced(&quiet, "calm") || !run_traced(&faulty, "faulty")) {
		tally_find(t, "strace does not run here: install it, or let it trace");
		return;
	}
	if (quiet.code_count != 0)
		tally_find(t, "%zu programs or libraries were looked for", quiet.code_count);
	if (quiet.database_count != CONNECTION_COUNT)
		tally_find(t, "the database was opened %zu times, for %d connections",
			   quiet.database_count, CONNECTION_COUNT);
	if (faulty.code_count != 1)
		tally_find(t, "a library that was looked for on purpose went unseen");
	(void)printf(
		"proof: reenter: %zu openings of files and executions between stepbus_open and "
		"stepbus_close: %zu of programs or libraries; the database was opened %zu "
		"times, for %d connections\n",
		quiet.call_count, quiet.code_count, quiet.database_count, CONNECTION_COUNT);
}
