/* SPDX-License-Identifier: MIT */
#include "support/puller.h"

#include <stdio.h>
#include <string.h>

void test_pull_handle(test_box *box, stepbus *engine, const char *name,
		      const stepbus_handler_spec *spec)
{
	stepbus_handler_spec full = { .size = sizeof full };

	if (spec != NULL)
		full = *spec;
	full.flags |= STEPBUS_HANDLER_PULLED;
	full.name = name;
	full.name_len = strlen(name);
	box_ok(box, stepbus_registry_register(stepbus_engine_registry(engine), &full, &box->err));
}

stepbus_worker *test_pull_work(test_box *box, stepbus *engine, const char *keys)
{
	char config[512];

	(void)snprintf(config, sizeof config, "\"pull\":true%s%s", keys != NULL ? "," : "",
		       keys != NULL ? keys : "");
	return test_box_work(box, engine, config);
}

stepbus_worker *test_pull_begin(test_box *box, stepbus **engine, const char *keys)
{
	*engine = test_box_open(box, NULL);
	test_pull_handle(box, *engine, "work", NULL);
	return test_pull_work(box, *engine, keys);
}

stepbus_step_event test_pull_one(test_box *box, stepbus_worker *worker)
{
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 0;

	box_ok(box, stepbus_poll(worker, &event, 1, TEST_PULL_WAIT_MS, &count, &box->err));
	assert_int_equal(count, 1);
	return event;
}

size_t test_pull_many(test_box *box, stepbus_worker *worker, stepbus_step_event *events,
		      size_t count_max)
{
	size_t count = 0;

	events[0].size = sizeof *events;
	box_ok(box, stepbus_poll(worker, events, count_max, TEST_PULL_WAIT_MS, &count, &box->err));
	return count;
}

static stepbus_completion completion_of(const stepbus_step_event *event, int32_t outcome)
{
	stepbus_completion c = {
		.size = sizeof c, .outcome = outcome, .token = event->token, .retry_after_ms = -1
	};

	memcpy(c.step_id, event->step_id, sizeof c.step_id);
	return c;
}

stepbus_completion test_pull_success(const stepbus_step_event *event, const char *result)
{
	stepbus_completion c = completion_of(event, STEPBUS_OUTCOME_SUCCESS);

	c.result = result;
	c.result_len = strlen(result);
	return c;
}

stepbus_completion test_pull_failure(const stepbus_step_event *event, const char *message,
				     uint32_t is_retryable)
{
	stepbus_completion c = completion_of(event, STEPBUS_OUTCOME_FAILURE);

	c.error_type = "host_error";
	c.error_type_len = strlen(c.error_type);
	c.error_message = message;
	c.error_message_len = strlen(message);
	c.is_retryable = is_retryable;
	return c;
}

stepbus_status test_pull_complete(test_box *box, stepbus *engine, stepbus_completion completion)
{
	return stepbus_complete(engine, &completion, 1, NULL, &box->err);
}

stepbus_status test_pull_succeed(test_box *box, stepbus *engine, const stepbus_step_event *event,
				 const char *result)
{
	return test_pull_complete(box, engine, test_pull_success(event, result));
}
