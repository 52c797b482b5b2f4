/* SPDX-License-Identifier: MIT */
/* Workers, what they serve, and cron. */
#include <stdio.h>
#include <string.h>

#include "support/conformance.h"

enum { MAX = 8, TEXT_LEN = 64 };

/* What a list showed, copied: nothing of it may be used after the visit. */
typedef struct shown_workers {
	size_t count;
	sb_worker_row rows[MAX];
	char texts[MAX][4][TEXT_LEN];
} shown_workers;

static void keep_text(char *to, sb_slice text)
{
	size_t len = text.len < TEXT_LEN - 1 ? text.len : TEXT_LEN - 1;

	if (len > 0)
		memcpy(to, text.data, len);
	to[len] = '\0';
}

static bool show_worker(void *context, const sb_worker_row *row)
{
	shown_workers *s = context;
	size_t i = s->count++;

	if (i >= MAX)
		return false;
	s->rows[i] = *row;
	keep_text(s->texts[i][0], row->name);
	keep_text(s->texts[i][1], row->strategy);
	keep_text(s->texts[i][2], row->queues);
	keep_text(s->texts[i][3], row->capabilities);
	return true;
}

static shown_workers list_workers(test_store *w)
{
	shown_workers s = { 0 };

	STORE_OK(w, worker_list, show_worker, &s);
	return s;
}

static sb_worker_row full_worker(void)
{
	return (sb_worker_row){ .name = sb_slice_z("second"),
				.strategy = sb_slice_z("lifo"),
				.queues = sb_slice_z("mail,print"),
				.capabilities = sb_slice_z("http,exec"),
				.boot_id = { 1, 0, 255, 4 },
				.pid = 77,
				.started_at_us = 100,
				.heartbeat_at_us = 101,
				.lease_until_ns = INT64_MAX,
				.block_size = 102,
				.pool_size = 103,
				.completed_count = 104,
				.failed_count = 105,
				.active_count = 106 };
}

static void assert_same_worker(const sb_worker_row *a, const sb_worker_row *b)
{
	assert_int_equal(a->id, b->id);
	assert_memory_equal(a->boot_id, b->boot_id, SB_BOOT_ID_LEN);
	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->started_at_us, b->started_at_us);
	assert_int_equal(a->heartbeat_at_us, b->heartbeat_at_us);
	assert_int_equal(a->lease_until_ns, b->lease_until_ns);
	assert_int_equal(a->stopped_at_us, b->stopped_at_us);
	assert_int_equal(a->block_size, b->block_size);
	assert_int_equal(a->pool_size, b->pool_size);
	assert_int_equal(a->completed_count, b->completed_count);
	assert_int_equal(a->failed_count, b->failed_count);
	assert_int_equal(a->active_count, b->active_count);
}

static void a_worker_is_listed_as_it_was_inserted(void **state)
{
	test_store *w = *state;
	sb_worker_row row = full_worker();
	shown_workers s;

	test_begin(w);
	STORE_OK(w, worker_insert, &row);
	assert_true(row.id > w->worker_id);
	s = list_workers(w);
	assert_int_equal(s.count, 2);
	test_commit(w);
	test_reopen(w);
	s = list_workers(w);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.rows[0].id, w->worker_id);
	assert_string_equal(s.texts[0][0], "first");
	assert_same_worker(&s.rows[1], &row);
	assert_string_equal(s.texts[1][0], "second");
	assert_string_equal(s.texts[1][1], "lifo");
	assert_string_equal(s.texts[1][2], "mail,print");
	assert_string_equal(s.texts[1][3], "http,exec");
}

static void two_lives_of_a_worker_are_two_rows(void **state)
{
	test_store *w = *state;
	sb_worker_row first = full_worker(), second = full_worker();

	test_begin(w);
	STORE_OK(w, worker_insert, &first);
	STORE_OK(w, worker_insert, &second);
	assert_true(second.id > first.id);
	test_commit(w);
	assert_int_equal(list_workers(w).count, 3);
}

static void an_update_writes_times_and_counts(void **state)
{
	test_store *w = *state;
	sb_worker_row row = full_worker();
	shown_workers s;

	test_begin(w);
	STORE_OK(w, worker_insert, &row);
	row.heartbeat_at_us = 201;
	row.lease_until_ns = 202;
	row.completed_count = 204;
	row.failed_count = 205;
	row.active_count = 206;
	STORE_OK(w, worker_update, &row);
	test_commit(w);
	test_reopen(w);
	s = list_workers(w);
	assert_same_worker(&s.rows[1], &row);
	assert_string_equal(s.texts[1][0], "second");
}

