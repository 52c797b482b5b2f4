/* SPDX-License-Identifier: MIT */
#include "support/thread.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/cmocka.h"

/* One look may meet a thread in a short wait on its way. */
enum { SEEN_COUNT = 5 };

static void *thread_main(void *context)
{
	test_thread *thread = context;

	atomic_store(&thread->id, (pid_t)syscall(SYS_gettid));
	thread->run(thread->context);
	atomic_store(&thread->has_ended, true);
	return NULL;
}

void test_thread_start(test_thread *thread, void (*run)(void *context), void *context)
{
	thread->run = run;
	thread->context = context;
	atomic_store(&thread->id, 0);
	atomic_store(&thread->has_ended, false);
	assert_int_equal(pthread_create(&thread->thread, NULL, thread_main, thread), 0);
}

void test_thread_join(test_thread *thread)
{
	assert_int_equal(pthread_join(thread->thread, NULL), 0);
}

/* The state letter of a thread of this process: the field behind its name in parentheses. */
static char state_of(pid_t id)
{
	char path[64], line[256];
	const char *name_end = NULL;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)id);
	file = fopen(path, "re");
	if (file == NULL)
		return 'X';
	if (fgets(line, sizeof line, file) != NULL)
		name_end = strrchr(line, ')');
	fclose(file);
	return name_end != NULL && name_end[1] == ' ' ? name_end[2] : 'X';
}

static bool do_others_sleep(void)
{
	const pid_t own = (pid_t)syscall(SYS_gettid);
	DIR *tasks = opendir("/proc/self/task");
	bool do_all = tasks != NULL;

	assert_non_null(tasks);
	for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
		pid_t id = (pid_t)strtol(entry->d_name, NULL, 10);

		if (id > 0 && id != own && state_of(id) != 'S')
			do_all = false;
	}
	(void)closedir(tasks);
	return do_all;
}

void test_threads_await_sleep(void)
{
	int seen_count = 0;

	while (seen_count < SEEN_COUNT) {
		seen_count = do_others_sleep() ? seen_count + 1 : 0;
		sched_yield();
	}
}

void test_thread_await_sleep(const test_thread *thread)
{
	int seen_count = 0;

	while (seen_count < SEEN_COUNT && !atomic_load(&thread->has_ended)) {
		pid_t id = atomic_load(&thread->id);

		seen_count = id != 0 && state_of(id) == 'S' ? seen_count + 1 : 0;
		sched_yield();
	}
}

void test_meet(test_meeting *meeting, uint32_t round)
{
	/* Where there is but one processor, the other one needs it. */
	const uint32_t patience = 4096;
	uint32_t spin_count = 0;

	atomic_fetch_add(&meeting->arrived_count, 1);
	while (atomic_load_explicit(&meeting->arrived_count, memory_order_acquire) <
	       2 * (round + 1))
		if (++spin_count % patience == 0)
			sched_yield();
}

void test_dawdle(uint32_t count)
{
	volatile uint32_t loaded = count;

	while (count-- > 0)
		(void)loaded;
}

void test_semaphore_wait(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0 && errno == EINTR)
		;
}
