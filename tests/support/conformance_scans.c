/* SPDX-License-Identifier: MIT */
/* How steps are found: scans, lanes, park keys, what is due, what is running. */
#include <string.h>

#include "support/conformance.h"

enum { MAX = 64 };

typedef struct found {
	size_t count;
	int64_t ids[MAX];
} found;

static found scan(test_store *w, sb_scan scan, size_t max)
{
	sb_step_status out[MAX];
	found f = { 0 };

	memset(out, 0x5a, sizeof out);
	f.count = MAX + 1;
	STORE_OK(w, step_scan, &scan, out, max, &f.count);
	assert_true(f.count <= max);
	for (size_t i = 0; i < f.count; i++) {
		sb_step_status status = test_status_of(w, out[i].id);

		test_assert_same_status(&out[i], &status);
		f.ids[i] = out[i].id;
	}
	return f;
}

static void assert_found(found f, const int64_t *ids, size_t count)
{
	assert_int_equal(f.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(f.ids[i], ids[i]);
}

static int64_t add_ready(test_store *w, int queue, int32_t priority)
{
	sb_step_row row = test_step_row(w);

	row.queue_id = w->queue_ids[queue];
	row.priority = priority;
	return test_step_add(w, row, (sb_step_status){ .state = SB_STEP_READY });
}

static void ready_steps_come_by_lane_and_id(void **state)
{
	test_store *w = *state;
	sb_scan lane = { .kind = SB_SCAN_READY, .queue_id = w->queue_ids[0], .priority = 1 };
	int64_t ids[6], backwards[6];

	test_begin(w);
	for (int i = 0; i < 6; i++) {
		add_ready(w, 1, 1);
		ids[i] = add_ready(w, 0, 1);
		backwards[5 - i] = ids[i];
		add_ready(w, 0, 0);
		add_ready(w, 0, 2);
		test_step_in(w, SB_STEP_RUNNING);
	}
	assert_found(scan(w, lane, MAX), ids, 6);
	assert_found(scan(w, lane, 4), ids, 4);
	assert_found(scan(w, lane, 0), ids, 0);
	lane.after_id = ids[1];
	assert_found(scan(w, lane, MAX), ids + 2, 4);
	lane.after_id = ids[1] - 1;
	assert_found(scan(w, lane, MAX), ids + 1, 5);
	lane.after_id = INT64_MAX;
	assert_found(scan(w, lane, MAX), ids, 0);
	lane.is_descending = true;
	lane.after_id = 0;
	assert_found(scan(w, lane, MAX), backwards, 6);
	assert_found(scan(w, lane, 2), backwards, 2);
	lane.after_id = ids[4];
	assert_found(scan(w, lane, MAX), backwards + 2, 4);
	lane.after_id = ids[0];
	assert_found(scan(w, lane, MAX), backwards, 0);
	lane.after_id = 0;
	lane.priority = 9;
	assert_found(scan(w, lane, MAX), ids, 0);
	test_commit(w);
}

static void a_released_step_takes_its_old_place(void **state)
{
	test_store *w = *state;
	const sb_scan lane = { .kind = SB_SCAN_READY, .queue_id = w->queue_ids[0] };
	int64_t ids[3];

	test_begin(w);
	for (int i = 0; i < 3; i++)
		ids[i] = test_step_in(w, i == 1 ? SB_STEP_SCHEDULED : SB_STEP_READY);
	test_step_to(w, ids[1], SB_STEP_RELEASE, (sb_step_status){ .state = SB_STEP_READY });
	assert_found(scan(w, lane, MAX), ids, 3);
	test_step_to(w, ids[0], SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING, .worker_id = w->worker_id });
	assert_found(scan(w, lane, MAX), ids + 1, 2);
	test_step_to(w, ids[0], SB_STEP_GIVE_BACK, (sb_step_status){ .state = SB_STEP_READY });
	assert_found(scan(w, lane, MAX), ids, 3);
	STORE_OK(w, step_delete, &ids[1], 1);
	ids[1] = ids[2];
	assert_found(scan(w, lane, MAX), ids, 2);
	test_commit(w);
}

static int64_t add_parked(test_store *w, int64_t key)
{
	int64_t id = test_step_in(w, SB_STEP_READY);

	test_step_to(w, id, SB_STEP_PARK,
		     (sb_step_status){ .state = SB_STEP_PARKED, .park_key = key });
	return id;
}

