/* SPDX-License-Identifier: MIT */
#include "sim/sim/policy.h"

static int64_t factor(uint32_t kind, int n)
{
	int64_t before = 0, now = 1;

	switch (kind) {
	case STEPBUS_RETRY_LINEAR:
		return n;
	case STEPBUS_RETRY_EXPONENTIAL:
		return INT64_C(1) << (n - 1);
	case STEPBUS_RETRY_FIBONACCI:
		for (int i = 1; i < n; i++) {
			int64_t next = before + now;

			before = now;
			now = next;
		}
		return now;
	default:
		return 1;
	}
}

int64_t policy_delay_min_us(const sim_step *st, int64_t retry_after_ms)
{
	int64_t delay_ms = st->retry_base_ms * factor(st->retry_kind, st->charged_count);
	int64_t cap_us = st->retry_cap_ms * 1000;

	if (retry_after_ms >= 0)
		return retry_after_ms * 1000 < cap_us ? retry_after_ms * 1000 : cap_us;
	if (delay_ms * 1000 > cap_us)
		delay_ms = st->retry_cap_ms;
	return delay_ms * 1000 / 100 * (100 - st->jitter_percent);
}
