/* SPDX-License-Identifier: MIT */
#include "handlers/cron_schedule.h"

#include "handlers/civil.h"

enum { SECOND_US = 1000000 };

/* A 29 February that is a Sunday may be 40 years away. */
#define HORIZON_S (INT64_C(50) * 366 * SB_DAY_S)

static const char *const catch_up_names[SB_CRON_CATCH_UP_COUNT] = {
	[SB_CRON_CATCH_UP_NONE] = "none",
	[SB_CRON_CATCH_UP_ONE] = "one",
	[SB_CRON_CATCH_UP_ALL] = "all",
};

const char *sb_cron_catch_up_name(int catch_up)
{
	return catch_up >= 0 && catch_up < SB_CRON_CATCH_UP_COUNT ? catch_up_names[catch_up] : NULL;
}

bool sb_cron_catch_up_of(sb_slice name, sb_cron_catch_up *out)
{
	for (int i = 0; i < SB_CRON_CATCH_UP_COUNT; i++)
		if (sb_slice_is_equal(name, sb_slice_z(catch_up_names[i]))) {
			*out = (sb_cron_catch_up)i;
			return true;
		}
	return false;
}

static bool is_day(const sb_cron_expression *expression, sb_civil_day date, int64_t days)
{
	bool is_in_month = (expression->days >> date.day & 1) != 0;
	bool is_in_week = (expression->weekdays >> sb_civil_weekday(days) & 1) != 0;

	if ((expression->months >> date.month & 1) == 0)
		return false;
	return expression->is_either_day ? is_in_month || is_in_week : is_in_month && is_in_week;
}

/* The lowest bit from first on; -1 where there is none. */
static int next_bit(uint64_t bits, int first)
{
	uint64_t rest = first < 64 ? bits >> first : 0;

	return rest != 0 ? first + __builtin_ctzll(rest) : -1;
}

/* The first second of a day, from second on, that fits; -1 where there is none. */
static int64_t next_second(const sb_cron_expression *expression, int64_t from_s)
{
	int from_hour = (int)(from_s / SB_HOUR_S);
	int from_minute = (int)(from_s % SB_HOUR_S / SB_MINUTE_S);
	int hour = next_bit(expression->hours, from_hour), minute, second;

	if (hour == from_hour) {
		minute = next_bit(expression->minutes, from_minute);
		second = next_bit(expression->seconds,
				  minute == from_minute ? (int)(from_s % SB_MINUTE_S) : 0);
		if (minute >= 0 && second < 0) {
			minute = next_bit(expression->minutes, from_minute + 1);
			second = next_bit(expression->seconds, 0);
		}
		if (minute >= 0)
			return hour * SB_HOUR_S + minute * SB_MINUTE_S + second;
		hour = next_bit(expression->hours, from_hour + 1);
	}
	if (hour < 0)
		return -1;
	minute = next_bit(expression->minutes, 0);
	second = next_bit(expression->seconds, 0);
	return hour * SB_HOUR_S + minute * SB_MINUTE_S + second;
}

/* The first local time in [from_s, end_s) that fits. */
static bool next_local(const sb_cron_expression *expression, int64_t from_s, int64_t end_s,
		       int64_t *out_s)
{
	int64_t days = sb_civil_divide(from_s, SB_DAY_S);
	int64_t second_from = from_s - days * SB_DAY_S;

	while (days * SB_DAY_S < end_s) {
		sb_civil_day date = sb_civil_day_of(days);

		if ((expression->months >> date.month & 1) == 0) {
			days += sb_civil_month_len(date.year, date.month) - date.day + 1;
			second_from = 0;
			continue;
		}
		if (is_day(expression, date, days)) {
			int64_t second = next_second(expression, second_from);

			*out_s = days * SB_DAY_S + second;
			if (second >= 0)
				return *out_s < end_s;
		}
		days++;
		second_from = 0;
	}
	return false;
}

