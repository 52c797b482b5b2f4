/* SPDX-License-Identifier: MIT */
/*
 * A backup that is put back: what docs/HOW-TO-LOSE-DATA.md says of it. The copy is made while the file is
 * closed, or by SQLite's backup while an engine works; then work goes on, the copy takes the file's place,
 * and those come who still remember what has never been.
 */
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/puller.h"

enum { SECOND_US = 1000000 };

static const int64_t lease_us = INT64_C(3600000000); /* of a box */

static void copy_path(const test_box *box, char path[TEST_PATH_LEN])
{
	test_tempdir_path(&box->dir, "copy.db", path);
}

static void copy_bytes(const char *from, const char *to)
{
	char bytes[4096];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t len;

	assert_true(in != NULL && out != NULL);
	while ((len = fread(bytes, 1, sizeof bytes, in)) > 0)
		assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(in), 0);
	assert_int_equal(fclose(out), 0);
}

/* Nobody has it open, and the last to close it has left nothing in the log. */
static void back_up_closed(const test_box *box)
{
	char copy[TEST_PATH_LEN], wal[TEST_PATH_LEN + 8];
	struct stat log;

	copy_path(box, copy);
	(void)snprintf(wal, sizeof wal, "%s-wal", box->path);
	assert_true(stat(wal, &log) != 0 || log.st_size == 0);
	copy_bytes(box->path, copy);
}

/* What `.backup` of the shell of SQLite does. */
static void back_up_open(const test_box *box)
{
	char path[TEST_PATH_LEN];
	sqlite3 *from = NULL, *to = NULL;
	sqlite3_backup *backup;

	copy_path(box, path);
	assert_int_equal(sqlite3_open(box->path, &from), SQLITE_OK);
	assert_int_equal(sqlite3_open(path, &to), SQLITE_OK);
	backup = sqlite3_backup_init(to, "main", from, "main");
	assert_non_null(backup);
	assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
	assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
	assert_int_equal(sqlite3_close(to), SQLITE_OK);
	assert_int_equal(sqlite3_close(from), SQLITE_OK);
}

/* As docs/OPERATIONS.md says: all engines are closed, and what lies beside the file goes with it. */
static void put_back(const test_box *box)
{
	static const char *const ends[] = { "-wal", "-shm" };
	char copy[TEST_PATH_LEN], name[TEST_PATH_LEN + 8];

	copy_path(box, copy);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(name, sizeof name, "%s%s", box->path, ends[i]);
		(void)unlink(name);
	}
	copy_bytes(copy, box->path);
}

/* What a file says of itself, in one number or word. */
static void ask(const char *path, const char *sql, char answer[64])
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	(void)snprintf(answer, 64, "%s", (const char *)sqlite3_column_text(statement, 0));
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_sound(const char *path)
{
	char answer[64];

	ask(path, "PRAGMA integrity_check", answer);
	assert_string_equal(answer, "ok");
}

static stepbus_worker *open_and_pull(test_box *box, stepbus **engine)
{
	return test_pull_begin(box, engine, NULL);
}

static void put(test_box *box, stepbus *engine, const char *input, uint8_t id[16])
{
	const stepbus_step_spec spec = test_box_spec("work", input);

	test_box_put(box, engine, &spec, id);
}

/* The copy has a step that is ready; its attempt of after the backup answers when the copy is back. */
static void late_answers_from_before_a_restore_are_stale(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = open_and_pull(box, &engine);
	stepbus_step_event before, after;
	uint8_t id[16];

	put(box, engine, "x", id);
	test_box_close(box, engine);
	back_up_closed(box);
	test_box_advance(box, SECOND_US);
	worker = open_and_pull(box, &engine);
	before = test_pull_one(box, worker);
	assert_memory_equal(before.step_id, id, sizeof id);
	/* Given back when the engine closes, and claimed again by now: its host does not hear of it. */
	test_box_close(box, engine);
	put_back(box);
	test_box_advance(box, SECOND_US);
	engine = test_box_open(box, NULL);
	test_pull_handle(box, engine, "work", NULL);
	/* Before the step is claimed anew, and while its new attempt runs. */
	box_refused(box, STEPBUS_ESTALE, "", test_pull_succeed(box, engine, &before, "late"));
	worker = test_pull_work(box, engine, NULL);
	after = test_pull_one(box, worker);
	assert_memory_equal(after.step_id, id, sizeof id);
	assert_true(after.token > before.token);
	box_refused(box, STEPBUS_ESTALE, "", test_pull_succeed(box, engine, &before, "late"));
	assert_int_equal(stepbus_heartbeat(engine, before.step_id, before.token, NULL),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(test_pull_succeed(box, engine, &after, "new"), STEPBUS_OK);
	assert_memory_equal(test_box_look(box, engine, id).result, "new", 3);
}

/* The attempt that was running when the copy was made is in it: its worker is gone, and it is lost. */
static void what_ran_in_the_copy_runs_again(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = open_and_pull(box, &engine);
	stepbus_step_event before, after;
	uint8_t done[16], running[16];

	put(box, engine, "done", done);
	before = test_pull_one(box, worker);
	assert_int_equal(test_pull_succeed(box, engine, &before, "1"), STEPBUS_OK);
	put(box, engine, "running", running);
	before = test_pull_one(box, worker);
	back_up_open(box);
	assert_int_equal(test_pull_succeed(box, engine, &before, "first"), STEPBUS_OK);
	test_box_close(box, engine);
	put_back(box);
	assert_sound(box->path);
	/* The lease that stands in the copy is over. */
	test_box_advance(box, 2 * lease_us);
	worker = open_and_pull(box, &engine);
	while (test_box_count_state(box, engine, SB_STEP_RUNNING) > 0)
		(void)sched_yield();
	/* Lost, it waits as behind any failure. */
	test_box_advance(box, lease_us);
	after = test_pull_one(box, worker);
	assert_memory_equal(after.step_id, running, sizeof running);
	assert_true(after.token > before.token);
	box_refused(box, STEPBUS_ESTALE, "", test_pull_succeed(box, engine, &before, "late"));
	assert_int_equal(test_pull_succeed(box, engine, &after, "second"), STEPBUS_OK);
	assert_int_equal(test_box_look(box, engine, running).status.state, SB_STEP_COMPLETED);
	/* What was done in the copy is done. */
	assert_int_equal(test_box_look(box, engine, done).status.state, SB_STEP_COMPLETED);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 2);
}

