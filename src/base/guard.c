/* SPDX-License-Identifier: MIT */
#include "base/guard.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"

const sb_guard_thread sb_guard_nobody = { .frames[0].group = &sb_guard_nobody };
/* Nobody writes through it: who finds it gets a block of its own first. */
#define NOBODY \
	((sb_guard_thread *)(uintptr_t)&sb_guard_nobody) /* NOLINT(performance-no-int-to-ptr) */
_Thread_local sb_guard_thread *sb_guard_self = NOBODY;
bool sb_guard_is_fenced;

static _Atomic(sb_guard_thread *) threads;
static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool has_exit_key;

enum { CACHE_LINE_LEN = 64 };

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static void give_back(void *block)
{
	sb_guard_thread *thread = block;

	sb_guard_self = NOBODY;
	atomic_store_explicit(&thread->is_taken, 0, memory_order_release);
}

static void set_up(void)
{
	sb_guard_is_fenced = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0;
	has_exit_key = pthread_key_create(&exit_key, give_back) == 0;
}

bool sb_guard_needs_fences(void)
{
	pthread_once(&setup_once, set_up);
	return sb_guard_is_fenced;
}

static sb_guard_thread *reuse(void)
{
	sb_guard_thread *thread = atomic_load_explicit(&threads, memory_order_acquire);

	for (; thread != NULL; thread = thread->next) {
		uint32_t expected = 0;

		if (atomic_compare_exchange_strong(&thread->is_taken, &expected, 1))
			return thread;
	}
	return NULL;
}

static sb_guard_thread *make(void)
{
	/* Whole cache lines, so that no two threads write to one. */
	size_t len =
		(sizeof(sb_guard_thread) + CACHE_LINE_LEN - 1) / CACHE_LINE_LEN * CACHE_LINE_LEN;
	sb_guard_thread *thread = aligned_alloc(CACHE_LINE_LEN, len);

	if (thread == NULL)
		return NULL;
	memset(thread, 0, len);
	thread->top = thread->frames + 1;
	atomic_store_explicit(&thread->is_taken, 1, memory_order_relaxed);
	thread->next = atomic_load_explicit(&threads, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&threads, &thread->next, thread,
						      memory_order_release, memory_order_relaxed))
		;
	return thread;
}

sb_guard_thread *sb_guard_attach(void)
{
	sb_guard_thread *thread;

	pthread_once(&setup_once, set_up);
	thread = reuse();
	if (thread == NULL)
		thread = make();
	if (thread == NULL)
		return NULL;
	/*
	 * Without the key a block is not given back when its thread ends: it is a leak, not an
	 * error.
	 */
	if (has_exit_key)
		pthread_setspecific(exit_key, thread);
	sb_guard_self = thread;
	return thread;
}

void sb_guard_barrier(void)
{
	pthread_once(&setup_once, set_up);
	if (sb_guard_is_fenced) {
		/* Holding is a sequentially consistent exchange then; this pairs with it. */
		static _Atomic(uint32_t) turn;

		atomic_fetch_add_explicit(&turn, 1, memory_order_seq_cst);
		__sync_synchronize();
		return;
	}
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
		return;
	/* A forked child starts without the registration of its parent. */
	sb_assert(errno == EPERM && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
		  membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0);
}

static bool is_named_by(const sb_guard_thread *thread, const void *object)
{
	if (atomic_load_explicit(&thread->gate, memory_order_acquire) == object)
		return true;
	for (size_t i = 0; i < SB_GUARD_FRAME_COUNT; i++) {
		const sb_guard_frame *frame = &thread->frames[i];
		const void *group = atomic_load_explicit(&frame->group, memory_order_acquire);

		if (atomic_load_explicit(&frame->item, memory_order_acquire) == object ||
		    sb_guard_group(group) == object)
			return true;
	}
	return false;
}

bool sb_guard_is_held(const void *object)
{
	const sb_guard_thread *thread = atomic_load_explicit(&threads, memory_order_acquire);

	for (; thread != NULL; thread = thread->next)
		if (is_named_by(thread, object))
			return true;
	return false;
}

bool sb_guard_is_walked(const void *group)
{
	const sb_guard_thread *thread = atomic_load_explicit(&threads, memory_order_acquire);

	for (; thread != NULL; thread = thread->next)
		for (size_t i = 0; i < SB_GUARD_FRAME_COUNT; i++)
			if (atomic_load_explicit(&thread->frames[i].group, memory_order_acquire) ==
			    group)
				return true;
	return false;
}

bool sb_guard_is_held_here(const void *object)
{
	return sb_guard_self != &sb_guard_nobody && is_named_by(sb_guard_self, object);
}

