/* SPDX-License-Identifier: MIT */
/*
 * Processes that share a database, each with an engine, and a board in memory that all of them
 * write to: what was begun, what ended, what was refused. The test itself opens no engine while
 * it still starts peers, so that it forks with one thread. A peer asserts nothing: what fails in it
 * it writes on the board.
 */
#ifndef TESTS_SUPPORT_PEERS_H
#define TESTS_SUPPORT_PEERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/tempdir.h"

enum { TEST_PEER_COUNT = 4, TEST_PEER_STEPS = 64 };

/* What a peer is told to do; it does it once, and says so. */
typedef enum test_order {
	TEST_ORDER_NONE,
	TEST_ORDER_ENQUEUE, /* `count` fast steps, from number `first` on */
	TEST_ORDER_WAITERS, /* likewise, of steps whose handlers wait to be released or stopped */
	TEST_ORDER_CRASHERS,
	TEST_ORDER_END, /* closes its engine and ends */
} test_order;

typedef struct test_board {
	struct test_peer_board {
		_Atomic(uint32_t) is_ready;
		_Atomic(uint32_t) order;
		_Atomic(uint32_t) first, count;
		_Atomic(uint32_t) started[TEST_PEER_STEPS];
		_Atomic(uint32_t) ended[TEST_PEER_STEPS];
		_Atomic(uint32_t)
			accepted[TEST_PEER_STEPS]; /* successes, by step.completion.sent */
		_Atomic(uint32_t) refused_count;   /* records "completion_refused" */
		_Atomic(uint32_t) stale_count;     /* handlers that were told so */
		_Atomic(uint32_t) lost_count;      /* worker.lost */
		_Atomic(uint32_t) alarm_count;     /* store.alarm */
		_Atomic(int64_t) enqueued_at_us, started_at_us; /* the last of each */
		char failure[1280];
	} peers[TEST_PEER_COUNT];
	_Atomic(uint32_t) is_released;
} test_board;

typedef struct test_peers {
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	test_board *board;
	pid_t pids[TEST_PEER_COUNT]; /* 0: none */
} test_peers;

typedef struct test_peer_options {
	const char *engine;  /* more of its configuration: ",\"lease_ms\":1000" */
	const char *worker;  /* configuration; NULL: no worker */
	const char *handler; /* "work" where NULL */
} test_peer_options;

/* Setup and teardown of a test; its state is the test_peers. */
int test_peers_begin(void **state);
int test_peers_end(void **state);

/* Returns when the peer is open for work. */
void test_peer_start(test_peers *p, int index, const test_peer_options *options);
/* Does not wait for that: it is told on the board. */
void test_peer_launch(test_peers *p, int index, const test_peer_options *options);
/* Returns when the peer has done it. */
void test_peer_order(test_peers *p, int index, test_order order, uint32_t first, uint32_t count);
/* Stops it as SIGSTOP does, but not while it holds the database: then all others would wait too. */
void test_peer_stop(const test_peers *p, int index);
void test_peer_signal(const test_peers *p, int index, int number);
/* Kills it, and returns when it is gone. */
void test_peer_kill(test_peers *p, int index);

/* How many of the first `count` steps were accepted, started, …, summed over all peers. */
uint32_t test_peers_accepted(const test_peers *p, uint32_t first, uint32_t count);
uint32_t test_peers_started(const test_peers *p, uint32_t first, uint32_t count);
/* Writes the board on stderr: of each step how often it was started, ended and accepted. */
void test_peers_show(const test_peers *p);
/* Fails the test where a peer has noted a failure. */
void test_peers_check(const test_peers *p);

/* The first column of the first row; -1 where there is none. */
int64_t test_peers_ask(const test_peers *p, const char *sql);

/* Looks again and again until it is so; fails the test when the time is over. */
#define test_await(p, condition, timeout_ms)                                        \
	do {                                                                        \
		int64_t until_us_ = test_elapsed_us() + (int64_t)(timeout_ms)*1000; \
		while (!(condition))                                                \
			test_peers_wait(p, until_us_, #condition);                  \
	} while (0)

/* Waits a moment; shows the board and fails the test where it is too late for that. */
void test_peers_wait(const test_peers *p, int64_t until_us, const char *condition);
int64_t test_elapsed_us(void);
void test_nap(void);

#endif
