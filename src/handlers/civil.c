/* SPDX-License-Identifier: MIT */
#include "handlers/civil.h"

#include <stdbool.h>

/* After as many years the calendar begins anew. */
enum { ERA_YEARS = 400, ERA_DAYS = 146097, DAYS_TO_1970 = 719468 };

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Years begin in March here, so that the leap day is the last one. */
int64_t sb_civil_days(int64_t year, int month, int day)
{
	int64_t shifted = month > 2 ? year : year - 1;
	int64_t era = sb_civil_divide(shifted, ERA_YEARS);
	int64_t year_of_era = shifted - era * ERA_YEARS;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - DAYS_TO_1970;
}

sb_civil_day sb_civil_day_of(int64_t days)
{
	int64_t shifted = days + DAYS_TO_1970;
	int64_t era = sb_civil_divide(shifted, ERA_DAYS);
	int64_t day_of_era = shifted - era * ERA_DAYS;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year =
		(int)(day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100));
	int month = (5 * day_of_year + 2) / 153;

	return (sb_civil_day){
		.year = era * ERA_YEARS + year_of_era + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day_of_year - (153 * month + 2) / 5 + 1,
	};
}

int sb_civil_weekday(int64_t days)
{
	/* 1 January 1970 was a Thursday. */
	return (int)((days % 7 + 7 + 4) % 7);
}

int sb_civil_month_len(int64_t year, int month)
{
	if (month == 2)
		return is_leap(year) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}
