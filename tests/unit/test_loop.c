/* SPDX-License-Identifier: MIT */
#include "bridge/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/thread.h"

/* What the loop's function did and saw. */
typedef struct visit {
	sb_loop *loop;
	_Atomic(uint32_t) run_count;
	sem_t has_run;
	sem_t may_run; /* waited for where is_held */
	bool is_held;
	bool is_here;
	bool has_unblocked_signal;
	bool has_blocked_fault;
	char thread_name[16];
	sem_t is_last;
	uint32_t last_count;
} visit;

static void look(visit *v)
{
	sigset_t blocked;

	v->is_here = sb_loop_is_here(v->loop);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	v->has_unblocked_signal =
		sigismember(&blocked, SIGTERM) != 1 || sigismember(&blocked, SIGINT) != 1 ||
		sigismember(&blocked, SIGCHLD) != 1 || sigismember(&blocked, SIGALRM) != 1;
	/* What a thread does to itself is for the host's handlers: runtimes live by that. */
	v->has_blocked_fault =
		sigismember(&blocked, SIGSEGV) != 0 || sigismember(&blocked, SIGBUS) != 0 ||
		sigismember(&blocked, SIGFPE) != 0 || sigismember(&blocked, SIGILL) != 0 ||
		sigismember(&blocked, SIGTRAP) != 0;
	pthread_getname_np(pthread_self(), v->thread_name, sizeof v->thread_name);
}

static void run(void *user_data)
{
	visit *v = user_data;

	look(v);
	atomic_fetch_add(&v->run_count, 1);
	sem_post(&v->has_run);
	if (v->is_held)
		test_semaphore_wait(&v->may_run);
}

static void open_loop(test_host *t, visit *v)
{
	memset(v, 0, sizeof *v);
	sem_init(&v->has_run, 0, 0);
	sem_init(&v->may_run, 0, 0);
	sem_init(&v->is_last, 0, 0);
	test_host_init(t);
	assert_int_equal(sb_loop_new(&t->host, run, v, &v->loop, NULL), STEPBUS_OK);
}

static void a_wake_runs_the_function_on_the_loops_own_thread(void **state)
{
	test_host t;
	visit v;

	(void)state;
	open_loop(&t, &v);
	sb_loop_wake(v.loop);
	test_semaphore_wait(&v.has_run);
	assert_true(v.is_here);
	assert_false(sb_loop_is_here(v.loop));
	assert_false(sb_loop_is_here(NULL));
	assert_string_equal(v.thread_name, "stepbus-loop");
	sb_loop_free(v.loop);
	test_host_end(&t);
}

static void the_thread_blocks_all_signals(void **state)
{
	sigset_t before, after;
	test_host t;
	visit v;

	(void)state;
	sigemptyset(&before);
	sigemptyset(&after);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	open_loop(&t, &v);
	/* And leaves the host's own mask as it was. */
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number < SIGRTMAX; number++)
		assert_int_equal(sigismember(&before, number), sigismember(&after, number));
	sb_loop_wake(v.loop);
	test_semaphore_wait(&v.has_run);
	assert_false(v.has_unblocked_signal);
	assert_false(v.has_blocked_fault);
	sb_loop_free(v.loop);
	test_host_end(&t);
}

static void many_wakes_before_it_gets_to_run_are_one(void **state)
{
	test_host t;
	visit v;

	(void)state;
	open_loop(&t, &v);
	v.is_held = true;
	sb_loop_wake(v.loop);
	test_semaphore_wait(&v.has_run);
	for (int i = 0; i < 1000; i++)
		sb_loop_wake(v.loop);
	sem_post(&v.may_run);
	test_semaphore_wait(&v.has_run);
	assert_int_equal(v.run_count, 2);
	sem_post(&v.may_run);
	sb_loop_free(v.loop);
	/* The end may have woken it once more, but not for each wake. */
	assert_in_range(v.run_count, 2, 3);
	test_host_end(&t);
}

