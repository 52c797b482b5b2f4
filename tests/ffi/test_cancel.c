/* SPDX-License-Identifier: MIT */
/* Calling steps off, through the public interface. */
#include "support/workshop.h"

#include <sched.h>

static void cancelling_a_waiting_step_ends_it(void **state)
{
	test_workshop *w = *state;
	stepbus_outcome *outcome;
	uint8_t id[16];

	test_workshop_add(w, "ok", id);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_OK);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_CANCELLED);
	outcome = test_workshop_await(w, id);
	assert_int_equal(stepbus_outcome_completion(outcome)->outcome, STEPBUS_OUTCOME_CANCELLED);
	stepbus_outcome_free(outcome);
	test_workshop_await_event(w, SB_EVENT_CANCELLED, 1);
	assert_non_null(strstr(w->last_event, "\"reason\":\"cancelled\""));
}

static void a_cancelled_step_never_runs(void **state)
{
	test_workshop *w = *state;
	uint8_t cancelled[16], other[16];

	test_workshop_add(w, "ok", cancelled);
	test_workshop_add(w, "ok", other);
	assert_int_equal(stepbus_step_cancel(w->engine, cancelled, &w->err), STEPBUS_OK);
	test_workshop_work(w);
	stepbus_outcome_free(test_workshop_await(w, other));
	assert_int_equal(test_workshop_started(w), 1);
	assert_memory_equal(w->runs[0].step_id, other, 16);
}

static void a_scheduled_step_can_be_cancelled(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	sb_step_status status;
	uint8_t id[16];

	spec.delay_ms = 3600000;
	spec.total_timeout_ms = 7200000;
	test_workshop_enqueue(w, &spec, id);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_OK);
	status = test_workshop_status(w, id);
	assert_int_equal(status.state, SB_STEP_CANCELLED);
	assert_int_equal(status.due_at_us, 0);
	assert_int_equal(status.deadline_at_us, 0);
}

static void a_running_handler_hears_of_the_cancel(void **state)
{
	test_workshop *w = *state;
	uint8_t id[16];

	test_workshop_work(w);
	test_workshop_add(w, "hold", id);
	test_workshop_await_started(w, 1);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_OK);
	test_workshop_let_go(w, 1);
	test_workshop_await_ended(w, 1);
	assert_int_equal(w->runs[0].checked, STEPBUS_ECANCELLED);
	assert_int_equal(stepbus_worker_stop(w->worker, -1, NULL, &w->err), STEPBUS_OK);
	/* Its success came too late. */
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_CANCELLED);
	assert_int_equal(test_workshop_attempt(w, id).outcome, SB_ATTEMPT_CANCELLED);
	assert_int_equal(test_workshop_attempt(w, id).number, 1);
	assert_int_equal(test_workshop_events(w, SB_EVENT_COMPLETION), 0);
}

static void a_claimed_step_that_has_not_started_never_does(void **state)
{
	test_workshop *w = *state;
	uint8_t held[4][16], queued[16];

	test_workshop_work(w);
	for (int i = 0; i < 4; i++)
		test_workshop_add(w, "hold", held[i]);
	test_workshop_await_started(w, 4);
	/* All threads are busy: it is claimed and stands in the line. */
	test_workshop_add(w, "ok", queued);
	while (test_workshop_state(w, queued) != STEPBUS_STEP_RUNNING)
		sched_yield();
	assert_int_equal(stepbus_step_cancel(w->engine, queued, &w->err), STEPBUS_OK);
	test_workshop_let_go(w, 4);
	assert_int_equal(stepbus_worker_stop(w->worker, -1, NULL, &w->err), STEPBUS_OK);
	assert_int_equal(test_workshop_started(w), 4);
	assert_int_equal(test_workshop_state(w, queued), STEPBUS_STEP_CANCELLED);
}

