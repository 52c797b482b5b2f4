/* SPDX-License-Identifier: MIT */
#include "base/forkpage.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct origin {
	void *block;
	bool is_mapped;
} origin;

/* A block of two pages and a little has a whole page in it, and this in front of that. */
static size_t page_len(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t block_len(void)
{
	return 2 * page_len() + sizeof(origin);
}

static origin *origin_of(void *page)
{
	return (origin *)page - 1;
}

static void *page_in(void *block, bool is_mapped)
{
	uintptr_t first = (uintptr_t)block + sizeof(origin);
	char *page =
		(char *)block + sizeof(origin) + (page_len() - first % page_len()) % page_len();

	*origin_of(page) = (origin){ block, is_mapped };
	return page;
}

static stepbus_status map_page(void **out, stepbus_error *err)
{
	void *block =
		mmap(NULL, block_len(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *page;

	if (block == MAP_FAILED)
		return sb_fail(err, STEPBUS_ESYSTEM, "cannot map a page of memory (errno %d)",
			       errno);
	page = page_in(block, true);
	if (madvise(page, page_len(), MADV_WIPEONFORK) != 0) {
		int cause = errno;

		munmap(block, block_len());
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
	void *block = sb_alloc(host, block_len());
	void *page;

	sb_assert(len <= page_len());
	if (block == NULL)
		return sb_fail_memory(err, "make a page of memory");
	page = page_in(block, false);
	if (madvise(page, page_len(), MADV_WIPEONFORK) == 0) {
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
		munmap(from.block, block_len());
		return;
	}
	/* The allocator hands these addresses out again, to somebody who wants to keep them. */
	madvise(page, page_len(), MADV_KEEPONFORK);
	sb_release(host, from.block);
}
