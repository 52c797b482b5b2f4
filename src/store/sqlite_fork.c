/* SPDX-License-Identifier: MIT */
#include "store/sqlite_fork.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/forkpage.h"
#include "base/memory.h"

/* On a fork page, so that every child begins with the first. */
enum { UNKNOWN = 0, CLEAN = 1, INHERITED = 2 };

static _Atomic(_Atomic(uint32_t) *) store_origin;
/* A child gets that of its parent, and raises it only where it found it 0. */
static _Atomic(uint32_t) open_store_count;

static stepbus_status make_origin(stepbus_error *err)
{
	const stepbus_host host = { .allocate = sb_memory_system };
	_Atomic(uint32_t) *expected = NULL;
	void *page = NULL;
	stepbus_status status = sb_forkpage_new(&host, sizeof *expected, &page, err);

	/* Kept for good: a process opens stores more than once. */
	if (status == STEPBUS_OK && !atomic_compare_exchange_strong(&store_origin, &expected, page))
		sb_forkpage_free(&host, page);
	return status;
}

/* Decided once in each process, before it opens its first store. */
static uint32_t look(void)
{
	_Atomic(uint32_t) *origin = atomic_load(&store_origin);
	uint32_t state = atomic_load(origin);

	if (state == UNKNOWN) {
		uint32_t found = atomic_load(&open_store_count) > 0 ? INHERITED : CLEAN;

		/* Where another thread was faster, what we counted may be its store. */
		if (atomic_compare_exchange_strong(origin, &state, found))
			state = found;
	}
	return state;
}

stepbus_status sb_sqlite_fork_enter(const char *path, stepbus_error *err)
{
	stepbus_status status = atomic_load(&store_origin) == NULL ? make_origin(err) : STEPBUS_OK;

	if (status != STEPBUS_OK)
		return status;
	if (look() == INHERITED)
		return sb_fail(err, STEPBUS_EFORKED,
			       "cannot open '%s': this process was forked while its parent had a "
			       "store open, which SQLite does not survive; fork before opening, or "
			       "execute a program in the child that opens it",
			       path);
	atomic_fetch_add(&open_store_count, 1);
	return STEPBUS_OK;
}

void sb_sqlite_fork_leave(void)
{
	atomic_fetch_sub(&open_store_count, 1);
}
