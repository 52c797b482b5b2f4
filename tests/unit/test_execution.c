/* SPDX-License-Identifier: MIT */
/* Steps that come through: what a handler gets, what it gives, and what becomes of that. */
#include "handlers/execution.h"

#include <stdio.h>

#include "support/cmocka.h"
#include "support/flow.h"

static test_flow *flow; /* of the running test, for handlers that need more than their instance */

static int set_up(void **state)
{
	int failure = test_flow_begin(state);

	flow = *state;
	return failure;
}

/* Everything a handler may say on success, and half a millisecond of work. */
static int32_t say_everything(void *instance, const stepbus_context *context,
			      stepbus_result *result)
{
	(void)instance;
	(void)context;
	test_flow_note(flow, 'h');
	flow->host.elapsed_ns += 1500000;
	stepbus_result_success(result, STEPBUS_TEXT("<ok/>"), NULL);
	stepbus_result_set_content_type(result, STEPBUS_TEXT("text/xml"), NULL);
	stepbus_result_set_metadata(result, STEPBUS_TEXT("{\"cost\":3}"), NULL);
	return 0;
}

static stepbus_step_event full_step(void)
{
	stepbus_step_event step = test_step("mail");

	memcpy(step.step_id, "0123456789abcdef", 16);
	memcpy(step.task_id, "fedcba9876543210", 16);
	step.token = UINT64_MAX;
	step.correlation_id = "corr-1";
	step.correlation_id_len = 6;
	step.handler_namespace = "default";
	step.handler_namespace_len = 7;
	step.handler_version = "9.0";
	step.handler_version_len = 3;
	return step;
}

static void a_completion_carries_every_field(void **state)
{
	const stepbus_completion *done = &flow->done;
	const stepbus_step_event step = full_step();

	(void)state;
	test_flow_register(flow, "mail", say_everything, NULL);
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_OK);
	assert_int_equal(done->size, sizeof *done);
	assert_int_equal(done->outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_memory_equal(done->step_id, "0123456789abcdef", 16);
	assert_memory_equal(done->task_id, "fedcba9876543210", 16);
	assert_true(done->token == UINT64_MAX);
	assert_int_equal(done->execution_time_us, 1500);
	assert_int_equal(done->retry_after_ms, -1);
	assert_int_equal(done->is_retryable, 0);
	assert_int_equal(done->reserved, 0);
	assert_true(test_is_text(done->correlation_id, done->correlation_id_len, "corr-1"));
	assert_true(test_is_text(done->handler_name, done->handler_name_len, "mail"));
	/* The one that ran, not the one that was asked for. */
	assert_true(test_is_text(done->handler_version, done->handler_version_len, "1.0.0"));
	assert_true(test_is_text(done->worker_id, done->worker_id_len, "worker-1"));
	assert_true(test_is_text(done->result, done->result_len, "<ok/>"));
	assert_true(test_is_text(done->content_type, done->content_type_len, "text/xml"));
	assert_true(test_is_text(done->metadata, done->metadata_len, "{\"cost\":3}"));
	assert_int_equal(done->error_type_len, 0);
	assert_int_equal(done->error_message_len, 0);
	assert_int_equal(done->error_code_len, 0);
}

static void the_news_comes_after_the_completion_was_taken(void **state)
{
	(void)state;
	test_flow_register(flow, "mail", say_everything, NULL);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_string_equal(flow->journal, "hcs");
}

static void each_step_completes_once(void **state)
{
	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	for (int i = 1; i <= 20; i++) {
		assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
		assert_int_equal(flow->complete_count, i);
		assert_int_equal(flow->sent_count, i);
	}
}

static void a_result_is_json_where_nothing_else_was_said(void **state)
{
	const stepbus_completion *done = &flow->done;

	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	test_flow_run(flow, "mail");
	assert_true(test_is_text(done->content_type, done->content_type_len, "application/json"));
	assert_true(test_is_text(done->result, done->result_len, "ok"));
	assert_int_equal(done->metadata_len, 0);
}

/* Keeps what it was given, for the test to compare. */
typedef struct given {
	const stepbus_step_event *step;
	int32_t is_retry;
	stepbus_status dependency_status;
	char dependency[32];
} given;

