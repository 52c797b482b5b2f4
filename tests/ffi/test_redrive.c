/* SPDX-License-Identifier: MIT */
/* Having steps run again, one and many, through the public interface. */
#include "support/workshop.h"

enum { MANY = 2500 };

static void fail_one(test_workshop *w, uint8_t id[16])
{
	test_workshop_add(w, "fail", id);
	stepbus_outcome_free(test_workshop_await(w, id));
}

static void end_worker(test_workshop *w)
{
	stepbus_worker_free(w->worker);
	w->worker = NULL;
}

static void a_redriven_step_begins_anew(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("fail");
	sb_step_status status;
	uint8_t id[16];

	test_workshop_work(w);
	spec.total_timeout_ms = 3600000;
	test_workshop_enqueue(w, &spec, id);
	stepbus_outcome_free(test_workshop_await(w, id));
	end_worker(w);
	assert_int_equal(test_workshop_status(w, id).deadline_at_us, 0);
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_OK);
	status = test_workshop_status(w, id);
	assert_int_equal(status.state, SB_STEP_READY);
	assert_int_equal(status.attempt_count, 0);
	assert_int_equal(status.crash_count, 0);
	assert_true(status.deadline_at_us >= status.changed_at_us + 3600000000LL);
	test_workshop_await_event(w, SB_EVENT_REDRIVEN, 1);
	test_workshop_work(w);
	test_workshop_await_ended(w, 2);
	assert_int_equal(w->runs[1].retry_count, 0);
	assert_true(w->runs[1].token > w->runs[0].token);
}

static void a_cancelled_step_can_be_redriven(void **state)
{
	test_workshop *w = *state;
	stepbus_outcome *outcome;
	uint8_t id[16];

	test_workshop_add(w, "echo:again", id);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_OK);
	test_workshop_work(w);
	outcome = test_workshop_await(w, id);
	assert_int_equal(stepbus_outcome_completion(outcome)->outcome, STEPBUS_OUTCOME_SUCCESS);
	stepbus_outcome_free(outcome);
}

static void open_and_completed_steps_are_not_redriven(void **state)
{
	test_workshop *w = *state;
	const uint8_t stranger[16] = { 7 };
	uint8_t id[16];

	test_workshop_add(w, "ok", id);
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_EALREADY);
	test_workshop_work(w);
	stepbus_outcome_free(test_workshop_await(w, id));
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_EALREADY);
	assert_non_null(strstr(w->err.message, "completed"));
	assert_int_equal(stepbus_step_redrive(w->engine, stranger, &w->err), STEPBUS_ENOTFOUND);
	assert_int_equal(stepbus_step_redrive(w->engine, NULL, &w->err), STEPBUS_EINVAL);
	assert_int_equal(stepbus_stop(w->engine, -1, NULL, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_ESHUTDOWN);
}

