/* SPDX-License-Identifier: MIT */
/* What other SQLite clients see in a store's file, and what they may put into it. */
#include <stdio.h>
#include <string.h>

#include "base/ids.h"
#include "handlers/unique.h"
#include "support/cmocka.h"
#include "support/sqlite_world.h"

/* A client that trusts no schema, as the sqlite3 shell may. */
static sqlite3 *connect(const test_world *w)
{
	sqlite3 *db = test_world_connect(w);

	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return db;
}

/* The first row of the answer, its columns joined by "|". */
static void answers(sqlite3 *db, const char *sql, const char *expected)
{
	sqlite3_stmt *statement;
	char got[512] = "";

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(statement); i++) {
			const char *text = (const char *)sqlite3_column_text(statement, i);

			if (i > 0)
				strncat(got, "|", sizeof got - strlen(got) - 1);
			strncat(got, text != NULL ? text : "-", sizeof got - strlen(got) - 1);
		}
	if (sqlite3_finalize(statement) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (strcmp(got, expected) != 0)
		fail_msg("%s: '%s', expected '%s'", sql, got, expected);
}

static void refuses(sqlite3 *db, const char *values, const char *column)
{
	char *message = NULL, *sql = sqlite3_mprintf("INSERT INTO enqueue %s", values);
	char words[64];

	(void)snprintf(words, sizeof words, "stepbus: %s must ", column);

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_CONSTRAINT)
		fail_msg("%s was accepted", sql);
	if (strstr(message, words) == NULL)
		fail_msg("%s: %s", sql, message);
	sqlite3_free(message);
	sqlite3_free(sql);
	answers(db, "SELECT count(*) FROM step", "0");
	answers(db, "SELECT count(*) FROM queue", "0");
}

static void move(test_world *w, int64_t id, sb_step_event event, const sb_step_status *to)
{
	const sb_store_type *type = w->store->type;
	sb_step_status status;
	sb_step_move change = { .event = event, .to = *to };

	test_ok(w, type->step_status_read(w->store, id, &status, &w->err));
	change.from = status.state;
	change.from_token = status.token;
	change.to.id = id;
	test_ok(w, type->step_move(w->store, &change, 1, &w->err));
	assert_true(change.is_done);
}

/* One step that succeeded, one that failed, one that is ready; by a worker called w1. */
static void make_history(test_world *w)
{
	const sb_store_type *type = w->store->type;
	sb_worker_row worker = { .name = sb_slice_z("w1"),
				 .heartbeat_at_us = INT64_C(1700000000000000),
				 .completed_count = 3,
				 .failed_count = 1 };
	sb_step_status running = { .state = SB_STEP_RUNNING, .token = 5, .attempt_count = 1 };
	sb_step_status done = { .state = SB_STEP_COMPLETED,
				.token = 5,
				.attempt_count = 1,
				.changed_at_us = INT64_C(1700000000500000),
				.execution_us = 250000 };
	sb_step_status failed = done;
	sb_attempt_row attempt = { .token = 5,
				   .number = 1,
				   .outcome = SB_ATTEMPT_FAILURE,
				   .finished_at_us = INT64_C(1700000000500000),
				   .error_type = sb_slice_z("boom"),
				   .message = sb_slice_z("it burst") };
	int64_t id;

	test_world_begin(w);
	test_ok(w, type->worker_insert(w->store, &worker, &w->err));
	running.worker_id = done.worker_id = failed.worker_id = worker.id;
	attempt.worker_id = worker.id;
	id = test_world_insert(w, sb_slice_z("one"));
	move(w, id, SB_STEP_CLAIM, &running);
	move(w, id, SB_STEP_SUCCEED, &done);
	id = test_world_insert(w, sb_slice_z("two"));
	failed.state = SB_STEP_FAILED;
	move(w, id, SB_STEP_CLAIM, &running);
	move(w, id, SB_STEP_FAIL, &failed);
	attempt.step_id = id;
	test_ok(w, type->attempt_put(w->store, &attempt, &w->err));
	test_world_insert(w, sb_slice_z("three"));
	test_world_commit(w);
}

