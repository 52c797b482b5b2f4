/* SPDX-License-Identifier: MIT */
#include "base/guard.h"

#include <string.h>

#include "support/cmocka.h"
#include "support/thread.h"

/* Things to hold; nobody looks into them. */
static _Alignas(8) char objects[8][8];

static void a_thread_keeps_its_block(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();

	(void)state;
	assert_non_null(thread);
	assert_ptr_not_equal(thread, &sb_guard_nobody);
	assert_ptr_equal(sb_guard_thread_get(), thread);
	assert_ptr_equal(sb_guard_self, thread);
}

static void what_a_frame_names_is_held_until_it_is_popped(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *frame = sb_guard_push(thread);

	(void)state;
	assert_false(sb_guard_is_held(objects[0]));
	sb_guard_hold(&frame->group, objects[0]);
	sb_guard_hold(&frame->item, objects[1]);
	sb_guard_barrier();
	assert_true(sb_guard_is_held(objects[0]));
	assert_true(sb_guard_is_held(objects[1]));
	assert_true(sb_guard_is_held_here(objects[1]));
	assert_true(sb_guard_is_walked(objects[0]));
	assert_false(sb_guard_is_held(objects[2]));
	sb_guard_hold(&frame->item, objects[2]);
	assert_false(sb_guard_is_held(objects[1]));
	assert_true(sb_guard_is_held(objects[2]));
	sb_guard_pop(thread, frame);
	for (size_t i = 0; i < 3; i++) {
		assert_false(sb_guard_is_held(objects[i]));
		assert_false(sb_guard_is_held_here(objects[i]));
	}
}

static void a_group_that_is_being_left_is_held_but_not_walked(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *frame = sb_guard_push(thread);

	(void)state;
	sb_guard_hold(&frame->group, sb_guard_leaving(objects[0]));
	assert_true(sb_guard_is_held(objects[0]));
	assert_false(sb_guard_is_walked(objects[0]));
	assert_ptr_equal(sb_guard_group(sb_guard_leaving(objects[0])), objects[0]);
	assert_ptr_equal(sb_guard_group(objects[0]), objects[0]);
	sb_guard_pop(thread, frame);
	assert_false(sb_guard_is_held(objects[0]));
}

static void frames_nest(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *bottom = thread->top, *frames[8];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		frames[i] = sb_guard_push(thread);
		sb_guard_hold(&frames[i]->item, objects[i]);
	}
	for (size_t i = 8; i-- > 0;) {
		assert_true(sb_guard_is_held(objects[i]));
		sb_guard_pop(thread, frames[i]);
		assert_false(sb_guard_is_held(objects[i]));
		assert_int_equal(sb_guard_is_held(objects[0]), i > 0);
	}
	assert_ptr_equal(thread->top, bottom);
}

static void a_stack_of_frames_is_too_deep_before_it_is_full(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *frames[SB_GUARD_FRAME_COUNT];
	size_t count = 0, deep_count = 0;

	(void)state;
	for (; !sb_guard_is_full(thread); count++) {
		deep_count += !sb_guard_is_too_deep(thread);
		frames[count] = sb_guard_push(thread);
	}
	assert_in_range(deep_count, SB_GUARD_NEST_MAX - 1, SB_GUARD_NEST_MAX);
	assert_int_equal(count, SB_GUARD_FRAME_COUNT - 1);
	while (count > 0)
		sb_guard_pop(thread, frames[--count]);
}

/* A thread that holds an object until it is told to let go. */
typedef struct holder {
	const void *object;
	sb_guard_thread *block;
	int *written;
	sem_t held;
	sem_t released;
	test_thread thread;
} holder;

static void hold_for_a_while(void *context)
{
	holder *h = context;
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *frame = sb_guard_push(thread);

	h->block = thread;
	sb_guard_hold(&frame->item, h->object);
	sem_post(&h->held);
	test_semaphore_wait(&h->released);
	if (h->written != NULL)
		*h->written = 42;
	sb_guard_pop(thread, frame);
}

