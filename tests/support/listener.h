/* SPDX-License-Identifier: MIT */
/*
 * A bridge under test, and listeners: subscribers that note what they get and may act from inside
 * their callback. Listeners run on any thread and never assert.
 */
#ifndef TESTS_SUPPORT_LISTENER_H
#define TESTS_SUPPORT_LISTENER_H

#include <stdatomic.h>

#include "support/cmocka.h"
#include "support/host.h"

/* Marks in the order in which they were made, by any thread. */
typedef struct test_trace {
	pthread_mutex_t lock;
	size_t len;
	char text[512];
} test_trace;

void test_trace_mark(test_trace *trace, char mark);
/* Gives the marks so far and begins anew. Valid until the next call. */
const char *test_trace_take(test_trace *trace);

typedef struct test_bridge {
	test_host t;
	stepbus_bridge *bridge;
	stepbus_error err;
	test_trace trace;
} test_bridge;

/*
 * For cmocka: a started bridge on a test_host. Closing frees it where the test has not; a test that
 * leaves subscriptions has failed.
 */
int test_bridge_open(void **state);
int test_bridge_close(void **state);
/* For tests that make their bridge themselves. */
int test_bridge_open_none(void **state);

/* Frees the bridge now, while the listeners on the stack are still there. */
void test_bridge_free(test_bridge *b);

#define BRIDGE_TEST(test) cmocka_unit_test_setup_teardown(test, test_bridge_open, test_bridge_close)

typedef struct test_listener test_listener;

struct test_listener {
	char mark; /* 'a' marks a delivery with 'a' and its destroy with 'A'; 0: no marks */
	int32_t answer;
	void (*act)(test_listener *listener, uint32_t event_id); /* after the mark */
	void *object;                                            /* for act */
	stepbus_status status;                                   /* of what act did */
	test_bridge *b;
	stepbus_bridge *bridge; /* that of b when it subscribed */
	uint64_t id;
	_Atomic(uint32_t) delivered_count;
	_Atomic(uint32_t) destroyed_count;
	_Atomic(uint32_t) returned_count; /* deliveries that are over */
};

int32_t test_listener_deliver(void *listener, uint32_t event_id, const void *payload, size_t len);
void test_listener_destroy(void *listener);

/* A subscription of the listener, ready to be changed. */
stepbus_subscription test_listener_spec(test_listener *listener);
/* Subscribes and keeps the id. */
void test_listen(test_bridge *b, test_listener *listener, const char *pattern, uint32_t flags,
		 int32_t priority);
/* The same with a spec of any kind; gives the status. */
stepbus_status test_listen_as(test_bridge *b, test_listener *listener, const char *pattern,
			      const stepbus_subscription *spec);
void test_unlisten(test_listener *listener);

/* Declares an event of category custom. */
uint32_t test_declare(test_bridge *b, const char *name);
uint32_t test_event(test_bridge *b, const char *name);
/* Publishes without payload and asserts STEPBUS_OK. */
void test_publish(test_bridge *b, uint32_t event_id);

/* One number of stepbus_bridge_stats, or of its "queued": "refused", "queued.dropped". */
int64_t test_stat(test_bridge *b, const char *name);
/* Waits until nothing of the host is left in use. */
void test_await_release(test_host *t);

#endif
