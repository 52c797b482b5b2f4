/* SPDX-License-Identifier: MIT */
/* The exported functions about the clock that tests lend. */
#include <stddef.h>

#include "base/manual_clock.h"
#include "ffi/arguments.h"

/* What lending writes must be part of the host's struct, however old its header is. */
enum { HOST_SIZE_MIN = offsetof(stepbus_host, random) };

stepbus_status stepbus_clock_new(int64_t now_us, stepbus_clock **out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(out, "out", err);

	if (status == STEPBUS_OK && (now_us < 1 || now_us > SB_MANUAL_CLOCK_NOW_MAX_US))
		return sb_fail(err, STEPBUS_EINVAL,
			       "now_us is %lld: a clock shows times from 1970 to the year 8999",
			       (long long)now_us);
	return status == STEPBUS_OK ? sb_manual_clock_new(now_us, out, err) : status;
}

void stepbus_clock_free(stepbus_clock *clock)
{
	sb_manual_clock_free(clock);
}

stepbus_status stepbus_clock_lend(stepbus_clock *clock, stepbus_host *host, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(clock, "clock", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(host, "host", err);
	if (status == STEPBUS_OK && host->size < HOST_SIZE_MIN)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_host has size %u: set it to sizeof(stepbus_host)",
			       host->size);
	if (status == STEPBUS_OK)
		sb_manual_clock_lend(clock, host);
	return status;
}

stepbus_status stepbus_clock_advance(stepbus_clock *clock, int64_t ms, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(clock, "clock", err);

	if (status == STEPBUS_OK && (ms < 1 || ms > SB_MANUAL_CLOCK_STEP_MAX_MS))
		return sb_fail(err, STEPBUS_EINVAL, "ms is %lld: 1 to 100 years are allowed",
			       (long long)ms);
	if (status == STEPBUS_OK && !sb_manual_clock_advance(clock, ms))
		return sb_fail(err, STEPBUS_EINVAL,
			       "the clock has gone on for 200 years in all: make a new one");
	return status;
}
