/* SPDX-License-Identifier: MIT */
/* Waiting for what steps end with, through the public interface. */
#include "support/workshop.h"

#include "support/child.h"
#include "support/thread.h"

static bool is_text(const void *data, size_t len, const char *expected)
{
	return sb_slice_is_equal(sb_slice_of(data, len), sb_slice_z(expected));
}

static void a_success_comes_with_its_result(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("echo:hello");
	const stepbus_completion *c;
	stepbus_outcome *outcome;
	uint8_t id[16];

	spec.correlation_id = "order-1";
	spec.correlation_id_len = 7;
	test_workshop_work(w);
	test_workshop_enqueue(w, &spec, id);
	outcome = test_workshop_await(w, id);
	c = stepbus_outcome_completion(outcome);
	assert_int_equal(c->size, sizeof *c);
	assert_int_equal(c->outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_memory_equal(c->step_id, id, 16);
	assert_int_equal(c->token, w->runs[0].token);
	assert_true(is_text(c->result, c->result_len, "hello"));
	assert_true(is_text(c->content_type, c->content_type_len, "application/json"));
	assert_true(is_text(c->correlation_id, c->correlation_id_len, "order-1"));
	assert_true(is_text(c->handler_name, c->handler_name_len, "work"));
	assert_true(c->worker_id_len > 0);
	assert_true(c->execution_time_us >= 0);
	assert_int_equal(c->error_type_len, 0);
	stepbus_outcome_free(outcome);
}

static void a_failure_comes_with_its_last_error(void **state)
{
	test_workshop *w = *state;
	const stepbus_completion *c;
	stepbus_outcome *outcome;
	uint8_t id[16];

	test_workshop_work(w);
	test_workshop_add(w, "fail", id);
	outcome = test_workshop_await(w, id);
	c = stepbus_outcome_completion(outcome);
	assert_int_equal(c->outcome, STEPBUS_OUTCOME_FAILURE);
	assert_true(is_text(c->error_type, c->error_type_len, "broken"));
	assert_true(is_text(c->error_message, c->error_message_len, "it is broken"));
	assert_true(is_text(c->error_code, c->error_code_len, "E1"));
	assert_int_equal(c->is_retryable, 0);
	assert_int_equal(c->retry_after_ms, -1);
	assert_int_equal(c->result_len, 0);
	stepbus_outcome_free(outcome);
}

static void retries_are_waited_for(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("retry");
	stepbus_outcome *outcome;
	uint8_t id[16];

	spec.attempt_count_max = 3;
	spec.retry_kind = STEPBUS_RETRY_FIXED;
	spec.retry_base_ms = 1;
	test_workshop_work(w);
	test_workshop_enqueue(w, &spec, id);
	outcome = test_workshop_await(w, id);
	assert_int_equal(test_workshop_started(w), 3);
	assert_int_equal(stepbus_outcome_completion(outcome)->outcome, STEPBUS_OUTCOME_FAILURE);
	assert_int_equal(stepbus_outcome_completion(outcome)->is_retryable, 1);
	stepbus_outcome_free(outcome);
}

/* What an attempt before it failed with is not why a step was cancelled. */
static void a_cancelled_step_does_not_show_an_old_error(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("retry");
	const stepbus_completion *c;
	stepbus_outcome *outcome;
	uint8_t id[16];

	spec.retry_kind = STEPBUS_RETRY_FIXED;
	spec.retry_base_ms = 3600000;
	test_workshop_work(w);
	test_workshop_enqueue(w, &spec, id);
	test_workshop_await_event(w, SB_EVENT_FAILED, 1);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_OK);
	outcome = test_workshop_await(w, id);
	c = stepbus_outcome_completion(outcome);
	assert_int_equal(c->outcome, STEPBUS_OUTCOME_CANCELLED);
	assert_int_equal(c->error_type_len, 0);
	stepbus_outcome_free(outcome);
}

static void looking_does_not_wait(void **state)
{
	test_workshop *w = *state;
	stepbus_outcome *outcome = NULL;
	uint8_t id[16];

	test_workshop_add(w, "ok", id);
	assert_int_equal(stepbus_step_await(w->engine, id, 0, &outcome, &w->err),
			 STEPBUS_ETIMEDOUT);
	assert_non_null(strstr(w->err.message, "ready"));
	assert_int_equal(stepbus_step_await(w->engine, id, 1, &outcome, &w->err),
			 STEPBUS_ETIMEDOUT);
	assert_null(outcome);
}

