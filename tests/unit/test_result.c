/* SPDX-License-Identifier: MIT */
#include "handlers/result.h"

#include "base/utf8.h"
#include "support/cmocka.h"
#include "support/host.h"

enum { MEBIBYTE = 1024 * 1024 };

typedef struct fixture {
	test_host host;
	stepbus_result result;
	stepbus_error err;
} fixture;

static int set_up(void **state)
{
	static fixture f;

	test_host_init(&f.host);
	sb_result_init(&f.result, &f.host.host);
	f.err = (stepbus_error)STEPBUS_ERROR_INIT;
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	fixture *f = *state;

	sb_result_free(&f->result);
	test_host_end(&f->host);
	return 0;
}

static void expect_part(const fixture *f, sb_result_part part, const char *expected)
{
	sb_slice text = f->result.parts[part];

	if (!sb_slice_is_equal(text, sb_slice_z(expected)))
		fail_msg("part %d is '%.*s', not '%s'", (int)part, (int)text.len, text.data,
			 expected);
}

static stepbus_status succeed(fixture *f, const char *bytes)
{
	return sb_result_succeed(&f->result, sb_slice_z(bytes), &f->err);
}

static stepbus_failure failure_of(const char *message)
{
	return (stepbus_failure){ .size = sizeof(stepbus_failure),
				  .retry_after_ms = -1,
				  .message = message,
				  .message_len = strlen(message) };
}

static void a_new_result_says_nothing(void **state)
{
	const fixture *f = *state;

	assert_int_equal(f->result.outcome, 0);
	assert_int_equal(f->result.retry_after_ms, -1);
	for (sb_result_part part = 0; part < SB_RESULT_PART_COUNT; part++)
		assert_int_equal(f->result.parts[part].len, 0);
}

static void a_success_keeps_a_copy_of_its_bytes(void **state)
{
	fixture *f = *state;
	char bytes[] = "done";

	assert_int_equal(succeed(f, bytes), STEPBUS_OK);
	memset(bytes, 'x', sizeof bytes);
	assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_false(f->result.is_retryable);
	expect_part(f, SB_RESULT_BYTES, "done");
}

static void bytes_are_kept_as_they_are(void **state)
{
	fixture *f = *state;
	const char bytes[] = { '\0', '\xff', '\n', '\0' };

	assert_int_equal(sb_result_succeed(&f->result, sb_slice_of(bytes, 4), NULL), STEPBUS_OK);
	assert_int_equal(f->result.parts[SB_RESULT_BYTES].len, 4);
	assert_memory_equal(f->result.parts[SB_RESULT_BYTES].data, bytes, 4);
}

static void a_success_may_be_empty(void **state)
{
	fixture *f = *state;

	assert_int_equal(sb_result_succeed(&f->result, sb_slice_of(NULL, 0), NULL), STEPBUS_OK);
	assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(f->result.parts[SB_RESULT_BYTES].len, 0);
}

static void a_failure_keeps_what_it_says(void **state)
{
	fixture *f = *state;
	stepbus_failure failure = failure_of("no such account");

	failure.is_retryable = 1;
	failure.retry_after_ms = 1500;
	failure.error_type = "not_found";
	failure.error_type_len = 9;
	failure.error_code = "E404";
	failure.error_code_len = 4;
	assert_int_equal(sb_result_fail(&f->result, &failure, NULL), STEPBUS_OK);
	assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_FAILURE);
	assert_true(f->result.is_retryable);
	assert_int_equal(f->result.retry_after_ms, 1500);
	expect_part(f, SB_RESULT_ERROR_TYPE, "not_found");
	expect_part(f, SB_RESULT_ERROR_MESSAGE, "no such account");
	expect_part(f, SB_RESULT_ERROR_CODE, "E404");
}

static void a_failure_without_a_type_is_a_handler_error(void **state)
{
	fixture *f = *state;
	const stepbus_failure failure = failure_of("");

	assert_int_equal(sb_result_fail(&f->result, &failure, NULL), STEPBUS_OK);
	expect_part(f, SB_RESULT_ERROR_TYPE, "handler_error");
	expect_part(f, SB_RESULT_ERROR_MESSAGE, "");
}

static void a_failure_after_a_success_takes_its_bytes_away(void **state)
{
	fixture *f = *state;
	const stepbus_failure failure = failure_of("too late");

	succeed(f, "done");
	assert_int_equal(sb_result_fail(&f->result, &failure, NULL), STEPBUS_OK);
	assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_FAILURE);
	expect_part(f, SB_RESULT_BYTES, "");
}

