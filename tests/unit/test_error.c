/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/cmocka.h"

enum { UNTOUCHED = 0x5A, GUARD_LEN = 64 };

/*
 * A stepbus_error of any length, in a block of exactly that length, so that AddressSanitizer sees a
 * write behind it.
 */
static stepbus_error *error_of(uint32_t size, size_t len)
{
	stepbus_error *err = malloc(len);

	assert_non_null(err);
	memset(err, UNTOUCHED, len);
	memcpy(err, &size, sizeof size);
	return err;
}

static const char *message_of(const stepbus_error *err)
{
	return (const char *)err + offsetof(stepbus_error, message);
}

static void failing_writes_code_and_message_and_gives_the_code(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	assert_int_equal(sb_fail(&err, STEPBUS_EFULL, "the %s of %d is full", "queue", 7),
			 STEPBUS_EFULL);
	assert_int_equal(err.code, STEPBUS_EFULL);
	assert_string_equal(err.message, "the queue of 7 is full");
	assert_int_equal(err.size, sizeof err);
}

static void a_later_failure_takes_the_place_of_an_earlier_one(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	sb_fail(&err, STEPBUS_EFULL, "a long message that came first");
	sb_fail(&err, STEPBUS_EINVAL, "short");
	assert_int_equal(err.code, STEPBUS_EINVAL);
	assert_string_equal(err.message, "short");
}

static void nowhere_to_write_is_accepted(void **state)
{
	(void)state;
	assert_int_equal(sb_fail(NULL, STEPBUS_EINVAL, "lost %d", 1), STEPBUS_EINVAL);
	assert_int_equal(sb_fail_memory(NULL, "write"), STEPBUS_ENOMEM);
}

static void nothing_is_written_behind_the_size_that_is_stated(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 4, 7, 8, 9, 10, 15, 16, 17, 24, 1023, 1024, 1025 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		stepbus_error *err = error_of(sizes[i], sizes[i] + GUARD_LEN);
		const unsigned char *bytes = (const unsigned char *)err;

		assert_int_equal(sb_fail(err, STEPBUS_EINVAL, "%2000s", "far too long"),
				 STEPBUS_EINVAL);
		for (size_t at = sizes[i] > 4 ? sizes[i] : 4; at < sizes[i] + GUARD_LEN; at++)
			if (bytes[at] != UNTOUCHED)
				fail_msg("size %u: byte %zu was written", sizes[i], at);
		free(err);
	}
}

static void a_message_is_cut_to_the_size_that_is_stated(void **state)
{
	static const uint32_t sizes[] = { 9, 10, 16, 17, 100, 1024 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		stepbus_error *err = error_of(sizes[i], sizes[i]);

		sb_fail(err, STEPBUS_EINVAL, "%2000s", "far too long");
		assert_int_equal(err->code, STEPBUS_EINVAL);
		assert_int_equal(strlen(message_of(err)),
				 sizes[i] - offsetof(stepbus_error, message) - 1);
		free(err);
	}
}

static void the_smallest_block_holds_seven_characters(void **state)
{
	stepbus_error *err = error_of(16, 16);

	(void)state;
	sb_fail(err, STEPBUS_EINVAL, "1234567");
	assert_string_equal(message_of(err), "1234567");
	sb_fail(err, STEPBUS_EINVAL, "12345678");
	assert_string_equal(message_of(err), "1234567");
	free(err);
}

static void a_larger_block_holds_more(void **state)
{
	stepbus_error *err = error_of(5000, 5000);

	(void)state;
	sb_fail(err, STEPBUS_EINVAL, "%4000s", "x");
	assert_int_equal(strlen(message_of(err)), 4000);
	free(err);
}

static void a_message_ends_at_64_kib_however_large_the_block(void **state)
{
	const size_t len = (size_t)128 * 1024;
	stepbus_error *err = error_of(UINT32_MAX, len);

	(void)state;
	sb_fail(err, STEPBUS_EINVAL, "%100000s", "x");
	assert_int_equal(strlen(message_of(err)), 64 * 1024 - 1);
	sb_fail(err, STEPBUS_EINVAL, "short");
	assert_string_equal(message_of(err), "short");
	free(err);
}

static void a_message_is_cut_on_a_character(void **state)
{
	(void)state;
	for (uint32_t size = 16; size <= 32; size++) {
		stepbus_error *err = error_of(size, size);
		size_t room = size - offsetof(stepbus_error, message) - 1;
		size_t len;

		sb_fail(err, STEPBUS_EINVAL, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4%40s",
			"\xf0\x9f\x98\x80");
		len = strlen(message_of(err));
		assert_true(sb_utf8_is_valid(message_of(err), len));
		assert_true(len <= room && room - len < 4);
		free(err);
	}
}

/* A name in a file may be any bytes; a message goes on as JSON, and into languages with text of their own. */
static void a_message_is_text_whatever_it_quotes(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	sb_fail(&err, STEPBUS_ECORRUPT, "no table '%s', J\xC3\xBCrgen", "a\xFF\xC3");
	assert_string_equal(err.message, "no table 'a?\?', J\xC3\xBCrgen");
	sb_fail_where(&err, "in '%s': ", "\xFE");
	assert_string_equal(err.message, "in '?': no table 'a?\?', J\xC3\xBCrgen");
}

static void running_out_of_memory_says_for_what(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	assert_int_equal(sb_fail_memory(&err, "make a bridge"), STEPBUS_ENOMEM);
	assert_int_equal(err.code, STEPBUS_ENOMEM);
	assert_string_equal(err.message, "cannot make a bridge: out of memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_writes_code_and_message_and_gives_the_code),
		cmocka_unit_test(a_later_failure_takes_the_place_of_an_earlier_one),
		cmocka_unit_test(nowhere_to_write_is_accepted),
		cmocka_unit_test(nothing_is_written_behind_the_size_that_is_stated),
		cmocka_unit_test(a_message_is_cut_to_the_size_that_is_stated),
		cmocka_unit_test(the_smallest_block_holds_seven_characters),
		cmocka_unit_test(a_larger_block_holds_more),
		cmocka_unit_test(a_message_ends_at_64_kib_however_large_the_block),
		cmocka_unit_test(a_message_is_cut_on_a_character),
		cmocka_unit_test(a_message_is_text_whatever_it_quotes),
		cmocka_unit_test(running_out_of_memory_says_for_what),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