static void holder_start(holder *h, const void *object)
{
	h->object = object;
	sem_init(&h->held, 0, 0);
	sem_init(&h->released, 0, 0);
	test_thread_start(&h->thread, hold_for_a_while, h);
	test_semaphore_wait(&h->held);
}

static void holder_end(holder *h)
{
	sem_post(&h->released);
	test_thread_join(&h->thread);
}

static void frames_of_other_threads_are_seen(void **state)
{
	holder h = { .written = NULL };

	(void)state;
	holder_start(&h, objects[0]);
	sb_guard_barrier();
	assert_true(sb_guard_is_held(objects[0]));
	assert_false(sb_guard_is_held_here(objects[0]));
	assert_false(sb_guard_is_held(objects[1]));
	holder_end(&h);
	assert_false(sb_guard_is_held(objects[0]));
}

typedef struct waiter {
	const void *object;
	const int *written;
	int seen;
	test_thread thread;
} waiter;

static void wait_and_look(void *context)
{
	waiter *w = context;

	sb_guard_wait(w->object);
	w->seen = *w->written;
}

static void waiting_ends_when_nobody_holds_it_and_sees_what_was_done(void **state)
{
	int written = 0;
	holder h = { .written = &written };
	waiter w = { .object = objects[0], .written = &written };

	(void)state;
	holder_start(&h, objects[0]);
	test_thread_start(&w.thread, wait_and_look, &w);
	test_thread_await_sleep(&w.thread);
	holder_end(&h);
	test_thread_join(&w.thread);
	assert_int_equal(w.seen, 42);
}

static void waiting_for_what_nobody_holds_returns(void **state)
{
	(void)state;
	sb_guard_wait(objects[7]);
}

static void a_thread_that_ends_leaves_its_block_to_another(void **state)
{
	holder first = { .written = NULL }, second = { .written = NULL };

	(void)state;
	holder_start(&first, objects[0]);
	holder_end(&first);
	holder_start(&second, objects[1]);
	assert_ptr_equal(second.block, first.block);
	assert_int_equal(sb_guard_is_held(objects[0]), 0);
	holder_end(&second);
}

static void threads_that_run_at_once_have_blocks_of_their_own(void **state)
{
	enum { COUNT = 16 };
	holder holders[COUNT] = { { .written = NULL } };

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		holder_start(&holders[i], objects[i % 8]);
	for (size_t i = 0; i < COUNT; i++) {
		assert_ptr_not_equal(holders[i].block, sb_guard_self);
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(holders[i].block, holders[j].block);
	}
	for (size_t i = 0; i < COUNT; i++)
		holder_end(&holders[i]);
}

/*
 * The promise of it all: one thread names an object and then looks whether it is dead, another
 * marks it dead and then looks whether it is named. One of them must see the other. They try with a
 * whole stack of frames in one breath, since what goes wrong goes wrong within a nanosecond.
 */
enum { PAIR_COUNT = 30 };

typedef struct pair {
	_Alignas(64) _Atomic(bool) is_dead;
	bool has_seen_dead;
	bool has_seen_held;
} pair;

typedef struct duel {
	test_meeting meeting;
	uint32_t round_count;
	pair pairs[PAIR_COUNT];
	sb_guard_frame *frames[PAIR_COUNT];
	test_thread thread;
} duel;

static void name_then_look(void *context)
{
	duel *d = context;
	sb_guard_thread *thread = sb_guard_thread_get();

	for (size_t k = 0; k < PAIR_COUNT; k++)
		d->frames[k] = sb_guard_push(thread);
	for (uint32_t i = 0; i < d->round_count; i++) {
		test_meet(&d->meeting, 3 * i);
		for (size_t k = 0; k < PAIR_COUNT; k++) {
			sb_guard_hold(&d->frames[k]->item, &d->pairs[k]);
			d->pairs[k].has_seen_dead =
				atomic_load_explicit(&d->pairs[k].is_dead, memory_order_acquire);
			test_dawdle(i % 8 * 4);
		}
		test_meet(&d->meeting, 3 * i + 1);
		test_meet(&d->meeting, 3 * i + 2);
	}
	for (size_t k = PAIR_COUNT; k-- > 0;)
		sb_guard_pop(thread, d->frames[k]);
}

