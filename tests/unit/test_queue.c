/* SPDX-License-Identifier: MIT */
#include "bridge/queue.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/thread.h"

static void open_queue(test_host *t, sb_queue **queue, uint32_t count_max, int32_t overflow)
{
	test_host_init(t);
	assert_int_equal(sb_queue_new(&t->host, count_max, overflow, queue, NULL), STEPBUS_OK);
}

static void close_queue(test_host *t, sb_queue *queue)
{
	sb_queue_close(queue);
	sb_queue_free(queue);
	test_host_end(t);
}

/* Offers a number, under itself as event id. */
static stepbus_status offer(sb_queue *queue, uint32_t number, bool *needs_turn)
{
	const sb_queue_item event = { &number, sizeof number, number };
	bool ignored;

	return sb_queue_offer(queue, SB_PAYLOAD_BYTES, &event, true,
			      needs_turn != NULL ? needs_turn : &ignored);
}

/* Takes a number; UINT32_MAX: there was none, or it was not what was offered. */
static uint32_t take(sb_queue *queue, bool is_delivered)
{
	uint32_t number = UINT32_MAX;
	sb_queue_item item;

	if (!sb_queue_take(queue, &item))
		return UINT32_MAX;
	if (item.len == sizeof number)
		memcpy(&number, item.payload, sizeof number);
	if (number != item.event_id)
		number = UINT32_MAX;
	sb_queue_done(queue, &item, is_delivered);
	return number;
}

static void assert_counts(sb_queue *queue, uint64_t delivered, uint64_t dropped, uint64_t waiting)
{
	sb_queue_counts counts = sb_queue_count(queue);

	assert_int_equal(counts.delivered, delivered);
	assert_int_equal(counts.dropped, dropped);
	assert_int_equal(counts.waiting, waiting);
	assert_int_equal(counts.offered, delivered + dropped + waiting);
}

static void items_come_out_as_they_went_in(void **state)
{
	test_host t;
	sb_queue *queue;

	(void)state;
	open_queue(&t, &queue, 1024, STEPBUS_OVERFLOW_ERROR);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(offer(queue, i, NULL), STEPBUS_OK);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(take(queue, true), i);
	assert_int_equal(take(queue, true), UINT32_MAX);
	assert_counts(queue, 100, 0, 0);
	close_queue(&t, queue);
}

/* Offers and takes at random, against a model that only counts. */
static void run_against_model(uint32_t count_max, int32_t overflow)
{
	uint32_t first = 0, next = 0, random = 12345;
	uint64_t delivered = 0, dropped = 0;
	test_host t;
	sb_queue *queue;

	open_queue(&t, &queue, count_max, overflow);
	for (int i = 0; i < 3000; i++) {
		random = random * 1664525 + 1013904223;
		/* Long rises and long falls, so that the ring grows and turns. */
		if ((random >> 24) % 8 < ((i / 200) % 2 == 0 ? 6u : 2u)) {
			bool is_full = next - first == count_max;

			if (is_full && overflow == STEPBUS_OVERFLOW_ERROR) {
				assert_int_equal(offer(queue, next, NULL), STEPBUS_EFULL);
				dropped++;
				continue;
			}
			assert_int_equal(offer(queue, next++, NULL), STEPBUS_OK);
			if (is_full) {
				first++;
				dropped++;
			}
		} else if (next > first) {
			assert_int_equal(take(queue, true), first++);
			delivered++;
		} else {
			assert_int_equal(take(queue, true), UINT32_MAX);
		}
		assert_counts(queue, delivered, dropped, next - first);
	}
	close_queue(&t, queue);
}

static void a_queue_of_every_size_behaves_as_its_model(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 15, 16, 17, 31, 32, 33, 63, 65, 1000, 1048576 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		run_against_model(sizes[i], STEPBUS_OVERFLOW_ERROR);
		run_against_model(sizes[i], STEPBUS_OVERFLOW_DROP_OLDEST);
	}
}

static void a_large_bound_costs_nothing_until_it_is_used(void **state)
{
	test_host t;
	sb_queue *queue;

	(void)state;
	open_queue(&t, &queue, 1048576, STEPBUS_OVERFLOW_ERROR);
	assert_int_equal(t.allocation_count, 2);
	assert_int_equal(sb_queue_overflow(queue), STEPBUS_OVERFLOW_ERROR);
	close_queue(&t, queue);
}

static void the_first_offer_asks_for_a_turn_until_the_turn_is_over(void **state)
{
	test_host t;
	sb_queue *queue;
	bool needs_turn = false;

	(void)state;
	open_queue(&t, &queue, 8, STEPBUS_OVERFLOW_ERROR);
	offer(queue, 1, &needs_turn);
	assert_true(needs_turn);
	offer(queue, 2, &needs_turn);
	assert_false(needs_turn);
	take(queue, true);
	offer(queue, 3, &needs_turn);
	assert_false(needs_turn);
	/* Something is left: the turn goes on. */
	assert_true(sb_queue_end_turn(queue));
	take(queue, true);
	take(queue, true);
	assert_false(sb_queue_end_turn(queue));
	offer(queue, 4, &needs_turn);
	assert_true(needs_turn);
	close_queue(&t, queue);
}

