/* SPDX-License-Identifier: MIT */
/* Polling beside what ends steps and workers on other threads, at the worst moment for it. */
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/puller.h"
#include "support/thread.h"

enum { PATIENCE_MS = 60000, SHORT_MS = 5000, PAGE_LEN = 4096 };

/* What another thread does while a poll is on its way, and where it is met. */
static struct ambush {
	test_box *box;
	stepbus *engine;
	stepbus_worker *worker;
	test_thread thread;
	pthread_t poller;
	_Atomic(int) is_armed;
	int32_t wake_fd;
	stepbus_completion completion;
	stepbus_status status;
	sem_t is_met, is_done;
	void *page;
} ambush;

static void stop_worker(void *user_data)
{
	struct ambush *a = user_data;

	a->status = stepbus_worker_stop(a->worker, SHORT_MS, NULL, NULL);
}

static int64_t elapsed_ns(void *user_data)
{
	test_box *box = user_data;

	/*
	 * The poll asks whether its lease is over: it is told so, and the worker's line is emptied
	 * meanwhile. For all others time stands still: the lease would be renewed.
	 */
	if (atomic_load(&ambush.is_armed) != 0 &&
	    pthread_equal(pthread_self(), ambush.poller) != 0 &&
	    atomic_exchange(&ambush.is_armed, 0) != 0) {
		struct pollfd wake = { .fd = ambush.wake_fd, .events = POLLIN };

		test_thread_start(&ambush.thread, stop_worker, &ambush);
		(void)poll(&wake, 1, PATIENCE_MS);
		return atomic_load(&box->elapsed_ns) + INT64_C(3000000000);
	}
	return atomic_load(&box->elapsed_ns);
}

static void a_stop_does_not_wait_for_steps_that_come_back_behind_it(void **state)
{
	test_box *box = *state;
	stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_step_event event = { .size = sizeof event };
	uint8_t id[16];
	size_t count = 0;

	box->host.elapsed_ns = elapsed_ns;
	memset(&ambush, 0, sizeof ambush);
	ambush.poller = pthread_self();
	ambush.engine = test_box_open(box, "\"lease_ms\":1000,\"poll_ms\":10");
	test_pull_handle(box, ambush.engine, "work", NULL);
	ambush.worker = test_pull_work(box, ambush.engine, NULL);
	box_ok(box,
	       stepbus_wake_fd(ambush.worker, STEPBUS_WAKE_EVENTFD, &ambush.wake_fd, &box->err));
	test_box_put(box, ambush.engine, &spec, id);
	atomic_store(&ambush.is_armed, 1);
	assert_int_equal(stepbus_poll(ambush.worker, &event, 1, PATIENCE_MS, &count, &box->err),
			 STEPBUS_ESHUTDOWN);
	test_thread_join(&ambush.thread);
	assert_int_equal(ambush.status, STEPBUS_OK);
	assert_int_equal(test_box_look(box, ambush.engine, id).status.state, SB_STEP_READY);
}

static void complete_when_met(void *user_data)
{
	struct ambush *a = user_data;

	test_semaphore_wait(&a->is_met);
	a->status = stepbus_complete(a->engine, &a->completion, 1, NULL, NULL);
	/* Until everybody else has let go of the step. */
	sb_writer_lead(&a->engine->writer);
	sb_writer_yield(&a->engine->writer);
	sb_notices_flush(&a->engine->notices);
	sem_post(&a->is_done);
}

/* The poll writes to the host's memory: by then the step can be answered. */
static void on_write(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
	(void)mprotect(ambush.page, PAGE_LEN, PROT_READ | PROT_WRITE);
	sem_post(&ambush.is_met);
	test_semaphore_wait(&ambush.is_done);
}

static void poll_into_page(test_box *box)
{
	const struct sigaction action = { .sa_sigaction = on_write, .sa_flags = SA_SIGINFO };
	stepbus_step_event *event = ambush.page;
	struct sigaction before;
	size_t count = 0;

	event->size = sizeof *event;
	assert_int_equal(mprotect(event, PAGE_LEN, PROT_READ), 0);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	box_ok(box, stepbus_poll(ambush.worker, event, 1, PATIENCE_MS, &count, &box->err));
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(count, 1);
}