static void parked_steps_come_by_key_and_id(void **state)
{
	test_store *w = *state;
	sb_scan parked = { .kind = SB_SCAN_PARKED, .park_key = -5 };
	int64_t ids[3];

	test_begin(w);
	for (int i = 0; i < 3; i++) {
		add_parked(w, 5);
		ids[i] = add_parked(w, -5);
		add_parked(w, -6);
	}
	assert_found(scan(w, parked, MAX), ids, 3);
	assert_found(scan(w, parked, 2), ids, 2);
	parked.after_id = ids[0];
	assert_found(scan(w, parked, MAX), ids + 1, 2);
	parked.after_id = ids[2];
	assert_found(scan(w, parked, MAX), ids, 0);
	parked = (sb_scan){ .kind = SB_SCAN_PARKED, .park_key = -4 };
	assert_found(scan(w, parked, MAX), ids, 0);
	test_commit(w);
}

static void park_keys_come_from_the_lowest_on(void **state)
{
	static const int64_t keys[] = { INT64_MIN + 1, -3, 7, INT64_MAX };
	test_store *w = *state;
	int64_t key = INT64_MIN, last = 0;
	bool is_found;

	test_begin(w);
	STORE_OK(w, park_next, &key, &is_found);
	assert_false(is_found);
	for (size_t i = 4; i > 0; i--) {
		add_parked(w, keys[i - 1]);
		last = add_parked(w, keys[i - 1]);
	}
	for (size_t i = 0; i < 4; i++) {
		STORE_OK(w, park_next, &key, &is_found);
		assert_true(is_found);
		assert_int_equal(key, keys[i]);
	}
	STORE_OK(w, park_next, &key, &is_found);
	assert_false(is_found);
	key = 0;
	STORE_OK(w, park_next, &key, &is_found);
	assert_int_equal(key, 7);
	test_step_to(w, last, SB_STEP_RELEASE, (sb_step_status){ .state = SB_STEP_READY });
	STORE_OK(w, step_delete, &(int64_t){ last - 1 }, 1);
	key = INT64_MIN;
	STORE_OK(w, park_next, &key, &is_found);
	assert_int_equal(key, -3);
	test_commit(w);
}

static int64_t add_at(test_store *w, int64_t due_at_us, int64_t deadline_at_us)
{
	return test_step_add(w, test_step_row(w),
			     (sb_step_status){ .state = SB_STEP_SCHEDULED,
					       .due_at_us = due_at_us,
					       .deadline_at_us = deadline_at_us });
}

static void due_steps_come_by_time(void **state)
{
	test_store *w = *state;
	sb_scan due = { .kind = SB_SCAN_DUE, .at_us = 300 };
	int64_t ids[4], due_at_us = 1;

	test_begin(w);
	STORE_OK(w, due_next, &due_at_us);
	assert_int_equal(due_at_us, 0);
	ids[3] = add_at(w, 301, 0);
	ids[2] = add_at(w, 300, 0);
	ids[0] = add_at(w, 100, 0);
	ids[1] = add_at(w, 200, 0);
	test_step_in(w, SB_STEP_READY);
	test_step_in(w, SB_STEP_RUNNING);
	assert_found(scan(w, due, MAX), ids, 3);
	assert_found(scan(w, due, 2), ids, 2);
	due.at_us = 99;
	assert_found(scan(w, due, MAX), ids, 0);
	due.at_us = INT64_MAX;
	assert_found(scan(w, due, MAX), ids, 4);
	STORE_OK(w, due_next, &due_at_us);
	assert_int_equal(due_at_us, 100);
	test_step_to(w, ids[0], SB_STEP_RELEASE, (sb_step_status){ .state = SB_STEP_READY });
	STORE_OK(w, due_next, &due_at_us);
	assert_int_equal(due_at_us, 200);
	STORE_OK(w, step_delete, ids, 4);
	STORE_OK(w, due_next, &due_at_us);
	assert_int_equal(due_at_us, 0);
	test_commit(w);
}

