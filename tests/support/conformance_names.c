/* SPDX-License-Identifier: MIT */
/* Queues and handlers: numbers for names, and what is kept of them. */
#include <stdio.h>
#include <string.h>

#include "support/conformance.h"

static int64_t intern_queue(test_store *w, sb_slice name)
{
	int64_t id = 0;

	STORE_OK(w, queue_intern, name, &id);
	assert_true(id > 0);
	return id;
}

static int64_t intern_handler(test_store *w, const char *space, const char *name,
			      const char *version)
{
	const sb_handler_row row = { .handler_namespace = sb_slice_z(space),
				     .name = sb_slice_z(name),
				     .version = sb_slice_z(version) };
	int64_t id = 0;

	STORE_OK(w, handler_intern, &row, &id);
	assert_true(id > 0);
	return id;
}

static void a_queue_has_one_number(void **state)
{
	test_store *w = *state;
	int64_t id, other;
	sb_queue_row row;

	test_begin(w);
	assert_int_equal(intern_queue(w, sb_slice_z("mail")), w->queue_ids[0]);
	id = intern_queue(w, sb_slice_z("Mail"));
	assert_true(id != w->queue_ids[0] && id != w->queue_ids[1]);
	other = intern_queue(w, sb_slice_of("mailbox", 7));
	assert_true(other != w->queue_ids[0] && other != id);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	assert_int_equal(intern_queue(w, sb_slice_of("mailing", 4)), w->queue_ids[0]);
	assert_int_equal(intern_queue(w, sb_slice_z("Mail")), id);
	STORE_OK(w, queue_read, id, &row);
	assert_int_equal(row.id, id);
	test_assert_text(row.name, "Mail");
	test_commit(w);
}

static void a_new_queue_is_open_and_without_limits(void **state)
{
	test_store *w = *state;
	sb_queue_row row;

	memset(&row, 0x5a, sizeof row);
	test_begin(w);
	STORE_OK(w, queue_read, w->queue_ids[1], &row);
	test_assert_text(row.name, "print");
	assert_int_equal(row.paused_at_us, 0);
	assert_int_equal(row.concurrency_max, 0);
	assert_int_equal(row.key_concurrency_max, 0);
	assert_int_equal(row.rate_count, 0);
	assert_int_equal(row.rate_period_us, 0);
	test_commit(w);
}

static void many_queues_have_numbers_of_their_own(void **state)
{
	enum { COUNT = 300 };
	test_store *w = *state;
	int64_t ids[COUNT];
	char name[32];

	test_begin(w);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "queue %d", i);
		ids[i] = intern_queue(w, sb_slice_z(name));
		assert_true(i == 0 || ids[i] > ids[i - 1]);
	}
	for (int i = 0; i < COUNT; i++) {
		sb_queue_row row;

		snprintf(name, sizeof name, "queue %d", i);
		assert_int_equal(intern_queue(w, sb_slice_z(name)), ids[i]);
		STORE_OK(w, queue_read, ids[i], &row);
		test_assert_text(row.name, name);
	}
	test_commit(w);
}

static void numbers_without_a_name_are_not_found(void **state)
{
	static const int64_t ids[] = { 0, -1, 999, INT64_MAX, INT64_MIN };
	test_store *w = *state;
	sb_queue_row queue;
	sb_handler_row handler;

	test_begin(w);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		STORE_ANSWERS(w, STEPBUS_ENOTFOUND, queue_read, ids[i], &queue);
		STORE_ANSWERS(w, STEPBUS_ENOTFOUND, handler_read, ids[i], &handler);
	}
	test_commit(w);
}

static void a_reader_finds_queues_by_name(void **state)
{
	test_store *w = *state;
	int64_t id = 0;

	STORE_OK(w, queue_find, sb_slice_z("print"), &id);
	assert_int_equal(id, w->queue_ids[1]);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, queue_find, sb_slice_z("prin"), &id);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, queue_find, sb_slice_z(""), &id);
}

