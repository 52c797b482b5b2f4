/* SPDX-License-Identifier: MIT */
/*
 * A host that pulls, for tests with an engine_box: a handler of the pulled kind, a worker, and the
 * short forms of the calls that a host makes. All on the test's own thread.
 */
#ifndef TESTS_SUPPORT_PULLER_H
#define TESTS_SUPPORT_PULLER_H

#include "support/engine_box.h"

enum { TEST_PULL_WAIT_MS = 60000 };

/* Registers a pulled handler; spec may be NULL. */
void test_pull_handle(test_box *box, stepbus *engine, const char *name,
		      const stepbus_handler_spec *spec);
/* A pull worker with these keys, or NULL. */
stepbus_worker *test_pull_work(test_box *box, stepbus *engine, const char *keys);
/* An engine with the pulled handler "work", and a pull worker of it. */
stepbus_worker *test_pull_begin(test_box *box, stepbus **engine, const char *keys);

/* Polls one step, waiting for it; or as many as come at once. */
stepbus_step_event test_pull_one(test_box *box, stepbus_worker *worker);
size_t test_pull_many(test_box *box, stepbus_worker *worker, stepbus_step_event *events,
		      size_t count_max);

/* Answers of a host. Texts live as long as the call. */
stepbus_completion test_pull_success(const stepbus_step_event *event, const char *result);
stepbus_completion test_pull_failure(const stepbus_step_event *event, const char *message,
				     uint32_t is_retryable);
stepbus_status test_pull_complete(test_box *box, stepbus *engine, stepbus_completion completion);
stepbus_status test_pull_succeed(test_box *box, stepbus *engine, const stepbus_step_event *event,
				 const char *result);

#endif
