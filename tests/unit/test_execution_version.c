/* SPDX-License-Identifier: MIT */
/* Which version runs: the step's own word, or the input's where the handler lets it. */
#include <string.h>

#include "support/cmocka.h"
#include "support/flow.h"

static test_flow *flow;

static int set_up(void **state)
{
	int failure = test_flow_begin(state);

	flow = *state;
	return failure;
}

static void add(const char *version, uint32_t flags)
{
	stepbus_handler_spec spec = test_spec("mail", version);

	spec.flags = flags;
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), STEPBUS_OK);
}

static void run_bytes(const char *version, const void *input, size_t len)
{
	stepbus_step_event step = test_step("mail");

	step.handler_version = version;
	step.handler_version_len = version != NULL ? strlen(version) : 0;
	step.input = input;
	step.input_len = len;
	assert_int_equal(test_flow_announce(flow, &step), STEPBUS_OK);
}

static void expect_run(const char *version, const char *input, const char *expected)
{
	run_bytes(version, input, strlen(input));
	if (!test_is_text(flow->done.handler_version, flow->done.handler_version_len, expected))
		fail_msg("with version %s and input %s '%.*s' ran, not '%s'",
			 version != NULL ? version : "unsaid", input,
			 (int)flow->done.handler_version_len, flow->done.handler_version, expected);
}

static void a_version_in_the_input_is_used_where_it_is_registered(void **state)
{
	(void)state;
	add("v1", 0);
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT | STEPBUS_HANDLER_DEFAULT);
	add("v3", 0);
	expect_run(NULL, "{\"version\":\"v1\"}", "v1");
	expect_run(NULL, "{\"version\":\"v3\"}", "v3");
	expect_run(NULL, "{\"a\":[1,{}],\"version\":\"v2\"}", "v2");
	expect_run(NULL, "{}", "v2");
}

static void the_word_of_the_step_wins_over_its_input(void **state)
{
	(void)state;
	add("v1", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	expect_run("v1", "{\"version\":\"v2\"}", "v1");
}

static void a_version_in_the_input_that_is_not_registered_is_passed_over(void **state)
{
	(void)state;
	add("v1", 0);
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	expect_run(NULL, "{\"version\":\"v9\"}", "v2");
	/* No falling back: what is not there is not what the input meant. */
	expect_run(NULL, "{\"version\":\"v1.5\"}", "v2");
}

static void without_the_handlers_leave_the_input_says_nothing(void **state)
{
	(void)state;
	add("v1", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	add("v2", 0);
	expect_run(NULL, "{\"version\":\"v1\"}", "v2");
}

static void hostile_input_changes_nothing(void **state)
{
	static const char *const inputs[] = {
		"",
		"{",
		"null",
		"[\"version\",\"v1\"]",
		"\"v1\"",
		"{\"version\":1}",
		"{\"version\":null}",
		"{\"version\":[\"v1\"]}",
		"{\"version\":{\"version\":\"v1\"}}",
		"{\"inner\":{\"version\":\"v1\"}}",
		"{\"version\":\"\"}",
		"{\"version\":\"v1 \"}",
		"{\"version\":\"V1\"}",
		"{\"Version\":\"v1\"}",
		"{\"version\":\"v1\\u0000\"}",
		"{\"version\":\"v1\"",
		"{\"version\":\"v1\"} trailing",
		"{\"version\":\"v1\xff\"}",
		"\xef\xbb\xbf{\"version\":\"v1\"}",
	};

	(void)state;
	add("v1", 0);
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
		expect_run(NULL, inputs[i], "v2");
}

static void a_version_without_an_end_is_passed_over(void **state)
{
	static char input[100000];

	(void)state;
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	memset(input, 'v', sizeof input);
	memcpy(input, "{\"version\":\"", 12);
	memcpy(input + sizeof input - 2, "\"}", 2);
	run_bytes(NULL, input, sizeof input);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
}

static void input_that_nests_too_deep_is_passed_over(void **state)
{
	static char input[200000];

	(void)state;
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	memset(input, '[', sizeof input);
	run_bytes(NULL, input, sizeof input);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
}

static void no_input_at_all_is_fine(void **state)
{
	(void)state;
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	run_bytes(NULL, NULL, 0);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
}

static void a_version_in_the_input_stays_in_the_namespace_of_the_step(void **state)
{
	stepbus_handler_spec spec = test_spec("mail", "v1");

	(void)state;
	add("v2", STEPBUS_HANDLER_VERSION_FROM_INPUT);
	spec.handler_namespace = "billing";
	spec.handler_namespace_len = 7;
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), STEPBUS_OK);
	expect_run(NULL, "{\"version\":\"v1\"}", "v2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, test_flow_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_version_in_the_input_is_used_where_it_is_registered),
		TEST(the_word_of_the_step_wins_over_its_input),
		TEST(a_version_in_the_input_that_is_not_registered_is_passed_over),
		TEST(without_the_handlers_leave_the_input_says_nothing),
		TEST(hostile_input_changes_nothing),
		TEST(a_version_without_an_end_is_passed_over),
		TEST(input_that_nests_too_deep_is_passed_over),
		TEST(no_input_at_all_is_fine),
		TEST(a_version_in_the_input_stays_in_the_namespace_of_the_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
