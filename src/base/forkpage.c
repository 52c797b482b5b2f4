/* SPDX-License-Identifier: MIT */
#include "base/forkpage.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/memory.h"

/*
 * One page on every machine we know. A block of two has a whole one in it, and this in front of it.
 */
enum { PAGE_LEN = 4096, BLOCK_LEN = 2 * PAGE_LEN + (int)sizeof(void *) * 2 };

typedef struct origin {
	void *block;
	bool is_mapped;
} origin;

static origin *origin_of(void *page)
{
	return (origin *)page - 1;
}

static void *page_in(void *block, bool is_mapped)
{
	uintptr_t first = (uintptr_t)block + sizeof(origin);
	char *page = (char *)block + sizeof(origin) + (PAGE_LEN - first % PAGE_LEN) % PAGE_LEN;

	*origin_of(page) = (origin){ block, is_mapped };
	return page;
}

static stepbus_status map_page(void **out, stepbus_error *err)
{
	void *block =
		mmap(NULL, BLOCK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *page;

	if (block == MAP_FAILED)
		return sb_fail(err, STEPBUS_ESYSTEM, "cannot map a page of memory (errno %d)",
			       errno);
	page = page_in(block, true);
	if (madvise(page, PAGE_LEN, MADV_WIPEONFORK) != 0) {
		int cause = errno;

		munmap(block, BLOCK_LEN);
		return sb_fail(
			err, STEPBUS_ESYSTEM,
			"cannot mark memory as wiped on fork (errno %d): Linux 4.14 or newer "
			"is needed",
			cause);
	}
	*out = page;
	return STEPBUS_OK;
}

stepbus_status sb_forkpage_new(const stepbus_host *host, size_t len, void **out, stepbus_error *err)
{
	void *block = sb_alloc(host, BLOCK_LEN);
	void *page;

	sb_assert(len <= PAGE_LEN);
	if (block == NULL)
		return sb_fail_memory(err, "make a page of memory");
	page = page_in(block, false);
	if (madvise(page, PAGE_LEN, MADV_WIPEONFORK) == 0) {
		*out = page;
		return STEPBUS_OK;
	}
	sb_release(host, block);
	return map_page(out, err);
}

void sb_forkpage_free(const stepbus_host *host, void *page)
{
	origin from;

	if (page == NULL)
		return;
	from = *origin_of(page);
	if (from.is_mapped) {
		munmap(from.block, BLOCK_LEN);
		return;
	}
	/* The allocator hands these addresses out again, to somebody who wants to keep them. */
	madvise(page, PAGE_LEN, MADV_KEEPONFORK);
	sb_release(host, from.block);
}
