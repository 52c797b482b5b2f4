/* SPDX-License-Identifier: MIT */
/* Every way a step can go wrong ends in one result that says how. */
#include "handlers/execution.h"

#include <stdio.h>

#include "base/syntax.h"
#include "base/utf8.h"
#include "support/cmocka.h"
#include "support/flow.h"

enum { HOST_FAILURE = -7 };

static test_flow *flow;

static int set_up(void **state)
{
	int failure = test_flow_begin(state);

	flow = *state;
	return failure;
}

/* What a scripted handler says, in this order, before it returns its answer. */
typedef struct script {
	const char *success; /* NULL: none */
	const stepbus_failure *failure;
	const char *success_after;
	int32_t answer;
	stepbus_status status; /* of the last word */
} script;

static int32_t follow_script(void *instance, const stepbus_context *context, stepbus_result *result)
{
	script *s = instance;

	(void)context;
	test_flow_note(flow, 'h');
	if (s->success != NULL)
		s->status = stepbus_result_success(result, s->success, strlen(s->success), NULL);
	if (s->failure != NULL)
		s->status = stepbus_result_failure(result, s->failure, NULL);
	if (s->success_after != NULL)
		s->status = stepbus_result_success(result, s->success_after,
						   strlen(s->success_after), NULL);
	return s->answer;
}

/* Runs one step of a handler that follows the script. */
static void run_script(script *s)
{
	test_flow_register(flow, "mail", follow_script, s);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_int_equal(flow->complete_count, 1);
}

static stepbus_failure detailed_failure(void)
{
	return (stepbus_failure){ .size = sizeof(stepbus_failure),
				  .is_retryable = 1,
				  .retry_after_ms = 60000,
				  .message = "the provider is busy",
				  .message_len = 20,
				  .error_type = "rate_limited",
				  .error_type_len = 12,
				  .error_code = "E429",
				  .error_code_len = 4 };
}

static void expect_detailed(void)
{
	const stepbus_completion *done = &flow->done;

	assert_true(test_flow_failed(flow, "rate_limited", 1));
	assert_int_equal(done->retry_after_ms, 60000);
	assert_true(
		test_is_text(done->error_message, done->error_message_len, "the provider is busy"));
	assert_true(test_is_text(done->error_code, done->error_code_len, "E429"));
	assert_int_equal(done->result_len, 0);
}

static void a_handler_that_is_not_registered_fails_the_step_for_good(void **state)
{
	(void)state;
	test_flow_register(flow, "send_email", test_succeed, NULL);
	assert_int_equal(test_flow_run(flow, "send_emial"), STEPBUS_OK);
	assert_true(test_flow_failed(flow, "handler_not_found", 0));
	assert_true(test_flow_said(flow, "'send_emial'"));
	assert_true(test_flow_said(flow, "did you mean 'send_email'?"));
	assert_true(test_flow_said(flow, "Registered handlers: ['send_email']"));
	assert_true(
		test_is_text(flow->done.handler_name, flow->done.handler_name_len, "send_emial"));
	assert_int_equal(flow->done.handler_version_len, 0);
	assert_string_equal(flow->journal, "cs");
}

static void a_version_that_is_not_registered_fails_the_step_for_good(void **state)
{
	stepbus_step_event step = test_step("mail");

	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	step.handler_version = "0.9";
	step.handler_version_len = 3;
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_OK);
	assert_true(test_flow_failed(flow, "handler_not_found", 0));
	assert_true(test_flow_said(flow, "Registered versions: ['1.0.0']"));
}

static void a_step_that_names_no_handler_fails_for_good(void **state)
{
	static char long_name[100000];
	stepbus_step_event steps[3];

	(void)state;
	memset(long_name, 'n', sizeof long_name);
	for (size_t i = 0; i < 3; i++)
		steps[i] = test_step("");
	steps[1].handler_name = NULL;
	steps[2].handler_name = long_name;
	steps[2].handler_name_len = 20000;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(test_flow_announce(flow, &steps[i]), STEPBUS_OK);
		assert_true(test_flow_failed(flow, "handler_not_found", 0));
		assert_true(flow->done.error_message_len > 0);
	}
	assert_int_equal(flow->complete_count, 3);
}

