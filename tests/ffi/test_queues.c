/* SPDX-License-Identifier: MIT */
/* Setting, pausing and resuming queues, through the public interface. */
#include "support/workshop.h"

#include <sched.h>

#include "handlers/queue_settings.h"

enum { MANY = 1500 };

static stepbus_status set(test_workshop *w, const char *settings)
{
	return stepbus_queue_set(w->engine, "default", 7, settings, strlen(settings), &w->err);
}

static bool note_row(void *context, const sb_queue_row *row)
{
	sb_queue_row *out = context;

	if (sb_slice_is_equal(row->name, sb_slice_z("default")))
		*out = *row;
	return true;
}

static sb_queue_row row_of(test_workshop *w)
{
	sb_store *store = w->engine->store;
	sb_queue_row row = { 0 };

	assert_int_equal(store->type->queue_list(store, note_row, &row, NULL), STEPBUS_OK);
	return row;
}

static void add_keyed(test_workshop *w, const char *input, uint8_t id[16])
{
	stepbus_step_spec spec = test_workshop_spec(input);

	spec.concurrency_key = "customer";
	spec.concurrency_key_len = 8;
	test_workshop_enqueue(w, &spec, id);
}

static void what_is_not_given_stays(void **state)
{
	test_workshop *w = *state;
	sb_queue_row row;

	assert_int_equal(set(w, "{\"concurrency_max\":5,\"rate_count\":10}"), STEPBUS_OK);
	assert_int_equal(set(w, "{\"key_concurrency_max\":2,\"rate_period_ms\":60000}"),
			 STEPBUS_OK);
	row = row_of(w);
	assert_int_equal(row.concurrency_max, 5);
	assert_int_equal(row.key_concurrency_max, 2);
	assert_int_equal(row.rate_count, 10);
	assert_int_equal(row.rate_period_us, 60000000);
	assert_int_equal(row.paused_at_us, 0);
	assert_int_equal(set(w, "{\"paused\":true}"), STEPBUS_OK);
	assert_true(row_of(w).paused_at_us > 0);
	assert_int_equal(row_of(w).concurrency_max, 5);
}

