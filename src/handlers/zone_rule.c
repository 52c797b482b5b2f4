/* SPDX-License-Identifier: MIT */
#include "handlers/zone_rule.h"

#include "handlers/civil.h"

enum {
	OFFSET_HOUR_MAX = 24,
	TIME_HOUR_MAX = 167,
	CHANGE_TIME_S = 2 * SB_HOUR_S,
	LEAP_YEARS_MAX = 9, /* there is none for eight years about 2100 */
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool skip(sb_slice *text, char wanted)
{
	if (text->len == 0 || text->data[0] != wanted)
		return false;
	*text = sb_slice_of(text->data + 1, text->len - 1);
	return true;
}

/* Takes a number of 1 to 3 digits. */
static bool take_number(sb_slice *text, int lowest, int highest, int *out)
{
	size_t len = 0;

	*out = 0;
	for (; len < text->len && len < 3 && is_digit(text->data[len]); len++)
		*out = *out * 10 + (text->data[len] - '0');
	*text = sb_slice_of(text->data + len, text->len - len);
	return len > 0 && *out >= lowest && *out <= highest;
}

/* "CET", or in brackets what may have digits and signs: "<+0545>". Nobody needs it. */
static bool skip_name(sb_slice *text)
{
	bool is_quoted = skip(text, '<');
	size_t len = 0;

	for (; len < text->len; len++) {
		char c = text->data[len];

		if (!is_letter(c) && !(is_quoted && (is_digit(c) || c == '+' || c == '-')))
			break;
	}
	*text = sb_slice_of(text->data + len, text->len - len);
	return len >= 3 && (!is_quoted || skip(text, '>'));
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool take_time(sb_slice *text, int hour_max, int32_t *out)
{
	bool is_negative = skip(text, '-');
	int hour, minute = 0, second = 0;

	if (!is_negative)
		(void)skip(text, '+');
	if (!take_number(text, 0, hour_max, &hour))
		return false;
	if (skip(text, ':')) {
		if (!take_number(text, 0, 59, &minute))
			return false;
		if (skip(text, ':') && !take_number(text, 0, 59, &second))
			return false;
	}
	*out = hour * SB_HOUR_S + minute * SB_MINUTE_S + second;
	if (is_negative)
		*out = -*out;
	return true;
}

static bool take_day(sb_slice *text, sb_zone_change *out)
{
	if (skip(text, 'M')) {
		out->kind = SB_ZONE_DAY_OF_MONTH;
		return take_number(text, 1, 12, &out->month) && skip(text, '.') &&
		       take_number(text, 1, 5, &out->week) && skip(text, '.') &&
		       take_number(text, 0, 6, &out->day);
	}
	if (skip(text, 'J')) {
		out->kind = SB_ZONE_DAY_OF_365;
		return take_number(text, 1, 365, &out->day);
	}
	out->kind = SB_ZONE_DAY_OF_YEAR;
	return take_number(text, 0, 365, &out->day);
}

static bool take_change(sb_slice *text, sb_zone_change *out)
{
	if (!skip(text, ',') || !take_day(text, out))
		return false;
	out->time_s = CHANGE_TIME_S;
	return !skip(text, '/') || take_time(text, TIME_HOUR_MAX, &out->time_s);
}

/* TZ counts westwards, we count eastwards. */
static bool take_offset(sb_slice *text, int32_t *out)
{
	if (!take_time(text, OFFSET_HOUR_MAX, out))
		return false;
	*out = -*out;
	return true;
}

bool sb_zone_rule_parse(sb_slice text, sb_zone_rule *out)
{
	*out = (sb_zone_rule){ 0 };
	if (!skip_name(&text) || !take_offset(&text, &out->standard_s))
		return false;
	if (text.len == 0)
		return true;
	out->has_daylight = true;
	out->daylight_s = out->standard_s + SB_HOUR_S;
	if (!skip_name(&text))
		return false;
	if (text.len > 0 && text.data[0] != ',' && !take_offset(&text, &out->daylight_s))
		return false;
	return take_change(&text, &out->begin) && take_change(&text, &out->end) && text.len == 0;
}

static int64_t day_of_month(const sb_zone_change *change, int64_t year)
{
	int64_t first = sb_civil_days(year, change->month, 1);
	int day = (change->day - sb_civil_weekday(first) + 7) % 7 + 7 * (change->week - 1);

	return first + (day < sb_civil_month_len(year, change->month) ? day : day - 7);
}

static int64_t day_of(const sb_zone_change *change, int64_t year)
{
	int64_t first = sb_civil_days(year, 1, 1);

	if (change->kind == SB_ZONE_DAY_OF_MONTH)
		return day_of_month(change, year);
	if (change->kind == SB_ZONE_DAY_OF_YEAR)
		return first + change->day;
	return first + change->day - 1 + (change->day >= 60 && sb_civil_month_len(year, 2) == 29);
}

static int64_t begin_of(const sb_zone_rule *rule, int64_t year)
{
	return day_of(&rule->begin, year) * SB_DAY_S + rule->begin.time_s - rule->standard_s;
}

static int64_t end_of(const sb_zone_rule *rule, int64_t year)
{
	return day_of(&rule->end, year) * SB_DAY_S + rule->end.time_s - rule->daylight_s;
}

static int64_t year_of(int64_t at_s)
{
	return sb_civil_day_of(sb_civil_divide(at_s, SB_DAY_S)).year;
}

/*
 * South of the equator it ends in the year after the one in which it began; and what a rule says of the
 * last days of a year may be a week later, by its hours.
 */
static bool is_daylight(const sb_zone_rule *rule, int64_t at_s)
{
	int64_t year = year_of(at_s);

	for (int64_t y = year - 2; y <= year + 1; y++) {
		int64_t begin_s = begin_of(rule, y), end_s = end_of(rule, y);

		if (end_s < begin_s)
			end_s = end_of(rule, y + 1);
		if (at_s >= begin_s && at_s < end_s)
			return true;
	}
	return false;
}

int32_t sb_zone_rule_offset_s(const sb_zone_rule *rule, int64_t at_s)
{
	return rule->has_daylight && is_daylight(rule, at_s) ? rule->daylight_s : rule->standard_s;
}

static void consider(const sb_zone_rule *rule, int64_t candidate_s, int64_t at_s, int64_t *next_s)
{
	if (candidate_s > at_s && candidate_s < *next_s &&
	    sb_zone_rule_offset_s(rule, candidate_s) !=
		    sb_zone_rule_offset_s(rule, candidate_s - 1))
		*next_s = candidate_s;
}

bool sb_zone_rule_next(const sb_zone_rule *rule, int64_t at_s, int64_t *next_s)
{
	int64_t year = year_of(at_s);

	*next_s = INT64_MAX;
	if (!rule->has_daylight)
		return false;
	/* Where both fall together, it may be a leap year alone that tells them apart. */
	for (int64_t y = year - 1;
	     y <= year + 2 || (*next_s == INT64_MAX && y <= year + LEAP_YEARS_MAX); y++) {
		consider(rule, begin_of(rule, y), at_s, next_s);
		consider(rule, end_of(rule, y), at_s, next_s);
	}
	return *next_s != INT64_MAX;
}