/* By elapsed time: in each part of even time, whatever the clocks showed before. */
static bool next_interval(const sb_cron_expression *expression, const sb_zone *zone,
			  int64_t after_s, int64_t *next_s)
{
	int64_t end_s = after_s + HORIZON_S, part_end_s;

	for (int64_t begin_s = after_s + 1; begin_s < end_s; begin_s = part_end_s) {
		int64_t offset_s = sb_zone_offset_s(zone, begin_s), local_s;

		if (!sb_zone_next(zone, begin_s, &part_end_s) || part_end_s > end_s)
			part_end_s = end_s;
		if (next_local(expression, begin_s + offset_s, part_end_s + offset_s, &local_s)) {
			*next_s = local_s - offset_s;
			return true;
		}
	}
	return false;
}

/* By times of day: the first one that had not yet come, or been skipped, by then. */
static bool next_time(const sb_cron_expression *expression, const sb_zone *zone, int64_t after_s,
		      int64_t *next_s)
{
	int64_t local_s = after_s + sb_zone_offset_s(zone, after_s);
	int64_t end_s = local_s + HORIZON_S;

	while (next_local(expression, local_s + 1, end_s, &local_s)) {
		sb_zone_found found;

		sb_zone_find(zone, local_s, &found);
		*next_s = found.first_s;
		if (found.first_s > after_s)
			return true;
	}
	return false;
}

bool sb_cron_next(const sb_cron_expression *expression, const sb_zone *zone, int64_t after_us,
		  int64_t *next_us)
{
	int64_t after_s = sb_civil_divide(after_us, SECOND_US), next_s;
	bool is_found = expression->is_interval ?
				next_interval(expression, zone, after_s, &next_s) :
				next_time(expression, zone, after_s, &next_s);

	return is_found && !__builtin_mul_overflow(next_s, (int64_t)SECOND_US, next_us);
}

/*
 * The latest firing that is not after now_us, where first_us is one: halves the time in which the
 * moment must lie after which the next firing is yet to come.
 */
static int64_t latest(const sb_cron_schedule *schedule, int64_t first_us, int64_t now_us)
{
	int64_t low_s = first_us / SECOND_US, high_s = now_us / SECOND_US;
	int64_t latest_us = first_us;

	while (low_s < high_s) {
		int64_t middle_s = low_s + (high_s - low_s) / 2, next_us;

		if (sb_cron_next(schedule->expression, schedule->zone, middle_s * SECOND_US,
				 &next_us) &&
		    next_us <= now_us) {
			latest_us = next_us;
			low_s = next_us / SECOND_US;
		} else {
			high_s = middle_s;
		}
	}
	return latest_us;
}

/* Moves on to the first firing after after_us. */
static void advance(sb_cron_schedule *schedule, int64_t after_us)
{
	if (!sb_cron_next(schedule->expression, schedule->zone, after_us, &schedule->next_at_us))
		schedule->next_at_us = 0;
}

static size_t take_all(sb_cron_schedule *schedule, int64_t now_us, int64_t *times_us, size_t max)
{
	size_t count = 0;

	while (count < max && schedule->next_at_us > 0 && schedule->next_at_us <= now_us) {
		times_us[count++] = schedule->next_at_us;
		advance(schedule, schedule->next_at_us);
	}
	return count;
}

static size_t take_latest(sb_cron_schedule *schedule, int64_t now_us, int64_t *times_us)
{
	int64_t at_us = latest(schedule, schedule->next_at_us, now_us);

	advance(schedule, now_us);
	if (schedule->catch_up == SB_CRON_CATCH_UP_NONE && now_us - at_us > schedule->grace_us)
		return 0;
	times_us[0] = at_us;
	return 1;
}

size_t sb_cron_due(sb_cron_schedule *schedule, int64_t now_us, int64_t *times_us, size_t max)
{
	if (schedule->next_at_us <= 0 || schedule->next_at_us > now_us || max == 0)
		return 0;
	/* The expression or the rules of its zone may be others than when it was kept. */
	advance(schedule, schedule->next_at_us - 1);
	if (schedule->next_at_us == 0 || schedule->next_at_us > now_us)
		return 0;
	if (schedule->catch_up == SB_CRON_CATCH_UP_ALL)
		return take_all(schedule, now_us, times_us,
				max < SB_CRON_DUE_COUNT_MAX ? max : SB_CRON_DUE_COUNT_MAX);
	return take_latest(schedule, now_us, times_us);
}
