/* SPDX-License-Identifier: MIT */
/*
 * What a handler gets and gives, when steps run, how often, and for how long: delays, retries by
 * every policy with their exact times, snoozes and timeouts. The clock moves only when told.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "support/engine_box.h"

enum { MS = 1000, SECOND = 1000000 };

/* One thread, so that what is claimed later runs later. */
static stepbus *open_with_worker(test_box *box, const char *keys)
{
	stepbus *engine = test_box_open(box, keys);

	(void)test_box_work(box, engine, "\"pool_size\":1");
	return engine;
}

static const char no_jitter[] = "\"retry\":{\"kind\":\"fixed\",\"base_ms\":1000,\"cap_ms\":60000,"
				"\"jitter_percent\":0,\"attempt_count_max\":3}";

static bool is_text(const void *data, size_t len, const char *expected)
{
	return len == strlen(expected) && memcmp(data, expected, len) == 0;
}

static int32_t act_compare(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const stepbus_step_spec *spec = h->object;
	bool is_same = step->input_len == spec->input_len &&
		       memcmp(step->input, spec->input, spec->input_len) == 0 &&
		       is_text(step->correlation_id, step->correlation_id_len, "order-17") &&
		       is_text(step->step_name, step->step_name_len, "charge card") &&
		       is_text(step->step_config, step->step_config_len, "{\"a\":1}") &&
		       is_text(step->content_type, step->content_type_len, "text/plain") &&
		       is_text(step->handler_name, step->handler_name_len, "work") &&
		       is_text(step->handler_namespace, step->handler_namespace_len, "billing") &&
		       is_text(step->handler_version, step->handler_version_len, "1.2.0") &&
		       is_text(step->queue, step->queue_len, "bills") &&
		       is_text(step->traceparent, step->traceparent_len, "00-17-1") &&
		       step->attempt_timeout_ms == 60000 && step->dependency_count == 0 &&
		       step->max_retries == 6 && step->cursor_len == 0 &&
		       step->partial_result_len == 0 && step->items_processed == 0;

	if (!is_same)
		return STEPBUS_EINVAL;
	return stepbus_result_success(result, step->input, step->input_len, NULL);
}

static void handlers_get_what_was_enqueued_and_their_result_comes_back(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	const stepbus_handler_spec own = { .handler_namespace = "billing",
					   .handler_namespace_len = 7,
					   .version = "1.2.0",
					   .version_len = 5 };
	char bytes[256];
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = "work",
				   .handler_name_len = 4,
				   .handler_namespace = "billing",
				   .handler_namespace_len = 7,
				   .handler_version = "1.2.0",
				   .handler_version_len = 5,
				   .input = bytes,
				   .input_len = sizeof bytes,
				   .content_type = "text/plain",
				   .content_type_len = 10,
				   .step_name = "charge card",
				   .step_name_len = 11,
				   .step_config = "{\"a\":1}",
				   .step_config_len = 7,
				   .correlation_id = "order-17",
				   .correlation_id_len = 8,
				   .queue = "bills",
				   .queue_len = 5,
				   .traceparent = "00-17-1",
				   .traceparent_len = 7,
				   .attempt_timeout_ms = 60000,
				   .attempt_count_max = 7 };
	uint8_t id[16];
	test_look look;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(255 - i);
	test_box_handle(box, engine, "work", act_compare, &own)->object = &spec;
	test_box_put(box, engine, &spec, id);
	test_box_await_notes(box, "step.completion.sent", 1);
	assert_int_equal(test_box_note(box, "step.completion.sent", 0)->outcome,
			 STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(test_box_note(box, "step.completion.sent", 0)->len, sizeof bytes);
	assert_memory_equal(test_box_note(box, "step.completion.sent", 0)->text, bytes,
			    sizeof bytes);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_COMPLETED);
	assert_int_equal(look.status.attempt_count, 1);
	assert_int_equal(look.result_len, sizeof bytes);
	assert_memory_equal(look.result, bytes, sizeof bytes - 1);
}

static void a_time_in_the_past_and_now_mean_now(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "p");

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	spec.run_at_us = 1;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec.run_at_us = atomic_load(&box->now_us);
	spec.input = "n";
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_await_runs(box, 2);
	assert_string_equal(test_box_journal(box), "pn");
}

