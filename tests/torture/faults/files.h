/* SPDX-License-Identifier: MIT */
/*
 * T12: file systems that are full, read-only, without inodes or with a limit on the length of files;
 * files that are removed, replaced or not to be read; paths that lead nowhere.
 */
#ifndef TESTS_TORTURE_FILES_H
#define TESTS_TORTURE_FILES_H

#include <stdbool.h>

void files_torture(bool is_short);
void files_control(void);

#endif
