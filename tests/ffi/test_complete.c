/* SPDX-License-Identifier: MIT */
/* The answers of the completion function, and what it does not take. */
#include "support/answer.h"
#include "support/workshop.h"

#include "base/utf8.h"

static stepbus_completion completion_of(int32_t outcome)
{
	return (stepbus_completion){ .size = sizeof(stepbus_completion),
				     .outcome = outcome,
				     .retry_after_ms = -1 };
}

static stepbus_completion success(const char *result)
{
	stepbus_completion c = completion_of(STEPBUS_OUTCOME_SUCCESS);

	c.result = result;
	c.result_len = strlen(result);
	return c;
}

static stepbus_completion failure(const char *message)
{
	stepbus_completion c = completion_of(STEPBUS_OUTCOME_FAILURE);

	c.error_type = "host_error";
	c.error_type_len = 10;
	c.error_message = message;
	c.error_message_len = strlen(message);
	return c;
}

/* A step that runs, and that its handler will not end by itself. */
static void start(test_workshop *w, uint8_t id[16])
{
	test_workshop_work(w);
	test_workshop_add(w, "hold", id);
	test_workshop_await_started(w, 1);
}

static stepbus_status complete(test_workshop *w, const uint8_t id[16], stepbus_completion c)
{
	memcpy(c.step_id, id, sizeof c.step_id);
	if (c.token == 0)
		c.token = w->runs[0].token;
	return stepbus_complete(w->engine, &c, 1, NULL, &w->err);
}

static void a_host_completes_what_a_handler_has_not(void **state)
{
	test_workshop *w = *state;
	stepbus_outcome *outcome;
	uint8_t id[16];

	start(w, id);
	assert_int_equal(complete(w, id, success("by hand")), STEPBUS_OK);
	outcome = test_workshop_await(w, id);
	assert_memory_equal(stepbus_outcome_completion(outcome)->result, "by hand", 7);
	stepbus_outcome_free(outcome);
	test_workshop_let_go(w, 1);
	test_workshop_await_ended(w, 1);
	assert_int_equal(w->runs[0].checked, STEPBUS_ESTALE);
	assert_int_equal(stepbus_worker_stop(w->worker, -1, NULL, &w->err), STEPBUS_OK);
	test_workshop_await_event(w, SB_EVENT_COMPLETION, 1);
	assert_int_equal(test_workshop_events(w, SB_EVENT_COMPLETION), 1);
}

static void the_same_success_again_is_fine(void **state)
{
	test_workshop *w = *state;
	stepbus_completion c = success("x");
	uint8_t id[16];

	c.metadata = "{\"a\":1}";
	c.metadata_len = 7;
	start(w, id);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	c.content_type = "application/json";
	c.content_type_len = 16;
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	c.content_type = "text/plain";
	c.content_type_len = 10;
	assert_int_equal(complete(w, id, c), STEPBUS_EALREADY);
	assert_int_equal(complete(w, id, success("x")), STEPBUS_EALREADY);
	assert_int_equal(complete(w, id, success("y")), STEPBUS_EALREADY);
	assert_int_equal(complete(w, id, success("")), STEPBUS_EALREADY);
	assert_int_equal(complete(w, id, failure("no")), STEPBUS_EALREADY);
	assert_non_null(strstr(w->err.message, "completed"));
}

static void the_same_empty_success_again_is_fine(void **state)
{
	test_workshop *w = *state;
	uint8_t id[16];

	start(w, id);
	assert_int_equal(complete(w, id, success("")), STEPBUS_OK);
	assert_int_equal(complete(w, id, success("")), STEPBUS_OK);
	assert_int_equal(complete(w, id, success("y")), STEPBUS_EALREADY);
}

static void the_same_failure_again_is_fine(void **state)
{
	test_workshop *w = *state;
	stepbus_completion c = failure("no \xff good");
	uint8_t id[16];

	c.error_code = "E9";
	c.error_code_len = 2;
	c.backtrace = "in f\nin \xff";
	c.backtrace_len = 9;
	start(w, id);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_FAILED);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	assert_int_equal(complete(w, id, failure("no ? good")), STEPBUS_EALREADY);
	c.error_message_len--;
	assert_int_equal(complete(w, id, c), STEPBUS_EALREADY);
	c.error_message_len++;
	c.backtrace_len--;
	assert_int_equal(complete(w, id, c), STEPBUS_EALREADY);
	c.backtrace_len++;
	c.is_retryable = 1;
	assert_int_equal(complete(w, id, c), STEPBUS_EALREADY);
	assert_int_equal(complete(w, id, success("")), STEPBUS_EALREADY);
	/* Also of one that waits for its next attempt. */
	assert_int_equal(stepbus_queue_pause(w->engine, "default", 7, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_OK);
	c.is_retryable = 0;
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_READY);
}

