/* SPDX-License-Identifier: MIT */
/* Enqueueing inside a host's own transaction. */
#include "support/workshop.h"

#include <sqlite3.h>
#include <stdio.h>

static sqlite3 *connect_to(const char *path)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	return db;
}

/* Fails where something is left that was prepared on it. */
static void close_connection(sqlite3 *db)
{
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void run_sql(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static int count_rows(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int count;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return count;
}

static stepbus_status enqueue_as(test_workshop *w, sqlite3 *db, const char *schema,
				 const stepbus_step_spec *spec, stepbus_enqueued *out)
{
	*out = (stepbus_enqueued){ .size = sizeof *out };
	return stepbus_step_enqueue_in(w->engine, db, schema, strlen(schema), spec, 1, out,
				       &w->err);
}

static void enqueue_in(test_workshop *w, sqlite3 *db, const char *input, uint8_t id[16])
{
	const stepbus_step_spec spec = test_workshop_spec(input);
	stepbus_enqueued out;

	if (enqueue_as(w, db, "main", &spec, &out) != STEPBUS_OK)
		fail_msg("%s", w->err.message);
	memcpy(id, out.step_id, sizeof out.step_id);
}

static void a_committed_step_runs(void **state)
{
	test_workshop *w = *state;
	sqlite3 *db = connect_to(w->path);
	uint8_t id[16];

	test_workshop_work(w);
	run_sql(db, "CREATE TABLE orders(id INTEGER)");
	run_sql(db, "BEGIN");
	run_sql(db, "INSERT INTO orders VALUES (1)");
	enqueue_in(w, db, "ok", id);
	assert_int_equal(test_workshop_state(w, id), 0);
	run_sql(db, "COMMIT");
	assert_int_equal(stepbus_engine_wake(w->engine, &w->err), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, id));
	assert_int_equal(count_rows(db, "SELECT count(*) FROM orders"), 1);
	close_connection(db);
}

static void a_committed_step_is_found_by_the_next_poll(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	stepbus_enqueued out;
	sqlite3 *db = connect_to(w->path);
	uint8_t id[16];

	test_workshop_reopen(w, ",\"poll_ms\":20");
	test_workshop_work(w);
	run_sql(db, "BEGIN IMMEDIATE");
	enqueue_in(w, db, "ok", id);
	spec.delay_ms = 1;
	assert_int_equal(enqueue_as(w, db, "main", &spec, &out), STEPBUS_OK);
	run_sql(db, "COMMIT");
	stepbus_outcome_free(test_workshop_await(w, id));
	stepbus_outcome_free(test_workshop_await(w, out.step_id));
	close_connection(db);
}

static void a_step_that_is_rolled_back_never_exists(void **state)
{
	test_workshop *w = *state;
	sqlite3 *db = connect_to(w->path);
	uint8_t gone[16], id[16];

	run_sql(db, "CREATE TABLE orders(id INTEGER)");
	run_sql(db, "BEGIN");
	run_sql(db, "INSERT INTO orders VALUES (1)");
	enqueue_in(w, db, "fail", gone);
	run_sql(db, "ROLLBACK");
	assert_int_equal(test_workshop_state(w, gone), 0);
	assert_int_equal(count_rows(db, "SELECT count(*) FROM orders"), 0);
	test_workshop_work(w);
	test_workshop_add(w, "ok", id);
	stepbus_outcome_free(test_workshop_await(w, id));
	assert_int_equal(test_workshop_started(w), 1);
	close_connection(db);
}

/* Of several specs one is refused: the host's transaction goes on as if none had been asked for. */
static void a_refusal_leaves_the_transaction_usable(void **state)
{
	test_workshop *w = *state;
	sqlite3 *db = connect_to(w->path);
	stepbus_step_spec specs[2] = { test_workshop_spec("ok"), test_workshop_spec("ok") };
	stepbus_enqueued out[2] = { { .size = sizeof out[0] }, { 0 } };
	uint8_t id[16];

	specs[1].priority = 1000000;
	run_sql(db, "CREATE TABLE orders(id INTEGER)");
	run_sql(db, "BEGIN");
	run_sql(db, "INSERT INTO orders VALUES (1)");
	assert_int_equal(stepbus_step_enqueue_in(w->engine, db, "main", 4, specs, 2, out, &w->err),
			 STEPBUS_EINVAL);
	assert_non_null(strstr(w->err.message, "step 1"));
	enqueue_in(w, db, "ok", id);
	run_sql(db, "COMMIT");
	assert_int_equal(count_rows(db, "SELECT count(*) FROM orders"), 1);
	assert_int_equal(count_rows(db, "SELECT count(*) FROM step"), 1);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_READY);
	close_connection(db);
}

