/* SPDX-License-Identifier: MIT */
#include "torture/famine/template.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/stepbus.h"

enum { PATH_LEN = 512, PIECE_LEN = 64 * 1024 };

static char template_path[PATH_LEN];

static int make(void)
{
	char config[PATH_LEN + 64];
	stepbus_options options = { .size = sizeof options, .config = config };
	stepbus *engine = NULL;

	(void)snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"}", template_path);
	options.config_len = strlen(config);
	if (stepbus_open(&options, &engine, NULL) != STEPBUS_OK)
		return 1;
	stepbus_close(engine);
	return 0;
}

bool famine_template_make(const char *directory)
{
	int status = 1;
	pid_t child;

	(void)snprintf(template_path, sizeof template_path, "%s/template.db", directory);
	child = fork();
	if (child == 0)
		_exit(make());
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

bool famine_template_copy(const char *path)
{
	static char piece[PIECE_LEN];
	int from = open(template_path, O_RDONLY | O_CLOEXEC);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t len = from >= 0 && to >= 0 ? 1 : -1;

	while (len > 0) {
		len = read(from, piece, sizeof piece);
		if (len > 0 && write(to, piece, (size_t)len) != len)
			len = -1;
	}
	if (from >= 0)
		(void)close(from);
	if (to >= 0)
		(void)close(to);
	return len == 0;
}

void famine_template_remove(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	char name[PATH_LEN + 16];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

void famine_template_sweep(const char *directory)
{
	DIR *entries = opendir(directory);
	const struct dirent *entry;

	while (entries != NULL && (entry = readdir(entries)) != NULL)
		(void)unlinkat(dirfd(entries), entry->d_name, 0);
	if (entries != NULL)
		(void)closedir(entries);
	(void)rmdir(directory);
}
