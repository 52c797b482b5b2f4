/* SPDX-License-Identifier: MIT */
/*
 * When a cron expression fires in a time zone, and what to do about firings that were missed. Pure.
 *
 * The rule for changes of the clocks (docs/CRON.md has examples):
 *  - An expression whose minute or hour begins with '*' goes by elapsed time: it fires whenever the
 *    clocks show a time that fits, so in both passes of an hour that is repeated, and not at all in
 *    one that is skipped.
 *  - Any other one means times of day. Each fires once: one that is skipped fires at the first
 *    instant after the gap (several of them together, once), one that comes twice fires the first
 *    time.
 */
#ifndef SB_HANDLERS_CRON_SCHEDULE_H
#define SB_HANDLERS_CRON_SCHEDULE_H

#include "handlers/cron_expression.h"
#include "handlers/zone.h"

enum { SB_CRON_DUE_COUNT_MAX = 1000 };

/* What is done about firings that nobody was there for. */
typedef enum sb_cron_catch_up {
	SB_CRON_CATCH_UP_NONE, /* they are left out */
	SB_CRON_CATCH_UP_ONE,  /* the latest one is made up for */
	SB_CRON_CATCH_UP_ALL,  /* all are, the oldest first */
	SB_CRON_CATCH_UP_COUNT
} sb_cron_catch_up;

typedef struct sb_cron_schedule {
	const sb_cron_expression *expression;
	const sb_zone *zone; /* NULL: UTC */
	sb_cron_catch_up catch_up;
	int64_t grace_us;   /* a firing that is late by no more is not missed */
	int64_t next_at_us; /* as kept in the store; 0: never again */
} sb_cron_schedule;

/* "none", "one" or "all"; NULL for what is no such number. */
const char *sb_cron_catch_up_name(int catch_up);
bool sb_cron_catch_up_of(sb_slice name, sb_cron_catch_up *out);

/* The first firing after after_us; false where there is none within 50 years. */
bool sb_cron_next(const sb_cron_expression *expression, const sb_zone *zone, int64_t after_us,
		  int64_t *next_us);

/*
 * Which firings to enqueue now. Returns how many times were written, in order; next_at_us is then
 * when the schedule fires next, 0 for never again. At most max (and SB_CRON_DUE_COUNT_MAX) at once:
 * with SB_CRON_CATCH_UP_ALL next_at_us may still be past after it, and there is more to ask for.
 */
size_t sb_cron_due(sb_cron_schedule *schedule, int64_t now_us, int64_t *times_us, size_t max);

#endif
