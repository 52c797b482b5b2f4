/* SPDX-License-Identifier: MIT */
/* How transactions begin and end, and what is left of a store when an end goes wrong. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_store.h"
#include "support/cmocka.h"
#include "support/faulty_vfs.h"
#include "support/sqlite_world.h"

static int64_t count_steps(test_world *w)
{
	sb_step_filter filter = { 0 };
	int64_t count;

	test_ok(w, w->store->type->step_count(w->store, &filter, &count, &w->err));
	return count;
}

/* One transaction with one step. */
static stepbus_status try_insert(test_world *w, sb_slice input)
{
	const sb_store_type *type = w->store->type;
	sb_step_row row = { .queue_id = 1, .handler_id = 1, .created_at_us = 1, .input = input };
	sb_step_status first = { .state = SB_STEP_READY };
	stepbus_status status = type->begin(w->store, &w->err);

	if (status != STEPBUS_OK)
		return status;
	status = type->step_insert(w->store, &row, &first, &w->err);
	if (status == STEPBUS_OK)
		return type->commit(w->store, &w->err);
	type->rollback(w->store);
	return status;
}

static void a_rollback_leaves_nothing(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	test_world_begin(w);
	test_world_insert(w, sb_slice_z("x"));
	w->store->type->rollback(w->store);
	assert_int_equal(count_steps(w), 0);
	assert_int_equal(test_world_fill(w, 1), 1);
}

static void readers_see_what_is_committed_and_no_more(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	test_world_fill(w, 1);
	test_world_begin(w);
	test_world_insert(w, sb_slice_z("x"));
	assert_int_equal(count_steps(w), 1);
	test_world_commit(w);
	assert_int_equal(count_steps(w), 2);
}

static void a_change_is_one_that_somebody_else_made(void **state)
{
	test_world *w = *state;
	const sb_store_type *type;
	sqlite3 *other;

	test_world_open(w);
	type = w->store->type;
	assert_true(type->has_changed(w->store));
	assert_false(type->has_changed(w->store));
	test_world_fill(w, 1);
	assert_false(type->has_changed(w->store));
	other = test_world_connect(w);
	test_world_run(other, "UPDATE queue SET paused_at = 5");
	assert_true(type->has_changed(w->store));
	assert_false(type->has_changed(w->store));
	test_world_run(other, "UPDATE queue SET paused_at = NULL");
	test_world_begin(w);
	assert_true(type->has_changed(w->store));
	test_world_insert(w, sb_slice_z("x"));
	assert_false(type->has_changed(w->store));
	test_world_commit(w);
	assert_false(type->has_changed(w->store));
	(void)sqlite3_close(other);
}

static void a_store_that_another_process_holds_is_busy(void **state)
{
	test_world *w = *state;
	sb_store_stats stats;
	sqlite3 *other;

	w->options.busy_timeout_ms = 20;
	test_world_open(w);
	test_world_fill(w, 1);
	other = test_world_connect(w);
	test_world_run(other, "BEGIN IMMEDIATE");
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_EBUSY);
	assert_non_null(strstr(w->err.message, w->path));
	w->store->type->stats(w->store, &stats);
	assert_int_equal(stats.busy_count, 1);
	test_world_run(other, "COMMIT");
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
	(void)sqlite3_close(other);
}

typedef struct holder {
	sb_store *store;
	sqlite3 *other;
} holder;

/* Lets go as soon as the store is seen to wait. */
static void *end_transaction(void *context)
{
	const holder *held = context;
	sb_store_stats stats = { 0 };

	while (stats.busy_count == 0)
		held->store->type->stats(held->store, &stats);
	(void)sqlite3_exec(held->other, "COMMIT", NULL, NULL, NULL);
	return NULL;
}

static void begin_waits_for_another_process(void **state)
{
	test_world *w = *state;
	pthread_t thread;
	sqlite3 *other;
	holder held;

	test_world_open(w);
	test_world_fill(w, 1);
	other = test_world_connect(w);
	test_world_run(other, "BEGIN IMMEDIATE");
	held = (holder){ w->store, other };
	assert_int_equal(pthread_create(&thread, NULL, end_transaction, &held), 0);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)sqlite3_close(other);
}

static void *fill_one(void *context)
{
	test_world *w = context;

	return try_insert(w, sb_slice_z("x")) == STEPBUS_OK ? w : NULL;
}

static void any_thread_may_lead_the_next_transaction(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	test_world_fill(w, 1);
	for (int i = 0; i < 4; i++) {
		pthread_t thread;
		void *result;

		assert_int_equal(pthread_create(&thread, NULL, fill_one, w), 0);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_non_null(result);
	}
	assert_int_equal(count_steps(w), 5);
}

