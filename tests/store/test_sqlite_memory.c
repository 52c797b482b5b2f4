/* SPDX-License-Identifier: MIT */
/* SQLite's own allocations fail, each in turn: nothing crashes, leaks, or is half done. */
#include <stdio.h>
#include <string.h>

#include "store/sqlite_store.h"
#include "support/cmocka.h"
#include "support/sqlite_world.h"

/* The first page of the index of a log tells of so many frames; a step here takes fewer than so many. */
enum { INDEX_FRAMES = 4062, STEP_FRAMES_MAX = 40 };

static sqlite3_mem_methods system_memory;
static int left;        /* until one fails; 0: none does */
static bool is_lasting; /* and all after it */
static int fail_len;    /* and each that makes something so long; 0: none does */
static int failed_count;

static bool is_to_fail(void)
{
	if (left == 0)
		return false;
	if (left > 1) {
		left--;
		return false;
	}
	failed_count++;
	if (!is_lasting)
		left = 0;
	return true;
}

static void *allocate(int len)
{
	return is_to_fail() ? NULL : system_memory.xMalloc(len);
}

static void *resize(void *block, int len)
{
	if (fail_len > 0 && block != NULL && len == fail_len) {
		failed_count++;
		return NULL;
	}
	return is_to_fail() ? NULL : system_memory.xRealloc(block, len);
}

static void install(void)
{
	sqlite3_mem_methods ours;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory), SQLITE_OK);
	ours = system_memory;
	ours.xMalloc = allocate;
	ours.xRealloc = resize;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours), SQLITE_OK);
}

static char big[20000];

static bool look_at(void *context, const sb_step_view *view)
{
	/* A step is shown whole or not at all. */
	assert_int_equal(view->row.input.len, sizeof big);
	assert_int_equal(view->queue.len, 1);
	++*(int *)context;
	return true;
}

static bool ignore_tally(void *context, sb_slice queue, sb_step_state state, int64_t count)
{
	(void)context;
	(void)queue;
	(void)state;
	return count > 0;
}

static stepbus_status write_some(test_world *w)
{
	const sb_store_type *type = w->store->type;
	sb_handler_row handler = { .handler_namespace = sb_slice_z("d"), .name = sb_slice_z("h") };
	sb_step_row row = { .created_at_us = 1,
			    .input = sb_slice_of(big, sizeof big),
			    .tags = sb_slice_z("a,b"),
			    .correlation_id = sb_slice_z("c") };
	sb_step_status first = { .state = SB_STEP_READY };
	sb_step_move move = { .event = SB_STEP_CLAIM, .from = SB_STEP_READY };
	stepbus_status status = type->begin(w->store, &w->err);

	if (status != STEPBUS_OK)
		return status;
	status = type->queue_intern(w->store, sb_slice_z("q"), &row.queue_id, &w->err);
	if (status == STEPBUS_OK)
		status = type->handler_intern(w->store, &handler, &row.handler_id, &w->err);
	if (status == STEPBUS_OK)
		status = type->step_insert(w->store, &row, &first, &w->err);
	move.to = (sb_step_status){ .id = row.id, .state = SB_STEP_RUNNING, .token = 1 };
	if (status == STEPBUS_OK)
		status = type->step_move(w->store, &move, 1, &w->err);
	if (status == STEPBUS_OK)
		status = type->step_row_read(w->store, row.id, &row, &w->err);
	if (status == STEPBUS_OK)
		return type->commit(w->store, &w->err);
	type->rollback(w->store);
	return status;
}

static stepbus_status read_some(test_world *w)
{
	const sb_store_type *type = w->store->type;
	sb_step_filter filter = { .count_max = 5 };
	int64_t count;
	int seen = 0;
	stepbus_status status = type->step_list(w->store, &filter, look_at, &seen, &w->err);

	if (status == STEPBUS_OK)
		status = type->tally(w->store, ignore_tally, NULL, &w->err);
	if (status == STEPBUS_OK)
		status = type->step_count(w->store, &filter, &count, &w->err);
	(void)type->has_changed(w->store);
	return status;
}

/* Everything once; how many steps were acknowledged is counted. */
static stepbus_status live(test_world *w, int64_t *acknowledged)
{
	stepbus_status status = sb_sqlite_store_open(&w->options, &w->store, &w->err);

	for (int i = 0; i < 2 && status == STEPBUS_OK; i++) {
		status = write_some(w);
		*acknowledged += status == STEPBUS_OK;
	}
	if (status == STEPBUS_OK)
		status = read_some(w);
	test_world_close(w);
	return status;
}

