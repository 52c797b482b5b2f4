/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400 };

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
	return host->now_us(host->user_data);
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
	const int64_t first_us = INT64_C(-62135596800000000), last_us = INT64_C(253402300799999999);
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
