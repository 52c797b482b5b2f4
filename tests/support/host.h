/* SPDX-License-Identifier: MIT */
/*
 * A host for tests: a clock that moves only when told, an allocator that counts and fails the Nth
 * call, and a log that is kept. cJSON allocates through it too while a test_host is in use. Safe
 * from many threads.
 */
#ifndef TESTS_SUPPORT_HOST_H
#define TESTS_SUPPORT_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "include/stepbus.h"

enum { TEST_LOG_LEN = 4096 };

typedef struct test_host {
	stepbus_host host; /* give its address to what is tested */
	pthread_mutex_t lock;
	int64_t now_us;
	int64_t elapsed_ns;
	size_t allocation_count; /* asked for so far */
	size_t fail_at;          /* this one fails (counted from 1); 0: none */
	bool is_sticky;          /* and all after it */
	size_t failed_count;
	size_t live_count; /* blocks that were not given back */
	bool has_random;   /* false: random fails */
	size_t log_count;
	char log[TEST_LOG_LEN]; /* the last record */
} test_host;

/* now_us begins at 2026-11-21T10:30:45.123456Z. One test_host at a time. */
void test_host_init(test_host *t);
/* Fails the test where memory was not given back. */
void test_host_end(test_host *t);

/*
 * Runs a scenario once for every allocation it makes, failing that one (and, sticky, all after it),
 * until it gets by without a failure. The scenario must give everything back itself, may not assert
 * success, and returns the status it ended with: it must be STEPBUS_OK when nothing failed.
 * Everything else that a failed run returns must be STEPBUS_ENOMEM with a message in err, unless
 * is_any_status.
 */
typedef struct test_scenario {
	const char *name;
	stepbus_status (*run)(test_host *t, stepbus_error *err);
	bool is_any_status; /* the scenario survives some failures by design */
} test_scenario;

/* Returns how many allocations were failed. */
size_t test_fail_each_allocation(const test_scenario *scenario);

#endif
