/* SPDX-License-Identifier: MIT */
/* What readers see, and what they do not see yet. */
#include <stdatomic.h>
#include <string.h>

#include "support/conformance.h"
#include "support/thread.h"

typedef struct seen_view {
	int count;
	sb_step_status status;
	int64_t row_id;
	int64_t created_at_us;
	bool is_as_wanted;
} seen_view;

static bool see_plain(void *context, const sb_step_view *view)
{
	seen_view *s = context;

	s->count++;
	s->status = view->status;
	s->row_id = view->row.id;
	s->created_at_us = view->row.created_at_us;
	s->is_as_wanted = sb_slice_is_equal(view->queue, sb_slice_z("mail")) &&
			  sb_slice_is_equal(view->handler.handler_namespace, sb_slice_z("shop")) &&
			  sb_slice_is_equal(view->handler.name, sb_slice_z("send")) &&
			  sb_slice_is_equal(view->handler.version, sb_slice_z("1")) &&
			  !view->has_result && !view->has_error && view->worker.len == 0;
	return true;
}

static void a_view_has_a_step_with_its_names(void **state)
{
	test_store *w = *state;
	seen_view s = { 0 };
	sb_step_status status;
	int64_t id;

	test_begin(w);
	id = test_step_in(w, SB_STEP_SCHEDULED);
	status = test_status_of(w, id);
	test_commit(w);
	STORE_OK(w, step_view, id, see_plain, &s);
	assert_int_equal(s.count, 1);
	assert_true(s.is_as_wanted);
	test_assert_same_status(&s.status, &status);
	assert_int_equal(s.row_id, id);
	assert_int_equal(s.created_at_us, 1000);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_view, id + 1, see_plain, &s);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_view, 0, see_plain, &s);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_view, INT64_MIN, see_plain, &s);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_view, INT64_MAX, see_plain, &s);
	assert_int_equal(s.count, 1);
}

static bool see_full(void *context, const sb_step_view *view)
{
	bool *is_as_wanted = context;

	*is_as_wanted = view->has_result && view->has_error &&
			sb_slice_is_equal(view->worker, sb_slice_z("first")) &&
			sb_slice_is_equal(view->result.bytes, sb_slice_z("result")) &&
			sb_slice_is_equal(view->result.content_type, sb_slice_z("text/plain")) &&
			sb_slice_is_equal(view->error.message, sb_slice_z("the newest")) &&
			sb_slice_is_equal(view->error.error_type, sb_slice_z("Error")) &&
			view->error.token == 900 && view->error.outcome == SB_ATTEMPT_FAILURE &&
			sb_slice_is_equal(view->row.input, sb_slice_z("input")) &&
			sb_slice_is_equal(view->row.tags, sb_slice_z("a,b"));
	return true;
}

static void a_view_has_worker_result_and_newest_attempt(void **state)
{
	test_store *w = *state;
	sb_attempt_row attempt = { .token = 900,
				   .outcome = SB_ATTEMPT_FAILURE,
				   .message = sb_slice_z("the newest"),
				   .error_type = sb_slice_z("Error") };
	sb_result_row result = { .bytes = sb_slice_z("result"),
				 .content_type = sb_slice_z("text/plain") };
	sb_step_row row = test_step_row(w);
	bool is_as_wanted = false;

	test_begin(w);
	row.input = sb_slice_z("input");
	row.tags = sb_slice_z("a,b");
	row.id = test_step_add(w, row, (sb_step_status){ .state = SB_STEP_READY });
	test_step_to(w, row.id, SB_STEP_CLAIM,
		     (sb_step_status){ .state = SB_STEP_RUNNING, .worker_id = w->worker_id });
	attempt.step_id = result.step_id = row.id;
	STORE_OK(w, attempt_put, &attempt);
	attempt.token = 800;
	attempt.message = sb_slice_z("older");
	STORE_OK(w, attempt_put, &attempt);
	STORE_OK(w, result_put, &result);
	test_commit(w);
	test_reopen(w);
	STORE_OK(w, step_view, row.id, see_full, &is_as_wanted);
	assert_true(is_as_wanted);
}

