/* SPDX-License-Identifier: MIT */
#include "support/flow.h"

#include <string.h>

#include "support/cmocka.h"

void test_flow_note(test_flow *flow, char letter)
{
	pthread_mutex_lock(&flow->lock);
	if (flow->journal_len < sizeof flow->journal - 1)
		flow->journal[flow->journal_len++] = letter;
	pthread_mutex_unlock(&flow->lock);
}

/* Moves what a completion points at into the flow. */
static const char *keep(test_flow *flow, const void *data, size_t len)
{
	char *place = flow->done_texts + flow->done_len;

	if (len > sizeof flow->done_texts - flow->done_len)
		return NULL;
	if (len > 0)
		memcpy(place, data, len);
	flow->done_len += len;
	return place;
}

static void keep_completion(test_flow *flow, const stepbus_completion *completion)
{
	stepbus_completion *done = &flow->done;

	*done = *completion;
	flow->done_len = 0;
	done->correlation_id = keep(flow, done->correlation_id, done->correlation_id_len);
	done->handler_name = keep(flow, done->handler_name, done->handler_name_len);
	done->handler_version = keep(flow, done->handler_version, done->handler_version_len);
	done->worker_id = keep(flow, done->worker_id, done->worker_id_len);
	done->result = keep(flow, done->result, done->result_len);
	done->content_type = keep(flow, done->content_type, done->content_type_len);
	done->error_type = keep(flow, done->error_type, done->error_type_len);
	done->error_message = keep(flow, done->error_message, done->error_message_len);
	done->error_code = keep(flow, done->error_code, done->error_code_len);
	done->metadata = keep(flow, done->metadata, done->metadata_len);
}

int32_t test_flow_complete(void *user_data, const stepbus_completion *completion,
			   stepbus_error *err)
{
	test_flow *flow = user_data;

	(void)err;
	test_flow_note(flow, 'c');
	pthread_mutex_lock(&flow->lock);
	flow->complete_count++;
	keep_completion(flow, completion);
	pthread_mutex_unlock(&flow->lock);
	return flow->complete_answer;
}

static void end_door(void *user_data)
{
	test_count(&((test_flow *)user_data)->door_destroyed);
}

static int32_t on_sent(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_completion *sent = NULL;
	test_flow *flow = user_data;
	bool is_same;

	(void)event_id;
	if (stepbus_payload_completion(payload, len, &sent, NULL) != STEPBUS_OK)
		return STEPBUS_EINVAL;
	test_flow_note(flow, 's');
	pthread_mutex_lock(&flow->lock);
	flow->sent_count++;
	is_same = sent->token == flow->done.token && sent->outcome == flow->done.outcome;
	pthread_mutex_unlock(&flow->lock);
	return is_same ? STEPBUS_OK : STEPBUS_EINVAL;
}

static int32_t on_error(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	test_flow *flow = user_data;

	(void)event_id;
	test_flow_note(flow, 'e');
	pthread_mutex_lock(&flow->lock);
	flow->error_count++;
	if (len < sizeof flow->error_event) {
		memcpy(flow->error_event, payload, len);
		flow->error_event[len] = '\0';
	}
	pthread_mutex_unlock(&flow->lock);
	return STEPBUS_OK;
}

static stepbus_status subscribe(test_flow *flow, const char *event, stepbus_event_fn deliver)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = deliver,
						    .user_data = flow };

	return stepbus_bridge_subscribe(flow->bridge, event, strlen(event), &subscription, NULL,
					&flow->err);
}

static stepbus_status set_up(test_flow *flow)
{
	const stepbus_execution_options execution = { .size = sizeof execution,
						      .worker_id = "worker-1",
						      .worker_id_len = 8,
						      .complete = test_flow_complete,
						      .user_data = flow,
						      .destroy = end_door };
	const stepbus_bridge_options bridge = { .size = sizeof bridge, .host = &flow->host.host };
	const stepbus_registry_options registry = { .size = sizeof registry,
						    .host = &flow->host.host };
	stepbus_status status = stepbus_bridge_new(&bridge, &flow->bridge, &flow->err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_start(flow->bridge, &flow->err);
	if (status == STEPBUS_OK)
		status = stepbus_registry_new(&registry, &flow->registry, &flow->err);
	if (status == STEPBUS_OK)
		status = subscribe(flow, STEPBUS_EVENT_STEP_COMPLETION_SENT, on_sent);
	if (status == STEPBUS_OK)
		status = subscribe(flow, STEPBUS_EVENT_HANDLER_ERROR, on_error);
	if (status == STEPBUS_OK)
		status = stepbus_execution_subscriber_new(flow->bridge, flow->registry, &execution,
							  &flow->subscriber, &flow->err);
	if (status == STEPBUS_OK)
		status = stepbus_execution_subscriber_start(flow->subscriber, &flow->err);
	return status;
}

int test_flow_begin(void **state)
{
	static test_flow flow;

	memset(&flow, 0, sizeof flow);
	test_host_init(&flow.host);
	pthread_mutex_init(&flow.lock, NULL);
	flow.err = (stepbus_error)STEPBUS_ERROR_INIT;
	*state = &flow;
	return set_up(&flow);
}

int test_flow_end(void **state)
{
	test_flow *flow = *state;

	stepbus_execution_subscriber_free(flow->subscriber);
	stepbus_registry_free(flow->registry);
	stepbus_bridge_free(flow->bridge);
	test_host_end(&flow->host);
	assert_int_equal(flow->door_destroyed, 1);
	pthread_mutex_destroy(&flow->lock);
	return 0;
}

void test_flow_register(test_flow *flow, const char *name, stepbus_handler_fn call, void *instance)
{
	stepbus_handler_spec spec = test_spec(name, "1.0.0");

	spec.flags = STEPBUS_HANDLER_OVERRIDE;
	spec.call = call;
	spec.user_data = instance;
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, &flow->err), STEPBUS_OK);
}

stepbus_status test_flow_announce(test_flow *flow, const stepbus_step_event *step)
{
	return stepbus_bridge_publish_name(flow->bridge,
					   STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					   step, sizeof *step, &flow->err);
}

stepbus_status test_flow_run(test_flow *flow, const char *handler_name)
{
	const stepbus_step_event step = test_step(handler_name);

	return test_flow_announce(flow, &step);
}

bool test_is_text(const void *data, size_t len, const char *expected)
{
	return len == strlen(expected) && (len == 0 || memcmp(data, expected, len) == 0);
}

bool test_flow_failed(const test_flow *flow, const char *error_type, uint32_t is_retryable)
{
	const stepbus_completion *done = &flow->done;

	return done->outcome == STEPBUS_OUTCOME_FAILURE && done->is_retryable == is_retryable &&
	       test_is_text(done->error_type, done->error_type_len, error_type);
}

bool test_flow_said(const test_flow *flow, const char *part)
{
	return memmem(flow->done.error_message, flow->done.error_message_len, part, strlen(part)) !=
	       NULL;
}
