/* SPDX-License-Identifier: MIT */
/* Bad input for what a running handler calls, and for the execution subscriber. */
#include <string.h>

#include "base/host.h"
#include "handlers/context.h"
#include "handlers/result.h"
#include "support/bad_input.h"
#include "support/spec.h"

static void context_step(test_bad *b)
{
	(void)b;
	assert_null(stepbus_context_step(NULL));
}

static void context_dependency(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	const stepbus_step_event step = test_step("mail");
	const stepbus_context context = { .step = &step };
	const stepbus_dependency *out = NULL;

	(void)b;
	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(names[i].data == NULL ? STEPBUS_EINVAL : STEPBUS_ENOTFOUND,
		    stepbus_context_dependency(&context, names[i].data, names[i].len, &out, err));
	BAD(STEPBUS_EINVAL, stepbus_context_dependency(NULL, "a", 1, &out, err));
	BAD(STEPBUS_EINVAL, stepbus_context_dependency(&context, "a", 1, NULL, err));
	assert_null(out);
}

static void context_is_retry(test_bad *b)
{
	(void)b;
	assert_int_equal(stepbus_context_is_retry(NULL), 0);
}

static void context_check(test_bad *b)
{
	const stepbus_step_event step = test_step("mail");
	const stepbus_context context = { .step = &step };

	(void)b;
	assert_int_equal(stepbus_context_check(NULL), STEPBUS_OK);
	/* One that no engine runs is never interrupted. */
	assert_int_equal(stepbus_context_check(&context), STEPBUS_OK);
}

static stepbus_result result_on(stepbus_host *host)
{
	stepbus_result result;

	assert_int_equal(sb_host_fill(NULL, host, NULL), STEPBUS_OK);
	sb_result_init(&result, host);
	return result;
}

static void result_success(test_bad *b)
{
	stepbus_host host;
	stepbus_result result = result_on(&host);

	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_result_success(NULL, "", 0, err));
	BAD(STEPBUS_EINVAL, stepbus_result_success(&result, NULL, 1, err));
	BAD(STEPBUS_EINVAL, stepbus_result_success(&result, NULL, SIZE_MAX, err));
	assert_int_equal(result.outcome, 0);
	BAD(STEPBUS_OK, stepbus_result_success(&result, NULL, 0, err));
	BAD(STEPBUS_OK, stepbus_result_success(&result, test_bad_long(), BAD_LONG_LEN, err));
	sb_result_free(&result);
}

static stepbus_status give_failure(test_bad *b, const void *failure, stepbus_error *err)
{
	stepbus_host host;
	stepbus_result result = result_on(&host);
	stepbus_status status = stepbus_result_failure(&result, failure, err);

	(void)b;
	assert_int_equal(result.outcome, status == STEPBUS_OK ? STEPBUS_OUTCOME_FAILURE : 0);
	sb_result_free(&result);
	return status;
}

static void result_failure(test_bad *b)
{
	const int64_t year_ms = INT64_C(366) * 24 * 3600 * 1000;
	const stepbus_failure good = { .size = sizeof good, .retry_after_ms = -1 };
	stepbus_failure bad[8] = { good, good, good, good, good, good, good, good };
	stepbus_failure longest = good;

	bad[0].message_len = 1;
	bad[1].error_type_len = 1;
	bad[2].error_code_len = 1;
	bad[3].is_retryable = 2;
	bad[4].retry_after_ms = -2;
	bad[5].retry_after_ms = INT64_MIN;
	bad[6].retry_after_ms = year_ms + 1;
	bad[7].backtrace_len = 1;
	longest.retry_after_ms = year_ms;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		BAD(STEPBUS_EINVAL, give_failure(b, &bad[i], err));
	BAD(STEPBUS_OK, give_failure(b, &longest, err));
	BAD(STEPBUS_EINVAL, give_failure(b, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_result_failure(NULL, &good, err));
	test_bad_sizes(b, BAD_STRUCT(good, give_failure));
}

static void result_snooze(test_bad *b)
{
	const int64_t ten_years_ms = INT64_C(10) * 366 * 24 * 3600 * 1000;
	stepbus_host host;
	stepbus_result result = result_on(&host);

	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_result_snooze(NULL, 0, err));
	BAD(STEPBUS_EINVAL, stepbus_result_snooze(&result, -1, err));
	BAD(STEPBUS_EINVAL, stepbus_result_snooze(&result, INT64_MIN, err));
	BAD(STEPBUS_EINVAL, stepbus_result_snooze(&result, INT64_MAX, err));
	BAD(STEPBUS_EINVAL, stepbus_result_snooze(&result, ten_years_ms + 1, err));
	assert_int_equal(result.outcome, 0);
	BAD(STEPBUS_OK, stepbus_result_snooze(&result, ten_years_ms, err));
	sb_result_free(&result);
}

