/* SPDX-License-Identifier: MIT */
#include "base/forkpage.h"

#include <string.h>

#include "base/host.h"

#include "support/child.h"
#include "support/cmocka.h"

enum { PAGE_LEN = 4096 };

static void a_page_is_zero_and_writable(void **state)
{
	static const char zeros[PAGE_LEN];
	stepbus_host host;
	void *page = NULL;

	(void)state;
	assert_int_equal(sb_host_fill(NULL, &host, NULL), STEPBUS_OK);
	assert_int_equal(sb_forkpage_new(&host, PAGE_LEN, &page, NULL), STEPBUS_OK);
	assert_memory_equal(page, zeros, PAGE_LEN);
	memset(page, 0x5A, PAGE_LEN);
	assert_int_equal(((char *)page)[PAGE_LEN - 1], 0x5A);
	sb_forkpage_free(&host, page);
}

static int count_set_bytes(void *page)
{
	int count = 0;

	for (size_t i = 0; i < PAGE_LEN; i++)
		count += ((char *)page)[i] != 0;
	return count > 0;
}

static void a_child_reads_zero_and_the_parent_what_it_wrote(void **state)
{
	stepbus_host host;
	void *page = NULL;

	(void)state;
	assert_int_equal(sb_host_fill(NULL, &host, NULL), STEPBUS_OK);
	assert_int_equal(sb_forkpage_new(&host, PAGE_LEN, &page, NULL), STEPBUS_OK);
	memset(page, 0x5A, PAGE_LEN);
	assert_int_equal(count_set_bytes(page), 1);
	assert_int_equal(test_in_child(count_set_bytes, page), 0);
	assert_int_equal(((char *)page)[0], 0x5A);
	assert_int_equal(((char *)page)[PAGE_LEN - 1], 0x5A);
	sb_forkpage_free(&host, page);
}

static int fork_again(void *page)
{
	int before = count_set_bytes(page);

	memset(page, 1, PAGE_LEN);
	return before * 2 + (test_in_child(count_set_bytes, page) != 0);
}

static void a_childs_own_writes_are_not_its_childs(void **state)
{
	stepbus_host host;
	void *page = NULL;

	(void)state;
	assert_int_equal(sb_host_fill(NULL, &host, NULL), STEPBUS_OK);
	assert_int_equal(sb_forkpage_new(&host, 8, &page, NULL), STEPBUS_OK);
	memset(page, 0x5A, 8);
	assert_int_equal(test_in_child(fork_again, page), 0);
	sb_forkpage_free(&host, page);
}

static void no_page_can_be_freed(void **state)
{
	stepbus_host host;

	(void)state;
	assert_int_equal(sb_host_fill(NULL, &host, NULL), STEPBUS_OK);
	sb_forkpage_free(&host, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_zero_and_writable),
		cmocka_unit_test(a_child_reads_zero_and_the_parent_what_it_wrote),
		cmocka_unit_test(a_childs_own_writes_are_not_its_childs),
		cmocka_unit_test(no_page_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