static void what_is_taken_waits_until_it_is_done(void **state)
{
	test_host t;
	sb_queue *queue;
	sb_queue_item item;

	(void)state;
	open_queue(&t, &queue, 1, STEPBUS_OVERFLOW_ERROR);
	offer(queue, 1, NULL);
	assert_true(sb_queue_take(queue, &item));
	assert_counts(queue, 0, 0, 1);
	/* But its room is free. */
	assert_int_equal(offer(queue, 2, NULL), STEPBUS_OK);
	sb_queue_done(queue, &item, false);
	assert_counts(queue, 0, 1, 1);
	close_queue(&t, queue);
}

static void a_closed_queue_drops_what_waits_and_refuses_what_comes(void **state)
{
	test_host t;
	sb_queue *queue;

	(void)state;
	open_queue(&t, &queue, 8, STEPBUS_OVERFLOW_BLOCK);
	for (uint32_t i = 0; i < 8; i++)
		offer(queue, i, NULL);
	sb_queue_close(queue);
	assert_counts(queue, 0, 8, 0);
	assert_int_equal(offer(queue, 8, NULL), STEPBUS_ESHUTDOWN);
	assert_counts(queue, 0, 9, 0);
	assert_int_equal(take(queue, true), UINT32_MAX);
	close_queue(&t, queue);
}

static void who_may_not_wait_is_refused_by_a_full_queue_that_blocks(void **state)
{
	const sb_queue_item event = { NULL, 0, 7 };
	bool needs_turn = true;
	test_host t;
	sb_queue *queue;

	(void)state;
	open_queue(&t, &queue, 1, STEPBUS_OVERFLOW_BLOCK);
	offer(queue, 1, NULL);
	assert_int_equal(sb_queue_offer(queue, SB_PAYLOAD_BYTES, &event, false, &needs_turn),
			 STEPBUS_EFULL);
	assert_false(needs_turn);
	assert_counts(queue, 0, 1, 1);
	close_queue(&t, queue);
}

typedef struct waiter {
	sb_queue *queue;
	stepbus_status status;
	test_thread thread;
} waiter;

static void offer_and_wait(void *context)
{
	waiter *w = context;

	w->status = offer(w->queue, 2, NULL);
}

static void who_waits_goes_in_when_there_is_room_or_is_told_of_the_end(void **state)
{
	(void)state;
	for (int is_closed = 0; is_closed <= 1; is_closed++) {
		test_host t;
		waiter w = { .status = -1 };

		open_queue(&t, &w.queue, 1, STEPBUS_OVERFLOW_BLOCK);
		offer(w.queue, 1, NULL);
		test_thread_start(&w.thread, offer_and_wait, &w);
		test_thread_await_sleep(&w.thread);
		assert_counts(w.queue, 0, 0, 2);
		if (is_closed)
			sb_queue_close(w.queue);
		else
			assert_int_equal(take(w.queue, true), 1);
		test_thread_join(&w.thread);
		assert_int_equal(w.status, is_closed ? STEPBUS_ESHUTDOWN : STEPBUS_OK);
		assert_counts(w.queue, !is_closed, is_closed ? 2 : 0, !is_closed);
		close_queue(&t, w.queue);
	}
}

static void progress_counts_only_what_was_let_in(void **state)
{
	uint64_t accepted = 9, over = 9;
	test_host t;
	sb_queue *queue;

	(void)state;
	open_queue(&t, &queue, 2, STEPBUS_OVERFLOW_ERROR);
	for (uint32_t i = 0; i < 5; i++)
		offer(queue, i, NULL);
	sb_queue_progress(queue, &accepted, &over);
	assert_int_equal(accepted, 2);
	assert_int_equal(over, 0);
	take(queue, true);
	sb_queue_close(queue);
	sb_queue_progress(queue, &accepted, &over);
	assert_int_equal(accepted, 2);
	assert_int_equal(over, 2);
	close_queue(&t, queue);
}

static stepbus_status use(test_host *t, stepbus_error *err)
{
	sb_queue *queue = NULL;
	stepbus_status status = sb_queue_new(&t->host, 100, STEPBUS_OVERFLOW_ERROR, &queue, err);
	uint32_t kept_count = 0;

	if (status != STEPBUS_OK)
		return status;
	for (uint32_t i = 0; i < 40; i++)
		kept_count += offer(queue, i, NULL) == STEPBUS_OK;
	sb_queue_close(queue);
	/* What could not be kept was counted all the same. */
	if (sb_queue_count(queue).offered == 40 && kept_count < 40) {
		status = STEPBUS_ENOMEM;
		(void)memcpy(err->message, "lost", 5);
	}
	sb_queue_free(queue);
	return status;
}

static void memory_that_runs_out_drops_and_counts(void **state)
{
	const test_scenario scenario = { .name = "use a queue", .run = use };

	(void)state;
	test_fail_each_allocation(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_out_as_they_went_in),
		cmocka_unit_test(a_queue_of_every_size_behaves_as_its_model),
		cmocka_unit_test(a_large_bound_costs_nothing_until_it_is_used),
		cmocka_unit_test(the_first_offer_asks_for_a_turn_until_the_turn_is_over),
		cmocka_unit_test(what_is_taken_waits_until_it_is_done),
		cmocka_unit_test(a_closed_queue_drops_what_waits_and_refuses_what_comes),
		cmocka_unit_test(who_may_not_wait_is_refused_by_a_full_queue_that_blocks),
		cmocka_unit_test(who_waits_goes_in_when_there_is_room_or_is_told_of_the_end),
		cmocka_unit_test(progress_counts_only_what_was_let_in),
		cmocka_unit_test(memory_that_runs_out_drops_and_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
