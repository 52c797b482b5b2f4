/* SPDX-License-Identifier: MIT */
/* Lists and counts: each field of a filter alone, all of them together, and pages of a list. */
#include <stdlib.h>
#include <string.h>

#include "base/words.h"
#include "support/conformance.h"

enum { COUNT = 1000 };

/* What a step was made of: enough to say by hand whether a filter wants it. */
typedef struct made {
	int64_t id;
	int64_t queue_id;
	int64_t handler_id;
	int64_t created_at_us;
	sb_step_state state;
	const char *correlation;
	const char *tags;
} made;

typedef struct library {
	test_store *w;
	made steps[COUNT];
	uint32_t random;
} library;

typedef struct listed {
	size_t count;
	int64_t ids[COUNT];
} listed;

static const char *const correlations[] = { "", "c-1", "c-11", "grün" };
static const char *const tag_lists[] = { "", "red", "green,red", "redder, blue", "blue" };

static uint32_t draw(library *l, uint32_t below)
{
	l->random = l->random * 1664525u + 1013904223u;
	return (l->random >> 8) % below;
}

static void add_step(library *l, made *m)
{
	test_store *w = l->w;
	sb_step_row row = test_step_row(w);
	sb_step_status status = { .state = (sb_step_state)(1 + draw(l, 3)), .due_at_us = 5 };

	m->queue_id = row.queue_id = w->queue_ids[draw(l, 2)];
	m->handler_id = row.handler_id = w->handler_ids[draw(l, 2)];
	m->created_at_us = row.created_at_us = 100 + draw(l, 50);
	m->correlation = correlations[draw(l, 4)];
	m->tags = tag_lists[draw(l, 5)];
	row.correlation_id = sb_slice_z(m->correlation);
	row.tags = sb_slice_z(m->tags);
	m->id = test_step_add(w, row, status);
	if (draw(l, 2) == 0)
		test_step_to(w, m->id, SB_STEP_CANCEL,
			     (sb_step_status){ .state = SB_STEP_CANCELLED });
	else if (status.state == SB_STEP_READY && draw(l, 2) == 0)
		test_step_to(
			w, m->id, SB_STEP_CLAIM,
			(sb_step_status){ .state = SB_STEP_RUNNING, .worker_id = w->worker_id });
	m->state = test_status_of(w, m->id).state;
}

static library *make_library(test_store *w)
{
	library *l = calloc(1, sizeof *l);

	assert_non_null(l);
	l->w = w;
	l->random = 5;
	test_begin(w);
	for (size_t i = 0; i < COUNT; i++)
		add_step(l, &l->steps[i]);
	test_commit(w);
	return l;
}

static bool wants(const sb_step_filter *f, const made *m)
{
	if (f->states != 0 && (f->states >> m->state & 1) == 0)
		return false;
	if (f->queue_id != 0 && f->queue_id != m->queue_id)
		return false;
	if (f->handler_id != 0 && f->handler_id != m->handler_id)
		return false;
	if (m->created_at_us < f->created_from_us)
		return false;
	if (f->created_to_us != 0 && m->created_at_us >= f->created_to_us)
		return false;
	if (f->correlation_id.len > 0 &&
	    !sb_slice_is_equal(f->correlation_id, sb_slice_z(m->correlation)))
		return false;
	return f->tag.len == 0 || sb_words_has(sb_slice_z(m->tags), f->tag);
}

static bool is_after(const sb_step_filter *f, int64_t id)
{
	if (f->is_ascending)
		return id > f->after_id;
	return f->after_id == 0 || id < f->after_id;
}

static bool keep_id(void *context, const sb_step_view *view)
{
	listed *list = context;

	if (list->count < COUNT)
		list->ids[list->count] = view->status.id;
	list->count++;
	return true;
}

/* Holds list and count against what is said by hand. */
static void check(library *l, const sb_step_filter *f)
{
	listed *got = calloc(1, sizeof *got), *wanted = calloc(1, sizeof *wanted);
	int64_t count = -1, all = 0;

	assert_non_null(got);
	assert_non_null(wanted);
	for (size_t i = 0; i < COUNT; i++) {
		const made *m = &l->steps[f->is_ascending ? i : COUNT - 1 - i];

		if (!wants(f, m))
			continue;
		all++;
		if (is_after(f, m->id) && wanted->count < f->count_max)
			wanted->ids[wanted->count++] = m->id;
	}
	STORE_OK(l->w, step_list, f, keep_id, got);
	STORE_OK(l->w, step_count, f, &count);
	assert_int_equal(got->count, wanted->count);
	assert_memory_equal(got->ids, wanted->ids, sizeof got->ids);
	assert_int_equal(count, all);
	free(got);
	free(wanted);
}

