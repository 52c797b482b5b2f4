/* SPDX-License-Identifier: MIT */
#include "bindings/starve/preload.h"

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "torture/famine/allocator.h"

enum { RANGE_COUNT_MAX = 16, NAME_LEN_MAX = 64 };

typedef struct range {
	uintptr_t from, to;
} range;

static struct {
	range ranges[RANGE_COUNT_MAX];
	size_t count;
} watched;

/* The same for calls as allocator.c has for memory. */
static struct {
	_Atomic(uint32_t) is_armed;
	_Atomic(uint64_t) asked_count;
	_Atomic(uint64_t) failed_count;
	uint64_t n;
	bool is_sticky;
} calls;

static bool is_of_watched(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	for (size_t i = 0; i < watched.count; i++)
		if (at >= watched.ranges[i].from && at < watched.ranges[i].to)
			return true;
	return false;
}

static bool is_named(const char *path, const char *names)
{
	char name[NAME_LEN_MAX];

	while (*names != '\0') {
		size_t len = strcspn(names, ",");

		if (len > 0 && len < sizeof name) {
			memcpy(name, names, len);
			name[len] = '\0';
			if (strstr(path, name) != NULL)
				return true;
		}
		names += len + (names[len] == ',');
	}
	return false;
}

/* What of it can be run. Folders have names, too, which do not count. */
static int add_library(struct dl_phdr_info *info, size_t size, void *names)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (!is_named(slash != NULL ? slash + 1 : info->dlpi_name, names))
		return 0;
	for (int i = 0; i < info->dlpi_phnum && watched.count < RANGE_COUNT_MAX; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0)
			watched.ranges[watched.count++] = (range){ from, from + part->p_memsz };
	}
	return 0;
}

int32_t starve_watch(const char *names)
{
	watched.count = 0;
	(void)dl_iterate_phdr(add_library, (void *)(uintptr_t)names);
	famine_watch(is_of_watched);
	return (int32_t)watched.count;
}

void starve_arm(int32_t kind, uint64_t n, int32_t is_sticky)
{
	const famine_order order = { .n = n, .is_sticky = is_sticky != 0 };

	if (kind == STARVE_MEMORY) {
		famine_arm(&order);
		return;
	}
	calls.n = n;
	calls.is_sticky = is_sticky != 0;
	atomic_store(&calls.asked_count, 0);
	atomic_store(&calls.failed_count, 0);
	atomic_store(&calls.is_armed, 1);
}

uint64_t starve_failed(void)
{
	return atomic_load(&calls.is_armed) ? atomic_load(&calls.failed_count) :
					      famine_failed_count();
}

uint64_t starve_disarm(uint64_t *failed)
{
	*failed = starve_failed();
	if (atomic_exchange(&calls.is_armed, 0) != 0)
		return atomic_load(&calls.asked_count);
	famine_disarm();
	return famine_asked_count();
}

void starve_track(void)
{
	famine_track();
}

uint64_t starve_untrack(void)
{
	size_t len;

	return famine_untrack(&len);
}

void starve_trace(int32_t is_traced)
{
	famine_trace(is_traced != 0);
}

int starve_refuses_call(void)
{
	uint64_t n;

	if (!atomic_load(&calls.is_armed))
		return 0;
	n = atomic_fetch_add(&calls.asked_count, 1) + 1;
	if (calls.n == 0 || n < calls.n || (n > calls.n && !calls.is_sticky))
		return 0;
	atomic_fetch_add(&calls.failed_count, 1);
	return 1;
}