static void views_answer_in_one_select(void **state)
{
	test_world *w = *state;
	uint8_t id[SB_ID_LEN];
	char text[SB_ID_TEXT_LEN + 1];
	sqlite3 *db;

	test_world_open(w);
	make_history(w);
	db = connect(w);
	answers(db,
		"SELECT id, queue, handler, handler_namespace, state, priority, attempt_count,"
		" worker, changed_at, error_message FROM v_steps WHERE id = 1",
		"1|default|work|default|completed|100|1|w1|2023-11-14 22:13:20.500|-");
	answers(db, "SELECT state, error_type, error_message, input FROM v_steps WHERE id = 2",
		"failed|boom|it burst|two");
	sb_id_of_row(3, w->store->tag, id);
	sb_id_format(id, text);
	answers(db, "SELECT uuid FROM v_steps WHERE id = 3", text);
	answers(db,
		"SELECT step_id, number, outcome, worker, execution_us, started_at FROM v_attempts"
		" WHERE step_id = 1",
		"1|1|success|w1|250000|2023-11-14 22:13:20.250");
	answers(db, "SELECT outcome, error_type FROM v_attempts WHERE step_id = 2", "failure|boom");
	answers(db, "SELECT count(*) FROM v_attempts", "2");
	answers(db, "SELECT name, is_paused, ready, running, completed, failed FROM v_queues",
		"default|0|1|0|1|1");
	answers(db,
		"SELECT name, is_stopped, processed, completed, failed, success_rate,"
		" seconds_since_heartbeat > 1e6 FROM v_workers",
		"w1|0|4|3|1|0.75|1");
	answers(db,
		"SELECT step_id, queue, handler, outcome, state, message FROM v_recent_failures",
		"2|default|work|failure|failed|it burst");
	(void)sqlite3_close(db);
}

static bool check_row(void *context, const sb_step_view *view)
{
	const sb_step_row *row = &view->row;

	*(int *)context += 1;
	assert_true(sb_slice_is_equal(view->handler.name, sb_slice_z("send")));
	assert_true(sb_slice_is_equal(view->handler.version, sb_slice_z("1.2")));
	assert_true(sb_slice_is_equal(view->queue, sb_slice_z("mail")));
	assert_true(sb_slice_is_equal(row->input, sb_slice_z("{\"a\":1}")));
	assert_true(sb_slice_is_equal(row->tags, sb_slice_z("red, green,,red")));
	assert_true(sb_slice_is_equal(row->idempotency_key, sb_slice_of("i\0\7order-7", 10)));
	assert_true(sb_slice_is_equal(row->correlation_id, sb_slice_z("c1")));
	assert_int_equal(row->priority, 7);
	assert_int_equal(row->attempt_count_max, 3);
	assert_int_equal(row->attempt_timeout_us, 1500000);
	assert_int_equal(view->status.state, SB_STEP_READY);
	assert_int_equal(view->status.priority, 7);
	return true;
}

static void plain_sql_enqueues_all_that_the_store_knows_of(void **state)
{
	test_world *w = *state;
	const sb_store_type *type;
	sb_step_filter filter = { .tag = sb_slice_z("green"), .count_max = 9 };
	sb_scan scan = { .kind = SB_SCAN_READY, .queue_id = 1, .priority = 7 };
	sb_step_status status;
	sqlite3 *db;
	size_t count;
	int seen = 0;
	int64_t id;

	test_world_open(w);
	type = w->store->type;
	assert_true(type->has_changed(w->store));
	db = connect(w);
	test_world_run(db, "INSERT INTO enqueue (handler, handler_version, queue, priority, input,"
			   " tags, idempotency_key, correlation_id, attempt_count_max,"
			   " attempt_timeout_ms) VALUES ('send', '1.2', 'mail', 7, '{\"a\":1}',"
			   " 'red, green,,red', 'order-7', 'c1', 3, 1500)");
	answers(db, "SELECT count(*) FROM step_tag", "2");
	assert_true(type->has_changed(w->store));
	test_ok(w, type->step_list(w->store, &filter, check_row, &seen, &w->err));
	assert_int_equal(seen, 1);
	test_world_begin(w);
	test_ok(w, type->step_scan(w->store, &scan, &status, 1, &count, &w->err));
	assert_int_equal(count, 1);
	test_ok(w, type->unique_find(w->store, sb_slice_of("i\0\7order-7", 10), &id, &w->err));
	assert_int_equal(id, 1);
	test_world_commit(w);
	(void)sqlite3_close(db);
}