static void an_error_in_the_middle_takes_back_what_was_begun(void **state)
{
	test_workshop *w = *state;
	sqlite3 *db = connect_to(w->path);
	stepbus_step_spec specs[3] = { test_workshop_spec("ok"), test_workshop_spec("ok"),
				       test_workshop_spec("ok") };
	uint8_t id[16];

	run_sql(db, "CREATE TABLE orders(id INTEGER)");
	run_sql(db, "CREATE TEMP TRIGGER full BEFORE INSERT ON main.step "
		    "WHEN (SELECT count(*) FROM main.step) = 2 "
		    "BEGIN SELECT RAISE(ABORT, 'no more'); END");
	run_sql(db, "BEGIN");
	run_sql(db, "INSERT INTO orders VALUES (1)");
	assert_int_not_equal(
		stepbus_step_enqueue_in(w->engine, db, "main", 4, specs, 3, NULL, &w->err),
		STEPBUS_OK);
	assert_non_null(strstr(w->err.message, "no more"));
	assert_int_equal(count_rows(db, "SELECT count(*) FROM step"), 0);
	enqueue_in(w, db, "ok", id);
	run_sql(db, "COMMIT");
	assert_int_equal(count_rows(db, "SELECT count(*) FROM orders"), 1);
	assert_int_equal(count_rows(db, "SELECT count(*) FROM step"), 1);
	close_connection(db);
}

static void a_schema_may_have_any_name(void **state)
{
	static const char *const names[] = { "steps", "a b", "quo\"te", "d\xc3\xa4ta" };
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		sqlite3 *db = connect_to(":memory:");
		char *attach = sqlite3_mprintf("ATTACH %Q AS \"%w\"", w->path, names[i]);
		stepbus_enqueued out;

		run_sql(db, attach);
		sqlite3_free(attach);
		run_sql(db, "CREATE TABLE orders(id INTEGER)");
		run_sql(db, "BEGIN");
		run_sql(db, "INSERT INTO orders VALUES (1)");
		assert_int_equal(enqueue_as(w, db, names[i], &spec, &out), STEPBUS_OK);
		run_sql(db, "COMMIT");
		assert_int_equal(test_workshop_state(w, out.step_id), STEPBUS_STEP_READY);
		assert_int_equal(enqueue_as(w, db, "main", &spec, &out), STEPBUS_EVERSION);
		close_connection(db);
	}
}

static void another_database_is_refused(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	char path[TEST_PATH_LEN], config[TEST_PATH_LEN + 64];
	stepbus_options options = { .size = sizeof options, .config = config };
	stepbus *other = NULL;
	stepbus_enqueued out;
	sqlite3 *db;

	test_tempdir_path(&w->dir, "other.db", path);
	(void)snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"}", path);
	options.config_len = strlen(config);
	assert_int_equal(stepbus_open(&options, &other, &w->err), STEPBUS_OK);
	db = connect_to(path);
	assert_int_equal(enqueue_as(w, db, "main", &spec, &out), STEPBUS_EINVAL);
	assert_non_null(strstr(w->err.message, "another database"));
	assert_int_equal(count_rows(db, "SELECT count(*) FROM step"), 0);
	close_connection(db);
	stepbus_close(other);
}

