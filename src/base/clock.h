/* SPDX-License-Identifier: MIT */
/*
 * Time, through the clocks that the host lends. Wall time for records, elapsed time for durations.
 */
#ifndef SB_BASE_CLOCK_H
#define SB_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/stepbus.h"

enum { SB_CLOCK_TEXT_LEN = 28 };

/* The years 1970 to 9999. */
#define SB_CLOCK_NOW_MIN_US INT64_C(1)
#define SB_CLOCK_NOW_MAX_US INT64_C(253402300799999999)

/*
 * A host's clock that says something else is taken for the nearest of these: tokens grow with the time
 * and have nowhere to grow from its far end, and what is reckoned from a time must not overflow.
 */
int64_t sb_clock_now_us(const stepbus_host *host);
int64_t sb_clock_elapsed_ns(const stepbus_host *host);
/*
 * Writes "2026-11-21T10:30:45.123456Z" and a NUL: 28 bytes. Pure. Times outside the years 1 to 9999
 * are clamped.
 */
void sb_clock_format(int64_t time_us, char text[SB_CLOCK_TEXT_LEN]);
/*
 * Reads a time as RFC 3339 writes it: "2026-11-21T11:30:45.5+01:00", "2026-11-21T10:30:45Z". What
 * is finer than a microsecond is cut off; a leap second counts as the second after it. false: it is
 * none, or lies outside the years 1 to 9999. Pure.
 */
bool sb_clock_parse(const char *text, size_t len, int64_t *time_us);

/* What stands in for a host's clocks. */
int64_t sb_clock_system_now_us(void *user_data);
int64_t sb_clock_system_elapsed_ns(void *user_data);

#endif
