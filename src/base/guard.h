/* SPDX-License-Identifier: MIT */
/*
 * What each thread is using right now, so that another thread can wait until it is not.
 *
 * A thread that is about to use a shared object names it in a frame of its own (sb_guard_hold), and
 * only then looks whether the object is still alive. A thread that ends an object first marks it
 * dead, then pays one sb_guard_barrier, and then reads everybody's frames (sb_guard_is_held). So
 * the many who use pay plain stores, and the few who end pay a membarrier: no reader ever waits for
 * a reader, nor shares a cache line with one. Where the kernel has no membarrier, holding pays a
 * full fence instead.
 *
 * Frames nest like calls. A thread's frames live in a block that is made at its first use, given
 * back when it ends, and never freed: the list of blocks is process-wide, the one writable datum
 * besides the documented defaults. It couples nothing, since frames name objects.
 */
#ifndef SB_BASE_GUARD_H
#define SB_BASE_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * How deep callbacks of hosts may nest, and how many frames there are: the rest is for what the
 * library does of its own accord in the innermost one.
 */
enum { SB_GUARD_NEST_MAX = 32, SB_GUARD_FRAME_COUNT = 40, SB_GUARD_LOAN_COUNT = 16 };

typedef struct sb_guard_frame {
	_Atomic(const void *) group; /* for the bridge: the subscriber list that is being walked */
	_Atomic(const void *) item;  /* the object in use */
} sb_guard_frame;

/*
 * frames[0] belongs to the outermost use and needs no stack: it is free where its group is NULL.
 * The others are a stack up to top. gate is the door that the thread has gone through; there is no
 * host code behind a door, so one is enough.
 */
typedef struct sb_guard_thread {
	sb_guard_frame frames[SB_GUARD_FRAME_COUNT];
	_Atomic(const void *) gate;
	_Atomic(const void *) loans[SB_GUARD_LOAN_COUNT];
	uint32_t loan_count;
	sb_guard_frame *top; /* the next free frame; only its own thread reads it */
	struct sb_guard_thread *next;
	_Atomic(uint32_t) is_taken;
} sb_guard_thread;

/*
 * The calling thread's block; before its first use the block of nobody, whose frames[0] is never
 * free. initial-exec: one instruction instead of a call, and a pointer is small enough for any
 * dlopen'ed library.
 */
extern _Thread_local sb_guard_thread *sb_guard_self __attribute__((tls_model("initial-exec")));
extern const sb_guard_thread sb_guard_nobody;
/* Written before the first frame is used, then constant: ask sb_guard_needs_fences before. */
extern bool sb_guard_is_fenced;

bool sb_guard_needs_fences(void);

/* The calling thread's block, made now; NULL: out of memory. */
sb_guard_thread *sb_guard_attach(void);

static inline sb_guard_thread *sb_guard_thread_get(void)
{
	return sb_likely(sb_guard_self != &sb_guard_nobody) ? sb_guard_self : sb_guard_attach();
}

static inline bool sb_guard_is_full(const sb_guard_thread *thread)
{
	return thread->top == thread->frames + SB_GUARD_FRAME_COUNT;
}

static inline bool sb_guard_is_too_deep(const sb_guard_thread *thread)
{
	bool has_outermost =
		atomic_load_explicit(&thread->frames[0].group, memory_order_relaxed) != NULL;

	return thread->top - thread->frames - 1 + has_outermost >= SB_GUARD_NEST_MAX;
}

/* Opens a frame of the stack, which is not full. */
static inline sb_guard_frame *sb_guard_push(sb_guard_thread *thread)
{
	return thread->top++;
}

/*
 * Names what is used. What the caller reads next, it reads after every other thread could see the
 * name.
 */
