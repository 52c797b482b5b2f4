/* SPDX-License-Identifier: MIT */
/*
 * The StepExecutionSubscriber: from step.execution.received to step.completion.sent, on the
 * publisher's thread. Every way a step can go ends in one result, and every result goes through the
 * completion door that it is given; step.completion.sent is published when the door took it.
 *
 * Each running subscription holds a reference, so the object outlives its last step, also when it
 * is freed from inside a handler.
 */
#ifndef SB_HANDLERS_EXECUTION_H
#define SB_HANDLERS_EXECUTION_H

#include "bridge/bridge.h"
#include "handlers/context.h"
#include "registry/registry.h"

/*
 * The door: the one function that takes results in, with the event of the step as it was published.
 * context belongs to whoever opened it.
 */
typedef struct sb_completion_door {
	stepbus_status (*submit)(void *context, const stepbus_step_event *step,
				 const stepbus_completion *completion, stepbus_error *err);
	/*
	 * May be NULL. The step's handler is found and about to be called; what is refused fails,
	 * not to be retried.
	 */
	stepbus_status (*begin)(void *context, const stepbus_step_event *step,
				const stepbus_handler_spec *spec, stepbus_context *handler_context,
				stepbus_error *err);
	void *context;
	bool publishes; /* it publishes step.completion.sent itself, when the result is kept */
	void (*destroy)(void *context); /* may be NULL */
} sb_completion_door;

/* worker_id was checked. Takes the door over only where it succeeds. */
stepbus_status sb_execution_new(stepbus_bridge *bridge, stepbus_registry *registry,
				sb_slice worker_id, const sb_completion_door *door,
				stepbus_execution_subscriber **out, stepbus_error *err);
stepbus_status sb_execution_start(stepbus_execution_subscriber *subscriber, stepbus_error *err);
stepbus_status sb_execution_stop(stepbus_execution_subscriber *subscriber, stepbus_error *err);
bool sb_execution_is_active(const stepbus_execution_subscriber *subscriber);
void sb_execution_free(stepbus_execution_subscriber *subscriber);

#endif
