/* SPDX-License-Identifier: MIT */
/*
 * How many steps of a queue may start: a token bucket that holds rate_count steps at most and fills
 * up in one period. The row keeps what was in it (in millionths of a step) at a time; what came in
 * since is reckoned from the clock. Rounding never lets more start than is allowed. Pure.
 *
 * A wall clock may jump. A row from the future is taken for what it says while it is at most one
 * period ahead, and for full beyond that: either way a jump costs or gives one period's worth at
 * most. A rate_count or a rate_period_us of 0 (or less) is no limit.
 */
#ifndef SB_HANDLERS_RATE_H
#define SB_HANDLERS_RATE_H

#include "store/rows.h"

/* Whole steps that may start now; INT64_MAX: no limit. */
int64_t sb_rate_room(const sb_queue_row *row, int64_t now_us);
/* Notes that count steps start now; more than there is room for empties the bucket. */
void sb_rate_take(sb_queue_row *row, int64_t now_us, int64_t count);
/* The first time, not before now, at which there is room for a step. */
int64_t sb_rate_next_us(const sb_queue_row *row, int64_t now_us);

#endif
