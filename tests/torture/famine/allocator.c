/* SPDX-License-Identifier: MIT */
#include "torture/famine/allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A sanitizer asks for memory before it is ready to watch what is done here. */
#define UNWATCHED __attribute__((no_sanitize("address", "thread", "undefined")))
/* Who asks, where the functions are that were defined here. */
#define CALLER __builtin_return_address(0)
#define INTERPOSED UNWATCHED __attribute__((visibility("default")))

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REAL(name) __interceptor_##name
int __interceptor_posix_memalign(void **out, size_t alignment, size_t len);
#else
#define REAL(name) __libc_##name
#endif

/* NOLINTBEGIN(bugprone-reserved-identifier): what libc and the sanitizers call the functions behind. */
void *REAL(malloc)(size_t len);
void *REAL(calloc)(size_t count, size_t len);
void *REAL(realloc)(void *block, size_t len);
void *REAL(memalign)(size_t alignment, size_t len);
void REAL(free)(void *block);
/* NOLINTEND(bugprone-reserved-identifier) */

enum {
	SLOT_COUNT = 1 << 14,
	SLOT_USED_MAX = SLOT_COUNT / 4 * 3,
	DEPTH = 24,
	SHIFT = 64 - 14,
	/* Blocks of this alignment are what a thread has of the guard, kept for the next thread. */
	GUARD_ALIGNMENT = 64,
};

static struct {
	_Atomic(uint32_t) is_armed;
	_Atomic(uint64_t) asked_count;
	_Atomic(uint64_t) failed_count;
	famine_order order;
	_Atomic(uint32_t) is_traced;
} hunger;

static _Atomic(famine_watch_fn *) watch;

static _Thread_local bool is_mine;
static _Thread_local bool is_exempt_here;
static _Thread_local bool is_spared_here;

/* Open addressing, without holes: a block that goes moves those behind it up. */
static struct {
	_Atomic(uint32_t) is_on;
	atomic_flag lock;
	size_t used_count;
	size_t len;
	void *blocks[SLOT_COUNT];
	size_t lens[SLOT_COUNT];
	void *stacks[SLOT_COUNT][DEPTH];
} live = { .lock = ATOMIC_FLAG_INIT };

static void write_stack(void *const *frames, int count)
{
	backtrace_symbols_fd(frames, count, STDERR_FILENO);
	(void)!write(STDERR_FILENO, "--\n", 3);
}

static void trace_failure(void)
{
	void *frames[DEPTH];

	if (atomic_exchange(&hunger.is_traced, 2) == 1)
		write_stack(frames, backtrace(frames, DEPTH));
}

UNWATCHED static bool is_watched(const void *caller)
{
	famine_watch_fn *asked = atomic_load(&watch);

	return asked == NULL || asked(caller);
}

UNWATCHED static bool is_refused(const void *caller)
{
	uint64_t n;

	if (!atomic_load(&hunger.is_armed) || is_spared_here || (hunger.order.is_own && !is_mine) ||
	    !is_watched(caller))
		return false;
	n = atomic_fetch_add(&hunger.asked_count, 1) + 1;
	if (hunger.order.n == 0 || n < hunger.order.n ||
	    (n > hunger.order.n && !hunger.order.is_sticky))
		return false;
	atomic_fetch_add(&hunger.failed_count, 1);
	if (atomic_load(&hunger.is_traced) == 1)
		trace_failure();
	errno = ENOMEM;
	return true;
}

void famine_watch(famine_watch_fn *asked)
{
	atomic_store(&watch, asked);
}

void famine_arm(const famine_order *order)
{
	hunger.order = *order;
	is_mine = true;
	atomic_store(&hunger.asked_count, 0);
	atomic_store(&hunger.failed_count, 0);
	atomic_store(&hunger.is_armed, 1);
}

void famine_disarm(void)
{
	atomic_store(&hunger.is_armed, 0);
	is_mine = false;
}

