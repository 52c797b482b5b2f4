/* SPDX-License-Identifier: MIT */
/* What belongs to a step: attempts, its result, unique keys. */
#include <stdlib.h>
#include <string.h>

#include "support/conformance.h"

enum { MAX = 8, TEXT_LEN = 64 };

typedef struct shown_attempts {
	size_t count;
	size_t stop_at; /* 0: never */
	sb_attempt_row rows[MAX];
	char texts[MAX][6][TEXT_LEN];
} shown_attempts;

static void keep_text(char *to, sb_slice text)
{
	size_t len = text.len < TEXT_LEN - 1 ? text.len : TEXT_LEN - 1;

	if (len > 0)
		memcpy(to, text.data, len);
	to[len] = '\0';
}

static bool show_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	shown_attempts *s = context;
	size_t i = s->count++;

	if (i >= MAX)
		return false;
	s->rows[i] = *row;
	keep_text(s->texts[i][0], row->error_type);
	keep_text(s->texts[i][1], row->message);
	keep_text(s->texts[i][2], row->error_code);
	keep_text(s->texts[i][3], row->backtrace);
	keep_text(s->texts[i][4], row->metadata);
	keep_text(s->texts[i][5], worker);
	return s->count != s->stop_at;
}

static shown_attempts list_attempts(test_store *w, int64_t id)
{
	shown_attempts s = { 0 };

	STORE_OK(w, attempt_list, id, show_attempt, &s);
	return s;
}

static sb_attempt_row attempt_of(const test_store *w, int64_t id, int64_t token)
{
	return (sb_attempt_row){ .step_id = id,
				 .token = token,
				 .worker_id = w->worker_id,
				 .started_at_us = 10,
				 .finished_at_us = INT64_MAX,
				 .execution_us = 12,
				 .retry_at_us = 13,
				 .number = UINT32_MAX,
				 .outcome = SB_ATTEMPT_FAILURE,
				 .is_retryable = true,
				 .error_type = sb_slice_z("Timeout"),
				 .message = sb_slice_z("zu spät"),
				 .error_code = sb_slice_z("E1"),
				 .backtrace = sb_slice_z("a\nb"),
				 .metadata = sb_slice_z("{}") };
}

static void assert_attempt(const shown_attempts *s, size_t i, const sb_attempt_row *row)
{
	const sb_attempt_row *got = &s->rows[i];

	assert_int_equal(got->step_id, row->step_id);
	assert_int_equal(got->token, row->token);
	assert_int_equal(got->worker_id, row->worker_id);
	assert_int_equal(got->started_at_us, row->started_at_us);
	assert_int_equal(got->finished_at_us, row->finished_at_us);
	assert_int_equal(got->execution_us, row->execution_us);
	assert_int_equal(got->retry_at_us, row->retry_at_us);
	assert_int_equal(got->number, row->number);
	assert_int_equal(got->outcome, row->outcome);
	assert_int_equal(got->is_retryable, row->is_retryable);
	test_assert_slice(row->error_type, s->texts[i][0], strlen(s->texts[i][0]));
	test_assert_slice(row->message, s->texts[i][1], strlen(s->texts[i][1]));
	test_assert_slice(row->error_code, s->texts[i][2], strlen(s->texts[i][2]));
	test_assert_slice(row->backtrace, s->texts[i][3], strlen(s->texts[i][3]));
	test_assert_slice(row->metadata, s->texts[i][4], strlen(s->texts[i][4]));
}

static void attempts_are_listed_by_token(void **state)
{
	static const int64_t tokens[] = { 30, 10, INT64_MAX, 20 };
	static const int64_t sorted[] = { 10, 20, 30, INT64_MAX };
	test_store *w = *state;
	int64_t id, other;
	shown_attempts s;

	test_begin(w);
	id = test_step_in(w, SB_STEP_FAILED);
	other = test_step_in(w, SB_STEP_FAILED);
	for (size_t i = 0; i < 4; i++) {
		sb_attempt_row row = attempt_of(w, id, tokens[i]);

		STORE_OK(w, attempt_put, &row);
		row.step_id = other;
		row.token = 40 + (int64_t)i;
		if (i < 2)
			STORE_OK(w, attempt_put, &row);
	}
	test_commit(w);
	test_reopen(w);
	s = list_attempts(w, id);
	assert_int_equal(s.count, 4);
	for (size_t i = 0; i < 4; i++) {
		const sb_attempt_row row = attempt_of(w, id, sorted[i]);

		assert_attempt(&s, i, &row);
		assert_string_equal(s.texts[i][5], "first");
	}
	assert_int_equal(list_attempts(w, other).count, 2);
}

