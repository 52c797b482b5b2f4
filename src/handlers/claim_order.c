/* SPDX-License-Identifier: MIT */
#include "handlers/claim_order.h"

/* A part of the sorted lanes: [begin, end). */
typedef struct lane_run {
	size_t begin;
	size_t end;
} lane_run;

static const char *const names[SB_CLAIM_STRATEGY_COUNT] = {
	[SB_CLAIM_FIFO] = "fifo",
	[SB_CLAIM_LIFO] = "lifo",
	[SB_CLAIM_PRIORITY] = "priority",
	[SB_CLAIM_WEIGHTED_RANDOM] = "weighted_random",
};

const char *sb_claim_strategy_name(int strategy)
{
	return strategy >= 0 && strategy < SB_CLAIM_STRATEGY_COUNT ? names[strategy] : NULL;
}

bool sb_claim_strategy_of(sb_slice name, sb_claim_strategy *out)
{
	for (int i = 0; i < SB_CLAIM_STRATEGY_COUNT; i++)
		if (sb_slice_is_equal(name, sb_slice_z(names[i]))) {
			*out = (sb_claim_strategy)i;
			return true;
		}
	return false;
}

static bool is_before(const sb_claim_lane *a, const sb_claim_lane *b)
{
	return a->priority != b->priority ? a->priority < b->priority : a->queue_id < b->queue_id;
}

/* Shell's way: needs no memory, and lanes come in sorted runs. */
void sb_claim_sort(sb_claim_lane *lanes, size_t count)
{
	for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (size_t i = gap; i < count; i++) {
			sb_claim_lane lane = lanes[i];
			size_t j = i;

			for (; j >= gap && is_before(&lane, &lanes[j - gap]); j -= gap)
				lanes[j] = lanes[j - gap];
			lanes[j] = lane;
		}
}

