/* SPDX-License-Identifier: MIT */
/* Bad input for enqueueing in a transaction of the host's, on a connection that may be any. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "support/bad_input.h"
#include "support/tempdir.h"

static const stepbus_step_spec good = { .size = sizeof good,
					.handler_name = "nobody",
					.handler_name_len = 6 };

static stepbus_status enqueue_in(stepbus *engine, sqlite3 *db, const char *schema,
				 stepbus_error *err)
{
	return stepbus_step_enqueue_in(engine, db, schema, schema != NULL ? strlen(schema) : 0,
				       &good, 1, NULL, err);
}

static int run(sqlite3 *db, const char *text)
{
	return sqlite3_exec(db, text, NULL, NULL, NULL);
}

static void try_arguments(stepbus *engine, sqlite3 *db)
{
	const stepbus_step_spec pair[2] = { good, { .size = sizeof *pair } };
	stepbus_enqueued out = { .size = 4 };

	BAD(STEPBUS_EINVAL, enqueue_in(NULL, db, "main", err));
	BAD(STEPBUS_EINVAL, enqueue_in(engine, NULL, "main", err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, NULL, 4, &good, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, "ma\0in", 5, &good, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, "\xff", 1, &good, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, test_bad_long(), BAD_LONG_LEN,
						    &good, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, "main", 4, NULL, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, "main", 4, &good, 0, NULL, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_step_enqueue_in(engine, db, "main", 4, &good, SIZE_MAX, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, "main", 4, pair, 2, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_in(engine, db, "main", 4, &good, 1, &out, err));
}

/* Not a refusal of one kind alone: what a foreign database lacks depends on what it has. */
static void try_foreign(stepbus *engine, sqlite3 *db, const char *schema)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status = enqueue_in(engine, db, schema, &err);

	if (status != STEPBUS_ECORRUPT && status != STEPBUS_EVERSION && status != STEPBUS_ESTORE)
		fail_msg("schema '%s': %s", schema, stepbus_status_name(status));
	assert_true(err.message[0] != '\0');
	assert_int_equal(sqlite3_get_autocommit(db), 0);
}

static void try_connection(stepbus *engine, const char *path)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	/* The engine has just begun, and writes too. */
	sqlite3_busy_timeout(db, 60000);
	assert_int_equal(run(db, "ATTACH ':memory:' AS other"), SQLITE_OK);
	assert_int_equal(run(db, "CREATE TABLE other.step (id INTEGER)"), SQLITE_OK);
	assert_int_equal(run(db, "BEGIN"), SQLITE_OK);
	try_arguments(engine, db);
	try_foreign(engine, db, "no_such");
	try_foreign(engine, db, "other");
	try_foreign(engine, db, "main\"; DROP TABLE step; --");
	BAD(STEPBUS_OK, enqueue_in(engine, db, "main", err));
	BAD(STEPBUS_OK, enqueue_in(engine, db, NULL, err));
	assert_int_equal(run(db, "ROLLBACK"), SQLITE_OK);
	assert_int_equal(stepbus_stop(engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, enqueue_in(engine, db, "main", err));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void try_file(const test_tempdir *dir)
{
	char path[TEST_PATH_LEN], config[TEST_PATH_LEN + 32];
	stepbus_options options = { .size = sizeof options, .config = config };
	uint64_t count = 0;
	stepbus *engine = NULL;

	test_tempdir_path(dir, "steps.db", path);
	snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"}", path);
	options.config_len = strlen(config);
	assert_int_equal(stepbus_open(&options, &engine, NULL), STEPBUS_OK);
	try_connection(engine, path);
	assert_int_equal(stepbus_step_count(engine, NULL, 0, &count, NULL), STEPBUS_OK);
	assert_int_equal(count, 0);
	stepbus_close(engine);
}

static void step_enqueue_in(test_bad *b)
{
	test_tempdir dir;
	sqlite3 *db = NULL;

	/* To a store in memory no connection leads. */
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	BAD(STEPBUS_EINVAL, enqueue_in(b->engine, db, "main", err));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	test_tempdir_make(&dir);
	try_file(&dir);
	test_tempdir_remove(&dir);
}

static const test_bad_row rows[] = {
	{ "stepbus_step_enqueue_in", step_enqueue_in },
};

const test_bad_rows test_bad_enqueue_in = { rows, sizeof rows / sizeof *rows };