static void a_second_attempt_of_a_token_replaces_the_first(void **state)
{
	test_store *w = *state;
	sb_attempt_row row;
	shown_attempts s;
	int64_t id;

	test_begin(w);
	id = test_step_in(w, SB_STEP_FAILED);
	for (int64_t token = 1; token <= 3; token++) {
		row = attempt_of(w, id, token);
		STORE_OK(w, attempt_put, &row);
	}
	test_commit(w);
	test_begin(w);
	row = (sb_attempt_row){ .step_id = id, .token = 2, .outcome = SB_ATTEMPT_LOST };
	STORE_OK(w, attempt_put, &row);
	test_commit(w);
	s = list_attempts(w, id);
	assert_int_equal(s.count, 3);
	assert_attempt(&s, 1, &row);
	assert_string_equal(s.texts[1][5], "");
	assert_int_equal(s.rows[0].outcome, SB_ATTEMPT_FAILURE);
	assert_int_equal(s.rows[2].outcome, SB_ATTEMPT_FAILURE);
}

static void a_success_without_a_row_is_shown_from_the_status(void **state)
{
	test_store *w = *state;
	sb_attempt_row before, wanted;
	sb_step_status status;
	shown_attempts s;
	int64_t id;

	test_begin(w);
	id = test_step_in(w, SB_STEP_COMPLETED);
	status = test_status_of(w, id);
	before = attempt_of(w, id, status.token - 1);
	STORE_OK(w, attempt_put, &before);
	test_commit(w);
	wanted = (sb_attempt_row){ .step_id = id,
				   .token = status.token,
				   .worker_id = w->worker_id,
				   .started_at_us = 3000 - 700,
				   .finished_at_us = 3000,
				   .execution_us = 700,
				   .number = 1,
				   .outcome = SB_ATTEMPT_SUCCESS };
	s = list_attempts(w, id);
	assert_int_equal(s.count, 2);
	assert_attempt(&s, 0, &before);
	assert_attempt(&s, 1, &wanted);
	assert_string_equal(s.texts[1][5], "first");
	s = (shown_attempts){ .stop_at = 1 };
	STORE_OK(w, attempt_list, id, show_attempt, &s);
	assert_int_equal(s.count, 1);
}

static void a_success_with_a_row_is_shown_once(void **state)
{
	test_store *w = *state;
	sb_attempt_row row;
	int64_t id;

	test_begin(w);
	id = test_step_in(w, SB_STEP_COMPLETED);
	row = attempt_of(w, id, test_status_of(w, id).token);
	row.outcome = SB_ATTEMPT_SUCCESS;
	STORE_OK(w, attempt_put, &row);
	test_commit(w);
	assert_int_equal(list_attempts(w, id).count, 1);
}

static void steps_that_did_not_succeed_show_only_rows(void **state)
{
	test_store *w = *state;
	int64_t ids[SB_STEP_STATE_MAX + 1];

	test_begin(w);
	for (int i = SB_STEP_STATE_MIN; i <= SB_STEP_STATE_MAX; i++)
		ids[i] = test_step_in(w, (sb_step_state)i);
	test_commit(w);
	for (int i = SB_STEP_STATE_MIN; i <= SB_STEP_STATE_MAX; i++)
		assert_int_equal(list_attempts(w, ids[i]).count, i == SB_STEP_COMPLETED);
}

static void attempts_of_no_step_are_not_found(void **state)
{
	test_store *w = *state;
	shown_attempts s = { 0 };

	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, attempt_list, 999, show_attempt, &s);
	assert_int_equal(s.count, 0);
}