static bool is_open(const sb_claim_lane *lane)
{
	return lane->head_id != 0 && lane->room > 0;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Merges the lanes of a run by id: the one whose turn it is, as far as the head of the next. */
static bool merge(const sb_claim_lane *lanes, lane_run run, bool is_descending, uint32_t wanted,
		  sb_claim_take *out)
{
	const sb_claim_lane *first = NULL, *second = NULL;

	for (size_t i = run.begin; i < run.end; i++) {
		const sb_claim_lane *lane = &lanes[i];

		if (!is_open(lane))
			continue;
		if (first == NULL || (lane->head_id < first->head_id) != is_descending) {
			second = first;
			first = lane;
		} else if (second == NULL || (lane->head_id < second->head_id) != is_descending) {
			second = lane;
		}
	}
	if (first == NULL)
		return false;
	out->lane = (size_t)(first - lanes);
	out->count = smaller(wanted, first->room);
	out->bound_id = second != NULL ? second->head_id : 0;
	return true;
}

/* The lanes from begin on that have the priority of the first of them. */
static lane_run class_at(const sb_claim_lane *lanes, size_t count, size_t begin)
{
	size_t end = begin + 1;

	while (end < count && lanes[end].priority == lanes[begin].priority)
		end++;
	return (lane_run){ begin, end };
}

static bool is_class_open(const sb_claim_lane *lanes, lane_run run)
{
	for (size_t i = run.begin; i < run.end; i++)
		if (is_open(&lanes[i]))
			return true;
	return false;
}

static bool next_by_priority(const sb_claim_lane *lanes, size_t count, uint32_t wanted,
			     sb_claim_take *out)
{
	for (lane_run run = { 0, 0 }; run.end < count;) {
		run = class_at(lanes, count, run.end);
		if (merge(lanes, run, false, wanted, out))
			return true;
	}
	return false;
}

/* What was drawn and not yet taken stands at the first lane of its class. */
static bool next_drawn(sb_claim_lane *lanes, size_t count, uint32_t wanted, sb_claim_take *out)
{
	for (lane_run run = { 0, 0 }; run.end < count;) {
		sb_claim_lane *first;

		run = class_at(lanes, count, run.end);
		first = &lanes[run.begin];
		if (first->drawn_count == 0)
			continue;
		out->is_drawn = merge(lanes, run, false, smaller(wanted, first->drawn_count), out);
		if (out->is_drawn)
			return true;
		first->drawn_count = 0;
	}
	return false;
}

/* splitmix64: good enough for lots, and its whole state is one number. */
static double draw_unit(uint64_t *random)
{
	uint64_t z = *random += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double weight_of(const sb_claim_lane *lanes, lane_run run)
{
	double priority = lanes[run.begin].priority > 0 ? lanes[run.begin].priority : 0;

	return is_class_open(lanes, run) ? 1 / (priority + 1) : 0;
}

/* The first lane of the class into whose weight a number below the sum of all falls. */
static size_t class_of(const sb_claim_lane *lanes, size_t count, double number)
{
	size_t last_open = 0;

	for (lane_run run = { 0, 0 }; run.end < count;) {
		double weight;

		run = class_at(lanes, count, run.end);
		weight = weight_of(lanes, run);
		if (weight == 0)
			continue;
		last_open = run.begin;
		if (number < weight)
			return last_open;
		number -= weight;
	}
	/* Rounding may leave a grain behind the last one. */
	return last_open;
}

/* Throws one lot for each of wanted steps. All at once, so that the store is asked once a class. */
static bool draw(sb_claim_order *order, sb_claim_lane *lanes, size_t count, uint32_t wanted)
{
	double sum = 0;

	for (lane_run run = { 0, 0 }; run.end < count;) {
		run = class_at(lanes, count, run.end);
		sum += weight_of(lanes, run);
	}
	if (sum == 0)
		return false;
	for (uint32_t i = 0; i < wanted; i++)
		lanes[class_of(lanes, count, draw_unit(&order->random) * sum)].drawn_count++;
	return true;
}

static bool next_by_strategy(sb_claim_order *order, sb_claim_lane *lanes, size_t count,
			     uint32_t wanted, sb_claim_take *out)
{
	switch (order->strategy) {
	case SB_CLAIM_PRIORITY:
		return next_by_priority(lanes, count, wanted, out);
	case SB_CLAIM_WEIGHTED_RANDOM:
		return next_drawn(lanes, count, wanted, out) ||
		       (draw(order, lanes, count, wanted) && next_drawn(lanes, count, wanted, out));
	case SB_CLAIM_LIFO:
		return merge(lanes, (lane_run){ 0, count }, true, wanted, out);
	case SB_CLAIM_FIFO:
	case SB_CLAIM_STRATEGY_COUNT:
	default:
		return merge(lanes, (lane_run){ 0, count }, false, wanted, out);
	}
}

/* The share; lifo is asked for by those who want the old to wait. */
static int64_t age_percent(const sb_claim_order *order)
{
	if (order->strategy != SB_CLAIM_PRIORITY && order->strategy != SB_CLAIM_WEIGHTED_RANDOM)
		return 0;
	return smaller(order->age_percent, 100);
}

/* Where there is no choice nothing is to be shared, and one look into the store is enough. */
static bool is_only_lane(const sb_claim_lane *lanes, size_t count, size_t *only)
{
	size_t open_count = 0;

	for (size_t i = 0; i < count && open_count < 2; i++)
		if (is_open(&lanes[i])) {
			*only = i;
			open_count++;
		}
	return open_count == 1;
}

bool sb_claim_next(sb_claim_order *order, sb_claim_lane *lanes, size_t count, uint32_t wanted,
		   sb_claim_take *out)
{
	int64_t percent = age_percent(order);
	int64_t due = (order->age_credit + percent * wanted) / 100;
	int64_t until_due;

	*out = (sb_claim_take){ 0 };
	if (wanted == 0)
		return false;
	if (is_only_lane(lanes, count, &out->lane)) {
		out->count = smaller(wanted, lanes[out->lane].room);
		return true;
	}
	out->age_credit = (int32_t)percent;
	if (percent == 0 || due <= 0)
		return next_by_strategy(order, lanes, count, wanted, out);
	/* All that falls due in this block is taken together, when the first of it is. */
	until_due = (99 - order->age_credit) / percent;
	if (until_due > 0)
		return next_by_strategy(order, lanes, count,
					until_due < wanted ? (uint32_t)until_due : wanted, out);
	out->age_credit -= 100;
	return merge(lanes, (lane_run){ 0, count }, false, due < wanted ? (uint32_t)due : wanted,
		     out);
}

void sb_claim_taken(sb_claim_order *order, sb_claim_lane *lanes, size_t count,
		    const sb_claim_take *take, uint32_t claimed, int64_t head_id)
{
	sb_claim_lane *lane = &lanes[take->lane];
	size_t first = take->lane;

	claimed = smaller(claimed, take->count);
	order->age_credit += take->age_credit * (int64_t)claimed;
	lane->head_id = head_id;
	for (size_t i = 0; i < count; i++)
		if (lanes[i].queue_id == lane->queue_id && lanes[i].room != UINT32_MAX)
			lanes[i].room -= smaller(lanes[i].room, claimed);
	if (!take->is_drawn)
		return;
	while (first > 0 && lanes[first - 1].priority == lane->priority)
		first--;
	lanes[first].drawn_count -= smaller(lanes[first].drawn_count, claimed);
}
