/* SPDX-License-Identifier: MIT */
/* A loop whose system calls fail. They are caught here, on their way from libevent and the loop. */
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bridge/loop.h"
#include "support/cmocka.h"
#include "support/host.h"
#include "support/thread.h"

static struct {
	_Atomic(int) wait_failures; /* so many of the next ones fail */
	_Atomic(int) write_failures;
	sem_t has_failed, has_run;
} world;

static bool fails(_Atomic(int) *count)
{
	int left = atomic_load(count);

	while (left > 0)
		if (atomic_compare_exchange_weak(count, &left, left - 1)) {
			errno = EIO;
			return true;
		}
	return false;
}

/* Seen by libevent too, in spite of how the tests are built. */
__attribute__((visibility("default"))) int epoll_wait(int epoll_fd, struct epoll_event *events,
						      int count_max, int timeout_ms)
{
	if (fails(&world.wait_failures)) {
		sem_post(&world.has_failed);
		return -1;
	}
	return (int)syscall(SYS_epoll_wait, epoll_fd, events, count_max, timeout_ms);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (len == sizeof(uint64_t) && fails(&world.write_failures))
		return -1;
	return (ssize_t)syscall(SYS_write, fd, bytes, len);
}

static void run(void *user_data)
{
	(void)user_data;
	sem_post(&world.has_run);
}

static sb_loop *open_loop(test_host *t)
{
	sb_loop *loop = NULL;

	test_host_init(t);
	sem_init(&world.has_failed, 0, 0);
	sem_init(&world.has_run, 0, 0);
	assert_int_equal(sb_loop_new(&t->host, run, NULL, &loop, NULL), STEPBUS_OK);
	return loop;
}

static void close_loop(test_host *t, sb_loop *loop)
{
	sb_loop_free(loop);
	test_host_end(t);
}

static void a_loop_goes_on_when_the_system_has_failed_it(void **state)
{
	test_host t;
	sb_loop *loop = open_loop(&t);

	(void)state;
	for (int i = 0; i < 3; i++) {
		atomic_store(&world.wait_failures, 2);
		/* Out of the wait that it is in, and into those that fail. */
		sb_loop_wake(loop);
		test_semaphore_wait(&world.has_failed);
		test_semaphore_wait(&world.has_failed);
		while (sem_trywait(&world.has_run) == 0)
			;
		sb_loop_wake(loop);
		test_semaphore_wait(&world.has_run);
	}
	assert_int_equal(atomic_load(&world.wait_failures), 0);
	close_loop(&t, loop);
}

/* Libevent says each time on the standard error that it failed. */
static void what_fails_for_good_is_tried_more_and_more_rarely(void **state)
{
	/* After 1, 2, 4 and 8 runs it was tried again; the fifth time, 16 follow. */
	enum { MANY = 1000000, RUN_COUNT = 20, TRIED_COUNT = 5 };
	test_host t;
	sb_loop *loop = open_loop(&t);
	int tried;

	(void)state;
	atomic_store(&world.wait_failures, MANY);
	sb_loop_wake(loop);
	for (int i = 0; i < RUN_COUNT; i++)
		test_semaphore_wait(&world.has_run);
	tried = MANY - atomic_load(&world.wait_failures);
	assert_int_equal(tried, TRIED_COUNT);
	assert_int_equal(t.log_count, 1);
	assert_non_null(strstr(t.log, "loop_failed"));
	close_loop(&t, loop);
	atomic_store(&world.wait_failures, 0);
}

static void a_wake_that_fails_is_tried_again(void **state)
{
	test_host t;
	sb_loop *loop = open_loop(&t);

	(void)state;
	atomic_store(&world.write_failures, 3);
	sb_loop_wake(loop);
	assert_int_equal(atomic_load(&world.write_failures), 0);
	test_semaphore_wait(&world.has_run);
	close_loop(&t, loop);
}

static void a_loop_ends_though_its_last_wake_fails(void **state)
{
	test_host t;
	sb_loop *loop = open_loop(&t);

	(void)state;
	atomic_store(&world.write_failures, 2);
	close_loop(&t, loop);
	assert_int_equal(atomic_load(&world.write_failures), 0);
}

/* Libevent would end the process. */
static void a_loop_without_descriptors_is_refused(void **state)
{
	struct rlimit before, limit;
	int next = dup(STDOUT_FILENO), refused_count = 0;

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int spare = 0; spare <= 20; spare++) {
		test_host t;
		sb_loop *loop = NULL;
		stepbus_status status;

		test_host_init(&t);
		limit = (struct rlimit){ (rlim_t)(next + spare), before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		status = sb_loop_new(&t.host, run, NULL, &loop, NULL);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		refused_count += status == STEPBUS_ESYSTEM;
		assert_true(status == STEPBUS_OK || status == STEPBUS_ESYSTEM);
		sb_loop_free(loop);
		test_host_end(&t);
	}
	assert_in_range(refused_count, 4, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_goes_on_when_the_system_has_failed_it),
		cmocka_unit_test(what_fails_for_good_is_tried_more_and_more_rarely),
		cmocka_unit_test(a_wake_that_fails_is_tried_again),
		cmocka_unit_test(a_loop_without_descriptors_is_refused),
		cmocka_unit_test(a_loop_ends_though_its_last_wake_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