static stepbus_enqueued enqueue_with_key(test_box *box, stepbus *engine)
{
	stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_enqueued out = { .size = sizeof out };

	spec.idempotency_key = "key";
	spec.idempotency_key_len = 3;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, &out, &box->err));
	return out;
}

static void what_was_acknowledged_after_the_backup_is_gone(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_enqueued first;

	back_up_open(box);
	first = enqueue_with_key(box, engine);
	assert_int_equal(enqueue_with_key(box, engine).is_existing, 1);
	test_box_close(box, engine);
	put_back(box);
	engine = test_box_open(box, NULL);
	assert_false(test_box_look(box, engine, first.step_id).is_there);
	/* Its key too: what is enqueued again is made again. */
	assert_int_equal(enqueue_with_key(box, engine).is_existing, 0);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/*
 * Ids are counted by the file, and the copy does not know of those that were given since: whoever shows
 * them to others moves the count on before the first engine opens it, as docs/OPERATIONS.md says.
 */
static void ids_are_not_given_twice_where_the_count_is_moved_on(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	uint8_t kept[16], lost[16], again[16];
	uint64_t count = 0;

	put(box, engine, "kept", kept);
	back_up_open(box);
	put(box, engine, "lost", lost);
	for (int is_moved = 0; is_moved <= 1; is_moved++) {
		test_box_close(box, engine);
		put_back(box);
		if (is_moved)
			run_sql(box->path,
				"INSERT INTO step (id, queue_id, handler_id, created_at) SELECT"
				" coalesce(max(id), 0) + 1000000, 0, 0, 0 FROM step");
		engine = test_box_open(box, NULL);
		assert_true(test_box_look(box, engine, kept).is_there);
		put(box, engine, "another", again);
		assert_int_equal(memcmp(lost, again, sizeof lost) != 0, is_moved);
		box_ok(box, stepbus_step_count(engine, "", 0, &count, &box->err));
		assert_int_equal(count, 2);
	}
}

/* From another process or connection, at any time: the copy is whole, and has all of before. */
static void a_backup_of_a_file_in_use_is_whole(void **state)
{
	enum { COUNT = 50 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	char path[TEST_PATH_LEN], answer[64];

	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	back_up_open(box);
	copy_path(box, path);
	assert_sound(path);
	ask(path, "SELECT count(*) FROM v_steps", answer);
	assert_int_equal(atoi(answer), COUNT);
}

/* By another process: one that has an engine open would lose its locks by it. */
static void copy_by_cp(const char *from, const char *to)
{
	const pid_t child = fork();
	int status = -1;

	if (child == 0) {
		(void)execlp("cp", "cp", from, to, (char *)NULL);
		_exit(127);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* The last commits are in the log: without it the copy is of long ago, or torn. */
static void a_copy_of_the_file_alone_lacks_the_last_commits(void **state)
{
	enum { COUNT = 50 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	char path[TEST_PATH_LEN], answer[64];

	test_box_add(box, engine, "work", "x");
	test_box_close(box, engine);
	engine = test_box_open(box, NULL);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	copy_path(box, path);
	copy_by_cp(box->path, path);
	ask(path, "SELECT count(*) FROM v_steps", answer);
	assert_string_equal(answer, "1");
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), COUNT + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_ON_DISK(late_answers_from_before_a_restore_are_stale),
		BOX_TEST_ON_DISK(what_ran_in_the_copy_runs_again),
		BOX_TEST_ON_DISK(what_was_acknowledged_after_the_backup_is_gone),
		BOX_TEST_ON_DISK(ids_are_not_given_twice_where_the_count_is_moved_on),
		BOX_TEST_ON_DISK(a_backup_of_a_file_in_use_is_whole),
		BOX_TEST_ON_DISK(a_copy_of_the_file_alone_lacks_the_last_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
