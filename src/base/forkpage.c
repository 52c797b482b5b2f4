/* SPDX-License-Identifier: MIT */
#include "base/forkpage.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

/* One page on every machine we know; the kernel rounds up. */
enum { PAGE_LEN = 4096 };

stepbus_status sb_forkpage_new(size_t len, void **out, stepbus_error *err)
{
	void *page;

	*out = NULL;
	sb_assert(len <= PAGE_LEN);
	page = mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return sb_fail(err, STEPBUS_ESYSTEM, "cannot map a page of memory (errno %d)",
			       errno);
	if (madvise(page, PAGE_LEN, MADV_WIPEONFORK) != 0) {
		int cause = errno;

		munmap(page, PAGE_LEN);
		return sb_fail(err, STEPBUS_ESYSTEM,
			       "cannot mark memory as wiped on fork (errno %d): Linux 4.14 or "
			       "newer is needed",
			       cause);
	}
	*out = page;
	return STEPBUS_OK;
}

void sb_forkpage_free(void *page)
{
	if (page != NULL)
		munmap(page, PAGE_LEN);
}