/* A reader on a thread of its own: what it counted, and whether it found a step and a queue. */
typedef struct look {
	test_store *w;
	int64_t id;
	int64_t count;
	stepbus_status view_status;
	stepbus_status queue_status;
	int queue_count;
} look;

static bool count_queue(void *context, const sb_queue_row *row)
{
	(void)row;
	++*(int *)context;
	return true;
}

static void look_once(void *context)
{
	look *l = context;
	const sb_step_filter all = { 0 };
	test_store *w = l->w;
	seen_view s = { 0 };
	int64_t queue_id;

	w->type->step_count(w->store, &all, &l->count, NULL);
	l->view_status = w->type->step_view(w->store, l->id, see_plain, &s, NULL);
	l->queue_status = w->type->queue_find(w->store, sb_slice_z("new"), &queue_id, NULL);
	w->type->queue_list(w->store, count_queue, &l->queue_count, NULL);
}

static void readers_see_nothing_before_the_commit(void **state)
{
	test_store *w = *state;
	look l = { .w = w };
	test_thread thread;
	int64_t queue_id;

	test_begin(w);
	test_step_in(w, SB_STEP_READY);
	test_commit(w);
	test_begin(w);
	l.id = test_step_in(w, SB_STEP_READY);
	STORE_OK(w, queue_intern, sb_slice_z("new"), &queue_id);
	test_thread_start(&thread, look_once, &l);
	/* It ends, or it waits for the end of the transaction. */
	test_thread_await_sleep(&thread);
	test_rollback(w);
	test_thread_join(&thread);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.view_status, STEPBUS_ENOTFOUND);
	assert_int_equal(l.queue_status, STEPBUS_ENOTFOUND);
	assert_int_equal(l.queue_count, 2);
}

static void readers_see_everything_after_the_commit(void **state)
{
	test_store *w = *state;
	look l = { .w = w };
	test_thread thread;
	int64_t queue_id;

	test_begin(w);
	l.id = test_step_in(w, SB_STEP_READY);
	STORE_OK(w, queue_intern, sb_slice_z("new"), &queue_id);
	test_commit(w);
	test_thread_start(&thread, look_once, &l);
	test_thread_join(&thread);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.view_status, STEPBUS_OK);
	assert_int_equal(l.queue_status, STEPBUS_OK);
	assert_int_equal(l.queue_count, 3);
}

/* Two steps that are in the same state whenever nothing is half done. */
typedef struct pair {
	test_store *w;
	int64_t ids[2];
	_Atomic(bool) is_over;
	_Atomic(uint64_t) look_count;
	uint64_t torn_count;
	uint64_t failed_count;
} pair;

typedef struct seen_pair {
	int count;
	sb_step_state states[2];
	int64_t tokens[2];
} seen_pair;

static bool see_pair(void *context, const sb_step_view *view)
{
	seen_pair *s = context;

	s->states[s->count] = view->status.state;
	s->tokens[s->count] = view->status.token;
	return ++s->count < 2;
}

static void look_all_the_time(void *context)
{
	pair *p = context;
	test_store *w = p->w;
	const sb_step_filter all = { .count_max = 2, .is_ascending = true };

	while (!atomic_load(&p->is_over)) {
		seen_pair s = { 0 };

		p->failed_count +=
			w->type->step_list(w->store, &all, see_pair, &s, NULL) != STEPBUS_OK;
		p->torn_count +=
			s.count != 2 || s.states[0] != s.states[1] || s.tokens[0] != s.tokens[1];
		atomic_fetch_add(&p->look_count, 1);
	}
}

