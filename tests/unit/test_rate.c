/* SPDX-License-Identifier: MIT */
#include "handlers/rate.h"

#include "support/cmocka.h"

#define S INT64_C(1000000)
#define MOST INT64_MAX
#define LEAST INT64_MIN

typedef struct rate_row {
	uint32_t count;
	int64_t period_us;
	int64_t room_micro;
	int64_t at_us;
	int64_t now_us;
	int64_t room;    /* expected */
	int64_t next_us; /* expected */
} rate_row;

static sb_queue_row queue_of(const rate_row *row)
{
	return (sb_queue_row){ .rate_count = row->count,
			       .rate_period_us = row->period_us,
			       .rate_room_micro = row->room_micro,
			       .rate_at_us = row->at_us };
}

static void check_all(const rate_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sb_queue_row queue = queue_of(&rows[i]);
		int64_t room = sb_rate_room(&queue, rows[i].now_us);
		int64_t next_us = sb_rate_next_us(&queue, rows[i].now_us);

		if (room != rows[i].room || next_us != rows[i].next_us)
			fail_msg("row %zu: room for %lld, next at %lld", i, (long long)room,
				 (long long)next_us);
	}
}

static void room_is_as_the_table_says(void **state)
{
	static const rate_row rows[] = {
		/* No limit. */
		{ 0, S, 0, 5 * S, 5 * S, MOST, 5 * S },
		{ 5, 0, 0, 5 * S, 5 * S, MOST, 5 * S },
		{ 5, -1, 0, 5 * S, 5 * S, MOST, 5 * S },
		/* Never used: full. */
		{ 5, S, 0, 0, 50 * S, 5, 50 * S },
		/* Empty, and filling up: 10 in 1 s. */
		{ 10, S, 0, 5 * S, 5 * S, 0, 5 * S + 100000 },
		{ 10, S, 0, 5 * S, 5 * S + 99999, 0, 5 * S + 100000 },
		{ 10, S, 0, 5 * S, 5 * S + 100000, 1, 5 * S + 100000 },
		{ 10, S, 0, 5 * S, 5 * S + 199999, 1, 5 * S + 199999 },
		{ 10, S, 0, 5 * S, 6 * S - 1, 9, 6 * S - 1 },
		{ 10, S, 0, 5 * S, 6 * S, 10, 6 * S },
		{ 10, S, 0, 5 * S, 600 * S, 10, 600 * S },
		/* A part of a step is kept. */
		{ 10, S, 500000, 5 * S, 5 * S, 0, 5 * S + 50000 },
		{ 10, S, 999999, 5 * S, 5 * S, 0, 5 * S + 1 },
		/* What does not divide is rounded so that nothing starts too early. */
		{ 3, 10, 0, 100, 103, 0, 104 },
		{ 3, 10, 0, 100, 104, 1, 104 },
		/* The limit was lowered since. */
		{ 2, S, 9 * S, 5 * S, 5 * S, 2, 5 * S },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void a_jump_of_the_clock_is_worth_a_period_at_most(void **state)
{
	static const rate_row rows[] = {
		{ 10, S, 0, 5 * S, 5 * S - 1, 0, 5 * S + 100000 },
		{ 10, S, 0, 5 * S, 4 * S, 0, 5 * S + 100000 },
		{ 10, S, 0, 5 * S, 4 * S - 1, 10, 4 * S - 1 },
		{ 10, S, 0, 5 * S, 0, 10, 0 },
		{ 10, S, 3 * S, 5 * S, 5 * S - 1, 3, 5 * S - 1 },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

static void nothing_overflows(void **state)
{
	static const rate_row rows[] = {
		{ UINT32_MAX, MOST, 0, LEAST, MOST, UINT32_MAX, MOST },
		{ UINT32_MAX, MOST, 0, MOST, LEAST, UINT32_MAX, LEAST },
		{ UINT32_MAX, 1, MOST, 0, 0, UINT32_MAX, 0 },
		{ UINT32_MAX, 1, LEAST, 0, 0, 0, 1 },
		{ 1, MOST, 0, MOST, MOST, 0, MOST },
		{ 1, MOST, 0, 0, MOST, 1, MOST },
		{ 1, MOST, 0, 0, MOST - 1, 0, MOST },
		{ 1, MOST, 0, 1, 1, 0, MOST },
		{ UINT32_MAX, MOST, 0, 0, MOST - 1, UINT32_MAX - 1, MOST - 1 },
	};

	(void)state;
	check_all(rows, sizeof rows / sizeof *rows);
}

typedef struct take_row {
	int64_t room_micro;
	int64_t count;
	int64_t left_micro; /* expected */
} take_row;

static void taking_leaves_what_the_table_says(void **state)
{
	static const take_row rows[] = {
		{ 5 * S, 1, 4 * S },     { 5 * S, 5, 0 },        { 5 * S + 7, 5, 7 },
		{ 5 * S + 7, 6, 7 },     { 5 * S + 7, MOST, 7 }, { 5 * S, 0, 5 * S },
		{ 5 * S, LEAST, 5 * S }, { 99 * S, 1, 9 * S },   { -S, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_queue_row queue = queue_of(&(rate_row){ 10, S, rows[i].room_micro, S, S, 0, 0 });

		sb_rate_take(&queue, S, rows[i].count);
		if (queue.rate_room_micro != rows[i].left_micro || queue.rate_at_us != S)
			fail_msg("row %zu: %lld is left", i, (long long)queue.rate_room_micro);
	}
}

/* Asks at uneven times, takes all there is, and must end up near the rate, never above it. */
static void starts_follow_the_rate(void **state)
{
	sb_queue_row queue = queue_of(&(rate_row){ 7, S, 0, 0, 0, 0, 0 });
	int64_t now_us = 100 * S, started = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		int64_t room = sb_rate_room(&queue, now_us);

		sb_rate_take(&queue, now_us, room);
		started += room;
		assert_true(started <= 7 + (now_us - 100 * S) * 7 / S);
		now_us += i % 3 == 0 ? 777 : sb_rate_next_us(&queue, now_us) - now_us;
	}
	assert_true(started >= (now_us - 100 * S) * 7 / S - 1);
}

static void what_is_next_has_room(void **state)
{
	(void)state;
	for (uint32_t count = 1; count < 50; count++)
		for (int64_t period_us = 1; period_us < 200; period_us++) {
			sb_queue_row queue =
				queue_of(&(rate_row){ count, period_us, 333333, 50, 50, 0, 0 });
			int64_t next_us = sb_rate_next_us(&queue, 50);

			assert_true(sb_rate_room(&queue, next_us) >= 1);
			assert_int_equal(sb_rate_room(&queue, next_us - 1), 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_is_as_the_table_says),
		cmocka_unit_test(a_jump_of_the_clock_is_worth_a_period_at_most),
		cmocka_unit_test(nothing_overflows),
		cmocka_unit_test(taking_leaves_what_the_table_says),
		cmocka_unit_test(starts_follow_the_rate),
		cmocka_unit_test(what_is_next_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