static void a_step_may_be_answered_before_its_poll_returns(void **state)
{
	test_box *box = *state;
	stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_step_event event = { 0 };

	memset(&ambush, 0, sizeof ambush);
	ambush.worker = test_pull_begin(box, &ambush.engine, NULL);
	ambush.page =
		mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(ambush.page, MAP_FAILED);
	assert_int_equal(sem_init(&ambush.is_met, 0, 0), 0);
	assert_int_equal(sem_init(&ambush.is_done, 0, 0), 0);
	test_box_put(box, ambush.engine, &spec, event.step_id);
	test_box_await_notes(box, "step.started", 1);
	event.token = (uint64_t)test_box_look(box, ambush.engine, event.step_id).status.token;
	ambush.completion = test_pull_success(&event, "quick");
	test_thread_start(&ambush.thread, complete_when_met, &ambush);
	poll_into_page(box);
	test_thread_join(&ambush.thread);
	assert_int_equal(ambush.status, STEPBUS_OK);
	assert_string_equal(test_box_look(box, ambush.engine, event.step_id).result, "quick");
	sem_destroy(&ambush.is_met);
	sem_destroy(&ambush.is_done);
	assert_int_equal(munmap(ambush.page, PAGE_LEN), 0);
}

static bool has_lost_it(test_box *box, void *context)
{
	const stepbus_step_event *event = context;

	return stepbus_step_is_cancelled(box->engines[0], event->step_id, event->token) != 0;
}

static bool is_taken_from_it(test_box *box, void *context)
{
	const stepbus_step_event *event = context;

	return test_box_look(box, box->engines[1], event->step_id).status.state != SB_STEP_RUNNING;
}

static void what_a_lost_lease_has_given_to_others_is_theirs(void **state)
{
	static const char keys[] = "\"lease_ms\":1000,\"poll_ms\":10,\"retry\":{\"base_ms\":1}";
	test_box *box = *state;
	stepbus *slow = test_box_open(box, keys), *quick = test_box_open(box, keys);
	stepbus_worker *slow_worker, *quick_worker;
	stepbus_step_event mine, theirs;

	test_pull_handle(box, slow, "work", NULL);
	test_pull_handle(box, quick, "work", NULL);
	slow_worker = test_pull_work(box, slow, NULL);
	test_box_add(box, slow, "work", "x");
	mine = test_pull_one(box, slow_worker);
	/* It cannot renew its lease. */
	sb_writer_lead(&slow->writer);
	quick_worker = test_pull_work(box, quick, NULL);
	test_box_advance(box, INT64_C(3000000));
	test_box_await(box, is_taken_from_it, &mine);
	test_box_advance(box, INT64_C(100000));
	theirs = test_pull_one(box, quick_worker);
	assert_memory_equal(theirs.step_id, mine.step_id, sizeof mine.step_id);
	assert_true(theirs.token > mine.token);
	/* It has not heard of it yet, and must not be told to go on. */
	assert_int_equal(stepbus_heartbeat(slow, mine.step_id, mine.token, &box->err),
			 STEPBUS_EBUSY);
	sb_writer_yield(&slow->writer);
	test_box_advance(box, INT64_C(1));
	test_box_await(box, has_lost_it, &mine);
	assert_int_equal(stepbus_heartbeat(slow, mine.step_id, mine.token, &box->err),
			 STEPBUS_ESTALE);
	assert_int_equal(test_pull_succeed(box, slow, &mine, "late"), STEPBUS_ESTALE);
	assert_int_equal(stepbus_heartbeat(slow, mine.step_id, mine.token, &box->err),
			 STEPBUS_ENOTFOUND);
	box_ok(box, test_pull_succeed(box, quick, &theirs, "in time"));
	assert_string_equal(test_box_look(box, quick, mine.step_id).result, "in time");
	box_ok(box, stepbus_worker_stop(quick_worker, SHORT_MS, NULL, &box->err));
	/* It goes on with a row of its own. */
	test_box_add(box, slow, "work", "y");
	mine = test_pull_one(box, slow_worker);
	box_ok(box, test_pull_succeed(box, slow, &mine, "again"));
	box_ok(box, stepbus_worker_stop(slow_worker, SHORT_MS, NULL, &box->err));
}