static void a_success_after_a_failure_takes_its_error_away(void **state)
{
	fixture *f = *state;
	stepbus_failure failure = failure_of("not yet");

	failure.is_retryable = 1;
	failure.retry_after_ms = 5;
	failure.error_code = "E1";
	failure.error_code_len = 2;
	failure.backtrace = "in f";
	failure.backtrace_len = 4;
	sb_result_fail(&f->result, &failure, NULL);
	expect_part(f, SB_RESULT_BACKTRACE, "in f");
	assert_int_equal(succeed(f, "done"), STEPBUS_OK);
	assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_false(f->result.is_retryable);
	assert_int_equal(f->result.retry_after_ms, -1);
	expect_part(f, SB_RESULT_ERROR_TYPE, "");
	expect_part(f, SB_RESULT_ERROR_MESSAGE, "");
	expect_part(f, SB_RESULT_ERROR_CODE, "");
	expect_part(f, SB_RESULT_BACKTRACE, "");
}

static void metadata_and_content_type_survive_a_change_of_mind(void **state)
{
	fixture *f = *state;
	const stepbus_failure failure = failure_of("no");

	sb_result_set(&f->result, SB_RESULT_METADATA, sb_slice_z("{\"a\":1}"), NULL);
	sb_result_set(&f->result, SB_RESULT_CONTENT_TYPE, sb_slice_z("text/plain"), NULL);
	succeed(f, "done");
	sb_result_fail(&f->result, &failure, NULL);
	expect_part(f, SB_RESULT_METADATA, "{\"a\":1}");
	expect_part(f, SB_RESULT_CONTENT_TYPE, "text/plain");
}

static void setting_a_part_again_replaces_it(void **state)
{
	fixture *f = *state;

	sb_result_set(&f->result, SB_RESULT_METADATA, sb_slice_z("{\"a\":1}"), NULL);
	sb_result_set(&f->result, SB_RESULT_METADATA, sb_slice_z("{}"), NULL);
	expect_part(f, SB_RESULT_METADATA, "{}");
	sb_result_set(&f->result, SB_RESULT_METADATA, sb_slice_of(NULL, 0), NULL);
	expect_part(f, SB_RESULT_METADATA, "");
}

static void bad_bytes_in_a_failure_are_mended(void **state)
{
	fixture *f = *state;
	stepbus_failure failure = failure_of("");

	failure.message = "a\0b\xff"
			  "c\xc3";
	failure.message_len = 6;
	failure.error_type = "t\xfe";
	failure.error_type_len = 2;
	failure.error_code = "\0";
	failure.error_code_len = 1;
	failure.backtrace = "in f\n\xff";
	failure.backtrace_len = 6;
	assert_int_equal(sb_result_fail(&f->result, &failure, NULL), STEPBUS_OK);
	expect_part(f, SB_RESULT_ERROR_MESSAGE, "a?b?c?");
	expect_part(f, SB_RESULT_ERROR_TYPE, "t?");
	expect_part(f, SB_RESULT_ERROR_CODE, "?");
	expect_part(f, SB_RESULT_BACKTRACE, "in f\n?");
}

static void a_failure_that_is_too_long_is_cut_on_a_character(void **state)
{
	static char message[MEBIBYTE];
	fixture *f = *state;
	stepbus_failure failure = { .size = sizeof failure,
				    .message = message,
				    .message_len = sizeof message,
				    .error_type = message,
				    .error_type_len = sizeof message,
				    .error_code = message,
				    .error_code_len = sizeof message,
				    .backtrace = message,
				    .backtrace_len = sizeof message };

	/* An odd first byte puts every limit into the middle of a character. */
	for (size_t i = 0; i < sizeof message; i++)
		message[i] = i % 2 == 1 ? '\xc3' : '\xa4';
	message[0] = 'a';
	assert_int_equal(sb_result_fail(&f->result, &failure, NULL), STEPBUS_OK);
	assert_int_equal(f->result.parts[SB_RESULT_ERROR_MESSAGE].len, 8191);
	assert_int_equal(f->result.parts[SB_RESULT_ERROR_TYPE].len, 127);
	assert_int_equal(f->result.parts[SB_RESULT_ERROR_CODE].len, 127);
	assert_int_equal(f->result.parts[SB_RESULT_BACKTRACE].len, 65535);
	assert_memory_equal(f->result.parts[SB_RESULT_ERROR_MESSAGE].data, message, 8191);
}

