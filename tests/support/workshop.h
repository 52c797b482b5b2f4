/* SPDX-License-Identifier: MIT */
/*
 * An engine with a worker and one handler, "work", that does what a step's input says:
 *
 *   ok          succeeds with nothing           fail    fails for good
 *   echo:TEXT   succeeds with TEXT              retry   fails, and may be retried
 *   large:N     succeeds with N bytes
 *   hold        waits for test_workshop_let_go, then succeeds
 *   watch       runs until it is told to stop, then succeeds
 *   ugly        fails with a message of 1 MiB that is no text
 *   snooze      asks to be run again at once
 *
 * Runs and events are noted; a test waits for them on a condition, never for a time. Handlers and
 * subscribers never assert. The engine's store is of either kind, in a directory of its own.
 */
#ifndef TESTS_SUPPORT_WORKSHOP_H
#define TESTS_SUPPORT_WORKSHOP_H

#include "handlers/engine.h"
#include "support/cmocka.h"
#include "support/tempdir.h"

enum { TEST_RUN_MAX = 256, TEST_WORKSHOP_LIMIT_S = 60 };

typedef struct test_run_note {
	uint8_t step_id[16];
	uint64_t token;
	uint32_t retry_count;
	stepbus_status checked; /* what stepbus_context_check said at the end */
} test_run_note;

typedef struct test_workshop {
	bool is_on_disk;
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	stepbus *engine;
	stepbus_worker *worker; /* NULL until test_workshop_work */
	stepbus_error err;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	uint32_t let_go_count; /* runs that may end their hold */
	uint32_t held_count;
	uint32_t started_count;
	uint32_t ended_count;
	test_run_note runs[TEST_RUN_MAX]; /* in the order of their starts */
	uint32_t event_counts[SB_EVENT_COUNT];
	char last_event[1024]; /* its payload, where that is JSON */
} test_workshop;

/* For cmocka: *state becomes the workshop, with an open engine and no worker. */
int test_workshop_open_memory(void **state);
int test_workshop_open_disk(void **state);
int test_workshop_close(void **state);

#define WORKSHOP_TEST(test)                                                                 \
	{ #test "_in_memory", test, test_workshop_open_memory, test_workshop_close, NULL }, \
	{                                                                                   \
#test "_on_disk", test, test_workshop_open_disk, test_workshop_close, NULL  \
	}
#define WORKSHOP_DISK_TEST(test) \
	cmocka_unit_test_setup_teardown(test, test_workshop_open_disk, test_workshop_close)

/* Opens the store anew, with more of a configuration: ",\"poll_ms\":50". A worker is ended first. */
void test_workshop_reopen(test_workshop *w, const char *more);
/* Another engine on the same file, with the handler registered; the test closes it. */
stepbus *test_workshop_open_other(test_workshop *w);
/* Starts a worker with four threads. */
void test_workshop_work(test_workshop *w);

stepbus_step_spec test_workshop_spec(const char *input);
/* Enqueues, and asserts that it went well. */
void test_workshop_enqueue(test_workshop *w, const stepbus_step_spec *spec, uint8_t id[16]);
void test_workshop_add(test_workshop *w, const char *input, uint8_t id[16]);

/* Waits until so many runs have started, or ended, or events of a kind were told. */
void test_workshop_await_started(test_workshop *w, uint32_t count);
void test_workshop_await_ended(test_workshop *w, uint32_t count);
void test_workshop_await_event(test_workshop *w, sb_engine_event event, uint32_t count);
/* Lets so many more runs end their hold. */
void test_workshop_let_go(test_workshop *w, uint32_t count);
/* Waits until a step is final; the caller frees the outcome. */
stepbus_outcome *test_workshop_await(test_workshop *w, const uint8_t id[16]);

uint32_t test_workshop_started(test_workshop *w);
uint32_t test_workshop_events(test_workshop *w, sb_engine_event event);
/* Where a step stands, as committed; 0: there is none. */
int test_workshop_state(test_workshop *w, const uint8_t id[16]);
sb_step_status test_workshop_status(test_workshop *w, const uint8_t id[16]);
/* The newest attempt that has a row; outcome 0 where there is none. Texts are not kept. */
sb_attempt_row test_workshop_attempt(test_workshop *w, const uint8_t id[16]);

#endif