/* The other one knows of the attempt what the store says, and of retries what its handler says. */
static void a_failure_told_to_another_engine_follows_the_handler(void **state)
{
	static const stepbus_handler_spec once = { .size = sizeof once,
						   .retry_kind = STEPBUS_RETRY_NONE,
						   .attempt_count_max = 1 };
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	stepbus_completion failure;
	stepbus_step_event event;

	test_pull_handle(box, here, "work", &once);
	test_pull_handle(box, there, "work", &once);
	test_box_add(box, here, "work", "x");
	event = test_pull_one(box, test_pull_work(box, here, NULL));
	failure = test_pull_failure(&event, "no", true);
	box_ok(box, test_pull_complete(box, there, failure));
	assert_int_equal(test_box_look(box, there, event.step_id).status.state, SB_STEP_FAILED);
}

static bool is_over_here(test_box *box, void *context)
{
	const stepbus_step_event *event = context;

	return stepbus_step_is_cancelled(box->engines[0], event->step_id, event->token) != 0;
}

/* The same answer may be sent twice, wherever it is sent, and whatever time it is. */
static void what_was_accepted_elsewhere_is_so_behind_the_attempts_time_too(void **state)
{
	static const stepbus_handler_spec quick = { .size = sizeof quick,
						    .attempt_timeout_ms = 1000 };
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	stepbus_worker *worker;
	stepbus_step_event event;

	test_pull_handle(box, here, "work", &quick);
	test_box_add(box, here, "work", "x");
	worker = test_pull_work(box, here, NULL);
	event = test_pull_one(box, worker);
	box_ok(box, test_pull_succeed(box, there, &event, "done"));
	test_box_advance(box, INT64_C(2000000));
	test_box_await(box, is_over_here, &event);
	assert_int_equal(test_pull_succeed(box, here, &event, "other"), STEPBUS_EALREADY);
	box_ok(box, test_pull_succeed(box, here, &event, "done"));
	/* It is not the host's any more: nobody waits for it. */
	box_ok(box, stepbus_worker_stop(worker, 0, NULL, &box->err));
}

static bool is_sure_of_it(test_box *box, void *context)
{
	const stepbus_step_event *event = context;

	return stepbus_heartbeat(box->engines[0], event->step_id, event->token, NULL) == STEPBUS_OK;
}

static void a_lease_that_is_over_is_in_doubt_until_it_is_renewed(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"lease_ms\":1000,\"poll_ms\":10");
	stepbus_worker *worker;
	stepbus_step_event mine;

	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	mine = test_pull_one(box, worker);
	box_ok(box, stepbus_heartbeat(engine, mine.step_id, mine.token, &box->err));
	sb_writer_lead(&engine->writer);
	test_box_advance(box, INT64_C(3000000));
	assert_int_equal(stepbus_heartbeat(engine, mine.step_id, mine.token, &box->err),
			 STEPBUS_EBUSY);
	assert_int_equal(stepbus_step_is_cancelled(engine, mine.step_id, mine.token), 0);
	sb_writer_yield(&engine->writer);
	test_box_await(box, is_sure_of_it, &mine);
	box_ok(box, test_pull_succeed(box, engine, &mine, "in spite of it"));
	box_ok(box, stepbus_worker_stop(worker, SHORT_MS, NULL, &box->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_ON_DISK(what_a_lost_lease_has_given_to_others_is_theirs),
		BOX_TEST_ON_DISK(a_failure_told_to_another_engine_follows_the_handler),
		BOX_TEST_ON_DISK(what_was_accepted_elsewhere_is_so_behind_the_attempts_time_too),
		BOX_TEST(a_lease_that_is_over_is_in_doubt_until_it_is_renewed),
		BOX_TEST(a_stop_does_not_wait_for_steps_that_come_back_behind_it),
		BOX_TEST(a_step_may_be_answered_before_its_poll_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