static void each_field_narrows_alone(void **state)
{
	test_store *w = *state;
	library *l = make_library(w);
	const sb_step_filter filters[] = {
		{ 0 },
		{ .states = 1u << SB_STEP_READY },
		{ .states = 1u << SB_STEP_CANCELLED | 1u << SB_STEP_RUNNING },
		{ .states = 1u << SB_STEP_QUARANTINED },
		{ .queue_id = w->queue_ids[1] },
		{ .queue_id = 999 },
		{ .handler_id = w->handler_ids[1] },
		{ .handler_id = 999 },
		{ .after_id = l->steps[500].id },
		{ .after_id = 1 },
		{ .after_id = INT64_MAX },
		{ .created_from_us = 120 },
		{ .created_from_us = 150 },
		{ .created_to_us = 120 },
		{ .created_to_us = 100 },
		{ .created_from_us = 110, .created_to_us = 111 },
		{ .correlation_id = sb_slice_z("c-1") },
		{ .correlation_id = sb_slice_z("c-") },
		{ .correlation_id = sb_slice_z("grün") },
		{ .tag = sb_slice_z("red") },
		{ .tag = sb_slice_z("blue") },
		{ .tag = sb_slice_z("re") },
		{ .tag = sb_slice_z("green,red") },
		{ .tag = sb_slice_z("%") },
		{ .tag = sb_slice_z("_ed") },
	};

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		for (int is_ascending = 0; is_ascending < 2; is_ascending++) {
			sb_step_filter f = filters[i];

			f.is_ascending = is_ascending != 0;
			f.count_max = UINT32_MAX;
			check(l, &f);
			f.count_max = 7;
			check(l, &f);
		}
	free(l);
}

static sb_step_filter draw_filter(library *l)
{
	sb_step_filter f = { .count_max = 1 + draw(l, COUNT) };

	if (draw(l, 2) == 0)
		f.states = draw(l, 1u << (SB_STEP_STATE_MAX + 1)) & ~1u;
	if (draw(l, 3) == 0)
		f.queue_id = l->w->queue_ids[draw(l, 2)];
	if (draw(l, 3) == 0)
		f.handler_id = l->w->handler_ids[draw(l, 2)];
	if (draw(l, 2) == 0)
		f.after_id = l->steps[draw(l, COUNT)].id;
	if (draw(l, 3) == 0)
		f.created_from_us = 90 + draw(l, 60);
	if (draw(l, 3) == 0)
		f.created_to_us = 100 + draw(l, 60);
	if (draw(l, 3) == 0)
		f.correlation_id = sb_slice_z(correlations[draw(l, 4)]);
	if (draw(l, 3) == 0)
		f.tag = sb_slice_z(draw(l, 2) == 0 ? "red" : "blue");
	f.is_ascending = draw(l, 2) == 0;
	return f;
}

static void fields_narrow_together(void **state)
{
	library *l = make_library(*state);

	for (int i = 0; i < 400; i++) {
		const sb_step_filter f = draw_filter(l);

		check(l, &f);
	}
	free(l);
}

/* Walks all pages, each from where the last one ended. */
static void walk_pages(library *l, sb_step_filter f)
{
	listed *page = calloc(1, sizeof *page);
	size_t seen = 0;

	assert_non_null(page);
	for (;;) {
		page->count = 0;
		STORE_OK(l->w, step_list, &f, keep_id, page);
		for (size_t i = 0; i < page->count; i++, seen++) {
			assert_true(seen < COUNT);
			assert_int_equal(page->ids[i],
					 l->steps[f.is_ascending ? seen : COUNT - 1 - seen].id);
		}
		if (page->count == 0)
			break;
		f.after_id = page->ids[page->count - 1];
	}
	assert_int_equal(seen, COUNT);
	free(page);
}

