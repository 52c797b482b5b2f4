/* SPDX-License-Identifier: MIT */
/*
 * Threads for tests: one function each, and a way to wait until one of them sleeps in the kernel,
 * so that a test can show that somebody waits without waiting itself for a time.
 */
#ifndef TESTS_SUPPORT_THREAD_H
#define TESTS_SUPPORT_THREAD_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct test_thread {
	pthread_t thread;
	void (*run)(void *context);
	void *context;
	_Atomic(pid_t) id;
	_Atomic(bool) has_ended;
} test_thread;

/* The test_thread must stay where it is until it is joined. */
void test_thread_start(test_thread *thread, void (*run)(void *context), void *context);
void test_thread_join(test_thread *thread);
/* Returns when the thread sleeps in a system call (or has ended). */
void test_thread_await_sleep(const test_thread *thread);
/* Returns when all threads of the process but the calling one sleep, whoever has made them. */
void test_threads_await_sleep(void);

/*
 * Where two threads meet, again and again, to go on in the same nanoseconds: they wait awake, so that
 * neither has to be woken. Zeroed to begin with; round counts from 0.
 */
typedef struct test_meeting {
	_Atomic(uint32_t) arrived_count;
} test_meeting;

void test_meet(test_meeting *meeting, uint32_t round);
/* Is late by so many loads; two threads that try all pairs of counts come as close as can be. */
void test_dawdle(uint32_t count);

/* As sem_wait, without its interruptions. */
void test_semaphore_wait(sem_t *semaphore);

#endif
