/* SPDX-License-Identifier: MIT */
#include "base/structs.h"

#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"

/* What the library knows. */
typedef struct known {
	uint32_t size;
	uint32_t flags;
	uint64_t count;
	const char *name;
} known;

/* What a host with a newer header gives. */
typedef struct newer {
	known known;
	uint64_t wish;
	uint8_t tail[3];
} newer;

static const known filled = { sizeof(known), 1, 2, "three" };

static void a_struct_of_our_size_is_copied(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	known taken;

	(void)state;
	memset(&taken, 0x5A, sizeof taken);
	assert_int_equal(sb_struct_take(&taken, sizeof taken, &filled, "known", &err), STEPBUS_OK);
	assert_memory_equal(&taken, &filled, sizeof taken);
	assert_int_equal(err.code, 0);
}

static void what_an_older_struct_lacks_becomes_zero(void **state)
{
	known given = filled, taken;

	(void)state;
	given.size = offsetof(known, name);
	memset(&taken, 0x5A, sizeof taken);
	assert_int_equal(sb_struct_take(&taken, sizeof taken, &given, "known", NULL), STEPBUS_OK);
	assert_int_equal(taken.size, sizeof taken);
	assert_int_equal(taken.flags, 1);
	assert_int_equal(taken.count, 2);
	assert_null(taken.name);
}

static void bytes_behind_the_stated_size_are_not_read(void **state)
{
	uint32_t given[2] = { sizeof given, 7 };
	known taken;

	(void)state;
	assert_int_equal(sb_struct_take(&taken, sizeof taken, given, "known", NULL), STEPBUS_OK);
	assert_int_equal(taken.flags, 7);
	assert_int_equal(taken.count, 0);
}

static void a_newer_struct_that_wishes_nothing_new_is_taken(void **state)
{
	newer given = { .known = filled };
	known taken;

	(void)state;
	given.known.size = sizeof given;
	assert_int_equal(sb_struct_take(&taken, sizeof taken, &given, "known", NULL), STEPBUS_OK);
	assert_int_equal(taken.size, sizeof taken);
	assert_int_equal(taken.count, 2);
	assert_string_equal(taken.name, "three");
}

static void a_wish_that_we_do_not_know_is_refused(void **state)
{
	const size_t places[] = { sizeof(known), offsetof(newer, tail), offsetof(newer, tail) + 2 };

	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		newer given = { .known = filled };
		known taken = { .flags = 9 };
		char place[32];

		given.known.size = sizeof given;
		((char *)&given)[places[i]] = 1;
		assert_int_equal(sb_struct_take(&taken, sizeof taken, &given, "known", &err),
				 STEPBUS_EINVAL);
		assert_int_equal(taken.flags, 9);
		assert_non_null(strstr(err.message, "known"));
		snprintf(place, sizeof place, "byte %zu", places[i]);
		assert_non_null(strstr(err.message, place));
	}
}

static void a_size_that_cannot_be_is_refused(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 4, 7, 4097, 65536, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		known given = filled, taken;

		given.size = sizes[i];
		assert_int_equal(sb_struct_take(&taken, sizeof taken, &given, "known", &err),
				 STEPBUS_EINVAL);
		assert_non_null(strstr(err.message, "sizeof(known)"));
	}
}

static void the_smallest_and_the_greatest_size_are_taken(void **state)
{
	_Alignas(8) char given[4096] = { 0 };
	uint32_t size = sizeof given;
	known taken;

	(void)state;
	memcpy(given, &size, sizeof size);
	assert_int_equal(sb_struct_take(&taken, sizeof taken, given, "known", NULL), STEPBUS_OK);
	size = 8;
	memcpy(given, &size, sizeof size);
	assert_int_equal(sb_struct_take(&taken, sizeof taken, given, "known", NULL), STEPBUS_OK);
}

static void no_struct_at_all_is_refused(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	known taken;

	(void)state;
	assert_int_equal(sb_struct_take(&taken, sizeof taken, NULL, "known", &err), STEPBUS_EINVAL);
	assert_string_equal(err.message, "known is NULL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_struct_of_our_size_is_copied),
		cmocka_unit_test(what_an_older_struct_lacks_becomes_zero),
		cmocka_unit_test(bytes_behind_the_stated_size_are_not_read),
		cmocka_unit_test(a_newer_struct_that_wishes_nothing_new_is_taken),
		cmocka_unit_test(a_wish_that_we_do_not_know_is_refused),
		cmocka_unit_test(a_size_that_cannot_be_is_refused),
		cmocka_unit_test(the_smallest_and_the_greatest_size_are_taken),
		cmocka_unit_test(no_struct_at_all_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
