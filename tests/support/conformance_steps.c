/* SPDX-License-Identifier: MIT */
/* Steps as they are added, read and removed; what their texts and numbers may be. */
#include <stdlib.h>
#include <string.h>

#include "support/conformance.h"

static void ids_grow_and_begin_above_zero(void **state)
{
	test_store *w = *state;
	int64_t last = 0;

	test_begin(w);
	for (int i = 0; i < 1100; i++) {
		int64_t id = test_step_in(w, SB_STEP_READY);

		assert_true(id > last);
		last = id;
	}
	test_commit(w);
}

static void ids_of_removed_steps_are_not_given_again(void **state)
{
	test_store *w = *state;
	int64_t ids[3];

	test_begin(w);
	for (int i = 0; i < 3; i++)
		ids[i] = test_step_in(w, SB_STEP_COMPLETED);
	test_commit(w);
	test_begin(w);
	STORE_OK(w, step_delete, ids, 3);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	assert_true(test_step_in(w, SB_STEP_READY) > ids[2]);
	test_commit(w);
}

static void an_insert_takes_its_first_status_with_what_the_row_says(void **state)
{
	test_store *w = *state;
	sb_step_row row = test_step_row(w);
	const sb_step_status first = { .id = 77,
				       .queue_id = 77,
				       .handler_id = 77,
				       .priority = 77,
				       .due_at_us = 5000,
				       .deadline_at_us = 9000,
				       .concurrency_key = -42,
				       .changed_at_us = 1000,
				       .state = SB_STEP_SCHEDULED };
	sb_step_status wanted = first, got;

	test_begin(w);
	row.queue_id = w->queue_ids[1];
	row.handler_id = w->handler_ids[1];
	row.priority = 3;
	row.id = 12345;
	wanted.id = test_step_add(w, row, first);
	wanted.queue_id = row.queue_id;
	wanted.handler_id = row.handler_id;
	wanted.priority = 3;
	got = test_status_of(w, wanted.id);
	test_assert_same_status(&got, &wanted);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	got = test_status_of(w, wanted.id);
	test_assert_same_status(&got, &wanted);
	test_commit(w);
}

