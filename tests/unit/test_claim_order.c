/* SPDX-License-Identifier: MIT */
#include "handlers/claim_order.h"

#include <stdio.h>

#include "support/cmocka.h"

enum { LANE_COUNT_MAX = 8, STEP_COUNT_MAX = 24, NO_LIMIT = UINT32_MAX };

/* The steps of a lane, in the order of their ids; 0 ends them. */
typedef struct stock_row {
	int64_t queue_id;
	int32_t priority;
	uint32_t room;
	int64_t ids[STEP_COUNT_MAX];
} stock_row;

static size_t stock_len(const stock_row *stock)
{
	size_t len = 0;

	while (len < STEP_COUNT_MAX && stock->ids[len] != 0)
		len++;
	return len;
}

static int64_t stock_head(const stock_row *stock, bool is_descending)
{
	size_t len = stock_len(stock);

	return len == 0 ? 0 : stock->ids[is_descending ? len - 1 : 0];
}

static int64_t stock_pop(stock_row *stock, bool is_descending)
{
	size_t len = stock_len(stock);
	int64_t id = stock_head(stock, is_descending);

	if (!is_descending)
		memmove(stock->ids, stock->ids + 1, (len - 1) * sizeof *stock->ids);
	stock->ids[len - 1] = 0;
	return id;
}

static bool is_within(int64_t id, int64_t bound_id, bool is_descending)
{
	return id != 0 && (bound_id == 0 || (is_descending ? id > bound_id : id < bound_id));
}

/* Claims as a worker does, and writes the ids in the order in which they came. */
static size_t claim(sb_claim_order *order, stock_row *stocks, size_t count, uint32_t wanted,
		    int64_t *out)
{
	bool is_descending = order->strategy == SB_CLAIM_LIFO;
	sb_claim_lane lanes[LANE_COUNT_MAX];
	sb_claim_take take;
	uint32_t claimed = 0;

	for (size_t i = 0; i < count; i++)
		lanes[i] = (sb_claim_lane){ .queue_id = stocks[i].queue_id,
					    .priority = stocks[i].priority,
					    .room = stocks[i].room,
					    .head_id = stock_head(&stocks[i], is_descending) };
	while (sb_claim_next(order, lanes, count, wanted - claimed, &take)) {
		stock_row *stock = &stocks[take.lane];
		uint32_t taken = 0;

		assert_true(take.count > 0 && take.count <= wanted - claimed);
		for (; taken < take.count &&
		       is_within(stock_head(stock, is_descending), take.bound_id, is_descending);
		     taken++)
			out[claimed++] = stock_pop(stock, is_descending);
		assert_true(taken > 0);
		sb_claim_taken(order, lanes, count, &take, taken, stock_head(stock, is_descending));
	}
	return claimed;
}

static void write_ids(const int64_t *ids, size_t count, char *text, size_t len)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, len - used, "%s%lld", i > 0 ? " " : "",
					 (long long)ids[i]);
}

typedef struct order_row {
	sb_claim_strategy strategy;
	uint32_t age_percent;
	uint32_t wanted;
	const char *ids; /* expected */
} order_row;

static const stock_row shop[] = {
	{ 1, 0, NO_LIMIT, { 5, 6, 9, 12 } },
	{ 2, 0, NO_LIMIT, { 7, 8, 20 } },
	{ 1, 10, NO_LIMIT, { 1, 4, 13 } },
	{ 2, 50, NO_LIMIT, { 2, 3, 11 } },
};

