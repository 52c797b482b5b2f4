/* SPDX-License-Identifier: MIT */
/*
 * A directory, a host, and a SQLite store in the one through the other; and shorthands for what
 * most tests of it do. Everything fails the test where it does not succeed.
 */
#ifndef TESTS_SUPPORT_SQLITE_WORLD_H
#define TESTS_SUPPORT_SQLITE_WORLD_H

#include <sqlite3.h>

#include "store/store.h"
#include "support/host.h"
#include "support/tempdir.h"

typedef struct test_world {
	test_tempdir dir;
	test_host host;
	char path[TEST_PATH_LEN];
	sb_store_options options;
	sb_store *store; /* NULL until it is opened */
	stepbus_error err;
} test_world;

/* Setup and teardown of a test; its state is the test_world. The store is not opened yet. */
int test_world_setup(void **state);
int test_world_teardown(void **state);

void test_world_open(test_world *w);
void test_world_close(test_world *w);
void test_world_begin(test_world *w);
void test_world_commit(test_world *w);

/* A ready step of queue "default" and handler "work", in a transaction that is open. */
int64_t test_world_insert(test_world *w, sb_slice input);
/* That many in a transaction of their own; gives the id of the last. */
int64_t test_world_fill(test_world *w, int count);
/* A connection of somebody else's to the same file. */
sqlite3 *test_world_connect(const test_world *w);
/* The first column of the first row, or -1 where there is none. */
int64_t test_world_ask(const test_world *w, const char *sql);
void test_world_run(sqlite3 *db, const char *sql);

#define test_ok(w, call)                                                          \
	do {                                                                      \
		stepbus_status status_ = (call);                                  \
		if (status_ != STEPBUS_OK)                                        \
			fail_msg("%s: %d, %s", #call, status_, (w)->err.message); \
	} while (0)

#endif