static int32_t keep_given(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_dependency *dependency = NULL;
	given *g = instance;

	g->step = stepbus_context_step(context);
	g->is_retry = stepbus_context_is_retry(context);
	g->dependency_status =
		stepbus_context_dependency(context, STEPBUS_TEXT("charge"), &dependency, NULL);
	if (g->dependency_status == STEPBUS_OK)
		snprintf(g->dependency, sizeof g->dependency, "%.*s", (int)dependency->result_len,
			 (const char *)dependency->result);
	stepbus_result_success(result, NULL, 0, NULL);
	return 0;
}

static void a_handler_gets_the_step_as_it_was_published(void **state)
{
	stepbus_step_event step = full_step();
	given g = { 0 };

	(void)state;
	step.retry_count = 2;
	test_flow_register(flow, "mail", keep_given, &g);
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_OK);
	assert_ptr_equal(g.step, &step);
	assert_int_equal(g.is_retry, 1);
	assert_int_equal(g.dependency_status, STEPBUS_ENOTFOUND);
}

static void a_handler_finds_the_results_it_depends_on(void **state)
{
	const stepbus_dependency dependency = { .size = sizeof dependency,
						.step_name = "charge",
						.step_name_len = 6,
						.result = "1299",
						.result_len = 4 };
	stepbus_step_event step = test_step("mail");
	given g = { 0 };

	(void)state;
	step.dependencies = &dependency;
	step.dependency_count = 1;
	test_flow_register(flow, "mail", keep_given, &g);
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_OK);
	assert_int_equal(g.is_retry, 0);
	assert_int_equal(g.dependency_status, STEPBUS_OK);
	assert_string_equal(g.dependency, "1299");
}

static void a_step_finds_its_handler_in_its_namespace(void **state)
{
	stepbus_step_event step = test_step("mail");
	stepbus_handler_spec spec = test_spec("mail", "2.0.0");

	(void)state;
	spec.handler_namespace = "billing";
	spec.handler_namespace_len = 7;
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), STEPBUS_OK);
	test_flow_register(flow, "mail", say_everything, NULL);
	step.handler_namespace = "billing";
	step.handler_namespace_len = 7;
	test_flow_announce(flow, &step);
	assert_true(
		test_is_text(flow->done.handler_version, flow->done.handler_version_len, "2.0.0"));
}

