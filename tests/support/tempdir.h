/* SPDX-License-Identifier: MIT */
/* A directory of a test's own, removed with all that is in it. */
#ifndef TESTS_SUPPORT_TEMPDIR_H
#define TESTS_SUPPORT_TEMPDIR_H

enum { TEST_PATH_LEN = 256 };

typedef struct test_tempdir {
	char path[TEST_PATH_LEN];
} test_tempdir;

void test_tempdir_make(test_tempdir *dir);
/* In memory, where the system has such a place: for tests that sync a thousand times. */
void test_tempdir_make_fast(test_tempdir *dir);
void test_tempdir_remove(const test_tempdir *dir);
/* "<dir>/<name>". */
void test_tempdir_path(const test_tempdir *dir, const char *name, char out[TEST_PATH_LEN]);

#endif
