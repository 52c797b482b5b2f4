/* SPDX-License-Identifier: MIT */
/*
 * Directories of a run that have files and no directories in them. What goes wrong is left as it is:
 * a run that could not clear up is not wrong for that.
 */
#ifndef TESTS_SUPPORT_FLAT_DIRECTORY_H
#define TESTS_SUPPORT_FLAT_DIRECTORY_H

#include <stdbool.h>

/* Its files but those whose names begin with a dot, and then itself. False, with errno: it is still there. */
bool test_directory_clear(const char *path);
/* What is in one file behind what is in the other, which is made where it is not there. */
void test_file_append(const char *from, const char *to);

#endif
