/* SPDX-License-Identifier: MIT */
/*
 * The cron entries of a store, as hosts set, remove and list them. An entry whose times stay the same
 * keeps what it has come to: hosts may set their entries each time they start, and miss nothing.
 */
#ifndef SB_HANDLERS_TIMETABLE_H
#define SB_HANDLERS_TIMETABLE_H

#include "handlers/engine.h"

/* What a host says of an entry, checked but for expression and zone. */
typedef struct sb_timetable_entry {
	sb_slice name;
	sb_slice expression;
	sb_slice zone;
	sb_slice step; /* JSON */
	sb_slice catch_up;
	bool is_paused;
} sb_timetable_entry;

/* Returns when it is durable. */
stepbus_status sb_timetable_set(stepbus *engine, const sb_timetable_entry *entry,
				stepbus_error *err);
/* STEPBUS_ENOTFOUND where there is none. */
stepbus_status sb_timetable_remove(stepbus *engine, sb_slice name, stepbus_error *err);
/* As JSON, for the caller to free. Any thread. */
stepbus_status sb_timetable_list(stepbus *engine, stepbus_text **out, stepbus_error *err);

#endif
