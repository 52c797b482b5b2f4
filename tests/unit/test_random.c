/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"

static void bytes_come_from_the_host(void **state)
{
	uint8_t filled[16], given[16];
	test_host t;

	(void)state;
	test_host_init(&t);
	t.host.random(&t, given, sizeof given);
	assert_int_equal(sb_random_fill(&t.host, filled, sizeof filled, NULL), STEPBUS_OK);
	assert_memory_equal(filled, given, sizeof filled);
	test_host_end(&t);
}

static void a_host_without_random_numbers_is_told(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	uint8_t bytes[16];
	test_host t;

	(void)state;
	test_host_init(&t);
	t.has_random = false;
	assert_int_equal(sb_random_fill(&t.host, bytes, sizeof bytes, &err), STEPBUS_ESYSTEM);
	assert_true(err.message[0] != '\0');
	test_host_end(&t);
}

static void the_system_fills_every_byte_anew(void **state)
{
	/* More than the kernel gives at once to who may be interrupted. */
	static uint8_t first[1000], second[1000];
	size_t zero_count = 0;

	(void)state;
	assert_int_equal(sb_random_system(NULL, first, sizeof first), STEPBUS_OK);
	assert_int_equal(sb_random_system(NULL, second, sizeof second), STEPBUS_OK);
	assert_memory_not_equal(first, second, sizeof first);
	for (size_t i = 0; i < sizeof first; i++)
		zero_count += first[i] == 0;
	assert_true(zero_count < 50);
	assert_int_equal(sb_random_system(NULL, first, 0), STEPBUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_from_the_host),
		cmocka_unit_test(a_host_without_random_numbers_is_told),
		cmocka_unit_test(the_system_fills_every_byte_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