static void a_step_runs_when_it_is_due_and_no_microsecond_before(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "d");
	uint8_t id[16];
	test_look look;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	spec.delay_ms = 5;
	spec.run_at_us = atomic_load(&box->now_us) + 3 * MS;
	test_box_put(box, engine, &spec, id);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_SCHEDULED);
	assert_int_equal(look.status.due_at_us, atomic_load(&box->now_us) + 5 * MS);
	test_box_pass(box, engine, 5 * MS - 1);
	assert_int_equal(test_box_run_count(box), 0);
	test_box_pass(box, engine, 1);
	test_box_await_runs(box, 1);
	assert_int_equal(box->runs[1].at_us, look.status.due_at_us);
}

static void a_clock_that_jumps_makes_all_run_that_is_due(void **state)
{
	enum { COUNT = 300 };
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "x");

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < COUNT; i++) {
		spec.delay_ms = 1 + i;
		box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	}
	test_box_advance(box, 2 * COUNT * MS);
	test_box_await_runs(box, COUNT);
}

static int32_t act_snooze(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	(void)context;
	if (atomic_load(&h->run_count) <= 2)
		return stepbus_result_snooze(result, 5000, NULL);
	return stepbus_result_success(result, "up", 2, NULL);
}

static void a_snooze_charges_no_attempt(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "s");
	uint8_t id[16];
	test_look look;

	(void)test_box_handle(box, engine, "work", act_snooze, NULL);
	spec.attempt_count_max = 1;
	test_box_put(box, engine, &spec, id);
	for (size_t i = 1; i <= 2; i++) {
		test_box_await_notes(box, "step.snoozed", i);
		look = test_box_look(box, engine, id);
		assert_int_equal(look.status.state, SB_STEP_SCHEDULED);
		assert_int_equal(look.status.attempt_count, 0);
		assert_int_equal(look.status.due_at_us, atomic_load(&box->now_us) + 5 * SECOND);
		test_box_pass(box, engine, 5 * SECOND - 1);
		assert_int_equal(test_box_run_count(box), i);
		test_box_advance(box, 1);
		test_box_await_runs(box, i + 1);
	}
	test_box_await_notes(box, "step.completed", 1);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_COMPLETED);
	assert_int_equal(test_box_look(box, engine, id).status.attempt_count, 1);
}

/* What one policy makes of a step that always fails: the delays, in base times. */
typedef struct policy_case {
	const char *kind;
	uint32_t number;
	int64_t delays[5]; /* in seconds, at a base of 1 and a cap of 6 */
} policy_case;

static const policy_case policies[] = {
	{ "fixed", STEPBUS_RETRY_FIXED, { 1, 1, 1, 1, 1 } },
	{ "linear", STEPBUS_RETRY_LINEAR, { 1, 2, 3, 4, 5 } },
	{ "exponential", STEPBUS_RETRY_EXPONENTIAL, { 1, 2, 4, 6, 6 } },
	{ "fibonacci", STEPBUS_RETRY_FIBONACCI, { 1, 1, 2, 3, 5 } },
};

/* Enqueues a step and lets it fail until it is final, looking at the time of each retry. */
static void follow_retries(test_box *box, stepbus *engine, const stepbus_step_spec *spec,
			   const policy_case *policy)
{
	size_t before = test_box_count_notes(box, "step.retry_requested");
	size_t final = test_box_count_notes(box, "observability.step.max_retries_reached");
	uint8_t id[16];
	test_look look;

	test_box_put(box, engine, spec, id);
	for (size_t i = 0; i < 5; i++) {
		test_box_await_notes(box, "step.retry_requested", before + i + 1);
		look = test_box_look(box, engine, id);
		assert_int_equal(look.status.state, SB_STEP_SCHEDULED);
		assert_int_equal(look.status.attempt_count, i + 1);
		assert_int_equal(look.attempt_count, i + 1);
		assert_int_equal(look.status.due_at_us - atomic_load(&box->now_us),
				 policy->delays[i] * SECOND);
		assert_int_equal(look.retry_at_us[i], look.status.due_at_us);
		test_box_advance(box, policy->delays[i] * SECOND);
	}
	test_box_await_notes(box, "observability.step.max_retries_reached", final + 1);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_FAILED);
	assert_int_equal(look.status.attempt_count, 6);
	assert_int_equal(look.attempt_count, 6);
	assert_int_equal(look.retry_at_us[5], 0);
}