static void the_same_snooze_again_is_fine(void **state)
{
	test_workshop *w = *state;
	stepbus_completion c = completion_of(STEPBUS_OUTCOME_SNOOZE);
	uint8_t id[16];

	c.retry_after_ms = 3600000;
	start(w, id);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_SCHEDULED);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	c.retry_after_ms = 7200000;
	assert_int_equal(complete(w, id, c), STEPBUS_EALREADY);
}

static void an_older_attempt_is_stale(void **state)
{
	test_workshop *w = *state;
	stepbus_completion c = success("late");
	uint8_t id[16];

	start(w, id);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_OK);
	assert_int_equal(complete(w, id, c), STEPBUS_ECANCELLED);
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_OK);
	test_workshop_await_started(w, 2);
	assert_int_equal(complete(w, id, c), STEPBUS_ESTALE);
	c.token = w->runs[1].token + 1;
	assert_int_equal(complete(w, id, c), STEPBUS_ESTALE);
	c.token = w->runs[1].token;
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
}

static void an_attempt_whose_time_was_over_is_told_so(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("hold");
	stepbus_outcome *outcome;
	uint8_t id[16];

	spec.attempt_timeout_ms = 1;
	spec.attempt_count_max = 1;
	spec.retry_kind = STEPBUS_RETRY_NONE;
	test_workshop_work(w);
	test_workshop_enqueue(w, &spec, id);
	test_workshop_await_started(w, 1);
	outcome = test_workshop_await(w, id);
	assert_int_equal(stepbus_outcome_completion(outcome)->outcome, STEPBUS_OUTCOME_FAILURE);
	assert_memory_equal(stepbus_outcome_completion(outcome)->error_type, "timed_out", 9);
	stepbus_outcome_free(outcome);
	assert_int_equal(complete(w, id, success("late")), STEPBUS_ETIMEDOUT);
	assert_int_equal(complete(w, id, failure("late")), STEPBUS_ETIMEDOUT);
	test_workshop_let_go(w, 1);
	test_workshop_await_ended(w, 1);
	assert_int_equal(w->runs[0].checked, STEPBUS_ETIMEDOUT);
}

static void what_is_not_there_cannot_be_completed(void **state)
{
	test_workshop *w = *state;
	const uint8_t stranger[16] = { 5 };
	stepbus_completion c = success("");
	uint8_t id[16];

	c.token = 1;
	assert_int_equal(complete(w, stranger, c), STEPBUS_ENOTFOUND);
	test_workshop_add(w, "ok", id);
	/* It was never claimed. */
	assert_int_equal(complete(w, id, c), STEPBUS_ESTALE);
	id[5]++;
	assert_int_equal(complete(w, id, c), STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_stop(w->engine, -1, NULL, &w->err), STEPBUS_OK);
	assert_int_equal(complete(w, id, c), STEPBUS_ESHUTDOWN);
}

typedef void (*spoil)(stepbus_completion *c);

static char big[1024 * 1024 + 1];

static void spoil_result(stepbus_completion *c)
{
	c->result = big;
	c->result_len = sizeof big;
}

static void spoil_type(stepbus_completion *c)
{
	c->error_type = big;
	c->error_type_len = 129;
}

static void spoil_code(stepbus_completion *c)
{
	c->error_code = big;
	c->error_code_len = 129;
}

static void spoil_content_type(stepbus_completion *c)
{
	c->content_type = "\xff";
	c->content_type_len = 1;
}

static void spoil_metadata(stepbus_completion *c)
{
	c->metadata = "[1]";
	c->metadata_len = 3;
}

static void spoil_metadata_len(stepbus_completion *c)
{
	c->metadata = big;
	c->metadata_len = sizeof big;
}

static void spoil_time(stepbus_completion *c)
{
	c->execution_time_us = INT64_MIN;
}

static void spoil_long_time(stepbus_completion *c)
{
	c->execution_time_us = INT64_MAX;
}

static void spoil_delay(stepbus_completion *c)
{
	c->retry_after_ms = INT64_MAX;
}

static void spoil_negative_delay(stepbus_completion *c)
{
	c->retry_after_ms = -2;
}

static void spoil_retryable(stepbus_completion *c)
{
	c->is_retryable = 2;
}

static void spoil_outcome(stepbus_completion *c)
{
	c->outcome = STEPBUS_OUTCOME_CANCELLED;
}

static void spoil_worker(stepbus_completion *c)
{
	c->worker_id = big;
	c->worker_id_len = 129;
}

static void what_is_out_of_bounds_is_refused(void **state)
{
	static const struct {
		const char *name;
		spoil spoil;
	} cases[] = {
		{ "result", spoil_result },          { "error_type", spoil_type },
		{ "error_code", spoil_code },        { "content_type", spoil_content_type },
		{ "metadata", spoil_metadata },      { "metadata", spoil_metadata_len },
		{ "execution_time_us", spoil_time }, { "execution_time_us", spoil_long_time },
		{ "retry_after_ms", spoil_delay },   { "retry_after_ms", spoil_negative_delay },
		{ "is_retryable", spoil_retryable }, { "outcome", spoil_outcome },
		{ "worker_id", spoil_worker },
	};
	test_workshop *w = *state;
	uint8_t id[16];

	start(w, id);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		stepbus_completion c = failure("no");

		cases[i].spoil(&c);
		assert_int_equal(complete(w, id, c), STEPBUS_EINVAL);
		assert_non_null(strstr(w->err.message, cases[i].name));
		assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_RUNNING);
	}
}