static inline void sb_guard_hold(_Atomic(const void *) *place, const void *object)
{
	if (sb_unlikely(sb_guard_is_fenced)) {
		atomic_exchange_explicit(place, object, memory_order_seq_cst);
		__sync_synchronize();
		return;
	}
	/* Release, since naming the next thing is leaving the one before. */
	atomic_store_explicit(place, object, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* A group in a frame that has been walked to its end: nothing in it will be used any more. */
static inline const void *sb_guard_leaving(const void *group)
{
	return (const char *)group + 1;
}

/* The group behind either. */
static inline const void *sb_guard_group(const void *named)
{
	/* Not by subtracting 0 or 1: of NULL, C allows not even 0 to be subtracted. */
	return ((uintptr_t)named & 1) != 0 ? (const char *)named - 1 : named;
}

/* Closes the frame: all that was done with the objects happens before anyone sees them free. */
static inline void sb_guard_pop(sb_guard_thread *thread, sb_guard_frame *frame)
{
	atomic_store_explicit(&frame->item, NULL, memory_order_release);
	atomic_store_explicit(&frame->group, NULL, memory_order_release);
	if (frame != thread->frames)
		thread->top = frame;
}

/*
 * Loans: references to a counted object that cost no atomic operation as long as each thread gives
 * back what it borrowed. An object is lent only where nobody can be calling it in (through a gate,
 * say). Calling it in turns all its loans into counted references, and from then on it is counted
 * only: *state goes from LENDING over CALLING_IN to CALLED_IN and stays there.
 */
enum { SB_GUARD_LENDING = 0, SB_GUARD_CALLING_IN = 1, SB_GUARD_CALLED_IN = 2 };

/* False where it is not lent any more, or the thread has no room for a loan: then count. */
static inline bool sb_guard_borrow(sb_guard_thread *thread, const void *object,
				   const _Atomic(uint32_t) *state)
{
	if (sb_unlikely(thread->loan_count == SB_GUARD_LOAN_COUNT ||
			atomic_load_explicit(state, memory_order_acquire) != SB_GUARD_LENDING))
		return false;
	sb_guard_hold(&thread->loans[thread->loan_count], object);
	thread->loan_count++;
	return true;
}

bool sb_guard_give_back_slowly(const void *object, const _Atomic(uint32_t) *state);

/* True: it was a loan of this thread. False: a counted reference must be given back instead. */
static inline bool sb_guard_give_back(const void *object, const _Atomic(uint32_t) *state)
{
	sb_guard_thread *thread = sb_guard_self;
	uint32_t last = thread->loan_count - 1;

	/* Nearly always it is the last one that was taken. */
	if (sb_unlikely(last >= SB_GUARD_LOAN_COUNT ||
			atomic_load_explicit(&thread->loans[last], memory_order_relaxed) != object))
		return sb_guard_give_back_slowly(object, state);
	/*
	 * On its way back: now either we see that it is called in, or the caller sees us leaving.
	 */
	sb_guard_hold(&thread->loans[last], sb_guard_leaving(object));
	if (sb_unlikely(atomic_load_explicit(state, memory_order_acquire) != SB_GUARD_LENDING))
		return sb_guard_give_back_slowly(sb_guard_leaving(object), state);
	atomic_store_explicit(&thread->loans[last], NULL, memory_order_release);
	/* Down to the next one that is out: those before may have come back earlier. */
	while (sb_unlikely(last > 0) &&
	       atomic_load_explicit(&thread->loans[last - 1], memory_order_relaxed) == NULL)
		last--;
	thread->loan_count = last;
	return true;
}

/*
 * Calls in many objects with one barrier: begin for each, sb_guard_barrier, end for each for which
 * begin said true; it adds the loans to *ref_count. Where begin says false, another thread does it,
 * or did. Nobody can borrow the object meanwhile.
 */
bool sb_guard_call_in_begin(_Atomic(uint32_t) *state);
void sb_guard_call_in_end(const void *object, _Atomic(uint32_t) *state,
			  _Atomic(uint64_t) *ref_count);
/* One object, all of it. */
void sb_guard_call_in(const void *object, _Atomic(uint32_t) *state, _Atomic(uint64_t) *ref_count);

/* Orders the marking of an object before the reading of all frames. */
void sb_guard_barrier(void);
/* Whether any frame names the object, in whichever place. After sb_guard_barrier. */
bool sb_guard_is_held(const void *object);
/* Whether any frame names it as a group that has not been walked to its end. Likewise. */
bool sb_guard_is_walked(const void *group);
/* Whether one of the calling thread's own frames names the object. */
bool sb_guard_is_held_here(const void *object);
/* Waits until no frame names the object. Not from a thread that holds it. Costs a barrier. */
void sb_guard_wait(const void *object);
/*
 * Pauses a little longer each time it is called with the same counter; for waits that are nearly
 * never long.
 */
void sb_guard_backoff(uint32_t *round);

/* For tests: behave as where membarrier is missing. Before any other thread uses the guard. */
void sb_guard_force_fences(bool is_fenced);

#endif