static void pages_have_no_gap_and_no_repeat(void **state)
{
	library *l = make_library(*state);

	for (int is_ascending = 0; is_ascending < 2; is_ascending++) {
		walk_pages(l, (sb_step_filter){ .count_max = 1, .is_ascending = is_ascending });
		walk_pages(l, (sb_step_filter){ .count_max = 37, .is_ascending = is_ascending });
		walk_pages(l, (sb_step_filter){ .count_max = 1000, .is_ascending = is_ascending });
	}
	free(l);
}

static bool stop_at_once(void *context, const sb_step_view *view)
{
	(void)view;
	++*(int *)context;
	return false;
}

static void a_visitor_can_end_a_list(void **state)
{
	library *l = make_library(*state);
	const sb_step_filter f = { .count_max = 10 };
	int count = 0;

	STORE_OK(l->w, step_list, &f, stop_at_once, &count);
	assert_int_equal(count, 1);
	free(l);
}

typedef struct tallied {
	int64_t counts[2][SB_STEP_STATE_MAX + 1];
	size_t row_count;
	bool is_wrong;
} tallied;

static bool keep_tally(void *context, sb_slice queue, sb_step_state state, int64_t count)
{
	tallied *t = context;
	int i = sb_slice_is_equal(queue, sb_slice_z("print")) ? 1 : 0;

	t->row_count++;
	t->is_wrong |= (int)state > SB_STEP_STATE_MAX || count <= 0 || t->counts[i][state] != 0;
	if (!t->is_wrong)
		t->counts[i][state] = count;
	return true;
}

static void a_tally_counts_by_queue_and_state(void **state)
{
	test_store *w = *state;
	library *l = make_library(w);
	tallied got = { 0 }, wanted = { 0 };

	for (size_t i = 0; i < COUNT; i++) {
		const made *m = &l->steps[i];
		int queue = m->queue_id == w->queue_ids[1] ? 1 : 0;

		wanted.row_count += wanted.counts[queue][m->state]++ == 0;
	}
	STORE_OK(w, tally, keep_tally, &got);
	assert_false(got.is_wrong);
	assert_int_equal(got.row_count, wanted.row_count);
	assert_memory_equal(got.counts, wanted.counts, sizeof got.counts);
	test_begin(w);
	for (size_t i = 0; i < COUNT; i++)
		STORE_OK(w, step_delete, &l->steps[i].id, 1);
	test_commit(w);
	got = (tallied){ 0 };
	STORE_OK(w, tally, keep_tally, &got);
	assert_int_equal(got.row_count, 0);
	free(l);
}

static bool count_only(void *context, const sb_step_view *view)
{
	int64_t *last_and_count = context;

	last_and_count[1] += view->status.id > last_and_count[0];
	last_and_count[0] = view->status.id;
	return true;
}

/* More than any store looks at in one go. */
static void a_large_store_is_listed_and_counted_whole(void **state)
{
	enum { LARGE_COUNT = 9000 };
	test_store *w = *state;
	const sb_step_filter all = { .count_max = UINT32_MAX, .is_ascending = true };
	const sb_step_filter rare = { .correlation_id = sb_slice_z("rare") };
	int64_t last_and_count[2] = { 0 }, count = 0;

	test_begin(w);
	for (size_t i = 0; i < LARGE_COUNT; i++) {
		sb_step_row row = test_step_row(w);

		if (i % 4000 == 0)
			row.correlation_id = sb_slice_z("rare");
		test_step_add(w, row, (sb_step_status){ .state = SB_STEP_READY });
	}
	test_commit(w);
	STORE_OK(w, step_list, &all, count_only, last_and_count);
	assert_int_equal(last_and_count[1], LARGE_COUNT);
	STORE_OK(w, step_count, &all, &count);
	assert_int_equal(count, LARGE_COUNT);
	STORE_OK(w, step_count, &rare, &count);
	assert_int_equal(count, 3);
}

test_part test_conformance_filter(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(each_field_narrows_alone),
		STORE_TEST(fields_narrow_together),
		STORE_TEST(pages_have_no_gap_and_no_repeat),
		STORE_TEST(a_visitor_can_end_a_list),
		STORE_TEST(a_tally_counts_by_queue_and_state),
		STORE_TEST(a_large_store_is_listed_and_counted_whole),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
