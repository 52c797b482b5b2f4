/* SPDX-License-Identifier: MIT */
#include "handlers/context.h"

#include <stdio.h>

#include "support/cmocka.h"
#include "support/spec.h"

static stepbus_dependency dependency_of(const char *step_name, const char *result)
{
	return (stepbus_dependency){ .size = sizeof(stepbus_dependency),
				     .step_name = step_name,
				     .step_name_len = strlen(step_name),
				     .result = result,
				     .result_len = strlen(result) };
}

static const stepbus_dependency *find(const stepbus_step_event *step, const char *step_name,
				      stepbus_error *err)
{
	const stepbus_context context = { .step = step };
	const stepbus_dependency *found = NULL;
	stepbus_status status =
		stepbus_context_dependency(&context, step_name, strlen(step_name), &found, err);

	assert_int_equal(status, found != NULL ? STEPBUS_OK : STEPBUS_ENOTFOUND);
	return found;
}

static void a_dependency_is_found_by_the_name_of_its_step(void **state)
{
	const stepbus_dependency dependencies[] = { dependency_of("validate", "true"),
						    dependency_of("charge", "1299"),
						    dependency_of("charge2", "0") };
	stepbus_step_event step = test_step("mail");

	(void)state;
	step.dependencies = dependencies;
	step.dependency_count = 3;
	assert_ptr_equal(find(&step, "charge", NULL), &dependencies[1]);
	assert_ptr_equal(find(&step, "validate", NULL), &dependencies[0]);
	assert_ptr_equal(find(&step, "charge2", NULL), &dependencies[2]);
}

static void a_missing_dependency_lists_those_there_are(void **state)
{
	const stepbus_dependency dependencies[] = { dependency_of("validate", ""),
						    dependency_of("charge", "") };
	stepbus_step_event step = test_step("mail");
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	step.dependencies = dependencies;
	step.dependency_count = 2;
	assert_null(find(&step, "Charge", &err));
	assert_string_equal(err.message,
			    "the step does not depend on 'Charge': it depends on ['validate', "
			    "'charge']");
}

static void without_dependencies_the_list_is_empty(void **state)
{
	const stepbus_step_event step = test_step("mail");
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	assert_null(find(&step, "", &err));
	assert_string_equal(err.message, "the step does not depend on '': it depends on []");
}

static void a_thousand_dependencies_fit_into_the_message(void **state)
{
	static stepbus_dependency dependencies[1000];
	stepbus_step_event step = test_step("mail");
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		dependencies[i] = dependency_of("a-step-with-a-rather-long-name\n", "");
	step.dependencies = dependencies;
	step.dependency_count = 1000;
	assert_null(find(&step, "charge", &err));
	assert_non_null(strstr(err.message, "'a-step-with-a-rather-long-name?'"));
	assert_true(strlen(err.message) < sizeof err.message);
}

static void a_step_is_a_retry_when_an_attempt_went_before(void **state)
{
	stepbus_step_event step = test_step("mail");
	const stepbus_context context = { .step = &step };

	(void)state;
	assert_int_equal(stepbus_context_is_retry(&context), 0);
	step.retry_count = 1;
	assert_int_equal(stepbus_context_is_retry(&context), 1);
	step.retry_count = UINT32_MAX;
	assert_int_equal(stepbus_context_is_retry(&context), 1);
}

static void the_step_is_the_one_that_was_announced(void **state)
{
	const stepbus_step_event step = test_step("mail");
	const stepbus_context context = { .step = &step };

	(void)state;
	assert_ptr_equal(stepbus_context_step(&context), &step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dependency_is_found_by_the_name_of_its_step),
		cmocka_unit_test(a_missing_dependency_lists_those_there_are),
		cmocka_unit_test(without_dependencies_the_list_is_empty),
		cmocka_unit_test(a_thousand_dependencies_fit_into_the_message),
		cmocka_unit_test(a_step_is_a_retry_when_an_attempt_went_before),
		cmocka_unit_test(the_step_is_the_one_that_was_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