static void no_wake_is_lost(void **state)
{
	test_host t;
	visit v;

	(void)state;
	open_loop(&t, &v);
	for (uint32_t i = 0; i < 2000; i++) {
		sb_loop_wake(v.loop);
		test_semaphore_wait(&v.has_run);
	}
	assert_int_equal(v.run_count, 2000);
	sb_loop_free(v.loop);
	test_host_end(&t);
}

static void a_loop_may_end_without_having_run(void **state)
{
	test_host t;
	visit v;

	(void)state;
	open_loop(&t, &v);
	sb_loop_free(v.loop);
	assert_int_equal(v.run_count, 0);
	sb_loop_free(NULL);
	test_host_end(&t);
}

static void say_the_last_word(void *user_data)
{
	visit *v = user_data;

	v->last_count = atomic_load(&v->run_count);
	sem_post(&v->is_last);
}

static void run_and_end(void *user_data)
{
	visit *v = user_data;

	run(v);
	sb_loop_free_here(v->loop, say_the_last_word);
}

static void a_loop_may_be_freed_from_inside(void **state)
{
	test_host t;
	visit v = { .run_count = 0 };

	(void)state;
	sem_init(&v.has_run, 0, 0);
	sem_init(&v.is_last, 0, 0);
	test_host_init(&t);
	assert_int_equal(sb_loop_new(&t.host, run_and_end, &v, &v.loop, NULL), STEPBUS_OK);
	sb_loop_wake(v.loop);
	test_semaphore_wait(&v.is_last);
	assert_int_equal(v.last_count, 1);
	test_host_end(&t);
}

/* What the library below takes its memory from. */
static _Atomic(uint32_t) is_starved;

static void *take(size_t len)
{
	return atomic_load(&is_starved) != 0 ? NULL : malloc(len);
}

static void *resize(void *block, size_t len)
{
	return atomic_load(&is_starved) != 0 ? NULL : realloc(block, len);
}

static void run_and_set_timer(void *user_data)
{
	visit *v = user_data;

	atomic_store(&is_starved, 1);
	sb_loop_run_after(v->loop, 1000);
	atomic_store(&is_starved, 0);
	run(v);
}

static void the_timer_is_set_also_without_memory(void **state)
{
	test_host t;
	visit v = { .run_count = 0 };

	(void)state;
	sem_init(&v.has_run, 0, 0);
	test_host_init(&t);
	assert_int_equal(sb_loop_new(&t.host, run_and_set_timer, &v, &v.loop, NULL), STEPBUS_OK);
	sb_loop_wake(v.loop);
	for (int i = 0; i < 3; i++)
		test_semaphore_wait(&v.has_run);
	sb_loop_free(v.loop);
	test_host_end(&t);
}

static void idle(void *user_data)
{
	(void)user_data;
}

static stepbus_status make(test_host *t, stepbus_error *err)
{
	sb_loop *loop = NULL;
	stepbus_status status = sb_loop_new(&t->host, idle, NULL, &loop, err);

	sb_loop_free(loop);
	return status;
}

static void no_memory_means_no_loop(void **state)
{
	const test_scenario scenario = { .name = "make a loop", .run = make };

	(void)state;
	test_fail_each_allocation(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wake_runs_the_function_on_the_loops_own_thread),
		cmocka_unit_test(the_thread_blocks_all_signals),
		cmocka_unit_test(many_wakes_before_it_gets_to_run_are_one),
		cmocka_unit_test(no_wake_is_lost),
		cmocka_unit_test(a_loop_may_end_without_having_run),
		cmocka_unit_test(a_loop_may_be_freed_from_inside),
		cmocka_unit_test(the_timer_is_set_also_without_memory),
		cmocka_unit_test(no_memory_means_no_loop),
	};

	event_set_mem_functions(take, resize, free);

	return cmocka_run_group_tests(tests, NULL, NULL);
}