static void move_both(pair *p, sb_step_event event, sb_step_state from, sb_step_state to,
		      int64_t token)
{
	test_store *w = p->w;
	sb_step_move moves[2];

	for (int i = 0; i < 2; i++)
		moves[i] = (sb_step_move){ .event = event,
					   .from = from,
					   .from_token = test_status_of(w, p->ids[i]).token,
					   .to = { .id = p->ids[i],
						   .token = token,
						   .worker_id = w->worker_id,
						   .state = to } };
	STORE_OK(w, step_move, &moves[0], 1);
	STORE_OK(w, step_move, &moves[1], 1);
	assert_true(moves[0].is_done && moves[1].is_done);
}

static void readers_see_transactions_whole(void **state)
{
	enum { ROUND_COUNT = 300 };
	pair p = { .w = *state };
	test_thread thread;

	test_begin(p.w);
	p.ids[0] = test_step_in(p.w, SB_STEP_READY);
	p.ids[1] = test_step_in(p.w, SB_STEP_READY);
	test_commit(p.w);
	test_thread_start(&thread, look_all_the_time, &p);
	for (int64_t i = 1; i <= ROUND_COUNT || atomic_load(&p.look_count) < 100; i++) {
		test_begin(p.w);
		move_both(&p, SB_STEP_CLAIM, SB_STEP_READY, SB_STEP_RUNNING, i);
		if (i % 3 == 0) {
			test_rollback(p.w);
			continue;
		}
		test_commit(p.w);
		test_begin(p.w);
		move_both(&p, SB_STEP_GIVE_BACK, SB_STEP_RUNNING, SB_STEP_READY, i);
		test_commit(p.w);
	}
	atomic_store(&p.is_over, true);
	test_thread_join(&thread);
	assert_int_equal(p.torn_count, 0);
	assert_int_equal(p.failed_count, 0);
}

typedef struct other {
	test_store *w;
	int64_t id;
	stepbus_status status;
} other;

static void insert_elsewhere(void *context)
{
	other *o = context;
	const sb_store_type *type = o->w->type;
	const sb_step_status status = { .state = SB_STEP_READY };
	sb_step_row row = test_step_row(o->w);

	o->status = type->begin(o->w->store, NULL);
	if (o->status == STEPBUS_OK)
		o->status = type->step_insert(o->w->store, &row, &status, NULL);
	if (o->status == STEPBUS_OK)
		o->status = type->commit(o->w->store, NULL);
	o->id = row.id;
}

static void transactions_may_come_from_another_thread(void **state)
{
	other o = { .w = *state };
	test_thread thread;

	test_begin(o.w);
	test_step_in(o.w, SB_STEP_READY);
	test_commit(o.w);
	test_thread_start(&thread, insert_elsewhere, &o);
	test_thread_join(&thread);
	assert_int_equal(o.status, STEPBUS_OK);
	test_begin(o.w);
	assert_int_equal(test_status_of(o.w, o.id).state, SB_STEP_READY);
	test_commit(o.w);
}

static void the_tag_has_the_bits_of_its_form(void **state)
{
	test_store *w = *state;
	uint8_t tag[SB_STORE_TAG_LEN];

	assert_int_equal(w->store->tag[0] & 0xf0, 0x80);
	assert_int_equal(w->store->tag[2] & 0xc0, 0x80);
	memcpy(tag, w->store->tag, sizeof tag);
	test_reopen(w);
	assert_memory_equal(tag, w->store->tag, sizeof tag);
}

test_part test_conformance_reader(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(a_view_has_a_step_with_its_names),
		STORE_TEST(a_view_has_worker_result_and_newest_attempt),
		STORE_TEST(readers_see_nothing_before_the_commit),
		STORE_TEST(readers_see_everything_after_the_commit),
		STORE_TEST(readers_see_transactions_whole),
		STORE_TEST(transactions_may_come_from_another_thread),
		STORE_TEST(the_tag_has_the_bits_of_its_form),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
