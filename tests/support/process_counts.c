/* SPDX-License-Identifier: MIT */
#include "support/process_counts.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

enum { BYTES_PER_KIB = 1024 };

/* Without "." and "..". */
static size_t count_entries(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	if (directory != NULL)
		(void)closedir(directory);
	return count;
}

size_t process_thread_count(void)
{
	return count_entries("/proc/self/task");
}

size_t process_descriptor_count(void)
{
	size_t count = count_entries("/proc/self/fd");

	return count > 0 ? count - 1 : 0;
}

size_t process_resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long resident = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %lu", &resident) != 1)
		resident = 0;
	(void)fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE) / BYTES_PER_KIB;
}
