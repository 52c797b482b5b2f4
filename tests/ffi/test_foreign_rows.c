/* SPDX-License-Identifier: MIT */
/*
 * Rows that no engine would write: states that there are not, times at the ends of the numbers, ids past
 * those that we give. An engine refuses what they ask for, with an error, or serves; it does not fall.
 */
#include <string.h>

#include "support/other_program.h"
#include "support/puller.h"

/* Most of these once ended the process, or kept it busy for ever. */
static const char *const statements[] = {
	"UPDATE state SET state = 99",
	"UPDATE state SET state = -1, place = NULL",
	"UPDATE state SET state = 6",
	"UPDATE state SET state = 4294967295",
	"UPDATE state SET changed_at = -9223372036854775808, execution_us = 9223372036854775807,"
	" state = 6, token = 9",
	"UPDATE state SET changed_at = -9223372036854775808, state = 8",
	"UPDATE step SET wait_timeout_us = -9223372036854775808, total_timeout_us = -1",
	"UPDATE step SET wait_timeout_us = 1, total_timeout_us = 9223372036854775807;"
	" UPDATE state SET deadline_at = 9223372036854775807",
	"UPDATE step SET wait_timeout_us = 9223372036854775807, total_timeout_us = 1;"
	" UPDATE state SET deadline_at = -9223372036854775808",
	"INSERT INTO step (id, queue_id, handler_id, created_at) VALUES (9223372036854775807, 1, "
	"1, 0)",
	"INSERT INTO step (id, queue_id, handler_id, created_at) VALUES (9223372036854775807, 1, "
	"1, 0);"
	" INSERT INTO state (id, state, queue_id, priority, handler_id)"
	" VALUES (9223372036854775807, 7, 1, 1, 1)",
};

static void write_rows(test_box *box, const char *sql)
{
	test_other_program(box->path, sql);
}

/* A document, or an error of the store. */
static void look(stepbus_status status, stepbus_text **text)
{
	if (status != STEPBUS_OK && status != STEPBUS_ECORRUPT && status != STEPBUS_ENOTFOUND)
		fail_msg("it answers %d", status);
	if (text != NULL)
		stepbus_text_free(*text);
}

static void look_at_all(stepbus *engine, const uint8_t step_id[16])
{
	static const char *const filters[] = { "", "{\"order\":\"oldest\"}" };
	stepbus_text *text = NULL;
	uint64_t count = 0;

	for (size_t i = 0; i < 2; i++) {
		text = NULL;
		look(stepbus_step_list(engine, filters[i], strlen(filters[i]), &text, NULL), &text);
		look(stepbus_step_count(engine, filters[i], strlen(filters[i]), &count, NULL),
		     NULL);
	}
	text = NULL;
	look(stepbus_step_info(engine, step_id, &text, NULL), &text);
	text = NULL;
	look(stepbus_step_attempts(engine, step_id, &text, NULL), &text);
	text = NULL;
	look(stepbus_engine_stats(engine, &text, NULL), &text);
}

static void run_with(test_box *box, const char *sql)
{
	stepbus_step_event event = { .size = sizeof event };
	stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;
	uint8_t step_id[16];
	size_t count = 0;

	spec.unique_key = "key";
	spec.unique_key_len = 3;
	test_box_put(box, engine, &spec, step_id);
	test_box_close(box, engine);
	write_rows(box, sql);
	worker = test_pull_begin(box, &engine, NULL);
	look_at_all(engine, step_id);
	if (stepbus_poll(worker, &event, 1, 50, &count, NULL) == STEPBUS_OK)
		(void)test_pull_succeed(box, engine, &event, "done");
	(void)stepbus_step_enqueue(engine, &spec, 1, NULL, NULL);
	(void)stepbus_step_cancel(engine, step_id, NULL);
	(void)stepbus_step_redrive(engine, step_id, NULL);
	test_box_advance(box, INT64_C(90) * 24 * 3600 * 1000000);
	look_at_all(engine, step_id);
	test_box_close(box, engine);
	write_rows(box, "DELETE FROM state; DELETE FROM step; DELETE FROM unique_key");
}

static void rows_that_nobody_of_us_would_write_do_no_harm(void **state)
{
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
		run_with(*state, statements[i]);
}

/* Walks go from one step to the next, however far that is: a page of far ids comes at once. */
static void ids_may_lie_far_apart(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	uint64_t count = 0;

	test_box_add(box, engine, "work", "a");
	test_box_add(box, engine, "work", "b");
	write_rows(box, "UPDATE step SET id = id + 200000000000000 WHERE id = 2;"
			" UPDATE state SET id = id + 200000000000000 WHERE id = 2");
	box_ok(box, stepbus_step_count(engine, "", 0, &count, &box->err));
	assert_int_equal(count, 2);
	box_ok(box,
	       stepbus_step_count(engine, STEPBUS_TEXT("{\"created_from\":1}"), &count, &box->err));
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_ON_DISK(rows_that_nobody_of_us_would_write_do_no_harm),
		BOX_TEST_ON_DISK(ids_may_lie_far_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
