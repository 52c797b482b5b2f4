/* SPDX-License-Identifier: MIT */
/*
 * Opening a store in a forked child. SQLite does not survive a fork beside an open database: its mutexes
 * may be held by threads that are gone, and it believes to have locks that a child does not inherit.
 */
#include <stdio.h>
#include <string.h>

#include "include/stepbus.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/tempdir.h"

static test_tempdir dir;
static char jobs[] = "jobs.db", other[] = "other.db";

static stepbus_status open_store(const char *store, stepbus **out, stepbus_error *err)
{
	char config[2 * TEST_PATH_LEN], path[TEST_PATH_LEN];
	stepbus_options options = { .size = sizeof options, .config = config };

	test_tempdir_path(&dir, store, path);
	options.config_len =
		(size_t)(store[0] == '\0' ?
				 snprintf(config, sizeof config, "{\"store\":\"memory:\"}") :
				 snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"}",
					  path));
	return stepbus_open(&options, out, err);
}

static stepbus *open_or_fail(const char *store)
{
	stepbus *engine = NULL;

	assert_int_equal(open_store(store, &engine, NULL), STEPBUS_OK);
	return engine;
}

static int set_up(void **state)
{
	(void)state;
	test_tempdir_make_fast(&dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_tempdir_remove(&dir);
	return 0;
}

/* What opening a store answers in a child; the store is closed again. */
static int try_open(void *context)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = NULL;
	stepbus_status status = open_store(context, &engine, &err);

	stepbus_close(engine);
	return status != STEPBUS_OK && err.message[0] == '\0' ? 100 : status;
}

static int try_open_in_grandchild(void *context)
{
	return test_in_child(try_open, context);
}

static void a_child_of_an_open_store_opens_none(void **state)
{
	stepbus *engine = open_or_fail("jobs.db");

	(void)state;
	assert_int_equal(test_in_child(try_open, jobs), STEPBUS_EFORKED);
	assert_int_equal(test_in_child(try_open, other), STEPBUS_EFORKED);
	assert_int_equal(test_in_child(try_open_in_grandchild, other), STEPBUS_EFORKED);
	/* The parent goes on as before. */
	stepbus_close(open_or_fail("other.db"));
	stepbus_close(engine);
}

/* ThreadSanitizer lets no child of a process with threads start any. */
#if !defined(__SANITIZE_THREAD__)
/* A child that opens one itself, and then forks. */
static int open_and_fork(void *context)
{
	stepbus *engine = NULL;
	int answer;

	if (open_store("mine.db", &engine, NULL) != STEPBUS_OK)
		return 101;
	answer = test_in_child(try_open, context);
	stepbus_close(engine);
	return answer;
}

static void a_child_that_is_forked_behind_the_close_opens_any(void **state)
{
	(void)state;
	stepbus_close(open_or_fail("jobs.db"));
	assert_int_equal(test_in_child(try_open, jobs), STEPBUS_OK);
	assert_int_equal(test_in_child(open_and_fork, jobs), STEPBUS_EFORKED);
}

static void a_store_that_could_not_be_opened_stands_in_no_childs_way(void **state)
{
	stepbus *engine = NULL;

	(void)state;
	assert_int_not_equal(open_store("no/such/directory", &engine, NULL), STEPBUS_OK);
	assert_int_equal(test_in_child(try_open, jobs), STEPBUS_OK);
}

static void a_store_in_memory_stands_in_no_childs_way(void **state)
{
	stepbus *engine = open_or_fail("");

	(void)state;
	assert_int_equal(test_in_child(try_open, jobs), STEPBUS_OK);
	stepbus_close(engine);
}

static void a_child_of_an_open_store_opens_one_in_memory(void **state)
{
	static char memory[] = "";
	stepbus *engine = open_or_fail("jobs.db");

	(void)state;
	assert_int_equal(test_in_child(try_open, memory), STEPBUS_OK);
	stepbus_close(engine);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_child_of_an_open_store_opens_none),
#if !defined(__SANITIZE_THREAD__)
		TEST(a_child_that_is_forked_behind_the_close_opens_any),
		TEST(a_store_that_could_not_be_opened_stands_in_no_childs_way),
		TEST(a_store_in_memory_stands_in_no_childs_way),
		TEST(a_child_of_an_open_store_opens_one_in_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
