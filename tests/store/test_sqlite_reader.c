/* SPDX-License-Identifier: MIT */
/* Readers: pages, ranges and filters, beside a writer that goes on. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/sqlite_world.h"

enum { READER_COUNT = 3, ROUND_COUNT = 30 };

/* Steps by plain SQL, so that there are many at once: every seventh failed, queue b has the odd. */
static const char many[] =
	"INSERT INTO queue (name) VALUES ('a'), ('b');"
	"INSERT INTO handler (handler_namespace, name, version) VALUES ('d', 'x', ''), ('d', 'y', "
	"'');"
	"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000)"
	" INSERT INTO step (id, queue_id, handler_id, created_at, correlation_id)"
	" SELECT i, 1 + i % 2, 1, i * 10, CASE WHEN i % 9000 = 0 THEN 'c' END FROM n;"
	"INSERT INTO state (id, queue_id, handler_id, priority, state)"
	" SELECT id, queue_id, handler_id, 100, CASE WHEN id % 7 = 0 THEN 7 ELSE 6 END FROM step;"
	"INSERT INTO step_tag (tag, step_id) SELECT 't', id FROM step WHERE id % 1000 = 0";

typedef struct seen {
	int64_t first;
	int64_t last;
	int64_t count;
	int64_t stop_at; /* the visitor says false at this one */
	bool is_sorted;
	bool is_ascending;
} seen;

static bool note_step(void *context, const sb_step_view *view)
{
	seen *s = context;

	if (s->count == 0)
		s->first = view->status.id;
	else if ((view->status.id > s->last) != s->is_ascending)
		s->is_sorted = false;
	s->last = view->status.id;
	s->count++;
	return s->count != s->stop_at;
}

static seen list(test_world *w, const sb_step_filter *filter, int64_t stop_at)
{
	seen s = { .is_sorted = true, .is_ascending = filter->is_ascending, .stop_at = stop_at };

	test_ok(w, w->store->type->step_list(w->store, filter, note_step, &s, &w->err));
	assert_true(s.is_sorted);
	return s;
}

static int64_t count(test_world *w, const sb_step_filter *filter)
{
	int64_t n = -1;

	test_ok(w, w->store->type->step_count(w->store, filter, &n, &w->err));
	return n;
}

static void open_with_many(test_world *w)
{
	sqlite3 *db;

	test_world_open(w);
	db = test_world_connect(w);
	test_world_run(db, "BEGIN");
	test_world_run(db, many);
	test_world_run(db, "COMMIT");
	(void)sqlite3_close(db);
}

static void lists_go_over_ranges_of_ids_without_loss(void **state)
{
	static const struct {
		sb_step_filter filter;
		int64_t count;
		int64_t first;
		int64_t last;
	} rows[] = {
		{ { .count_max = 50000 }, 45000, 45000, 1 },
		{ { .count_max = 50000, .is_ascending = true }, 45000, 1, 45000 },
		{ { .count_max = 1000 }, 1000, 45000, 44001 },
		{ { .count_max = 200 }, 200, 45000, 44801 },
		{ { .count_max = 201 }, 201, 45000, 44800 },
		{ { .count_max = 10, .after_id = 20001 }, 10, 20000, 19991 },
		{ { .count_max = 10, .after_id = 20000, .is_ascending = true }, 10, 20001, 20010 },
		{ { .count_max = 10, .after_id = 5 }, 4, 4, 1 },
		{ { .count_max = 10, .after_id = 44998, .is_ascending = true }, 2, 44999, 45000 },
		{ { .count_max = 10, .after_id = INT64_MAX }, 10, 45000, 44991 },
		{ { .count_max = 10, .after_id = INT64_MAX, .is_ascending = true }, 0, 0, 0 },
		{ { .count_max = 10, .after_id = 1 }, 0, 0, 0 },
		{ { .count_max = 0 }, 0, 0, 0 },
		{ { .count_max = 9000, .states = 1U << SB_STEP_FAILED }, 6428, 44996, 7 },
		{ { .count_max = 9, .states = 1U << SB_STEP_READY }, 0, 0, 0 },
		{ { .count_max = 50000, .queue_id = 2 }, 22500, 44999, 1 },
		{ { .count_max = 9, .handler_id = 2 }, 0, 0, 0 },
		{ { .count_max = 9, .created_from_us = 100, .created_to_us = 120 }, 2, 11, 10 },
		{ { .count_max = 99, .correlation_id = { "c", 1 } }, 5, 45000, 9000 },
		{ { .count_max = 99, .correlation_id = { "c", 1 }, .is_ascending = true },
		  5,
		  9000,
		  45000 },
		{ { .count_max = 99, .tag = { "t", 1 } }, 45, 45000, 1000 },
		{ { .count_max = 99, .tag = { "t", 1 }, .is_ascending = true }, 45, 1000, 45000 },
		{ { .count_max = 99, .tag = { "t", 1 }, .correlation_id = { "c", 1 } },
		  5,
		  45000,
		  9000 },
		{ { .count_max = 99, .tag = { "none", 4 } }, 0, 0, 0 },
		{ { .count_max = 99, .tag = { "t", 1 }, .states = 1U << SB_STEP_FAILED },
		  6,
		  42000,
		  7000 },
	};
	test_world *w = *state;

	open_with_many(w);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		seen s = list(w, &rows[i].filter, 0);

		if (s.count != rows[i].count || s.first != rows[i].first || s.last != rows[i].last)
			fail_msg("row %zu: %lld steps, from %lld to %lld", i, (long long)s.count,
				 (long long)s.first, (long long)s.last);
	}
}

