/* SPDX-License-Identifier: MIT */
/*
 * The flow of a step, end to end, in one process and without a store: a step is announced on the
 * bridge, the execution subscriber finds its handler in the registry and runs it, the result goes
 * through the completion function, and the news of it comes back over the bridge.
 *
 * Three steps: one succeeds, one fails and says so, and one asks for a handler that nobody
 * registered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stepbus.h>

/* A handler: reads its input, writes its result. */
static int32_t send_email(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	(void)instance;
	printf("  handler     send_email runs with input %.*s\n", (int)step->input_len,
	       (const char *)step->input);
	stepbus_result_success(result, STEPBUS_TEXT("{\"sent\":true}"), NULL);
	return 0;
}

/* A handler that fails, and says that another attempt in a minute may help. */
static int32_t charge_card(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_failure failure = {
		.size = sizeof failure,
		.is_retryable = 1,
		.retry_after_ms = 60000,
		.message = "the payment provider is busy",
		.message_len = strlen("the payment provider is busy"),
		.error_type = "rate_limited",
		.error_type_len = strlen("rate_limited"),
	};

	(void)instance;
	(void)context;
	printf("  handler     charge_card runs, and cannot do it\n");
	stepbus_result_failure(result, &failure, NULL);
	return 0;
}

/* The completion function: here it only counts; a durable store would keep the result. */
static int32_t keep_result(void *user_data, const stepbus_completion *completion,
			   stepbus_error *err)
{
	int *kept = user_data;

	(void)err;
	(*kept)++;
	printf("  completion  result number %d of worker %.*s is kept\n", *kept,
	       (int)completion->worker_id_len, completion->worker_id);
	return STEPBUS_OK;
}

typedef struct tally {
	int successes;
	int failures;
} tally;

/* Hears of every result, after it was kept. */
static int32_t on_completion(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	tally *heard = user_data;
	const stepbus_completion *done;

	(void)event_id;
	if (stepbus_payload_completion(payload, len, &done, NULL) != STEPBUS_OK)
		return STEPBUS_EINVAL;
	if (done->outcome == STEPBUS_OUTCOME_SUCCESS)
		heard->successes++;
	else
		heard->failures++;
	if (done->outcome == STEPBUS_OUTCOME_SUCCESS)
		printf("  event       step.completion.sent: success, result %.*s\n",
		       (int)done->result_len, (const char *)done->result);
	else
		printf("  event       step.completion.sent: failure '%.*s', %s\n              "
		       "%.*s\n",
		       (int)done->error_type_len, done->error_type,
		       done->is_retryable ? "may be retried" : "final",
		       (int)done->error_message_len, done->error_message);
	return STEPBUS_OK;
}

static int32_t on_registered(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	printf("  event       handler.registered: %.*s\n", (int)len, (const char *)payload);
	return STEPBUS_OK;
}

static void check(stepbus_status status, const stepbus_error *err)
{
	if (status == STEPBUS_OK)
		return;
	fprintf(stderr, "%s: %s\n", stepbus_status_name(status), err->message);
	exit(1);
}

static void subscribe(stepbus_bridge *bridge, const char *event, stepbus_event_fn deliver,
		      void *user_data)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = deliver,
						    .user_data = user_data };
	stepbus_error err = STEPBUS_ERROR_INIT;

	check(stepbus_bridge_subscribe(bridge, event, strlen(event), &subscription, NULL, &err),
	      &err);
}

static void register_handler(stepbus_registry *registry, const char *name, stepbus_handler_fn call)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec,
		.name = name,
		.name_len = strlen(name),
		.version = "1.0.0",
		.version_len = strlen("1.0.0"),
		.call = call,
	};
	stepbus_error err = STEPBUS_ERROR_INIT;

	check(stepbus_registry_register(registry, &spec, &err), &err);
}

static void announce_step(stepbus_bridge *bridge, const char *handler, const char *input)
{
	stepbus_step_event step = {
		.size = sizeof step,
		.token = 1,
		.max_retries = 3,
		.handler_name = handler,
		.handler_name_len = strlen(handler),
		.input = input,
		.input_len = strlen(input),
	};
	stepbus_error err = STEPBUS_ERROR_INIT;
	char id[37];

	check(stepbus_id_new(step.step_id, &err), &err);
	check(stepbus_id_format(step.step_id, id, &err), &err);
	printf("\nstep %s for handler '%s'\n", id, handler);
	check(stepbus_bridge_publish_name(bridge,
					  STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					  &step, sizeof step, &err),
	      &err);
}

int main(void)
{
	tally heard = { 0, 0 };
	int kept = 0;
	const stepbus_execution_options options = {
		.size = sizeof options,
		.worker_id = "demo-worker",
		.worker_id_len = strlen("demo-worker"),
		.complete = keep_result,
		.user_data = &kept,
	};
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_execution_subscriber *subscriber;
	stepbus_registry *registry;
	stepbus_bridge *bridge;

	printf("stepbus %s: the flow of a step\n\nregistering two handlers\n", stepbus_version());
	check(stepbus_bridge_new(NULL, &bridge, &err), &err);
	check(stepbus_bridge_start(bridge, &err), &err);
	check(stepbus_registry_new(NULL, &registry, &err), &err);
	check(stepbus_registry_attach(registry, bridge, &err), &err);
	subscribe(bridge, STEPBUS_EVENT_HANDLER_REGISTERED, on_registered, NULL);
	subscribe(bridge, STEPBUS_EVENT_STEP_COMPLETION_SENT, on_completion, &heard);
	register_handler(registry, "send_email", send_email);
	register_handler(registry, "charge_card", charge_card);
	check(stepbus_execution_subscriber_new(bridge, registry, &options, &subscriber, &err),
	      &err);
	check(stepbus_execution_subscriber_start(subscriber, &err), &err);

	announce_step(bridge, "send_email", "{\"to\":\"ada@example.org\"}");
	announce_step(bridge, "charge_card", "{\"amount\":1299}");
	announce_step(bridge, "send_emial", "{}");

	stepbus_execution_subscriber_free(subscriber);
	stepbus_registry_attach(registry, NULL, NULL);
	stepbus_registry_free(registry);
	stepbus_bridge_free(bridge);
	printf("\n3 steps were announced, %d results were kept: successes %d, failures %d\n", kept,
	       heard.successes, heard.failures);
	return kept == 3 && heard.successes == 1 && heard.failures == 2 ? 0 : 1;
}