/* A factory that fails, with or without a word. */
static int32_t fail_to_create(void *user_data, void **instance, stepbus_error *err)
{
	const char *why = user_data;

	(void)instance;
	if (why != NULL)
		snprintf(err->message, sizeof err->message, "%s", why);
	return STEPBUS_ESYSTEM;
}

static void register_factory(int32_t (*create)(void *, void **, stepbus_error *), void *user_data)
{
	stepbus_handler_spec spec = test_spec("mail", "1.0.0");

	spec.create = create;
	spec.user_data = user_data;
	spec.flags = STEPBUS_HANDLER_OVERRIDE;
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), STEPBUS_OK);
}

static void a_factory_that_fails_is_told_apart_and_may_be_retried(void **state)
{
	char why[] = "no connection";

	(void)state;
	register_factory(fail_to_create, why);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_true(test_flow_failed(flow, "handler_factory_error", 1));
	assert_true(test_flow_said(flow, "'mail'"));
	assert_true(test_flow_said(flow, "no connection"));
	assert_string_equal(flow->journal, "ecs");
	assert_true(
		test_is_text(flow->done.handler_version, flow->done.handler_version_len, "1.0.0"));
}

static void a_factory_that_fails_without_a_word_still_has_a_message(void **state)
{
	(void)state;
	register_factory(fail_to_create, NULL);
	test_flow_run(flow, "mail");
	assert_true(test_flow_failed(flow, "handler_factory_error", 1));
	assert_true(test_flow_said(flow, "it did not say why"));
}

static void what_a_factory_says_is_mended_as_a_message_is(void **state)
{
	char why[] = "bad \xff byte";
	const stepbus_completion *done = &flow->done;

	(void)state;
	register_factory(fail_to_create, why);
	test_flow_run(flow, "mail");
	assert_true(test_flow_failed(flow, "handler_factory_error", 1));
	assert_true(sb_utf8_is_valid(done->error_message, done->error_message_len));
}

static void a_host_that_fails_fails_the_step_and_is_published(void **state)
{
	script s = { .answer = HOST_FAILURE };

	(void)state;
	run_script(&s);
	assert_true(test_flow_failed(flow, "handler_error", 1));
	assert_true(test_flow_said(flow, "'mail'"));
	assert_true(test_flow_said(flow, "-7"));
	assert_string_equal(flow->journal, "hecs");
}

static void the_error_event_is_json_with_all_that_is_known(void **state)
{
	script s = { .answer = HOST_FAILURE };
	stepbus_step_event step = test_step("mail");

	(void)state;
	memcpy(step.step_id, "0123456789abcdef", 16);
	step.token = UINT64_MAX;
	step.correlation_id = "a\"\xff";
	step.correlation_id_len = 3;
	test_flow_register(flow, "mail", follow_script, &s);
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_OK);
	assert_string_equal(
		flow->error_event,
		"{\"step_id\":\"30313233-3435-3637-3839-616263646566\",\"task_id\":null,"
		"\"token\":\"18446744073709551615\",\"correlation_id\":\"a\\\"?\","
		"\"handler\":\"mail\",\"error_type\":\"handler_error\",\"message\":"
		"\"handler 'mail' failed with status -7\"}");
	assert_true(sb_syntax_is_json(flow->error_event, strlen(flow->error_event), NULL));
}

static void a_host_that_fails_after_it_said_how_keeps_the_details(void **state)
{
	const stepbus_failure failure = detailed_failure();
	script s = { .failure = &failure, .answer = HOST_FAILURE };

	(void)state;
	run_script(&s);
	expect_detailed();
	assert_string_equal(flow->journal, "hecs");
	assert_non_null(strstr(flow->error_event, "\"error_type\":\"rate_limited\""));
}

