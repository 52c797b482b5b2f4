/* SPDX-License-Identifier: MIT */
/*
 * The rule by which a time zone goes on for ever: what stands at the end of its file, in the form of
 * POSIX's TZ with the extension of RFC 8536 ("CET-1CEST,M3.5.0,M10.5.0/3"). A zone that has daylight
 * saving time must say when; times of day may be from -167 to 167 hours. Pure.
 */
#ifndef SB_HANDLERS_ZONE_RULE_H
#define SB_HANDLERS_ZONE_RULE_H

#include "base/text.h"

/* Which day of the year a change falls on. */
typedef enum sb_zone_day_kind {
	SB_ZONE_DAY_OF_365,   /* J1 to J365: 29 February is never counted */
	SB_ZONE_DAY_OF_YEAR,  /* 0 to 365 */
	SB_ZONE_DAY_OF_MONTH, /* M3.5.0: the month, the week (5: the last), the day of the week */
} sb_zone_day_kind;

typedef struct sb_zone_change {
	sb_zone_day_kind kind;
	int day; /* of the year, or of the week */
	int week;
	int month;
	int32_t time_s; /* local time before the change */
} sb_zone_change;

typedef struct sb_zone_rule {
	int32_t standard_s; /* east of UTC */
	int32_t daylight_s;
	bool has_daylight;
	sb_zone_change begin; /* of daylight saving time */
	sb_zone_change end;
} sb_zone_rule;

/* False where text is no such rule. */
bool sb_zone_rule_parse(sb_slice text, sb_zone_rule *out);
/* Local time minus UTC at an instant. */
int32_t sb_zone_rule_offset_s(const sb_zone_rule *rule, int64_t at_s);
/* The first instant after at_s from which on another offset holds; false where there is none. */
bool sb_zone_rule_next(const sb_zone_rule *rule, int64_t at_s, int64_t *next_s);

#endif
