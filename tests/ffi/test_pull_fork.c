/* SPDX-License-Identifier: MIT */
/* Pulling in a forked child: the steps and the worker are the parent's. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child.h"
#include "support/puller.h"

enum { COUNT = 3 };

typedef struct inheritance {
	test_box *box;
	stepbus *engine;
	stepbus_worker *worker;
	stepbus_step_event event;
} inheritance;

/* The number of the first call that is not refused; 0: all are. */
static int try_all(void *context)
{
	const inheritance *i = context;
	const stepbus_completion completion = test_pull_success(&i->event, "child");
	stepbus_checkpoint_spec checkpoint = { .size = sizeof checkpoint, .token = i->event.token };
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 0;
	int32_t fd = -1;

	memcpy(checkpoint.step_id, i->event.step_id, sizeof checkpoint.step_id);
	if (stepbus_poll(i->worker, &event, 1, -1, &count, NULL) != STEPBUS_EFORKED)
		return 1;
	if (stepbus_complete(i->engine, &completion, 1, NULL, NULL) != STEPBUS_EFORKED)
		return 2;
	if (stepbus_checkpoint(i->engine, &checkpoint, NULL) != STEPBUS_EFORKED)
		return 3;
	if (stepbus_release(i->engine, i->event.step_id, i->event.token, NULL) != STEPBUS_EFORKED)
		return 4;
	if (stepbus_heartbeat(i->engine, i->event.step_id, i->event.token, NULL) != STEPBUS_EFORKED)
		return 5;
	if (stepbus_wake_fd(i->worker, STEPBUS_WAKE_EVENTFD, &fd, NULL) != STEPBUS_EFORKED)
		return 6;
	if (stepbus_worker_stop(i->worker, -1, NULL, NULL) != STEPBUS_EFORKED)
		return 7;
	stepbus_worker_free(i->worker);
	stepbus_close(i->engine);
	return stepbus_step_is_cancelled(i->engine, i->event.step_id, i->event.token) ? 0 : 8;
}

static void a_child_may_do_nothing_with_what_was_polled(void **state)
{
	test_box *box = *state;
	inheritance i = { .box = box };

	i.worker = test_pull_begin(box, &i.engine, NULL);
	test_box_add(box, i.engine, "work", "x");
	i.event = test_pull_one(box, i.worker);
	assert_int_equal(test_in_child(try_all, &i), 0);
	assert_int_equal(stepbus_step_is_cancelled(i.engine, i.event.step_id, i.event.token), 0);
	box_ok(box, test_pull_succeed(box, i.engine, &i.event, "parent"));
	assert_string_equal(test_box_look(box, i.engine, i.event.step_id).result, "parent");
}

static int32_t fork_once(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	pid_t *forked = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	if (*forked < 0)
		*forked = fork();
	return 0;
}

static void what_a_forked_subscriber_comes_back_into_hands_out_no_more(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker;
	stepbus_step_event events[COUNT] = { { .size = sizeof events[0] } };
	const stepbus_step_spec specs[COUNT] = { test_box_spec("work", "1"),
						 test_box_spec("work", "2"),
						 test_box_spec("work", "3") };
	pid_t forked = -1;
	const stepbus_subscription spec = { .size = sizeof spec,
					    .deliver = fork_once,
					    .user_data = &forked };
	stepbus_status status;
	size_t count = 0;
	int ended = 0;

	/* Else they would come into the line one by one. */
	box->is_deaf = true;
	worker = test_pull_begin(box, &engine, NULL);
	box_ok(box, stepbus_bridge_subscribe(stepbus_engine_bridge(engine),
					     STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					     &spec, NULL, &box->err));
	box_ok(box, stepbus_step_enqueue(engine, specs, COUNT, NULL, &box->err));
	status = stepbus_poll(worker, events, COUNT, TEST_PULL_WAIT_MS, &count, &box->err);
	if (forked == 0)
		_exit(status == STEPBUS_EFORKED ? (int)count : COUNT + 1);
	assert_int_equal(waitpid(forked, &ended, 0), forked);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), 1);
	assert_int_equal(status, STEPBUS_OK);
	assert_int_equal(count, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		box_ok(box, test_pull_succeed(box, engine, &events[i], ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_child_may_do_nothing_with_what_was_polled),
		BOX_TEST(what_a_forked_subscriber_comes_back_into_hands_out_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