static void retries_come_when_the_engines_policy_says(void **state)
{
	test_box *box = *state;

	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		char keys[256];
		stepbus_step_spec spec = test_box_spec("work", "r");
		stepbus *engine;

		(void)snprintf(keys, sizeof keys,
			       "\"retry\":{\"kind\":\"%s\",\"base_ms\":1000,\"cap_ms\":6000,"
			       "\"jitter_percent\":0,\"attempt_count_max\":6}",
			       policies[i].kind);
		engine = open_with_worker(box, keys);
		(void)test_box_handle(box, engine, "work", test_act_fail, NULL);
		follow_retries(box, engine, &spec, &policies[i]);
		test_box_close(box, engine);
	}
}

static void the_handlers_policy_goes_before_the_engines(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);

	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		const stepbus_handler_spec own = { .retry_kind = policies[i].number,
						   .attempt_count_max = 6,
						   .retry_base_ms = 1000,
						   .retry_cap_ms = 6000 };
		const stepbus_step_spec spec = test_box_spec(policies[i].kind, "r");

		(void)test_box_handle(box, engine, policies[i].kind, test_act_fail, &own);
		follow_retries(box, engine, &spec, &policies[i]);
	}
}

static void the_steps_policy_goes_before_the_handlers(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	const stepbus_handler_spec own = { .retry_kind = STEPBUS_RETRY_NONE,
					   .attempt_count_max = 2,
					   .retry_base_ms = 20000,
					   .retry_cap_ms = 30000 };

	(void)test_box_handle(box, engine, "work", test_act_fail, &own);
	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		stepbus_step_spec spec = test_box_spec("work", "r");

		spec.retry_kind = policies[i].number;
		spec.attempt_count_max = 6;
		spec.retry_base_ms = 1000;
		spec.retry_cap_ms = 6000;
		follow_retries(box, engine, &spec, &policies[i]);
	}
}

static void with_one_attempt_or_no_policy_a_failure_is_final(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	stepbus_step_spec one = test_box_spec("work", "1"), none = one, good = one;
	uint8_t ids[3][16];

	(void)test_box_handle(box, engine, "work", test_act_fail, NULL);
	(void)test_box_handle(box, engine, "final", test_act_fail_for_good, NULL);
	one.attempt_count_max = 1;
	none.retry_kind = STEPBUS_RETRY_NONE;
	good = test_box_spec("final", "1");
	good.attempt_count_max = 1000;
	test_box_put(box, engine, &one, ids[0]);
	test_box_put(box, engine, &none, ids[1]);
	test_box_put(box, engine, &good, ids[2]);
	test_box_await_notes(box, "step.failed", 3);
	for (size_t i = 0; i < 3; i++) {
		test_look look = test_box_look(box, engine, ids[i]);

		assert_int_equal(look.status.state, SB_STEP_FAILED);
		assert_int_equal(look.status.attempt_count, 1);
		assert_string_equal(look.error_type, "broken");
		assert_string_equal(look.error_message, "it broke");
		assert_int_equal(look.retry_at_us[0], 0);
	}
	assert_int_equal(test_box_count_notes(box, "step.retry_requested"), 0);
}

static int32_t act_retry_after(test_handler *h, const stepbus_context *context,
			       stepbus_result *result)
{
	static const int64_t waits[] = { 7000, 0, 10000000 };
	int n = atomic_load(&h->run_count) - 1;
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = 1,
					  .retry_after_ms = waits[n < 3 ? n : 2] };

	(void)context;
	return stepbus_result_failure(result, &failure, NULL);
}

static void what_a_handler_asks_to_wait_wins_up_to_the_cap(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	stepbus_step_spec spec = test_box_spec("work", "1");
	uint8_t id[16];
	test_look look;

	(void)test_box_handle(box, engine, "work", act_retry_after, NULL);
	spec.attempt_count_max = 4;
	test_box_put(box, engine, &spec, id);
	test_box_await_notes(box, "step.retry_requested", 1);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.due_at_us - atomic_load(&box->now_us), 7 * SECOND);
	test_box_advance(box, 7 * SECOND);
	/* The second one asks for no wait at all, so that the third follows at once. */
	test_box_await_notes(box, "step.retry_requested", 3);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.due_at_us - atomic_load(&box->now_us), 60 * SECOND);
}

