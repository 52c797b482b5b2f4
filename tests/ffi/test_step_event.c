/* SPDX-License-Identifier: MIT */
/* What a step's event says that neither its handler nor its row says alone. */
#include <stdio.h>
#include <string.h>

#include "support/engine_box.h"

static stepbus *open_with_worker(test_box *box, const char *keys)
{
	stepbus *engine = test_box_open(box, keys);

	(void)test_box_work(box, engine, "\"pool_size\":1");
	return engine;
}

static int32_t act_tell_timeout(test_handler *h, const stepbus_context *context,
				stepbus_result *result)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%lld",
			   (long long)stepbus_context_step(context)->attempt_timeout_ms);

	(void)h;
	return stepbus_result_success(result, text, (size_t)len, NULL);
}

static void a_step_knows_the_time_its_handler_gives_it(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	const stepbus_handler_spec own = { .attempt_timeout_ms = 90000 };
	stepbus_step_spec spec = test_box_spec("work", "");

	(void)test_box_handle(box, engine, "work", act_tell_timeout, &own);
	(void)test_box_handle(box, engine, "idle", act_tell_timeout, NULL);
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_await_notes(box, "step.completion.sent", 1);
	spec.attempt_timeout_ms = 30000;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_await_notes(box, "step.completion.sent", 2);
	test_box_add(box, engine, "idle", "");
	test_box_await_notes(box, "step.completion.sent", 3);
	assert_string_equal(test_box_note(box, "step.completion.sent", 0)->text, "90000");
	assert_string_equal(test_box_note(box, "step.completion.sent", 1)->text, "30000");
	assert_string_equal(test_box_note(box, "step.completion.sent", 2)->text, "0");
}

static int32_t act_tell_names(test_handler *h, const stepbus_context *context,
			      stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	char text[128];
	int len = snprintf(text, sizeof text, "%.*s|%.*s", (int)step->queue_len, step->queue,
			   (int)step->traceparent_len, step->traceparent);

	(void)h;
	return stepbus_result_success(result, text, (size_t)len, NULL);
}

static void a_step_knows_its_queue_and_its_trace(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "");

	(void)test_box_handle(box, engine, "work", act_tell_names, NULL);
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_await_notes(box, "step.completion.sent", 1);
	spec.queue = "bills";
	spec.queue_len = 5;
	spec.traceparent = "00-1-2-01";
	spec.traceparent_len = 9;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_await_notes(box, "step.completion.sent", 2);
	assert_string_equal(test_box_note(box, "step.completion.sent", 0)->text, "default|");
	assert_string_equal(test_box_note(box, "step.completion.sent", 1)->text, "bills|00-1-2-01");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_step_knows_the_time_its_handler_gives_it),
		BOX_TEST(a_step_knows_its_queue_and_its_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