static void a_host_that_fails_after_a_success_did_not_succeed(void **state)
{
	script s = { .success = "done", .answer = HOST_FAILURE };

	(void)state;
	run_script(&s);
	assert_true(test_flow_failed(flow, "handler_error", 1));
	assert_int_equal(flow->done.result_len, 0);
}

static void a_handler_that_says_nothing_has_failed_for_good(void **state)
{
	script s = { 0 };

	(void)state;
	run_script(&s);
	assert_true(test_flow_failed(flow, "handler_error", 0));
	assert_true(test_flow_said(flow, "returned without a result"));
	/* It is the handler's mistake, not the host's. */
	assert_string_equal(flow->journal, "hcs");
}

static void a_failure_of_the_handler_is_completed_as_it_was_said(void **state)
{
	const stepbus_failure failure = detailed_failure();
	script s = { .failure = &failure };

	(void)state;
	run_script(&s);
	expect_detailed();
	assert_string_equal(flow->journal, "hcs");
}

static void a_failure_after_a_success_is_what_counts(void **state)
{
	const stepbus_failure failure = detailed_failure();
	script s = { .success = "done", .failure = &failure };

	(void)state;
	run_script(&s);
	expect_detailed();
}

static void a_success_after_a_failure_is_what_counts(void **state)
{
	const stepbus_failure failure = detailed_failure();
	const stepbus_completion *done = &flow->done;
	script s = { .failure = &failure, .success_after = "after all" };

	(void)state;
	run_script(&s);
	assert_int_equal(done->outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_true(test_is_text(done->result, done->result_len, "after all"));
	assert_int_equal(done->is_retryable, 0);
	assert_int_equal(done->retry_after_ms, -1);
	assert_int_equal(done->error_type_len, 0);
	assert_int_equal(done->error_code_len, 0);
}

static void a_failure_that_is_refused_leaves_what_was_said_before(void **state)
{
	stepbus_failure failure = detailed_failure();
	script s = { .success = "done", .failure = &failure };

	(void)state;
	failure.retry_after_ms = -2;
	run_script(&s);
	assert_int_equal(s.status, STEPBUS_EINVAL);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
}

static void a_message_of_a_mebibyte_with_bad_bytes_is_cleaned_and_cut(void **state)
{
	static char message[1024 * 1024];
	stepbus_failure failure = detailed_failure();
	const stepbus_completion *done = &flow->done;
	script s = { .failure = &failure };

	(void)state;
	memset(message, 'm', sizeof message);
	message[0] = '\0';
	message[1] = '\xff';
	failure.message = message;
	failure.message_len = sizeof message;
	run_script(&s);
	assert_int_equal(done->error_message_len, 8192);
	assert_memory_equal(done->error_message, "??mm", 4);
	assert_true(sb_utf8_is_valid(done->error_message, done->error_message_len));
}

static void a_long_message_is_cut_short_in_the_error_event(void **state)
{
	static char message[8192];
	stepbus_failure failure = detailed_failure();
	script s = { .failure = &failure, .answer = HOST_FAILURE };

	(void)state;
	memset(message, 'm', sizeof message);
	failure.message = message;
	failure.message_len = sizeof message;
	run_script(&s);
	assert_true(sb_syntax_is_json(flow->error_event, strlen(flow->error_event), NULL));
	assert_non_null(strstr(flow->error_event, "mmmm\"}"));
	assert_true(strlen(flow->error_event) < 1500);
	assert_int_equal(flow->done.error_message_len, 8192);
}

static void what_is_no_step_event_completes_nothing(void **state)
{
	stepbus_step_event step = test_step("mail");
	stepbus_status status;

	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	status = stepbus_bridge_publish_name(flow->bridge,
					     STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					     "{}", 2, &flow->err);
	assert_int_equal(status, STEPBUS_EDELIVERY);
	assert_string_not_equal(flow->err.message, "");
	step.size--;
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_EDELIVERY);
	step = test_step("mail");
	step.input = NULL;
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_EDELIVERY);
	step = test_step("mail");
	step.dependency_count = 1;
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_EDELIVERY);
	assert_string_equal(flow->journal, "");
}