static void a_worker_that_is_stopped_or_gone_is_not_updated(void **state)
{
	test_store *w = *state;
	sb_worker_row row = full_worker();
	sb_worker_row gone = { .id = 999 };

	test_begin(w);
	STORE_OK(w, worker_insert, &row);
	row.stopped_at_us = 300;
	STORE_OK(w, worker_update, &row);
	test_commit(w);
	test_begin(w);
	row.heartbeat_at_us = 400;
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, worker_update, &row);
	test_rollback(w);
	test_begin(w);
	row.stopped_at_us = 0;
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, worker_update, &row);
	test_rollback(w);
	test_begin(w);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, worker_update, &gone);
	test_rollback(w);
	assert_int_equal(list_workers(w).rows[1].heartbeat_at_us, 101);
	assert_int_equal(list_workers(w).rows[1].stopped_at_us, 300);
}

/* What is served, as one text: "worker:namespace/name/version;", in order of appearance. */
typedef struct shown_served {
	size_t count;
	char text[512];
} shown_served;

static bool show_served(void *context, const sb_served_row *row)
{
	shown_served *s = context;
	size_t len = strlen(s->text);

	s->count++;
	snprintf(s->text + len, sizeof s->text - len, "%d:%.*s/%.*s/%.*s;", (int)row->worker_id,
		 (int)row->handler_namespace.len, row->handler_namespace.data, (int)row->name.len,
		 row->name.data, (int)row->version.len, row->version.data);
	return true;
}

static shown_served list_served(test_store *w)
{
	shown_served s = { 0 };

	STORE_OK(w, served_list, show_served, &s);
	return s;
}

static bool has_served(const shown_served *s, int64_t worker_id, const char *name)
{
	char wanted[128];

	snprintf(wanted, sizeof wanted, "%d:%s;", (int)worker_id, name);
	return strstr(s->text, wanted) != NULL;
}

static void what_a_worker_serves_is_replaced(void **state)
{
	const sb_served_row rows[] = {
		{ 1, sb_slice_z("shop"), sb_slice_z("send"), sb_slice_z("1") },
		{ 1, sb_slice_z("shop"), sb_slice_z("send"), sb_slice_z("2") },
		{ 1, sb_slice_z(""), sb_slice_z("bill"), sb_slice_z("") },
	};
	test_store *w = *state;
	shown_served s;

	test_begin(w);
	assert_int_equal(list_served(w).count, 0);
	STORE_OK(w, served_put, w->worker_id, rows, 3);
	s = list_served(w);
	assert_int_equal(s.count, 3);
	test_commit(w);
	test_reopen(w);
	s = list_served(w);
	assert_int_equal(s.count, 3);
	assert_true(has_served(&s, w->worker_id, "shop/send/1"));
	assert_true(has_served(&s, w->worker_id, "shop/send/2"));
	assert_true(has_served(&s, w->worker_id, "/bill/"));
	test_begin(w);
	STORE_OK(w, served_put, w->worker_id, rows + 1, 1);
	test_commit(w);
	s = list_served(w);
	assert_int_equal(s.count, 1);
	assert_true(has_served(&s, w->worker_id, "shop/send/2"));
	test_begin(w);
	STORE_OK(w, served_put, w->worker_id, NULL, 0);
	test_commit(w);
	assert_int_equal(list_served(w).count, 0);
}

static void only_workers_that_are_not_stopped_serve(void **state)
{
	const sb_served_row served = { 0, sb_slice_z("a"), sb_slice_z("b"), sb_slice_z("c") };
	test_store *w = *state;
	sb_worker_row row = full_worker();
	shown_served s;

	test_begin(w);
	STORE_OK(w, worker_insert, &row);
	STORE_OK(w, served_put, w->worker_id, &served, 1);
	STORE_OK(w, served_put, row.id, &served, 1);
	assert_int_equal(list_served(w).count, 2);
	row.stopped_at_us = 300;
	STORE_OK(w, worker_update, &row);
	s = list_served(w);
	assert_int_equal(s.count, 1);
	assert_true(has_served(&s, w->worker_id, "a/b/c"));
	STORE_OK(w, worker_delete, w->worker_id);
	assert_int_equal(list_served(w).count, 0);
	/* Who is not there serves nothing. */
	STORE_OK(w, served_put, w->worker_id, &served, 1);
	assert_int_equal(list_served(w).count, 0);
	test_commit(w);
}

static void a_removed_worker_is_gone(void **state)
{
	test_store *w = *state;
	sb_worker_row row = full_worker();
	sb_worker_row next = full_worker();

	test_begin(w);
	STORE_OK(w, worker_insert, &row);
	test_commit(w);
	test_begin(w);
	STORE_OK(w, worker_delete, row.id);
	assert_int_equal(list_workers(w).count, 1);
	STORE_OK(w, worker_insert, &next);
	assert_true(next.id > row.id);
	test_commit(w);
	assert_int_equal(list_workers(w).count, 2);
}