static sb_step_row full_row(const test_store *w)
{
	sb_step_row row = test_step_row(w);

	row.task_id = 8;
	row.run_at_us = 5;
	row.wait_timeout_us = 6;
	row.attempt_timeout_us = 7;
	row.total_timeout_us = 9;
	row.retry_base_us = 10;
	row.retry_cap_us = 11;
	row.priority = 2;
	row.retry_kind = 4;
	row.jitter_percent = 50;
	row.input = sb_slice_z("{\"a\":1}");
	row.content_type = sb_slice_z("application/json");
	row.step_name = sb_slice_z("send a letter");
	row.step_config = sb_slice_z("{}");
	row.correlation_id = sb_slice_z("c-1");
	row.traceparent = sb_slice_z("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	row.caller = sb_slice_z("web");
	row.tags = sb_slice_z("urgent,letter");
	row.concurrency_key = sb_slice_z("customer 7");
	row.idempotency_key = sb_slice_z("i\x1f once");
	row.unique_key = sb_slice_z("u\x1f one");
	return row;
}

static void add_and_read(test_store *w, sb_step_row row, sb_step_status status)
{
	sb_step_row got = { 0 };

	test_begin(w);
	row.id = test_step_add(w, row, status);
	STORE_OK(w, step_row_read, row.id, &got);
	test_assert_same_row(&got, &row);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	STORE_OK(w, step_row_read, row.id, &got);
	test_assert_same_row(&got, &row);
	test_commit(w);
}

static void a_row_is_read_as_it_was_written(void **state)
{
	test_store *w = *state;

	add_and_read(w, full_row(w), (sb_step_status){ .state = SB_STEP_READY });
}

static void a_row_may_have_no_texts(void **state)
{
	test_store *w = *state;

	add_and_read(w, test_step_row(w), (sb_step_status){ .state = SB_STEP_READY });
}

static void an_empty_text_is_read_as_one_without_length(void **state)
{
	test_store *w = *state;
	sb_step_row row = test_step_row(w);

	row.input = row.content_type = row.step_name = row.step_config = sb_slice_z("");
	row.correlation_id = row.tags = row.caller = row.unique_key = sb_slice_z("");
	add_and_read(w, row, (sb_step_status){ .state = SB_STEP_READY });
}

static void one_text_alone_is_read_as_that_one(void **state)
{
	test_store *w = *state;
	const sb_step_row plain = test_step_row(w);

	for (size_t i = 0; i < 11; i++) {
		sb_step_row row = plain;
		sb_slice *texts[] = { &row.input,           &row.content_type,
				      &row.step_name,       &row.step_config,
				      &row.correlation_id,  &row.traceparent,
				      &row.caller,          &row.tags,
				      &row.concurrency_key, &row.idempotency_key,
				      &row.unique_key };

		*texts[i] = sb_slice_z("grün 茶 🫖");
		add_and_read(w, row, (sb_step_status){ .state = SB_STEP_READY });
	}
}

static void an_input_may_be_any_bytes(void **state)
{
	test_store *w = *state;
	sb_step_row row = test_step_row(w);
	char bytes[512];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(uint8_t)i;
	row.input = sb_slice_of(bytes, sizeof bytes);
	add_and_read(w, row, (sb_step_status){ .state = SB_STEP_READY });
}

static void an_input_may_be_long(void **state)
{
	enum { LEN = 1 << 20 };
	test_store *w = *state;
	sb_step_row row = test_step_row(w);
	char *bytes = malloc(LEN);

	assert_non_null(bytes);
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (char)(uint8_t)(i * 31 + (i >> 8));
	row.input = sb_slice_of(bytes, LEN);
	add_and_read(w, row, (sb_step_status){ .state = SB_STEP_READY });
	free(bytes);
}

static void numbers_may_be_as_large_as_they_can_be(void **state)
{
	test_store *w = *state;
	sb_step_row row = test_step_row(w);

	row.task_id = row.created_at_us = row.run_at_us = INT64_MAX;
	row.wait_timeout_us = row.attempt_timeout_us = row.total_timeout_us = INT64_MAX;
	row.retry_base_us = row.retry_cap_us = INT64_MAX;
	row.priority = INT32_MAX;
	row.attempt_count_max = row.jitter_percent = row.retry_kind = UINT32_MAX;
	add_and_read(w, row, (sb_step_status){ .state = SB_STEP_READY });
	row.priority = INT32_MIN;
	add_and_read(w, row, (sb_step_status){ .state = SB_STEP_READY });
}

static void a_status_may_be_as_large_as_it_can_be(void **state)
{
	test_store *w = *state;
	sb_step_status status = { .due_at_us = INT64_MAX,
				  .deadline_at_us = INT64_MAX,
				  .concurrency_key = INT64_MIN,
				  .changed_at_us = INT64_MAX,
				  .attempt_count = UINT32_MAX,
				  .crash_count = UINT32_MAX,
				  .checkpoint_count = UINT32_MAX - 1,
				  .state = SB_STEP_SCHEDULED };
	sb_step_status got;
	int64_t id;

	test_begin(w);
	id = test_step_add(w, test_step_row(w), status);
	got = test_status_of(w, id);
	assert_int_equal(got.due_at_us, INT64_MAX);
	assert_int_equal(got.deadline_at_us, INT64_MAX);
	assert_int_equal(got.concurrency_key, INT64_MIN);
	assert_int_equal(got.attempt_count, UINT32_MAX);
	assert_int_equal(got.crash_count, UINT32_MAX);
	assert_int_equal(got.checkpoint_count, UINT32_MAX - 1);
	test_step_to(w, id, SB_STEP_RELEASE, (sb_step_status){ .state = SB_STEP_READY });
	w->last_token = INT64_MAX - 1;
	test_step_to(w, id, SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING, .worker_id = INT64_MAX });
	got = test_status_of(w, id);
	assert_int_equal(got.token, INT64_MAX);
	assert_int_equal(got.worker_id, INT64_MAX);
	test_commit(w);
}