static void a_refused_completion_is_told_to_the_publisher_and_to_the_log(void **state)
{
	static const int32_t answers[] = { STEPBUS_ESTALE,
					   STEPBUS_EALREADY,
					   STEPBUS_ENOTFOUND,
					   STEPBUS_EBUSY,
					   STEPBUS_ENOMEM,
					   -1,
					   4711 };

	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		size_t log_count = flow->host.log_count;

		flow->complete_answer = answers[i];
		assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_EDELIVERY);
		assert_int_equal(flow->complete_count, (int)i + 1);
		assert_int_equal(flow->sent_count, 0);
		assert_int_equal(flow->host.log_count, log_count + 1);
		assert_non_null(strstr(flow->host.log, "\"level\":\"error\""));
		assert_non_null(strstr(flow->host.log, "\"event_type\":\"completion_refused\""));
		/* Which step, and why. */
		assert_non_null(strstr(flow->host.log, "\"entity_type\":\"step\""));
		assert_non_null(strstr(flow->host.log, stepbus_status_name(answers[i])));
	}
}

static void a_host_failure_and_a_refused_completion_are_both_told(void **state)
{
	script s = { .answer = HOST_FAILURE };

	(void)state;
	flow->complete_answer = STEPBUS_ESTALE;
	test_flow_register(flow, "mail", follow_script, &s);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_EDELIVERY);
	assert_string_equal(flow->journal, "hec");
}

static void the_next_step_runs_as_if_nothing_had_happened(void **state)
{
	script s = { .answer = HOST_FAILURE };

	(void)state;
	test_flow_register(flow, "mail", follow_script, &s);
	flow->complete_answer = STEPBUS_ESTALE;
	test_flow_run(flow, "mail");
	test_flow_run(flow, "nobody");
	flow->complete_answer = STEPBUS_OK;
	test_flow_register(flow, "sms", test_succeed, NULL);
	assert_int_equal(test_flow_run(flow, "sms"), STEPBUS_OK);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(flow->sent_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, test_flow_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handler_that_is_not_registered_fails_the_step_for_good),
		TEST(a_version_that_is_not_registered_fails_the_step_for_good),
		TEST(a_step_that_names_no_handler_fails_for_good),
		TEST(a_factory_that_fails_is_told_apart_and_may_be_retried),
		TEST(a_factory_that_fails_without_a_word_still_has_a_message),
		TEST(what_a_factory_says_is_mended_as_a_message_is),
		TEST(a_host_that_fails_fails_the_step_and_is_published),
		TEST(the_error_event_is_json_with_all_that_is_known),
		TEST(a_host_that_fails_after_it_said_how_keeps_the_details),
		TEST(a_host_that_fails_after_a_success_did_not_succeed),
		TEST(a_handler_that_says_nothing_has_failed_for_good),
		TEST(a_failure_of_the_handler_is_completed_as_it_was_said),
		TEST(a_failure_after_a_success_is_what_counts),
		TEST(a_success_after_a_failure_is_what_counts),
		TEST(a_failure_that_is_refused_leaves_what_was_said_before),
		TEST(a_message_of_a_mebibyte_with_bad_bytes_is_cleaned_and_cut),
		TEST(a_long_message_is_cut_short_in_the_error_event),
		TEST(what_is_no_step_event_completes_nothing),
		TEST(a_refused_completion_is_told_to_the_publisher_and_to_the_log),
		TEST(a_host_failure_and_a_refused_completion_are_both_told),
		TEST(the_next_step_runs_as_if_nothing_had_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
