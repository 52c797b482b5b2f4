/* SPDX-License-Identifier: MIT */
/* Gives a target each file and each directory's files, for where libFuzzer is missing: replay PATH... */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/driver.h"

enum { PATH_LEN = 4096, INPUT_LEN_MAX = 1 << 21 };

static int file_count;

static int replay_file(const char *path)
{
	uint8_t *bytes = malloc(INPUT_LEN_MAX);
	FILE *file = fopen(path, "rb");
	uint8_t *exact = NULL;
	size_t len = 0;

	if (bytes != NULL && file != NULL) {
		len = fread(bytes, 1, INPUT_LEN_MAX, file);
		/* As long as it is, so that a read past its end is seen. */
		exact = realloc(bytes, len > 0 ? len : 1);
	}
	if (file != NULL)
		(void)fclose(file);
	if (exact == NULL) {
		(void)fprintf(stderr, "replay: cannot read %s\n", path);
		free(bytes);
		return 1;
	}
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	file_count++;
	return 0;
}

static int replay(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	char name[PATH_LEN];
	int status = 0;

	if (directory == NULL)
		return replay_file(path);
	while (status == 0 && (entry = readdir(directory)) != NULL) {
		(void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			status = replay_file(name);
	}
	(void)closedir(directory);
	return status;
}

int main(int argc, char **argv)
{
	int status = argc > 1 ? 0 : 2;

	for (int i = 1; i < argc && status == 0; i++)
		status = replay(argv[i]);
	(void)printf("replayed %d files\n", file_count);
	return status;
}
