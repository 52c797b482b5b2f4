/* SPDX-License-Identifier: MIT */
/* How many steps of each queue are in each state, as a table by the names of queues. */
#ifndef SB_HANDLERS_TALLY_H
#define SB_HANDLERS_TALLY_H

#include "base/json.h"
#include "base/map.h"
#include "store/store.h"

typedef struct sb_tally {
	sb_map queues;
	int64_t counts[SB_STEP_STATE_MAX + 1]; /* of all queues */
	bool is_complete;
} sb_tally;

/* Reads it from the store. Any thread. To be freed also after a failure. */
stepbus_status sb_tally_read(sb_tally *tally, sb_store *store, stepbus_error *err);
void sb_tally_free(sb_tally *tally);

/* Of one queue, by state; all 0 where it has no steps. */
const int64_t *sb_tally_of(const sb_tally *tally, sb_slice queue);
/* {"waiting":0,"scheduled":2,...} */
bool sb_tally_add(sb_json *json, const char *name, const int64_t counts[SB_STEP_STATE_MAX + 1]);

#endif
