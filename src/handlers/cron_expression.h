/* SPDX-License-Identifier: MIT */
/*
 * A cron expression, read into sets of bits. docs/CRON.md has the whole grammar:
 *
 *   [second] minute hour day-of-month month day-of-week     or @hourly, @daily, @weekly, ...
 *
 * Five fields, or six where the first one is the second (0 when it is left out). A field is a list of
 * values, ranges and steps: "1,5-10,20-40/5", "*", "*" with a step, "10/5" (from 10 on). Months and
 * days of the week have names; Sunday is 0 and 7. Pure.
 */
#ifndef SB_HANDLERS_CRON_EXPRESSION_H
#define SB_HANDLERS_CRON_EXPRESSION_H

#include "base/text.h"

enum { SB_CRON_LEN_MAX = 256 };

typedef struct sb_cron_expression {
	uint64_t seconds; /* bit 0 is 0 */
	uint64_t minutes;
	uint32_t hours;
	uint32_t days;     /* bits 1 to 31 */
	uint32_t months;   /* bits 1 to 12 */
	uint32_t weekdays; /* bits 0 to 6; 0 is Sunday */
	/*
	 * Both days are given, neither with a '*' in front: then one of them is enough. Otherwise
	 * both must fit.
	 */
	bool is_either_day;
	/* Minute or hour begin with '*': it goes by elapsed time, not by what the clocks show. */
	bool is_interval;
} sb_cron_expression;

/*
 * STEPBUS_EINVAL; the message names the field, the byte (the first one is 1) and what is allowed.
 */
stepbus_status sb_cron_parse(sb_slice text, sb_cron_expression *out, stepbus_error *err);

#endif
