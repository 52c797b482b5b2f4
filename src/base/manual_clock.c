/* SPDX-License-Identifier: MIT */
#include "base/manual_clock.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/host.h"
#include "base/memory.h"

enum { US_PER_MS = 1000, NS_PER_US = 1000, NS_PER_MS = 1000000 };

struct stepbus_clock {
	stepbus_host host; /* whose memory it is */
	int64_t begun_us;
	int64_t begun_ns; /* elapsed */
	_Atomic(int64_t) gone_us;
};

static int64_t now_us(void *user_data)
{
	stepbus_clock *clock = user_data;

	return clock->begun_us + atomic_load(&clock->gone_us);
}

static int64_t elapsed_ns(void *user_data)
{
	stepbus_clock *clock = user_data;

	return clock->begun_ns + atomic_load(&clock->gone_us) * NS_PER_US;
}

stepbus_status sb_manual_clock_new(int64_t begun_us, stepbus_clock **out, stepbus_error *err)
{
	stepbus_host host;
	stepbus_status status = sb_host_fill(NULL, &host, err);
	stepbus_clock *clock;

	if (status != STEPBUS_OK)
		return status;
	clock = sb_alloc(&host, sizeof *clock);
	if (clock == NULL)
		return sb_fail_memory(err, "make a clock");
	clock->host = host;
	clock->begun_us = begun_us;
	/* Whole: what is due by a clock that stands must not wait for the rest of a microsecond. */
	clock->begun_ns = sb_clock_elapsed_ns(&host) / NS_PER_MS * NS_PER_MS;
	*out = clock;
	return STEPBUS_OK;
}

void sb_manual_clock_free(stepbus_clock *clock)
{
	stepbus_host host;

	if (clock == NULL)
		return;
	host = clock->host;
	sb_release(&host, clock);
}

void sb_manual_clock_lend(stepbus_clock *clock, stepbus_host *host)
{
	host->user_data = clock;
	host->now_us = now_us;
	host->elapsed_ns = elapsed_ns;
}

bool sb_manual_clock_advance(stepbus_clock *clock, int64_t time_ms)
{
	const int64_t gone_max_us = 2 * SB_MANUAL_CLOCK_STEP_MAX_MS * US_PER_MS;
	int64_t gone_us = atomic_load(&clock->gone_us);

	do {
		if (time_ms * US_PER_MS > gone_max_us - gone_us)
			return false;
	} while (!atomic_compare_exchange_weak(&clock->gone_us, &gone_us,
					       gone_us + time_ms * US_PER_MS));
	return true;
}