static void overdue_steps_come_by_deadline(void **state)
{
	test_store *w = *state;
	sb_scan overdue = { .kind = SB_SCAN_OVERDUE, .at_us = 300 };
	int64_t ids[4];

	test_begin(w);
	ids[3] = add_at(w, 1, 301);
	ids[2] = add_at(w, 2, 300);
	ids[0] = add_at(w, 9, 100);
	ids[1] = test_step_in(w, SB_STEP_READY);
	test_step_to(w, ids[1], SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING,
				       .deadline_at_us = 200,
				       .worker_id = w->worker_id });
	add_at(w, 1, 0);
	assert_found(scan(w, overdue, MAX), ids, 3);
	assert_found(scan(w, overdue, 1), ids, 1);
	overdue.at_us = 99;
	assert_found(scan(w, overdue, MAX), ids, 0);
	overdue.at_us = INT64_MAX;
	assert_found(scan(w, overdue, MAX), ids, 4);
	/* What is final has no deadline, whatever it is given. */
	test_step_to(w, ids[0], SB_STEP_FAIL,
		     (sb_step_status){ .state = SB_STEP_FAILED, .deadline_at_us = 100 });
	assert_found(scan(w, overdue, MAX), ids + 1, 3);
	test_step_to(w, ids[0], SB_STEP_REDRIVE,
		     (sb_step_status){ .state = SB_STEP_READY, .deadline_at_us = 150 });
	assert_found(scan(w, overdue, MAX), ids, 4);
	test_step_to(w, ids[1], SB_STEP_RETRY, (sb_step_status){ .state = SB_STEP_READY });
	ids[1] = ids[0];
	assert_found(scan(w, overdue, MAX), ids + 1, 3);
	test_commit(w);
}

static int64_t add_running(test_store *w, int64_t worker_id)
{
	int64_t id = test_step_in(w, SB_STEP_READY);

	test_step_to(w, id, SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING, .worker_id = worker_id });
	return id;
}

static void running_steps_come_by_worker_and_id(void **state)
{
	test_store *w = *state;
	sb_scan running = { .kind = SB_SCAN_RUNNING, .worker_id = 8 };
	int64_t ids[3];

	test_begin(w);
	for (int i = 0; i < 3; i++) {
		add_running(w, 7);
		ids[i] = add_running(w, 8);
		add_running(w, 9);
		test_step_in(w, SB_STEP_COMPLETED);
	}
	assert_found(scan(w, running, MAX), ids, 3);
	assert_found(scan(w, running, 1), ids, 1);
	running.after_id = ids[0];
	assert_found(scan(w, running, MAX), ids + 1, 2);
	running.after_id = 0;
	test_step_to(w, ids[0], SB_STEP_SUCCEED,
		     (sb_step_status){ .state = SB_STEP_COMPLETED, .worker_id = 8 });
	assert_found(scan(w, running, MAX), ids + 1, 2);
	test_commit(w);
}

static void all_steps_come_by_id(void **state)
{
	test_store *w = *state;
	sb_scan all = { .kind = SB_SCAN_ALL };
	int64_t ids[SB_STEP_STATE_MAX];

	test_begin(w);
	assert_found(scan(w, all, MAX), NULL, 0);
	for (int i = 0; i < SB_STEP_STATE_MAX; i++)
		ids[i] = test_step_in(w, (sb_step_state)(i + 1));
	assert_found(scan(w, all, MAX), ids, SB_STEP_STATE_MAX);
	assert_found(scan(w, all, 3), ids, 3);
	all.after_id = ids[4];
	assert_found(scan(w, all, MAX), ids + 5, SB_STEP_STATE_MAX - 5);
	all.after_id = ids[SB_STEP_STATE_MAX - 1];
	assert_found(scan(w, all, MAX), NULL, 0);
	test_commit(w);
}

static void all_steps_come_across_wide_gaps(void **state)
{
	enum { COUNT = 2500 };
	test_store *w = *state;
	int64_t ids[COUNT], kept[MAX];
	size_t count = 0;

	test_begin(w);
	for (size_t i = 0; i < COUNT; i++)
		ids[i] = test_step_add(w, test_step_row(w),
				       (sb_step_status){ .state = SB_STEP_READY });
	for (size_t i = 0; i < COUNT; i++)
		if (i % 1200 < 3)
			kept[count++] = ids[i];
		else
			STORE_OK(w, step_delete, &ids[i], 1);
	assert_found(scan(w, (sb_scan){ .kind = SB_SCAN_ALL }, MAX), kept, count);
	test_commit(w);
	test_begin(w);
	assert_found(scan(w, (sb_scan){ .kind = SB_SCAN_ALL }, MAX), kept, count);
	test_commit(w);
}