static int32_t act_wait_and_tell(test_handler *h, const stepbus_context *context,
				 stepbus_result *result)
{
	stepbus_status status = test_box_pass_gate(h->box, context);

	*(_Atomic(int) *)h->object = status;
	return stepbus_result_success(result, "late", 4, NULL);
}

/* Moves the clock until the handler at the gate was told to stop. */
static void await_told(test_box *box, _Atomic(int) *told)
{
	for (int i = 0; i < 100000 && atomic_load(told) < 0; i++) {
		box_ok(box, stepbus_engine_wake(box->engine, &box->err));
		test_box_stir(box);
		sched_yield();
	}
}

static void an_attempt_that_takes_too_long_is_told_and_retried(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	const stepbus_handler_spec own = { .attempt_timeout_ms = 100 };
	_Atomic(int) told = -1;
	const stepbus_step_spec spec = test_box_spec("work", "t");
	uint8_t id[16];
	test_look look;

	test_box_handle(box, engine, "work", act_wait_and_tell, &own)->object = &told;
	test_box_put(box, engine, &spec, id);
	test_box_await_waiting(box, 1);
	test_box_advance(box, 100 * MS);
	test_box_await_notes(box, "step.retry_requested", 1);
	await_told(box, &told);
	assert_int_equal(atomic_load(&told), STEPBUS_ETIMEDOUT);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_SCHEDULED);
	assert_int_equal(look.error_outcome, SB_ATTEMPT_TIMED_OUT);
	assert_string_equal(look.error_type, "timed_out");
	/* Its result came too late; the next attempt's counts. */
	test_box_open_gate(box);
	test_box_advance(box, 1 * SECOND);
	test_box_await_notes(box, "step.completed", 1);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_COMPLETED);
	assert_int_equal(look.status.attempt_count, 2);
	assert_int_equal(test_box_count_notes(box, "step.completion.sent"), 2);
}

static void the_steps_own_attempt_timeout_goes_before_the_handlers(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	const stepbus_handler_spec own = { .attempt_timeout_ms = 100000 };
	_Atomic(int) told = -1;
	stepbus_step_spec spec = test_box_spec("work", "t");
	uint8_t id[16];

	test_box_handle(box, engine, "work", act_wait_and_tell, &own)->object = &told;
	spec.attempt_timeout_ms = 50;
	spec.attempt_count_max = 1;
	test_box_put(box, engine, &spec, id);
	test_box_await_waiting(box, 1);
	test_box_advance(box, 50 * MS);
	test_box_await_notes(box, "step.failed", 1);
	await_told(box, &told);
	assert_int_equal(atomic_load(&told), STEPBUS_ETIMEDOUT);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_FAILED);
}

static void a_step_that_starts_too_late_fails(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec own = { .wait_timeout_ms = 3000 };
	stepbus_step_spec spec = test_box_spec("work", "w");
	uint8_t ids[3][16];

	/* By its own word, by its handler's, and not at all before its time has come. */
	(void)test_box_handle(box, engine, "patient", test_act_echo, &own);
	spec.wait_timeout_ms = 1000;
	test_box_put(box, engine, &spec, ids[0]);
	spec = test_box_spec("patient", "w");
	test_box_put(box, engine, &spec, ids[1]);
	spec.delay_ms = 1000;
	test_box_put(box, engine, &spec, ids[2]);
	test_box_advance(box, 1 * SECOND);
	test_box_await_notes(box, "step.failed", 1);
	assert_int_equal(test_box_look(box, engine, ids[0]).status.state, SB_STEP_FAILED);
	assert_string_equal(test_box_look(box, engine, ids[0]).error_type, "timed_out");
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "step.failed", 2);
	assert_int_equal(test_box_look(box, engine, ids[1]).status.state, SB_STEP_FAILED);
	assert_int_equal(test_box_look(box, engine, ids[2]).status.state, SB_STEP_READY);
	test_box_advance(box, 1 * SECOND);
	test_box_await_notes(box, "step.failed", 3);
}

static void a_wait_timeout_ends_with_the_start(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "w");
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	spec.wait_timeout_ms = 1000;
	test_box_put(box, engine, &spec, id);
	test_box_await_waiting(box, 1);
	assert_int_equal(test_box_look(box, engine, id).status.deadline_at_us, 0);
	test_box_advance(box, 2 * SECOND);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 1);
}