static void nothing_but_bad_bytes_is_still_a_message(void **state)
{
	static char message[MEBIBYTE];
	fixture *f = *state;
	stepbus_failure failure = { .size = sizeof failure,
				    .message = message,
				    .message_len = sizeof message };
	sb_slice kept;

	memset(message, '\x80', sizeof message);
	assert_int_equal(sb_result_fail(&f->result, &failure, NULL), STEPBUS_OK);
	kept = f->result.parts[SB_RESULT_ERROR_MESSAGE];
	assert_true(kept.len > 8000 && kept.len <= 8192);
	assert_true(sb_utf8_is_valid(kept.data, kept.len));
}

static void failing_plainly_needs_no_memory(void **state)
{
	fixture *f = *state;

	succeed(f, "done");
	f->host.fail_at = f->host.allocation_count + 1;
	f->host.is_sticky = true;
	sb_result_fail_plainly(&f->result, "handler_error", "why", true);
	assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_FAILURE);
	assert_true(f->result.is_retryable);
	expect_part(f, SB_RESULT_ERROR_TYPE, "handler_error");
	expect_part(f, SB_RESULT_ERROR_MESSAGE, "out of memory for the message");
	expect_part(f, SB_RESULT_BYTES, "");
}

static void a_success_without_memory_is_a_failure_that_may_be_retried(void **state)
{
	fixture *f = *state;

	f->host.fail_at = f->host.allocation_count + 1;
	assert_int_equal(succeed(f, "done"), STEPBUS_ENOMEM);
	assert_string_not_equal(f->err.message, "");
	assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_FAILURE);
	assert_true(f->result.is_retryable);
	expect_part(f, SB_RESULT_ERROR_TYPE, "handler_error");
}

static void a_failure_without_memory_is_one_that_may_be_retried(void **state)
{
	fixture *f = *state;
	stepbus_failure failure = failure_of("the message");
	size_t n = 1;

	failure.error_code = "E1";
	failure.error_code_len = 2;
	failure.backtrace = "in f";
	failure.backtrace_len = 4;
	for (;; n++) {
		f->host.fail_at = f->host.allocation_count + n;
		if (sb_result_fail(&f->result, &failure, NULL) == STEPBUS_OK)
			break;
		assert_int_equal(f->result.outcome, STEPBUS_OUTCOME_FAILURE);
		assert_true(f->result.is_retryable);
		expect_part(f, SB_RESULT_ERROR_TYPE, "handler_error");
		expect_part(f, SB_RESULT_ERROR_CODE, "");
		expect_part(f, SB_RESULT_BACKTRACE, "");
	}
	f->host.fail_at = 0;
	assert_int_equal(n, 5);
	assert_false(f->result.is_retryable);
}

static void a_part_that_cannot_be_kept_leaves_the_one_before(void **state)
{
	fixture *f = *state;

	sb_result_set(&f->result, SB_RESULT_METADATA, sb_slice_z("{\"a\":1}"), NULL);
	f->host.fail_at = f->host.allocation_count + 1;
	assert_int_equal(sb_result_set(&f->result, SB_RESULT_METADATA, sb_slice_z("{}"), &f->err),
			 STEPBUS_ENOMEM);
	expect_part(f, SB_RESULT_METADATA, "{\"a\":1}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_result_says_nothing),
		TEST(a_success_keeps_a_copy_of_its_bytes),
		TEST(bytes_are_kept_as_they_are),
		TEST(a_success_may_be_empty),
		TEST(a_failure_keeps_what_it_says),
		TEST(a_failure_without_a_type_is_a_handler_error),
		TEST(a_failure_after_a_success_takes_its_bytes_away),
		TEST(a_success_after_a_failure_takes_its_error_away),
		TEST(metadata_and_content_type_survive_a_change_of_mind),
		TEST(setting_a_part_again_replaces_it),
		TEST(bad_bytes_in_a_failure_are_mended),
		TEST(a_failure_that_is_too_long_is_cut_on_a_character),
		TEST(nothing_but_bad_bytes_is_still_a_message),
		TEST(failing_plainly_needs_no_memory),
		TEST(a_success_without_memory_is_a_failure_that_may_be_retried),
		TEST(a_failure_without_memory_is_one_that_may_be_retried),
		TEST(a_part_that_cannot_be_kept_leaves_the_one_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