static void the_subscriber_runs_nothing_unless_it_is_started(void **state)
{
	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	assert_int_equal(stepbus_execution_subscriber_is_active(flow->subscriber), 1);
	assert_int_equal(stepbus_execution_subscriber_stop(flow->subscriber, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_execution_subscriber_is_active(flow->subscriber), 0);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_int_equal(flow->complete_count, 0);
	assert_int_equal(stepbus_execution_subscriber_start(flow->subscriber, NULL), STEPBUS_OK);
	test_flow_run(flow, "mail");
	assert_int_equal(flow->complete_count, 1);
}

static void starting_twice_runs_each_step_once(void **state)
{
	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	assert_int_equal(stepbus_execution_subscriber_start(flow->subscriber, NULL), STEPBUS_OK);
	test_flow_run(flow, "mail");
	assert_int_equal(flow->complete_count, 1);
	assert_int_equal(stepbus_execution_subscriber_stop(flow->subscriber, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_execution_subscriber_stop(flow->subscriber, NULL), STEPBUS_OK);
	test_flow_run(flow, "mail");
	assert_int_equal(flow->complete_count, 1);
}

static void starting_after_the_bridge_was_stopped_subscribes_anew(void **state)
{
	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	stepbus_bridge_stop(flow->bridge, NULL);
	assert_int_equal(stepbus_execution_subscriber_is_active(flow->subscriber), 0);
	stepbus_bridge_start(flow->bridge, NULL);
	test_flow_run(flow, "mail");
	assert_int_equal(flow->complete_count, 0);
	assert_int_equal(stepbus_execution_subscriber_start(flow->subscriber, NULL), STEPBUS_OK);
	test_flow_run(flow, "mail");
	assert_int_equal(flow->complete_count, 1);
}

static void two_subscribers_on_a_bridge_both_run_the_step(void **state)
{
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "worker-2",
						    .worker_id_len = 8,
						    .complete = test_flow_complete,
						    .user_data = flow };
	stepbus_execution_subscriber *second = NULL;

	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	assert_int_equal(stepbus_execution_subscriber_new(flow->bridge, flow->registry, &options,
							  &second, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_execution_subscriber_start(second, NULL), STEPBUS_OK);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_string_equal(flow->journal, "cscs");
	assert_true(test_is_text(flow->done.worker_id, flow->done.worker_id_len, "worker-2"));
	stepbus_execution_subscriber_free(second);
	test_flow_run(flow, "mail");
	assert_string_equal(flow->journal, "cscscs");
}

static int32_t give_up(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_failure failure = { .size = sizeof failure, .retry_after_ms = -1 };

	(void)instance;
	(void)context;
	flow->host.elapsed_ns += 7000;
	stepbus_result_failure(result, &failure, NULL);
	return 0;
}

static void runs_and_failures_are_counted_in_the_info(void **state)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_handler_spec spec = test_spec("mail", "1.0.0");
	stepbus_text *text = NULL;

	(void)state;
	spec.call = give_up;
	stepbus_registry_register(flow->registry, &spec, NULL);
	for (int i = 0; i < 3; i++)
		test_flow_run(flow, "mail");
	test_flow_register(flow, "sms", say_everything, NULL);
	test_flow_run(flow, "sms");
	assert_int_equal(stepbus_registry_info(flow->registry, &key, &text, NULL), STEPBUS_OK);
	assert_non_null(strstr(stepbus_text_data(text),
			       "\"stats\":{\"runs\":3,\"failures\":3,\"total_us\":21,\"mean_us\":7,"
			       "\"longest_us\":7}"));
	stepbus_text_free(text);
	text = NULL;
	assert_int_equal(stepbus_registry_stats(flow->registry, &text, NULL), STEPBUS_OK);
	assert_non_null(strstr(stepbus_text_data(text), "\"runs\":4,\"failures\":3}"));
	stepbus_text_free(text);
}

/* Refuses the news of completions: the result is kept all the same. */
static int32_t refuse(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_EBUSY;
}

static void a_subscriber_that_refuses_the_news_does_not_fail_the_step(void **state)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = refuse };

	(void)state;
	stepbus_bridge_subscribe(flow->bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_COMPLETION_SENT),
				 &subscription, NULL, NULL);
	test_flow_register(flow, "mail", test_succeed, NULL);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_int_equal(flow->complete_count, 1);
}

/* A publisher with a later header: its struct is longer, and says so. */
static void a_longer_step_event_with_an_empty_tail_is_run(void **state)
{
	struct {
		stepbus_step_event known;
		uint64_t unknown[2];
	} step = { test_step("mail"), { 0, 0 } };

	(void)state;
	step.known.size = sizeof step;
	test_flow_register(flow, "mail", test_succeed, NULL);
	assert_int_equal(stepbus_bridge_publish_name(
				 flow->bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
				 &step, sizeof step, NULL),
			 STEPBUS_OK);
	assert_int_equal(flow->complete_count, 1);
}

static int32_t echo(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	(void)instance;
	stepbus_result_success(result, step->input, step->input_len, NULL);
	return 0;
}

static void bytes_come_through_as_they_are(void **state)
{
	static char bytes[8192];
	stepbus_step_event step = test_step("echo");

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7);
	step.input = bytes;
	step.input_len = sizeof bytes;
	test_flow_register(flow, "echo", echo, NULL);
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_OK);
	assert_int_equal(flow->done.result_len, sizeof bytes);
	assert_memory_equal(flow->done.result, bytes, sizeof bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, test_flow_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_completion_carries_every_field),
		TEST(the_news_comes_after_the_completion_was_taken),
		TEST(each_step_completes_once),
		TEST(a_result_is_json_where_nothing_else_was_said),
		TEST(a_handler_gets_the_step_as_it_was_published),
		TEST(a_handler_finds_the_results_it_depends_on),
		TEST(a_step_finds_its_handler_in_its_namespace),
		TEST(the_subscriber_runs_nothing_unless_it_is_started),
		TEST(starting_twice_runs_each_step_once),
		TEST(starting_after_the_bridge_was_stopped_subscribes_anew),
		TEST(two_subscribers_on_a_bridge_both_run_the_step),
		TEST(runs_and_failures_are_counted_in_the_info),
		TEST(a_subscriber_that_refuses_the_news_does_not_fail_the_step),
		TEST(a_longer_step_event_with_an_empty_tail_is_run),
		TEST(bytes_come_through_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
