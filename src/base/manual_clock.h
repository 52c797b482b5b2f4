/* SPDX-License-Identifier: MIT */
/*
 * A clock that stands still until it is told to go on. Both times that a host lends come from one
 * number, so that they go on together; elapsed time begins where that of the system is, since leases
 * that are in a store already are held against it. Any thread.
 */
#ifndef SB_BASE_MANUAL_CLOCK_H
#define SB_BASE_MANUAL_CLOCK_H

#include <stdbool.h>

#include "include/stepbus.h"

/* The last moment of the year 8999: what is reckoned from it stays within four digits. */
#define SB_MANUAL_CLOCK_NOW_MAX_US INT64_C(221845391999999999)
/* 100 years of 365.25 days: of one step, and twice that of all of them, which fits nanoseconds. */
#define SB_MANUAL_CLOCK_STEP_MAX_MS INT64_C(3155760000000)

/* begun_us: what it shows at first, 1 to the maximum. */
stepbus_status sb_manual_clock_new(int64_t begun_us, stepbus_clock **out, stepbus_error *err);
/* NULL is accepted. */
void sb_manual_clock_free(stepbus_clock *clock);
/* Sets what a host says of time. */
void sb_manual_clock_lend(stepbus_clock *clock, stepbus_host *host);
/* time_ms: 1 to the maximum. False: all steps together would be too far. */
bool sb_manual_clock_advance(stepbus_clock *clock, int64_t time_ms);

#endif