static void the_time_for_all_attempts_ends_a_running_one(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	_Atomic(int) told = -1;
	stepbus_step_spec spec = test_box_spec("work", "t");
	uint8_t id[16];
	test_look look;

	test_box_handle(box, engine, "work", act_wait_and_tell, NULL)->object = &told;
	spec.total_timeout_ms = 4000;
	spec.wait_timeout_ms = 1000;
	test_box_put(box, engine, &spec, id);
	test_box_await_waiting(box, 1);
	assert_int_equal(test_box_look(box, engine, id).status.deadline_at_us,
			 atomic_load(&box->now_us) + 4 * SECOND);
	test_box_advance(box, 4 * SECOND);
	test_box_await_notes(box, "step.failed", 1);
	await_told(box, &told);
	assert_int_equal(atomic_load(&told), STEPBUS_ETIMEDOUT);
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_FAILED);
	assert_int_equal(look.result_len, 0);
	assert_int_equal(test_box_count_notes(box, "step.completed"), 0);
}

static void the_time_for_all_attempts_ends_a_step_between_two(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	stepbus_step_spec spec = test_box_spec("work", "t");
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", test_act_fail, NULL);
	spec.total_timeout_ms = 4000;
	spec.retry_kind = STEPBUS_RETRY_FIXED;
	spec.retry_base_ms = 20000;
	test_box_put(box, engine, &spec, id);
	test_box_await_notes(box, "step.retry_requested", 1);
	test_box_advance(box, 4 * SECOND);
	test_box_await_notes(box, "step.failed", 2);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_FAILED);
	assert_int_equal(test_box_run_count(box), 1);
}

static void snoozing_does_not_prolong_the_time_for_all_attempts(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	stepbus_step_spec spec = test_box_spec("work", "t");
	int64_t deadline_us;
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", act_snooze, NULL);
	spec.total_timeout_ms = 60000;
	spec.wait_timeout_ms = 1000;
	deadline_us = atomic_load(&box->now_us) + 60 * SECOND;
	test_box_put(box, engine, &spec, id);
	for (size_t i = 1; i <= 2; i++) {
		test_box_await_notes(box, "step.snoozed", i);
		assert_int_equal(test_box_look(box, engine, id).status.deadline_at_us, deadline_us);
		test_box_advance(box, 5 * SECOND);
	}
	test_box_await_notes(box, "step.completed", 1);
}

static void a_handler_that_nobody_serves_fails_at_once(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, no_jitter);
	const stepbus_step_spec spec = test_box_spec("missing", "m");
	uint8_t id[16];
	test_look look;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	test_box_put(box, engine, &spec, id);
	test_box_await_notes(box, "step.failed", 1);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_FAILED);
	assert_string_equal(look.error_type, "handler_not_found");
	assert_non_null(strstr(look.error_message, "missing"));
	assert_non_null(strstr(look.error_message, "work"));
	assert_int_equal(test_box_count_notes(box, "step.retry_requested"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(handlers_get_what_was_enqueued_and_their_result_comes_back),
		BOX_TEST(a_time_in_the_past_and_now_mean_now),
		BOX_TEST(a_step_runs_when_it_is_due_and_no_microsecond_before),
		BOX_TEST(a_clock_that_jumps_makes_all_run_that_is_due),
		BOX_TEST(a_snooze_charges_no_attempt),
		BOX_TEST(retries_come_when_the_engines_policy_says),
		BOX_TEST(the_handlers_policy_goes_before_the_engines),
		BOX_TEST(the_steps_policy_goes_before_the_handlers),
		BOX_TEST(with_one_attempt_or_no_policy_a_failure_is_final),
		BOX_TEST(what_a_handler_asks_to_wait_wins_up_to_the_cap),
		BOX_TEST(an_attempt_that_takes_too_long_is_told_and_retried),
		BOX_TEST(the_steps_own_attempt_timeout_goes_before_the_handlers),
		BOX_TEST(a_step_that_starts_too_late_fails),
		BOX_TEST(a_wait_timeout_ends_with_the_start),
		BOX_TEST(the_time_for_all_attempts_ends_a_running_one),
		BOX_TEST(the_time_for_all_attempts_ends_a_step_between_two),
		BOX_TEST(snoozing_does_not_prolong_the_time_for_all_attempts),
		BOX_TEST(a_handler_that_nobody_serves_fails_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