typedef struct shown_result {
	bool has_result;
	bool is_same;
	sb_result_row wanted;
} shown_result;

static bool show_result(void *context, const sb_step_view *view)
{
	shown_result *s = context;

	s->has_result = view->has_result;
	s->is_same = sb_slice_is_equal(view->result.bytes, s->wanted.bytes) &&
		     sb_slice_is_equal(view->result.content_type, s->wanted.content_type) &&
		     sb_slice_is_equal(view->result.metadata, s->wanted.metadata);
	return true;
}

static void put_and_check_result(test_store *w, int64_t id, sb_result_row row)
{
	shown_result s = { .wanted = row };

	row.step_id = id;
	test_begin(w);
	STORE_OK(w, result_put, &row);
	test_commit(w);
	test_reopen(w);
	STORE_OK(w, step_view, id, show_result, &s);
	assert_true(s.has_result);
	assert_true(s.is_same);
}

static void a_result_is_kept_byte_for_byte_and_replaced(void **state)
{
	enum { LEN = 1 << 20 };
	test_store *w = *state;
	char *bytes = malloc(LEN);
	shown_result none = { .has_result = true };
	int64_t id;

	assert_non_null(bytes);
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (char)(uint8_t)(i + (i >> 8));
	test_begin(w);
	id = test_step_in(w, SB_STEP_COMPLETED);
	test_commit(w);
	STORE_OK(w, step_view, id, show_result, &none);
	assert_false(none.has_result);
	put_and_check_result(w, id,
			     (sb_result_row){ .bytes = sb_slice_of(bytes, LEN),
					      .content_type = sb_slice_z("image/png"),
					      .metadata = sb_slice_z("{\"ü\":1}") });
	put_and_check_result(w, id, (sb_result_row){ .bytes = sb_slice_of(bytes, 256) });
	put_and_check_result(w, id, (sb_result_row){ .metadata = sb_slice_z("{}") });
	put_and_check_result(w, id, (sb_result_row){ .bytes = sb_slice_z("") });
	free(bytes);
}

/* A step whose row has these keys. */
static int64_t add_keyed(test_store *w, sb_slice idempotency_key, sb_slice unique_key)
{
	sb_step_row row = test_step_row(w);

	row.idempotency_key = idempotency_key;
	row.unique_key = unique_key;
	return test_step_add(w, row, (sb_step_status){ .state = SB_STEP_READY });
}

static int64_t find_key(test_store *w, const char *key)
{
	int64_t id = -1;

	STORE_OK(w, unique_find, sb_slice_z(key), &id);
	return id;
}

static void a_key_belongs_to_one_step_at_a_time(void **state)
{
	test_store *w = *state;
	int64_t first, second;

	test_begin(w);
	first = add_keyed(w, sb_slice_z("k"), sb_slice_z("kk"));
	second = add_keyed(w, sb_slice_z("other"), sb_slice_z("k"));
	assert_int_equal(find_key(w, "k"), 0);
	STORE_OK(w, unique_put, sb_slice_z("k"), first);
	STORE_OK(w, unique_put, sb_slice_z("kk"), first);
	STORE_OK(w, unique_put, sb_slice_z("other"), second);
	assert_int_equal(find_key(w, "k"), first);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	assert_int_equal(find_key(w, "k"), first);
	STORE_OK(w, unique_put, sb_slice_z("k"), second);
	STORE_OK(w, unique_put, sb_slice_z("k"), second);
	assert_int_equal(find_key(w, "k"), second);
	assert_int_equal(find_key(w, "kk"), first);
	assert_int_equal(find_key(w, "K"), 0);
	test_commit(w);
}