static void steps_come_in_the_order_of_the_table(void **state)
{
	static const order_row rows[] = {
		{ SB_CLAIM_FIFO, 0, 99, "1 2 3 4 5 6 7 8 9 11 12 13 20" },
		{ SB_CLAIM_FIFO, 50, 5, "1 2 3 4 5" },
		{ SB_CLAIM_LIFO, 0, 99, "20 13 12 11 9 8 7 6 5 4 3 2 1" },
		{ SB_CLAIM_LIFO, 50, 4, "20 13 12 11" },
		{ SB_CLAIM_PRIORITY, 0, 99, "5 6 7 8 9 12 20 1 4 13 2 3 11" },
		{ SB_CLAIM_PRIORITY, 0, 3, "5 6 7" },
		{ SB_CLAIM_PRIORITY, 0, 0, "" },
		{ SB_CLAIM_PRIORITY, 0, 1, "5" },
		/* Of four steps one is due by age, the fourth; of eight two. */
		{ SB_CLAIM_PRIORITY, 25, 3, "5 6 7" },
		{ SB_CLAIM_PRIORITY, 25, 4, "5 6 7 1" },
		{ SB_CLAIM_PRIORITY, 25, 8, "5 6 7 1 8 9 12 2" },
		{ SB_CLAIM_PRIORITY, 100, 5, "1 2 3 4 5" },
		{ SB_CLAIM_PRIORITY, UINT32_MAX, 5, "1 2 3 4 5" },
		{ SB_CLAIM_WEIGHTED_RANDOM, 100, 5, "1 2 3 4 5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_claim_order order = { rows[i].strategy, rows[i].age_percent, 0, 1 };
		stock_row stocks[LANE_COUNT_MAX];
		int64_t ids[64];
		char text[200];

		memcpy(stocks, shop, sizeof shop);
		write_ids(ids, claim(&order, stocks, 4, rows[i].wanted, ids), text, sizeof text);
		if (strcmp(text, rows[i].ids) != 0)
			fail_msg("row %zu: '%s' is not '%s'", i, text, rows[i].ids);
	}
}

static void a_large_block_asks_the_store_few_times(void **state)
{
	sb_claim_order order = { SB_CLAIM_WEIGHTED_RANDOM, 10, 0, 7 };
	sb_claim_lane lanes[] = { { 1, 1000, 1, NO_LIMIT, 0 }, { 1, 500000, 10, NO_LIMIT, 0 } };
	uint32_t wanted = 1000;
	sb_claim_take take;
	size_t count = 0;

	(void)state;
	for (; sb_claim_next(&order, lanes, 2, wanted, &take); count++) {
		wanted -= take.count;
		sb_claim_taken(&order, lanes, 2, &take, take.count,
			       lanes[take.lane].head_id + take.count);
	}
	assert_int_equal(wanted, 0);
	assert_true(count <= 6);
}

static void a_queue_at_its_limit_is_passed_over(void **state)
{
	sb_claim_order order = { SB_CLAIM_PRIORITY, 0, 0, 1 };
	stock_row stocks[4];
	int64_t ids[64];
	char text[200];

	(void)state;
	memcpy(stocks, shop, sizeof shop);
	stocks[0].room = stocks[2].room = 0;
	stocks[1].room = stocks[3].room = 4;
	write_ids(ids, claim(&order, stocks, 4, 99, ids), text, sizeof text);
	assert_string_equal(text, "7 8 20 2");
}

static void no_lanes_give_nothing(void **state)
{
	sb_claim_order order = { SB_CLAIM_FIFO, 50, 0, 1 };
	sb_claim_lane lane = { 1, 0, 0, NO_LIMIT, 0 };
	sb_claim_take take;

	(void)state;
	for (int i = 0; i < SB_CLAIM_STRATEGY_COUNT; i++) {
		order.strategy = (sb_claim_strategy)i;
		assert_false(sb_claim_next(&order, NULL, 0, 5, &take));
		assert_false(sb_claim_next(&order, &lane, 1, 5, &take));
	}
}

static void the_only_lane_is_taken_from_at_once(void **state)
{
	sb_claim_lane lanes[] = { { 1, 7, 0, 80, 0 }, { 1, 0, 1, 80, 0 }, { 2, 5, 2, 0, 0 } };
	sb_claim_take take;

	(void)state;
	for (int i = 0; i < SB_CLAIM_STRATEGY_COUNT; i++) {
		sb_claim_order order = { (sb_claim_strategy)i, 10, 55, 1 };

		lanes[0].room = 80;
		assert_true(sb_claim_next(&order, lanes, 3, 100, &take));
		assert_int_equal(take.lane, 0);
		assert_int_equal(take.count, 80);
		assert_int_equal(take.bound_id, 0);
		sb_claim_taken(&order, lanes, 3, &take, 80, 87);
		assert_int_equal(order.age_credit, 55);
		assert_false(sb_claim_next(&order, lanes, 3, 20, &take));
	}
}

static void rows_that_are_passed_over_do_not_count(void **state)
{
	sb_claim_order order = { SB_CLAIM_PRIORITY, 50, 0, 1 };
	sb_claim_lane lanes[] = { { 1, 5, 0, 3, 0 }, { 1, 7, 1, 3, 0 } };
	sb_claim_take take;

	(void)state;
	assert_true(sb_claim_next(&order, lanes, 2, 2, &take));
	sb_claim_taken(&order, lanes, 2, &take, 0, 6);
	assert_int_equal(lanes[0].room, 3);
	assert_int_equal(lanes[0].head_id, 6);
	assert_int_equal(order.age_credit, 0);
}

/* Of claims of one step each, with endless steps: how many of each lane. */
static void tally(sb_claim_order *order, const sb_claim_lane *endless, size_t count, uint32_t block,
		  uint32_t blocks, uint32_t *counts)
{
	memset(counts, 0, count * sizeof *counts);
	for (uint32_t i = 0; i < blocks; i++) {
		sb_claim_lane lanes[LANE_COUNT_MAX];
		uint32_t wanted = block;
		sb_claim_take take;

		memcpy(lanes, endless, count * sizeof *lanes);
		while (sb_claim_next(order, lanes, count, wanted, &take)) {
			wanted -= take.count;
			counts[take.lane] += take.count;
			sb_claim_taken(order, lanes, count, &take, take.count,
				       lanes[take.lane].head_id);
		}
	}
}

typedef struct weight_row {
	uint32_t block;
	size_t count;
	int32_t priorities[3];
	double percents[3]; /* expected */
} weight_row;

static void priorities_are_drawn_by_their_weights(void **state)
{
	static const weight_row rows[] = {
		{ 1, 2, { 1, 100 }, { 98.06, 1.94 } },
		{ 50, 2, { 1, 100 }, { 98.06, 1.94 } },
		{ 1, 3, { 1, 10, 100 }, { 83.22, 15.13, 1.65 } },
		{ 1000, 3, { 1, 10, 100 }, { 83.22, 15.13, 1.65 } },
		{ 1, 3, { -5, 0, 1 }, { 40, 40, 20 } },
		{ 7, 2, { 0, INT32_MAX }, { 100, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const weight_row *row = &rows[i];
		sb_claim_order order = { SB_CLAIM_WEIGHTED_RANDOM, 0, 0, 42 };
		sb_claim_lane lanes[LANE_COUNT_MAX];
		uint32_t counts[LANE_COUNT_MAX];

		for (size_t j = 0; j < row->count; j++)
			lanes[j] = (sb_claim_lane){ 1, (int64_t)(10 - j), row->priorities[j],
						    NO_LIMIT, 0 };
		tally(&order, lanes, row->count, row->block, 100000 / row->block, counts);
		for (size_t j = 0; j < row->count; j++) {
			double percent = counts[j] * 100.0 / (100000 / row->block * row->block);

			if (percent < row->percents[j] - 0.5 || percent > row->percents[j] + 0.5)
				fail_msg("row %zu: %.2f percent are of priority %d", i, percent,
					 row->priorities[j]);
		}
	}
}

static void queues_of_one_priority_share_its_weight_by_age(void **state)
{
	sb_claim_order order = { SB_CLAIM_WEIGHTED_RANDOM, 0, 0, 42 };
	const sb_claim_lane lanes[] = { { 1, 50, 1, NO_LIMIT, 0 },
					{ 2, 40, 1, NO_LIMIT, 0 },
					{ 1, 10, 100, NO_LIMIT, 0 } };
	uint32_t counts[3];

	(void)state;
	tally(&order, lanes, 3, 10, 1000, counts);
	assert_int_equal(counts[0], 0);
	assert_in_range(counts[1], 9750, 9860);
	assert_int_equal(counts[1] + counts[2], 10000);
}

static void draws_for_a_lane_that_runs_out_go_to_the_others(void **state)
{
	sb_claim_order order = { SB_CLAIM_WEIGHTED_RANDOM, 0, 0, 42 };
	stock_row stocks[] = { { 1, 1, NO_LIMIT, { 1, 2 } },
			       { 1, 100, NO_LIMIT, { 11, 12, 13, 14, 15, 16 } } };
	int64_t ids[64];

	(void)state;
	assert_int_equal(claim(&order, stocks, 2, 7, ids), 7);
	assert_int_equal(stock_len(&stocks[0]), 0);
	assert_int_equal(stock_len(&stocks[1]), 1);
}

typedef struct share_row {
	sb_claim_strategy strategy;
	uint32_t age_percent;
	uint32_t block;
	uint32_t old_count; /* expected of 10,000 steps */
} share_row;

static void the_share_of_the_old_is_kept_with_blocks_of_any_size(void **state)
{
	static const share_row rows[] = {
		{ SB_CLAIM_PRIORITY, 10, 1, 1000 },   { SB_CLAIM_PRIORITY, 10, 3, 1000 },
		{ SB_CLAIM_PRIORITY, 10, 100, 1000 }, { SB_CLAIM_PRIORITY, 10, 1000, 1000 },
		{ SB_CLAIM_PRIORITY, 1, 1, 100 },     { SB_CLAIM_PRIORITY, 33, 8, 3300 },
		{ SB_CLAIM_PRIORITY, 99, 1, 9900 },   { SB_CLAIM_PRIORITY, 0, 10, 0 },
	};
	/* The old one is of low priority, and its queue has no other. */
	const sb_claim_lane lanes[] = { { 1, 50, 0, NO_LIMIT, 0 }, { 2, 1, 1000, NO_LIMIT, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_claim_order order = { rows[i].strategy, rows[i].age_percent, 0, 1 };
		uint32_t counts[2];

		tally(&order, lanes, 2, rows[i].block, 10000 / rows[i].block, counts);
		if (counts[1] + 1 < rows[i].old_count || counts[1] > rows[i].old_count + 1)
			fail_msg("row %zu: %u of the old", i, counts[1]);
	}
}

static void a_limit_of_one_does_not_give_all_places_to_the_old(void **state)
{
	sb_claim_order order = { SB_CLAIM_PRIORITY, 10, 0, 1 };
	const sb_claim_lane lanes[] = { { 1, 50, 0, 1, 0 }, { 1, 1, 1000, 1, 0 } };
	uint32_t counts[2];

	(void)state;
	tally(&order, lanes, 2, 100, 1000, counts);
	assert_int_equal(counts[0], 900);
	assert_int_equal(counts[1], 100);
}

/* Each claim finds as many new steps of high priority as it takes. */
static void the_old_do_not_starve_under_endless_arrivals(void **state)
{
	static const sb_claim_strategy strategies[] = { SB_CLAIM_PRIORITY,
							SB_CLAIM_WEIGHTED_RANDOM };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sb_claim_order order = { strategies[i], 10, 0, 1 };
		stock_row stocks[] = { { 1, 0, NO_LIMIT, { 0 } },
				       { 1, INT32_MAX, NO_LIMIT, { 1, 2, 3, 4, 5, 6, 7, 8 } } };
		int64_t next_id = 100, ids[8];
		int claims = 0;

		for (; stock_len(&stocks[1]) > 0 && claims < 100; claims++) {
			while (stock_len(&stocks[0]) < 4)
				stocks[0].ids[stock_len(&stocks[0])] = next_id++;
			claim(&order, stocks, 2, 1, ids);
		}
		assert_in_range(claims, 8, 80);
	}
}

static void lanes_are_sorted_by_priority_and_queue(void **state)
{
	sb_claim_lane lanes[100];
	uint32_t number = 1;

	(void)state;
	for (size_t count = 0; count <= 100; count++) {
		for (size_t i = 0; i < count; i++) {
			number = number * 1664525 + 1013904223;
			lanes[i] = (sb_claim_lane){ number >> 8 & 7, 1,
						    (int32_t)(number >> 16 & 15) - 8, 0, 0 };
		}
		sb_claim_sort(lanes, count);
		for (size_t i = 1; i < count; i++)
			assert_true(lanes[i - 1].priority < lanes[i].priority ||
				    (lanes[i - 1].priority == lanes[i].priority &&
				     lanes[i - 1].queue_id <= lanes[i].queue_id));
	}
}

static void strategies_have_names(void **state)
{
	static const char *const names[] = { "fifo", "lifo", "priority", "weighted_random" };
	sb_claim_strategy strategy;

	(void)state;
	for (int i = 0; i < SB_CLAIM_STRATEGY_COUNT; i++) {
		assert_string_equal(sb_claim_strategy_name(i), names[i]);
		assert_true(sb_claim_strategy_of(sb_slice_z(names[i]), &strategy));
		assert_int_equal(strategy, i);
	}
	assert_null(sb_claim_strategy_name(-1));
	assert_null(sb_claim_strategy_name(SB_CLAIM_STRATEGY_COUNT));
	assert_false(sb_claim_strategy_of(sb_slice_z("FIFO"), &strategy));
	assert_false(sb_claim_strategy_of(sb_slice_of(NULL, 0), &strategy));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_come_in_the_order_of_the_table),
		cmocka_unit_test(a_large_block_asks_the_store_few_times),
		cmocka_unit_test(a_queue_at_its_limit_is_passed_over),
		cmocka_unit_test(no_lanes_give_nothing),
		cmocka_unit_test(the_only_lane_is_taken_from_at_once),
		cmocka_unit_test(rows_that_are_passed_over_do_not_count),
		cmocka_unit_test(priorities_are_drawn_by_their_weights),
		cmocka_unit_test(queues_of_one_priority_share_its_weight_by_age),
		cmocka_unit_test(draws_for_a_lane_that_runs_out_go_to_the_others),
		cmocka_unit_test(the_share_of_the_old_is_kept_with_blocks_of_any_size),
		cmocka_unit_test(a_limit_of_one_does_not_give_all_places_to_the_old),
		cmocka_unit_test(the_old_do_not_starve_under_endless_arrivals),
		cmocka_unit_test(lanes_are_sorted_by_priority_and_queue),
		cmocka_unit_test(strategies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
