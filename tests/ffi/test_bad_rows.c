/* SPDX-License-Identifier: MIT */
/* A step whose rows somebody has written to is run and answered all the same. */
#include <sched.h>
#include <sqlite3.h>
#include <string.h>

#include "handlers/worker.h"
#include "support/puller.h"

static const struct bad_row {
	const char *sql;
	size_t cursor_len; /* that is left of it */
	uint64_t items_processed;
} bad_rows[] = {
	{ "UPDATE checkpoint SET items_processed = -5, token = -1, at = -1", 3, 0 },
	{ "UPDATE checkpoint SET cursor = NULL, partial_result = NULL", 0, 7 },
	{ "UPDATE checkpoint SET token = 0, at = 9223372036854775807", 3, 7 },
	{ "UPDATE checkpoint SET items_processed = 9223372036854775807", 3, INT64_MAX },
	{ "UPDATE checkpoint SET cursor = zeroblob(5000000)", 5000000, 7 },
	{ "UPDATE state SET checkpoint_count = -1", 0, 0 },
	{ "UPDATE state SET checkpoint_count = NULL", 0, 0 },
	{ "UPDATE state SET checkpoint_count = 4294967295", 3, 7 },
	{ "UPDATE state SET checkpoint_count = 9223372036854775807", 3, 7 },
	{ "DELETE FROM checkpoint", 0, 0 },
	{ "UPDATE state SET token = 9223372036854775807", 3, 7 },
	{ "UPDATE state SET token = -9223372036854775807", 3, 7 },
	{ "UPDATE state SET attempt_count = -3, crash_count = -3", 3, 7 },
	{ "UPDATE state SET attempt_count = 9223372036854775807", 3, 7 },
};

static void write_row(test_box *box, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(box->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_checkpoint(test_box *box, const stepbus_step_event *event, stepbus *engine)
{
	stepbus_checkpoint_spec spec = { .size = sizeof spec,
					 .token = event->token,
					 .items_processed = 7,
					 .cursor = "row",
					 .cursor_len = 3,
					 .partial_result = "so far",
					 .partial_result_len = 6 };

	memcpy(spec.step_id, event->step_id, sizeof spec.step_id);
	box_ok(box, stepbus_checkpoint(engine, &spec, &box->err));
	/* Said twice, it is compared with what was kept. */
	box_ok(box, stepbus_checkpoint(engine, &spec, &box->err));
}

static void run_with(test_box *box, const struct bad_row *row)
{
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	stepbus_text *text = NULL;
	stepbus_step_event event;

	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	make_checkpoint(box, &event, engine);
	test_box_close(box, engine);
	write_row(box, row->sql);
	worker = test_pull_begin(box, &engine, NULL);
	event = test_pull_one(box, worker);
	if (event.cursor_len != row->cursor_len || event.items_processed != row->items_processed)
		fail_msg("%s: %zu bytes, %llu items", row->sql, event.cursor_len,
			 (unsigned long long)event.items_processed);
	box_ok(box, stepbus_step_info(engine, event.step_id, &text, &box->err));
	stepbus_text_free(text);
	make_checkpoint(box, &event, engine);
	event = test_pull_one(box, worker);
	assert_int_equal(event.items_processed, 7);
	box_ok(box, test_pull_succeed(box, engine, &event, "done"));
	assert_string_equal(test_box_look(box, engine, event.step_id).result, "done");
	test_box_close(box, engine);
}

static void rows_of_others_do_no_harm(void **state)
{
	test_box *box = *state;

	for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++)
		run_with(box, &bad_rows[i]);
}

static void what_a_process_ended_under_is_handed_out_by_itself(void **state)
{
	enum { COUNT = 6 };
	static const size_t batches[] = { 2, 1, 1, 2 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_event events[COUNT] = { { .size = sizeof *events } };
	stepbus_worker *worker;

	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	test_box_close(box, engine);
	write_row(box, "UPDATE state SET crash_count = 1 WHERE id IN"
		       " (SELECT id FROM state ORDER BY id LIMIT 2 OFFSET 2)");
	worker = test_pull_begin(box, &engine, "\"strategy\":\"fifo\"");
	/* They come into the line one by one where somebody hears of their start. */
	while (atomic_load(&worker->queued_count) < COUNT && sched_yield() == 0)
		;
	for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
		size_t count = 0;

		box_ok(box,
		       stepbus_poll(worker, events, COUNT, TEST_PULL_WAIT_MS, &count, &box->err));
		assert_int_equal(count, batches[i]);
	}
	test_box_close(box, engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_ON_DISK(rows_of_others_do_no_harm),
		BOX_TEST_ON_DISK(what_a_process_ended_under_is_handed_out_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
