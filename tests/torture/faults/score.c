/* SPDX-License-Identifier: MIT */
#include "torture/faults/score.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	int passed_count, failed_count;
	char directory[128];
	pid_t owner;
} board;

static void print(const char *front, const char *format, va_list arguments)
{
	(void)fputs(front, stdout);
	(void)vprintf(format, arguments);
	(void)putchar('\n');
	(void)fflush(stdout);
}

bool score(bool is_right, const char *format, ...)
{
	va_list arguments;

	board.passed_count += is_right;
	board.failed_count += !is_right;
	if (is_right)
		return true;
	va_start(arguments, format);
	print("FAILED: ", format, arguments);
	va_end(arguments);
	return false;
}

void score_skip(const char *format, ...)
{
	const char *allowed = getenv("STEPBUS_PROOF_SKIPS");
	bool is_allowed = allowed != NULL && strcmp(allowed, "1") == 0;
	va_list arguments;

	board.failed_count += !is_allowed;
	va_start(arguments, format);
	print(is_allowed ? "SKIPPED: " : "FAILED, since it was skipped: ", format, arguments);
	va_end(arguments);
}

void score_proof(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print("proof: faults: ", format, arguments);
	va_end(arguments);
}

void score_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print("", format, arguments);
	va_end(arguments);
}

int score_failed_count(void)
{
	return board.failed_count;
}

int score_end(void)
{
	(void)printf("%d passed, %d failed\n", board.passed_count, board.failed_count);
	return board.failed_count > 0 || board.passed_count == 0;
}

const char *score_directory(void)
{
	const char *given = getenv("TMPDIR");
	const char *base = given != NULL                 ? given :
			   access("/dev/shm", W_OK) == 0 ? "/dev/shm" :
							   "/tmp";

	if (board.directory[0] != '\0')
		return board.directory;
	(void)snprintf(board.directory, sizeof board.directory, "%.90s/stepbus-faults-XXXXXX",
		       base);
	if (mkdtemp(board.directory) == NULL) {
		perror("mkdtemp");
		exit(2);
	}
	board.owner = getpid();
	return board.directory;
}

void score_tidy(void)
{
	DIR *directory;
	struct dirent *entry;
	char path[512];

	if (board.directory[0] == '\0' || board.owner != getpid())
		return;
	if (board.failed_count > 0) {
		(void)printf("what is left of it is in %s\n", board.directory);
		return;
	}
	directory = opendir(board.directory);
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s", board.directory, entry->d_name);
		if (entry->d_name[0] != '.')
			(void)remove(path);
	}
	if (directory != NULL)
		(void)closedir(directory);
	if (rmdir(board.directory) != 0)
		perror(board.directory);
}

void score_remove_store(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-wake", "-journal" };
	char name[512];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

bool score_copy(const char *from, const char *to)
{
	char bytes[65536];
	ssize_t len = -1;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	while (in >= 0 && out >= 0 && (len = read(in, bytes, sizeof bytes)) > 0)
		if (write(out, bytes, (size_t)len) != len) {
			len = -1;
			break;
		}
	if (in >= 0)
		(void)close(in);
	if (out >= 0)
		(void)close(out);
	return len == 0;
}