static void assert_same_queue(const sb_queue_row *a, const sb_queue_row *b)
{
	assert_int_equal(a->id, b->id);
	test_assert_slice(a->name, b->name.data, b->name.len);
	assert_int_equal(a->paused_at_us, b->paused_at_us);
	assert_int_equal(a->concurrency_max, b->concurrency_max);
	assert_int_equal(a->key_concurrency_max, b->key_concurrency_max);
	assert_int_equal(a->rate_count, b->rate_count);
	assert_int_equal(a->rate_period_us, b->rate_period_us);
	assert_int_equal(a->rate_room_micro, b->rate_room_micro);
	assert_int_equal(a->rate_at_us, b->rate_at_us);
}

static void a_queue_is_written_but_for_its_name(void **state)
{
	test_store *w = *state;
	sb_queue_row wanted = { .id = w->queue_ids[0],
				.name = sb_slice_z("another name"),
				.paused_at_us = INT64_MAX,
				.concurrency_max = UINT32_MAX,
				.key_concurrency_max = 4,
				.rate_count = 5,
				.rate_period_us = 6,
				.rate_room_micro = 7,
				.rate_at_us = 8 };
	sb_queue_row got;

	test_begin(w);
	STORE_OK(w, queue_write, &wanted);
	wanted.name = sb_slice_z("mail");
	STORE_OK(w, queue_read, w->queue_ids[0], &got);
	assert_same_queue(&got, &wanted);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	STORE_OK(w, queue_read, w->queue_ids[0], &got);
	assert_same_queue(&got, &wanted);
	STORE_OK(w, queue_read, w->queue_ids[1], &got);
	assert_int_equal(got.paused_at_us, 0);
	test_commit(w);
}

typedef struct listed {
	size_t count;
	size_t stop_at; /* 0: never */
	int64_t ids[8];
	char names[8][16];
} listed;

static bool list_queue(void *context, const sb_queue_row *row)
{
	listed *l = context;

	if (l->count < 8 && row->name.len < 16) {
		l->ids[l->count] = row->id;
		memcpy(l->names[l->count], row->name.data, row->name.len);
	}
	return ++l->count != l->stop_at;
}

static void queues_are_listed_by_number(void **state)
{
	test_store *w = *state;
	listed inside = { 0 }, outside = { 0 }, one = { .stop_at = 1 };

	test_begin(w);
	intern_queue(w, sb_slice_z("archive"));
	STORE_OK(w, queue_list, list_queue, &inside);
	test_commit(w);
	STORE_OK(w, queue_list, list_queue, &outside);
	STORE_OK(w, queue_list, list_queue, &one);
	assert_int_equal(inside.count, 3);
	assert_memory_equal(&inside, &outside, sizeof inside);
	assert_string_equal(inside.names[0], "mail");
	assert_string_equal(inside.names[1], "print");
	assert_string_equal(inside.names[2], "archive");
	assert_true(inside.ids[0] < inside.ids[1] && inside.ids[1] < inside.ids[2]);
	assert_int_equal(one.count, 1);
}

static void a_handler_is_its_namespace_name_and_version(void **state)
{
	static const char *const names[][3] = {
		{ "shop", "send", "" },  { "shop", "send", "2" }, { "shops", "end", "1" },
		{ "", "send", "1" },     { "sho", "psend", "1" }, { "shop", "Send", "1" },
		{ "shop", "send1", "" }, { "", "", "" },
	};
	enum { COUNT = sizeof names / sizeof *names };
	test_store *w = *state;
	int64_t ids[COUNT];
	sb_handler_row row;

	test_begin(w);
	for (size_t i = 0; i < COUNT; i++) {
		ids[i] = intern_handler(w, names[i][0], names[i][1], names[i][2]);
		assert_true(ids[i] != w->handler_ids[0] && ids[i] != w->handler_ids[1]);
		for (size_t k = 0; k < i; k++)
			assert_true(ids[k] != ids[i]);
	}
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(intern_handler(w, names[i][0], names[i][1], names[i][2]), ids[i]);
		STORE_OK(w, handler_read, ids[i], &row);
		assert_int_equal(row.id, ids[i]);
		test_assert_text(row.handler_namespace, names[i][0]);
		test_assert_text(row.name, names[i][1]);
		test_assert_text(row.version, names[i][2]);
		assert_int_equal(row.recorded_at_us, 0);
	}
	assert_int_equal(intern_handler(w, "shop", "send", "1"), w->handler_ids[0]);
	test_commit(w);
}