static void a_transaction_that_failed_can_only_be_rolled_back(void **state)
{
	test_world *w = *state;
	const sb_store_type *type;
	sb_step_row row = { .queue_id = 1, .handler_id = 1 };
	sb_step_status first = { .state = SB_STEP_READY };
	sqlite3 *other;

	test_world_open(w);
	type = w->store->type;
	test_world_fill(w, 1);
	other = test_world_connect(w);
	test_world_run(other, "INSERT INTO state (id, state, queue_id, priority, handler_id)"
			      " VALUES (2, 3, 1, 1, 1)");
	(void)sqlite3_close(other);
	test_world_begin(w);
	/* The id of the step is free, that of its state is taken. */
	assert_int_equal(type->step_insert(w->store, &row, &first, &w->err), STEPBUS_ESTORE);
	assert_int_equal(type->step_insert(w->store, &row, &first, &w->err), STEPBUS_ESTORE);
	assert_int_equal(type->commit(w->store, &w->err), STEPBUS_ESTORE);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), 1);
	test_world_begin(w);
	type->rollback(w->store);
}

static void open_with_faults(test_world *w)
{
	w->options.durability = SB_DURABILITY_DISK;
	test_world_open(w);
	test_world_fill(w, 1);
}

static void a_full_disk_changes_nothing_and_the_store_goes_on(void **state)
{
	test_world *w = *state;

	open_with_faults(w);
	test_faults_plan(TEST_FAULT_WRITE, 1, SQLITE_FULL, false);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ENOSPACE);
	assert_int_equal(test_faults_count(), 1);
	assert_int_equal(count_steps(w), 1);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
	assert_int_equal(count_steps(w), 2);
}

/* It could have run out behind the frame that commits: nobody can tell from the code. */
static void memory_that_runs_out_in_a_commit_ends_the_store(void **state)
{
	test_world *w = *state;

	open_with_faults(w);
	test_faults_plan(TEST_FAULT_WRITE, 1, SQLITE_IOERR_NOMEM, false);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
	assert_non_null(strstr(w->err.message, "open it anew"));
	test_world_close(w);
	test_world_open(w);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
}

static void a_commit_that_failed_on_the_way_to_the_disk_ends_the_store(void **state)
{
	static const struct {
		test_fault_kind kind;
		int code;
	} rows[] = { { TEST_FAULT_WRITE, SQLITE_IOERR_WRITE },
		     { TEST_FAULT_SYNC, SQLITE_IOERR_FSYNC } };
	test_world *w = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		open_with_faults(w);
		test_faults_plan(rows[i].kind, 1, rows[i].code, false);
		assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
		assert_int_equal(test_faults_count(), 1);
		assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
		assert_non_null(strstr(w->err.message, "open it anew"));
		test_world_close(w);
	}
	open_with_faults(w);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM pragma_integrity_check"
					   " WHERE integrity_check = 'ok'"),
			 1);
}

/* What was committed is in the log; what of it reached the file, nobody can say. */
static void a_checkpoint_that_failed_on_the_way_to_the_disk_ends_the_store(void **state)
{
	test_world *w = *state;

	open_with_faults(w);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
	((sb_sqlite_store *)w->store)->wal.page_count_next = 1;
	test_faults_plan(TEST_FAULT_SYNC, 1, SQLITE_IOERR_FSYNC, false);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
	test_world_close(w);
	test_world_open(w);
	assert_int_equal(count_steps(w), 2);
}

static void a_checkpoint_without_room_is_tried_again_later(void **state)
{
	test_world *w = *state;
	sb_store_stats stats;

	open_with_faults(w);
	((sb_sqlite_store *)w->store)->wal.page_count_next = 1;
	test_faults_plan(TEST_FAULT_WRITE, 1, SQLITE_FULL, false);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
	assert_int_equal(test_faults_count(), 1);
	w->store->type->stats(w->store, &stats);
	assert_int_equal(stats.checkpoint_short_count, 1);
	((sb_sqlite_store *)w->store)->wal.page_count_next = 1;
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_OK);
	w->store->type->stats(w->store, &stats);
	assert_int_equal(stats.checkpoint_count, 2);
	assert_int_equal(stats.checkpoint_short_count, 1);
}

