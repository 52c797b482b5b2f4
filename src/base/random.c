/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

#include "base/error.h"

int32_t sb_random_system(void *user_data, void *bytes, size_t len)
{
	uint8_t *next = bytes;

	(void)user_data;
	while (len > 0) {
		ssize_t count = getrandom(next, len, 0);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return STEPBUS_ESYSTEM;
		next += count;
		len -= (size_t)count;
	}
	return STEPBUS_OK;
}

stepbus_status sb_random_fill(const stepbus_host *host, void *bytes, size_t len, stepbus_error *err)
{
	if (host->random(host->user_data, bytes, len) != STEPBUS_OK)
		return sb_fail(err, STEPBUS_ESYSTEM,
			       "cannot get random numbers from the host or the system");
	return STEPBUS_OK;
}