static void wrong_settings_change_nothing(void **state)
{
	static const struct {
		const char *settings;
		const char *message;
	} cases[] = {
		{ "", "" },
		{ "[]", "" },
		{ "{\"concurrency\":1}", "concurrency_max" },
		{ "{\"concurrency_max\":-1}", "concurrency_max" },
		{ "{\"concurrency_max\":7,\"rate_period_ms\":0}", "rate_period_ms" },
		{ "{\"paused\":1}", "paused" },
	};
	test_workshop *w = *state;
	char long_name[129];

	assert_int_equal(set(w, "{\"concurrency_max\":3}"), STEPBUS_OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(set(w, cases[i].settings), STEPBUS_EINVAL);
		assert_non_null(strstr(w->err.message, cases[i].message));
		assert_int_equal(row_of(w).concurrency_max, 3);
	}
	memset(long_name, 'q', sizeof long_name);
	assert_int_equal(stepbus_queue_pause(w->engine, long_name, sizeof long_name, &w->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_queue_pause(w->engine, "a b", 3, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_queue_resume(w->engine, "", 0, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_queue_resume(NULL, "q", 1, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_queue_set(w->engine, "q", 1, NULL, 0, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_stop(w->engine, -1, NULL, &w->err), STEPBUS_OK);
	assert_int_equal(set(w, "{}"), STEPBUS_ESHUTDOWN);
}

static void a_paused_queue_waits_until_it_is_resumed(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec other = test_workshop_spec("ok");
	int64_t paused_at_us;
	uint8_t waiting[16], id[16];

	assert_int_equal(stepbus_queue_pause(w->engine, "default", 7, &w->err), STEPBUS_OK);
	paused_at_us = row_of(w).paused_at_us;
	assert_int_equal(stepbus_queue_pause(w->engine, "default", 7, &w->err), STEPBUS_OK);
	assert_int_equal(row_of(w).paused_at_us, paused_at_us);
	test_workshop_work(w);
	test_workshop_add(w, "ok", waiting);
	other.queue = "other";
	other.queue_len = 5;
	test_workshop_enqueue(w, &other, id);
	stepbus_outcome_free(test_workshop_await(w, id));
	assert_int_equal(test_workshop_started(w), 1);
	assert_int_equal(test_workshop_state(w, waiting), STEPBUS_STEP_READY);
	assert_int_equal(stepbus_queue_resume(w->engine, "default", 7, &w->err), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, waiting));
}

static void a_running_step_goes_on_in_a_paused_queue(void **state)
{
	test_workshop *w = *state;
	uint8_t id[16];

	test_workshop_work(w);
	test_workshop_add(w, "hold", id);
	test_workshop_await_started(w, 1);
	assert_int_equal(stepbus_queue_pause(w->engine, "default", 7, &w->err), STEPBUS_OK);
	test_workshop_let_go(w, 1);
	stepbus_outcome_free(test_workshop_await(w, id));
	assert_int_equal(w->runs[0].checked, STEPBUS_OK);
}

static void a_raised_limit_lets_more_run(void **state)
{
	test_workshop *w = *state;
	uint8_t ids[3][16];

	assert_int_equal(set(w, "{\"concurrency_max\":1}"), STEPBUS_OK);
	test_workshop_work(w);
	for (int i = 0; i < 3; i++)
		test_workshop_add(w, "hold", ids[i]);
	test_workshop_await_started(w, 1);
	assert_int_equal(set(w, "{\"concurrency_max\":3}"), STEPBUS_OK);
	test_workshop_await_started(w, 3);
	test_workshop_let_go(w, 3);
}

static void a_raised_limit_of_a_key_releases_what_is_parked(void **state)
{
	test_workshop *w = *state;
	uint8_t ids[4][16];

	assert_int_equal(set(w, "{\"key_concurrency_max\":1}"), STEPBUS_OK);
	test_workshop_work(w);
	for (int i = 0; i < 4; i++)
		add_keyed(w, "hold", ids[i]);
	test_workshop_await_started(w, 1);
	while (test_workshop_state(w, ids[3]) != STEPBUS_STEP_PARKED)
		sched_yield();
	assert_int_equal(set(w, "{\"key_concurrency_max\":3}"), STEPBUS_OK);
	test_workshop_await_started(w, 3);
	assert_int_equal(test_workshop_state(w, ids[3]), STEPBUS_STEP_PARKED);
	assert_int_equal(set(w, "{\"key_concurrency_max\":0}"), STEPBUS_OK);
	test_workshop_await_started(w, 4);
	test_workshop_let_go(w, 4);
}

/* More than fit into one transaction. */
static void all_that_is_parked_comes_free_without_a_limit(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec *specs = test_malloc(MANY * sizeof *specs);
	stepbus_step_spec spec = test_workshop_spec("ok");
	uint8_t held[16];
	int64_t count;
	const sb_step_filter parked = { .states = 1U << SB_STEP_PARKED };
	sb_store *store = w->engine->store;

	spec.concurrency_key = "customer";
	spec.concurrency_key_len = 8;
	for (size_t i = 0; i < MANY; i++)
		specs[i] = spec;
	assert_int_equal(set(w, "{\"key_concurrency_max\":1}"), STEPBUS_OK);
	add_keyed(w, "hold", held);
	test_workshop_work(w);
	test_workshop_await_started(w, 1);
	assert_int_equal(stepbus_step_enqueue(w->engine, specs, MANY, NULL, &w->err), STEPBUS_OK);
	do {
		sched_yield();
		assert_int_equal(store->type->step_count(store, &parked, &count, NULL), STEPBUS_OK);
	} while (count < MANY);
	assert_int_equal(set(w, "{\"key_concurrency_max\":0}"), STEPBUS_OK);
	test_workshop_await_ended(w, MANY);
	test_workshop_let_go(w, 1);
	test_free(specs);
}

static void an_engine_opens_with_the_queues_of_its_configuration(void **state)
{
	test_workshop *w = *state;

	test_workshop_reopen(w, ",\"queues\":{\"default\":{\"concurrency_max\":9,\"paused\":true},"
				"\"b\":{}}");
	assert_int_equal(row_of(w).concurrency_max, 9);
	assert_true(row_of(w).paused_at_us > 0);
}

static void a_change_carries_the_room_of_a_rate_along(void **state)
{
	static const struct {
		uint32_t before_count;
		int64_t room_micro;
		int64_t age_us; /* since it was reckoned */
		uint32_t after_count;
		int64_t expected_micro;
	} cases[] = {
		{ 0, 0, 0, 10, 10000000 },         /* no limit until now: a full one */
		{ 10, 0, 0, 1000, 0 },             /* used up: the new one fills up from there */
		{ 10, 4000000, 0, 1000, 4000000 }, /* what was left is left */
		{ 1000, 900000000, 0, 10, 10000000 },
		{ 10, 0, 500000, 10, 5000000 }, /* half a period has come in */
		{ 10, 0, 5000000, 20, 10000000 },
		{ 10, 3000000, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const int64_t now_us = 1700000000000000;
		const sb_queue_row before = { .rate_count = cases[i].before_count,
					      .rate_period_us = 1000000,
					      .rate_room_micro = cases[i].room_micro,
					      .rate_at_us = now_us - cases[i].age_us };
		sb_queue_row after = before;

		after.rate_count = cases[i].after_count;
		sb_queue_settings_carry_rate(&before, &after, now_us);
		assert_int_equal(after.rate_room_micro, cases[i].expected_micro);
		assert_int_equal(after.rate_at_us, now_us);
	}
}

static void a_lifted_rate_lets_steps_start(void **state)
{
	test_workshop *w = *state;
	uint8_t first[16], second[16];

	assert_int_equal(set(w, "{\"rate_count\":1,\"rate_period_ms\":86400000}"), STEPBUS_OK);
	test_workshop_work(w);
	test_workshop_add(w, "ok", first);
	test_workshop_add(w, "ok", second);
	stepbus_outcome_free(test_workshop_await(w, first));
	assert_int_equal(test_workshop_state(w, second), STEPBUS_STEP_READY);
	assert_int_equal(set(w, "{\"rate_count\":0}"), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, second));
}

static void another_engine_respects_a_pause_and_its_end(void **state)
{
	test_workshop *w = *state;
	stepbus *other = test_workshop_open_other(w);
	uint8_t id[16];

	test_workshop_work(w);
	assert_int_equal(stepbus_queue_pause(other, "default", 7, &w->err), STEPBUS_OK);
	test_workshop_add(w, "ok", id);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_READY);
	assert_int_equal(stepbus_queue_resume(other, "default", 7, &w->err), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, id));
	stepbus_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSHOP_TEST(what_is_not_given_stays),
		WORKSHOP_TEST(wrong_settings_change_nothing),
		WORKSHOP_TEST(a_paused_queue_waits_until_it_is_resumed),
		WORKSHOP_TEST(a_running_step_goes_on_in_a_paused_queue),
		WORKSHOP_TEST(a_raised_limit_lets_more_run),
		WORKSHOP_TEST(a_raised_limit_of_a_key_releases_what_is_parked),
		WORKSHOP_TEST(all_that_is_parked_comes_free_without_a_limit),
		WORKSHOP_TEST(an_engine_opens_with_the_queues_of_its_configuration),
		cmocka_unit_test(a_change_carries_the_room_of_a_rate_along),
		WORKSHOP_TEST(a_lifted_rate_lets_steps_start),
		WORKSHOP_DISK_TEST(another_engine_respects_a_pause_and_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