/* The attempt that is cancelled still runs when the step is claimed again, by the same process. */
static void an_old_attempt_does_not_disturb_the_new_one(void **state)
{
	test_workshop *w = *state;
	stepbus_outcome *outcome;
	uint8_t id[16];

	test_workshop_work(w);
	test_workshop_add(w, "hold", id);
	test_workshop_await_started(w, 1);
	assert_int_equal(stepbus_step_cancel(w->engine, id, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_redrive(w->engine, id, &w->err), STEPBUS_OK);
	test_workshop_await_started(w, 2);
	test_workshop_let_go(w, 2);
	outcome = test_workshop_await(w, id);
	assert_int_equal(stepbus_outcome_completion(outcome)->outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(stepbus_outcome_completion(outcome)->token, w->runs[1].token);
	stepbus_outcome_free(outcome);
	assert_int_equal(stepbus_worker_stop(w->worker, -1, NULL, &w->err), STEPBUS_OK);
}

/* Its key is free for others while it is final, and stays theirs. */
static void a_redriven_step_leaves_its_key_to_a_newer_one(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	stepbus_enqueued out = { .size = sizeof out };
	uint8_t old[16], newer[16];

	spec.unique_key = "k";
	spec.unique_key_len = 1;
	test_workshop_enqueue(w, &spec, old);
	assert_int_equal(stepbus_step_cancel(w->engine, old, &w->err), STEPBUS_OK);
	test_workshop_enqueue(w, &spec, newer);
	assert_memory_not_equal(old, newer, 16);
	assert_int_equal(stepbus_step_redrive(w->engine, old, &w->err), STEPBUS_OK);
	assert_int_equal(stepbus_step_enqueue(w->engine, &spec, 1, &out, &w->err), STEPBUS_OK);
	assert_int_equal(out.is_existing, 1);
	assert_memory_equal(out.step_id, newer, 16);
}

static uint64_t redrive_all(test_workshop *w, const char *filter)
{
	uint64_t count = 99;

	if (stepbus_step_redrive_all(w->engine, filter, strlen(filter), &count, &w->err) !=
	    STEPBUS_OK)
		fail_msg("%s", w->err.message);
	return count;
}

static void all_that_match_are_redriven(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec mail = test_workshop_spec("ok");
	uint8_t failed[16], cancelled[16], done[16], mailed[16];

	test_workshop_work(w);
	fail_one(w, failed);
	test_workshop_add(w, "ok", done);
	stepbus_outcome_free(test_workshop_await(w, done));
	end_worker(w);
	test_workshop_add(w, "ok", cancelled);
	assert_int_equal(stepbus_step_cancel(w->engine, cancelled, &w->err), STEPBUS_OK);
	mail.queue = "mail";
	mail.queue_len = 4;
	test_workshop_enqueue(w, &mail, mailed);
	assert_int_equal(stepbus_step_cancel(w->engine, mailed, &w->err), STEPBUS_OK);

	assert_int_equal(redrive_all(w, "{\"queue\":\"nowhere\"}"), 0);
	assert_int_equal(redrive_all(w, "{\"handler\":\"other\"}"), 0);
	assert_int_equal(redrive_all(w, "{\"state\":\"completed\"}"), 0);
	assert_int_equal(redrive_all(w, "{\"queue\":\"mail\",\"handler\":\"work\"}"), 1);
	assert_int_equal(test_workshop_state(w, mailed), STEPBUS_STEP_READY);
	assert_int_equal(redrive_all(w, "{\"state\":[\"failed\",\"ready\"]}"), 1);
	assert_int_equal(test_workshop_state(w, failed), STEPBUS_STEP_READY);
	assert_int_equal(test_workshop_state(w, cancelled), STEPBUS_STEP_CANCELLED);
	assert_int_equal(redrive_all(w, ""), 1);
	assert_int_equal(test_workshop_state(w, cancelled), STEPBUS_STEP_READY);
	assert_int_equal(test_workshop_state(w, done), STEPBUS_STEP_COMPLETED);
}

static void more_than_a_page_is_redriven(void **state)
{
	test_workshop *w = *state;
	stepbus_step_spec spec = test_workshop_spec("ok");
	stepbus_step_spec *specs = test_malloc(MANY * sizeof *specs);
	stepbus_enqueued *out = test_malloc(MANY * sizeof *out);

	for (size_t i = 0; i < MANY; i++)
		specs[i] = spec;
	out->size = sizeof *out;
	assert_int_equal(stepbus_step_enqueue(w->engine, specs, MANY, out, &w->err), STEPBUS_OK);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(stepbus_step_cancel(w->engine, out[i].step_id, &w->err),
				 STEPBUS_OK);
	assert_int_equal(redrive_all(w, "{\"limit\":1}"), 1);
	/* The oldest first. */
	assert_int_equal(test_workshop_state(w, out[0].step_id), STEPBUS_STEP_READY);
	assert_int_equal(test_workshop_state(w, out[1].step_id), STEPBUS_STEP_CANCELLED);
	assert_int_equal(redrive_all(w, "{}"), MANY - 1);
	assert_int_equal(test_workshop_state(w, out[MANY - 1].step_id), STEPBUS_STEP_READY);
	test_free(specs);
	test_free(out);
}

static void wrong_filters_are_refused(void **state)
{
	static const struct {
		const char *filter;
		const char *message;
	} cases[] = {
		{ "{", "" },
		{ "{\"sate\":\"failed\"}", "sate" },
		{ "{\"cursor\":\"x\"}", "cursor" },
		{ "{\"order\":\"newest\"}", "order" },
	};
	test_workshop *w = *state;
	uint64_t count;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(stepbus_step_redrive_all(w->engine, cases[i].filter,
							  strlen(cases[i].filter), &count, &w->err),
				 STEPBUS_EINVAL);
		assert_non_null(strstr(w->err.message, cases[i].message));
	}
	assert_int_equal(stepbus_step_redrive_all(w->engine, "{}", 2, NULL, &w->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_step_redrive_all(w->engine, NULL, 2, &count, &w->err),
			 STEPBUS_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSHOP_TEST(a_redriven_step_begins_anew),
		WORKSHOP_TEST(a_cancelled_step_can_be_redriven),
		WORKSHOP_TEST(open_and_completed_steps_are_not_redriven),
		WORKSHOP_TEST(an_old_attempt_does_not_disturb_the_new_one),
		WORKSHOP_TEST(a_redriven_step_leaves_its_key_to_a_newer_one),
		WORKSHOP_TEST(all_that_match_are_redriven),
		WORKSHOP_TEST(more_than_a_page_is_redriven),
		WORKSHOP_TEST(wrong_filters_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