static void what_is_left_out_gets_its_default(void **state)
{
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	db = connect(w);
	test_world_run(db, "INSERT INTO enqueue (handler) VALUES ('work')");
	answers(db,
		"SELECT queue, handler, handler_namespace, handler_version, state, priority, input,"
		" due_at, created_at_us = changed_at_us FROM v_steps",
		"default|work|default||ready|100|-|-|1");
	answers(db,
		"SELECT abs(created_at_us - strftime('%s', 'now') * 1000000) < 60000000"
		" FROM v_steps",
		"1");
	(void)sqlite3_close(db);
}

static void a_time_to_come_schedules(void **state)
{
	test_world *w = *state;
	sqlite3 *db;
	int64_t due;

	test_world_open(w);
	db = connect(w);
	test_world_run(db, "INSERT INTO enqueue (handler, delay_ms) VALUES ('a', 60000), ('b', 0);"
			   "INSERT INTO enqueue (handler, run_at) VALUES ('c', 5),"
			   " ('d', 4000000000000000)");
	answers(db, "SELECT group_concat(handler || ' ' || state, ',') FROM v_steps",
		"a scheduled,b ready,c ready,d scheduled");
	answers(db, "SELECT due_at_us - created_at_us FROM v_steps WHERE handler = 'a'",
		"60000000");
	test_world_begin(w);
	test_ok(w, w->store->type->due_next(w->store, &due, &w->err));
	assert_int_equal(due, test_world_ask(w, "SELECT due_at_us FROM v_steps WHERE id = 1"));
	test_world_commit(w);
	(void)sqlite3_close(db);
}

static void a_key_that_is_taken_adds_nothing(void **state)
{
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	db = connect(w);
	test_world_run(db, "INSERT INTO enqueue (handler, idempotency_key) VALUES ('a', 'k');"
			   "INSERT INTO enqueue (handler, idempotency_key) VALUES ('a', 'k');"
			   "INSERT OR REPLACE INTO enqueue (handler, idempotency_key)"
			   " VALUES ('a', 'k'), ('a', 'l'), ('a', NULL), ('a', NULL)");
	answers(db, "SELECT count(*) FROM step", "4");
	/* The client's conflict clause replaces no queue or handler. */
	answers(db, "SELECT count(*), max(id) FROM queue", "1|1");
	answers(db, "SELECT count(*), max(id) FROM handler", "1|1");
	(void)sqlite3_close(db);
}