bool famine_is_armed(void)
{
	return atomic_load(&hunger.is_armed);
}

uint64_t famine_asked_count(void)
{
	return atomic_load(&hunger.asked_count);
}

uint64_t famine_failed_count(void)
{
	return atomic_load(&hunger.failed_count);
}

void famine_trace(bool is_traced)
{
	void *frames[1];

	/* The first call allocates. */
	(void)backtrace(frames, 1);
	atomic_store(&hunger.is_traced, is_traced ? 1 : 0);
}

void famine_exempt(bool is_exempt)
{
	is_exempt_here = is_exempt;
}

UNWATCHED static size_t home_of(const void *block)
{
	return (size_t)(((uintptr_t)block >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> SHIFT);
}

UNWATCHED static void lock_live(void)
{
	while (atomic_flag_test_and_set_explicit(&live.lock, memory_order_acquire))
		;
}

UNWATCHED static void unlock_live(void)
{
	atomic_flag_clear_explicit(&live.lock, memory_order_release);
}

UNWATCHED static size_t slot_of(const void *block)
{
	size_t at = home_of(block);

	while (live.blocks[at] != NULL && live.blocks[at] != block)
		at = (at + 1) % SLOT_COUNT;
	return at;
}

UNWATCHED static void enter(void *block, size_t len, const void *caller)
{
	size_t at;

	if (block == NULL || is_exempt_here || !atomic_load(&live.is_on) || !is_watched(caller))
		return;
	lock_live();
	/* More than it has room for would go unseen: better to fail. */
	if (live.used_count >= SLOT_USED_MAX)
		__builtin_trap();
	{
		at = slot_of(block);
		live.used_count += live.blocks[at] == NULL;
		live.blocks[at] = block;
		live.lens[at] = len;
		if (atomic_load(&hunger.is_traced)) {
			int depth = backtrace(live.stacks[at], DEPTH);

			if (depth < DEPTH)
				live.stacks[at][depth] = NULL;
		}
	}
	unlock_live();
}

UNWATCHED static void close_gap(size_t gap)
{
	size_t at = gap;

	live.blocks[gap] = NULL;
	for (;;) {
		at = (at + 1) % SLOT_COUNT;
		if (live.blocks[at] == NULL)
			return;
		/* It may move where the gap lies between its home and its place. */
		if ((at - home_of(live.blocks[at])) % SLOT_COUNT < (at - gap) % SLOT_COUNT)
			continue;
		live.blocks[gap] = live.blocks[at];
		live.lens[gap] = live.lens[at];
		memcpy(live.stacks[gap], live.stacks[at],
		       atomic_load(&hunger.is_traced) ? sizeof live.stacks[gap] : 0);
		live.blocks[at] = NULL;
		gap = at;
	}
}

UNWATCHED static void leave(const void *block)
{
	size_t at;

	if (block == NULL || !atomic_load(&live.is_on))
		return;
	lock_live();
	at = slot_of(block);
	if (live.blocks[at] != NULL) {
		close_gap(at);
		live.used_count--;
	}
	unlock_live();
}

void famine_track(void)
{
	lock_live();
	if (live.used_count > 0)
		memset(live.blocks, 0, sizeof live.blocks);
	live.used_count = 0;
	atomic_store(&live.is_on, 1);
	unlock_live();
}

static int depth_of(void *const *frames)
{
	int depth = 0;

	while (depth < DEPTH && frames[depth] != NULL)
		depth++;
	return depth;
}

size_t famine_untrack(size_t *len)
{
	size_t count = 0;

	atomic_store(&live.is_on, 0);
	lock_live();
	*len = 0;
	for (size_t i = 0; live.used_count > 0 && i < SLOT_COUNT; i++) {
		if (live.blocks[i] == NULL)
			continue;
		count++;
		*len += live.lens[i];
		if (atomic_load(&hunger.is_traced))
			write_stack(live.stacks[i], depth_of(live.stacks[i]));
	}
	unlock_live();
	return count;
}

INTERPOSED void *malloc(size_t len)
{
	void *block = is_refused(CALLER) ? NULL : REAL(malloc)(len);

	enter(block, len, CALLER);
	return block;
}

INTERPOSED void *calloc(size_t count, size_t len)
{
	void *block = is_refused(CALLER) ? NULL : REAL(calloc)(count, len);

	enter(block, count * len, CALLER);
	return block;
}

INTERPOSED void *realloc(void *block, size_t len)
{
	void *moved;

	if (is_refused(CALLER))
		return NULL;
	/* Left first: the moment it is free another thread may be given it. */
	leave(block);
	moved = REAL(realloc)(block, len);
	enter(moved != NULL || len == 0 ? moved : block, len, CALLER);
	return moved;
}

/* Its memory is its caller's: libc's own call of malloc would come from libc. */
INTERPOSED char *strdup(const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = is_refused(CALLER) ? NULL : REAL(malloc)(len);

	if (copy != NULL)
		memcpy(copy, text, len);
	enter(copy, len, CALLER);
	return copy;
}

INTERPOSED void free(void *block)
{
	leave(block);
	REAL(free)(block);
}

UNWATCHED static void *align(size_t alignment, size_t len, const void *caller)
{
	void *block = is_refused(caller) ? NULL : REAL(memalign)(alignment, len);

	if (alignment != GUARD_ALIGNMENT)
		enter(block, len, caller);
	return block;
}

INTERPOSED void *memalign(size_t alignment, size_t len)
{
	return align(alignment, len, CALLER);
}

INTERPOSED void *aligned_alloc(size_t alignment, size_t len)
{
	return align(alignment, len, CALLER);
}

INTERPOSED int posix_memalign(void **out, size_t alignment, size_t len)
{
	void *block = align(alignment, len, CALLER);

	if (block == NULL)
		return ENOMEM;
	*out = block;
	return 0;
}

UNWATCHED static void *map(void *at, size_t len, const int how[3], off_t offset, const void *caller)
{
	void *block = MAP_FAILED;

	if (!is_refused(caller))
		block = (void *)syscall(SYS_mmap, at, len, how[0], how[1], how[2], offset);
	enter(block != MAP_FAILED ? block : NULL, len, caller);
	return block;
}

INTERPOSED void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	return map(at, len, (const int[]){ protection, flags, fd }, offset, CALLER);
}

