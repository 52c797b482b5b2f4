/* SPDX-License-Identifier: MIT */
/* Writes histories, and what is to look like one, to files in a directory of their own. */
#ifndef TESTS_TORTURE_FILES_H
#define TESTS_TORTURE_FILES_H

#include "torture/history/history.h"

enum { FILES_PATH_LEN = 300 };

typedef struct files {
	char directory[FILES_PATH_LEN - 20];
	char log[FILES_PATH_LEN];
	char database[FILES_PATH_LEN];
} files;

/* Ends the program where there is no room for them. */
void files_open(files *f);
void files_close(const files *f);

void files_write_log(const files *f, const history *h);
void files_write(const char *path, const void *data, size_t len);
/* A database made by that SQL, in place of the one that is there. */
void files_make_database(const files *f, const char *sql);
/* The tables and views that the checker reads, filled with the rows. */
void files_write_database(const files *f, const history *h);
extern const char files_schema[];

#endif