static void what_is_at_its_bound_is_taken(void **state)
{
	test_workshop *w = *state;
	stepbus_completion c = success("");
	stepbus_outcome *outcome;
	uint8_t id[16];

	c.result = big;
	c.result_len = sizeof big - 1;
	start(w, id);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	outcome = test_workshop_await(w, id);
	assert_int_equal(stepbus_outcome_completion(outcome)->result_len, sizeof big - 1);
	stepbus_outcome_free(outcome);
}

static void assert_clean(const stepbus_completion *c)
{
	assert_int_equal(c->outcome, STEPBUS_OUTCOME_FAILURE);
	assert_in_range(c->error_message_len, 8192 - 3, 8192);
	assert_true(sb_utf8_is_valid(c->error_message, c->error_message_len));
}

static void assert_backtrace(test_workshop *w, const uint8_t id[16], size_t len)
{
	stepbus_text *text = NULL;
	cJSON *list;
	const char *backtrace;

	assert_int_equal(stepbus_step_attempts(w->engine, id, &text, &w->err), STEPBUS_OK);
	list = cJSON_Parse(stepbus_text_data(text));
	backtrace = test_answer_text(cJSON_GetArrayItem(list, 0), "backtrace");
	assert_in_range(strlen(backtrace), len - 3, len);
	assert_true(sb_utf8_is_valid(backtrace, strlen(backtrace)));
	cJSON_Delete(list);
	stepbus_text_free(text);
}

static void a_failure_is_recorded_whatever_it_says(void **state)
{
	test_workshop *w = *state;
	stepbus_completion c = failure("");
	stepbus_outcome *outcome;
	uint8_t id[16], ugly[16];

	start(w, id);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 11);
	c.error_message = big;
	c.error_message_len = sizeof big;
	c.error_type = "\xff\0\xc3";
	c.error_type_len = 3;
	c.backtrace = big + 1;
	c.backtrace_len = sizeof big - 1;
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	assert_int_equal(complete(w, id, c), STEPBUS_OK);
	memset(big, 0, sizeof big);
	outcome = test_workshop_await(w, id);
	assert_clean(stepbus_outcome_completion(outcome));
	assert_memory_equal(stepbus_outcome_completion(outcome)->error_type, "???", 3);
	assert_in_range(stepbus_outcome_completion(outcome)->backtrace_len, 65533, 65536);
	assert_backtrace(w, id, 65536);
	stepbus_outcome_free(outcome);
	/* And from a handler. */
	test_workshop_add(w, "ugly", ugly);
	outcome = test_workshop_await(w, ugly);
	assert_clean(stepbus_outcome_completion(outcome));
	stepbus_outcome_free(outcome);
}

static void a_result_that_is_too_large_fails_its_step(void **state)
{
	test_workshop *w = *state;
	const stepbus_completion *c;
	stepbus_outcome *outcome;
	uint8_t small[16], large[16];

	test_workshop_reopen(w, ",\"payload_len_max\":1024");
	test_workshop_work(w);
	test_workshop_add(w, "large:1024", small);
	test_workshop_add(w, "large:1025", large);
	outcome = test_workshop_await(w, small);
	c = stepbus_outcome_completion(outcome);
	assert_int_equal(c->outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(c->result_len, 1024);
	stepbus_outcome_free(outcome);
	outcome = test_workshop_await(w, large);
	c = stepbus_outcome_completion(outcome);
	assert_int_equal(c->outcome, STEPBUS_OUTCOME_FAILURE);
	assert_memory_equal(c->error_type, "result_too_large", 16);
	assert_int_equal(c->is_retryable, 0);
	stepbus_outcome_free(outcome);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSHOP_TEST(a_host_completes_what_a_handler_has_not),
		WORKSHOP_TEST(the_same_success_again_is_fine),
		WORKSHOP_TEST(the_same_empty_success_again_is_fine),
		WORKSHOP_TEST(the_same_failure_again_is_fine),
		WORKSHOP_TEST(the_same_snooze_again_is_fine),
		WORKSHOP_TEST(an_older_attempt_is_stale),
		WORKSHOP_TEST(an_attempt_whose_time_was_over_is_told_so),
		WORKSHOP_TEST(what_is_not_there_cannot_be_completed),
		WORKSHOP_TEST(what_is_out_of_bounds_is_refused),
		WORKSHOP_TEST(what_is_at_its_bound_is_taken),
		WORKSHOP_TEST(a_failure_is_recorded_whatever_it_says),
		WORKSHOP_TEST(a_result_that_is_too_large_fails_its_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
