/* SPDX-License-Identifier: MIT */
/* How far a step has come. */
#include <stdlib.h>
#include <string.h>

#include "support/conformance.h"

enum { MEBIBYTE = 1024 * 1024 };

static sb_checkpoint_row checkpoint_of(int64_t id, sb_slice cursor)
{
	return (sb_checkpoint_row){ .step_id = id,
				    .token = 17,
				    .at_us = 5000,
				    .items_processed = INT64_MAX,
				    .cursor = cursor,
				    .partial_result = sb_slice_z("half") };
}

/* A step that waits to be claimed, with a checkpoint. */
static int64_t add_step(test_store *w, sb_slice cursor)
{
	const sb_step_status first = { .state = SB_STEP_READY, .checkpoint_count = 1 };
	int64_t id = test_step_add(w, test_step_row(w), first);
	const sb_checkpoint_row row = checkpoint_of(id, cursor);

	STORE_OK(w, checkpoint_put, &row);
	return id;
}

static void assert_cursor(test_store *w, int64_t id, const void *data, size_t len)
{
	sb_checkpoint_row row;

	STORE_OK(w, checkpoint_read, id, &row);
	assert_int_equal(row.step_id, id);
	test_assert_slice(row.cursor, data, len);
}

static void a_checkpoint_is_read_as_it_was_kept(void **state)
{
	test_store *w = *state;
	const char bytes[] = "\0\xff{}\0";
	sb_checkpoint_row row;
	int64_t id;

	test_begin(w);
	id = add_step(w, sb_slice_of(bytes, sizeof bytes));
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	assert_cursor(w, id, bytes, sizeof bytes);
	STORE_OK(w, checkpoint_read, id, &row);
	assert_int_equal(row.token, 17);
	assert_int_equal(row.at_us, 5000);
	assert_int_equal(row.items_processed, INT64_MAX);
	test_assert_text(row.partial_result, "half");
	test_rollback(w);
}

static void a_checkpoint_may_be_empty_or_large(void **state)
{
	test_store *w = *state;
	char *large = malloc(MEBIBYTE);
	sb_checkpoint_row row;
	int64_t empty, full;

	assert_non_null(large);
	for (size_t i = 0; i < MEBIBYTE; i++)
		large[i] = (char)(i * 7);
	test_begin(w);
	empty = add_step(w, sb_slice_of(NULL, 0));
	row = (sb_checkpoint_row){ .step_id = empty, .token = 1, .at_us = 1 };
	STORE_OK(w, checkpoint_put, &row);
	full = add_step(w, sb_slice_of(large, MEBIBYTE));
	test_commit(w);
	test_begin(w);
	assert_cursor(w, full, large, MEBIBYTE);
	assert_cursor(w, empty, NULL, 0);
	STORE_OK(w, checkpoint_read, empty, &row);
	assert_int_equal(row.partial_result.len, 0);
	assert_int_equal(row.items_processed, 0);
	test_rollback(w);
	free(large);
}

static void a_second_checkpoint_takes_the_place_of_the_first(void **state)
{
	test_store *w = *state;
	sb_checkpoint_row row;
	int64_t id, other;

	test_begin(w);
	id = add_step(w, sb_slice_z("first"));
	other = add_step(w, sb_slice_z("other"));
	row = checkpoint_of(id, sb_slice_z("second"));
	STORE_OK(w, checkpoint_put, &row);
	test_commit(w);
	test_begin(w);
	assert_cursor(w, id, "second", 6);
	assert_cursor(w, other, "other", 5);
	test_rollback(w);
}

static void what_has_no_checkpoint_says_so(void **state)
{
	test_store *w = *state;
	sb_checkpoint_row row;
	int64_t id;

	test_begin(w);
	id = test_step_in(w, SB_STEP_READY);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, checkpoint_read, id, &row);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, checkpoint_read, id + 1000, &row);
	STORE_OK(w, checkpoint_delete, id);
	STORE_OK(w, checkpoint_delete, id + 1000);
	id = add_step(w, sb_slice_z("here"));
	STORE_OK(w, checkpoint_delete, id);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, checkpoint_read, id, &row);
	test_commit(w);
}

static void a_rollback_brings_the_checkpoint_back(void **state)
{
	test_store *w = *state;
	sb_checkpoint_row row;
	int64_t id, bare;

	test_begin(w);
	id = add_step(w, sb_slice_z("kept"));
	bare = test_step_in(w, SB_STEP_READY);
	test_commit(w);
	test_begin(w);
	row = checkpoint_of(id, sb_slice_z("second"));
	STORE_OK(w, checkpoint_put, &row);
	STORE_OK(w, checkpoint_delete, id);
	row.cursor = sb_slice_z("third");
	STORE_OK(w, checkpoint_put, &row);
	row.step_id = bare;
	STORE_OK(w, checkpoint_put, &row);
	test_rollback(w);
	test_begin(w);
	assert_cursor(w, id, "kept", 4);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, checkpoint_read, bare, &row);
	test_rollback(w);
}

static void a_removed_step_takes_its_checkpoint_along(void **state)
{
	test_store *w = *state;
	sb_checkpoint_row row;
	int64_t id;

	test_begin(w);
	id = add_step(w, sb_slice_z("gone"));
	(void)test_step_in(w, SB_STEP_READY);
	test_commit(w);
	test_begin(w);
	STORE_OK(w, step_delete, &id, 1);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, checkpoint_read, id, &row);
	test_rollback(w);
	test_begin(w);
	assert_cursor(w, id, "gone", 4);
	STORE_OK(w, step_delete, &id, 1);
	test_commit(w);
	test_begin(w);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, checkpoint_read, id, &row);
	test_rollback(w);
}

typedef struct seen {
	bool has_checkpoint;
	uint32_t count;
	int64_t token;
	char cursor[8];
} seen;

static bool see(void *context, const sb_step_view *view)
{
	seen *s = context;

	s->has_checkpoint = view->has_checkpoint;
	s->count = view->status.checkpoint_count;
	s->token = view->checkpoint.token;
	if (view->has_checkpoint && view->checkpoint.cursor.len < sizeof s->cursor)
		memcpy(s->cursor, view->checkpoint.cursor.data, view->checkpoint.cursor.len);
	return true;
}

static void a_view_shows_the_checkpoint_that_the_status_counts(void **state)
{
	test_store *w = *state;
	seen with = { 0 }, without = { 0 };
	sb_checkpoint_row row;
	int64_t id, bare;

	test_begin(w);
	id = add_step(w, sb_slice_z("here"));
	bare = test_step_in(w, SB_STEP_READY);
	row = checkpoint_of(bare, sb_slice_z("unseen"));
	STORE_OK(w, checkpoint_put, &row);
	test_commit(w);
	STORE_OK(w, step_view, id, see, &with);
	assert_true(with.has_checkpoint);
	assert_int_equal(with.count, 1);
	assert_int_equal(with.token, 17);
	assert_string_equal(with.cursor, "here");
	STORE_OK(w, step_view, bare, see, &without);
	assert_false(without.has_checkpoint);
	assert_int_equal(without.count, 0);
}

test_part test_conformance_checkpoints(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(a_checkpoint_is_read_as_it_was_kept),
		STORE_TEST(a_checkpoint_may_be_empty_or_large),
		STORE_TEST(a_second_checkpoint_takes_the_place_of_the_first),
		STORE_TEST(what_has_no_checkpoint_says_so),
		STORE_TEST(a_rollback_brings_the_checkpoint_back),
		STORE_TEST(a_removed_step_takes_its_checkpoint_along),
		STORE_TEST(a_view_shows_the_checkpoint_that_the_status_counts),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
