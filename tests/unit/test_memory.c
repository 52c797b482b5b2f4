/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

#include "base/host.h"
#include "support/cmocka.h"
#include "support/host.h"

static test_host t;

static int begin(void **state)
{
	(void)state;
	test_host_init(&t);
	return 0;
}

static int end(void **state)
{
	(void)state;
	test_host_end(&t);
	return 0;
}

static void blocks_are_zeroed(void **state)
{
	static const char zeros[64];
	char *first, *again;

	(void)state;
	first = sb_alloc(&t.host, 64);
	assert_memory_equal(first, zeros, 64);
	memset(first, 0x5A, 64);
	sb_release(&t.host, first);
	again = sb_alloc_array(&t.host, 8, 8);
	assert_memory_equal(again, zeros, 64);
	sb_release(&t.host, again);
}

static void an_empty_block_is_a_block(void **state)
{
	void *blocks[3];

	(void)state;
	blocks[0] = sb_alloc(&t.host, 0);
	blocks[1] = sb_alloc_array(&t.host, 0, 8);
	blocks[2] = sb_alloc_copy(&t.host, NULL, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(blocks[i]);
		sb_release(&t.host, blocks[i]);
	}
}

static void an_array_that_overflows_is_refused(void **state)
{
	(void)state;
	assert_null(sb_alloc_array(&t.host, SIZE_MAX / 2 + 1, 2));
	assert_null(sb_alloc_array(&t.host, SIZE_MAX, SIZE_MAX));
	assert_null(sb_alloc_copy(&t.host, "x", SIZE_MAX));
	assert_int_equal(t.allocation_count, 0);
}

static void a_copy_ends_in_a_nul(void **state)
{
	char *copy = sb_alloc_copy(&t.host, "a\0bc", 3);

	(void)state;
	assert_memory_equal(copy, "a\0b", 4);
	sb_release(&t.host, copy);
}

static void no_memory_gives_nothing(void **state)
{
	(void)state;
	t.fail_at = 1;
	t.is_sticky = true;
	assert_null(sb_alloc(&t.host, 1));
	assert_null(sb_alloc_array(&t.host, 1, 1));
	assert_null(sb_alloc_copy(&t.host, "x", 1));
	sb_release(&t.host, NULL);
}

static void the_system_allocates_resizes_and_frees(void **state)
{
	char *block = sb_memory_system(NULL, NULL, 4);

	(void)state;
	memcpy(block, "abc", 4);
	block = sb_memory_system(NULL, block, 4096);
	assert_string_equal(block, "abc");
	assert_null(sb_memory_system(NULL, block, 0));
}

static void what_a_host_does_not_lend_is_the_systems(void **state)
{
	stepbus_host filled, given = { .size = sizeof given };

	(void)state;
	assert_int_equal(sb_host_fill(NULL, &filled, NULL), STEPBUS_OK);
	assert_int_equal(filled.log_level, STEPBUS_LOG_INFO);
	assert_ptr_equal(filled.allocate, sb_memory_system);
	assert_non_null(filled.now_us);
	assert_non_null(filled.elapsed_ns);
	assert_non_null(filled.random);
	assert_null(filled.log);
	given.log_level = STEPBUS_LOG_ERROR;
	given.now_us = t.host.now_us;
	given.user_data = &t;
	assert_int_equal(sb_host_fill(&given, &filled, NULL), STEPBUS_OK);
	assert_int_equal(filled.log_level, STEPBUS_LOG_ERROR);
	assert_ptr_equal(filled.now_us, t.host.now_us);
	assert_ptr_equal(filled.user_data, &t);
	assert_ptr_equal(filled.allocate, sb_memory_system);
	/* An older header knew less. */
	given = t.host;
	given.size = offsetof(stepbus_host, now_us);
	assert_int_equal(sb_host_fill(&given, &filled, NULL), STEPBUS_OK);
	assert_ptr_equal(filled.allocate, t.host.allocate);
	assert_ptr_not_equal(filled.now_us, t.host.now_us);
	given.size = 0;
	assert_int_equal(sb_host_fill(&given, &filled, NULL), STEPBUS_EINVAL);
}

#define MEMORY_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(blocks_are_zeroed),
		MEMORY_TEST(an_empty_block_is_a_block),
		MEMORY_TEST(an_array_that_overflows_is_refused),
		MEMORY_TEST(a_copy_ends_in_a_nul),
		MEMORY_TEST(no_memory_gives_nothing),
		MEMORY_TEST(the_system_allocates_resizes_and_frees),
		MEMORY_TEST(what_a_host_does_not_lend_is_the_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
