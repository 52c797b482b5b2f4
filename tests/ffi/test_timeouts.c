/* SPDX-License-Identifier: MIT */
/* What the end of a step's time leaves behind, through the public interface. */
#include "support/workshop.h"

#include "base/ids.h"

typedef struct history {
	size_t count;
	int32_t outcomes[8];
} history;

static bool note_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	history *h = context;

	(void)worker;
	h->outcomes[h->count++ % 8] = row->outcome;
	return true;
}

static history history_of(test_workshop *w, const uint8_t id[16])
{
	sb_store *store = w->engine->store;
	history h = { 0 };

	assert_int_equal(store->type->attempt_list(store, sb_id_to_row(id, store->tag),
						   note_attempt, &h, NULL),
			 STEPBUS_OK);
	return h;
}

static void assert_timed_out(test_workshop *w, const uint8_t id[16])
{
	stepbus_outcome *outcome = test_workshop_await(w, id);
	const stepbus_completion *c = stepbus_outcome_completion(outcome);

	assert_int_equal(c->outcome, STEPBUS_OUTCOME_FAILURE);
	assert_memory_equal(c->error_type, "timed_out", 9);
	stepbus_outcome_free(outcome);
}

static void a_step_that_is_not_started_in_time_fails(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	uint8_t id[16];

	test_workshop_reopen(w, ",\"poll_ms\":20");
	spec.wait_timeout_ms = 1;
	test_workshop_enqueue(w, &spec, id);
	assert_timed_out(w, id);
	assert_int_equal(history_of(w, id).count, 1);
}

static void a_time_out_between_attempts_keeps_the_record_of_the_last_one(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("retry");
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .retry_after_ms = -1 };
	uint8_t id[16];
	history h;

	test_workshop_reopen(w, ",\"poll_ms\":20");
	test_workshop_work(w);
	spec.retry_kind = STEPBUS_RETRY_FIXED;
	spec.retry_base_ms = 3600000;
	spec.total_timeout_ms = 300;
	test_workshop_enqueue(w, &spec, id);
	assert_timed_out(w, id);
	h = history_of(w, id);
	if (test_workshop_started(w) == 0)
		skip(); /* the machine was too slow to start it in its time */
	assert_int_equal(h.count, 2);
	assert_int_equal(h.outcomes[0], SB_ATTEMPT_FAILURE);
	assert_int_equal(h.outcomes[1], SB_ATTEMPT_TIMED_OUT);
	memcpy(c.step_id, id, sizeof c.step_id);
	c.token = w->runs[0].token;
	assert_int_equal(stepbus_complete(w->engine, &c, 1, NULL, &w->err), STEPBUS_ESTALE);
}

static void a_running_step_whose_whole_time_is_over_fails(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("watch");
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .retry_after_ms = -1 };

	test_workshop_reopen(w, ",\"poll_ms\":20");
	test_workshop_work(w);
	spec.total_timeout_ms = 300;
	test_workshop_enqueue(w, &spec, c.step_id);
	assert_timed_out(w, c.step_id);
	if (test_workshop_started(w) == 0)
		skip();
	test_workshop_await_ended(w, 1);
	assert_int_equal(w->runs[0].checked, STEPBUS_ETIMEDOUT);
	c.token = w->runs[0].token;
	assert_int_equal(stepbus_complete(w->engine, &c, 1, NULL, &w->err), STEPBUS_ETIMEDOUT);
	assert_int_equal(history_of(w, c.step_id).count, 1);
}

/* What waits for a place that a timed-out step held must not wait for ever. */
static void a_timed_out_step_gives_its_place_to_the_next(void **state)
{
	static const char limit[] = "{\"key_concurrency_max\":1}";
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("watch");
	uint8_t first[16], second[16];

	test_workshop_reopen(w, ",\"poll_ms\":20");
	assert_int_equal(stepbus_queue_set(w->engine, "default", 7, limit, strlen(limit), &w->err),
			 STEPBUS_OK);
	spec.concurrency_key = "k";
	spec.concurrency_key_len = 1;
	spec.total_timeout_ms = 300;
	test_workshop_enqueue(w, &spec, first);
	spec.input = "ok";
	spec.input_len = 2;
	spec.total_timeout_ms = 0;
	test_workshop_enqueue(w, &spec, second);
	test_workshop_work(w);
	assert_timed_out(w, first);
	stepbus_outcome_free(test_workshop_await(w, second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSHOP_TEST(a_step_that_is_not_started_in_time_fails),
		WORKSHOP_TEST(a_time_out_between_attempts_keeps_the_record_of_the_last_one),
		WORKSHOP_TEST(a_running_step_whose_whole_time_is_over_fails),
		WORKSHOP_TEST(a_timed_out_step_gives_its_place_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
