/* SPDX-License-Identifier: MIT */
#include "base/forkpage.h"

#include <string.h>
#include <sys/mman.h>

#include "base/host.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/host.h"

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

/* An allocator of one block, in a mapping of the kind that a test wants. */
typedef struct lender {
	char *mapping;
	size_t len;
	int lent_count;
} lender;

static void *lend(void *user_data, void *block, size_t len)
{
	lender *l = user_data;

	l->lent_count += len > 0 ? 1 : -1;
	assert_true(block == NULL || block == l->mapping + 16);
	assert_in_range(len, 0, l->len - 16);
	return len > 0 ? l->mapping + 16 : NULL;
}

static void lender_open(lender *l, stepbus_host *host, int sharing)
{
	*l = (lender){ .len = (size_t)16 * PAGE_LEN };
	l->mapping = mmap(NULL, l->len, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(l->mapping, MAP_FAILED);
	*host = (stepbus_host){ .size = sizeof *host, .user_data = l, .allocate = lend };
}

static int has_zeros(void *context)
{
	const lender *l = context;

	return memchr(l->mapping, 0, l->len) != NULL;
}

static void memory_that_was_given_back_is_kept_on_fork_again(void **state)
{
	stepbus_host host;
	void *page = NULL;
	lender l;

	(void)state;
	lender_open(&l, &host, MAP_PRIVATE);
	assert_int_equal(sb_forkpage_new(&host, PAGE_LEN, &page, NULL), STEPBUS_OK);
	assert_in_range((uintptr_t)page, (uintptr_t)l.mapping,
			(uintptr_t)l.mapping + l.len - PAGE_LEN);
	memset(page, 1, PAGE_LEN);
	assert_int_equal(test_in_child(count_set_bytes, page), 0);
	sb_forkpage_free(&host, page);
	assert_int_equal(l.lent_count, 0);
	memset(l.mapping, 0x5A, l.len);
	assert_int_equal(test_in_child(has_zeros, &l), 0);
	munmap(l.mapping, l.len);
}

static void memory_that_cannot_be_wiped_is_given_back_for_some_of_the_systems(void **state)
{
	stepbus_host host;
	void *page = NULL;
	lender l;

	(void)state;
	lender_open(&l, &host, MAP_SHARED);
	assert_int_equal(sb_forkpage_new(&host, PAGE_LEN, &page, NULL), STEPBUS_OK);
	assert_int_equal(l.lent_count, 0);
	memset(page, 1, PAGE_LEN);
	assert_int_equal(test_in_child(count_set_bytes, page), 0);
	sb_forkpage_free(&host, page);
	munmap(l.mapping, l.len);
}

static stepbus_status make_page(test_host *t, stepbus_error *err)
{
	void *page = NULL;
	stepbus_status status = sb_forkpage_new(&t->host, PAGE_LEN, &page, err);

	sb_forkpage_free(&t->host, page);
	return status;
}

static void no_memory_is_told(void **state)
{
	const test_scenario scenario = { .name = "make a fork page", .run = make_page };

	(void)state;
	test_fail_each_allocation(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_zero_and_writable),
		cmocka_unit_test(a_child_reads_zero_and_the_parent_what_it_wrote),
		cmocka_unit_test(a_childs_own_writes_are_not_its_childs),
		cmocka_unit_test(no_page_can_be_freed),
		cmocka_unit_test(memory_that_was_given_back_is_kept_on_fork_again),
		cmocka_unit_test(memory_that_cannot_be_wiped_is_given_back_for_some_of_the_systems),
		cmocka_unit_test(no_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
