/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400 };

/* The years 1 to 9999. */
static const int64_t first_us = INT64_C(-62135596800000000);
static const int64_t last_us = INT64_C(253402300799999999);

int64_t sb_clock_system_now_us(void *user_data)
{
	struct timespec now;

	(void)user_data;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sb_clock_system_elapsed_ns(void *user_data)
{
	struct timespec now;

	(void)user_data;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t sb_clock_now_us(const stepbus_host *host)
{
	int64_t now_us = host->now_us(host->user_data);

	if (now_us < SB_CLOCK_NOW_MIN_US)
		return SB_CLOCK_NOW_MIN_US;
	return now_us > SB_CLOCK_NOW_MAX_US ? SB_CLOCK_NOW_MAX_US : now_us;
}

int64_t sb_clock_elapsed_ns(const stepbus_host *host)
{
	return host->elapsed_ns(host->user_data);
}

static int64_t clamp(int64_t value, int64_t lowest, int64_t highest)
{
	if (value < lowest)
		return lowest;
	return value > highest ? highest : value;
}

void sb_clock_format(int64_t time_us, char text[SB_CLOCK_TEXT_LEN])
{
	int64_t time = clamp(time_us, first_us, last_us);
	int64_t micros = ((time % 1000000) + 1000000) % 1000000;
	int64_t seconds = (time - micros) / 1000000;
	int64_t second = ((seconds % SECONDS_PER_DAY) + SECONDS_PER_DAY) % SECONDS_PER_DAY;
	/*
	 * Days since 1 March of year 0, so that a leap day ends its year (no time zone, no libc
	 * state).
	 */
	int64_t days = (seconds - second) / SECONDS_PER_DAY + 719468;
	int64_t era = days / DAYS_PER_ERA;
	int64_t day_of_era = days % DAYS_PER_ERA;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
	int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	int64_t year = year_of_era + era * YEARS_PER_ERA + (month <= 2 ? 1 : 0);

	/* The moduli tell the compiler what the arithmetic guarantees: that the text fits. */
	(void)snprintf(text, SB_CLOCK_TEXT_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
		       (unsigned)(year % 10000), (unsigned)(month % 100), (unsigned)(day % 100),
		       (unsigned)(second / 3600 % 100), (unsigned)(second / 60 % 60),
		       (unsigned)(second % 60), (unsigned)(micros % 1000000));
}

/* The number of exactly count digits; -1 where they are not digits. */
static int64_t take_digits(const char **next, const char *end, int count)
{
	int64_t number = 0;

	if (end - *next < count)
		return -1;
	for (; count > 0; count--, ++*next) {
		if (**next < '0' || **next > '9')
			return -1;
		number = number * 10 + (**next - '0');
	}
	return number;
}

static bool take_sign(const char **next, const char *end, const char *signs)
{
	if (*next == end || **next == '\0' || strchr(signs, **next) == NULL)
		return false;
	++*next;
	return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && is_leap);
}

/* Days since 1970, reckoned in years that begin in March, so that a leap day ends its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t march_year = month <= 2 ? year - 1 : year;
	int64_t march_month = month <= 2 ? month + 9 : month - 3;

	return march_year * 365 + march_year / 4 - march_year / 100 + march_year / 400 +
	       (153 * march_month + 2) / 5 + day - 1 - 719468;
}

static bool take_date(const char **next, const char *end, int64_t *days)
{
	int64_t year, month, day;

	year = take_digits(next, end, 4);
	if (year < 0 || !take_sign(next, end, "-"))
		return false;
	month = take_digits(next, end, 2);
	if (month < 1 || month > 12 || !take_sign(next, end, "-"))
		return false;
	day = take_digits(next, end, 2);
	if (day < 1 || day > days_in_month(year, month))
		return false;
	*days = days_of(year, month, day);
	return true;
}

static bool take_time_of_day(const char **next, const char *end, int64_t *seconds)
{
	int64_t hour, minute, second;

	hour = take_digits(next, end, 2);
	if (hour < 0 || hour > 23 || !take_sign(next, end, ":"))
		return false;
	minute = take_digits(next, end, 2);
	if (minute < 0 || minute > 59 || !take_sign(next, end, ":"))
		return false;
	second = take_digits(next, end, 2);
	if (second < 0 || second > 60)
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return true;
}

static bool take_fraction(const char **next, const char *end, int64_t *micros)
{
	int64_t unit = 100000;

	*micros = 0;
	if (!take_sign(next, end, "."))
		return true;
	if (*next == end || **next < '0' || **next > '9')
		return false;
	for (; *next < end && **next >= '0' && **next <= '9'; ++*next, unit /= 10)
		*micros += (**next - '0') * unit;
	return true;
}

/* How far local time is ahead of UTC. */
static bool take_offset(const char **next, const char *end, int64_t *seconds)
{
	int64_t sign, hours, minutes;

	*seconds = 0;
	if (take_sign(next, end, "Zz"))
		return true;
	sign = *next < end && **next == '-' ? -1 : 1;
	if (!take_sign(next, end, "+-"))
		return false;
	hours = take_digits(next, end, 2);
	if (hours < 0 || hours > 23 || !take_sign(next, end, ":"))
		return false;
	minutes = take_digits(next, end, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool sb_clock_parse(const char *text, size_t len, int64_t *time_us)
{
	const char *next = text, *end = len > 0 ? text + len : text;
	int64_t days, second, micros, offset, time;
	bool is_leap_second;

	if (!take_date(&next, end, &days) || !take_sign(&next, end, "Tt ") ||
	    !take_time_of_day(&next, end, &second))
		return false;
	is_leap_second = next[-2] == '6';
	if (!take_fraction(&next, end, &micros) || !take_offset(&next, end, &offset) || next != end)
		return false;
	time = days * SECONDS_PER_DAY + second - offset;
	/* Leap seconds end days of UTC. */
	if (is_leap_second && time % SECONDS_PER_DAY != 0)
		return false;
	if (is_leap_second)
		micros = 0;
	time = time * 1000000 + micros;
	if (time < first_us || time > last_us)
		return false;
	*time_us = time;
	return true;
}