static bool is_recorded(test_store *w, const char *space, const char *name, const char *version)
{
	const sb_handler_row row = { .handler_namespace = sb_slice_z(space),
				     .name = sb_slice_z(name),
				     .version = sb_slice_z(version) };
	bool answer = false;

	STORE_OK(w, handler_is_recorded, &row, &answer);
	return answer;
}

static void a_recorded_handler_is_recorded_in_all_versions(void **state)
{
	test_store *w = *state;
	sb_handler_row served = { .handler_namespace = sb_slice_z("shop"),
				  .name = sb_slice_z("send"),
				  .version = sb_slice_z("1"),
				  .recorded_at_us = 500 };
	sb_handler_row row = served;
	int64_t other_id;

	test_begin(w);
	assert_false(is_recorded(w, "shop", "send", "1"));
	row.version = sb_slice_z("2");
	STORE_OK(w, handler_intern, &row, &other_id);
	STORE_OK(w, handler_record, &served);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	assert_true(is_recorded(w, "shop", "send", "1"));
	assert_true(is_recorded(w, "shop", "send", ""));
	assert_true(is_recorded(w, "shop", "send", "77"));
	assert_false(is_recorded(w, "shop", "bill", ""));
	assert_false(is_recorded(w, "", "send", "1"));
	STORE_OK(w, handler_read, w->handler_ids[0], &row);
	assert_int_equal(row.recorded_at_us, 500);
	served.recorded_at_us = 900;
	STORE_OK(w, handler_record, &served);
	STORE_OK(w, handler_read, w->handler_ids[0], &row);
	assert_int_equal(row.recorded_at_us, 500);
	/* The name is recorded; the time is that of one version. */
	STORE_OK(w, handler_read, other_id, &row);
	assert_int_equal(row.recorded_at_us, 0);
	test_commit(w);
}

static void a_handler_can_be_recorded_before_any_step_asks_for_it(void **state)
{
	test_store *w = *state;
	const sb_handler_row served = { .handler_namespace = sb_slice_z("new"),
					.name = sb_slice_z("one"),
					.version = sb_slice_z("3"),
					.recorded_at_us = 500 };

	test_begin(w);
	assert_false(is_recorded(w, "new", "one", "3"));
	STORE_OK(w, handler_record, &served);
	assert_true(is_recorded(w, "new", "one", "3"));
	assert_true(is_recorded(w, "new", "one", ""));
	intern_handler(w, "new", "one", "");
	intern_handler(w, "new", "one", "3");
	assert_true(is_recorded(w, "new", "one", ""));
	test_commit(w);
}

test_part test_conformance_names(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(a_queue_has_one_number),
		STORE_TEST(a_new_queue_is_open_and_without_limits),
		STORE_TEST(many_queues_have_numbers_of_their_own),
		STORE_TEST(numbers_without_a_name_are_not_found),
		STORE_TEST(a_reader_finds_queues_by_name),
		STORE_TEST(a_queue_is_written_but_for_its_name),
		STORE_TEST(queues_are_listed_by_number),
		STORE_TEST(a_handler_is_its_namespace_name_and_version),
		STORE_TEST(a_recorded_handler_is_recorded_in_all_versions),
		STORE_TEST(a_handler_can_be_recorded_before_any_step_asks_for_it),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