typedef struct shown_crons {
	size_t count;
	sb_cron_row rows[MAX];
	char texts[MAX][5][TEXT_LEN];
} shown_crons;

static bool show_cron(void *context, const sb_cron_row *row)
{
	shown_crons *s = context;
	size_t i = s->count++;

	if (i >= MAX)
		return false;
	s->rows[i] = *row;
	keep_text(s->texts[i][0], row->name);
	keep_text(s->texts[i][1], row->expression);
	keep_text(s->texts[i][2], row->zone);
	keep_text(s->texts[i][3], row->step);
	keep_text(s->texts[i][4], row->catch_up);
	return true;
}

static shown_crons list_crons(test_store *w)
{
	shown_crons s = { 0 };

	STORE_OK(w, cron_list, show_cron, &s);
	return s;
}

static sb_cron_row cron_of(const char *name)
{
	return (sb_cron_row){ .name = sb_slice_z(name),
			      .expression = sb_slice_z("0 3 * * *"),
			      .zone = sb_slice_z("Europe/Berlin"),
			      .step = sb_slice_z("{\"handler\":\"send\"}"),
			      .catch_up = sb_slice_z("one"),
			      .next_at_us = INT64_MAX,
			      .last_at_us = 2,
			      .paused_at_us = 3,
			      .created_at_us = 4 };
}

static void assert_cron(const shown_crons *s, size_t i, const sb_cron_row *row)
{
	test_assert_slice(row->name, s->texts[i][0], strlen(s->texts[i][0]));
	test_assert_slice(row->expression, s->texts[i][1], strlen(s->texts[i][1]));
	test_assert_slice(row->zone, s->texts[i][2], strlen(s->texts[i][2]));
	test_assert_slice(row->step, s->texts[i][3], strlen(s->texts[i][3]));
	test_assert_slice(row->catch_up, s->texts[i][4], strlen(s->texts[i][4]));
	assert_int_equal(s->rows[i].next_at_us, row->next_at_us);
	assert_int_equal(s->rows[i].last_at_us, row->last_at_us);
	assert_int_equal(s->rows[i].paused_at_us, row->paused_at_us);
	assert_int_equal(s->rows[i].created_at_us, row->created_at_us);
}

static void crons_are_listed_by_name(void **state)
{
	static const char *const names[] = { "B", "a", "ab", "b", "grün" };
	static const size_t order[] = { 3, 0, 4, 2, 1 };
	test_store *w = *state;
	shown_crons s;

	test_begin(w);
	for (size_t i = 0; i < 5; i++) {
		const sb_cron_row row = cron_of(names[order[i]]);

		STORE_OK(w, cron_put, &row);
	}
	assert_int_equal(list_crons(w).count, 5);
	test_commit(w);
	test_reopen(w);
	s = list_crons(w);
	assert_int_equal(s.count, 5);
	for (size_t i = 0; i < 5; i++) {
		const sb_cron_row row = cron_of(names[i]);

		assert_cron(&s, i, &row);
	}
}

static void a_cron_is_replaced_and_removed_by_name(void **state)
{
	test_store *w = *state;
	sb_cron_row row = cron_of("nightly");
	shown_crons s;

	test_begin(w);
	STORE_OK(w, cron_put, &row);
	test_commit(w);
	test_begin(w);
	row.expression = sb_slice_z("*/5 * * * *");
	row.zone = sb_slice_z("");
	row.next_at_us = row.last_at_us = row.paused_at_us = row.created_at_us = 0;
	STORE_OK(w, cron_put, &row);
	test_commit(w);
	s = list_crons(w);
	assert_int_equal(s.count, 1);
	assert_cron(&s, 0, &row);
	test_begin(w);
	STORE_OK(w, cron_delete, row.name);
	test_commit(w);
	assert_int_equal(list_crons(w).count, 0);
	test_begin(w);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, cron_delete, row.name);
	test_rollback(w);
}

test_part test_conformance_workers(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(a_worker_is_listed_as_it_was_inserted),
		STORE_TEST(two_lives_of_a_worker_are_two_rows),
		STORE_TEST(an_update_writes_times_and_counts),
		STORE_TEST(a_worker_that_is_stopped_or_gone_is_not_updated),
		STORE_TEST(what_a_worker_serves_is_replaced),
		STORE_TEST(only_workers_that_are_not_stopped_serve),
		STORE_TEST(a_removed_worker_is_gone),
		STORE_TEST(crons_are_listed_by_name),
		STORE_TEST(a_cron_is_replaced_and_removed_by_name),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
