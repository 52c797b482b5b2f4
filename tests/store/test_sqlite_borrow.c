/* SPDX-License-Identifier: MIT */
/* A store over a connection that belongs to somebody else. */
#include <string.h>

#include "base/memory.h"
#include "support/cmocka.h"
#include "support/sqlite_world.h"

static int64_t ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t answer = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		answer = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return answer;
}

/* A file that is a store, and its host's table in it. */
static sqlite3 *make_file(test_world *w)
{
	sqlite3 *db;

	test_world_open(w);
	test_world_fill(w, 1);
	test_world_close(w);
	db = test_world_connect(w);
	test_world_run(db, "CREATE TABLE orders (id INTEGER PRIMARY KEY)");
	return db;
}

static void borrow(test_world *w, sqlite3 *db, const char *schema)
{
	test_ok(w, sb_sqlite_store_borrow(&w->host.host, db, schema, &w->store, &w->err));
}

/* One step with all that it can have, in a transaction of the store's. */
static int64_t enqueue(test_world *w)
{
	const sb_store_type *type = w->store->type;
	sb_handler_row handler = { .handler_namespace = sb_slice_z("default"),
				   .name = sb_slice_z("work") };
	sb_step_row row = { .created_at_us = 1, .tags = sb_slice_z("a,b") };
	sb_step_status first = { .state = SB_STEP_READY };

	test_world_begin(w);
	test_ok(w, type->queue_intern(w->store, sb_slice_z("mail"), &row.queue_id, &w->err));
	test_ok(w, type->handler_intern(w->store, &handler, &row.handler_id, &w->err));
	test_ok(w, type->step_insert(w->store, &row, &first, &w->err));
	test_ok(w, type->unique_put(w->store, sb_slice_z("ikey"), row.id, &w->err));
	test_world_commit(w);
	return row.id;
}

static void a_step_lives_and_dies_with_the_hosts_transaction(void **state)
{
	test_world *w = *state;
	sqlite3 *db = make_file(w);

	test_world_run(db, "BEGIN; INSERT INTO orders VALUES (1)");
	borrow(w, db, "main");
	assert_int_equal(enqueue(w), 2);
	test_world_close(w);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), 1);
	test_world_run(db, "ROLLBACK");
	assert_int_equal(ask(db, "SELECT count(*) FROM step"), 1);

	test_world_run(db, "BEGIN; INSERT INTO orders VALUES (1)");
	borrow(w, db, "main");
	assert_int_equal(enqueue(w), 2);
	test_world_close(w);
	test_world_run(db, "COMMIT");
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), 2);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_rollback_keeps_what_the_host_did_before(void **state)
{
	test_world *w = *state;
	sqlite3 *db = make_file(w);

	test_world_run(db, "BEGIN; INSERT INTO orders VALUES (1)");
	borrow(w, db, "main");
	test_world_begin(w);
	test_world_insert(w, sb_slice_z("x"));
	w->store->type->rollback(w->store);
	assert_int_equal(enqueue(w), 2);
	test_world_close(w);
	test_world_run(db, "COMMIT");
	assert_int_equal(ask(db, "SELECT count(*) FROM orders"), 1);
	assert_int_equal(ask(db, "SELECT count(*) FROM step"), 2);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void without_a_transaction_of_the_host_a_commit_is_one(void **state)
{
	test_world *w = *state;
	sqlite3 *db = make_file(w);

	borrow(w, db, "main");
	enqueue(w);
	test_world_close(w);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), 2);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void the_store_may_be_an_attached_database_of_any_name(void **state)
{
	static const char *const names[] = { "jobs", "main2", "it's \"odd\"", "select" };
	test_world *w = *state;

	(void)sqlite3_close(make_file(w));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		sqlite3 *db;
		char *sql;

		assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
		sql = sqlite3_mprintf("ATTACH %Q AS \"%w\"", w->path, names[i]);
		test_world_run(db, sql);
		sqlite3_free(sql);
		/* Tables of the same names elsewhere on the connection. */
		test_world_run(db, "CREATE TABLE step (a); CREATE TABLE state (a);"
				   "CREATE TEMP TABLE queue (a); CREATE TABLE meta (a)");
		borrow(w, db, names[i]);
		assert_int_equal(enqueue(w), 2 + (int64_t)i);
		test_world_close(w);
		assert_int_equal(ask(db, "SELECT count(*) FROM main.step"), 0);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), 2 + (int64_t)i);
	}
}

static void temporary_tables_do_not_stand_before_the_stores(void **state)
{
	test_world *w = *state;
	sqlite3 *db = make_file(w);

	test_world_run(db, "CREATE TEMP TABLE step (a); CREATE TEMP TABLE state (a)");
	borrow(w, db, "main");
	enqueue(w);
	test_world_close(w);
	assert_int_equal(ask(db, "SELECT count(*) FROM main.step"), 2);
	assert_int_equal(ask(db, "SELECT count(*) FROM temp.step"), 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_connection_stays_as_it_was(void **state)
{
	static const char *const pragmas[] = {
		"PRAGMA synchronous",  "PRAGMA wal_autocheckpoint", "PRAGMA cache_size",
		"PRAGMA temp_store",   "PRAGMA foreign_keys",       "PRAGMA trusted_schema",
		"PRAGMA busy_timeout", "PRAGMA query_only",         "PRAGMA secure_delete",
	};
	enum { COUNT = sizeof pragmas / sizeof *pragmas };
	test_world *w = *state;
	sqlite3 *db = make_file(w);
	int64_t before[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		before[i] = ask(db, pragmas[i]);
	borrow(w, db, "main");
	enqueue(w);
	test_world_close(w);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(ask(db, pragmas[i]), before[i]);
	assert_null(sqlite3_next_stmt(db, NULL));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void readers_of_a_borrowed_store_read_through_it(void **state)
{
	test_world *w = *state;
	sqlite3 *db = make_file(w);
	sb_step_filter filter = { .tag = sb_slice_z("b") };
	int64_t count;

	test_world_run(db, "BEGIN");
	borrow(w, db, "main");
	enqueue(w);
	test_ok(w, w->store->type->step_count(w->store, &filter, &count, &w->err));
	assert_int_equal(count, 1);
	assert_true(w->store->type->has_changed(w->store));
	assert_true(w->store->type->has_changed(w->store));
	test_world_close(w);
	test_world_run(db, "ROLLBACK");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void what_is_no_store_is_refused(void **state)
{
	test_world *w = *state;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sb_sqlite_store_borrow(&w->host.host, db, "main", &w->store, &w->err),
			 STEPBUS_EVERSION);
	assert_null(w->store);
	assert_int_not_equal(
		sb_sqlite_store_borrow(&w->host.host, db, "nowhere", &w->store, &w->err),
		STEPBUS_OK);
	assert_null(w->store);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	db = make_file(w);
	test_world_run(db, "PRAGMA user_version = 3");
	assert_int_equal(sb_sqlite_store_borrow(&w->host.host, db, "main", &w->store, &w->err),
			 STEPBUS_EVERSION);
	assert_null(sqlite3_next_stmt(db, NULL));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(a_step_lives_and_dies_with_the_hosts_transaction),
		ON_DISK(a_rollback_keeps_what_the_host_did_before),
		ON_DISK(without_a_transaction_of_the_host_a_commit_is_one),
		ON_DISK(the_store_may_be_an_attached_database_of_any_name),
		ON_DISK(temporary_tables_do_not_stand_before_the_stores),
		ON_DISK(a_connection_stays_as_it_was),
		ON_DISK(readers_of_a_borrowed_store_read_through_it),
		ON_DISK(what_is_no_store_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
