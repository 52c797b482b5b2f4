/* SPDX-License-Identifier: MIT */
/*
 * The calendar: days since 1 January 1970 to dates and back, for every second that an int64 of
 * microseconds can name (some 290,000 years either way). Gregorian, also before there was one. Pure.
 */
#ifndef SB_HANDLERS_CIVIL_H
#define SB_HANDLERS_CIVIL_H

#include <stdint.h>

enum { SB_DAY_S = 86400, SB_HOUR_S = 3600, SB_MINUTE_S = 60 };

typedef struct sb_civil_day {
	int64_t year;
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
} sb_civil_day;

/* Rounds towards the past, as clocks do; divisor is positive. */
static inline int64_t sb_civil_divide(int64_t value, int64_t divisor)
{
	return value / divisor - (value % divisor < 0);
}

int64_t sb_civil_days(int64_t year, int month, int day);
sb_civil_day sb_civil_day_of(int64_t days);
/* 0 is Sunday. */
int sb_civil_weekday(int64_t days);
int sb_civil_month_len(int64_t year, int month);

#endif