static void a_completion_of_a_cancelled_attempt_is_refused(void **state)
{
	test_workshop *w = *state;
	stepbus_completion completion = { .size = sizeof completion,
					  .outcome = STEPBUS_OUTCOME_SUCCESS,
					  .retry_after_ms = -1 };

	test_workshop_work(w);
	test_workshop_add(w, "hold", completion.step_id);
	test_workshop_await_started(w, 1);
	completion.token = w->runs[0].token;
	assert_int_equal(stepbus_step_cancel(w->engine, completion.step_id, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_complete(w->engine, &completion, 1, NULL, &w->err),
			 STEPBUS_ECANCELLED);
}

static void a_final_step_cannot_be_cancelled(void **state)
{
	test_workshop *w = *state;
	uint8_t id[16], cancelled[16];

	test_workshop_work(w);
	test_workshop_add(w, "ok", id);
	stepbus_outcome_free(test_workshop_await(w, id));
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_EALREADY);
	assert_non_null(strstr(w->err.message, "completed"));
	stepbus_worker_free(w->worker);
	test_workshop_add(w, "ok", cancelled);
	assert_int_equal(stepbus_step_cancel(w->engine, cancelled, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_cancel(w->engine, cancelled, &w->err), STEPBUS_EALREADY);
}

static void cancelling_what_is_not_there_is_told(void **state)
{
	test_workshop *w = *state;
	const uint8_t stranger[16] = { 1, 2, 3 };
	uint8_t id[16];

	assert_int_equal(stepbus_step_cancel(w->engine, stranger, &w->err), STEPBUS_ENOTFOUND);
	test_workshop_add(w, "ok", id);
	id[5]++; /* the next row of this store, which is not there */
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_step_cancel(w->engine, NULL, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_step_cancel(NULL, id, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_stop(w->engine, -1, NULL, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_ESHUTDOWN);
}

static void add_keyed(test_workshop *w, const char *input, uint8_t id[16])
{
	stepbus_step_spec spec = test_workshop_spec(input);

	spec.concurrency_key = "customer";
	spec.concurrency_key_len = 8;
	test_workshop_enqueue(w, &spec, id);
}

static void cancelling_a_running_step_gives_its_place_to_the_next(void **state)
{
	static const char limit[] = "{\"key_concurrency_max\":1}";
	test_workshop *w = *state;
	uint8_t first[16], second[16], third[16];

	assert_int_equal(stepbus_queue_set(w->engine, "default", 7, limit, strlen(limit), &w->err),
			 STEPBUS_OK);
	add_keyed(w, "hold", first);
	add_keyed(w, "hold", second);
	add_keyed(w, "ok", third);
	test_workshop_work(w);
	test_workshop_await_started(w, 1);
	while (test_workshop_state(w, third) != STEPBUS_STEP_PARKED)
		sched_yield();
	assert_int_equal(stepbus_step_cancel(w->engine, second, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_cancel(w->engine, first, &w->err), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, third));
	assert_int_equal(test_workshop_state(w, third), STEPBUS_STEP_COMPLETED);
}

/* A step that was let out of the park stands for the place it was let out for. */
static void cancelling_a_released_step_gives_its_place_to_the_next(void **state)
{
	static const char limit[] = "{\"key_concurrency_max\":1}";
	test_workshop *w = *state;
	uint8_t first[16], second[16], third[16];

	assert_int_equal(stepbus_queue_set(w->engine, "default", 7, limit, strlen(limit), &w->err),
			 STEPBUS_OK);
	add_keyed(w, "hold", first);
	add_keyed(w, "ok", second);
	add_keyed(w, "ok", third);
	test_workshop_work(w);
	test_workshop_await_started(w, 1);
	while (test_workshop_state(w, third) != STEPBUS_STEP_PARKED)
		sched_yield();
	/* So that the second one is released, and not claimed. */
	assert_int_equal(stepbus_queue_pause(w->engine, "default", 7, &w->err), STEPBUS_OK);
	test_workshop_let_go(w, 1);
	stepbus_outcome_free(test_workshop_await(w, first));
	assert_int_equal(test_workshop_state(w, second), STEPBUS_STEP_READY);
	assert_int_equal(test_workshop_state(w, third), STEPBUS_STEP_PARKED);
	assert_int_equal(stepbus_step_cancel(w->engine, second, &w->err), STEPBUS_OK);
	assert_int_equal(test_workshop_state(w, third), STEPBUS_STEP_READY);
	assert_int_equal(stepbus_queue_resume(w->engine, "default", 7, &w->err), STEPBUS_OK);
	stepbus_outcome_free(test_workshop_await(w, third));
}

static void another_process_notices_a_cancel(void **state)
{
	test_workshop *w = *state;
	uint8_t id[16];
	stepbus *other;

	test_workshop_reopen(w, ",\"poll_ms\":20");
	test_workshop_work(w);
	test_workshop_add(w, "watch", id);
	test_workshop_await_started(w, 1);
	other = test_workshop_open_other(w);
	assert_int_equal(stepbus_step_cancel(other, id, &w->err), STEPBUS_OK);
	stepbus_close(other);
	test_workshop_await_ended(w, 1);
	assert_int_equal(w->runs[0].checked, STEPBUS_ECANCELLED);
	assert_int_equal(stepbus_worker_stop(w->worker, -1, NULL, &w->err), STEPBUS_OK);
	assert_int_equal(test_workshop_state(w, id), STEPBUS_STEP_CANCELLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSHOP_TEST(cancelling_a_waiting_step_ends_it),
		WORKSHOP_TEST(a_cancelled_step_never_runs),
		WORKSHOP_TEST(a_scheduled_step_can_be_cancelled),
		WORKSHOP_TEST(a_running_handler_hears_of_the_cancel),
		WORKSHOP_TEST(a_claimed_step_that_has_not_started_never_does),
		WORKSHOP_TEST(a_completion_of_a_cancelled_attempt_is_refused),
		WORKSHOP_TEST(a_final_step_cannot_be_cancelled),
		WORKSHOP_TEST(cancelling_what_is_not_there_is_told),
		WORKSHOP_TEST(cancelling_a_running_step_gives_its_place_to_the_next),
		WORKSHOP_TEST(cancelling_a_released_step_gives_its_place_to_the_next),
		WORKSHOP_DISK_TEST(another_process_notices_a_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