INTERPOSED void *mmap64(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	return map(at, len, (const int[]){ protection, flags, fd }, offset, CALLER);
}

INTERPOSED int munmap(void *block, size_t len)
{
	leave(block);
	return (int)syscall(SYS_munmap, block, len);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int __interceptor_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
				 void *(*run)(void *), void *context);
#define real_pthread_create __interceptor_pthread_create

/* A sanitizer asks it in each thread that starts, and gives up where it fails. */
INTERPOSED int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
	typedef int function(pthread_t, pthread_attr_t *);
	function *real = (function *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_getattr_np");
	int result;

	is_spared_here = true;
	result = real(thread, attributes);
	is_spared_here = false;
	return result;
}
#else
static int real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			       void *(*run)(void *), void *context)
{
	static _Atomic(uintptr_t) found;
	uintptr_t at = atomic_load(&found);

	if (at == 0) {
		at = (uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
		atomic_store(&found, at);
	}
	return ((int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))at)(
		thread, attributes, run, context);
}
#endif

/* Its stack is memory too; libc maps it unseen, and keeps it, and what is in it, for the next one. */
INTERPOSED int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			      void *(*run)(void *), void *context)
{
	bool was_exempt = is_exempt_here;
	int result = EAGAIN;

	if (!is_refused(CALLER)) {
		is_exempt_here = true;
		result = real_pthread_create(thread, attributes, run, context);
		is_exempt_here = was_exempt;
	}
	return result;
}
