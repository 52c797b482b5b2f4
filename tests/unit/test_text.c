/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "support/cmocka.h"
#include "support/host.h"

static void a_text_has_its_own_copy_and_a_nul_behind_it(void **state)
{
	char data[] = "one\0two";
	stepbus_text *text = NULL;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_text_new(&t.host, data, 7, &text, NULL), STEPBUS_OK);
	memset(data, 'x', sizeof data);
	assert_int_equal(sb_text_len(text), 7);
	assert_memory_equal(sb_text_data(text), "one\0two", 8);
	sb_text_free(text);
	test_host_end(&t);
}

static void an_empty_text_and_no_text_read_the_same(void **state)
{
	stepbus_text *text = NULL;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_text_new(&t.host, NULL, 0, &text, NULL), STEPBUS_OK);
	assert_string_equal(sb_text_data(text), "");
	assert_int_equal(sb_text_len(text), 0);
	sb_text_free(text);
	assert_string_equal(sb_text_data(NULL), "");
	assert_int_equal(sb_text_len(NULL), 0);
	sb_text_free(NULL);
	test_host_end(&t);
}

static void a_text_outlives_the_host_struct_it_was_made_with(void **state)
{
	stepbus_text *text = NULL;
	stepbus_host host;
	test_host t;

	(void)state;
	test_host_init(&t);
	host = t.host;
	assert_int_equal(sb_text_new(&host, "a", 1, &text, NULL), STEPBUS_OK);
	memset(&host, 0, sizeof host);
	sb_text_free(text);
	test_host_end(&t);
}

static void a_text_that_memory_does_not_hold_is_refused(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *text = NULL;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_text_new(&t.host, "a", SIZE_MAX, &text, &err), STEPBUS_ENOMEM);
	assert_int_equal(sb_text_new(&t.host, "a", SIZE_MAX - 1, &text, &err), STEPBUS_ENOMEM);
	t.fail_at = t.allocation_count + 1;
	assert_int_equal(sb_text_new(&t.host, "a", 1, &text, &err), STEPBUS_ENOMEM);
	assert_null(text);
	assert_true(err.message[0] != '\0');
	test_host_end(&t);
}

static void slices_are_equal_by_their_bytes(void **state)
{
	(void)state;
	assert_true(sb_slice_is_equal(sb_slice_z("ab"), sb_slice_of("abc", 2)));
	assert_true(sb_slice_is_equal(sb_slice_of(NULL, 0), sb_slice_z("")));
	assert_true(sb_slice_is_equal(sb_slice_of("a\0b", 3), sb_slice_of("a\0b", 3)));
	assert_false(sb_slice_is_equal(sb_slice_of("a\0b", 3), sb_slice_of("a\0c", 3)));
	assert_false(sb_slice_is_equal(sb_slice_z("ab"), sb_slice_z("abc")));
	assert_false(sb_slice_is_equal(sb_slice_z("ab"), sb_slice_z("aB")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_has_its_own_copy_and_a_nul_behind_it),
		cmocka_unit_test(an_empty_text_and_no_text_read_the_same),
		cmocka_unit_test(a_text_outlives_the_host_struct_it_was_made_with),
		cmocka_unit_test(a_text_that_memory_does_not_hold_is_refused),
		cmocka_unit_test(slices_are_equal_by_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