static int mark_then_look(duel *d, uint32_t round)
{
	int bad_count = 0;

	test_meet(&d->meeting, 3 * round);
	for (size_t k = 0; k < PAIR_COUNT; k++) {
		pair *p = &d->pairs[k];

		atomic_store_explicit(&p->is_dead, true, memory_order_relaxed);
		sb_guard_barrier();
		p->has_seen_held =
			atomic_load_explicit(&d->frames[k]->item, memory_order_acquire) == p;
		test_dawdle(round / 8 % 8 * 4);
	}
	test_meet(&d->meeting, 3 * round + 1);
	for (size_t k = 0; k < PAIR_COUNT; k++) {
		bad_count += !d->pairs[k].has_seen_held && !d->pairs[k].has_seen_dead;
		assert_true(sb_guard_is_held(&d->pairs[k]));
		atomic_store(&d->pairs[k].is_dead, false);
		atomic_store(&d->frames[k]->item, NULL);
	}
	test_meet(&d->meeting, 3 * round + 2);
	return bad_count;
}

static void fight(bool is_fenced, uint32_t round_count)
{
	static duel d;
	int bad_count = 0;

	memset(&d, 0, sizeof d);
	d.round_count = round_count;
	sb_guard_force_fences(is_fenced);
	test_thread_start(&d.thread, name_then_look, &d);
	for (uint32_t i = 0; i < d.round_count; i++)
		bad_count += mark_then_look(&d, i);
	test_thread_join(&d.thread);
	sb_guard_force_fences(false);
	assert_int_equal(bad_count, 0);
}

static void who_ends_sees_who_holds_or_is_seen(void **state)
{
	(void)state;
	fight(false, 4000);
}

static void who_ends_sees_who_holds_or_is_seen_with_fences(void **state)
{
	(void)state;
	fight(true, 20000);
}

static void holding_works_with_fences(void **state)
{
	sb_guard_thread *thread = sb_guard_thread_get();
	sb_guard_frame *frame = sb_guard_push(thread);

	(void)state;
	sb_guard_force_fences(true);
	assert_true(sb_guard_needs_fences());
	sb_guard_hold(&frame->group, objects[0]);
	sb_guard_barrier();
	assert_true(sb_guard_is_held(objects[0]));
	sb_guard_pop(thread, frame);
	sb_guard_barrier();
	assert_false(sb_guard_is_held(objects[0]));
	sb_guard_force_fences(false);
	assert_false(sb_guard_needs_fences());
}

static void pausing_counts_its_rounds(void **state)
{
	uint32_t round = 0;

	(void)state;
	for (uint32_t i = 1; i <= 140; i++) {
		sb_guard_backoff(&round);
		assert_int_equal(round, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_keeps_its_block),
		cmocka_unit_test(what_a_frame_names_is_held_until_it_is_popped),
		cmocka_unit_test(a_group_that_is_being_left_is_held_but_not_walked),
		cmocka_unit_test(frames_nest),
		cmocka_unit_test(a_stack_of_frames_is_too_deep_before_it_is_full),
		cmocka_unit_test(frames_of_other_threads_are_seen),
		cmocka_unit_test(waiting_ends_when_nobody_holds_it_and_sees_what_was_done),
		cmocka_unit_test(waiting_for_what_nobody_holds_returns),
		cmocka_unit_test(a_thread_that_ends_leaves_its_block_to_another),
		cmocka_unit_test(threads_that_run_at_once_have_blocks_of_their_own),
		cmocka_unit_test(who_ends_sees_who_holds_or_is_seen),
		cmocka_unit_test(who_ends_sees_who_holds_or_is_seen_with_fences),
		cmocka_unit_test(holding_works_with_fences),
		cmocka_unit_test(pausing_counts_its_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