static void check(test_world *w, int nth, int64_t acknowledged)
{
	sb_step_filter filter = { 0 };
	int64_t count;

	test_world_open(w);
	test_ok(w, w->store->type->step_count(w->store, &filter, &count, &w->err));
	if (count != acknowledged)
		fail_msg("allocation %d: %lld steps, %lld acknowledged", nth, (long long)count,
			 (long long)acknowledged);
	test_world_close(w);
	if (sqlite3_memory_used() != 0)
		fail_msg("allocation %d: %lld bytes leaked", nth, (long long)sqlite3_memory_used());
}

/* Returns false when nothing failed any more. */
static bool fail_one(test_world *w, int nth, int64_t *acknowledged)
{
	stepbus_status status;

	failed_count = 0;
	left = nth;
	w->err = (stepbus_error)STEPBUS_ERROR_INIT;
	status = live(w, acknowledged);
	left = 0;
	/* SQLite gets by without some; what it cannot do without it must tell. */
	if (status != STEPBUS_OK && (status != STEPBUS_ENOMEM || w->err.message[0] == '\0'))
		fail_msg("allocation %d: %d, %s", nth, status, w->err.message);
	check(w, nth, *acknowledged);
	return failed_count > 0;
}

static void every_allocation_of_sqlite_may_fail(void **state)
{
	test_world *w = *state;
	int64_t acknowledged = 0;
	int nth = 1;

	while (fail_one(w, nth, &acknowledged))
		nth += 29;
	assert_true(nth > 1000);
	nth = 1;
	is_lasting = true;
	while (fail_one(w, nth, &acknowledged))
		nth += 97;
	is_lasting = false;
}

/* Until the log is one step short of a second page of its index, which a reader that stays makes it reach. */
static void grow_log(test_world *w, const sqlite3 *reader)
{
	const sb_wal *wal = &sb_sqlite_store_of(w->store)->wal;

	assert_non_null(reader);
	while (wal->page_count < INDEX_FRAMES - STEP_FRAMES_MAX)
		test_ok(w, write_some(w));
}

/* The frames are in the log by then, and the one that commits them: to say that nothing was changed would be wrong. */
static void a_commit_without_memory_for_the_index_of_the_log_ends_the_store(void **state)
{
	test_world *w = *state;
	stepbus_status status = STEPBUS_OK;
	int64_t count;
	sqlite3 *reader;

	test_world_open(w);
	test_ok(w, write_some(w));
	reader = test_world_connect(w);
	test_world_run(reader, "BEGIN; SELECT count(*) FROM step");
	grow_log(w, reader);
	count = test_world_ask(w, "SELECT count(*) FROM step");
	failed_count = 0;
	fail_len = (int)(2 * sizeof(void *));
	while (failed_count == 0 && (status = write_some(w)) == STEPBUS_OK)
		count++;
	fail_len = 0;
	assert_int_equal(failed_count, 1);
	assert_int_equal(status, STEPBUS_ESTORE);
	assert_non_null(strstr(w->err.message, "open it anew"));
	assert_int_equal(write_some(w), STEPBUS_ESTORE);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), count);
	(void)sqlite3_close(reader);
	test_world_close(w);
	test_world_open(w);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), count + 1);
}

/* What the leader asks between the operations of a group. */
static stepbus_status ask_some(test_world *w)
{
	const sb_store_type *type = w->store->type;
	stepbus_status status = type->begin(w->store, &w->err);
	int64_t due_at_us;

	if (status != STEPBUS_OK)
		return status;
	(void)type->has_changed(w->store);
	status = type->confirm(w->store, &w->err);
	if (status == STEPBUS_OK)
		status = type->due_next(w->store, &due_at_us, &w->err);
	if (status == STEPBUS_OK)
		return type->commit(w->store, &w->err);
	type->rollback(w->store);
	return status;
}

/* As STEPBUS_ESTORE it would have hosts open a healthy store anew. */
static void a_transaction_that_memory_failed_says_so_to_the_end(void **state)
{
	test_world *w = *state;
	stepbus_status status;
	int nth = 0;

	w->options.durability = SB_DURABILITY_DISK;
	do {
		test_world_open(w);
		failed_count = 0;
		left = ++nth;
		status = ask_some(w);
		left = 0;
		if (status != STEPBUS_OK && status != STEPBUS_ENOMEM)
			fail_msg("allocation %d: %d, %s", nth, status, w->err.message);
		test_ok(w, ask_some(w));
		test_world_close(w);
	} while (failed_count > 0);
	assert_true(nth > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_allocation_of_sqlite_may_fail,
						test_world_setup, test_world_teardown),
		cmocka_unit_test_setup_teardown(
			a_commit_without_memory_for_the_index_of_the_log_ends_the_store,
			test_world_setup, test_world_teardown),
		cmocka_unit_test_setup_teardown(a_transaction_that_memory_failed_says_so_to_the_end,
						test_world_setup, test_world_teardown),
	};

	memset(big, 'b', sizeof big);
	install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