static void a_step_that_is_not_there_is_not_found(void **state)
{
	test_store *w = *state;
	sb_step_status status;
	sb_step_row row;

	static const int64_t ids[] = { 0, -1, 999999, INT64_MAX, INT64_MIN };

	test_begin(w);
	test_step_in(w, SB_STEP_READY);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		STORE_ANSWERS(w, STEPBUS_ECORRUPT, step_row_read, ids[i], &row);
		STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_status_read, ids[i], &status);
	}
	test_commit(w);
}

static void removing_takes_the_step_at_once_and_for_good(void **state)
{
	test_store *w = *state;
	sb_step_status status;
	sb_step_row row;
	int64_t ids[2];

	test_begin(w);
	ids[0] = test_step_in(w, SB_STEP_COMPLETED);
	ids[1] = test_step_in(w, SB_STEP_READY);
	test_commit(w);
	for (int round = 0; round < 2; round++) {
		test_begin(w);
		STORE_OK(w, step_delete, ids, round == 0 ? 1 : 0);
		STORE_ANSWERS(w, STEPBUS_ECORRUPT, step_row_read, ids[0], &row);
		STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_status_read, ids[0], &status);
		STORE_OK(w, step_row_read, ids[1], &row);
		test_commit(w);
		test_reopen(w);
	}
}

static void removing_what_is_gone_does_nothing(void **state)
{
	test_store *w = *state;
	int64_t ids[3];

	test_begin(w);
	ids[0] = ids[2] = test_step_in(w, SB_STEP_COMPLETED);
	ids[1] = 123456;
	STORE_OK(w, step_delete, ids, 3);
	STORE_OK(w, step_delete, ids, 3);
	test_commit(w);
}

static size_t count_all(test_store *w)
{
	const sb_scan scan = { .kind = SB_SCAN_ALL };
	sb_step_status *out = calloc(4000, sizeof *out);
	size_t count = 0;

	assert_non_null(out);
	STORE_OK(w, step_scan, &scan, out, 4000, &count);
	free(out);
	return count;
}

static void steps_can_be_removed_in_any_order(void **state)
{
	enum { COUNT = 3000 };
	test_store *w = *state;
	int64_t *ids = calloc(COUNT, sizeof *ids);

	assert_non_null(ids);
	test_begin(w);
	for (size_t i = 0; i < COUNT; i++)
		ids[i] = test_step_add(w, test_step_row(w),
				       (sb_step_status){ .state = SB_STEP_READY });
	test_commit(w);
	for (size_t part = 0; part < 7; part++) {
		size_t before, removed = 0;

		test_begin(w);
		before = count_all(w);
		for (size_t i = 6 - part; i < COUNT; i += 7, removed++)
			STORE_OK(w, step_delete, &ids[i], 1);
		assert_int_equal(count_all(w), before - removed);
		test_commit(w);
	}
	test_begin(w);
	assert_int_equal(count_all(w), 0);
	assert_true(test_step_in(w, SB_STEP_READY) > ids[COUNT - 1]);
	test_commit(w);
	free(ids);
}

test_part test_conformance_steps(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(ids_grow_and_begin_above_zero),
		STORE_TEST(ids_of_removed_steps_are_not_given_again),
		STORE_TEST(an_insert_takes_its_first_status_with_what_the_row_says),
		STORE_TEST(a_row_is_read_as_it_was_written),
		STORE_TEST(a_row_may_have_no_texts),
		STORE_TEST(an_empty_text_is_read_as_one_without_length),
		STORE_TEST(one_text_alone_is_read_as_that_one),
		STORE_TEST(an_input_may_be_any_bytes),
		STORE_TEST(an_input_may_be_long),
		STORE_TEST(numbers_may_be_as_large_as_they_can_be),
		STORE_TEST(a_status_may_be_as_large_as_it_can_be),
		STORE_TEST(a_step_that_is_not_there_is_not_found),
		STORE_TEST(removing_takes_the_step_at_once_and_for_good),
		STORE_TEST(removing_what_is_gone_does_nothing),
		STORE_TEST(steps_can_be_removed_in_any_order),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
