/* SPDX-License-Identifier: MIT */
/* Claimed steps: what their handlers get to see, and who is asked to stop. */
#include "handlers/claimed.h"

#include <string.h>

#include "base/ids.h"
#include "support/cmocka.h"
#include "support/host.h"

static const uint8_t tag[SB_STORE_TAG_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

static sb_claimed *claim(test_host *t, int64_t id, int64_t token)
{
	const sb_step_row row = { .id = id, .input = sb_slice_z("in") };
	const sb_step_status status = { .id = id, .token = token, .attempt_count = 1 };
	const sb_handler_row handler = { .handler_namespace = sb_slice_z("default"),
					 .name = sb_slice_z("work") };

	return sb_claimed_new(&t->host, &row, &status, &handler, sb_slice_z("mail"), tag);
}

static bool is_text(const void *data, size_t len, const char *expected)
{
	return len == strlen(expected) && (len == 0 || memcmp(data, expected, len) == 0);
}

static void a_handler_sees_copies_of_all_that_was_said(void **state)
{
	char texts[] = "iicccsssffffnnhhvqqq";
	const sb_step_row row = { .id = 77,
				  .input = sb_slice_of(texts, 2),
				  .content_type = sb_slice_of(texts + 2, 3),
				  .step_name = sb_slice_of(texts + 5, 3),
				  .step_config = sb_slice_of(texts + 8, 4),
				  .retry_kind = STEPBUS_RETRY_LINEAR,
				  .attempt_count_max = 9,
				  .retry_base_us = 10,
				  .retry_cap_us = 20,
				  .jitter_percent = 30,
				  .attempt_timeout_us = 40 };
	const sb_handler_row handler = { .handler_namespace = sb_slice_of(texts + 12, 2),
					 .name = sb_slice_of(texts + 14, 2),
					 .version = sb_slice_of(texts + 16, 1) };
	const sb_step_status status = { .id = 77, .token = 5, .attempt_count = 3 };
	uint8_t id[SB_ID_LEN];
	sb_claimed *c;
	test_host t;

	(void)state;
	test_host_init(&t);
	c = sb_claimed_new(&t.host, &row, &status, &handler, sb_slice_of(texts + 17, 3), tag);
	memset(texts, 'x', sizeof texts - 1);
	sb_id_of_row(77, tag, id);
	assert_memory_equal(c->event.step_id, id, SB_ID_LEN);
	assert_int_equal(c->event.size, sizeof c->event);
	assert_int_equal(c->event.token, 5);
	assert_int_equal(c->event.retry_count, 2);
	assert_true(is_text(c->event.input, c->event.input_len, "ii"));
	assert_true(is_text(c->event.content_type, c->event.content_type_len, "ccc"));
	assert_true(is_text(c->event.step_name, c->event.step_name_len, "sss"));
	assert_true(is_text(c->event.step_config, c->event.step_config_len, "ffff"));
	assert_true(is_text(c->event.handler_namespace, c->event.handler_namespace_len, "nn"));
	assert_true(is_text(c->event.handler_name, c->event.handler_name_len, "hh"));
	assert_true(is_text(c->event.handler_version, c->event.handler_version_len, "v"));
	assert_true(is_text(c->event.correlation_id, c->event.correlation_id_len, ""));
	assert_true(is_text(c->queue.data, c->queue.len, "qqq"));
	assert_int_equal(c->retry.kind, STEPBUS_RETRY_LINEAR);
	assert_int_equal(c->retry.attempt_count_max, 9);
	assert_int_equal(c->attempt_timeout_us, 40);
	sb_claimed_unref(&t.host, c);
	test_host_end(&t);
}

static void json_is_what_an_input_is_by_default(void **state)
{
	sb_claimed *c;
	test_host t;

	(void)state;
	test_host_init(&t);
	c = claim(&t, 1, 1);
	assert_true(is_text(c->event.content_type, c->event.content_type_len, "application/json"));
	sb_claimed_unref(&t.host, c);
	test_host_end(&t);
}

static void the_last_reference_frees_it(void **state)
{
	sb_claimed *c;
	test_host t;

	(void)state;
	test_host_init(&t);
	c = claim(&t, 1, 1);
	sb_claimed_ref(c);
	sb_claimed_unref(&t.host, c);
	assert_int_equal(t.live_count, 1);
	sb_claimed_unref(&t.host, c);
	assert_int_equal(t.live_count, 0);
	t.fail_at = t.allocation_count + 1;
	assert_null(claim(&t, 1, 1));
	test_host_end(&t);
}

static bool count_one(void *context, sb_claimed *claimed)
{
	(void)claimed;
	return ++*(int *)context < 2;
}

static void only_the_attempt_that_is_meant_is_asked_to_stop(void **state)
{
	sb_claimed_table table;
	sb_claimed *c[3];
	int count = 0;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_claimed_table_init(&table, &t.host, NULL), STEPBUS_OK);
	for (int i = 0; i < 3; i++) {
		/* Two attempts of one step, and one of another. */
		c[i] = claim(&t, i < 2 ? 1 : 2, i < 2 ? 10 + i : 10);
		assert_true(sb_claimed_table_add(&table, c[i]));
	}
	sb_claimed_table_interrupt(&table, 1, 11, STEPBUS_ECANCELLED);
	sb_claimed_table_interrupt(&table, 3, 10, STEPBUS_ECANCELLED);
	assert_int_equal(atomic_load(&c[0]->interruption), STEPBUS_OK);
	assert_int_equal(atomic_load(&c[1]->interruption), STEPBUS_ECANCELLED);
	assert_int_equal(atomic_load(&c[2]->interruption), STEPBUS_OK);
	/* The first reason stays. */
	sb_claimed_table_interrupt(&table, 1, 11, STEPBUS_ETIMEDOUT);
	assert_false(sb_claimed_interrupt(c[1], STEPBUS_ESHUTDOWN));
	assert_int_equal(atomic_load(&c[1]->interruption), STEPBUS_ECANCELLED);
	/* But that there still is time to finish. */
	assert_true(sb_claimed_interrupt(c[0], STEPBUS_ESHUTDOWN));
	assert_false(sb_claimed_interrupt(c[0], STEPBUS_ESHUTDOWN));
	assert_true(sb_claimed_interrupt(c[0], STEPBUS_ETIMEDOUT));
	assert_false(sb_claimed_interrupt(c[0], STEPBUS_ETIMEDOUT));
	assert_int_equal(atomic_load(&c[0]->interruption), STEPBUS_ETIMEDOUT);
	/* A visit that says false is the last one. */
	sb_claimed_table_each(&table, count_one, &count);
	assert_int_equal(count, 2);
	for (int i = 0; i < 3; i++) {
		sb_claimed_table_remove(&table, c[i]);
		sb_claimed_unref(&t.host, c[i]);
	}
	sb_claimed_table_each(&table, count_one, &count);
	assert_int_equal(count, 2);
	sb_claimed_table_free(&table);
	test_host_end(&t);
}

static void it_stays_in_the_table_as_long_as_anybody_needs_it(void **state)
{
	const sb_claimed_key key = { 1, 10 };
	sb_claimed_table table;
	sb_claimed *c;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_claimed_table_init(&table, &t.host, NULL), STEPBUS_OK);
	c = claim(&t, 1, 10);
	assert_true(sb_claimed_table_add(&table, c));
	atomic_fetch_add(&c->hold_count, 1);
	sb_claimed_table_leave(&table, c);
	assert_ptr_equal(sb_claimed_table_find(&table, &key), c);
	sb_claimed_table_leave(&table, c);
	assert_null(sb_claimed_table_find(&table, &key));
	/* The reference that was found, and ours. */
	sb_claimed_unref(&t.host, c);
	sb_claimed_unref(&t.host, c);
	sb_claimed_table_free(&table);
	test_host_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handler_sees_copies_of_all_that_was_said),
		cmocka_unit_test(json_is_what_an_input_is_by_default),
		cmocka_unit_test(the_last_reference_frees_it),
		cmocka_unit_test(only_the_attempt_that_is_meant_is_asked_to_stop),
		cmocka_unit_test(it_stays_in_the_table_as_long_as_anybody_needs_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
