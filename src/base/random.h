/* SPDX-License-Identifier: MIT */
/* Unpredictable bytes, through the source that the host lends. */
#ifndef SB_BASE_RANDOM_H
#define SB_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "include/stepbus.h"

stepbus_status sb_random_fill(const stepbus_host *host, void *bytes, size_t len,
			      stepbus_error *err);

/* What stands in for a host's random. */
int32_t sb_random_system(void *user_data, void *bytes, size_t len);

#endif