static void what_is_past_a_limit_is_refused(void **state)
{
	static const struct {
		const char *values;
		const char *column;
	} rows[] = {
		{ "(queue) VALUES ('q')", "handler" },
		{ "(handler) VALUES ('')", "handler" },
		{ "(handler) VALUES (printf('%0129d', 1))", "handler" },
		{ "(handler) VALUES ('a' || char(0))", "handler" },
		{ "(handler) VALUES ('a b')", "handler" },
		{ "(handler) VALUES ('caf\u00e9')", "handler" },
		{ "(handler, queue) VALUES ('a', '')", "queue" },
		{ "(handler, queue) VALUES ('a', printf('%0129d', 1))", "queue" },
		{ "(handler, queue) VALUES ('a', 'q''')", "queue" },
		{ "(handler, handler_namespace) VALUES ('a', '')", "handler_namespace" },
		{ "(handler, handler_version) VALUES ('a', printf('%065d', 1))",
		  "handler_version" },
		{ "(handler, caller) VALUES ('a', 'b,c')", "caller" },
		{ "(handler, input) VALUES ('a', zeroblob(1048577))", "input" },
		{ "(handler, priority) VALUES ('a', -1)", "priority" },
		{ "(handler, priority) VALUES ('a', 'high')", "priority" },
		{ "(handler, priority) VALUES ('a', 10001)", "priority" },
		{ "(handler, run_at) VALUES ('a', 9223372036854775807)", "run_at" },
		{ "(handler, run_at) VALUES ('a', 1.5)", "run_at" },
		{ "(handler, run_at) VALUES ('a', -1)", "run_at" },
		{ "(handler, delay_ms) VALUES ('a', 9223372036854775807)", "delay_ms" },
		{ "(handler, delay_ms) VALUES ('a', 316224000001)", "delay_ms" },
		{ "(handler, wait_timeout_ms) VALUES ('a', -1)", "wait_timeout_ms" },
		{ "(handler, attempt_timeout_ms) VALUES ('a', 'x')", "attempt_timeout_ms" },
		{ "(handler, total_timeout_ms) VALUES ('a', 316224000001)", "total_timeout_ms" },
		{ "(handler, idempotency_key) VALUES ('a', '')", "idempotency_key" },
		{ "(handler, idempotency_key) VALUES ('a', printf('%0257d', 1))",
		  "idempotency_key" },
		{ "(handler, attempt_count_max) VALUES ('a', 4294967296)", "attempt_count_max" },
		{ "(handler, tags) VALUES ('a', printf('%04097d', 1))", "tags" },
		{ "(handler, tags) VALUES ('a', 'b' || char(0))", "tags" },
		{ "(handler, correlation_id) VALUES ('a', printf('%01025d', 1))",
		  "correlation_id" },
		{ "(handler, step_config) VALUES ('a', zeroblob(65537))", "step_config" },
	};
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	db = connect(w);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		refuses(db, rows[i].values, rows[i].column);
	test_world_run(db, "INSERT INTO enqueue (handler, input)"
			   " VALUES (printf('%0128d', 1), zeroblob(1048576))");
	answers(db, "SELECT length(handler), length(input) FROM v_steps", "128|1048576");
	(void)sqlite3_close(db);
}

static void keys_are_those_of_the_c_interface(void **state)
{
	static const int lens[] = { 1, 9, 127, 128, 255, 256 };
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	db = connect(w);
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		char key[256], sql[128];
		sb_unique_bytes bytes;
		int64_t id;

		memset(key, '0', sizeof key);
		key[lens[i] - 1] = '7';
		(void)snprintf(sql, sizeof sql,
			       "INSERT INTO enqueue (handler, idempotency_key)"
			       " VALUES ('a', printf('%%0%dd', 7))",
			       lens[i]);
		test_world_run(db, sql);
		assert_true(sb_unique_idempotency(sb_slice_of(key, (size_t)lens[i]), &bytes));
		test_world_begin(w);
		test_ok(w, w->store->type->unique_find(w->store, sb_unique_slice(&bytes), &id,
						       &w->err));
		assert_int_equal(id, i + 1);
		test_world_commit(w);
	}
	(void)sqlite3_close(db);
}

static void patience_sets_a_deadline(void **state)
{
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	db = connect(w);
	test_world_run(db, "INSERT INTO enqueue (handler, delay_ms, wait_timeout_ms,"
			   " total_timeout_ms) VALUES ('a', NULL, 5, NULL), ('a', 0, NULL, 6),"
			   " ('a', 100, 8, 7), ('a', 100, 0, 9), ('a', 1, NULL, NULL)");
	answers(db,
		"SELECT group_concat(coalesce(deadline_at_us - created_at_us, '-'))"
		" FROM v_steps",
		"5000,6000,107000,109000,-");
	(void)sqlite3_close(db);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(views_answer_in_one_select),
		ON_DISK(plain_sql_enqueues_all_that_the_store_knows_of),
		ON_DISK(what_is_left_out_gets_its_default),
		ON_DISK(a_time_to_come_schedules),
		ON_DISK(a_key_that_is_taken_adds_nothing),
		ON_DISK(what_is_past_a_limit_is_refused),
		ON_DISK(keys_are_those_of_the_c_interface),
		ON_DISK(patience_sets_a_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