static void waiting_for_what_is_not_there_is_told(void **state)
{
	test_workshop *w = *state;
	const uint8_t stranger[16] = { 9 };
	stepbus_outcome *outcome = NULL;
	uint8_t id[16];

	test_workshop_add(w, "ok", id);
	assert_int_equal(stepbus_step_await(w->engine, stranger, -1, &outcome, &w->err),
			 STEPBUS_ENOTFOUND);
	id[5]++;
	assert_int_equal(stepbus_step_await(w->engine, id, -1, &outcome, &w->err),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_step_await(w->engine, id, -2, &outcome, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_step_await(w->engine, NULL, 0, &outcome, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_step_await(w->engine, id, 0, NULL, &w->err), STEPBUS_EINVAL);
	assert_null(stepbus_outcome_completion(NULL));
	stepbus_outcome_free(NULL);
}

typedef struct waiter {
	test_workshop *w;
	uint8_t id[16];
	stepbus_status status;
} waiter;

static void wait_for_ever(void *context)
{
	waiter *waiting = context;
	stepbus_outcome *outcome = NULL;

	waiting->status = stepbus_step_await(waiting->w->engine, waiting->id, -1, &outcome, NULL);
	stepbus_outcome_free(outcome);
}

static void a_stopping_engine_lets_waiters_go(void **state)
{
	test_workshop *w = *state;
	waiter waiting = { .w = w };
	test_thread thread = { 0 };

	test_workshop_add(w, "ok", waiting.id);
	test_thread_start(&thread, wait_for_ever, &waiting);
	test_thread_await_sleep(&thread);
	assert_int_equal(stepbus_stop(w->engine, -1, NULL, &w->err), STEPBUS_OK);
	test_thread_join(&thread);
	assert_int_equal(waiting.status, STEPBUS_ESHUTDOWN);
}

static void many_wait_for_one_step(void **state)
{
	enum { WAITER_COUNT = 8 };
	test_workshop *w = *state;
	test_thread threads[WAITER_COUNT] = { 0 };
	waiter waiting[WAITER_COUNT];
	uint8_t id[16];

	test_workshop_work(w);
	test_workshop_add(w, "hold", id);
	for (int i = 0; i < WAITER_COUNT; i++) {
		waiting[i].w = w;
		memcpy(waiting[i].id, id, sizeof id);
		test_thread_start(&threads[i], wait_for_ever, &waiting[i]);
	}
	test_workshop_let_go(w, 1);
	for (int i = 0; i < WAITER_COUNT; i++) {
		test_thread_join(&threads[i]);
		assert_int_equal(waiting[i].status, STEPBUS_OK);
	}
}

static void a_step_that_another_engine_ends_is_noticed(void **state)
{
	test_workshop *w = *state;
	stepbus *other = test_workshop_open_other(w);
	stepbus_worker *worker = NULL;
	uint8_t id[16];

	test_workshop_add(w, "echo:x", id);
	assert_int_equal(stepbus_worker_start(other, NULL, 0, &worker, &w->err), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, id));
	stepbus_close(other);
}

static void an_outcome_outlives_its_engine(void **state)
{
	test_workshop *w = *state;
	const stepbus_completion *c;
	stepbus_outcome *outcome;
	uint8_t id[16];

	test_workshop_work(w);
	test_workshop_add(w, "echo:kept", id);
	outcome = test_workshop_await(w, id);
	test_workshop_reopen(w, "");
	c = stepbus_outcome_completion(outcome);
	assert_true(is_text(c->result, c->result_len, "kept"));
	stepbus_outcome_free(outcome);
}

static int await_in_child(void *context)
{
	const waiter *waiting = context;
	stepbus_outcome *outcome = NULL;
	stepbus_error err = STEPBUS_ERROR_INIT;

	return stepbus_step_await(waiting->w->engine, waiting->id, 0, &outcome, &err) ==
				       STEPBUS_EFORKED &&
			       stepbus_step_cancel(waiting->w->engine, waiting->id, &err) ==
				       STEPBUS_EFORKED &&
			       stepbus_step_redrive(waiting->w->engine, waiting->id, &err) ==
				       STEPBUS_EFORKED &&
			       stepbus_queue_pause(waiting->w->engine, "q", 1, &err) ==
				       STEPBUS_EFORKED ?
		       0 :
		       1;
}

static void a_forked_child_is_told_so(void **state)
{
	test_workshop *w = *state;
	waiter waiting = { .w = w };

	test_workshop_add(w, "ok", waiting.id);
	assert_int_equal(test_in_child(await_in_child, &waiting), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSHOP_TEST(a_success_comes_with_its_result),
		WORKSHOP_TEST(a_failure_comes_with_its_last_error),
		WORKSHOP_TEST(retries_are_waited_for),
		WORKSHOP_TEST(a_cancelled_step_does_not_show_an_old_error),
		WORKSHOP_TEST(looking_does_not_wait),
		WORKSHOP_TEST(waiting_for_what_is_not_there_is_told),
		WORKSHOP_TEST(a_stopping_engine_lets_waiters_go),
		WORKSHOP_TEST(many_wait_for_one_step),
		WORKSHOP_DISK_TEST(a_step_that_another_engine_ends_is_noticed),
		WORKSHOP_TEST(an_outcome_outlives_its_engine),
		WORKSHOP_TEST(a_forked_child_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