static void a_visitor_may_end_a_list_anywhere(void **state)
{
	static const int64_t stops[] = { 1, 199, 200, 201, 20000, 44999 };
	sb_step_filter filter = { .count_max = UINT32_MAX };
	test_world *w = *state;

	open_with_many(w);
	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
		assert_int_equal(list(w, &filter, stops[i]).count, stops[i]);
	/* The connection is free again. */
	test_world_fill(w, 1);
	assert_int_equal(list(w, &filter, 1).first, 45001);
}

static void counts_look_at_no_cursor(void **state)
{
	static const struct {
		sb_step_filter filter;
		int64_t count;
	} rows[] = {
		{ { .count_max = 1, .after_id = 7, .is_ascending = true }, 45000 },
		{ { .states = 1U << SB_STEP_FAILED }, 6428 },
		{ { .states = 1U << SB_STEP_FAILED | 1U << SB_STEP_COMPLETED }, 45000 },
		{ { .queue_id = 1 }, 22500 },
		{ { .created_from_us = 11 }, 44999 },
		{ { .created_to_us = 11 }, 1 },
		{ { .correlation_id = { "c", 1 } }, 5 },
		{ { .tag = { "t", 1 } }, 45 },
		{ { .tag = { "t", 1 }, .queue_id = 2 }, 0 },
	};
	test_world *w = *state;

	open_with_many(w);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(count(w, &rows[i].filter), rows[i].count);
}

typedef struct tallied {
	int64_t counts[3][SB_STEP_STATE_MAX + 1];
	int call_count;
} tallied;

static bool note_tally(void *context, sb_slice queue, sb_step_state state, int64_t n)
{
	tallied *t = context;

	assert_int_equal(queue.len, 1);
	t->counts[queue.data[0] - 'a'][state] = n;
	t->call_count++;
	return true;
}

static void a_tally_counts_each_queue_by_state(void **state)
{
	test_world *w = *state;
	tallied t = { 0 };

	open_with_many(w);
	test_ok(w, w->store->type->tally(w->store, note_tally, &t, &w->err));
	assert_int_equal(t.call_count, 4);
	assert_int_equal(t.counts[0][SB_STEP_COMPLETED], 19286);
	assert_int_equal(t.counts[0][SB_STEP_FAILED], 3214);
	assert_int_equal(t.counts[1][SB_STEP_COMPLETED], 19286);
	assert_int_equal(t.counts[1][SB_STEP_FAILED], 3214);
}

static bool note_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	(void)worker;
	*(int64_t *)context = *(int64_t *)context * 10 + row->outcome;
	return true;
}

static void attempts_are_those_with_rows_and_the_success_without(void **state)
{
	static const struct {
		const char *sql;
		int64_t outcomes;
	} rows[] = {
		{ "UPDATE state SET state = 6, token = 9, attempt_count = 1", 1 },
		{ "UPDATE state SET state = 5, token = 9, attempt_count = 1", 0 },
		{ "UPDATE state SET state = 6, token = 9, attempt_count = 2;"
		  "INSERT INTO attempt (step_id, token, outcome) VALUES (1, 3, 2)",
		  21 },
		{ "UPDATE state SET state = 6, token = 9;"
		  "INSERT INTO attempt (step_id, token, outcome) VALUES (1, 9, 1)",
		  21 },
		{ "UPDATE state SET state = 7, token = 12;"
		  "INSERT INTO attempt (step_id, token, outcome) VALUES (1, 12, 4)",
		  214 },
	};
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	test_world_fill(w, 1);
	db = test_world_connect(w);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t outcomes = 0;

		test_world_run(db, rows[i].sql);
		test_ok(w, w->store->type->attempt_list(w->store, 1, note_attempt, &outcomes,
							&w->err));
		assert_int_equal(outcomes, rows[i].outcomes);
	}
	(void)sqlite3_close(db);
}

