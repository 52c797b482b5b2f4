/* SPDX-License-Identifier: MIT */
#include "handlers/rate.h"

#include "base/hash.h"

enum { MICRO = 1000000 };

static bool is_limited(const sb_queue_row *row)
{
	return row->rate_count > 0 && row->rate_period_us > 0;
}

static int64_t burst_micro(const sb_queue_row *row)
{
	return (int64_t)row->rate_count * MICRO;
}

/* A row may say anything. */
static int64_t kept_micro(const sb_queue_row *row)
{
	int64_t burst = burst_micro(row);

	if (row->rate_room_micro < 0)
		return 0;
	return row->rate_room_micro < burst ? row->rate_room_micro : burst;
}

/* The time since the row was written, from 0 to one period. */
static int64_t elapsed_us(const sb_queue_row *row, int64_t now_us)
{
	bool is_ahead = row->rate_at_us > now_us;
	uint64_t distance = is_ahead ? (uint64_t)row->rate_at_us - (uint64_t)now_us :
				       (uint64_t)now_us - (uint64_t)row->rate_at_us;

	if (distance > (uint64_t)row->rate_period_us)
		return row->rate_period_us;
	return is_ahead ? 0 : (int64_t)distance;
}

static int64_t room_micro(const sb_queue_row *row, int64_t now_us)
{
	int64_t burst = burst_micro(row);
	sb_uint128 gained = (sb_uint128)elapsed_us(row, now_us) * (uint64_t)burst /
			    (uint64_t)row->rate_period_us;
	int64_t kept = kept_micro(row);

	return gained < (uint64_t)(burst - kept) ? kept + (int64_t)gained : burst;
}

int64_t sb_rate_room(const sb_queue_row *row, int64_t now_us)
{
	return is_limited(row) ? room_micro(row, now_us) / MICRO : INT64_MAX;
}

void sb_rate_take(sb_queue_row *row, int64_t now_us, int64_t count)
{
	int64_t room;

	if (!is_limited(row) || count <= 0)
		return;
	room = room_micro(row, now_us);
	row->rate_room_micro = count < room / MICRO ? room - count * MICRO : room % MICRO;
	row->rate_at_us = now_us;
}

int64_t sb_rate_next_us(const sb_queue_row *row, int64_t now_us)
{
	sb_uint128 lacking;
	int64_t wait_us, next_us;

	if (!is_limited(row) || room_micro(row, now_us) >= MICRO)
		return now_us;
	/* Room is lacking, so the row is not older than a period and less than a step is in it. */
	lacking = (sb_uint128)(uint64_t)(MICRO - kept_micro(row)) * (uint64_t)row->rate_period_us;
	wait_us =
		(int64_t)((lacking + (uint64_t)burst_micro(row) - 1) / (uint64_t)burst_micro(row));
	return __builtin_add_overflow(row->rate_at_us, wait_us, &next_us) ? INT64_MAX : next_us;
}
