/* SPDX-License-Identifier: MIT */
#include "ffi/queues.h"

stepbus_status sb_queues_configure(stepbus *engine, const sb_config_list *queues,
				   stepbus_error *err)
{
	(void)engine;
	(void)queues;
	(void)err;
	return STEPBUS_OK;
}