static void what_is_not_there_is_not_found(void **state)
{
	test_world *w = *state;
	const sb_store_type *type;
	seen s = { 0 };
	int64_t id;

	test_world_open(w);
	type = w->store->type;
	assert_int_equal(type->step_view(w->store, 7, note_step, &s, &w->err), STEPBUS_ENOTFOUND);
	assert_int_equal(type->attempt_list(w->store, 7, note_attempt, &id, &w->err),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(type->queue_find(w->store, sb_slice_z("q"), &id, &w->err),
			 STEPBUS_ENOTFOUND);
}

/* The newest step goes, and its id is not given again. */
static void a_step_that_was_removed_leaves_nothing_but_its_number(void **state)
{
	test_world *w = *state;
	const sb_store_type *type;
	sb_step_filter filter = { 0 };
	sb_step_status status;
	sb_step_row row = { .queue_id = 1,
			    .handler_id = 1,
			    .tags = sb_slice_z("x,y"),
			    .unique_key = sb_slice_z("uk"),
			    .idempotency_key = sb_slice_z("ik") };
	sb_step_status first = { .state = SB_STEP_COMPLETED };
	sb_result_row result = { .bytes = sb_slice_z("r") };
	sb_attempt_row attempt = { .token = 3, .outcome = SB_ATTEMPT_LOST };
	int64_t ids[2], id;

	test_world_open(w);
	type = w->store->type;
	ids[0] = test_world_fill(w, 1);
	test_world_begin(w);
	test_ok(w, type->step_insert(w->store, &row, &first, &w->err));
	ids[1] = result.step_id = attempt.step_id = row.id;
	test_ok(w, type->result_put(w->store, &result, &w->err));
	test_ok(w, type->attempt_put(w->store, &attempt, &w->err));
	test_ok(w, type->unique_put(w->store, sb_slice_z("ik"), row.id, &w->err));
	/* Another step has taken this key since. */
	test_ok(w, type->unique_put(w->store, sb_slice_z("uk"), ids[0], &w->err));
	test_ok(w, type->step_delete(w->store, ids + 1, 1, &w->err));
	assert_int_equal(type->step_row_read(w->store, ids[1], &row, &w->err), STEPBUS_ECORRUPT);
	assert_int_equal(type->step_status_read(w->store, ids[1], &status, &w->err),
			 STEPBUS_ENOTFOUND);
	test_ok(w, type->unique_find(w->store, sb_slice_z("ik"), &id, &w->err));
	assert_int_equal(id, 0);
	test_ok(w, type->unique_find(w->store, sb_slice_z("uk"), &id, &w->err));
	assert_int_equal(id, ids[0]);
	test_world_commit(w);
	assert_int_equal(count(w, &filter), 1);
	assert_int_equal(test_world_ask(w, "SELECT (SELECT count(*) FROM step_tag)"
					   " + (SELECT count(*) FROM attempt)"
					   " + (SELECT count(*) FROM result)"),
			 0);
	assert_int_equal(test_world_fill(w, 1), ids[1] + 1);
}

typedef struct reading {
	test_world *w;
	_Atomic(bool) is_over;
	_Atomic(int) failed_count;
} reading;

static bool ignore_step(void *context, const sb_step_view *view)
{
	(void)context;
	return view->row.id == view->status.id;
}

static bool ignore_tally(void *context, sb_slice queue, sb_step_state state, int64_t n)
{
	(void)context;
	(void)queue;
	(void)state;
	return n > 0;
}

static bool ignore_queue(void *context, const sb_queue_row *row)
{
	(void)context;
	return row->id > 0;
}

static void *read_all(void *context)
{
	reading *r = context;
	sb_store *store = r->w->store;
	sb_step_filter filter = { .count_max = 500 };
	sb_store_stats stats;
	int64_t n;

	while (!atomic_load(&r->is_over)) {
		bool is_ok = store->type->step_list(store, &filter, ignore_step, NULL, NULL) == 0 &&
			     store->type->step_count(store, &filter, &n, NULL) == 0 &&
			     store->type->tally(store, ignore_tally, NULL, NULL) == 0 &&
			     store->type->queue_list(store, ignore_queue, NULL, NULL) == 0;

		store->type->stats(store, &stats);
		if (!is_ok)
			atomic_fetch_add(&r->failed_count, 1);
	}
	return NULL;
}

static void many_readers_read_beside_the_writer(void **state)
{
	test_world *w = *state;
	reading r = { .w = w };
	pthread_t threads[READER_COUNT];

	test_world_open(w);
	test_world_fill(w, 100);
	for (int i = 0; i < READER_COUNT; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &r), 0);
	for (int i = 0; i < ROUND_COUNT; i++)
		test_world_fill(w, 100);
	atomic_store(&r.is_over, true);
	for (int i = 0; i < READER_COUNT; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&r.failed_count), 0);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(lists_go_over_ranges_of_ids_without_loss),
		ON_DISK(a_visitor_may_end_a_list_anywhere),
		ON_DISK(counts_look_at_no_cursor),
		ON_DISK(a_tally_counts_each_queue_by_state),
		ON_DISK(attempts_are_those_with_rows_and_the_success_without),
		ON_DISK(what_is_not_there_is_not_found),
		ON_DISK(a_step_that_was_removed_leaves_nothing_but_its_number),
		ON_DISK(many_readers_read_beside_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
