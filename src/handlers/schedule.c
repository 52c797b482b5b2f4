/* SPDX-License-Identifier: MIT */
#include "handlers/schedule.h"

stepbus_status sb_schedule_fire(stepbus *engine, sb_store *store, int64_t *next_us,
				stepbus_error *err)
{
	(void)engine;
	(void)store;
	(void)err;
	*next_us = 0;
	return STEPBUS_OK;
}
