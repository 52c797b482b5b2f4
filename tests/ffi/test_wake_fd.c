/* SPDX-License-Identifier: MIT */
/* The descriptor for event loops: readable exactly while a poll has something to say. */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "support/puller.h"

enum { SECOND = 1000000, LIMIT_MS = 60000 };

static int32_t wake_fd(test_box *box, stepbus_worker *worker, int32_t kind)
{
	int32_t fd = -1;

	box_ok(box, stepbus_wake_fd(worker, kind, &fd, &box->err));
	assert_true(fd >= 0);
	return fd;
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void await_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
}

static stepbus_status poll_now(test_box *box, stepbus_worker *worker, stepbus_step_event *event)
{
	size_t count = 0;

	*event = (stepbus_step_event){ .size = sizeof *event };
	return stepbus_poll(worker, event, 1, 0, &count, &box->err);
}

static void follow_steps(test_box *box, int32_t kind)
{
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	int fd = wake_fd(box, worker, kind);
	stepbus_step_event first, second, none;

	assert_false(is_readable(fd));
	test_box_add(box, engine, "work", "x");
	await_readable(fd);
	/* As long as there is one, whoever looks. */
	assert_true(is_readable(fd));
	first = test_pull_one(box, worker);
	assert_false(is_readable(fd));
	test_box_add(box, engine, "work", "x");
	test_box_add(box, engine, "work", "x");
	test_box_await_notes(box, "step.started", 3);
	await_readable(fd);
	second = test_pull_one(box, worker);
	await_readable(fd);
	assert_int_equal(test_pull_succeed(box, engine, &first, ""), STEPBUS_OK);
	assert_int_equal(test_pull_succeed(box, engine, &second, ""), STEPBUS_OK);
	first = test_pull_one(box, worker);
	assert_false(is_readable(fd));
	assert_int_equal(poll_now(box, worker, &none), STEPBUS_ETIMEDOUT);
	assert_int_equal(test_pull_succeed(box, engine, &first, ""), STEPBUS_OK);
	assert_false(is_readable(fd));
}

static void an_eventfd_follows_the_steps(void **state)
{
	follow_steps(*state, STEPBUS_WAKE_EVENTFD);
}

static void a_socket_follows_the_steps(void **state)
{
	follow_steps(*state, STEPBUS_WAKE_SOCKET);
}

static void the_same_descriptor_is_given_again(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	int fd = wake_fd(box, worker, STEPBUS_WAKE_SOCKET);
	int32_t other = -1;

	assert_int_equal(wake_fd(box, worker, STEPBUS_WAKE_SOCKET), fd);
	box_refused(box, STEPBUS_EINVAL, "other kind",
		    stepbus_wake_fd(worker, STEPBUS_WAKE_EVENTFD, &other, &box->err));
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	stepbus_worker_free(worker);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void what_waited_before_it_was_asked_for_is_told(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);

	test_box_add(box, engine, "work", "x");
	await_readable(wake_fd(box, worker, STEPBUS_WAKE_EVENTFD));
}

static void an_interruption_is_told_until_the_next_poll(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec slow = { .size = sizeof slow, .attempt_timeout_ms = 1000 };
	stepbus_worker *worker;
	stepbus_step_event event, none;
	int fd;

	test_pull_handle(box, engine, "work", &slow);
	worker = test_pull_work(box, engine, NULL);
	fd = wake_fd(box, worker, STEPBUS_WAKE_EVENTFD);
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	box_ok(box, stepbus_step_cancel(engine, event.step_id, &box->err));
	assert_true(is_readable(fd));
	assert_int_equal(poll_now(box, worker, &none), STEPBUS_ETIMEDOUT);
	assert_false(is_readable(fd));
	assert_int_equal(stepbus_step_is_cancelled(engine, event.step_id, event.token), 1);
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ECANCELLED);
	test_box_add(box, engine, "work", "x");
	event = test_pull_one(box, worker);
	assert_false(is_readable(fd));
	test_box_advance(box, 2 * SECOND);
	await_readable(fd);
	assert_int_equal(stepbus_step_is_cancelled(engine, event.step_id, event.token), 1);
	assert_int_equal(poll_now(box, worker, &none), STEPBUS_ETIMEDOUT);
	assert_false(is_readable(fd));
	assert_int_equal(test_pull_succeed(box, engine, &event, ""), STEPBUS_ETIMEDOUT);
}

static void a_stop_is_told_for_good(void **state)
{
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, NULL);
	int fd = wake_fd(box, worker, STEPBUS_WAKE_EVENTFD);
	stepbus_step_event none;

	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	for (int i = 0; i < 2; i++) {
		assert_true(is_readable(fd));
		assert_int_equal(poll_now(box, worker, &none), STEPBUS_ESHUTDOWN);
	}
}

static void it_is_quiet_while_no_more_are_handed_out(void **state)
{
	enum { ROOM = 4 * 1 + 64 };
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker = test_pull_begin(box, &engine, "\"block_size\":1");
	int fd = wake_fd(box, worker, STEPBUS_WAKE_EVENTFD);
	stepbus_step_event events[ROOM], none;

	for (int i = 0; i < ROOM + 1; i++)
		test_box_add(box, engine, "work", "x");
	for (int i = 0; i < ROOM; i++)
		events[i] = test_pull_one(box, worker);
	assert_int_equal(poll_now(box, worker, &none), STEPBUS_EBUSY);
	assert_false(is_readable(fd));
	assert_int_equal(test_pull_succeed(box, engine, &events[0], ""), STEPBUS_OK);
	await_readable(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(an_eventfd_follows_the_steps),
		BOX_TEST(a_socket_follows_the_steps),
		BOX_TEST(the_same_descriptor_is_given_again),
		BOX_TEST(what_waited_before_it_was_asked_for_is_told),
		BOX_TEST(an_interruption_is_told_until_the_next_poll),
		BOX_TEST(a_stop_is_told_for_good),
		BOX_TEST(it_is_quiet_while_no_more_are_handed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