/* Every write and sync fails in turn, once or from then on: what was acknowledged is there. */
static void what_was_acknowledged_survives_any_failure(void **state)
{
	static const int codes[] = { SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC };
	test_world *w = *state;
	int64_t acknowledged = 0;

	w->options.durability = SB_DURABILITY_DISK;
	for (int nth = 1; nth <= 60; nth++) {
		stepbus_status status;

		test_faults_plan(TEST_FAULT_ANY, nth, codes[nth % 3], nth % 2 == 0);
		status = sb_sqlite_store_open(&w->options, &w->store, &w->err);
		for (int i = 0; i < 5 && status == STEPBUS_OK; i++) {
			status = try_insert(w, sb_slice_z("x"));
			acknowledged += status == STEPBUS_OK;
		}
		test_world_close(w);
		test_faults_clear();
		test_world_open(w);
		assert_true(count_steps(w) >= acknowledged);
		/* A step that was not acknowledged may be there only where nobody could tell. */
		assert_true(count_steps(w) <= acknowledged + nth);
		assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step LEFT JOIN state"
						   " USING (id) WHERE state IS NULL"),
				 0);
		test_world_close(w);
	}
	assert_true(acknowledged > 60);
}

static void a_file_that_was_removed_is_noticed(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	test_world_fill(w, 1);
	assert_int_equal(unlink(w->path), 0);
	w->host.elapsed_ns += INT64_C(2000000000);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
	assert_non_null(strstr(w->err.message, "removed or replaced"));
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
}

static void a_file_that_was_replaced_is_noticed(void **state)
{
	test_world *w = *state;
	char other[TEST_PATH_LEN];

	test_tempdir_path(&w->dir, "other", other);
	test_world_open(w);
	test_world_fill(w, 1);
	assert_int_equal(close(open(other, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(rename(other, w->path), 0);
	w->host.elapsed_ns += INT64_C(2000000000);
	assert_int_equal(try_insert(w, sb_slice_z("x")), STEPBUS_ESTORE);
}

/* A transaction that writes nothing, but promises what it has read. */
static stepbus_status promise(test_world *w)
{
	test_world_begin(w);
	test_ok(w, w->store->type->confirm(w->store, &w->err));
	return w->store->type->commit(w->store, &w->err);
}

static void what_others_wrote_is_on_the_disk_before_it_is_promised(void **state)
{
	test_world *w = *state;
	sqlite3 *other;

	open_with_faults(w);
	test_ok(w, promise(w));
	test_faults_plan(TEST_FAULT_SYNC, 1, SQLITE_IOERR_FSYNC, true);
	test_ok(w, promise(w));
	assert_int_equal(test_faults_count(), 0);
	other = test_world_connect(w);
	test_world_run(other, "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL;"
			      "UPDATE queue SET paused_at = 5");
	assert_int_equal(promise(w), STEPBUS_ESTORE);
	assert_true(test_faults_count() > 0);
	test_faults_clear();
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static int faulty_setup(void **state)
{
	test_faults_install();
	return test_world_setup(state);
}

static int faulty_teardown(void **state)
{
	int result = test_world_teardown(state);

	test_faults_uninstall();
	return result;
}

/* As it is where memory ran out in the middle of a rollback. */
static void a_transaction_that_was_left_open_is_rolled_back(void **state)
{
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	test_world_fill(w, 1);
	db = sb_sqlite_store_of(w->store)->writer.db;
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM state", NULL, NULL, NULL),
			 SQLITE_OK);
	test_ok(w, try_insert(w, sb_slice_z("x")));
	assert_int_equal(count_steps(w), 2);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)
#define WITH_FAULTS(test) cmocka_unit_test_setup_teardown(test, faulty_setup, faulty_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(a_transaction_that_was_left_open_is_rolled_back),
		ON_DISK(a_rollback_leaves_nothing),
		ON_DISK(readers_see_what_is_committed_and_no_more),
		ON_DISK(a_change_is_one_that_somebody_else_made),
		ON_DISK(a_store_that_another_process_holds_is_busy),
		ON_DISK(begin_waits_for_another_process),
		ON_DISK(any_thread_may_lead_the_next_transaction),
		ON_DISK(a_transaction_that_failed_can_only_be_rolled_back),
		WITH_FAULTS(a_full_disk_changes_nothing_and_the_store_goes_on),
		WITH_FAULTS(memory_that_runs_out_in_a_commit_ends_the_store),
		WITH_FAULTS(a_commit_that_failed_on_the_way_to_the_disk_ends_the_store),
		WITH_FAULTS(a_checkpoint_that_failed_on_the_way_to_the_disk_ends_the_store),
		WITH_FAULTS(a_checkpoint_without_room_is_tried_again_later),
		WITH_FAULTS(what_was_acknowledged_survives_any_failure),
		WITH_FAULTS(what_others_wrote_is_on_the_disk_before_it_is_promised),
		ON_DISK(a_file_that_was_removed_is_noticed),
		ON_DISK(a_file_that_was_replaced_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