/* The place of a loan of the calling thread; SB_GUARD_LOAN_COUNT: it has none. */
static uint32_t find_loan(const sb_guard_thread *thread, const void *named)
{
	for (uint32_t i = thread->loan_count; i-- > 0;)
		if (atomic_load_explicit(&thread->loans[i], memory_order_relaxed) == named)
			return i;
	return SB_GUARD_LOAN_COUNT;
}

/* Empties a place; the count goes down to the last one that is not empty. */
static void drop_loan(sb_guard_thread *thread, uint32_t place)
{
	if (place < SB_GUARD_LOAN_COUNT)
		atomic_store_explicit(&thread->loans[place], NULL, memory_order_release);
	while (thread->loan_count > 0 &&
	       atomic_load_explicit(&thread->loans[thread->loan_count - 1], memory_order_relaxed) ==
		       NULL)
		thread->loan_count--;
}

bool sb_guard_give_back_slowly(const void *named, const _Atomic(uint32_t) *state)
{
	sb_guard_thread *thread = sb_guard_self;
	const void *object = sb_guard_group(named);
	uint32_t place = find_loan(thread, named);
	uint32_t round = 0;

	/* Not borrowed by this thread, or taken off it by who called it in. */
	if (place == SB_GUARD_LOAN_COUNT) {
		if (thread != &sb_guard_nobody)
			drop_loan(thread, place);
		return false;
	}
	sb_guard_hold(&thread->loans[place], sb_guard_leaving(object));
	if (atomic_load_explicit(state, memory_order_acquire) == SB_GUARD_LENDING) {
		drop_loan(thread, place);
		return true;
	}
	/*
	 * It is being called in: stay to be counted, and give back what the loan was turned into.
	 */
	sb_guard_hold(&thread->loans[place], object);
	while (atomic_load_explicit(state, memory_order_acquire) != SB_GUARD_CALLED_IN)
		sb_guard_backoff(&round);
	drop_loan(thread, place);
	return false;
}

/*
 * Takes the loans of an object off a thread. One that is on its way back will be gone in a moment,
 * or return to be counted. One that sets out just now is counted already, and finds that out
 * itself.
 */
static uint32_t take_loans(sb_guard_thread *thread, const void *object)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SB_GUARD_LOAN_COUNT; i++) {
		const void *named = atomic_load_explicit(&thread->loans[i], memory_order_acquire);
		uint32_t round = 0;

		while (named == sb_guard_leaving(object)) {
			sb_guard_backoff(&round);
			named = atomic_load_explicit(&thread->loans[i], memory_order_acquire);
		}
		if (named != object)
			continue;
		count++;
		atomic_compare_exchange_strong(&thread->loans[i], &named, NULL);
	}
	return count;
}

bool sb_guard_call_in_begin(_Atomic(uint32_t) *state)
{
	uint32_t expected = SB_GUARD_LENDING;

	return atomic_compare_exchange_strong(state, &expected, SB_GUARD_CALLING_IN);
}

void sb_guard_call_in_end(const void *object, _Atomic(uint32_t) *state,
			  _Atomic(uint64_t) *ref_count)
{
	sb_guard_thread *thread = atomic_load_explicit(&threads, memory_order_acquire);
	uint32_t count = 0;

	for (; thread != NULL; thread = thread->next)
		count += take_loans(thread, object);
	atomic_fetch_add_explicit(ref_count, count, memory_order_relaxed);
	atomic_store_explicit(state, SB_GUARD_CALLED_IN, memory_order_release);
}

void sb_guard_call_in(const void *object, _Atomic(uint32_t) *state, _Atomic(uint64_t) *ref_count)
{
	if (!sb_guard_call_in_begin(state))
		return;
	sb_guard_barrier();
	sb_guard_call_in_end(object, state, ref_count);
}

void sb_guard_backoff(uint32_t *round)
{
	const uint32_t spin_count = 64, yield_count = 128;
	const long pause_ns_max = 1000000;

	(*round)++;
	if (*round <= spin_count) {
		atomic_signal_fence(memory_order_seq_cst);
	} else if (*round <= yield_count) {
		sched_yield();
	} else {
		SB_UNCANCELLED;
		long pause_ns = (long)(*round - yield_count) * 10000;
		struct timespec pause = { 0, pause_ns < pause_ns_max ? pause_ns : pause_ns_max };

		nanosleep(&pause, NULL);
	}
}

void sb_guard_wait(const void *object)
{
	uint32_t round = 0;

	sb_guard_barrier();
	while (sb_guard_is_held(object))
		sb_guard_backoff(&round);
}

void sb_guard_force_fences(bool is_fenced)
{
	pthread_once(&setup_once, set_up);
	sb_guard_is_fenced = is_fenced;
}
