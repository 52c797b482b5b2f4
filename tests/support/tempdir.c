/* SPDX-License-Identifier: MIT */
#include "support/tempdir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cmocka.h"

void test_tempdir_make(test_tempdir *dir)
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(dir->path, sizeof dir->path, "%s/stepbus-test-XXXXXX",
			   parent != NULL && parent[0] != '\0' ? parent : "/tmp");

	assert_in_range(len, 1, sizeof dir->path - 1);
	assert_non_null(mkdtemp(dir->path));
}

void test_tempdir_make_fast(test_tempdir *dir)
{
	(void)snprintf(dir->path, sizeof dir->path, "/dev/shm/stepbus-test-XXXXXX");
	if (mkdtemp(dir->path) == NULL)
		test_tempdir_make(dir);
}

void test_tempdir_path(const test_tempdir *dir, const char *name, char out[TEST_PATH_LEN])
{
	int len = snprintf(out, TEST_PATH_LEN, "%s/%s", dir->path, name);

	assert_in_range(len, 1, TEST_PATH_LEN - 1);
}

static void empty(const char *path)
{
	DIR *stream = opendir(path);
	struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		char *below;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		assert_true(asprintf(&below, "%s/%s", path, entry->d_name) > 0);
		if (unlink(below) != 0) {
			(void)chmod(below, 0700);
			empty(below);
			assert_int_equal(rmdir(below), 0);
		}
		free(below);
	}
	if (stream != NULL)
		(void)closedir(stream);
}

void test_tempdir_remove(const test_tempdir *dir)
{
	(void)chmod(dir->path, 0700);
	empty(dir->path);
	assert_int_equal(rmdir(dir->path), 0);
}