static void wrong_arguments_are_refused(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	sqlite3 *db = connect_to(w->path);
	char long_name[129];
	stepbus_enqueued out;

	memset(long_name, 's', sizeof long_name);
	assert_int_not_equal(enqueue_as(w, db, "nowhere", &spec, &out), STEPBUS_OK);
	assert_int_equal(
		stepbus_step_enqueue_in(w->engine, NULL, "main", 4, &spec, 1, NULL, &w->err),
		STEPBUS_EINVAL);
	assert_int_equal(
		stepbus_step_enqueue_in(w->engine, db, "ma\0in", 5, &spec, 1, NULL, &w->err),
		STEPBUS_EINVAL);
	assert_int_equal(stepbus_step_enqueue_in(w->engine, db, long_name, sizeof long_name, &spec,
						 1, NULL, &w->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_step_enqueue_in(w->engine, db, NULL, 4, &spec, 1, NULL, &w->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_step_enqueue_in(w->engine, db, "main", 4, &spec, 0, NULL, &w->err),
			 STEPBUS_EINVAL);
	/* Not said means "main". */
	assert_int_equal(stepbus_step_enqueue_in(w->engine, db, NULL, 0, &spec, 1, NULL, &w->err),
			 STEPBUS_OK);
	assert_int_equal(stepbus_stop(w->engine, -1, NULL, &w->err), STEPBUS_OK);
	assert_int_equal(enqueue_as(w, db, "main", &spec, &out), STEPBUS_ESHUTDOWN);
	close_connection(db);
}

static void a_store_in_memory_has_no_connection(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	sqlite3 *db = connect_to(":memory:");
	stepbus_enqueued out;

	assert_int_equal(enqueue_as(w, db, "main", &spec, &out), STEPBUS_EINVAL);
	close_connection(db);
}

static void keys_hold_inside_and_outside_of_the_transaction(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	sqlite3 *db = connect_to(w->path);
	stepbus_enqueued first, second, outside = { .size = sizeof outside };

	spec.idempotency_key = "order-1";
	spec.idempotency_key_len = 7;
	run_sql(db, "BEGIN");
	assert_int_equal(enqueue_as(w, db, "main", &spec, &first), STEPBUS_OK);
	assert_int_equal(first.is_existing, 0);
	assert_int_equal(first.durability, 0);
	assert_int_equal(enqueue_as(w, db, "main", &spec, &second), STEPBUS_OK);
	assert_int_equal(second.is_existing, 1);
	assert_memory_equal(second.step_id, first.step_id, 16);
	run_sql(db, "COMMIT");
	if (stepbus_step_enqueue(w->engine, &spec, 1, &outside, &w->err) != STEPBUS_OK)
		fail_msg("%s", w->err.message);
	assert_int_equal(outside.is_existing, 1);
	assert_memory_equal(outside.step_id, first.step_id, 16);
	close_connection(db);
}

static void two_connections_enqueue_one_after_the_other(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	sqlite3 *one = connect_to(w->path), *two = connect_to(w->path);
	stepbus_enqueued out;
	uint8_t first[16], second[16];

	sqlite3_busy_timeout(two, 0);
	test_workshop_work(w);
	run_sql(one, "BEGIN");
	enqueue_in(w, one, "ok", first);
	/* One writes at a time; who comes too early may try again in the same transaction. */
	run_sql(two, "BEGIN");
	assert_int_equal(enqueue_as(w, two, "main", &spec, &out), STEPBUS_EBUSY);
	run_sql(one, "COMMIT");
	run_sql(two, "ROLLBACK");
	sqlite3_busy_timeout(two, 10000);
	run_sql(two, "BEGIN IMMEDIATE");
	enqueue_in(w, two, "ok", second);
	run_sql(two, "COMMIT");
	assert_int_equal(stepbus_engine_wake(w->engine, &w->err), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, first));
	stepbus_outcome_free(test_workshop_await(w, second));
	close_connection(one);
	close_connection(two);
}

static void outside_of_a_transaction_it_is_one_of_its_own(void **state)
{
	test_workshop *w = *state;
	sqlite3 *db = connect_to(w->path);
	uint8_t id[16];

	enqueue_in(w, db, "ok", id);
	assert_int_equal(sqlite3_get_autocommit(db), 1);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_READY);
	close_connection(db);
}

/* A transaction that has read nothing yet waits for others that write, as its connection says. */
static void it_waits_for_its_turn_beside_a_busy_engine(void **state)
{
	enum { ROUND_COUNT = 100 };
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	sqlite3 *db = connect_to(w->path);
	uint8_t id[16];

	test_workshop_work(w);
	for (int i = 0; i < ROUND_COUNT; i++) {
		assert_int_equal(
			stepbus_step_enqueue_async(w->engine, &spec, 1, NULL, NULL, &w->err),
			STEPBUS_OK);
		if (i % 2 == 0)
			run_sql(db, "BEGIN");
		enqueue_in(w, db, "ok", id);
		if (i % 2 == 0)
			run_sql(db, "COMMIT");
	}
	assert_int_equal(stepbus_engine_wake(w->engine, &w->err), STEPBUS_OK);
	test_workshop_await_ended(w, 2 * ROUND_COUNT);
	close_connection(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSHOP_DISK_TEST(a_committed_step_runs),
		WORKSHOP_DISK_TEST(a_committed_step_is_found_by_the_next_poll),
		WORKSHOP_DISK_TEST(a_step_that_is_rolled_back_never_exists),
		WORKSHOP_DISK_TEST(a_refusal_leaves_the_transaction_usable),
		WORKSHOP_DISK_TEST(an_error_in_the_middle_takes_back_what_was_begun),
		WORKSHOP_DISK_TEST(a_schema_may_have_any_name),
		WORKSHOP_DISK_TEST(another_database_is_refused),
		cmocka_unit_test_setup_teardown(a_store_in_memory_has_no_connection,
						test_workshop_open_memory, test_workshop_close),
		WORKSHOP_DISK_TEST(wrong_arguments_are_refused),
		WORKSHOP_DISK_TEST(keys_hold_inside_and_outside_of_the_transaction),
		WORKSHOP_DISK_TEST(two_connections_enqueue_one_after_the_other),
		WORKSHOP_DISK_TEST(outside_of_a_transaction_it_is_one_of_its_own),
		WORKSHOP_DISK_TEST(it_waits_for_its_turn_beside_a_busy_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
