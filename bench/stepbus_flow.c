/* SPDX-License-Identifier: MIT */
/*
 * One step through the library, in memory, on one thread: publish step.execution.received, resolve
 * the handler, run it (it only says "success"), hand the result to a completion function that only
 * counts, and publish step.completion.sent to one subscriber. Work is counted at the end of the
 * way, by that subscriber.
 */
#include "bench/keys.h"

#include "include/stepbus.h"

#include <stdlib.h>
#include <string.h>

typedef struct flow {
	stepbus_bridge *bridge;
	stepbus_registry *registry;
	stepbus_execution_subscriber *subscriber;
	uint32_t received_id;
	uint64_t completion_count;
	uint64_t sent_count;
	stepbus_step_event step;
} flow;

static void must(stepbus_status status, const char *what, const stepbus_error *err)
{
	if (status != STEPBUS_OK)
		bench_die("stepbus cannot %s: %s: %s", what, stepbus_status_name(status),
			  err->message);
}

static int32_t succeed(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	return stepbus_result_success(result, NULL, 0, NULL);
}

static int32_t take_completion(void *user_data, const stepbus_completion *completion,
			       stepbus_error *err)
{
	flow *steps = user_data;

	(void)err;
	steps->completion_count += completion->outcome == STEPBUS_OUTCOME_SUCCESS;
	return STEPBUS_OK;
}

static int32_t count_sent(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	flow *steps = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	steps->sent_count++;
	return 0;
}

static void add_handler(flow *steps)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_handler_spec spec = { .size = sizeof(spec), .call = succeed };

	spec.name = "orders.validate";
	spec.name_len = strlen(spec.name);
	spec.version = "1.0.0";
	spec.version_len = strlen(spec.version);
	must(stepbus_registry_register(steps->registry, &spec, &err), "register", &err);
}

static void subscribe(flow *steps)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_subscription wish = { .size = sizeof(wish),
				      .deliver = count_sent,
				      .user_data = steps };
	stepbus_execution_options options = { .size = sizeof(options),
					      .complete = take_completion };

	options.user_data = steps;
	options.worker_id = "bench";
	options.worker_id_len = strlen(options.worker_id);
	must(stepbus_bridge_subscribe(steps->bridge,
				      STEPBUS_TEXT(STEPBUS_EVENT_STEP_COMPLETION_SENT), &wish, NULL,
				      &err),
	     "subscribe", &err);
	must(stepbus_execution_subscriber_new(steps->bridge, steps->registry, &options,
					      &steps->subscriber, &err),
	     "make an execution subscriber", &err);
	must(stepbus_execution_subscriber_start(steps->subscriber, &err), "start", &err);
}

static void fill_step(stepbus_step_event *step)
{
	*step = (stepbus_step_event){ .size = sizeof(*step), .token = 1, .max_retries = 3 };
	must(stepbus_id_new(step->step_id, NULL), "make an id", &(stepbus_error)STEPBUS_ERROR_INIT);
	memcpy(step->task_id, step->step_id, sizeof(step->task_id));
	step->correlation_id = "order-4711";
	step->correlation_id_len = strlen(step->correlation_id);
	step->step_name = "validate";
	step->step_name_len = strlen(step->step_name);
	step->handler_namespace = "default";
	step->handler_namespace_len = strlen(step->handler_namespace);
	step->handler_name = "orders.validate";
	step->handler_name_len = strlen(step->handler_name);
	step->handler_version = "1.0.0";
	step->handler_version_len = strlen(step->handler_version);
	step->input = "{\"order\":4711}";
	step->input_len = strlen(step->input);
	step->content_type = "application/json";
	step->content_type_len = strlen(step->content_type);
}

static void *flow_open(const void *plan)
{
	flow *steps = bench_alloc(1, sizeof(*steps));
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)plan;
	must(stepbus_bridge_new(NULL, &steps->bridge, &err), "make a bridge", &err);
	must(stepbus_bridge_start(steps->bridge, &err), "start", &err);
	must(stepbus_registry_new(NULL, &steps->registry, &err), "make a registry", &err);
	must(stepbus_bridge_event(steps->bridge,
				  STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
				  &steps->received_id, &err),
	     "look up an event", &err);
	add_handler(steps);
	subscribe(steps);
	fill_step(&steps->step);
	return steps;
}

static uint64_t flow_run(void *state, uint64_t iterations)
{
	flow *steps = state;
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status failed = STEPBUS_OK;
	uint64_t before = steps->sent_count;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		steps->step.token++;
		failed |= stepbus_bridge_publish(steps->bridge, steps->received_id, &steps->step,
						 sizeof(steps->step), &err);
	}
	start = bench_now_ns() - start;
	must(failed, "run a step", &err);
	if (steps->completion_count != steps->sent_count)
		bench_die("a completion was not followed by its event");
	bench_work_add(steps->sent_count - before);
	return start;
}

static void flow_close(void *state)
{
	flow *steps = state;

	stepbus_execution_subscriber_free(steps->subscriber);
	stepbus_bridge_free(steps->bridge);
	stepbus_registry_free(steps->registry);
	free(steps);
}

const bench_peer peer_stepbus_flow = { "stepbus", flow_open, flow_run, flow_close, NULL };