static void result_set_content_type(test_bad *b)
{
	static const test_bad_text types[] = { { "a\nb", 3 }, { "a\0b", 3 },     { "\xff", 1 },
					       { "\x7f", 1 }, { "\xc3\xa4", 2 }, { "\t", 1 } };
	stepbus_host host;
	stepbus_result result = result_on(&host);

	(void)b;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_result_set_content_type(&result, types[i].data, types[i].len, err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_content_type(NULL, "a", 1, err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_content_type(&result, NULL, 0, err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_content_type(&result, NULL, 3, err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_content_type(&result, test_bad_long(), 129, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_result_set_content_type(&result, test_bad_long(), BAD_LONG_LEN, err));
	BAD(STEPBUS_OK, stepbus_result_set_content_type(&result, test_bad_long(), 128, err));
	sb_result_free(&result);
}

static void result_set_metadata(test_bad *b)
{
	static const char *const documents[] = { "",    "[]", "1", "{", "{}{}", "{\"a\":\"\xff\"}",
						 "null" };
	stepbus_host host;
	stepbus_result result = result_on(&host);

	(void)b;
	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_result_set_metadata(&result, documents[i], strlen(documents[i]), err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_metadata(&result, "{}\0", 3, err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_metadata(&result, NULL, 0, err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_metadata(&result, NULL, 2, err));
	BAD(STEPBUS_EINVAL, stepbus_result_set_metadata(NULL, "{}", 2, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_result_set_metadata(&result, test_bad_long(), BAD_LONG_LEN, err));
	assert_int_equal(result.parts[SB_RESULT_METADATA].len, 0);
	sb_result_free(&result);
}

static int32_t complete(void *user_data, const stepbus_completion *completion, stepbus_error *err)
{
	(void)user_data;
	(void)completion;
	(void)err;
	return STEPBUS_OK;
}

static stepbus_status new_execution(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_execution_subscriber *subscriber = NULL;
	stepbus_status status =
		stepbus_execution_subscriber_new(b->bridge, b->registry, given, &subscriber, err);

	assert_int_equal(subscriber != NULL, status == STEPBUS_OK);
	stepbus_execution_subscriber_free(subscriber);
	return status;
}

static void try_worker_ids(test_bad *b, const stepbus_execution_options *good)
{
	const test_bad_text *names = test_bad_names();

	for (size_t i = 0; i < BAD_NAME_COUNT; i++) {
		const bool is_allowed = names[i].len == 3 && memcmp(names[i].data, "a b", 3) == 0;
		stepbus_execution_options options = *good;

		options.worker_id = names[i].data;
		options.worker_id_len = names[i].len;
		BAD_DESTROYED(b, is_allowed ? STEPBUS_OK : STEPBUS_EINVAL,
			      new_execution(b, &options, err));
	}
}

static void execution_subscriber_new(test_bad *b)
{
	const stepbus_execution_options good = { .size = sizeof good,
						 .worker_id = "w",
						 .worker_id_len = 1,
						 .complete = complete,
						 .user_data = b,
						 .destroy = test_bad_destroy };
	stepbus_execution_options aimless = good;
	stepbus_execution_subscriber *out = NULL;

	aimless.complete = NULL;
	try_worker_ids(b, &good);
	BAD_DESTROYED(b, STEPBUS_EINVAL, new_execution(b, &aimless, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL,
		      stepbus_execution_subscriber_new(NULL, b->registry, &good, &out, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL,
		      stepbus_execution_subscriber_new(b->bridge, NULL, &good, &out, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL,
		      stepbus_execution_subscriber_new(b->bridge, b->registry, &good, NULL, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_execution_subscriber_new(b->bridge, b->registry, NULL, &out, err));
	assert_null(out);
	test_bad_sizes(b, BAD_STRUCT(good, new_execution));
	test_bad_flags(b, BAD_STRUCT(good, new_execution),
		       offsetof(stepbus_execution_options, flags), 0);
}

static void execution_subscriber_start(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_execution_subscriber_start(NULL, err));
}

static void execution_subscriber_stop(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_execution_subscriber_stop(NULL, err));
}

static void execution_subscriber_is_active(test_bad *b)
{
	(void)b;
	assert_int_equal(stepbus_execution_subscriber_is_active(NULL), 0);
}

static void execution_subscriber_free(test_bad *b)
{
	(void)b;
	stepbus_execution_subscriber_free(NULL);
}

static const test_bad_row rows[] = {
	{ "stepbus_context_step", context_step },
	{ "stepbus_context_dependency", context_dependency },
	{ "stepbus_context_is_retry", context_is_retry },
	{ "stepbus_context_check", context_check },
	{ "stepbus_result_success", result_success },
	{ "stepbus_result_failure", result_failure },
	{ "stepbus_result_snooze", result_snooze },
	{ "stepbus_result_set_content_type", result_set_content_type },
	{ "stepbus_result_set_metadata", result_set_metadata },
	{ "stepbus_execution_subscriber_new", execution_subscriber_new },
	{ "stepbus_execution_subscriber_start", execution_subscriber_start },
	{ "stepbus_execution_subscriber_stop", execution_subscriber_stop },
	{ "stepbus_execution_subscriber_is_active", execution_subscriber_is_active },
	{ "stepbus_execution_subscriber_free", execution_subscriber_free },
};

const test_bad_rows test_bad_execution = { rows, sizeof rows / sizeof *rows };
