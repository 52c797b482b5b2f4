/* SPDX-License-Identifier: MIT */
/*
 * A whole flow on a test host: a bridge, a registry, and an execution subscriber whose results are
 * kept for the test to look at. Safe from many threads.
 */
#ifndef TESTS_SUPPORT_FLOW_H
#define TESTS_SUPPORT_FLOW_H

#include "support/host.h"
#include "support/spec.h"

enum { TEST_JOURNAL_LEN = 256, TEST_DONE_LEN = 32768, TEST_EVENT_LEN = 4096 };

typedef struct test_flow {
	test_host host;
	stepbus_bridge *bridge;
	stepbus_registry *registry;
	stepbus_execution_subscriber *subscriber; /* started */
	stepbus_error err;
	pthread_mutex_t lock;
	/* What happened, a letter each: 'c' completed, 's' its news, 'e' handler.error; tests add
	 * their own. */
	char journal[TEST_JOURNAL_LEN];
	size_t journal_len;
	int32_t complete_answer; /* what the completion function returns */
	int complete_count;
	int sent_count;
	int error_count;
	stepbus_completion done; /* a copy of the last one, good until the next */
	char done_texts[TEST_DONE_LEN];
	size_t done_len;
	char error_event[TEST_EVENT_LEN]; /* the payload of the last handler.error */
	_Atomic(int) door_destroyed;      /* by the subscriber, at its end */
} test_flow;

/* For cmocka: *state becomes the flow, ended by test_flow_end. */
int test_flow_begin(void **state);
int test_flow_end(void **state);

void test_flow_note(test_flow *flow, char letter);
/* Registers name so that call runs with instance as its user_data, in place of what was there. */
void test_flow_register(test_flow *flow, const char *name, stepbus_handler_fn call, void *instance);
/* Publishes step.execution.received; the message of a failure is in err. */
stepbus_status test_flow_announce(test_flow *flow, const stepbus_step_event *step);
/* The same for test_step(handler_name). */
stepbus_status test_flow_run(test_flow *flow, const char *handler_name);

bool test_is_text(const void *data, size_t len, const char *expected);
/* Whether the last completion is a failure with this type and retryability. */
bool test_flow_failed(const test_flow *flow, const char *error_type, uint32_t is_retryable);
/* Whether the error message of the last completion has this in it. */
bool test_flow_said(const test_flow *flow, const char *part);

/* The completion function of the flow, for subscribers that a test makes itself. */
int32_t test_flow_complete(void *user_data, const stepbus_completion *completion,
			   stepbus_error *err);

#endif