static void lanes_come_in_order_with_their_heads(void **state)
{
	static const struct {
		int queue;
		int32_t priority;
	} wanted[] = { { 0, INT32_MIN }, { 0, 0 }, { 0, 3 }, { 1, 1 }, { 1, INT32_MAX } };
	test_store *w = *state;
	int64_t first[5], last[5];
	bool is_found;

	assert_true(w->queue_ids[0] < w->queue_ids[1]);
	test_begin(w);
	for (size_t i = 5; i > 0; i--)
		first[i - 1] = add_ready(w, wanted[i - 1].queue, wanted[i - 1].priority);
	for (size_t i = 5; i > 0; i--)
		last[i - 1] = add_ready(w, wanted[i - 1].queue, wanted[i - 1].priority);
	test_step_in(w, SB_STEP_SCHEDULED);
	for (int is_descending = 0; is_descending < 2; is_descending++) {
		sb_lane lane = { 0 };

		for (size_t i = 0; i < 5; i++) {
			STORE_OK(w, lane_next, is_descending != 0, &lane, &is_found);
			assert_true(is_found);
			assert_int_equal(lane.queue_id, w->queue_ids[wanted[i].queue]);
			assert_int_equal(lane.priority, wanted[i].priority);
			assert_int_equal(lane.head_id, is_descending ? last[i] : first[i]);
		}
		STORE_OK(w, lane_next, is_descending != 0, &lane, &is_found);
		assert_false(is_found);
	}
	test_commit(w);
}

static void a_lane_ends_with_its_last_ready_step(void **state)
{
	test_store *w = *state;
	sb_lane lane = { 0 };
	bool is_found;
	int64_t id;

	test_begin(w);
	STORE_OK(w, lane_next, false, &lane, &is_found);
	assert_false(is_found);
	id = add_ready(w, 0, 0);
	STORE_OK(w, lane_next, false, &lane, &is_found);
	assert_true(is_found);
	assert_int_equal(lane.head_id, id);
	test_step_to(w, id, SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING, .worker_id = w->worker_id });
	lane = (sb_lane){ 0 };
	STORE_OK(w, lane_next, true, &lane, &is_found);
	assert_false(is_found);
	test_commit(w);
}

static int64_t running_count(test_store *w, int64_t queue_id, int64_t key, int64_t max)
{
	int64_t count = -1;

	STORE_OK(w, running_count, queue_id, key, max, &count);
	return count;
}

static void running_steps_are_counted_by_queue_and_by_key(void **state)
{
	test_store *w = *state;
	const sb_step_status keyed = { .state = SB_STEP_READY, .concurrency_key = -11 };
	const sb_step_status claimed = { .state = SB_STEP_RUNNING, .worker_id = w->worker_id };
	int64_t mail = w->queue_ids[0], print = w->queue_ids[1], ids[4];

	test_begin(w);
	assert_int_equal(running_count(w, mail, 0, 10), 0);
	assert_int_equal(running_count(w, mail, -11, 10), 0);
	for (int i = 0; i < 4; i++) {
		ids[i] = test_step_add(w, test_step_row(w), keyed);
		test_step_in(w, SB_STEP_RUNNING);
	}
	assert_int_equal(running_count(w, mail, -11, 10), 0);
	for (int i = 0; i < 3; i++)
		test_step_to(w, ids[i], SB_STEP_CLAIM, claimed);
	assert_int_equal(running_count(w, mail, 0, 10), 7);
	assert_int_equal(running_count(w, mail, 0, 5), 5);
	assert_int_equal(running_count(w, print, 0, 10), 0);
	assert_int_equal(running_count(w, mail, -11, 10), 3);
	assert_int_equal(running_count(w, mail, -11, 2), 2);
	assert_int_equal(running_count(w, mail, -12, 10), 0);
	test_step_to(w, ids[0], SB_STEP_SUCCEED, (sb_step_status){ .state = SB_STEP_COMPLETED });
	STORE_OK(w, step_delete, &ids[1], 1);
	assert_int_equal(running_count(w, mail, -11, 10), 1);
	assert_int_equal(running_count(w, mail, 0, INT64_MAX), 5);
	STORE_OK(w, step_delete, ids, 4);
	assert_int_equal(running_count(w, mail, -11, 10), 0);
	test_commit(w);
}

test_part test_conformance_scans(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(ready_steps_come_by_lane_and_id),
		STORE_TEST(a_released_step_takes_its_old_place),
		STORE_TEST(parked_steps_come_by_key_and_id),
		STORE_TEST(park_keys_come_from_the_lowest_on),
		STORE_TEST(due_steps_come_by_time),
		STORE_TEST(overdue_steps_come_by_deadline),
		STORE_TEST(running_steps_come_by_worker_and_id),
		STORE_TEST(all_steps_come_by_id),
		STORE_TEST(all_steps_come_across_wide_gaps),
		STORE_TEST(lanes_come_in_order_with_their_heads),
		STORE_TEST(a_lane_ends_with_its_last_ready_step),
		STORE_TEST(running_steps_are_counted_by_queue_and_by_key),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
