/* SPDX-License-Identifier: MIT */
#include "support/flat_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool test_directory_clear(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory != NULL)
		(void)closedir(directory);
	return rmdir(path) == 0;
}

void test_file_append(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char bytes[65536];
	ssize_t len;

	while (in >= 0 && (len = read(in, bytes, sizeof bytes)) > 0)
		if (write(out, bytes, (size_t)len) != len)
			abort();
	if (in >= 0)
		(void)close(in);
	(void)close(out);
}
