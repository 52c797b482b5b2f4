/* SPDX-License-Identifier: MIT */
/*
 * Files for SQLite that only hand on to the system's: what a test puts between the two begins with a
 * test_thin_file, takes test_thin_methods, and replaces those that it is about. Version 2: no mapped
 * files, whose writes nobody would see.
 */
#ifndef TESTS_SUPPORT_THIN_VFS_H
#define TESTS_SUPPORT_THIN_VFS_H

#include <sqlite3.h>

typedef struct test_thin_file {
	const sqlite3_io_methods *seen; /* what sqlite3_file begins with */
	sqlite3_file *real;             /* behind the struct that this one begins */
} test_thin_file;

extern const sqlite3_io_methods test_thin_methods;

sqlite3_file *test_thin_real(sqlite3_file *file);

#endif
