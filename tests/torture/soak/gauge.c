/* SPDX-License-Identifier: MIT */
#include "torture/soak/gauge.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t count_entries(const char *path)
{
	DIR *directory = opendir(path);
	size_t count = 0;

	while (directory != NULL && readdir(directory) != NULL)
		count++;
	if (directory != NULL)
		(void)closedir(directory);
	return count;
}

static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long total = 0, resident = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld %ld", &total, &resident) != 2)
		resident = 0;
	(void)fclose(file);
	return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

void gauge_read(gauge *g, const char *database_path)
{
	struct mallinfo2 info = mallinfo2();
	char path[512];
	struct stat log;

	(void)snprintf(path, sizeof path, "%s-wal", database_path);
	*g = (gauge){ .in_use_bytes = info.uordblks + info.hblkhd,
		      .resident_bytes = resident_bytes(),
		      .descriptor_count = count_entries("/proc/self/fd"),
		      .thread_count = count_entries("/proc/self/task"),
		      .log_bytes = stat(path, &log) == 0 ? (size_t)log.st_size : 0 };
}