static void keys_may_be_any_bytes(void **state)
{
	test_store *w = *state;
	int64_t ids[3], found = 0;

	test_begin(w);
	for (size_t i = 0; i < 3; i++) {
		const sb_slice key = sb_slice_of("a\0b\0\xff", 1 + 2 * i);

		ids[i] = add_keyed(w, key, sb_slice_of(NULL, 0));
		STORE_OK(w, unique_put, key, ids[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		STORE_OK(w, unique_find, sb_slice_of("a\0b\0\xff", 1 + 2 * i), &found);
		assert_int_equal(found, ids[i]);
	}
	test_commit(w);
}

static void a_removed_step_gives_up_its_keys_and_no_others(void **state)
{
	const sb_slice a = sb_slice_z("a"), b = sb_slice_z("b");
	test_store *w = *state;
	int64_t first, second;

	test_begin(w);
	first = add_keyed(w, a, b);
	second = add_keyed(w, b, a);
	STORE_OK(w, unique_put, a, first);
	STORE_OK(w, unique_put, b, first);
	STORE_OK(w, unique_put, b, second); /* no longer the first one's */
	test_commit(w);
	test_begin(w);
	STORE_OK(w, step_delete, &first, 1);
	assert_int_equal(find_key(w, "a"), 0);
	assert_int_equal(find_key(w, "b"), second);
	STORE_OK(w, unique_put, a, second);
	assert_int_equal(find_key(w, "a"), second);
	test_commit(w);
	test_begin(w);
	assert_int_equal(find_key(w, "a"), second);
	STORE_OK(w, step_delete, &second, 1);
	test_commit(w);
	test_reopen(w);
	test_begin(w);
	assert_int_equal(find_key(w, "a"), 0);
	assert_int_equal(find_key(w, "b"), 0);
	test_commit(w);
}

static void many_keys_come_and_go(void **state)
{
	enum { COUNT = 500 };
	test_store *w = *state;
	int64_t ids[COUNT];

	for (size_t round = 0; round < 3; round++) {
		test_begin(w);
		for (size_t i = 0; i < COUNT; i++) {
			const sb_slice key = sb_slice_of((const char *)&i, sizeof i);

			ids[i] = add_keyed(w, sb_slice_of(NULL, 0), key);
			STORE_OK(w, unique_put, key, ids[i]);
		}
		for (size_t i = 0; i < COUNT; i++) {
			int64_t found = 0;

			STORE_OK(w, unique_find, sb_slice_of((const char *)&i, sizeof i), &found);
			assert_int_equal(found, ids[i]);
		}
		test_commit(w);
		test_begin(w);
		STORE_OK(w, step_delete, ids, COUNT);
		test_commit(w);
	}
}

static void a_removed_step_takes_attempts_and_result_along(void **state)
{
	test_store *w = *state;
	shown_attempts s = { 0 };
	shown_result r = { 0 };
	sb_result_row result;
	sb_attempt_row row;
	int64_t id;

	test_begin(w);
	id = test_step_in(w, SB_STEP_COMPLETED);
	row = attempt_of(w, id, 1);
	result = (sb_result_row){ .step_id = id, .bytes = sb_slice_z("x") };
	STORE_OK(w, attempt_put, &row);
	STORE_OK(w, result_put, &result);
	test_commit(w);
	test_begin(w);
	STORE_OK(w, step_delete, &id, 1);
	test_commit(w);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, attempt_list, id, show_attempt, &s);
	STORE_ANSWERS(w, STEPBUS_ENOTFOUND, step_view, id, show_result, &r);
}

test_part test_conformance_rows(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(attempts_are_listed_by_token),
		STORE_TEST(a_second_attempt_of_a_token_replaces_the_first),
		STORE_TEST(a_success_without_a_row_is_shown_from_the_status),
		STORE_TEST(a_success_with_a_row_is_shown_once),
		STORE_TEST(steps_that_did_not_succeed_show_only_rows),
		STORE_TEST(attempts_of_no_step_are_not_found),
		STORE_TEST(a_result_is_kept_byte_for_byte_and_replaced),
		STORE_TEST(a_key_belongs_to_one_step_at_a_time),
		STORE_TEST(keys_may_be_any_bytes),
		STORE_TEST(a_removed_step_gives_up_its_keys_and_no_others),
		STORE_TEST(many_keys_come_and_go),
		STORE_TEST(a_removed_step_takes_attempts_and_result_along),
	};

	return (test_part){ tests, sizeof tests / sizeof *tests };
}
