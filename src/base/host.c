/* SPDX-License-Identifier: MIT */
#include "base/host.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/structs.h"

stepbus_status sb_host_fill(const stepbus_host *given, stepbus_host *out, stepbus_error *err)
{
	stepbus_host host = { 0 };
	stepbus_status status = STEPBUS_OK;

	if (given != NULL)
		status = sb_struct_take(&host, sizeof host, given, "stepbus_host", err);
	if (status != STEPBUS_OK)
		return status;
	if (host.log_level == 0)
		host.log_level = STEPBUS_LOG_INFO;
	if (host.allocate == NULL)
		host.allocate = sb_memory_system;
	if (host.now_us == NULL)
		host.now_us = sb_clock_system_now_us;
	if (host.elapsed_ns == NULL)
		host.elapsed_ns = sb_clock_system_elapsed_ns;
	if (host.random == NULL)
		host.random = sb_random_system;
	*out = host;
	return STEPBUS_OK;
}
