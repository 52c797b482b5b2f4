/* SPDX-License-Identifier: MIT */
#include "support/sqlite_world.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

int test_world_setup(void **state)
{
	test_world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	test_tempdir_make(&w->dir);
	test_tempdir_path(&w->dir, "store.db", w->path);
	test_host_init(&w->host);
	w->err = (stepbus_error)STEPBUS_ERROR_INIT;
	w->options = (sb_store_options){ .host = &w->host.host,
					 .path = w->path,
					 .durability = SB_DURABILITY_PROCESS,
					 .busy_timeout_ms = 5000,
					 .wal_alarm_bytes = INT64_C(256) << 20 };
	*state = w;
	return 0;
}

int test_world_teardown(void **state)
{
	test_world *w = *state;

	test_world_close(w);
	test_host_end(&w->host);
	test_tempdir_remove(&w->dir);
	free(w);
	return 0;
}

void test_world_open(test_world *w)
{
	test_ok(w, sb_sqlite_store_open(&w->options, &w->store, &w->err));
}

void test_world_close(test_world *w)
{
	if (w->store != NULL)
		w->store->type->close(w->store);
	w->store = NULL;
}

void test_world_begin(test_world *w)
{
	test_ok(w, w->store->type->begin(w->store, &w->err));
}

void test_world_commit(test_world *w)
{
	test_ok(w, w->store->type->commit(w->store, &w->err));
}

int64_t test_world_insert(test_world *w, sb_slice input)
{
	const sb_store_type *type = w->store->type;
	sb_handler_row handler = { .handler_namespace = sb_slice_z("default"),
				   .name = sb_slice_z("work") };
	sb_step_row row = { .created_at_us = w->host.now_us, .priority = 100, .input = input };
	sb_step_status first = { .state = SB_STEP_READY, .changed_at_us = w->host.now_us };

	test_ok(w, type->queue_intern(w->store, sb_slice_z("default"), &row.queue_id, &w->err));
	test_ok(w, type->handler_intern(w->store, &handler, &row.handler_id, &w->err));
	test_ok(w, type->step_insert(w->store, &row, &first, &w->err));
	return row.id;
}

int64_t test_world_fill(test_world *w, int count)
{
	int64_t id = 0;

	test_world_begin(w);
	for (int i = 0; i < count; i++)
		id = test_world_insert(w, sb_slice_z("input"));
	test_world_commit(w);
	return id;
}

sqlite3 *test_world_connect(const test_world *w)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	test_world_run(db, "PRAGMA wal_autocheckpoint = 0");
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_busy_timeout(db, 5000);
	return db;
}

void test_world_run(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

int64_t test_world_ask(const test_world *w, const char *sql)
{
	sqlite3 *db = test_world_connect(w);
	sqlite3_stmt *statement;
	int64_t answer = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		answer = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
	return answer;
}
